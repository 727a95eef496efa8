"""Fits the rivals to the splits that ``export.py`` wrote, into ``results/benchmark-defaults-rivals.json``.

Runs with the packages of ``requirements.txt``, one thread and one process: ``python benchmarks/rivals/run.py --work
FOLDER``. Figures that are in the file already stay, unless ``--again``. A rival learns from train, chooses by valid,
and sees test once. Figures are mean test NLL in nats per row, image, character, sample or value: densities in the
file's units of reals, probabilities of all else.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import Clock, Data

SEED = 0
PATIENCE = 1.5
"""A rival that does not look at the clock is ended when its minutes are over by so much."""


class Rival(NamedTuple):
    """A rival.

    Attributes:
        function: ``module.function`` of this folder: takes `Data` and `Clock`, returns its figures.
        suits: Whether a data set is of a kind and size for it.
        packages: What it is made with.
    """

    function: str
    suits: Callable[[Data], bool]
    packages: tuple[str, ...]

    def __call__(self, data: Data, clock: Clock) -> dict[str, Any]:
        module, _, name = self.function.partition(".")
        return getattr(importlib.import_module(module), name)(data, clock)


FEW, SHORT = 32, 200


def is_numbers(data: Data) -> bool:
    """Reals, and perhaps integers, without gaps."""
    if data.kind != "table":
        return False
    return all(column["kind"] in ("real", "integer") and not column["missing"] for column in data.about["columns"])


def is_table(data: Data) -> bool:
    return data.kind == "table"


def is_of_few_levels(data: Data) -> bool:
    return data.kind in ("rows", "image") and len(data.values) <= FEW


def is_short(data: Data) -> bool:
    return is_of_few_levels(data) and data.train.shape[1] <= SHORT


def is_image(data: Data) -> bool:
    return data.kind == "image"


RIVALS = {
    "Gaussian mixture (BIC)": Rival("reals.gaussian_mixture", is_numbers, ("scikit-learn",)),
    "kernel density": Rival("reals.kernel_density", is_numbers, ("scikit-learn",)),
    "zuko NSF": Rival("reals.spline_flow", is_numbers, ("zuko", "torch")),
    "mixture of products": Rival(
        "mixtures.products", lambda data: is_table(data) or data.kind in ("rows", "image"), ("numpy",)
    ),
    "arfpy": Rival("forests.adversarial_forest", is_table, ("arfpy", "scikit-learn")),
    "MADE": Rival("networks.made", is_of_few_levels, ("torch",)),
    "MLP of a neighbourhood": Rival("networks.neighbourhood", is_image, ("torch",)),
    "nanoGPT": Rival(
        "sequences.transformer", lambda data: data.kind in ("text", "audio") or is_short(data), ("torch",)
    ),
    "LSTM": Rival("sequences.lstm", lambda data: data.kind == "text", ("torch",)),
    "GRU": Rival("sequences.gru", lambda data: data.kind == "audio", ("torch",)),
    "ARIMA": Rival("series.arima", lambda data: data.kind == "series", ("statsmodels",)),
    "naive": Rival("series.naive", lambda data: data.kind == "series", ("numpy",)),
    "GaussianCopula": Rival("samplers.copula", is_table, ("sdv",)),
    "TabularARGN": Rival("samplers.argn", is_table, ("mostlyai-engine", "torch")),
}


def measured(rival: Rival, data: Data, minutes: float) -> dict[str, Any]:
    """The figures of a rival, or its error, with what they depend on."""
    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002 (packages draw from it)
    torch.manual_seed(SEED)
    clock = Clock(minutes)
    signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, 60 * minutes * PATIENCE)
    try:
        found = rival(data, clock)
    except Exception as error:
        traceback.print_exc()
        found = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    about = {"cpu_seconds": round(clock.seconds, 1), "minutes": minutes, "seed": SEED, "machine": machine()}
    return found | about | {"versions": {name: version(name) for name in rival.packages}}


def _end(*_: Any) -> None:
    raise TimeoutError("expected to be done in the minutes it has, and took longer")


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return f"{name}, 1 thread"


def write(path: Path, report: dict[str, Any]) -> None:
    """Completely or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report, indent=2) + "\n")
    os.replace(part, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="sets; by default all that were exported")
    parser.add_argument("--rivals", nargs="+", choices=RIVALS, default=list(RIVALS), metavar="RIVAL")
    parser.add_argument("--work", type=Path, default=Path("runs/sets"))
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, default=3.0, help="CPU minutes of each, at most")
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    path = options.out / "benchmark-defaults-rivals.json"
    for name in options.names or sorted(file.stem for file in options.work.glob("*.npz")):
        data = Data.read(options.work, name)
        for label in options.rivals:
            report = json.loads(path.read_text()) if path.exists() else {"benchmark": "defaults-rivals", "sets": {}}
            entry = report["sets"].setdefault(name, {"rivals": {}})
            entry |= {key: value for key, value in data.about.items() if key not in ("columns", "end")}
            if RIVALS[label].suits(data) and (options.again or "error" in entry["rivals"].get(label, {"error": ""})):
                entry["rivals"][label] = found = measured(RIVALS[label], data, options.minutes)
                print(name, label, {key: found[key] for key in list(found)[:8]}, file=sys.stderr, flush=True)
                write(path, report)


if __name__ == "__main__":
    main()
