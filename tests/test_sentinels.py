"""Numbers that may stand for a missing value are told, and change nothing."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars
import pytest

import chainrule.data
from chainrule.data.schema import TableSchema
from chainrule.data.sentinels import sentinels

N = 200
DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(N)]
VALUES = np.random.RandomState(0).normal(20, 5, N).round(1)


def marked(*numbers: float, times: int = 4, values: np.ndarray = VALUES) -> np.ndarray:
    marked = values.copy()
    for i, number in enumerate(numbers):
        marked[10 * i : 10 * i + times] = number
    return marked


@pytest.mark.parametrize("numbers", [(-999.0,), (9999.0,), (-99.9, 9999.0), (-9999.0, -999.0), (-40.0,)])
def test_numbers_far_from_all_others_are_found(numbers: tuple[float, ...]) -> None:
    assert sentinels(marked(*numbers)) == [(number, 4) for number in sorted(numbers)]


def test_others_are_not() -> None:
    random = np.random.RandomState(0)
    rain = np.where(random.rand(N) < 0.6, 0.0, random.gamma(1.0, 6.0, N)).round(1)
    counts = random.poisson(2.0, N).astype(float)
    outlier, near = marked(-999.0, times=1), marked(-1.0)
    for values in (VALUES, rain, counts, outlier, near, np.full(N, 3.0), np.array([np.nan, 1.0])):
        assert sentinels(values) == []


def test_a_series_tells_them_and_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "wind.csv"
    polars.DataFrame({"day": DAYS, "wind": marked(-999.0)}).write_csv(path)
    data = chainrule.data.load(path, series="wind")
    assert data.notes[1].startswith(
        "-999 comes 4 times, far from all others (7.2 to 31.9): if one stands for a missing"
    )
    assert next(data.train.each())[:4].tolist() == [-999.0] * 4
    polars.DataFrame({"day": DAYS, "wind": VALUES}).write_csv(path)
    assert len(chainrule.data.load(path, series="wind").notes) == 1


def test_a_table_tells_them_with_the_schema_that_makes_them_gaps(tmp_path: Path) -> None:
    path = tmp_path / "wind.csv"
    polars.DataFrame({"wind": marked(-99.9), "other": VALUES}).write_csv(path)
    (note,) = chainrule.data.load(path).notes
    assert note.endswith("if '-99.9' is an empty cell, write a --schema with gaps: ['-99.9']")
    wind = {"kind": "real", "gaps": ["-99.9"]}
    format = chainrule.data.load(path, schema={"columns": {"wind": wind, "other": {"kind": "real"}}}).format
    assert isinstance(format, TableSchema)
    assert format.columns[0].missing
    assert 19 < format.columns[0].mean < 21
