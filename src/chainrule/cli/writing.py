"""Examples as files: pictures, NumPy arrays and tables."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from chainrule import plots
from chainrule.hub import write_atomically

PICTURES = plots.FORMATS
ARRAYS = (".npz", ".npy", ".csv")


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
        path: ``.png .pdf .svg`` for a grid; ``.npy`` or ``.npz`` for an array (under ``examples``);
            ``.csv`` for one line per example.
        levels: How many values a variable takes.
        more: Further arrays for an ``.npz``.
    """
    values = x.numpy().astype(np.min_scalar_type(levels - 1))
    buffer = io.BytesIO()
    if path.suffix == ".npy":
        np.save(buffer, values)
    elif path.suffix == ".npz":
        arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in more.items()}
        np.savez_compressed(buffer, examples=values, **arrays)
    elif path.suffix == ".csv":
        np.savetxt(buffer, values.reshape(len(values), -1), fmt="%d", delimiter=",")
    else:
        plots.sample_grid(x, path, levels=levels)
        return
    write_atomically(path, buffer.getvalue())
