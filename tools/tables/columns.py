"""Tables of real and mixed columns."""

from typing import Any

from markdown import table

COLOURS = ("red", "white")


def wine(results: list[dict[str, Any]]) -> str:
    """Mean test log-likelihood on wine, in ten folds, beside the published ones."""
    (report,) = [result for result in results if result.get("benchmark") == "tables"]
    found = [report["colours"][colour]["models"] for colour in COLOURS]
    rows = []
    for name in sorted(found[0], key=lambda name: found[0][name]["log_likelihood"]):
        ours = "MADE" in name or "RNADE" in name
        cells = [f"{colour[name]['log_likelihood']:.2f} ± {colour[name]['stderr']:.2f}" for colour in found]
        rows.append([name if ours else f"*{name}*", *[f"**{cell}**" if ours else cell for cell in cells]])
    published = [
        [f"*{name}, published*", *[f"{figures[colour]:.2f}" for colour in COLOURS]]
        for name, figures in report["published"].items()
    ]
    return table(["", "red", "white"], [*published, *rows])


def folds_won(results: list[dict[str, Any]]) -> str:
    """On how many folds each model beats scikit-learn's mixture."""
    (report,) = [result for result in results if result.get("benchmark") == "tables"]
    said = []
    for name in ("RNADE-MoG", "RNADE-MoL", "MADE-MoG"):
        wins = folds = 0
        for colour in COLOURS:
            models = report["colours"][colour]["models"]
            pairs = zip(models[name]["folds"], models["scikit-learn's Gaussian mixture"]["folds"], strict=True)
            won = [ours > theirs for ours, theirs in pairs]
            wins, folds = wins + sum(won), folds + len(won)
        said.append(f"{name} on {wins} of {folds}")
    return f"Folds on which each is better than scikit-learn's mixture: {', '.join(said)}."


def recipes(results: list[dict[str, Any]]) -> str:
    """The recipes on the fixed split, in the file's own units."""
    rows = [
        [
            f"`{result['recipe']}`",
            f"{-result['nats']:.3f} ± {result['nats_stderr']:.3f}",
            f"{-result['independent_valid_nats']:.3f}",
            f"{result['parameters']:,}",
            f"{result['minutes']:.1f}",
        ]
        for result in results
        if result.get("recipe", "").startswith("wine-")
    ]
    return table(["recipe", "test log-likelihood", "independent Gaussians", "parameters", "minutes"], rows)


def removed(results: list[dict[str, Any]]) -> str:
    """The completion of removed cells of a mixed table."""
    (report,) = [result for result in results if result.get("benchmark") == "mixed"]
    found = report["removed"]
    nats = {
        "chainrule": f"**{found['nats_per_cell']:.3f}**",
        "the column's mean or most frequent value": f"{found['marginal_nats_per_cell']:.3f} (the column's own density)",
    }
    rows = [
        [
            name if name == "chainrule" else f"*{name}*",
            nats.get(name, ""),
            f"{figures['rmse']:.3f}",
            f"{figures['quality_accuracy']:.1%}",
            f"{figures['colour_accuracy']:.1%}",
        ]
        for name, figures in found["guesses"].items()
    ]
    return table(["", "nats per cell", "error of the mean", "grade right", "colour right"], rows)


def told_apart(results: list[dict[str, Any]]) -> str:
    """The two-sample test, speed and memory."""
    (report,) = [result for result in results if result.get("benchmark") == "mixed"]
    sizes = {int(rows): figures for rows, figures in report["score"].items()}
    memory = ", ".join(f"{figures['peak_mib']:,.0f} MiB for {rows:,} rows" for rows, figures in sizes.items())
    count = f"{2 * report['removed']['rows']:,}"
    speeds = [f"{report[f'{verb}_rows_per_second']:,.0f}" for verb in ("log_prob", "sample")]
    return (
        f"Gradient boosting tells {count} samples from as many rows that no model was fitted on with an area under the "
        f"ROC curve of {report['two_sample_auc_rounded']:.3f} (0.5: not at all), once samples are rounded as the "
        f"measurements are, and of {report['two_sample_auc']:.3f} without, as digits give them away. A MADE of 100 "
        f"units reads {speeds[0]} and draws {speeds[1]} rows a second of 13 columns; `chainrule score` of a Parquet "
        f"file takes {memory}."
    )
