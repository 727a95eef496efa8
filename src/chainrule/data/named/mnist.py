"""MNIST in five versions, which differ only in how grey values 0 to 255 become levels.

Likelihoods of different versions are not comparable; the description of each names its version.

References:
    Gradient-based learning applied to document recognition (LeCun, Bottou, Bengio and Haffner, 1998),
    http://yann.lecun.com/exdb/mnist
    On the quantitative analysis of deep belief networks (Salakhutdinov and Murray, 2008): the static draw and dynamic
    binarisation, https://www.cs.toronto.edu/~amnih/papers/dbn_ais.pdf
    The neural autoregressive distribution estimator (Larochelle and Murray, 2011): the ``.amat`` files,
    https://proceedings.mlr.press/v15/larochelle11a
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.data.dataset import Dataset, check_levels
from chainrule.data.examples import ArrayExamples, DynamicExamples, Examples
from chainrule.data.formats import ImageFormat
from chainrule.data.named import files
from chainrule.data.named.grey import chosen_levels, quantised
from chainrule.foreign import decoding

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
LAROCHELLE_URL = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"
EVENT_SHAPE = (1, 28, 28)
NUM_TRAIN = 50_000
AMAT_COUNTS = {"train": 50_000, "valid": 10_000, "test": 10_000}

# file: (MD5 of the official .gz, MD5 of its content)
CHECKSUMS = {
    "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", "6bbc9ace898e44ae57da46a324031adb"),
    "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", "a25bea736e30d166cdddb491f175f624"),
    "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", "2646ac647ad5339dbf082846283269ea"),
    "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", "27ae3e4e09519cfbb04c329615203637"),
}

Images = NDArray[np.uint8]


def load(name: str, description: str, *, levels: int | None = None) -> Dataset:
    """The version ``name`` of MNIST: train 50 000, valid 10 000, test 10 000 images ``(1, 28, 28)``."""
    if name == "mnist-grey":
        levels, description = chosen_levels(name, description, levels)
    else:
        check_levels(name, levels, 2, "mnist-grey takes other levels")
        levels = 2
    if name == "mnist-larochelle":
        return _larochelle(name, description)
    train, test = _pixels("train-images-idx3-ubyte"), _pixels("t10k-images-idx3-ubyte")
    splits = _versions(name, levels, train, test)
    train_labels, test_labels = (_read_labels(part) for part in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"))
    labels = {"train": train_labels[:NUM_TRAIN], "valid": train_labels[NUM_TRAIN:], "test": test_labels}
    return _dataset(name, description, levels, splits, labels)


def binarise(images: list[Images], seed: int = 0) -> list[Images]:
    """One fixed Bernoulli draw per pixel, 1 with probability value / 255.

    All images are drawn, in their sequence, from ``numpy.random.RandomState(seed)``, whose stream is
    frozen: the same pixels come out on every machine and with every version.
    """
    generator = np.random.RandomState(seed)
    drawn = []
    for part in images:
        values = np.empty_like(part)
        for start in range(0, len(part), 5_000):  # bounds the memory that the float64 uniforms take
            chunk = part[start : start + 5_000]
            values[start : start + 5_000] = generator.random_sample(chunk.shape) < chunk / 255
        drawn.append(values)
    return drawn


def _versions(name: str, levels: int, train: Images, test: Images) -> dict[str, Examples]:
    """The splits of the version ``name``."""
    if name == "mnist-grey":
        train, test = (quantised(part, levels) for part in (train, test))
    elif name == "mnist-threshold":
        train, test = ((part >= 128).astype(np.uint8) for part in (train, test))
    grey = train
    if name in ("mnist", "mnist-dynamic"):
        train, test = binarise([train, test])
    splits: dict[str, Examples] = {
        "train": ArrayExamples(train[:NUM_TRAIN], EVENT_SHAPE),
        "valid": ArrayExamples(train[NUM_TRAIN:], EVENT_SHAPE),
        "test": ArrayExamples(test, EVENT_SHAPE),
    }
    if name == "mnist-dynamic":
        splits["train"] = DynamicExamples(grey[:NUM_TRAIN], EVENT_SHAPE)
    return splits


def _dataset(
    name: str, description: str, levels: int, splits: dict[str, Examples], labels: dict[str, Tensor] | None
) -> Dataset:
    origin: dict[str, Any] = {"name": name, "binarisation": description}
    if name in ("mnist", "mnist-dynamic"):
        origin["binarisation_seed"] = 0
    return Dataset(name, description, ImageFormat(levels), splits, origin, labels)


def _larochelle(name: str, description: str) -> Dataset:
    """Larochelle's draw, in text files that the user puts in place."""
    splits: dict[str, Examples] = {}
    for split, count in AMAT_COUNTS.items():
        relative = f"mnist/binarized_mnist_{split}.amat"
        path = files.find(relative, LAROCHELLE_URL + Path(relative).name, known_hash=None)
        splits[split] = ArrayExamples(read_amat(path, count), EVENT_SHAPE)
    return _dataset(name, description, 2, splits, labels=None)


def read_amat(path: Path, count: int) -> Images:
    """``count`` lines of 784 values 0 or 1, separated by spaces, as ``(count, 784)``.

    Raises:
        ValueError: If the file holds anything else.
    """
    text = np.fromfile(path, dtype=np.uint8)
    values = text[text > ord(" ")] - ord("0")
    if values.size and values.max() > 1:
        raise ValueError(f"{path}: expected the values 0 and 1 separated by spaces, got other characters")
    if values.size != count * 784:
        raise ValueError(f"{path}: expected {count} lines of 784 values ({count * 784} values), got {values.size}")
    return values.reshape(count, 784)


def _pixels(part: str) -> Images:
    return _content(part)[16:].reshape(-1, 784)


def _read_labels(part: str) -> Tensor:
    return torch.from_numpy(_content(part)[8:].astype(np.int64))


def _content(part: str) -> Images:
    """The uncompressed bytes of an IDX file, known by their MD5 to be the official ones."""
    archive_md5, content_md5 = CHECKSUMS[part]
    path = files.find(f"mnist/{part}.gz", f"{URL}{part}.gz", f"md5:{archive_md5}")
    with decoding(path, "a gzip file"):
        content = gzip.decompress(path.read_bytes())
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != content_md5:
        raise ValueError(f"{path}: expected content with the MD5 {content_md5}, got {found}; replace the file")
    return np.frombuffer(content, dtype=np.uint8)
