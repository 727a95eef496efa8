"""A report as one HTML page, with its pictures in it. Everything that it says is in the figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from chainrule import plots
from chainrule.card import image_of
from chainrule.runs.html import column_figure, document, paragraph, table_of
from chainrule.runs.verdict import number, percent, verdict

PICTURES = 60
"""Columns with a picture, at most: those that give most away."""

COLUMN_NOTE = (
    "Columns that give most away come first. AUC alone: how well gradient boosting tells sampled from training "
    "rows by this column only (0.5 is best; here {luck} more may be luck). Importance: how far the AUC of all "
    "columns falls when this one is shuffled; it is high also where a column goes wrongly with others. "
    "Difference: the largest difference of the distribution functions, or of categories half the sum of the "
    "differences of shares (0 is best). Commonest value: its share of training and of sampled rows. Nats: the "
    "mean of -log p of the held-out cells, given the cells before."
)

PAIR_NOTE = (
    "How strongly two columns go together, in training and in sampled rows: rank correlation of numbers (-1 to "
    "1), Cramer's V of categories and the correlation ratio of a number's ranks and a category (0 to 1). The "
    "third picture should be white; on average the difference is {mean}."
)

TWO_SAMPLE_NOTE = (
    "Gradient boosting learns to tell as many sampled as real rows apart (at most 10,000 of each), and is tested "
    "on the third that it did not see, three times. AUC is the chance that it finds a real row more real than a "
    "sampled one: 0.5 is best. The score is 2 (1 - max(AUC, 0.5)): 1 is best. Training rows against held-out ones "
    "are the same test of real rows alone. Luck: an AUC this far from 0.5 means little; "
    "fewer rows are harder to tell apart."
)

USEFUL_NOTE = (
    "Gradient boosting learns to predict this column from the others, once from sampled and once from as many "
    "training rows, and both predict the held-out rows. The closer the two figures are, the better samples can "
    "stand in for real rows. AUC: 0.5 is worst, 1 best (the mean over classes, of more than two). R^2: 0 is no "
    "better than the mean, 1 best."
)

GAPS_NOTE = (
    "{cells} known cells ({share} of them) were removed from {rows} held-out rows at random, and filled: by the "
    "mean or the commonest of 20 draws from the model, given the cells that were left; from the five nearest "
    "training rows; and by the mean or the commonest value of the column. The error of numbers is the root of the "
    "mean squared error in standard deviations (lower is better, the mean has about 1), that of categories the "
    "share of right ones (higher is better)."
)

PRIVACY_NOTE = (
    "The distance of two rows is the mean over the columns of the difference of ranks (numbers) or of 0 or 1 "
    "(categories). Sampled rows should be about as far from the nearest training row as held-out rows are, and "
    "equal one as seldom. If more than half of them are closer to a training row than to as many held-out rows, "
    "the model may have learnt rows by heart. This does not prove that samples are safe to publish: a rare person "
    "may still be recognised by some of the cells, and no bound on what samples reveal, such as differential "
    "privacy, is given."
)

LIKELIHOOD_NOTE = (
    "The mean of -log p of a held-out row, in nats and in the file's units: lower is better, and what matters is "
    "the difference to independent columns, each with its own distribution."
)


def page(figures: dict[str, Any]) -> str:
    """The HTML page of a report.

    Args:
        figures: What `chainrule.runs.report.report` returns.
    """
    title = f"Report on {figures['run']}"
    rows = figures["rows"]
    intro = (
        f"{rows['sampled']:,} rows were sampled from {figures['model']}, fitted on {rows['train']:,} rows of "
        f"{figures['data']}, and compared with these and with {rows['held_out']:,} held-out rows "
        f"({figures['held_out']})."
    )
    parts = [
        f"<h1>{escape(title)}</h1>",
        paragraph(intro),
        f'<div class="verdict">{"".join(paragraph(line) for line in verdict(figures))}</div>',
        *_columns(figures),
        *_pictures(figures["columns"]),
        *_pairs(figures["pairs"]),
        *_two_sample(figures["two_sample"]),
        *_useful(figures["usefulness"]),
        *_gaps(figures["imputation"]),
        *_privacy(figures["privacy"]),
        *_likelihood(figures["likelihood"]),
        *_record(figures),
    ]
    return document(title, parts)


def _columns(figures: dict[str, Any]) -> list[str]:
    head = ["column", "AUC alone", "importance", "difference", "commonest value", "real", "sampled"]
    head += ["gaps, real", "gaps, sampled", "nats"]
    rows = []
    for column in figures["columns"]:
        common = column.get("commonest", {"value": "-", "shares": [None, None]})
        figure = [number(column[name]) for name in ("auc_alone", "importance", "difference")]
        shares = [percent(share) for share in (*common["shares"], *column["gaps"])]
        rows.append([column["name"], *figure, common["value"][:24], *shares, number(column["nats"])])
    note = COLUMN_NOTE.format(luck=number(figures["two_sample"]["train"]["luck"]))
    return ["<h2>Which columns give samples away</h2>", paragraph(note, "note"), table_of(head, rows)]


def _pictures(columns: Sequence[dict[str, Any]]) -> list[str]:
    shown = [column for column in columns if "shares" in column][:PICTURES]
    left_out = f" The {len(shown)} that give most away are shown." if len(shown) < len(columns) else ""
    legend = f'<p><span class="real">real</span> and <span class="sampled">sampled</span> rows.{left_out}</p>'
    note = "Of numbers, the outer intervals also hold the values beyond them (0.5 % of the real ones at each end)."
    return ["<h2>The columns</h2>", legend, paragraph(note, "note"), *map(column_figure, shown)]


def _pairs(pairs: dict[str, Any]) -> list[str]:
    if len(pairs["names"]) < 2:
        return []
    parts = (
        [[float("nan") if value is None else value for value in row] for row in pairs[name]]
        for name in ("real", "sampled")
    )
    image = image_of(plots.association_picture(pairs["names"], *parts), "associations of all pairs of columns")
    rows = [[" and ".join(pair["columns"]), number(pair["real"]), number(pair["sampled"])] for pair in pairs["largest"]]
    note = PAIR_NOTE.format(mean=number(pairs["mean_difference"]))
    table = table_of(["pairs that differ most", "real", "sampled"], rows)
    return ["<h2>Pairs of columns</h2>", paragraph(note, "note"), image, table]


def _two_sample(tests: dict[str, Any]) -> list[str]:
    names = {
        "train": "sampled and training rows",
        "held_out": "sampled and held-out rows",
        "train_and_held_out": "training and held-out rows",
    }
    rows = [
        [words, f"{tests[name]['rows']:,}", *(number(tests[name][figure]) for figure in ("auc", "score", "luck"))]
        for name, words in names.items()
    ]
    table = table_of(["told apart", "rows of each", "AUC", "score", "luck"], rows)
    return ["<h2>Can a classifier tell?</h2>", paragraph(TWO_SAMPLE_NOTE, "note"), table]


def _useful(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    head = ["learnt from", found["measure"]]
    rows = [["sampled rows", number(found["on_samples"])], ["real rows", number(found["on_real"])]]
    if found["accuracy"] is not None:
        head.append("accuracy")
        rows = [[*row, percent(share)] for row, share in zip(rows, found["accuracy"], strict=False)]
        rows.append(["nothing: the commonest class", "-", percent(found["accuracy"][2])])
    learnt, predicted = found["rows"]
    note = f"{USEFUL_NOTE} Here it learnt from {learnt:,} rows and predicted {predicted:,}."
    return [
        f"<h2>Do samples teach to predict {escape(found['target'])}?</h2>",
        paragraph(note, "note"),
        table_of(head, rows),
    ]


def _gaps(found: dict[str, Any]) -> list[str]:
    names = {
        "model": "the model",
        "neighbours": "the five nearest rows",
        "column": "the column's mean or commonest value",
    }
    rows = [[words, number(found["rmse"][name]), percent(found["accuracy"][name])] for name, words in names.items()]
    note = GAPS_NOTE.format(cells=f"{found['cells']:,}", share=percent(found["share"]), rows=found["rows"])
    table = table_of(["filled by", "error of numbers", "right categories"], rows)
    ways = [paragraph(f"{count} rows {method}", "note") for method, count in found["methods"].items()]
    return ["<h2>Filling gaps</h2>", paragraph(note, "note"), table, *ways]


def _privacy(found: dict[str, Any]) -> list[str]:
    rows = [
        ["equal a training row", *map(percent, found["copies"])],
        ["median distance to the nearest training row", *map(number, found["nearest"])],
        ["distance that 5 % stay below", *map(number, found["nearest_low"])],
        ["closer to training than to held-out rows", percent(found["closer"]), "50 % expected"],
    ]
    note = f"{PRIVACY_NOTE} {found['rows'][0]:,} sampled rows were compared with {found['among']:,} training rows."
    table = table_of(["", "sampled rows", "held-out rows"], rows)
    return ["<h2>Privacy: are samples copies?</h2>", paragraph(note, "note"), table]


def _likelihood(found: dict[str, Any]) -> list[str]:
    error = f" +- {number(found['nats_stderr'])}" if found["nats_stderr"] is not None else ""
    rows = [
        ["the model", f"{number(found['nats'])}{error}"],
        ["independent columns", number(found["independent_nats"])],
    ]
    table = table_of([f"{found['rows']:,} held-out rows", "nats per row"], rows)
    return ["<h2>Likelihood</h2>", paragraph(LIKELIHOOD_NOTE, "note"), table]


def _record(figures: dict[str, Any]) -> list[str]:
    computer = figures["machine"]
    rows = [
        ["seed", str(figures["seed"])],
        ["minutes of this report", number(figures["minutes"], 1)],
        ["minutes of the fit", number(figures["fit_minutes"], 1)],
        [
            "machine",
            f"{computer['cpu']}, {computer['cores']} cores, {computer['threads']} threads, {figures['device']}",
        ],
        ["versions", ", ".join(f"{name} {version}" for name, version in figures["versions"].items())],
        ["date", figures["date"]],
    ]
    return ["<h2>How it was made</h2>", table_of(["", ""], rows)]
