"""Default fits beside independent variables, rivals and recipes."""

from typing import Any

from markdown import table

PER = {"example": "row or image"}

OTHER_DIGITS = "digits"
"""A set of grey images here, and of bits where recipes name it: they can't be compared."""


def defaults(results: list[dict[str, Any]]) -> str:
    """The test NLL of ``chainrule fit FILE --minutes 3`` on each set, with one thread."""
    ours, theirs = (_sets(results, name) for name in ("defaults", "defaults-rivals"))
    rows = []
    for name, own in ours.items():
        if "nats" not in own:
            continue
        others = theirs.get(name, {"rivals": {}})
        figures = {label: found["nats"] for label, found in others["rivals"].items() if found.get("nats") is not None}
        best = min(figures, key=lambda label: figures[label], default=None)
        nats, rival = own["nats"], figures.get(best, float("inf"))
        recipe = min((_figure(result, own["unit"]) for result in _recipes(results, name)), default=None)
        independent = others.get("independent_nats")
        rows.append(
            [
                name,
                f"`{own['plan']['model']}`" + (f" x {own['plan']['members']}" if own["plan"].get("members") else ""),
                PER.get(own["unit"], own["unit"]),
                "" if independent is None else f"{independent:.3f}",
                f"**{nats:.3f}**" if nats <= rival else f"{nats:.3f}",
                "" if best is None else (f"**{rival:.3f}** {best}" if rival < nats else f"{rival:.3f} {best}"),
                "" if recipe is None else f"{recipe:.3f}",
                f"{own['fit']['cpu_seconds']:.0f}",
            ]
        )
    header = ["set", "plan", "nats per", "independent", "default fit", "best rival", "our best recipe", "CPU s"]
    return table(header, rows)


def goals(results: list[dict[str, Any]]) -> str:
    """The goals in figures: against independent variables, and against rivals."""
    ours, theirs = (_sets(results, name) for name in ("defaults", "defaults-rivals"))
    above, compared, won = 0, 0, 0
    known = {name: own for name, own in ours.items() if "nats" in own and name in theirs}
    for name, own in known.items():
        above += own["nats"] <= theirs[name]["independent_nats"]
        figures = [found["nats"] for found in theirs[name]["rivals"].values() if found.get("nats") is not None]
        compared += bool(figures)
        won += bool(figures) and own["nats"] <= min(figures)
    return (
        f"The default fit is at least as good as independent variables on {above} of {len(known)} sets, and at least "
        f"as good as the best rival on {won} of the {compared} on which one was measured."
    )


def _sets(results: list[dict[str, Any]], benchmark: str) -> dict[str, Any]:
    (report,) = [result for result in results if result.get("benchmark") == benchmark]
    sets: dict[str, Any] = report["sets"]
    return sets


def _recipes(results: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    own = [result for result in results if result.get("recipe", "").startswith(f"{name}/")]
    return [] if name == OTHER_DIGITS else own


def _figure(result: dict[str, Any], unit: str) -> float:
    figure: float = result.get(f"nats_per_{unit}", result["nats"])
    return figure
