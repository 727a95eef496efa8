"""Tables of rows sampled from tables, and of removed cells filled in."""

from statistics import fmean
from typing import Any

from markdown import table

LARGE = {"adult": "Adult", "magic": "Magic", "default": "Default", "default-id": "Default with its ID"}
SMALL = ("tips", "penguins", "mpg", "titanic", "breast-cancer")
WITH_NAMES = "mpg-names"
"""Beside the small tables, and of no goal: cars with their names, of which few repeat."""
METHODS = ("real rows", "chainrule", "arfpy", "GaussianCopula", "CTGAN", "TabularARGN")
RIVALS = ("arfpy", "GaussianCopula", "TabularARGN")
"""With which the goals compare."""
PUBLISHED = {
    "TabPC": (0.855, 0.860, None),
    "TabDiff": (0.841, 0.773, 0.591),
    "TabSyn": (0.794, 0.760, 0.402),
    "STaSy": (0.343, 0.522, 0.357),
    "GReaT": (None, 0.270, 0.243),
    "CTGAN": (0.000, 0.103, 0.000),
}
"""Detection scores on Adult, Magic and Default, from the repository of TabPC."""
TOLD, SHARE = 0.55, 0.95
TIED = 0.005
"""Figures that differ by less are tied."""


def large(results: list[dict[str, Any]]) -> str:
    """The detection score against the rows fitted on, and the CPU minutes that it took."""
    sets = _sets(results, "sampled")
    rows = []
    for method in METHODS[1:]:
        cells = []
        for name in LARGE:
            found = [own[method] for own in sets.get(name, {}).values() if method in own]
            cells.append(_score(found[0]) if found else "")
        if any(cells):
            rows.append([_shown(method), *cells])
    for name, scores in PUBLISHED.items():
        rows.append([f"*{name}, published*", *["" if score is None else f"{score:.3f}" for score in scores], ""])
    return table(["", *LARGE.values()], rows)


def _score(found: dict[str, Any]) -> str:
    if "error" in found:
        return "failed"
    cost = [f"{found['cpu_seconds'] / 60:.1f} min"]
    if found.get("epochs", 0) < found.get("epochs_planned", 0):
        cost.append(f"{found['epochs']} epochs")
    return f"{found['fitted_rows']['score']:.3f} ({', '.join(cost)})"


def small(results: list[dict[str, Any]]) -> str:
    """Means over splits: AUC against held-out rows, against the rows fitted on, and how well a target is predicted."""
    sets = _sets(results, "sampled")
    rows, shown = [], (*SMALL, WITH_NAMES)
    for method in METHODS:
        cells = [" / ".join(f"{value:.2f}" for value in _means(sets, name, method)) for name in shown]
        if any(cells):
            rows.append([_shown(method), *cells])
    return table(["", *shown], rows)


def goals(results: list[dict[str, Any]]) -> str:
    """On how many small tables samples of default fits are as good as they are meant to be."""
    sets = _sets(results, "sampled")
    means = {(name, method): _means(sets, name, method) for name in SMALL for method in METHODS}
    known = [name for name in SMALL if means[name, "chainrule"] and means[name, "real rows"]]
    if not known:
        return ""
    like_real = sum(means[name, "chainrule"][0] <= TOLD for name in known)
    teach = sum(means[name, "chainrule"][2] >= SHARE * means[name, "real rows"][2] for name in known)
    told_least = teach_best = 0
    for name in known:
        own, others = means[name, "chainrule"], [means[name, rival] for rival in RIVALS if means[name, rival]]
        told_least += all(own[0] <= max(other[0], 0.5) + TIED for other in others)
        teach_best += all(own[2] >= other[2] - TIED for other in others)
    return (
        f"On {like_real} of {len(known)} small tables, rows of the default fit are told from held-out rows with an AUC "
        f"of at most {TOLD}. On {teach} they teach at least {SHARE:.0%} of what real rows teach. Beside arfpy, "
        f"GaussianCopula and TabularARGN they are hardest to tell apart, or tied, on {told_least}, and teach best, or "
        f"tied, on {teach_best}."
    )


def imputation(results: list[dict[str, Any]]) -> str:
    """Removed cells filled in: the error of numbers and the accuracy of categories, means over splits."""
    sets = _sets(results, "imputation")
    methods = dict.fromkeys(method for own in sets.values() for found in own.values() for method in found)
    rows = []
    for method in methods:
        cells = []
        for own in sets.values():
            found = [split[method] for split in own.values() if method in split]
            figures = [] if any("error" in one for one in found) else found
            cells += [f"{fmean(one[key] for one in figures):.3f}" if figures else "" for key in ("rmse", "accuracy")]
        rows.append([_shown(method), *cells])
    return table(["", *(f"{name}, {what}" for name in sets for what in ("error", "accuracy"))], rows)


def _means(sets: dict[str, Any], name: str, method: str) -> list[float]:
    """The means over splits of the three figures of a small table; empty if a split is missing or failed."""
    found = [own.get(method, {"error": ""}) for own in sets.get(name, {}).values()]
    if any("error" in one for one in found):
        return []
    figures = [(one["held_out_auc"], one["fitted_rows"]["auc"], one["taught"]) for one in found]
    return [fmean(own) for own in zip(*figures, strict=True)]


def _shown(method: str) -> str:
    return f"**{method}**" if method == "chainrule" else f"*{method}*"


def _sets(results: list[dict[str, Any]], benchmark: str) -> dict[str, Any]:
    (report,) = [result for result in results if result.get("benchmark") == benchmark]
    sets: dict[str, Any] = report["sets"]
    return sets
