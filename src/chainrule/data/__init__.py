"""Data sets: named ones and files of the user's own, each as three splits of examples.

This module imports only the standard library, so that the names can be listed at once; torch, polars
and the rest are imported when a data set is loaded.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from chainrule.data.dataset import Dataset
    from chainrule.data.examples import Examples
    from chainrule.data.vocabulary import Vocabulary

TEXT_SUFFIX = ".txt"

__all__ = ["AUDIO", "NAMES", "TEXTS", "Dataset", "Examples", "Vocabulary", "load", "read_mask", "read_rows"]

# name: (the module of this package that loads it, its description)
_NAMED = {
    "digits": ("digits", "scikit-learn digits 8x8, binarised by threshold: 1 where the value (0-16) is at least 8"),
    "digits-17": ("digits", "scikit-learn digits 8x8, 17 levels, not binarised"),
    "mnist": ("mnist", "MNIST 28x28, static Bernoulli binarisation (one fixed draw, seed 0)"),
    "mnist-dynamic": (
        "mnist",
        "MNIST 28x28, dynamic binarisation: train drawn anew at every access, the rest as mnist",
    ),
    "mnist-threshold": ("mnist", "MNIST 28x28, binarised by threshold: 1 where the value (0-255) is at least 128"),
    "mnist-grey": ("mnist", "MNIST 28x28, 256 grey levels, not binarised"),
    "mnist-larochelle": ("mnist", "MNIST 28x28, Larochelle's static binarisation (.amat files you put in place)"),
    "silhouettes": ("silhouettes", "Caltech-101 Silhouettes 28x28, binary; inverted, so that objects are 1"),
    "nltcs": ("binary_tables", "National Long Term Care Survey, binary table of 16 columns"),
    "plants": ("binary_tables", "Plants, binary table of 69 columns"),
    "jester": ("binary_tables", "Jester joke ratings, binary table of 100 columns"),
    "dna": ("binary_tables", "DNA splice junctions, binary table of 180 columns"),
    "wine-red": ("wine", "Wine quality, 1,599 red wines, 11 real columns; split 80/10/10 at random, seed 0"),
    "wine-white": ("wine", "Wine quality, 4,898 white wines, 11 real columns; split 80/10/10 at random, seed 0"),
    "mushrooms": ("binary_tables", "Mushrooms, binary table of 112 columns"),
}

TEXTS: dict[str, str] = {
    "shakespeare": "tiny-shakespeare, one stream of characters; train its first 90 %, valid and test its last 10 %",
    "names": "32,033 first names, documents of characters; split 80/10/10 at random, seed 0",
    "wikitext2": "WikiText-2's validation articles, one stream of characters; split 80/10/10 in its sequence",
}
"""Those of the named data sets that are text."""

AUDIO: dict[str, str] = {"fsdd": "Free Spoken Digit Dataset, 3,000 recordings of six speakers at 8 kHz"}
"""Those of the named data sets that are recordings."""

NAMES: dict[str, str] = {name: description for name, (_, description) in _NAMED.items()} | TEXTS | AUDIO
"""The named data sets, each with one line that says what it is and how it was binarised."""


def load(
    spec: str | Path,
    *,
    levels: int | None = None,
    seed: int = 0,
    documents: bool | None = None,
    vocabulary: str | Vocabulary | None = None,
    window: int | None = None,
    skip_unreadable: bool | None = None,
    sample_rate: int | None = None,
    trim_silence: bool | None = None,
    schema: Any = None,
    series: str | None = None,
) -> Dataset:
    """The data set that ``spec`` names, or reads from a path.

    Args:
        spec: One of `NAMES`; or the path of a file (``.npz .npy .csv .data .parquet .txt``), of a folder of
            files ``*.train.* *.valid.* *.test.*``, or of a folder of images or of recordings (``.wav .flac``). A name
            wins over a file of that name; write ``./mnist`` for the file.
        levels: How many values a variable takes. By default a table's largest value + 1, and an
            image's 256; images are quantised to floor(value * levels / 256). Of recordings 256 by the mu-law; 65,536
            are 16-bit samples.
        seed: Of the random split of a path that has no splits of its own. Named sets have fixed splits.
        documents: Of text, whether every line is an example (with an end symbol, filled up to the longest); by default
            all of it is one stream, whose examples are windows. Given any of these, a file of any name is text.
        vocabulary: Of text: ``"characters"`` (those of its training part; the default), ``"bytes"``, or a given one.
        window: Of a stream of text, symbols of an example; 128 by default. Of recordings, samples that a piece counts
            in training; 4,096 by default.
        skip_unreadable: Of a folder of images or recordings, whether files that can't be decoded are left out, with a
            warning; else they are refused.
        sample_rate: Of a folder of recordings, samples a second, to which those of another rate are resampled; else
            all must have one rate.
        trim_silence: Of a folder of recordings, whether silence at their ends is left out.
        schema: Of a table whose columns have names, a YAML file that says what they are (`chainrule schema` writes
            one), or ``"infer"``. By default it is inferred where the cells are not all levels.
        series: Of a table whose columns have names, the column to take as one long sequence, a time series, instead of
            rows as examples; ``window`` is then how many values a piece counts in training.

    Raises:
        ValueError: If the name is unknown or the content is not data of this kind.
        FileNotFoundError: If a file is missing.
    """
    if levels is not None and (isinstance(levels, bool) or levels < 2):
        raise ValueError(f"levels expects an integer of at least 2, got {levels}")
    text = _given(documents=documents, vocabulary=vocabulary)
    folder = _given(skip_unreadable=skip_unreadable, sample_rate=sample_rate, trim_silence=trim_silence)
    windows = _given(window=window)
    path = Path(spec).expanduser()
    table = _given(schema=schema)
    if series is not None:
        others = _given(levels=levels, documents=documents, vocabulary=vocabulary, schema=schema)
        _only(str(spec), others, "is taken as a series")
        if spec in NAMES or not path.is_file():
            raise ValueError(f"series expects the file of a table, got {spec}")
        from chainrule.data.series import load_series

        return load_series(path, series, window)
    if spec in NAMES:
        _only(str(spec), table, "is no file of a table")
    if spec in NAMES or path.is_file():
        _only(str(spec), folder, "is no folder of images or recordings")
    if isinstance(spec, str) and spec in TEXTS:
        _only(spec, _given(levels=levels), "is text, whose vocabulary says how many")
        from chainrule.data.named import texts

        return texts.load(spec, TEXTS[spec], **text, **windows)
    if isinstance(spec, str) and spec in AUDIO:
        _only(spec, text, "is no text")
        from chainrule.data.named import fsdd

        return fsdd.load(spec, AUDIO[spec], levels, **windows)
    is_file = spec not in _NAMED and path.is_file()
    if (str(spec).lower().endswith(TEXT_SUFFIX) and not Path(spec).is_dir()) or ((text or windows) and is_file):
        _only(str(spec), _given(levels=levels), "is text, whose vocabulary says how many")
        from chainrule.data.text import load_text

        return load_text(path, seed=seed, **text, **windows)
    _only(str(spec), text, "is no text")
    if isinstance(spec, str) and spec in _NAMED:
        _only(spec, windows, "is no text and no recordings")
        module, description = _NAMED[spec]
        named: Dataset = importlib.import_module(f"chainrule.data.named.{module}").load(spec, description, levels)
        return named
    from chainrule.data.paths import load_path

    return load_path(spec, levels=levels, seed=seed, **folder, **windows, **table)


def _given(**settings: Any) -> dict[str, Any]:
    """The settings that were given."""
    return {name: value for name, value in settings.items() if value is not None}


def _only(spec: str, given: dict[str, Any], why: str) -> None:
    """Refuse settings that the data ``spec`` does not have."""
    wrong = [f"{name}={value}" for name, value in given.items()]
    if wrong:
        raise ValueError(f"expected no {wrong[0].partition('=')[0]}, as {spec} {why}, got {wrong[0]}")


def read_rows(path: str | Path) -> NDArray[np.integer[Any]]:
    """The examples of one file (``.npz .npy .csv .data .parquet``) as an array ``(N, ...)`` of integers.

    Raises:
        ValueError: If the content is anything but non-negative integers.
        FileNotFoundError: If there is no such file.
    """
    from chainrule.data.read import rows

    return rows.read_rows(Path(path))


def read_mask(path: str | Path, event_shape: tuple[int, ...]) -> Tensor:
    """Which variables of an event are known: a bool tensor ``(*event_shape)`` from a file of 0 and 1.

    Raises:
        ValueError: If the file's shape is not the event's or it holds other values.
        FileNotFoundError: If there is no such file.
    """
    from chainrule.data.read import masks as mask

    return mask.read_mask(Path(path), event_shape)


def __getattr__(name: str) -> Any:
    if name == "Examples":
        return importlib.import_module("chainrule.data.examples").Examples
    if name == "Dataset":
        return getattr(importlib.import_module("chainrule.data.dataset"), name)
    if name == "Vocabulary":
        return importlib.import_module("chainrule.data.vocabulary").Vocabulary
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
