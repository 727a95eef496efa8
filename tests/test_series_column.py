"""Which tables are taken for a time series."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars
import pytest

from chainrule.data.series_column import series_column

N = 60
VALUES = np.random.RandomState(0).normal(size=N)
DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(N)]
MONTHS = [date(2000 + i // 12, 1 + i % 12, 1) for i in range(N)]
WORKING = [day for day in (date(2020, 1, 1) + timedelta(days=i) for i in range(2 * N)) if day.weekday() < 5][:N]


@pytest.mark.parametrize(
    "times",
    [
        DAYS,
        MONTHS,
        MONTHS[::3] + [date(2005 + i // 4, 1 + 3 * (i % 4), 1) for i in range(N - 20)],
        WORKING,
        [datetime(2020, 1, 1) + timedelta(hours=i) for i in range(N)],
        [f"{day:%Y-%m}" for day in MONTHS],
        list(range(1900, 1900 + N)),
        [1959 + i / 4 for i in range(N)],
        [f"{1959 + i // 4}Q{1 + i % 4}" for i in range(N)],
        [1_600_000_000 + 3600 * i for i in range(N)],
        [*DAYS[:30], *DAYS[31:], DAYS[-1] + timedelta(days=1)],
    ],
    ids=[
        "days",
        "months",
        "quarters",
        "working days",
        "hours",
        "months as text",
        "years",
        "quarters as numbers",
        "quarters as text",
        "seconds since 1970",
        "days with a gap",
    ],
)
def test_a_series_is_recognised(times: list[Any]) -> None:
    frame = polars.DataFrame({"when": times, "price": VALUES})
    assert series_column(frame) == "price"
    assert series_column(frame[["price", "when"]]) == "price"


def test_times_may_have_several_columns() -> None:
    hours = [datetime(2020, 1, 1) + timedelta(hours=i) for i in range(N)]
    frame = polars.DataFrame({"date": [hour.date() for hour in hours], "hour": [hour.hour for hour in hours]})
    assert series_column(frame.with_columns(load=polars.Series(VALUES))) == "load"
    assert series_column(frame.rename({"date": "dteday"}).with_columns(load=polars.Series(VALUES))) == "load"
    assert series_column(frame.with_columns(load=polars.Series(VALUES), price=1.5)) is None
    assert series_column(frame.rename({"hour": "shop"}).with_columns(load=polars.Series(VALUES))) is None
    parts = {"Year": [month.year for month in MONTHS], "Month": [month.month for month in MONTHS], "rain": VALUES}
    assert series_column(polars.DataFrame(parts)) == "rain"
    born = {"year": [1950 + i % 7 for i in range(N)], "month": [1 + i % 5 for i in range(N)], "height": VALUES}
    assert series_column(polars.DataFrame(born)) is None


def test_an_hour_that_comes_twice_makes_no_other_table() -> None:
    hours = [datetime(2020, 10, 23, tzinfo=UTC) + timedelta(hours=i) for i in range(N)]
    local = [hour.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None) for hour in hours]
    assert series_column(polars.DataFrame({"when": local, "load": VALUES})) == "load"


def test_a_series_may_have_empty_cells() -> None:
    assert series_column(frame_of(DAYS, price=[*VALUES[:-1], None])) == "price"


def frame_of(times: list[Any], **columns: Any) -> polars.DataFrame:
    return polars.DataFrame({"when": times} | (columns or {"price": VALUES}))


@pytest.mark.parametrize(
    "frame",
    [
        frame_of(DAYS[::-1]),
        frame_of([DAYS[i // 2] for i in range(N)]),
        frame_of([DAYS[0] + timedelta(days=i * i) for i in range(N)]),
        frame_of(DAYS, price=VALUES, volume=VALUES),
        frame_of(DAYS, price=[3.0] * N),
        frame_of(DAYS, city=["Bern"] * N),
        frame_of(list(range(N))),
        frame_of([f"{i:04}-13" for i in range(N)]),
        frame_of(DAYS[:10], price=VALUES[:10]),
        frame_of([1950 + i % 50 for i in range(N)]),
        frame_of([*DAYS[:-1], None]),
    ],
    ids=[
        "backwards", "repeated times", "growing steps", "two columns of numbers", "a constant", "text",
        "numbers from 0", "no months", "ten rows", "years of birth", "a missing time",
    ],
)  # fmt: skip
def test_another_table_is_none(frame: polars.DataFrame) -> None:
    assert series_column(frame) is None
