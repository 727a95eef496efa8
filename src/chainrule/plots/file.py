"""Helpers of all pictures: arrays, colours of text and lines, and the file."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from chainrule.atomic import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".pdf", ".svg")
"""Suffixes of pictures."""

INK, MUTED, FAINT = "#222222", "#6b6b6b", "#e4e4e4"

Numbers = NDArray[np.float64]


def numbers(values: ArrayLike | Tensor) -> Numbers:
    """Convert ``values`` to an array of doubles."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def checked(path: str | Path) -> Path:
    """Return ``path``; raise ``ValueError`` unless its suffix is one of `FORMATS`."""
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"a picture expects one of the suffixes {', '.join(FORMATS)}, got {path.name!r}")
    return path


def write(figure: Figure, path: Path) -> None:
    """Write the picture completely or not at all."""
    write_atomically(path, rendered(figure, path.suffix[1:].lower()))


def rendered(figure: Figure, kind: str = "png") -> bytes:
    """The content of a picture's file."""
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=figure.dpi, facecolor="white")
    return buffer.getvalue()
