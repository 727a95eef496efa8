"""The times of series: usual ways of writing them, their frequency, several series in a file, and gaps."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars
import pytest

import chainrule.data
from chainrule.data.series import SeriesFormat
from chainrule.data.series_frequency import Frequency, find_frequency
from chainrule.data.series_table import read_series
from chainrule.data.series_time_columns import find_time_columns

N = 48
DAYS = [date(2020, 1, 1) + timedelta(days=i) for i in range(N)]
MONTHS = [date(1959 + i // 12, 1 + i % 12, 1) for i in range(N)]
QUARTERS = [(1959 + i // 4, 1 + i % 4) for i in range(N)]
NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
VALUES = [round(float(value), 2) for value in np.random.RandomState(0).normal(size=N)]

WAYS: dict[str, tuple[list[Any], str]] = {
    "ISO dates": ([f"{day:%Y-%m-%d}" for day in DAYS], "daily"),
    "days first": ([f"{day:%d/%m/%Y}" for day in DAYS], "daily"),
    "months first": ([f"{day:%m/%d/%Y}" for day in DAYS], "daily"),
    "names of months": ([f"{day:%b %d %Y}" for day in DAYS], "daily"),
    "names of months with dashes": ([f"{day:%b-%d-%Y}" for day in DAYS], "daily"),
    "eight digits": ([f"{day:%Y%m%d}" for day in DAYS], "daily"),
    "a time zone": ([f"{day:%Y-%m-%d}T00:00:00Z" for day in DAYS], "daily"),
    "months": ([f"{month:%Y-%m}" for month in MONTHS], "monthly"),
    "short names of months": ([f"{month:%b-%y}" for month in MONTHS], "monthly"),
    "long names of months": ([f"{month:%B %Y}" for month in MONTHS], "monthly"),
    "quarters": ([f"{year}Q{quarter}" for year, quarter in QUARTERS], "quarterly"),
    "quarters first": ([f"Q{quarter} {year}" for year, quarter in QUARTERS], "quarterly"),
    "weeks": ([f"{date(2020, 1, 6) + timedelta(days=7 * i):%G-W%V}" for i in range(N)], "weekly"),
    "six digits": ([f"{month:%Y%m}" for month in MONTHS], "monthly"),
    "months with M": ([f"{month.year}M{month.month}" for month in MONTHS], "monthly"),
    "months with M and zeros": ([f"{month.year}-M{month.month:02}" for month in MONTHS], "monthly"),
    "months behind a colon": ([f"{month.year}:{month.month}" for month in MONTHS], "monthly"),
    "months behind a colon with zeros": ([f"{month:%Y:%m}" for month in MONTHS], "monthly"),
    "months behind a point": ([f"{month:%Y.%m}" for month in MONTHS], "monthly"),
    "quarters behind a colon": ([f"{year}:{quarter}" for year, quarter in QUARTERS], "quarterly"),
    "quarters with a colon and Q": ([f"{year}:Q{quarter}" for year, quarter in QUARTERS], "quarterly"),
    "quarters with Q behind": ([f"{quarter}Q{year}" for year, quarter in QUARTERS], "quarterly"),
    "seasons": ([f"{1980 + i}/{(1981 + i) % 100:02}" for i in range(N)], "yearly"),
    "seasons that might be months": ([f"{2000 + i}-{(2001 + i) % 100:02}" for i in range(N)], "yearly"),
    "seasons of two years": ([f"{1980 + i}/{1981 + i}" for i in range(N)], "yearly"),
    "the name of a time zone": ([f"{day:%Y-%m-%d} 12:00 CET" for day in DAYS], "daily"),
    "years": ([str(1900 + i) for i in range(N)], "yearly"),
    "quarters as decimals": ([str(1959 + i / 4) for i in range(N)], "quarterly"),
    "months as decimals": ([f"{1959 + i / 12:.4f}" for i in range(N)], "monthly"),
    "seconds since 1970": ([str(1_600_000_000 + 600 * i) for i in range(N)], "every 10 minutes"),
    "milliseconds since 1970": ([str(1_600_000_000_000 + 3_600_000 * i) for i in range(N)], "hourly"),
}


@pytest.mark.parametrize("way", WAYS)
def test_times_are_read_in_any_usual_way_and_written_in_it(way: str) -> None:
    cells, words = WAYS[way]
    found = find_time_columns(polars.DataFrame({"date": cells, "value": VALUES}), "value")
    assert found is not None
    moments = found.moments.to_numpy()
    frequency = find_frequency([moments])
    assert frequency is not None
    assert frequency.words == words
    later = found.times.write(frequency.moments(moments[0], N - 1))[0].cast(polars.String)
    if "decimals" in way:
        assert np.allclose(later.cast(polars.Float64), [float(cell) for cell in cells[1:]], atol=1e-3)
    else:
        assert later.to_list() == cells[1:]


def test_a_year_and_its_months_or_quarters_may_have_columns_of_their_own() -> None:
    for name, cells in {"month": [NAMES[i % 12] for i in range(N)], "Month": [1 + i % 12 for i in range(N)]}.items():
        frame = polars.DataFrame({"year": [1949 + i // 12 for i in range(N)], name: cells, "value": VALUES})
        found = find_time_columns(frame, "value")
        assert found is not None
        assert found.moments.dt.date().to_list() == [month.replace(year=month.year - 10) for month in MONTHS]
        written = found.times.write(found.moments.to_numpy())
        assert [column.to_list() for column in written] == [frame["year"].to_list(), cells]


def test_hours_on_the_clock_that_come_twice_are_read_in_utc() -> None:
    hours = polars.datetime_range(
        datetime(2020, 10, 24, tzinfo=UTC), datetime(2020, 10, 26, tzinfo=UTC), "1h", eager=True
    ).dt.convert_time_zone("Europe/Berlin")
    found = find_time_columns(polars.DataFrame({"when": hours, "value": range(len(hours))}), "value")
    assert found is not None
    frequency = find_frequency([found.moments.to_numpy()])
    assert frequency is not None
    assert frequency.words == "hourly"


def test_working_days_and_ends_of_months_are_frequencies() -> None:
    days = np.arange("2020-01-01", "2020-06-01", dtype="datetime64[D]")
    working = days[np.is_busday(days)].astype("datetime64[us]")
    assert find_frequency([np.delete(working, [30, 31])]) == Frequency("working days", 1)
    ends = [np.datetime64(f"2020-{month:02}", "M") + 1 for month in range(1, 12)]
    last = (np.array(ends).astype("datetime64[D]") - 1).astype("datetime64[us]")
    assert find_frequency([last]) == Frequency("months", 1)
    following = Frequency("months", 1).moments(last[-1], 4).astype("datetime64[D]").astype(str).tolist()
    assert following == ["2020-12-31", "2021-01-31", "2021-02-28", "2021-03-31"]


def written(folder: Path, **columns: Any) -> Path:
    path = folder / "series.csv"
    polars.DataFrame(columns).write_csv(path)
    return path


def test_the_frequency_is_said_in_one_line(tmp_path: Path) -> None:
    data = chainrule.data.load(written(tmp_path, day=DAYS, other=["x"] * N, wave=VALUES), series="wave")
    assert data.notes == ("time: column 'day', daily from 2020-01-01 to 2020-02-17",)
    format = data.format
    assert isinstance(format, SeriesFormat)
    assert SeriesFormat.from_config(format.config) == format


def test_gaps_and_empty_cells_are_missing_values(tmp_path: Path) -> None:
    days = [*DAYS[:10], *DAYS[13:]]
    values = [*VALUES[:3], None, *VALUES[4:10], *VALUES[13:]]
    table = read_series(written(tmp_path, day=days, city=["Bern"] * 45, wave=values), "wave")
    assert len(table.values) == N
    assert np.flatnonzero(np.isnan(table.values)).tolist() == [3, 10, 11, 12]
    assert table.rows["day"].to_list() == [str(day) for day in DAYS]
    assert table.notes[0].endswith("missing values: 4 of 48, 3 of them times without a row")
    format = chainrule.data.load(tmp_path / "series.csv", series="wave").format
    assert isinstance(format, SeriesFormat)
    assert format.column.missing


def test_rows_from_the_newest_to_the_oldest_are_turned_round(tmp_path: Path) -> None:
    table = read_series(written(tmp_path, day=DAYS[::-1], wave=VALUES[::-1]), "wave")
    assert table.values.tolist() == VALUES


SHARES = {"symbol": ["A"] * N + ["B"] * N, "day": DAYS * 2, "volume": [float(i) for i in range(2 * N)]}


def test_several_series_are_named_and_refused(tmp_path: Path) -> None:
    path = written(tmp_path, **SHARES, price=VALUES * 2)
    with pytest.raises(ValueError, match=r"2020-01-01 2 times: there are 2 series, told apart by 'symbol' \(A, B\)"):
        read_series(path, "price")
    later = [day + timedelta(days=-400) for day in DAYS]
    path = written(tmp_path, **SHARES | {"day": DAYS + later}, price=VALUES * 2)
    with pytest.raises(ValueError, match="2018-11-27 after 2020-02-17 in row 49: there are 2 series"):
        read_series(path, "price")


def test_each_group_is_a_series_of_its_own_length_split_in_its_time(tmp_path: Path) -> None:
    frame = polars.DataFrame(SHARES | {"price": VALUES * 2})[: N + 30]
    frame.sample(fraction=1.0, shuffle=True, seed=0).write_csv(tmp_path / "shares.csv")
    data = chainrule.data.load(tmp_path / "shares.csv", series="price", group="symbol")
    lengths = {split: sorted(part.sizes.tolist()) for split, part in data.splits.items()}
    assert lengths == {"train": [24, 38], "valid": [3, 5], "test": [3, 5]}
    tests = sorted(part.tolist() for part in data.test.each())
    assert tests == sorted([VALUES[43:48], VALUES[27:30]])


REFUSED: dict[str, tuple[dict[str, Any], str, str | None, str]] = {
    "words": ({"day": DAYS, "sky": ["rain"] * N}, "sky", None, "expects numbers, got 'rain' in row 1"),
    "another name": ({"day": DAYS, "wind": VALUES}, "wnid", None, "did you mean wind"),
    "no group": ({"day": DAYS, "wind": VALUES}, "wind", "city", "expected the column 'city'"),
    "group of values": ({"day": DAYS, "wind": VALUES}, "wind", "wind", "--group expects another column"),
    "no time": ({"day": [*DAYS[:-1], None], "wind": VALUES}, "wind", None, "row 48: expected a time"),
    "no date": ({"date": [*map(str, DAYS[:-1]), "soon"], "wind": VALUES}, "wind", None, "got 'soon' in row 48"),
    "no format": ({"date": [f"day {i}" for i in range(N)], "wind": VALUES}, "wind", None, "got 'day 0', whose format"),
    "twice": ({"day": [DAYS[i // 2] for i in range(N)], "wind": VALUES}, "wind", None, "keep one row of each time"),
    "growing steps": (
        {"day": [DAYS[0] + timedelta(days=i * i) for i in range(N)], "wind": VALUES},
        "wind", None, "got steps from 1 days to 93 days: resample",
    ),
    "one value of a group": (
        {"g": ["a"] * (N - 1) + ["b"], "day": DAYS, "wind": VALUES},
        "wind", "g", "the group 'b' of 'g' expects at least 10 values, got 1: leave out its rows",
    ),
    "no name of a group": (
        {"g": ["a"] * (N - 1) + [None], "day": DAYS, "wind": VALUES},
        "wind", "g", "column 'g', row 48: expected the name of a group",
    ),
    "a constant": (
        {"day": DAYS, "wind": [3.0] * N},
        "wind", None, "expects values that differ, got 3 in all 48 cells: there is nothing to learn; take another",
    ),
    "infinity": (
        {"day": DAYS, "wind": [*map(str, VALUES[:-1]), "inf"]}, "wind", None, "expects numbers, got 'inf' in row 48",
    ),
    "too large": ({"day": DAYS, "wind": [*VALUES[:-1], 1e300]}, "wind", None, "got '1e+300' in row 48: correct it"),
    "no values": ({"day": DAYS, "wind": [None] * N}, "wind", None, "expects numbers, got empty cells only"),
    "one row": ({"day": DAYS[:1], "wind": VALUES[:1]}, "wind", None, "column 'wind' expects a series, got 1 values"),
    "few": ({"day": DAYS[:5], "wind": VALUES[:5]}, "wind", None, "column 'wind' expects at least 10 values, got 5"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path: Path, case: str) -> None:
    columns, series, group, message = REFUSED[case]
    with pytest.raises(ValueError, match=f"^[^\n]*{re.escape(message)}[^\n]*$"):
        chainrule.data.load(written(tmp_path, **columns), series=series, group=group)


def test_jittered_times_are_irregular(tmp_path: Path) -> None:
    seconds = np.random.RandomState(0).randint(3600, size=N)
    times = [datetime(2020, 1, 1) + timedelta(days=i, seconds=int(more)) for i, more in enumerate(seconds)]
    with pytest.raises(ValueError, match="expected times of one frequency in 'time', got steps from .* hours to"):
        read_series(written(tmp_path, time=times, wave=VALUES), "wave")


def test_a_file_without_times_is_taken_in_its_sequence_and_says_so(tmp_path: Path) -> None:
    data = chainrule.data.load(written(tmp_path, wave=VALUES, other=VALUES), series="wave")
    assert data.notes == ("time: no column of dates or times, so rows are taken as evenly spaced, in their sequence",)
    data = chainrule.data.load(written(tmp_path, period=[f"P{i}" for i in range(N)], wave=VALUES), series="wave")
    assert data.notes[0].startswith("time: no column of dates or times (not 'period', such as 'P0'), so rows")


def test_a_second_column_of_a_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    path.write_text("day,wind,wind\n" + "".join(f"{day},{value},1\n" for day, value in zip(DAYS, VALUES, strict=True)))
    data = chainrule.data.load(path, series="wind")
    assert data.notes[0] == "column 3, a second 'wind', is called 'wind_2'"


def test_names_of_time_zones_are_offsets(tmp_path: Path) -> None:
    hours = [datetime(2020, 10, 24, tzinfo=UTC) + timedelta(hours=i) for i in range(N)]
    local = [hour.astimezone(ZoneInfo("Europe/Berlin")) for hour in hours]
    table = read_series(written(tmp_path, time=[f"{hour:%Y-%m-%d %H:%M} {hour:%Z}" for hour in local], v=VALUES), "v")
    assert table.moments is not None
    assert table.moments[0] == np.datetime64("2020-10-24T00:00", "us")
    assert "hourly" in table.notes[0]
    assert np.isfinite(table.values).all()


def test_offsets_that_differ_are_taken_off_where_times_are_then_evenly_spaced(tmp_path: Path) -> None:
    hours = [f"{day}T0{i % 2}:00:00{'+01:00' if i % 2 else 'Z'}" for i, day in enumerate(DAYS)]
    assert "daily from 2020-01-01" in read_series(written(tmp_path, time=hours, wave=VALUES), "wave").notes[0]
    midnights = [f"{date(2020, 3, 1) + timedelta(days=i)}T00:00:00+0{1 + (i > 28)}:00" for i in range(N)]
    table = read_series(written(tmp_path, time=midnights, wave=VALUES), "wave")
    assert table.notes == ("time: column 'time', daily from 2020-03-01T00:00:00 to 2020-04-17T00:00:00",)
    spring = [datetime(2020, 3, 28, tzinfo=UTC) + timedelta(hours=i) for i in range(N)]
    local = [hour.astimezone(ZoneInfo("Europe/Berlin")).isoformat() for hour in spring]
    assert np.isfinite(read_series(written(tmp_path, time=local, wave=VALUES), "wave").values).all()


UNSURE = {
    "months or quarters": [f"{1960 + i // 2}:{1 + i % 2}" for i in range(N)],
    "unknown zones": [f"{day:%Y-%m-%d} 12:00 {'XST' if day.month == 1 else 'XDT'}" for day in DAYS],
    "some zones": [f"{day:%Y-%m-%d} 12:00{'Z' if day.month == 1 else ''}" for day in DAYS],
    "other steps than seasons": [f"{1980 + i}/{(1983 + i) % 100:02}" for i in range(N)],
}


@pytest.mark.parametrize("way", UNSURE)
def test_times_that_are_not_sure_are_refused_with_what_to_do(tmp_path: Path, way: str) -> None:
    with pytest.raises(ValueError, match=r"column 'date' expects .*: (write it as 2020-01-31|correct it)"):
        read_series(written(tmp_path, date=UNSURE[way], wave=VALUES), "wave")


@pytest.mark.parametrize("name", ["id", "code"])
def test_six_digits_that_are_no_months_are_no_times(tmp_path: Path, name: str) -> None:
    table = read_series(written(tmp_path, **{name: [200001 + 37 * i for i in range(N)]}, wave=VALUES), "wave")
    assert table.axis is None
