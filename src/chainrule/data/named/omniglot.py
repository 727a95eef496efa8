"""Omniglot: 1,623 handwritten characters of 50 alphabets, 20 drawings each, at 28x28 pixels.

References:
    Human-level concept learning through probabilistic program induction (Lake, Salakhutdinov and Tenenbaum, 2015),
    https://github.com/brendenlake/omniglot
"""

from __future__ import annotations

import io
import zipfile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chainrule.data.dataset import Dataset, check_levels
from chainrule.data.examples import ArrayExamples
from chainrule.data.formats import ImageFormat
from chainrule.data.named import files
from chainrule.data.named.mnist import binarise
from chainrule.foreign import decoding

URL = "https://github.com/brendenlake/omniglot/raw/master/python/"
EVENT_SHAPE = (1, 28, 28)
CHECKSUMS = {
    "images_background": "68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation": "6b91aef0f799c5bb55b94e3f2daec811",
}


def load(name: str, description: str, *, levels: int | None = None) -> Dataset:
    """The 30 background alphabets, of which a tenth of the drawings validates, and the 20 alphabets of the evaluation.

    Ink is averaged over the area of each of 28x28 pixels, and then drawn once, 1 with that probability.
    """
    check_levels(name, levels, 2, "its images are drawn as binary ones")
    background, evaluation = binarise([_ink(part) for part in CHECKSUMS])
    # The drawings of a character are neighbours: the last two of 20 validate.
    valid = np.arange(len(background)) % 20 >= 18
    images = {"train": background[~valid], "valid": background[valid], "test": evaluation}
    splits = {split: ArrayExamples(part, EVENT_SHAPE) for split, part in images.items()}
    return Dataset(
        name, description, ImageFormat(2), splits, {"name": name, "binarisation": description, "binarisation_seed": 0}
    )


def _ink(part: str) -> NDArray[np.uint8]:
    """The share of ink, 0 to 255, of every pixel of the drawings of an archive, in the sequence of their names."""
    path = files.official(f"omniglot/{part}.zip", f"{URL}{part}.zip", CHECKSUMS[part])
    with decoding(path, "a zip file of drawings"), zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        return np.stack([_scaled(archive.read(name)) for name in names])


def _scaled(content: bytes) -> NDArray[np.uint8]:
    drawing = Image.open(io.BytesIO(content)).convert("L")
    return 255 - np.asarray(drawing.resize(EVENT_SHAPE[1:], Image.Resampling.BOX))
