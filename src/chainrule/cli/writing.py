"""Results as files and as JSON: pictures, NumPy arrays and tables."""

from __future__ import annotations

import io
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from chainrule import plots
from chainrule.atomic import write_atomically

PICTURES = plots.FORMATS
ARRAYS = (".npz", ".npy", ".csv")
FRAMES = (".csv", ".parquet")


def check_suffix(path: Path, suffixes: Collection[str] = (*PICTURES, *ARRAYS)) -> None:
    """Refuse, before any work is done, a file that can't be written.

    Raises:
        ValueError: If the suffix is unknown or the folder is missing.
    """
    if path.suffix not in suffixes:
        raise ValueError(f"--out expects a file ending in {', '.join(suffixes)}, got {path}")
    if path.is_dir():
        raise ValueError(f"--out expects a file, got the folder {path}")
    if not path.parent.is_dir():
        raise ValueError(f"--out expects a file in a folder that exists, got {path}")


def write_examples(x: Tensor, path: Path, levels: int, **more: Tensor) -> None:
    """Write examples ``(N, *event_shape)`` completely or not at all, in the format of the suffix.

    Args:
        x: The examples.
        path: ``.png .pdf .svg`` for a grid; else see `write_array`.
        levels: How many values a variable takes.
        more: Further arrays for an ``.npz``.
    """
    if path.suffix in PICTURES:
        plots.sample_grid(x, path, levels=levels)
    else:
        write_array("examples", x.numpy().astype(np.min_scalar_type(levels - 1)), path, **more)


def write_array(name: str, values: NDArray[Any], path: Path, **more: Tensor) -> None:
    """Write ``(N, ...)`` numbers completely or not at all.

    Args:
        name: What they are called in an ``.npz``.
        values: The numbers.
        path: ``.npy`` or ``.npz`` for an array; ``.csv`` for one line per example.
        more: Further arrays for an ``.npz``.
    """
    buffer = io.BytesIO()
    if path.suffix == ".npy":
        np.save(buffer, values)
    elif path.suffix == ".npz":
        arrays: dict[str, Any] = {key: tensor.numpy() for key, tensor in more.items()} | {name: values}
        np.savez_compressed(buffer, **arrays)
    else:
        whole = np.issubdtype(values.dtype, np.integer)
        np.savetxt(buffer, values.reshape(len(values), -1), fmt="%d" if whole else "%.7g", delimiter=",")
    write_atomically(path, buffer.getvalue())


def plain(result: dict[str, Any]) -> dict[str, Any]:
    """``result`` with null for what JSON has no number for."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in result.items()
    }
