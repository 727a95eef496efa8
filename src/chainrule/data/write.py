"""Writers: arrays, tables, images and recordings as files, completely or not at all."""

from __future__ import annotations

import errno
import io
import itertools
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.atomic import replacing, write_atomically
from chainrule.data.stored import no_room

if TYPE_CHECKING:
    import polars
    from PIL import Image

ARRAYS = (".npz", ".npy", ".csv")
"""The files that `write_array` writes."""

FRAMES = (".csv", ".parquet")
"""The files that `write_frame` writes."""


SINGLE = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".bmp": "bmp", ".webp": "webp"}
"""The files of single images, and Pillow's names of their formats."""

FORMULA, NUMBER = r"^[=+\-@\t\r]", r"^[+-]\s*\p{Sc}?\s*\d[\d.,:'\s]*([eE][+-]?\d+)?\s*[%\p{Sc}]?$"
"""Cells that a spreadsheet may run as a formula, but for those that are numbers."""

_QUOTES_FORMULAS = ContextVar("_QUOTES_FORMULAS", default=False)


@contextmanager
def formulas_quoted(quoted: bool = True) -> Iterator[None]:
    """Within it, `write_frame` puts a ' before the cells and names of a ``.csv`` that a spreadsheet may run.

    These begin with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return and are no numbers, such as
    ``=HYPERLINK("http://x")``. See https://owasp.org/www-community/attacks/CSV_Injection.

    Args:
        quoted: False to write cells as they are.
    """
    token = _QUOTES_FORMULAS.set(quoted)
    try:
        yield
    finally:
        _QUOTES_FORMULAS.reset(token)


def check_suffix(path: Path, suffixes: Collection[str]) -> None:
    """Refuse, before any work is done, a file that can't be written.

    Raises:
        ValueError: If the suffix is none of ``suffixes``, or the folder is missing.
    """
    if path.suffix.lower() not in suffixes:
        raise ValueError(f"--out expects a file ending in {', '.join(suffixes)}, got {path}")
    if path.is_dir():
        raise ValueError(f"--out expects a file, got the folder {path}")
    if not path.parent.is_dir():
        raise ValueError(f"--out expects a file in a folder that exists, got {path}")


def check_new_folder(path: Path) -> None:
    """Refuse, before any work is done, a folder whose files would stand among those that are written into it.

    Raises:
        ValueError: If there is a file of that name, a file in that folder that is not hidden, or no folder above it.
    """
    if path.is_file() or not path.parent.is_dir():
        raise ValueError(f"--out expects a folder in one that exists, got {path}")
    if path.is_dir() and (others := sorted(own.name for own in path.iterdir() if not own.name.startswith("."))):
        raise ValueError(
            f"--out expects a new or an empty folder, got {path} with {others[0]}: choose another, or empty it"
        )


def numbered(folder: Path, count: int, suffix: str) -> list[Path]:
    """Names of ``count`` files in ``folder``, from 1, which sort as they count.

    >>> [path.name for path in numbered(Path("samples"), 10, ".png")][::9]
    ['01.png', '10.png']
    """
    width = len(str(count))
    return [folder / f"{number:0{width}d}{suffix}" for number in range(1, count + 1)]


def write_array(name: str, values: NDArray[Any], path: Path, **more: Tensor) -> None:
    """Write numbers ``(N, ...)`` as ``.npy``, ``.npz``, or ``.csv`` with a line per example.

    Args:
        name: The array's name in an ``.npz``.
        values: The numbers.
        path: The file.
        more: Further arrays for an ``.npz``.
    """
    buffer, suffix = io.BytesIO(), path.suffix.lower()
    if suffix == ".npy":
        np.save(buffer, values)
    elif suffix == ".npz":
        arrays: dict[str, Any] = {key: tensor.numpy() for key, tensor in more.items()} | {name: values}
        np.savez_compressed(buffer, **arrays)
    else:
        whole = np.issubdtype(values.dtype, np.integer)
        np.savetxt(buffer, values.reshape(len(values), -1), fmt="%d" if whole else "%.7g", delimiter=",")
    write_atomically(path, buffer.getvalue())


def write_levels(x: Tensor, path: Path, levels: int, **more: Tensor) -> None:
    """Write examples of levels as an array of the smallest integers that hold them; see `write_array`."""
    write_array("examples", x.numpy().astype(np.min_scalar_type(levels - 1)), path, **more)


def write_frame(frame: polars.DataFrame, path: Path) -> None:
    """Write a table as ``.csv`` or ``.parquet``."""
    buffer = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        frame.write_parquet(buffer)
    else:
        _without_formulas_if_asked(frame, path).write_csv(buffer)
    write_atomically(path, buffer.getvalue())


def write_parts(parts: Iterable[polars.DataFrame], path: Path) -> None:
    """Write a table as ``.csv`` or ``.parquet``, part by part: all of it is never in memory.

    The parts wait in a temporary file until all are there, so that ``path`` is written completely or not at all.

    Args:
        parts: Consecutive rows, all with the same columns; at least one part.
        path: The file.

    Raises:
        OSError: If the disk of temporary files is full, or ``path`` can't be written.
    """
    with tempfile.TemporaryFile() as waiting:
        places = [0]
        for part in parts:
            try:
                _without_formulas_if_asked(part, path).write_ipc_stream(waiting)
                waiting.flush()
            except OSError as error:
                raise no_room(error.errno or errno.EIO) from error
            places.append(waiting.tell())
        with replacing(path) as temporary:
            _gather(waiting, places, temporary, path.suffix.lower())


def _gather(waiting: IO[bytes], places: list[int], temporary: Path, suffix: str) -> None:
    """Write the parts that wait in a file, between ``places``, into one table."""
    import polars
    from polars.io.plugins import register_io_source

    def read(*_: Any) -> Iterator[polars.DataFrame]:
        waiting.seek(0)
        for start, stop in itertools.pairwise(places):
            yield polars.read_ipc_stream(waiting.read(stop - start))

    with temporary.open("wb") as file:
        if suffix == ".parquet":
            schema = next(read()).schema
            register_io_source(read, schema=schema).sink_parquet(file, maintain_order=True)
            return
        for number, part in enumerate(read()):
            part.write_csv(file, include_header=number == 0)


def _without_formulas_if_asked(frame: polars.DataFrame, path: Path) -> polars.DataFrame:
    return _without_formulas(frame) if _QUOTES_FORMULAS.get() and path.suffix.lower() != ".parquet" else frame


def _without_formulas(frame: polars.DataFrame) -> polars.DataFrame:
    """``frame`` with a ' before the cells of text and the names of columns that may be formulas."""
    import polars

    def quoted(cells: polars.Expr) -> polars.Expr:
        runs = cells.str.contains(FORMULA) & ~cells.str.contains(NUMBER)
        return polars.when(runs).then("'" + cells).otherwise(cells).name.keep()

    words = polars.selectors.string() | polars.selectors.categorical() | polars.selectors.enum()
    names = polars.DataFrame({"": frame.columns}).select(quoted(polars.col(""))).to_series().to_list()
    frame = frame.with_columns(quoted(words.cast(polars.String)))
    frame.columns = names
    return frame


def write_images(x: Tensor, files: Iterable[Path], levels: int) -> None:
    """Write images ``(N, channels, height, width)`` as a file each; a ``.png`` reads back as the same levels.

    Black is level 0 and white the highest level.
    """
    for image, file in zip(x, files, strict=False):
        file.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        picture_of(image, levels).save(buffer, format=SINGLE[file.suffix.lower()])
        write_atomically(file, buffer.getvalue())


def picture_of(image: Tensor, levels: int) -> Image.Image:
    """An image of levels ``(channels, height, width)`` as Pillow has it: of 8 bits, or grey of 16 for more levels."""
    from PIL import Image

    most = 256 if levels <= 256 else 65536
    image = image.double()
    spread = (image * (most - 1) / (levels - 1)).round()
    low, high = (image * most / levels).ceil(), ((image + 1) * most / levels).ceil() - 1
    pixels = torch.minimum(torch.maximum(spread, low), high).numpy().astype(np.uint8 if most == 256 else np.uint16)
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
