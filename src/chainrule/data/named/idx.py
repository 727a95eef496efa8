"""Sets in the form of MNIST: Fashion-MNIST, KMNIST and EMNIST, grey images of 28x28 pixels in IDX files.

References:
    Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), https://github.com/zalandoresearch/fashion-mnist
    Deep learning for classical Japanese literature (Clanuwat et al., 2018), https://github.com/rois-codh/kmnist
    EMNIST: an extension of MNIST to handwritten letters (Cohen, Afshar, Tapson and van Schaik, 2017),
    https://www.nist.gov/itl/products-and-services/emnist-dataset
"""

from __future__ import annotations

import gzip
import string
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from chainrule.data.dataset import Dataset
from chainrule.data.examples import ArrayExamples
from chainrule.data.formats import ImageFormat
from chainrule.data.named import files
from chainrule.data.named.grey import chosen_levels, quantised
from chainrule.foreign import decoding

EVENT_SHAPE = (1, 28, 28)

# name: (address, MD5 of each file by its name without "-ubyte.gz", classes)
GZIPPED = {
    "fashion-mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
    ),
    "kmnist": (
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        {
            "train-images-idx3": "bdb82020997e1d708af4cf47b453dcf7",
            "train-labels-idx1": "e144d726b3acfaa3e44228e80efcd344",
            "t10k-images-idx3": "5c965bf0a639b31b8f53240b1b52f4d7",
            "t10k-labels-idx1": "7320c461ea6c1c855c0b718fb2a4b134",
        },
        ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
    ),
}

EMNIST_URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
EMNIST_MD5 = "58c8d27c78d21e728a6bc7b3cc06412e"
EMNIST_CLASSES = {
    "letters": list(string.ascii_lowercase),  # upper and lower case together
    "balanced": [*string.digits, *string.ascii_uppercase, *"abdefghnqrt"],
    "digits": list(string.digits),
}

Values = NDArray[np.uint8]


def load(name: str, description: str, *, levels: int | None = None) -> Dataset:
    """The set ``name``, 256 grey levels or fewer: the official test part, and a share of the training part to validate.

    That share is the last 10,000 images, of EMNIST the last ones, as many as the test part has.
    """
    levels, description = chosen_levels(name, description, levels)
    emnist = name.startswith("emnist-")
    read, classes = _emnist(name) if emnist else _gzipped(name)
    train, train_labels, test, test_labels = (
        read(part, what) for part in ("train", "test") for what in ("images", "labels")
    )
    first = 1 if name == "emnist-letters" else 0  # its labels are 1 to 26
    cut = len(train) - (len(test) if emnist else 10_000)
    images = {"train": train[:cut], "valid": train[cut:], "test": test}
    labels = {"train": train_labels[:cut], "valid": train_labels[cut:], "test": test_labels}
    return Dataset(
        name,
        description,
        ImageFormat(levels),
        {split: ArrayExamples(quantised(part, levels), EVENT_SHAPE) for split, part in images.items()},
        {"name": name, "classes": classes},
        {split: torch.from_numpy(part.astype(np.int64) - first) for split, part in labels.items()},
    )


def _gzipped(name: str) -> tuple[Callable[[str, str], Values], list[str]]:
    """A reader of the files of Fashion-MNIST or KMNIST, and the classes."""
    url, checksums, classes = GZIPPED[name]

    def read(part: str, what: str) -> Values:
        stem = f"{'train' if part == 'train' else 't10k'}-{what}-idx{3 if what == 'images' else 1}"
        path = files.official(f"{name}/{stem}-ubyte.gz", f"{url}{stem}-ubyte.gz", checksums[stem])
        return read_idx(path.read_bytes(), path)

    return read, classes


def _emnist(name: str) -> tuple[Callable[[str, str], Values], list[str]]:
    """A reader of one part of the archive of EMNIST, and the classes."""
    path = files.official("emnist/gzip.zip", EMNIST_URL, EMNIST_MD5)
    return partial(_read_emnist, path, name), EMNIST_CLASSES[name.removeprefix("emnist-")]


def _read_emnist(path: Path, name: str, part: str, what: str) -> Values:
    member = f"gzip/{name}-{part}-{what}-idx{3 if what == 'images' else 1}-ubyte.gz"
    with decoding(path, f"a zip file that holds {member}"), zipfile.ZipFile(path) as archive:
        values = read_idx(archive.read(member), path)
    return values if what == "labels" else values.swapaxes(1, 2)  # EMNIST stores images by columns


def read_idx(content: bytes, path: Path) -> Values:
    """The values of a gzipped IDX file of bytes: of images ``(N, height, width)``, of labels ``(N,)``.

    Raises:
        ValueError: If it is no such file.
    """
    with decoding(path, "an IDX file of bytes"):
        raw = gzip.decompress(content)
        if raw[:3] != b"\0\0\x08":
            raise ValueError(f"it begins with {raw[:4]!r}")
        shape = np.frombuffer(raw, ">u4", raw[3], 4).astype(int)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)
