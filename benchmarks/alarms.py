"""False alarms: how many ordinary, held-out items does ``chainrule score --rate 0.05`` call anomalous?

And of 9,950 held-out rows with 50 planted among them, which does ``--fdr 0.05`` name (*planted*)? The cells of a
planted row are each from another row (*mixed*), or drawn uniformly over the range of their column (*uniform*).

Each set is split at random into items to fit on and items to hold out, for each seed anew; its run is a default fit of
a few seconds, for p-values hold for a bad model as for a good one. Figures that are in ``benchmark-alarms.json``
already stay, unless ``--again``.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars
from default_sets import SHARED
from defaults import commanded
from sampled_sets import some_of
from sklearn.datasets import load_breast_cancer, load_digits
from stored import Report

from chainrule.data import load
from chainrule.runs import machine
from chainrule.runs.folder import versions

RATE = 0.05
SEEDS = 5
HELD_OUT = 0.3

PLANTED, AMONG = 50, 9950
PLANTED_SETS = ("Magic", "Adult", "credit defaults", "campaign")

Lines = list[str]


class AlarmSet(NamedTuple):
    """A set of items of one kind.

    Attributes:
        kind: The kind, in words.
        items: Returns all items, as an array or as a list.
        flags: Flags of ``fit``.
        seeds: Splits.
    """

    kind: str
    items: Callable[[], Any]
    flags: tuple[str, ...] = ()
    seeds: int = SEEDS


def csv_rows(path: str) -> polars.DataFrame:
    return polars.read_csv(SHARED / "tabular" / path, null_values="?", infer_schema_length=None)


def normal_rows(name: str) -> polars.DataFrame:
    """Those rows of a set of anomalies that are none."""
    known = np.load(SHARED / "anomaly" / f"{name}.npz")
    return polars.DataFrame(known["X"][known["y"] == 0], orient="row")


def breast_cancer() -> polars.DataFrame:
    known = load_breast_cancer()
    return polars.DataFrame(known.data, schema=[name.replace(" ", "_") for name in known.feature_names], orient="row")


def binary(name: str) -> np.ndarray:
    return np.loadtxt(SHARED / "tabular" / name / f"{name}.train.data", delimiter=",", dtype=np.uint8)


def lines(name: str) -> Lines:
    return [line for line in (SHARED / "text" / name).read_text().splitlines() if line]


def spoken() -> Lines:
    """The names of the recordings of spoken digits, which are unpacked once."""
    folder = Path(tempfile.gettempdir()) / "chainrule-fsdd"
    if not folder.exists():
        zipfile.ZipFile(SHARED / "audio/fsdd.zip").extractall(folder)
    return sorted(map(str, folder.rglob("*.wav")))


SETS = {
    "Magic": AlarmSet("table", lambda: csv_rows("mixed/magic.csv")),
    "Adult": AlarmSet("table", lambda: csv_rows("mixed/adult.train.csv")),
    "credit defaults": AlarmSet("table", lambda: csv_rows("mixed/default.csv")),
    "campaign": AlarmSet("table", lambda: normal_rows("5_campaign")),
    "breast cancer": AlarmSet("table", breast_cancer),
    "Cardiotocography": AlarmSet("table", lambda: normal_rows("7_Cardiotocography")),
    "Pima": AlarmSet("table", lambda: normal_rows("29_Pima")),
    "plants": AlarmSet("rows", lambda: binary("plants")),
    "mushrooms": AlarmSet("rows", lambda: binary("mushrooms")),
    "digits": AlarmSet("images", lambda: load_digits().images[:, None].astype(np.uint8)),
    "MNIST": AlarmSet("images", lambda: load("mnist").test[:].numpy().astype(np.uint8)),
    "names": AlarmSet("text", lambda: lines("names.txt"), ("--documents", "true")),
    "lines of Shakespeare": AlarmSet("text", lambda: lines("tinyshakespeare.txt")),
    "spoken digits": AlarmSet("recordings", spoken, seeds=2),
}


def written(items: Any, rows: np.ndarray, path: Path) -> Path:
    """Some of the items, as a file or folder of their kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(items, polars.DataFrame):
        items[rows].write_csv(path := path.with_suffix(".csv"))
    elif isinstance(items, np.ndarray):
        np.save(path := path.with_suffix(".npy"), items[rows])
    elif items[0].endswith(".wav"):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        for row in rows:
            shutil.copy(items[row], path)
    else:
        (path := path.with_suffix(".txt")).write_text("\n".join(items[row] for row in rows) + "\n")
    return path


def mixed(items: polars.DataFrame, generator: np.random.RandomState) -> polars.DataFrame:
    """Rows each of whose cells is from another row."""
    return polars.DataFrame([column[generator.permutation(len(items))[:PLANTED]] for column in items])


def uniform(items: polars.DataFrame, generator: np.random.RandomState) -> polars.DataFrame:
    """Rows each of whose cells is uniform: a number over the range of its column, any other value over those there."""
    columns = []
    for column in items:
        if column.dtype.is_numeric():
            drawn = generator.uniform(column.min(), column.max(), PLANTED)
            if bool((column == column.round(0)).all()):
                drawn = drawn.round()
            columns.append(polars.Series(column.name, drawn).cast(column.dtype))
        else:
            there = column.drop_nulls().unique().sort()
            columns.append(there[generator.randint(len(there), size=PLANTED)])
    return polars.DataFrame(columns)


def planted(options: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    """Of the rows that are named, the share that is ordinary; and the share of the planted rows that are named."""
    items, folder = SETS[name].items(), options.work / name.replace(" ", "-") / f"planted-{seed}"
    order = np.random.RandomState(seed).permutation(len(items))
    data = written(items, order[AMONG:], folder / "fit")
    run, out = folder / "run", folder / "scores.parquet"
    shutil.rmtree(run, ignore_errors=True)
    commanded(["fit", str(data), "--minutes", str(options.minutes), "--seed", str(seed), "--out", str(run), "--json"])
    found: dict[str, Any] = {}
    for plant in (mixed, uniform):
        rows = plant(items[order[AMONG:]], np.random.RandomState(seed))
        new = written(items[order[:AMONG]].vstack(rows), np.arange(AMONG + PLANTED), folder / plant.__name__)
        commanded(["score", str(run), str(new), "--fdr", str(RATE), "--out", str(out)])
        named = polars.read_parquet(out)["anomalous"].fill_null(False).to_numpy()
        found[plant.__name__] = {
            "named": int(named.sum()),
            "ordinary": float(named[:AMONG].sum() / max(1, named.sum())),
            "found": float(named[AMONG:].mean()),
        }
    about = {"machine": machine() | {"threads": 1}, "versions": versions(), "minutes": options.minutes}
    return {"rate": RATE} | found | about


def measured(options: argparse.Namespace, name: str, seed: int, method: str) -> dict[str, Any]:
    """The share of held-out items that are called anomalous, and its standard error."""
    if method == "planted":
        return planted(options, name, seed)
    chosen = SETS[name]
    items, folder = chosen.items(), options.work / name.replace(" ", "-") / str(seed)
    order = np.random.RandomState(seed).permutation(len(items))
    held = round(HELD_OUT * len(items))
    data, new = (written(items, rows, folder / file) for file, rows in (("fit", order[held:]), ("new", order[:held])))
    run, out = folder / "run", folder / "scores.parquet"
    shutil.rmtree(run, ignore_errors=True)
    within = ["--minutes", str(options.minutes), *chosen.flags]
    _, fit = commanded(["fit", str(data), *within, "--seed", str(seed), "--out", str(run), "--json"])
    _, score = commanded(["score", str(run), str(new), "--rate", str(RATE), "--out", str(out)])
    found = polars.read_parquet(out)["anomalous"].drop_nulls()
    compared = json.loads((run / "config.json").read_text())["calibration"]["examples"]
    error = math.sqrt(RATE * (1 - RATE) * (1 / compared + 1 / len(found)))
    about = {"machine": machine() | {"threads": 1}, "versions": versions(), "minutes": options.minutes, "seed": seed}
    figures = {"kind": chosen.kind, "rate": RATE, "alarms": float(found.mean()), "standard_error": error}
    return figures | {"items": len(found), "compared_with": compared, "fit": fit, "score": score} | about


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=some_of(SETS), default=list(SETS), help=f"by default {','.join(SETS)}")
    parser.add_argument("--work", type=Path, default=Path("runs/alarms"), help="where sets and runs are")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, default=0.3, help="minutes of each fit")
    parser.add_argument("--again", action="store_true", help="measure anew what was measured")
    options = parser.parse_args()
    cells = [(name, seed, "chainrule") for name in options.only for seed in range(SETS[name].seeds)]
    cells += [(name, seed, "planted") for name in options.only if name in PLANTED_SETS for seed in range(SEEDS)]
    Report("alarms", options.out).fill(cells, partial(measured, options), again=options.again)


if __name__ == "__main__":
    main()
