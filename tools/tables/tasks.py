"""Completion, classification and features of binarised MNIST."""

from typing import Any

from markdown import table


def completion(results: list[dict[str, Any]]) -> str:
    """The quality of completions of hidden pixels."""
    (report,) = [result for result in results if result.get("benchmark") == "completion"]
    rows = [
        [
            row["seen"],
            row["model"],
            f"{row['particles']} particles" if "particles" in row else "exact",
            f"**{row['hidden_nats']:.2f}** ± {row['hidden_nats_stderr']:.2f}",
            f"{row['ess_median']:.1f} ({row['ess_least']:.1f})" if "particles" in row else "",
            f"{1e3 * row['seconds_per_completion']:.0f} ms",
        ]
        for row in report["rows"]
    ]
    header = ["seen", "model", "by", "hidden pixels, nats", "effective sample size, median (least)", "each"]
    return table(header, rows)


def classes(results: list[dict[str, Any]]) -> str:
    """Accuracy of Bayes' rule beside logistic regression."""
    (report,) = [result for result in results if result.get("benchmark") == "classes"]
    rows = [
        [f"{row['model']}, class-conditional", f"**{row['test_accuracy']:.2%}**", f"{row['minutes']:.1f}"]
        for row in report["classifiers"]
    ]
    (pictures,) = [result for result in results if result.get("benchmark") == "pictures"]
    image = pictures["classifier"]
    rows.append(
        [f"{image['model']}, class-conditional", f"**{image['test_accuracy']:.2%}**", f"{image['minutes']:.1f}"]
    )
    pixels = next(row for row in report["probes"] if row["features"] == "pixels")
    rows.append(["logistic regression on pixels", f"{pixels['test_accuracy']:.2%}", f"{pixels['seconds'] / 60:.1f}"])
    return table(["classifier", "test accuracy", "minutes"], rows)


def probes(results: list[dict[str, Any]]) -> str:
    """Accuracy of a linear probe on features."""
    (report,) = [result for result in results if result.get("benchmark") == "classes"]
    rows = [[row["features"], str(row["size"]), f"{row['test_accuracy']:.2%}"] for row in report["probes"]]
    return table(["features", "size", "test accuracy of a linear probe"], rows)
