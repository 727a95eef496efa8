"""The 8x8 digits that scikit-learn ships: the data set that needs no file.

References:
    Optical recognition of handwritten digits (Alpaydin and Kaynak, 1998), https://doi.org/10.24432/C50P49
"""

from __future__ import annotations

import numpy as np
import torch

from chainrule.data.dataset import Dataset, check_levels, split_rows
from chainrule.data.examples import ArrayExamples
from chainrule.data.formats import ImageFormat

EVENT_SHAPE = (1, 8, 8)
SPLIT_SEED = 0


def load(name: str, description: str, *, levels: int | None = None) -> Dataset:
    """``digits``, 1 where the value (0 to 16) is 8 or more, or ``digits-17``, the values themselves."""
    from sklearn.datasets import load_digits

    binary = name == "digits"
    fixed = 2 if binary else 17
    check_levels(name, levels, fixed, "digits has 2 and digits-17 has 17")
    pixels, classes = load_digits(return_X_y=True)
    values = (pixels >= 8).astype(np.uint8) if binary else pixels.astype(np.uint8)
    rows = split_rows(len(values), SPLIT_SEED, name)
    return Dataset(
        name,
        description,
        ImageFormat(fixed),
        {split: ArrayExamples(values, EVENT_SHAPE, which) for split, which in rows.items()},
        {"name": name, "binarisation": description, "split_seed": SPLIT_SEED},
        {split: torch.from_numpy(classes[which].astype(np.int64)) for split, which in rows.items()},
    )
