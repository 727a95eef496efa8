"""The table of time series."""

from typing import Any

from markdown import table


def series(results: list[dict[str, Any]]) -> str:
    """Default fits of series: nats per value of the last tenth, forecasts, and their goals; empty if not measured."""
    report = next((result for result in results if result.get("benchmark") == "series"), None)
    if report is None:
        return ""
    rows = []
    for name, found in report["sets"].items():
        settings, forecast = found["settings"], ""
        if "pinball" in found:
            forecast = f"{found['pinball']:.3f}; {found['mean_absolute_error']:.2f}; {found['least_quantile']:g}"
        model = f"`{settings['model']}`" + (f", seasons {_words(settings)}" if settings.get("model.periods") else "")
        rows.append(
            [
                name,
                found["time"].partition(", ")[2],
                model,
                f"{found['nats_per_value']:.3f}",
                forecast,
                found["goal"],
                found["rival"],
                f"{found['cpu_seconds']:.0f}",
            ]
        )
    forecasts = "forecasts: pinball; MAE; least quantile"
    return table(["set", "times", "model", "nats per value", forecasts, "goal", "rival", "CPU s"], rows)


def _words(settings: dict[str, Any]) -> str:
    return " and ".join(f"{period:g}" for period in settings["model.periods"])
