"""Test likelihoods of the recipes on binary data."""

from typing import Any

from markdown import table

BINARY_TABLES = ("nltcs", "plants", "jester", "dna", "mushrooms")
LABELS = {
    "independent": "independent variables",
    "chow-liu": "`BayesNet`, Chow-Liu tree",
    "table": "`Table`",
    "fvsbn": "`FVSBN`",
    "mlp": "`MLP`",
    "nade": "`NADE`",
    "made": "`MADE`",
    "ensemble": "best `Ensemble`",
}
PUBLISHED = {
    "*FVSBN* (Germain et al. 2015)": {"dna": 83.64, "mushrooms": 10.27},
    "*NADE* (Germain et al. 2015)": {"dna": 84.81, "mushrooms": 9.81},
    "*EoNADE, 16 orders* (Germain et al. 2015)": {"dna": 82.31, "mushrooms": 9.69},
    "*MADE* (Germain et al. 2015)": {"dna": 83.63, "mushrooms": 9.68},
    "*MADE, mask sampling* (Germain et al. 2015)": {"dna": 79.66, "mushrooms": 9.69},
    "*ID-SPN*": {"nltcs": 6.02, "plants": 12.54, "jester": 52.86, "dna": 81.21},
    "*HCLT*": {"nltcs": 6.00, "plants": 14.26, "jester": 52.46, "dna": 79.06},
}
"""Published test NLL, nats, of the papers that report these sets."""

IMAGES = ("digits", "mnist", "silhouettes")
"""Data sets of binary images."""


def likelihoods(results: list[dict[str, Any]]) -> str:
    """Test NLL of every recipe on images beside the published number."""
    rows = []
    for result in sorted(
        (
            result
            for result in results
            if "recipe" in result and data_of(result) in IMAGES and result["nats"] is not None
        ),
        key=lambda result: (result["recipe"].partition("/")[0], -result["nats"]),
    ):
        published = result.get("published")
        rows.append(
            [
                model_of(result),
                result["dataset"],
                f"**{result['nats']:.2f}** ± {result['nats_stderr']:.2f}",
                f"{published['nats']:.2f} ({published['source']})" if published else "none found",
                f"{result['parameters']:,}",
                f"{result['minutes']:.1f}",
                f"`{result['recipe']}`",
            ]
        )
    return table(["model", "data", "test NLL, nats", "published", "parameters", "minutes", "recipe"], rows)


def data_of(result: dict[str, Any]) -> str:
    """The data set that a result's recipe names."""
    return str(result["recipe"].partition("/")[0])


def model_of(result: dict[str, Any]) -> str:
    """The model, whether it reads patches, and how many members an ensemble has."""
    members, patch = len(result.get("member_nats", ())), result["settings"].get("model.patch_size", 1)
    of_patches = f", {patch} x {patch} patches" if patch > 1 else ""
    of_classes = ", given the class" if "model.num_classes" in result["settings"] else ""
    return f"{result['model']}{of_patches}{of_classes}{f', mean of {members}' if members else ''}"


def binary_tables(results: list[dict[str, Any]]) -> str:
    """Test NLL on the five binary tables, beside what was published."""
    nats = {result["recipe"]: result for result in results if "recipe" in result}
    rows = []
    for name, label in LABELS.items():
        cells = []
        for data in BINARY_TABLES:
            result = nats.get(f"{data}/{name}")
            cell = f"**{result['nats']:.2f}** ± {result['nats_stderr']:.2f}" if result else ""
            cells.append(f"{cell} ({model_of(result)})" if result and name == "ensemble" else cell)
        rows.append([label, *cells])
    for source, numbers in PUBLISHED.items():
        rows.append([source, *(f"{numbers[data]:.2f}" if data in numbers else "" for data in BINARY_TABLES)])
    return table(["", *BINARY_TABLES], rows)


NETS = {"Table": "`Table`", "chow-liu": "Chow-Liu tree", "previous 4": "4 columns before", "independent": "independent"}


def counting(results: list[dict[str, Any]]) -> str:
    """A whole table of probabilities beside Bayes nets, by columns and by training examples."""
    (report,) = [result for result in results if result.get("benchmark") == "counting"]
    rows = []
    for row in report["rows"]:
        best = min(row[name]["nats"] for name in NETS)
        nets = [
            f"{'**' * (row[name]['nats'] == best)}{row[name]['nats']:.3f}{'**' * (row[name]['nats'] == best)}"
            f" ({row[name]['parameters']:,})"
            for name in NETS
        ]
        rows.append([str(row["columns"]), f"{row['examples']:,}", f"{row['patterns']:,}", *nets])
    return table(["columns", "training rows", "patterns among them", *NETS.values()], rows)


def reconstruction(results: list[dict[str, Any]]) -> str:
    """The loss of autoencoders beside MADE's likelihood, and what exp(-loss) sums to."""
    (report,) = [result for result in results if result.get("benchmark") == "reconstruction"]
    rows = [
        [
            f"`Autoencoder`, code of {row['code']}",
            f"{row['loss']:.2f} ± {row['loss_stderr']:.2f}",
            f"{row['loss_of_shuffled']:.2f}",
            f"e^{row['log_sum_at_least']:.1f}",
            f"{row['loss'] + row['log_sum_at_least']:.2f}",
            f"{row['pixels_right']:.1%}",
        ]
        for row in report["rows"]
    ]
    made = report["made"]
    figure = f"{made['nats']:.2f} ± {made['nats_stderr']:.2f}"
    rows.append(["`MADE`", f"**{figure}**", f"{made['nats_of_shuffled']:.2f}", "1", f"**{made['nats']:.2f}**", ""])
    header = ["", "loss of test digits, nats", "of the same, pixels shuffled", "exp(-loss) sums to at least"]
    return table([*header, "so -log p(x) is at least, nats", "pixels given back"], rows)
