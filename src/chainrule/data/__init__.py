"""Data sets: named ones and files of the user's own, each as three splits of examples.

This module imports only the standard library, so that the names can be listed at once; torch, polars
and the rest are imported when a data set is loaded.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.data.named import NAMED
from chainrule.signatures import arguments_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from chainrule.data.dataset import Dataset
    from chainrule.data.examples import Examples
    from chainrule.data.schema import TableSchema
    from chainrule.data.vocabulary import Vocabulary

__all__ = ["NAMED", "NAMES", "READING", "Dataset", "Examples", "Vocabulary", "load", "read_mask", "read_rows"]

READING: dict[str, str]
"""The arguments of `load` that say how data is read (all but ``seed``), each with its type."""

NAMES: dict[str, str] = {name: named.description for name, named in NAMED.items()}
"""The named data sets, each with one line that says what it is and how it was binarised."""


def load(
    spec: str | Path | Any,
    *,
    seed: int = 0,
    levels: int | None = None,
    documents: bool | None = None,
    per_file: bool | None = None,
    vocabulary: str | Vocabulary | None = None,
    window: int | None = None,
    skip_unreadable: bool | None = None,
    size: str | None = None,
    crop: str | None = None,
    pad: bool | None = None,
    background: str | None = None,
    grey: bool | None = None,
    sample_rate: int | None = None,
    channel: str | None = None,
    trim_silence: bool | None = None,
    frames: str | None = None,
    frame_hop: int | None = None,
    schema: str | dict[str, Any] | TableSchema | None = None,
    series: str | None = None,
    group: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Dataset:
    """The data set that ``spec`` names, or that is in a file or a folder.

    Args:
        spec: One of `NAMES`; or the path of a file (``.npz .npy .csv .tsv .data .csv.gz .parquet .txt``), of a folder
            of files ``*.train.* *.valid.* *.test.*``, or of a folder of images or of texts; of a recording (``.wav
            .flac .mp3`` and others), or of a folder or a pattern (``calls/*.mp3``) of recordings. A file of any other
            name is text if it looks like one. A name wins over a file of that name; write ``./mnist`` for the file. Or
            a frame of polars or pandas.
        seed: Seed of the random split of a path that has no splits of its own. Named sets have fixed splits.
        levels: The number of values that a variable takes. By default a table's largest value + 1, and an image's 256;
            images are quantised to floor(value * levels / 256). Recordings have 256 by the mu-law; 65,536 are 16-bit
            samples.
        documents: True to take every line of a text as an example (with an end symbol); by default a text is one
            stream, whose examples are windows. With this, ``vocabulary`` or ``window``, a file of any name is text.
        per_file: True to take every file of a folder or a pattern of texts as an example (with an end symbol).
        vocabulary: The symbols of a text: ``"characters"`` (those of its training part; the default), ``"bytes"``, or
            a `Vocabulary`.
        window: Symbols of an example of a text stream, 128 by default, fewer of a short one. Samples of a recording
            (4,096 by default), or values of a series (512), that count in a training chunk.
        skip_unreadable: True to leave out images or recordings that can't be decoded, with a warning; by default they
            are refused.
        size: Width and height of images, as ``"32x48"``, or the side of squares, as ``"32"``. By default their own;
            where these differ, or are large, a usual size that is said.
        crop: How an image of another size is made to fit: ``"centre"`` scales it until it covers the size and cuts its
            centre, ``"random"`` cuts at a random place in training, ``"none"`` changes its proportions.
        pad: True to scale images until they fit in, and to fill the rest with background.
        background: The colour on which transparent parts of images are laid, ``"white"`` by default, or ``"#ff8800"``.
        grey: True to take colour images as grey.
        sample_rate: Samples a second, to which recordings of another rate are resampled; by default all must have one.
        channel: The channel of recordings that have several: ``"left"``, ``"right"``, or ``"mono"``, the mean of all.
        trim_silence: True to leave out silence at the ends of recordings.
        frames: A file (``.npy .npz .csv``) of frames beside a recording, or a folder with one for each, on which a
            WaveNet is conditioned.
        frame_hop: Samples of a frame; by default the number with which all frames fit.
        schema: The columns of a table, in a YAML file (`chainrule schema` writes one) or a mapping, or ``"infer"``. By
            default it is inferred where not all cells are levels. With this or ``header``, a file of any name
            is a table.
        series: The column of a table to take as one long sequence, a time series, instead of rows as examples.
        group: The column that tells several series of one file apart; each is an example of its own.
        encoding: The encoding of a text, or of a table as text, such as ``"latin-1"``. By default that of its byte
            order mark, or UTF-8.
        header: Whether the first line of a table as text names the columns; by default its cells tell.

    Raises:
        ValueError: If the name is unknown, the content is not data of this kind, or a choice does not apply to it.
        FileNotFoundError: If a file is missing.
    """
    if levels is not None and (isinstance(levels, bool) or levels < 2):
        raise ValueError(f"levels expects an integer of at least 2, got {levels}")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed expects an integer from 0 to {2**32 - 1}, got {seed}")
    from chainrule.data.reading import read, read_frame

    choices = {
        "levels": levels,
        "documents": documents,
        "per_file": per_file,
        "vocabulary": vocabulary,
        "window": window,
        "skip_unreadable": skip_unreadable,
        "size": size,
        "crop": crop,
        "pad": pad,
        "background": background,
        "grey": grey,
        "sample_rate": sample_rate,
        "channel": channel,
        "trim_silence": trim_silence,
        "frames": frames,
        "frame_hop": frame_hop,
        "schema": schema,
        "series": series,
        "group": group,
        "encoding": encoding,
        "header": header,
    }
    given = {name: value for name, value in choices.items() if value is not None}
    return read(spec, seed, given) if isinstance(spec, str | Path) else read_frame(spec, seed, given)


def read_rows(path: str | Path) -> NDArray[np.integer[Any]]:
    """The examples of one file (``.npz .npy .csv .data .parquet``) as an array ``(N, ...)`` of integers.

    Raises:
        ValueError: If the content is anything but non-negative integers.
        FileNotFoundError: If there is no such file.
    """
    from chainrule.data.read import rows

    return rows.read_rows(Path(path))


def read_mask(path: str | Path, event_shape: tuple[int, ...]) -> Tensor:
    """A mask of the known variables of an event: a bool tensor ``(*event_shape)`` from a file of 0 and 1.

    Raises:
        ValueError: If the file's shape is not the event's or it holds other values.
        FileNotFoundError: If there is no such file.
    """
    from chainrule.data.read import masks

    return masks.read_mask(Path(path), event_shape)


_LAZY = {"Dataset": "dataset", "Examples": "examples", "Vocabulary": "vocabulary"}


def __getattr__(name: str) -> Any:
    if name == "READING":  # read from the source of `load`, as those of models and of `fit` are
        arguments = [argument for argument in arguments_of("data/__init__.py", "load") if argument.name != "seed"]
        return {argument.name: argument.annotation.partition(" | ")[0] for argument in arguments}
    if name in _LAZY:
        return getattr(importlib.import_module(f"chainrule.data.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
