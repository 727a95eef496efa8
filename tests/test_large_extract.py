"""Rows that stand for a table larger than memory: what they hold, and what is known without reading all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars
import pytest

from chainrule.data import load
from chainrule.data.read import table_file
from chainrule.data.read.extract import extract

STATUS = Path("/proc/self/status")


def resident_megabytes() -> float:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 1000


@pytest.mark.skipif(not STATUS.exists(), reason="reads the memory of a process where Linux says it")
def test_rows_of_text_keep_no_other_rows_in_memory() -> None:
    chunks, rows = 40, 40_000

    def texts() -> Iterator[tuple[polars.DataFrame, np.ndarray]]:
        for chunk in range(chunks):
            cells = [f"row {row} of chunk {chunk} has text {row * row:060d}" for row in range(rows)]
            yield polars.DataFrame({"text": cells}), np.ones(rows, bool)

    before = resident_megabytes()
    found = extract(texts(), 100 * chunks * rows, 0, text=True)
    assert len(found.frame) > 1000
    assert resident_megabytes() - before < 0.3 * chunks * rows * 90e-6  # all texts are of 90 bytes


def test_a_large_table_of_equal_rows_is_refused_without_reading_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "equal.parquet"
    polars.DataFrame({"x": [0.5] * 1000, "y": ["a"] * 1000}).write_parquet(path)
    monkeypatch.setattr(table_file, "LARGE", 0)
    with pytest.raises(ValueError, match=r"equal.parquet: expected rows that differ, got 1,000 rows"):
        load(path)


@pytest.mark.parametrize("cell", [None, 0.25])
def test_one_other_row_makes_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cell: float | None) -> None:
    path = tmp_path / "table.parquet"
    z = [row % 7 for row in range(1000)]
    polars.DataFrame({"x": [0.5] * 999 + [cell], "z": z}).write_parquet(path)
    monkeypatch.setattr(table_file, "LARGE", 0)
    assert len(load(path).train) > 700
