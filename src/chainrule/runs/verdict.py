"""A report's figures in sentences."""

from __future__ import annotations

from typing import Any

LEVELS = (
    (0.9, "A classifier can hardly tell sampled rows from real ones"),
    (0.7, "A classifier finds it hard to tell sampled rows from real ones"),
    (0.4, "A classifier often tells sampled rows from real ones"),
    (0.0, "A classifier easily tells sampled rows from real ones"),
)
"""Sentences for two-sample scores from a number on."""

CLOSE, COPIED, SURE = 0.03, 0.005, 3
"""Samples are too close to training rows if this much more than half of them are closer to one than to held-out rows,
or if this much more of them equal one than of held-out rows do; and by this many standard errors."""

FEW = 0.1
"""Two-sample tests of so few rows that an AUC this far from 0.5 may be luck say little."""

KNOWN = 0.5
"""Where more than this share of the rows taken for held out equal training rows, they probably are some."""

NOT_HELD_OUT = (
    "Most rows that were taken for held out equal a training row: if the run was fitted on them, all that is said of "
    "held-out rows here is too good. Give other rows as --data."
)

WARNING = "Samples are closer to training rows than other real rows are: it may have learnt rows by heart."


def verdict(figures: dict[str, Any]) -> list[str]:
    """The most important figures of a report, a sentence or two for each question."""
    parts = [_likeness(figures), _telling(figures), _likelihood(figures), _useful(figures), _gaps(figures)]
    known = [NOT_HELD_OUT] if figures["privacy"]["copies"][1] > KNOWN else []
    return [sentence for sentence in [*known, *parts, *_privacy(figures["privacy"])] if sentence]


def number(value: float | None, digits: int = 3) -> str:
    """A figure with few digits; a dash if it could not be computed.

    >>> number(0.12345), number(None)
    ('0.123', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}"


def percent(share: float | None) -> str:
    """A share in percent.

    >>> percent(0.1234), percent(0.0), percent(0.00004)
    ('12.3 %', '0 %', 'under 0.1 %')
    """
    if share is None:
        return "-"
    return "0 %" if share == 0 else "under 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")


def _likeness(figures: dict[str, Any]) -> str:
    train, held_out = figures["two_sample"]["train"], figures["two_sample"]["held_out"]
    sentence = next(words for least, words in LEVELS if train["score"] >= least)
    few = " There are too few rows to be sure." if train["luck"] > FEW else ""
    return (
        f"{sentence}: the two-sample score is {number(train['score'])} against the rows it was fitted on and "
        f"{number(held_out['score'])} against rows that were held out (1 is best, 0 worst).{few}"
    )


def _telling(figures: dict[str, Any]) -> str:
    first, test = figures["columns"][0], figures["two_sample"]["train"]
    luck = test["luck"]
    if test["auc"] <= 0.5 + luck:
        return "No single column stands out."
    if first["auc_alone"] > 0.5 + luck:
        return f"The column {first['name']} gives most away, by its own values: AUC {number(first['auc_alone'])}."
    if first["importance"] > luck:
        return f"The column {first['name']} gives most away, by how it goes with other columns."
    return "No single column stands out."


def _likelihood(figures: dict[str, Any]) -> str:
    found = figures["likelihood"]
    return (
        f"A held-out row has {number(found['nats'])} nats; if columns were independent, it would have "
        f"{number(found['independent_nats'])} (lower is better)."
    )


def _useful(figures: dict[str, Any]) -> str:
    found = figures["usefulness"]
    if found is None:
        return ""
    return (
        f"{found['target']} is predicted with {found['measure']} {number(found['on_samples'])} after learning from "
        f"samples, and {number(found['on_real'])} after learning from as many real rows."
    )


def _gaps(figures: dict[str, Any]) -> str:
    rmse, accuracy = figures["imputation"]["rmse"], figures["imputation"]["accuracy"]
    parts = []
    if rmse["model"] is not None:
        others = f"nearest rows {number(rmse['neighbours'])}, means {number(rmse['column'])}"
        parts.append(f"numbers with an error of {number(rmse['model'])} standard deviations ({others})")
    if accuracy["model"] is not None:
        others = f"nearest rows {percent(accuracy['neighbours'])}, commonest {percent(accuracy['column'])}"
        parts.append(f"{percent(accuracy['model'])} of categories rightly ({others})")
    return f"It fills removed cells: {', and '.join(parts)}." if parts else ""


def _privacy(found: dict[str, Any]) -> list[str]:
    copied, held_out = found["copies"]
    sentences = [
        f"{percent(copied)} of sampled rows equal a training row, as do {percent(held_out)} of held-out rows. "
        f"{percent(found['closer'])} of sampled rows lie closer to a training row than to as many held-out rows "
        "(50 % if it has learnt none by heart)."
    ]
    close = found["closer"] - 0.5 > max(CLOSE, SURE * found["closer_stderr"])
    often = copied - held_out > max(COPIED, SURE * found["copies_stderr"])
    return [*sentences, WARNING] if close or often else sentences
