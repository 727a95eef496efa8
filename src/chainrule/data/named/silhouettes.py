"""Caltech-101 Silhouettes at 28x28.

The file stores images by columns, with objects 0 on a background of 1. Here they stand upright and are
inverted: objects are 1. A model's likelihood does not depend on that, but the plot of an example does.

References:
    Inductive principles for restricted Boltzmann machine learning (Marlin, Swersky, Chen and de Freitas, 2010),
    https://people.cs.umass.edu/~marlin/data.shtml
"""

from __future__ import annotations

import numpy as np
import torch

from chainrule.data.dataset import Dataset, check_levels
from chainrule.data.examples import ArrayExamples
from chainrule.data.formats import ImageFormat
from chainrule.data.named import files
from chainrule.foreign import decoding
from chainrule.hashes import sha256_of

FILE = "caltech101_silhouettes_28_split1.mat"
URL = f"https://people.cs.umass.edu/~marlin/data/{FILE}"
# The host publishes no checksum: this is the SHA-256 of the copy the project's numbers were measured on.
HASH = "eb6735e8d84b1850fabc5590124aab1755e90c9fd28123585324398405e1e42a"
EVENT_SHAPE = (1, 28, 28)
PARTS = {"train": "train", "valid": "val", "test": "test"}
COUNTS = {"train": 4_100, "valid": 2_264, "test": 2_307}


def load(name: str, description: str, *, levels: int | None = None) -> Dataset:
    """Train 4 100, valid 2 264, test 2 307 images ``(1, 28, 28)``, the authors' split."""
    from scipy.io import loadmat

    check_levels(name, levels, 2, "silhouettes are binary")
    path = files.find(f"silhouettes/{FILE}", URL, f"sha256:{HASH}")
    if sha256_of(path) != HASH:  # scipy may crash where it is damaged
        raise ValueError(f"{path}: expected the file of {URL} with the SHA-256 {HASH}, got another: copy it again")
    with decoding(path, "a MATLAB 5 file with train_data, train_labels and the same for val and test"):
        content = loadmat(path)
        splits = {split: content[f"{part}_data"].astype(np.uint8) for split, part in PARTS.items()}
        classes = {split: content[f"{part}_labels"].astype(np.int64).ravel() for split, part in PARTS.items()}
    for split, values in splits.items():
        if values.shape != (COUNTS[split], 784) or values.max() > 1:
            raise ValueError(f"{path}: expected {COUNTS[split]} {split} rows of 784 bits, got the shape {values.shape}")
    upright = {split: 1 - values.reshape(-1, 28, 28).swapaxes(1, 2) for split, values in splits.items()}
    return Dataset(
        name,
        description,
        ImageFormat(2),
        {split: ArrayExamples(images, EVENT_SHAPE) for split, images in upright.items()},
        {"name": name, "binarisation": description, "inverted": True},
        {split: torch.from_numpy(numbers - 1) for split, numbers in classes.items()},
    )
