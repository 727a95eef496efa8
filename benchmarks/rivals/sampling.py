"""Fits a rival to the rows of a CSV file and writes rows sampled from it.

``python benchmarks/rivals/sampling.py RIVAL train.csv --out sampled.csv`` runs with the packages of
``requirements.txt``, one thread and one process, and prints a JSON object of its cost and of what bounded it.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from common import Clock
from judge import read

PATIENCE = 1.5
"""A rival that does not look at the clock is ended when its minutes are over by so much."""
FOREST_ROWS = 20_000
"""Rows that arfpy is fitted to, at most: these take it five to ten minutes."""
NARROWEST = 1e-9
"""The least deviation in a leaf, as a share of the column's; arfpy draws NaN where it is 0."""

Sampled = tuple[pd.DataFrame, dict[str, Any]]


def copula(frame: pd.DataFrame, count: int, clock: Clock, seed: int) -> Sampled:
    """SDV's Gaussian copula, with its defaults."""
    from sdv.single_table import GaussianCopulaSynthesizer

    synthesizer = GaussianCopulaSynthesizer(metadata(frame))
    synthesizer.fit({"rows": frame})
    return synthesizer.sample(count)["rows"], {}


def ctgan(frame: pd.DataFrame, count: int, clock: Clock, seed: int) -> Sampled:
    """CTGAN as SDV has it: 300 epochs, or as many as the clock leaves time for."""
    import ctgan.synthesizers.ctgan as module
    from sdv.single_table import CTGANSynthesizer

    epochs = 0

    def in_time(rounds: Iterable[int], **_: Any) -> Iterator[int]:
        nonlocal epochs
        for round_ in rounds:
            if clock.share >= 1:
                return
            yield round_
            epochs += 1

    module.tqdm = in_time
    synthesizer = CTGANSynthesizer(metadata(frame), enable_gpu=False)
    synthesizer.fit({"rows": frame})
    return synthesizer.sample(count)["rows"], {"epochs": epochs, "epochs_planned": 300}


def metadata(frame: pd.DataFrame) -> Any:
    """Numbers are numbers, and all other columns categories."""
    from sdv.metadata import Metadata

    kinds = {name: "numerical" if is_number(frame[name]) else "categorical" for name in frame}
    columns = {name: {"sdtype": kind} for name, kind in kinds.items()}
    return Metadata.load_from_dict({"tables": {"rows": {"columns": columns}}})


def argn(frame: pd.DataFrame, count: int, clock: Clock, seed: int) -> Sampled:
    """mostlyai-engine's medium model; without the protection of rare values, which would give its rows away."""
    from mostlyai.engine import TabularARGN
    from mostlyai.engine._tabular import training

    training.time = SimpleNamespace(time=time.process_time)  # its minutes are those of this process, as the others'
    with tempfile.TemporaryDirectory() as folder:
        model = TabularARGN(
            workspace_dir=folder, max_training_time=clock.minutes, value_protection=False, random_state=seed, verbose=0
        )
        model.fit(frame)
        return model.sample(n_samples=count), {"minutes_of_training": clock.minutes}


def forest(frame: pd.DataFrame, count: int, clock: Clock, seed: int) -> Sampled:
    """arfpy with its defaults. A missing number is a category beside the column; decimals are those of the file."""
    np.in1d = np.isin  # noqa: NPY201 (arfpy needs it, and numpy 2.4 has it no longer)
    from arfpy import arf

    chosen = frame.sample(min(len(frame), FOREST_ROWS), random_state=seed).reset_index(drop=True)
    filled, gaps = {}, {}
    for index, name in enumerate(chosen):
        values = chosen[name]
        if not is_number(values):
            filled[name] = pd.Categorical(values.astype(object).where(values.notna(), ""))
            continue
        filled[name] = values.astype(float).fillna(values.mean())
        if values.isna().any():
            gaps[name] = f"gap {index}"
            filled[gaps[name]] = pd.Categorical(values.isna().astype(int).astype(str))
    model = arf.arf(pd.DataFrame(filled), verbose=False, random_state=seed)
    model.forde()
    if len(model.params):
        least = model.params["variable"].map(chosen.std(numeric_only=True)) * NARROWEST
        model.params["sd"] = np.fmax(model.params["sd"].astype(float), least.astype(float))
    drawn, found = model.forge(count), {}
    for name in frame:
        if is_number(frame[name]):
            found[name] = drawn[name].astype(float).round(decimals(chosen[name]))
            if name in gaps:
                found[name] = found[name].mask(drawn[gaps[name]] == "1")
        else:
            found[name] = drawn[name].astype(object).replace("", None)
    return pd.DataFrame(found), {"train_rows": len(chosen)}


def is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def decimals(values: pd.Series) -> int:
    """The most decimals that a column is written with."""
    return max(len(np.format_float_positional(value, trim="-").partition(".")[2]) for value in values.dropna())


class Rival(NamedTuple):
    """What samples, and the packages that it is made with."""

    sample: Callable[[pd.DataFrame, int, Clock, int], Sampled]
    packages: tuple[str, ...]


RIVALS = {
    "GaussianCopula": Rival(copula, ("sdv",)),
    "arfpy": Rival(forest, ("arfpy", "scikit-learn")),
    "CTGAN": Rival(ctgan, ("sdv", "ctgan", "torch")),
    "TabularARGN": Rival(argn, ("mostlyai-engine", "torch")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rival", choices=RIVALS)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0, help="CPU minutes, at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    random.seed(options.seed)
    np.random.seed(options.seed)  # noqa: NPY002 (packages draw from it)
    torch.manual_seed(options.seed)
    signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, 60 * options.minutes * PATIENCE)
    frame = read(options.file).to_pandas()
    clock = Clock(options.minutes)
    rival = RIVALS[options.rival]
    sampled, about = rival.sample(frame, len(frame), clock, options.seed)
    sampled[list(frame.columns)].to_csv(options.out, index=False)
    versions = {name: version(name) for name in rival.packages}
    print(json.dumps({"cpu_seconds": round(clock.seconds, 1), **about, "versions": versions}))


def _end(*_: Any) -> None:
    raise TimeoutError("expected to be done in the minutes it has, and took longer")


if __name__ == "__main__":
    main()
