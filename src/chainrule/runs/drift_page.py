"""The page of ``chainrule drift``. Everything that it says is in the figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from chainrule import plots
from chainrule.card import image_of
from chainrule.runs.drift_words import change, place, pvalue, sentences
from chainrule.runs.html import column_figure, document, paragraph, table_of
from chainrule.runs.verdict import number, percent

PICTURES = 60
"""Columns with a picture, at most: those that moved most."""

COLUMNS_NOTE = (
    "Columns that moved come first. The p-values are adjusted by the rule of Benjamini and Hochberg. Difference: the "
    "largest difference of the distribution functions, or of categories half the sum of the differences of shares. "
    "Nats: the mean of -log p of the cells, given the cells before; it changes where a column goes otherwise with the "
    "others."
)

CHUNKS_NOTE = (
    "Each chunk of new rows beside all old rows: how often a row of it is stranger to the model than an old one. "
    "Without drift this is 50 %, and within the band in 19 of 20 chunks. Chunks that differ, by this or by a column, "
    "are filled."
)


def drift_page(figures: dict[str, Any]) -> str:
    """The HTML page of the figures of `chainrule.runs.drift.drift`."""
    title = f"Drift of {figures['new']}"
    rows = figures["rows"]
    intro = (
        f"{rows['new']:,} new rows were compared with {rows['old']:,} old ones ({figures['old']}) by {figures['run']}, "
        f"a {figures['model']}."
    )
    parts = [
        f"<h1>{escape(title)}</h1>",
        paragraph(intro),
        f'<div class="verdict">{"".join(paragraph(line) for line in sentences(figures))}</div>',
        *_chunks(figures),
        *_columns(figures["columns"]),
        *_pictures(figures["columns"]),
        *_record(figures),
    ]
    return document(title, parts)


def _chunks(figures: dict[str, Any]) -> list[str]:
    chunks = figures["chunks"]
    if not chunks:
        return []
    sizes = [chunk["rows"] for chunk in chunks]
    picture = plots.chunks_picture(
        [chunk["stranger"] for chunk in chunks],
        sizes,
        old=figures["rows"].get("held_out", figures["rows"]["old"]),
        drifted=[chunk["drift"] for chunk in chunks],
        labels=[chunk["times"][0] if chunk.get("times") else f"{chunk['first']:,}" for chunk in chunks],
    )
    rows = [
        [
            place(chunk),
            f"{chunk['rows']:,}",
            percent(chunk["stranger"]),
            pvalue(chunk["pvalue"]),
            _few(chunk["columns"]),
        ]
        for chunk in chunks
    ]
    table = table_of(["chunk", "rows", "stranger", "p", "columns that moved"], rows)
    image = image_of(picture, "how often a row of each chunk is stranger than an old one")
    return ["<h2>Along the new rows</h2>", paragraph(CHUNKS_NOTE, "note"), image, table]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "-"


def _columns(columns: Sequence[dict[str, Any]]) -> list[str]:
    if not columns:
        return []
    rows = []
    for column in columns:
        nats = column["nats"] or [None, None]
        shares = map(percent, column["gaps"])
        figure = [pvalue(column["pvalue"]), number(column["difference"]), *shares, *map(number, nats)]
        rows.append([column["name"], *figure, change(column) or "-"])
    head = ["column", "p", "difference", "gaps, old", "gaps, new", "nats, old", "nats, new", "what moved"]
    return ["<h2>The columns</h2>", paragraph(COLUMNS_NOTE, "note"), table_of(head, rows)]


def _pictures(columns: Sequence[dict[str, Any]]) -> list[str]:
    shown = [column for column in columns if "shares" in column][:PICTURES]
    legend = '<p><span class="real">old</span> and <span class="sampled">new</span> rows, those that moved first.</p>'
    return [legend, *(column_figure(column, "old", "new") for column in shown)] if shown else []


def _record(figures: dict[str, Any]) -> list[str]:
    rows = [
        ["rate of false alarms", percent(figures["rate"])],
        ["seed", str(figures["seed"])],
        ["minutes", number(figures["minutes"], 1)],
        ["versions", ", ".join(f"{name} {version}" for name, version in figures["versions"].items())],
        ["date", figures["date"]],
    ]
    return ["<h2>How it was made</h2>", table_of(["", ""], rows)]
