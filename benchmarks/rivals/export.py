"""Writes the splits of the data sets for the rivals, as chainrule reads them.

Runs where chainrule is installed: ``python benchmarks/rivals/export.py --work FOLDER``, after ``default_sets.py``.
``FOLDER/NAME.npz`` gets the arrays of train, valid and test, and ``about``, a JSON text of `describe`.

- table: ``train (N, n)``, in the file's units; a gap is NaN
- rows, image: ``train (N, n)``, levels; variables of an image are flattened, channels first
- text: ``train (N,)``, symbols; documents follow one another, each with its end symbol; ``train_ends`` has their ends
- audio: as documents, levels
- series: ``train (N,)``, in the file's units
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chainrule.data import load
from chainrule.data.dataset import SPLITS, Dataset
from chainrule.data.schema import TableSchema
from chainrule.data.text import TextFormat
from chainrule.tasks.independent import independent_nats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from default_sets import SETS

SINGLE = 2**20
"""Symbols whose frequencies are counted at once."""


def describe(data: Dataset) -> dict[str, Any]:
    """The kind, the columns or levels, the unit of figures, and the test NLL of independent variables."""
    kind = data.format.kind
    about: dict[str, Any] = {"kind": kind, "dataset": data.headline, "levels": data.levels}
    about["unit"] = {"text": "character", "audio": "sample", "series": "value", "image": "example"}.get(kind, "row")
    about["examples"] = {split: len(data.split(split)) for split in SPLITS}
    about["variables"] = {split: data.split(split).num_variables for split in SPLITS}
    if kind in ("table", "series"):
        about["columns"] = [{"name": name, **own} for name, own in data.format.config["columns"].items()]
    about["event_shape"] = data.event_shape
    return about | {"independent_nats": independent(data)}


def independent(data: Dataset) -> float:
    """Test NLL per unit if all variables were independent, each with its frequencies or a Gaussian of the training."""
    train, test = data.train, data.test
    if isinstance(data.format, TableSchema):
        return data.format.independent_nats(train[:].numpy(), test[:].numpy())
    if data.format.kind == "series":
        schema = TableSchema((data.format.column,))  # type: ignore[attr-defined]
        return schema.independent_nats(*(next(part.each())[:, None] for part in (train, test)))  # type: ignore[attr-defined]
    if data.format.kind in ("text", "audio"):
        own = (torch.from_numpy(symbols(part)[0].astype(np.float32))[:, None] for part in (train, test))
        return independent_nats(*own, data.levels, batch_size=SINGLE)
    return independent_nats(train, test, data.levels)


def symbols(examples: Any) -> tuple[np.ndarray, np.ndarray]:
    """All symbols, samples or values of a split, one after another, and where each document or recording ends."""
    if hasattr(examples, "symbols"):
        return np.asarray(examples.symbols), np.array([len(examples.symbols)])
    if hasattr(examples, "ends"):
        return np.concatenate(list(examples.each())), np.asarray(examples.ends)
    x = examples[:].numpy()
    return x[np.arange(x.shape[1]) < examples.sizes[:, None]], examples.sizes.cumsum()


def arrays(data: Dataset) -> dict[str, np.ndarray]:
    """The arrays of each split."""
    found = {}
    for split in SPLITS:
        examples = data.split(split)
        if data.format.kind in ("text", "audio", "series"):
            found[split], found[f"{split}_ends"] = symbols(examples)
        else:
            found[split] = examples[:].flatten(1).numpy()
        if data.levels:
            found[split] = found[split].astype(np.min_scalar_type(data.levels - 1))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SETS), help="sets to export; by default all")
    parser.add_argument("--work", type=Path, default=Path("runs/sets"))
    options = parser.parse_args()
    for name in options.names:
        chosen = SETS[name]
        try:
            data = load(chosen.spec(options.work), seed=0, **chosen.choices)
        except ValueError as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        about = describe(data)
        if isinstance(data.format, TextFormat) and data.format.documents:
            about["end"] = data.format.vocabulary.end
        np.savez(options.work / f"{name}.npz", about=json.dumps(about), **arrays(data))
        print(f"{about['dataset']}: independent {about['independent_nats']:.4f} nats per {about['unit']}", flush=True)


if __name__ == "__main__":
    main()
