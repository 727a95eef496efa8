"""Tables of anomalies, attacks and purification."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from markdown import table

from chainrule.attacks.words import in_words

RESULTS = Path(__file__).resolve().parents[2] / "results"
SCORES = ("nll", "pvalue", "pvalue by validation", "typicality", "typicality of 10", "complexity", "ratio")
ATTACKED = {
    "nll": "-log p",
    "pvalue": "p-value",
    "typicality": "typicality",
    "complexity": "complexity",
    "ratio": "likelihood ratio",
}


def strange(results: list[dict[str, Any]]) -> str:
    """AUC of every score for other data than a model was fitted on."""
    (report,) = [result for result in results if result.get("benchmark") == "strange"]
    rows = [
        [
            row["data"],
            row["other"],
            f"{row['nats']:.1f}",
            f"{row['other_nats']:.1f}",
            *(_marked(row["auc"][score], max(row["auc"][name] for name in SCORES)) for score in SCORES),
        ]
        for row in report["rows"]
    ]
    headers = {
        "nll": "-log p",
        "pvalue": "p-value",
        "pvalue by validation": "by validation",
        "typicality of 10": "of 10 together",
        "ratio": "likelihood ratio",
    }
    scores = [headers.get(score, score) for score in SCORES]
    return table(["fitted on", "others", "nats", "others' nats", *scores], rows)


def _marked(auc: float, best: float) -> str:
    return f"**{auc:.3f}**" if f"{auc:.3f}" == f"{best:.3f}" else f"{auc:.3f}"


def alarms(results: list[dict[str, Any]]) -> str:
    """The share of ordinary, held-out items that are called anomalous, for each set."""
    (report,) = [result for result in results if result.get("benchmark") == "alarms"]
    rows = []
    for name, by_seed in report["sets"].items():
        found = [own["chainrule"] for own in by_seed.values()]
        shares = [one["alarms"] for one in found]
        error = fmean(one["standard_error"] for one in found)
        one = found[0]
        counts = [f"{one['items']:,}", f"{one['compared_with']:,}"]
        spread = f"{min(shares):.1%} to {max(shares):.1%}"
        rows.append([name, one["kind"], *counts, str(len(found)), f"{fmean(shares):.1%}", spread, f"{error:.1%}"])
    header = ["set", "kind", "held out", "compared with", "splits", "alarms", "least to most", "standard error of one"]
    return table(header, rows)


def planted(results: list[dict[str, Any]]) -> str:
    """How many of the rows that were named are ordinary, and how many planted rows were found."""
    (report,) = [result for result in results if result.get("benchmark") == "alarms"]
    rows = []
    for name, by_seed in report["sets"].items():
        for how in ("uniform", "mixed"):
            found = [own["planted"][how] for own in by_seed.values() if "planted" in own]
            if found:
                means = [fmean(one[key] for one in found) for key in ("named", "ordinary", "found")]
                figures = [str(len(found)), f"{means[0]:.1f}", f"{means[1]:.1%}", f"{means[2]:.1%}"]
                rows.append([name, how, *figures])
    return table(
        ["set", "planted cells", "splits", "rows named", "ordinary ones among them", "planted rows found"], rows
    )


def drift(results: list[dict[str, Any]]) -> str:
    """False alarms of drift on clean pairs of each table, and the shifted columns that are found and named."""
    (report,) = [result for result in results if result.get("benchmark") == "drift"]
    rows = []
    for method, total in report["all"].items():
        cells = [(name, own[method]) for name, by_seed in report["sets"].items() for own in by_seed.values()
                 if method in own]  # fmt: skip
        tables = ", ".join(dict.fromkeys(name for name, _ in cells))
        found = [str(total[name]) if total["named"] else "" for name in ("named", "others_named", "others_given")]
        rows.append([method, tables, str(cells[0][1]["rows"]), str(total["pairs"]), str(total["alarms"]), *found])
    header = ["new rows", "tables", "new rows of each pair", "pairs", "alarms", "column named", "others' values named"]
    return table([*header, "others that go otherwise with it"], rows)


CELLS = {
    "suspicion": "by suspicion",
    "tail": "by tail",
    "nll less median": "-log p less median",
    "nll": "-log p",
}


def cells(results: list[dict[str, Any]]) -> str:
    """The share of rows whose wrong cell is the first by each score, and the tails of clean rows, by set."""
    (report,) = [result for result in results if result.get("benchmark") == "cells"]
    rows = []
    for name, by_seed in report["sets"].items():
        for how in ("swapped", "moved"):
            found = [own[how] for own in by_seed.values() if how in own]
            if found:
                forests = [own["forests"] for own in by_seed.values() if "forests" in own]
                figures = [f"{_mean(found, score):.3f}" for score in CELLS]
                rows.append([name, how, str(len(found)), *figures, f"{_mean(forests, how):.3f}" if forests else ""])
        clean = [own["clean"]["most frequent first"] for own in by_seed.values() if "clean" in own]
        if clean:
            each = [f"{_mean(clean, score):.1f} x" for score in CELLS]
            rows.append([name, "clean: most frequent column", str(len(clean)), *each, ""])
    return table(["rows", "one cell of each", "fits", *CELLS.values(), "random forests"], rows)


def _mean(found: list[dict[str, float]], score: str) -> float:
    return sum(own[score] for own in found) / len(found)


def attacks(results: list[dict[str, Any]]) -> str:
    """Attacks on a classifier of grey digits."""
    return _attacks("benchmark-attacks")


def colour_attacks(results: list[dict[str, Any]]) -> str:
    """Attacks on a classifier of colour images."""
    return _attacks("benchmark-attacks-colour")


def _attacks(folder: str) -> str:
    """Accuracy of a classifier under attack, before and after purification, and how well attacks are told."""
    report = json.loads((RESULTS / folder / "report.json").read_text())
    clean = report["clean"]
    scores = [score for score in ATTACKED if score in report["attacks"][0]["auc"]]
    accuracies = ("accuracy", "purified_accuracy", "adaptive_accuracy")
    rows = [["none", "", *(f"{clean[name]:.1%}" for name in accuracies), *[""] * len(scores)]]
    for row in report["attacks"]:
        rows.append(
            [
                row["attack"].upper() if row["attack"] != "deepfool" else "DeepFool",
                "free" if row["epsilon"] is None else f"{row['epsilon']:g}",
                *(f"{row[name]:.1%}" for name in accuracies),
                *(f"{row['auc'][score]:.3f}" for score in scores),
            ]
        )
    told = ", ".join(ATTACKED[score] for score in scores)
    header = [
        "attack",
        "epsilon",
        "accuracy",
        "purified",
        f"if p < {report['threshold']:g}",
        *f"AUC: {told}".split(", "),
    ]
    epsilon = report["purify_epsilon_levels"] / (report["levels"] - 1)
    return table(header, rows) + "\n\n" + " ".join(in_words(clean, report["attacks"], epsilon))


def pvalues(results: list[dict[str, Any]]) -> str:
    """The uniformity of p-values of test images, and the cost of purification."""
    (report,) = [result for result in results if result.get("benchmark") == "strange"]
    distance, seconds = report["kolmogorov_smirnov"], report["seconds"]
    ratio = seconds["purify_64"] / seconds["sample_64"]
    return (
        f"p-values of the 10,000 test digits are uniform to a Kolmogorov-Smirnov distance of {distance['train']:.3f} "
        f"when compared with training digits, as in the paper, and of {distance['valid']:.3f} with validation digits "
        f"(`--calibration valid`). Purifying 64 images takes {seconds['purify_64']:.2f} s, {ratio:.2f} of a sample of "
        f"64 ({seconds['sample_64']:.2f} s), on {report['machine']['threads']} thread."
    )
