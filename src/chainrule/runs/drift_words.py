"""The figures of drift in sentences."""

from __future__ import annotations

from typing import Any

from chainrule.runs.verdict import number, percent

NAMED = 10
"""Columns and chunks that are named, at most."""


def sentences(figures: dict[str, Any]) -> list[str]:
    """What a person should know: whether there is drift, by the likelihood, by columns and by chunks."""
    found = f"(p {pvalue(figures['pvalue'])}; {figures['rate']:.2g} is the rate of false alarms)"
    verdict = (
        f"Drift: {figures['new']} is not like {figures['old']} {found}."
        if figures["drift"]
        else f"No drift: nothing tells {figures['new']} from {figures['old']} {found}."
    )
    return [verdict, *_likelihood(figures), *_columns(figures), *_chunks(figures), *_notes(figures)]


def pvalue(value: float) -> str:
    """A p-value with its sign.

    >>> pvalue(0.0312), pvalue(1e-30)
    ('= 0.031', '< 1e-10')
    """
    return "< 1e-10" if value < 1e-10 else f"= {value:.2g}"


def change(column: dict[str, Any]) -> str:
    """What changed in a column that moved, from what to what."""
    parts = [words(column) for words in (_gaps, _values, _given)]
    return "; ".join(part for part in parts if part)


def _likelihood(figures: dict[str, Any]) -> list[str]:
    found, item = figures["likelihood"], "row" if figures["columns"] else "item"
    old, new = (number(nats) for nats in found["nats"])
    if found["stranger"] is None:
        return [f"No new {item} could be scored."]
    lines = [
        f"Likelihood: a new {item} has {new} nats, an old one {old}; it is the stranger of the two in "
        f"{percent(found['stranger'])} of pairs (50 % without drift; p {pvalue(found['pvalue'])})."
    ]
    if found["left_out"]:
        lines.append(
            f"{found['left_out']:,} new rows have empty cells where training had none, and are left out of this."
        )
    return lines


def _columns(figures: dict[str, Any]) -> list[str]:
    columns = figures["columns"]
    moved = [column for column in columns if column["moved"]]
    if not columns:
        return []
    if not moved:
        return [f"None of the {len(columns)} columns moved."]
    lines = [f"{len(moved)} of {len(columns)} columns moved:"]
    lines += [f"  {column['name']}: {change(column)} (p {pvalue(column['pvalue'])})" for column in moved[:NAMED]]
    return lines + ([f"  and {len(moved) - NAMED} more"] if len(moved) > NAMED else [])


def _gaps(column: dict[str, Any]) -> str:
    if "gaps" not in column["moved"]:
        return ""
    old, new = map(percent, column["gaps"])
    return f"empty in {old} -> {new} of rows"


def _values(column: dict[str, Any]) -> str:
    if not {"values", "rare"} & set(column["moved"]) or "shares" not in column:
        return ""
    if "mean" in column:
        parts = [f"{name} {' -> '.join(column[key])}" for name, key in MOMENTS.items() if key in column]
        return ", ".join(parts)
    shares = list(zip(column["labels"], *column["shares"], strict=True))
    label, old, new = max(shares, key=lambda each: abs(each[1] - each[2]))
    return f"{label} {percent(old)} -> {percent(new)}"


MOMENTS = {"mean": "mean", "standard deviation": "std"}
"""The figures of a column of numbers that are named, and their keys."""


def _given(column: dict[str, Any]) -> str:
    if "given" not in column["moved"]:
        return ""
    old, new = (number(nats) for nats in column["nats"])
    return f"goes otherwise with the columns before it, {old} -> {new} nats"


def _chunks(figures: dict[str, Any]) -> list[str]:
    chunks = figures["chunks"]
    if not chunks:
        return []
    drifted = [chunk for chunk in chunks if chunk["drift"]]
    lines = [f"{len(drifted)} of {len(chunks)} chunks differ from the old data{':' if drifted else '.'}"]
    for chunk in drifted[:NAMED]:
        columns = ", ".join(chunk["columns"][:3]) or "by its likelihood"
        lines.append(f"  {place(chunk)}: {columns} (p {pvalue(chunk['pvalue'])})")
    return lines


def place(chunk: dict[str, Any]) -> str:
    """The rows of a chunk, or its times."""
    if chunk.get("times"):
        return " to ".join(chunk["times"])
    return f"{chunk['first']:,} to {chunk['last']:,}"


def _notes(figures: dict[str, Any]) -> list[str]:
    lines = []
    if figures.get("moments"):
        lines.append(f"Not tested, as they say when rows were taken: {', '.join(figures['moments'])}.")
    ignored = [name for name in figures.get("not_tested", []) if name not in figures["moments"]]
    if ignored:
        lines.append(f"Not tested, as you said: {', '.join(ignored)}.")
    if figures.get("unknown"):
        lines.append(f"Columns that the run does not know: {', '.join(figures['unknown'])}.")
    return lines
