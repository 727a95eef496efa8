"""Test likelihoods of the recipes on binary data."""

from typing import Any

from markdown import table

BINARY_TABLES = ("nltcs", "plants", "jester", "dna", "mushrooms")
LABELS = {
    "independent": "independent variables",
    "chow-liu": "`BayesNet`, Chow-Liu tree",
    "fvsbn": "`FVSBN`",
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

IMAGES = ("mnist", "silhouettes")
"""Data sets of binary images."""


def likelihoods(results: list[dict[str, Any]]) -> str:
    """Test NLL of every recipe on images beside the published number."""
    rows = []
    for result in sorted(
        (result for result in results if "recipe" in result and data_of(result) in IMAGES),
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
    for name in ("independent", "chow-liu", "fvsbn", "nade", "made", "ensemble"):
        cells = []
        for data in BINARY_TABLES:
            result = nats[f"{data}/{name}"]
            cell = f"**{result['nats']:.2f}** ± {result['nats_stderr']:.2f}"
            cells.append(f"{cell} ({model_of(result)})" if name == "ensemble" else cell)
        rows.append([LABELS[name], *cells])
    for source, numbers in PUBLISHED.items():
        rows.append([source, *(f"{numbers[data]:.2f}" if data in numbers else "" for data in BINARY_TABLES)])
    return table(["", *BINARY_TABLES], rows)
