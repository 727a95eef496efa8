"""Tables of outliers in tables: how well they are found, and how often usual rows are refused."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from markdown import table

SETTINGS = ("clean", "contaminated")
SHARES = ("0.05", "0.1")
OURS = "chainrule"


def found(results: list[dict[str, Any]]) -> str:
    """Mean rank by AUC, AUC and average precision in both settings, and CPU seconds, over all sets and seeds."""
    splits = _splits(results)
    rows = []
    best = {setting: min(_mean_rank(splits, name, setting) for name in splits[0]) for setting in SETTINGS}
    for method in splits[0]:
        cells = []
        for setting in SETTINGS:
            rank = _mean_rank(splits, method, setting)
            cells.append(_marked(f"{rank:.2f}", rank == best[setting]))
            for figure in ("auc", "average_precision"):
                means = {name: fmean(split[name][setting][figure] for split in splits) for name in splits[0]}
                cells.append(_marked(f"{means[method]:.3f}", means[method] == max(means.values())))
        seconds = fmean(split[method][setting]["cpu_seconds"] for split in splits for setting in SETTINGS)
        rows.append([method, *cells, f"{seconds:.2f}"])
    figures = ("mean rank", "AUC", "average precision")
    header = ["", *(f"{setting}: {figure}" for setting in SETTINGS for figure in figures), "CPU s"]
    return table(header, rows)


def alarms(results: list[dict[str, Any]]) -> str:
    """The share of usual test rows that is refused where a share was asked for: its mean, and its distance from it."""
    splits = _splits(results)
    rows = []
    for method in splits[0]:
        cells = []
        for share in SHARES:
            refused = [split[method]["clean"]["alarms"][share] for split in splits]
            away = fmean(abs(value - float(share)) for value in refused)
            cells += [f"{fmean(refused):.1%}", f"{away:.1%}"]
        rows.append([method, *cells])
    names = [f"{float(share):.0%} asked" for share in SHARES]
    return table(["", *(part for name in names for part in (f"{name}: refused", "off by"))], rows)


def goals(results: list[dict[str, Any]]) -> str:
    """How many splits there are, and what ``contamination="auto"`` refuses."""
    splits = _splits(results)
    auto = {setting: fmean(split[OURS][setting]["alarms"]["auto"] for split in splits) for setting in SETTINGS}
    return (
        f'Means of {len(splits)} splits. With `contamination="auto"`, the detector refuses {auto["clean"]:.1%} of the '
        f"usual rows where it learnt from such alone, and {auto['contaminated']:.1%} of them where it did not."
    )


def _splits(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures of each set and seed, by method, where all methods were measured."""
    (report,) = [result for result in results if result.get("benchmark") == "anomaly"]
    splits = [split for own in report["sets"].values() for split in own.values()]
    most = max(map(len, splits))
    return [split for split in splits if len(split) == most and not any("error" in own for own in split.values())]


def _mean_rank(splits: list[dict[str, Any]], method: str, setting: str) -> float:
    return fmean(
        _rank([own[setting]["auc"] for own in split.values()], split[method][setting]["auc"]) for split in splits
    )


def _rank(figures: list[float], own: float) -> float:
    """1 for the highest; equal figures share the mean of their ranks."""
    return 1 + sum(figure > own for figure in figures) + (sum(figure == own for figure in figures) - 1) / 2


def _marked(text: str, best: bool) -> str:
    return f"**{text}**" if best else text
