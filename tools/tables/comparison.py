"""Tables of docs/comparison.md: chainrule beside other libraries, each in its own field."""

from typing import Any

from markdown import table

ARGN = ("chainrule", "TabularARGN", "GaussianCopula", "CTGAN")
LIBRARY = {"chainrule": "chainrule", "TabularARGN": "TabularARGN", "GaussianCopula": "SDV", "CTGAN": "SDV"}


def sampled(results: list[dict[str, Any]]) -> str:
    """How hard rows sampled from tables are to tell from real ones, and the minutes that it took."""
    sets = _benchmark(results, "sampled")["sets"]
    shown = {"adult": "Adult", "magic": "Magic", "default": "Default", "penguins": "penguins", "titanic": "titanic"}
    rows = []
    for method in ARGN:
        cells = []
        for name in shown:
            found = [own[method] for own in sets[name].values() if method in own]
            scores = [one["fitted_rows"]["score"] for one in found if "fitted_rows" in one]
            minutes = [one["cpu_seconds"] / 60 for one in found if "fitted_rows" in one]
            cells.append(f"{_mean(scores):.3f} ({_mean(minutes):.1f} min)" if scores else "")
        label = "**chainrule**" if method == "chainrule" else f"*{LIBRARY[method]}{_own_name(method)}*"
        rows.append([label, *cells])
    return table(["", *shown.values()], rows)


def _own_name(method: str) -> str:
    return "" if LIBRARY[method] == method else f", {method}"


def rivals(results: list[dict[str, Any]], rival: str) -> str:
    """The test NLL of default fits beside that of one rival, on the sets that it ran on."""
    ours, theirs = (_benchmark(results, name)["sets"] for name in ("defaults", "defaults-rivals"))
    rows = []
    for name, other in theirs.items():
        found, own = other["rivals"].get(rival, {}).get("nats"), ours.get(name, {}).get("nats")
        if found is None or own is None:
            continue
        cells = [f"**{nats:.3f}**" if nats == min(own, found) else f"{nats:.3f}" for nats in (own, found)]
        rows.append([name, *cells])
    return table(["test NLL, nats", "chainrule, default fit", rival], rows)


def flows(results: list[dict[str, Any]]) -> str:
    """Default fits beside zuko's neural spline flow."""
    return rivals(results, "zuko NSF")


def forecasts(results: list[dict[str, Any]]) -> str:
    """Default fits beside ARIMA."""
    return rivals(results, "ARIMA")


def characters(results: list[dict[str, Any]]) -> str:
    """Shakespeare, beside nanoGPT on a processor and, as published, on a GPU."""
    own, other = (_benchmark(results, name)["sets"]["shakespeare"] for name in ("defaults", "defaults-rivals"))
    (best,) = [result for result in results if result.get("recipe") == "shakespeare/lstm"]
    rival, published = other["rivals"]["nanoGPT"], best["published"]
    spent = [f"{seconds / 60:.1f} min of one core" for seconds in (own["fit"]["cpu_seconds"], rival["cpu_seconds"])]
    rows = [
        ["**chainrule**, default fit", f"{own['nats']:.3f}", spent[0]],
        ["*nanoGPT*, its recipe for processors", f"{rival['nats']:.3f}", spent[1]],
        ["**chainrule**, `shakespeare/lstm`", f"{best['nats_per_character']:.3f}", f"{best['minutes']:.0f} min"],
        ["*nanoGPT*, published", f"{published['nats']:.3f}", "3 min of a GPU"],
    ]
    return table(["Shakespeare", "test NLL, nats a character", "training"], rows)


def _benchmark(results: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (report,) = [result for result in results if result.get("benchmark") == name]
    return report


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
