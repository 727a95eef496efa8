"""CIFAR-10 and CIFAR-100: colour photographs of 32x32 pixels, from the archives in binary form.

References:
    Learning multiple layers of features from tiny images (Krizhevsky, 2009), https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import tarfile

import numpy as np
import torch

from chainrule.data.dataset import Dataset
from chainrule.data.examples import ArrayExamples
from chainrule.data.formats import ImageFormat
from chainrule.data.named import files
from chainrule.data.named.grey import chosen_levels, quantised
from chainrule.foreign import decoding

URL = "https://www.cs.toronto.edu/~kriz/"
EVENT_SHAPE = (3, 32, 32)
NUM_VALID = 5_000

# name: (archive, its MD5, training files, test file, file of the classes, labels before each image)
ARCHIVES = {
    "cifar10": (
        "cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
        [f"cifar-10-batches-bin/data_batch_{number}.bin" for number in range(1, 6)],
        "cifar-10-batches-bin/test_batch.bin",
        "cifar-10-batches-bin/batches.meta.txt",
        1,
    ),
    "cifar100": (
        "cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
        ["cifar-100-binary/train.bin"],
        "cifar-100-binary/test.bin",
        "cifar-100-binary/fine_label_names.txt",
        2,
    ),
}


def load(name: str, description: str, *, levels: int | None = None) -> Dataset:
    """The set ``name``: train 45 000, valid the last 5 000 of the training part, test 10 000 images ``(3, 32, 32)``."""
    levels, description = chosen_levels(name, description, levels)
    file, md5, train_files, test_file, class_file, num_labels = ARCHIVES[name]
    path = files.official(f"images/{file}", URL + file, md5)
    wanted = [*train_files, test_file, class_file]
    with decoding(path, "a tar file in the binary form of CIFAR"), tarfile.open(path) as archive:
        members = (member for member in archive if member.name in wanted)
        content = {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]
        size = num_labels + 3 * 32 * 32
        rows = {part: np.frombuffer(content[part], np.uint8).reshape(-1, size) for part in wanted[:-1]}
        classes = content[class_file].decode().split()
    train, test = np.concatenate([rows[part] for part in train_files]), rows[test_file]
    splits = {"train": train[:-NUM_VALID], "valid": train[-NUM_VALID:], "test": test}
    return Dataset(
        name,
        description,
        ImageFormat(levels),
        {
            split: ArrayExamples(quantised(part[:, num_labels:], levels).reshape(-1, *EVENT_SHAPE), EVENT_SHAPE)
            for split, part in splits.items()
        },
        {"name": name, "classes": classes},
        {split: torch.from_numpy(part[:, num_labels - 1].astype(np.int64)) for split, part in splits.items()},
    )
