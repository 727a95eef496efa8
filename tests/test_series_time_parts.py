"""Times whose parts are in columns of their own, and those of a clock that is put back in autumn."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars
import pytest

from chainrule.data.series import times_after
from chainrule.data.series_table import read_series
from chainrule.data.series_times import Times

N = 24 * 30
HOURS = [datetime(2020, 9, 1) + timedelta(hours=i) for i in range(N)]
DAYS = [date(2015, 1, 5) + timedelta(days=i) for i in range(N)]
WEEKS = [(date(2015, 1, 5) + timedelta(days=7 * i)).isocalendar() for i in range(N)]
DATES = [f"{hour:%Y-%m-%d}" for hour in HOURS]
VALUES = np.random.RandomState(0).normal(size=N).round(2)

WAYS: dict[str, tuple[dict[str, list[Any]], str, list[Any]]] = {
    "the hour": ({"date": DATES, "hour": [hour.hour for hour in HOURS]}, "hourly", ["2020-10-01", 0]),
    "hours from 1": ({"dteday": DATES, "hr": [hour.hour + 1 for hour in HOURS]}, "hourly", ["2020-10-01", 1]),
    "hours with zeros": ({"date": DATES, "HH": [f"{hour:%H}" for hour in HOURS]}, "hourly", ["2020-10-01", "00"]),
    "a clock": ({"date": DATES, "at": [f"{hour:%H:%M}" for hour in HOURS]}, "hourly", ["2020-10-01", "00:00"]),
    "a clock to 24:00": (
        {"date": DATES, "at": [f"{hour.hour + 1:02}:00" for hour in HOURS]}, "hourly", ["2020-10-01", "01:00"],
    ),
    "no colon": ({"date": DATES, "time": [100 * hour.hour for hour in HOURS]}, "hourly", ["2020-10-01", 0]),
    "zeros, no colon": ({"date": DATES, "time": [f"{hour:%H%M}" for hour in HOURS]}, "hourly", ["2020-10-01", "0000"]),
    "hour and minute": (
        {"date": [f"{datetime(2020, 9, 1) + timedelta(minutes=10 * i):%d.%m.%Y}" for i in range(N)],
         "hour": [i // 6 % 24 for i in range(N)], "minute": [10 * (i % 6) for i in range(N)]},
        "every 10 minutes", ["06.09.2020", 0, 0],
    ),
    "four columns": (
        {"No": list(range(1, N + 1))} | {
            name: [getattr(hour, name) for hour in HOURS] for name in ("year", "month", "day", "hour")
        },
        "hourly", [2020, 10, 1, 0],
    ),
    "the day of the month": (
        {"month": [f"{day:%Y-%m}" for day in DAYS], "day": [day.day for day in DAYS]}, "daily", ["2016-12", 25],
    ),
    "the day of the year": (
        {"year": [day.year for day in DAYS], "DOY": [day.timetuple().tm_yday for day in DAYS]}, "daily", [2016, 360],
    ),
    "the week": ({"year": [w.year for w in WEEKS], "week": [w.week for w in WEEKS]}, "weekly", [2028, 43]),
    "the month": (
        {"yr": [2000 + i // 12 for i in range(N)], "mon": [i % 12 + 1 for i in range(N)]}, "monthly", [2060, 1],
    ),
}  # fmt: skip


def written(folder: Path, **columns: Any) -> Path:
    path = folder / "series.csv"
    polars.DataFrame(columns).write_csv(path)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_the_columns_of_a_time_make_one_series(tmp_path: Path, way: str) -> None:
    columns, words, following = WAYS[way]
    table = read_series(written(tmp_path, **columns, other=["x"] * N, value=VALUES), "value")
    assert table.values.tolist() == VALUES.tolist()
    assert table.axis is not None
    assert table.moments is not None
    assert table.axis.frequency.words == words
    own = [name for name in columns if name != "No"]
    named = f"{', '.join(map(repr, own[:-1]))} and {own[-1]!r}"
    assert table.notes[0].startswith(f"time: columns {named}, {words} from")
    assert [cells[0] for cells in times_after(table.axis, table.moments[-1], 1)] == following
    assert Times.from_config(table.axis.times.config) == table.axis.times


def test_groups_have_times_of_several_columns_too(tmp_path: Path) -> None:
    columns = {"date": DATES * 2, "hour": [hour.hour for hour in HOURS] * 2, "site": ["a"] * N + ["b"] * N}
    path = written(tmp_path, **columns, value=[*VALUES, *VALUES])
    table = read_series(path, "value", group="site")
    assert table.ends.tolist() == [N, 2 * N]
    with pytest.raises(ValueError, match="expected each time of 'date' and 'hour' once.* told apart by 'site'"):
        read_series(path, "value")


def test_a_column_that_is_not_named_as_an_hour_tells_series_apart(tmp_path: Path) -> None:
    shops = written(tmp_path, date=DATES, shop=[hour.hour for hour in HOURS], value=VALUES)
    with pytest.raises(ValueError, match="24 series, told apart by 'shop' .* name the column 'hour'"):
        read_series(shops, "value")
    few = written(tmp_path, date=DATES, hour=[hour.hour % 24 + 3 for hour in HOURS], value=VALUES)
    with pytest.raises(ValueError, match=re.escape("told apart by 'hour' (3, 4, 5, 6, ...)")):  # 24, 25 and 26
        read_series(few, "value")


def test_old_configs_of_a_year_and_its_month_are_read() -> None:
    old = {"columns": ["year", "Month"], "style": "parts", "format": "%b", "zone": "", "dtype": "Date"}
    assert Times.from_config(old).words(np.datetime64("1949-02-01", "us")) == "1949 Feb"


CLOCKS = {"Europe/Paris": "Europe/Berlin", "America/Los_Angeles": "America/New_York", "Europe/Lisbon": "Europe/London"}


@pytest.mark.parametrize("zone", CLOCKS)
@pytest.mark.parametrize("falling", [False, True])
def test_an_hour_that_comes_twice_in_autumn_is_one_series(tmp_path: Path, zone: str, falling: bool) -> None:
    on_earth = [datetime(2020, 2, 1, tzinfo=UTC) + timedelta(minutes=30 * i) for i in range(48 * 300)]
    local = [moment.astimezone(ZoneInfo(zone)) for moment in on_earth]
    values = np.arange(len(local)) / 2
    rows = polars.DataFrame(
        {"date": [f"{m:%Y-%m-%d}" for m in local], "clock": [f"{m:%H:%M}" for m in local], "value": values}
    )
    (rows.reverse() if falling else rows).write_csv(tmp_path / "series.csv")
    table = read_series(tmp_path / "series.csv", "value")
    assert table.values.tolist() == values.tolist()
    assert f"on the clock of {CLOCKS[zone]}, as an hour comes twice where it is put back" in table.notes[0]
    assert table.axis is not None
    assert table.moments is not None
    summer = table.axis.times.write(table.moments)
    assert [cells.to_list() for cells in summer] == [rows["date"].to_list(), rows["clock"].to_list()]
    rows[:400].write_csv(tmp_path / "new.csv")  # without an hour that comes twice, but with the run's clock
    assert read_series(tmp_path / "new.csv", "value", known=table.axis).moments is not None
    later = read_series(tmp_path / "new.csv", "value", known=table.axis).axis
    assert later is not None
    assert later.times.clock == CLOCKS[zone]


def test_other_hours_that_come_twice_are_refused(tmp_path: Path) -> None:
    twice = [*HOURS[:100], HOURS[99], *HOURS[100:]]
    with pytest.raises(ValueError, match="2020-09-05 03:00:00 2 times: keep one row of each time"):
        read_series(written(tmp_path, time=[f"{hour}" for hour in twice], value=[*VALUES, 0.5]), "value")


def test_offsets_that_change_far_down_are_read(tmp_path: Path) -> None:
    zone = ZoneInfo("Europe/Paris")
    moments = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=i) for i in range(8000)]
    path = written(tmp_path, time=[moment.astimezone(zone).isoformat() for moment in moments], value=np.arange(8000.0))
    table = read_series(path, "value")
    assert table.notes == ("time: column 'time', hourly from 2020-01-01T00:00:00+00:00 to 2020-11-29T07:00:00+00:00",)
