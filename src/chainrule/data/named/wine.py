"""Wine quality: eleven measurements of Portuguese wines, as the RNADE paper takes them: without the grade.

References:
    Modeling wine preferences by data mining from physicochemical properties (Cortez et al., 2009),
    https://archive.ics.uci.edu/dataset/186/wine+quality
"""

from __future__ import annotations

from chainrule.data.dataset import Dataset, check_levels, split_rows
from chainrule.data.infer import infer
from chainrule.data.named import files
from chainrule.data.read.table import dataset_of_frame, read_frame

GRADE = "quality"
HOST = "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality"


def load(name: str, description: str, *, levels: int | None = None) -> Dataset:
    """The wines of one colour, 80/10/10 at random."""
    check_levels(name, levels, 0, "its columns are real")
    file = f"winequality-{name.removeprefix('wine-')}.csv"
    frame = read_frame(files.find(f"tabular/{file}", f"{HOST}/{file}", None)).drop(GRADE)
    rows = split_rows(len(frame), 0, name)
    return dataset_of_frame(name, frame, rows, infer(frame, rows["train"], name), {"name": name, "split_seed": 0})
