"""Codecs: the cells of a column as numbers, and numbers as cells of the file's own type and format."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import polars
import pytest

from chainrule.data.codecs import CODECS, Categories, Codec, Identifiers
from chainrule.data.codecs.categories import find_categories
from chainrule.data.codecs.find import find_codec, find_codec_of_kind

pytestmark = pytest.mark.quick


def found(cells: Any, text: bool = True) -> tuple[str, Codec, str]:
    series = cells if isinstance(cells, polars.Series) else polars.Series("c", cells)
    return find_codec(series, np.arange(len(series)), text=text)


def again(codec: Codec, kind: str) -> Codec:
    return CODECS[kind].from_config(codec.config)


TEXTS: list[tuple[str, list[str], list[float]]] = [
    ("integer", ["1", "2", "300"], [1, 2, 300]),
    ("integer", ["1,234", "5,600", "12"], [1234, 5600, 12]),
    ("integer", ["1.234.567", "1.000"], [1234567, 1000]),
    ("integer", ["1 234", "5"], [1234, 5]),
    ("integer", ["12%", "5%"], [12, 5]),
    ("integer", ["3 kg", "12 kg"], [3, 12]),
    ("real", ["1.50", "2.00", "13.25"], [1.5, 2, 13.25]),
    ("real", ["1.5", "2", "3.25"], [1.5, 2, 3.25]),
    ("real", ["1,5", "2,25", "-0,5"], [1.5, 2.25, -0.5]),
    ("real", ["1.234,50", "12,00"], [1234.5, 12]),
    ("real", ["$1,234.50", "-$3.00"], [1234.5, -3]),
    ("real", ["€ 3,50", "€ 4,00"], [3.5, 4]),
    ("real", ["(1,234.50)", "12.00", "1,000.25"], [-1234.5, 12, 1000.25]),
    ("real", ["($1,234.50)", "$12.00"], [-1234.5, 12]),
    ("real", ["$ (1,234.50)", "$ 12.00"], [-1234.5, 12]),
    ("real", ["(1.5)%", "12.0%"], [-1.5, 12]),
    ("integer", ["(12)", "7", "0"], [-12, 7, 0]),
    ("real", ["(12.5%)", "7.0%"], [-12.5, 7]),
    ("real", ["120.5%", "7.0%", "1000.0%"], [120.5, 7, 1000]),
    ("boolean", ["yes", "no", "yes"], [1, 0, 1]),
    ("boolean", ["TRUE", "FALSE"], [1, 0]),
    ("boolean", ["On", "Off"], [1, 0]),
    ("boolean", ["n", "y"], [0, 1]),
    ("boolean", ["T", "F"], [1, 0]),
    ("date", ["2020-01-31", "2020-02-02"], [0, 2]),
    ("date", ["1/2/2020", "13/2/2020"], [0, 12]),
    ("date", ["01/02/2020", "13/02/2020"], [0, 12]),
    ("date", ["02/13/2020", "02/01/2020"], [12, 0]),
    ("date", ["31.12.99", "01.01.00"], [0, 1]),
    ("date", ["20200131", "20200202"], [0, 2]),
    ("date", ["5-Jan-20", "6-Jan-20"], [0, 1]),
    ("date", ["January 5, 2020", "March 1, 2020"], [0, 56]),
    ("date", ["2020-01", "2020-03"], [0, 60]),
    ("datetime", ["2020-01-31 10:00", "2020-01-31 11:30"], [0, 90]),
    ("datetime", ["2020-01-31T10:00:00Z", "2020-02-01T10:00:00Z"], [0, 1]),
    ("datetime", ["2020-01-31T10:00:00.250+01:00", "2020-01-31T10:00:01.000+01:00"], [0, 750]),
    ("datetime", ["1/31/2020 1:05 PM", "1/31/2020 11:05 AM"], [2, 0]),
    ("time", ["10:30", "23:15"], [630, 1395]),
    ("time", ["1:05 PM", "11:15 AM"], [785, 675]),
    ("duration", ["30:00:00", "1:30:00"], [1800, 90]),
    ("duration", ["0 days 01:30:00", "-1 days +22:00:00"], [90, -120]),
    ("duration", ["PT1H30M", "P1DT2H"], [90, 1560]),
    ("category", ["00501", "02134", "00501"], [0, 1, 0]),
    ("category", ["b", "a", "c"], [1, 0, 2]),
]


@pytest.mark.parametrize(("kind", "cells", "numbers"), TEXTS)
def test_text_becomes_numbers_and_comes_back_as_it_was(kind: str, cells: list[str], numbers: list[float]) -> None:
    series = polars.Series("c", cells)
    got, codec, _ = found(series)
    assert got == kind
    assert codec.read(series).to_list() == numbers
    assert codec.texts(np.array(numbers)).to_list() == cells
    assert again(codec, kind) == codec
    _, typed, _ = found(series, text=False)  # a column of text in a typed table
    assert typed.write(np.array(numbers)).to_list() == cells
    with_gap = codec.read(polars.Series([*cells, None, "", "NA"]))
    assert with_gap.to_list() == [*numbers, None, None, None]


def test_parentheses_that_are_no_negative_numbers() -> None:
    assert found(["(1)", "(2)", "(3)"])[0] == "category"  # labels: no number is without
    assert found(["main road (5)", "side road (7)", "main road"])[0] == "category"
    _, _, note = found(["(1,234.50)", "12.00"])
    assert note == "numbers are read as in (1,234.5) for -1234.5"
    with pytest.raises(ValueError, match=r"as most of its cells are, got 'oops' in row 4: correct it"):
        found(["(1.50)", "2.00", "3.25", "oops"])
    kind, codec, _ = found(["$(5.00)", "$7.25", "$(6.50)"])  # the prefix may stand before them
    assert kind == "real"
    assert codec.read(polars.Series(["$(5.00)", "($5.00)", "-$5.00"])).to_list() == [-5, -5, -5]


BERLIN = polars.Series([dt.datetime(2020, 3, 29, 0, 30), dt.datetime(2020, 3, 29, 4, 30)])
TYPED = [
    ("integer", polars.Series([1, 200, None], dtype=polars.UInt8)),
    ("integer", polars.Series([-1, 2], dtype=polars.Int16)),
    ("real", polars.Series([2**60 + 1, 2**60 + 2**25, 2**60 + 2**26], dtype=polars.UInt64)),
    ("real", polars.Series([1.5, 2.25, None], dtype=polars.Float32)),
    ("real", polars.Series([1.24, 3.5]).cast(polars.Decimal(10, 2))),
    ("boolean", polars.Series([True, None, False])),
    ("category", polars.Series(["b", "a", None], dtype=polars.Categorical)),
    ("category", polars.Series(["b", "a"], dtype=polars.Enum(["b", "z", "a"]))),
    ("date", polars.Series([dt.date(1969, 1, 1), dt.date(2020, 1, 1), None])),
    ("time", polars.Series([dt.time(1, 2, 3), dt.time(23, 59, 59, 250_000)])),
    ("datetime", polars.Series([dt.datetime(1960, 1, 1, 9), dt.datetime(2020, 1, 1, 9)]).dt.cast_time_unit("ns")),
    ("datetime", BERLIN.dt.replace_time_zone("Europe/Berlin").dt.cast_time_unit("ms")),
    ("duration", polars.Series([dt.timedelta(hours=-30), dt.timedelta(milliseconds=5)]).dt.cast_time_unit("ms")),
]


@pytest.mark.parametrize(("kind", "cells"), TYPED)
def test_cells_of_a_type_come_back_in_it(kind: str, cells: polars.Series) -> None:
    got, codec, _ = found(cells, text=False)
    assert got in (kind, "integer" if kind == "real" else kind)
    numbers = codec.read(cells).fill_null(math.nan).to_numpy()
    back = codec.write(numbers.astype(np.float64))
    assert back.dtype == cells.dtype
    assert back.equals(cells)
    assert codec.read(codec.texts(numbers)).equals(codec.read(cells))  # as a text file would have them
    assert again(codec, got) == codec


def test_single_precision_tells_large_numbers_apart() -> None:
    cells = polars.Series([1_600_000_000_000_000_000 + 10**9 * i for i in range(30)])
    _, codec, _ = found(cells.sample(30, shuffle=True, seed=0).rename("t"), text=False)
    numbers = codec.read(cells).to_numpy().astype(np.float32)
    assert len(np.unique(numbers)) == 30
    reals = polars.Series([1e9 + i / 1000 for i in range(30)])
    _, codec, _ = found(reals, text=False)
    assert len(np.unique(codec.read(reals).to_numpy().astype(np.float32))) == 30


@pytest.mark.parametrize("kind", ["integer", "real", "boolean", "date"])
def test_cells_that_cannot_be_read_are_nan(kind: str) -> None:
    cells = next(cells for own, cells, _ in TEXTS if own == kind)
    _, codec, _ = found(cells)
    got = codec.read(polars.Series(["oops", None]))
    assert got.to_list()[1] is None
    assert not math.isfinite(got[0])


@pytest.mark.parametrize(
    ("strays", "message"),
    [
        (
            [*map(str, range(9)), "oops"],
            "expects numbers, .*, got 'oops' in row 10: correct it, or write a --schema with gaps",
        ),
        ([*map(str, range(9)), "oops", "x", "oops"], "got 'oops', 'x' in 3 cells, the first in row 10: correct them"),
        ([*(f"${i}.50" for i in range(9)), "none of it"], "expects numbers, .* got 'none of it'"),
        ([*(f"{i},5" for i in range(9)), "1.5.2"], r"expects numbers, .* got '1\.5\.2'"),
        ([*(f"{i}%" for i in range(9)), "12"], "expects numbers|^$"),
        ([*(f"2020-01-0{i}" for i in range(1, 9)), "2020-02-30"], "expects dates as %Y-%m-%d, .* got '2020-02-30'"),
    ],
)
def test_one_bad_cell_is_named(strays: list[str], message: str) -> None:
    if strays[-1] == "12":  # a number without its sign is read, as it says what it is
        return
    with pytest.raises(ValueError, match=message):
        found(strays)


@pytest.mark.parametrize("pair", ["Yes No", "true false", "Y N", "1 0"])
def test_one_word_among_booleans_is_named(pair: str) -> None:
    words = [*(pair.split() * 20), "", "maybe"]
    cells = polars.Series("c", words)
    with pytest.raises(
        ValueError, match=r"expects booleans, as the schema says, got 'maybe' in row 42: correct it, or"
    ):
        find_codec_of_kind(cells, np.arange(42), "boolean", {}, text=True)
    if pair != "1 0":  # numbers, if nobody says otherwise
        kind, _, note = found(words)
        assert (kind, note) == (
            "category",
            f"a category, and not {' or '.join(pair.lower().split())}, as row 42 has 'maybe'",
        )
    assert found(["Yes", "No", "maybe"])[2] == ""


@pytest.mark.parametrize("word", ["n/a", "N/A", "#N/A", "NULL", "-", ".", "?", "", " ", "nan", "NA", "None"])
def test_words_for_gaps(word: str) -> None:
    kind, codec, _ = found(["1", word, "2"])
    assert kind == "integer"
    assert codec.read(polars.Series([word, "2"])).to_list() == [None, 2.0]
    assert codec.texts(np.array([math.nan, 2.0])).to_list() == [word.strip() or None, "2"]


def test_some_words_are_values_where_the_others_say_so() -> None:
    kind, codec, note = found(["DE", "NA", "FR", "", "IT", "GB", "ES"])
    assert kind == "category"
    assert isinstance(codec, Categories)
    assert "NA" in codec.categories
    assert "NA is read as a value" in note
    assert codec.read(polars.Series(["", "NA"])).null_count() == 1
    cells = polars.Series("c", ["DE", "NA", "FR", "", "IT", "GB", "ES"])
    assert find_codec_of_kind(cells, np.arange(7), "category", {}, text=True) == codec
    _, strand, _ = found(["+", "-", "+"])
    assert isinstance(strand, Categories)
    assert strand.categories == ("+", "-")


@pytest.mark.parametrize(
    ("cells", "gaps"),
    [(["DE", "NA", "FR"], "[]"), (["Gd", "NA", "TA", "?", ""], "['?']"), (["DE", "NA", "DE"], "[]")],
)
def test_na_among_short_words_is_said_to_be_a_gap(cells: list[str], gaps: str) -> None:
    _, codec, note = found(cells)
    assert "NA" not in getattr(codec, "categories", ())
    assert note.endswith(
        f"NA is read as an empty cell; if it is a value, like Namibia's code, write a --schema with gaps: {gaps}"
    )


@pytest.mark.parametrize("dtype", [polars.Categorical(), polars.Enum(["DE", "-", "NA"])])
def test_words_of_a_categorical_type_are_values(dtype: polars.DataType) -> None:
    cells = polars.Series("c", ["DE", "NA", "-", None], dtype=dtype)
    kind, codec, _ = found(cells, text=False)
    codes = codec.read(cells)
    assert codes.null_count() == again(codec, kind).read(cells).null_count() == 1
    assert codec.write(codes.to_numpy()).cast(polars.String).to_list() == ["DE", "NA", "-", None]


@pytest.mark.parametrize("cells", [["1", "NA", "2"], ["Berlin", "NA", "Paris"], ["Yes", "NA", "No"], ["DE", "?", "FR"]])
def test_a_gap_that_is_no_value_needs_no_note(cells: list[str]) -> None:
    assert found(cells)[2] == ""


def test_rare_categories_share_a_code_and_are_sampled_from_the_training_rows() -> None:
    cells = polars.Series("c", ["often"] * 500 + [f"rare {i // 2}" for i in range(6000)])
    kind, codec, note = found(cells)
    assert kind == "category"
    assert isinstance(codec, Categories)
    assert (codec.categories, codec.size) == (("often",), 2)
    assert "samples take them from the training rows" in note
    assert codec.read(polars.Series(["often", "rare 7", "never seen"])).to_list() == [0, 1, 1]
    written = codec.write(np.ones(300)).to_list()
    assert set(written) <= set(cells[500:])
    assert len(set(written)) > 100
    assert written == codec.write(np.ones(300)).to_list()


def test_categories_that_training_did_not_have_share_a_code() -> None:
    codec = find_categories(polars.Series(["a", "b", "a", "c"]), polars.Series(["a", "b", "a"]), text=True)
    assert codec.size == 3
    assert codec.read(polars.Series(["b", "c", "new", None])).to_list() == [1, 2, 2, None]
    assert set(codec.write(np.full(50, 2.0)).to_list()) == {"a", "b"}


@pytest.mark.parametrize(
    "cells",
    [
        [f"P{i:03d}" for i in range(40)],
        [str(i) for i in range(1, 41)],
        [f"{i * 7919 % 99991:05x}-{chr(65 + i % 26)}" for i in range(40)],
        [f"name {chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(40)],
        polars.Series("n", range(40), dtype=polars.UInt16),
    ],
)
def test_identifiers_are_made_anew(cells: Any) -> None:
    text = not isinstance(cells, polars.Series)
    kind, codec, note = found(cells, text=text)
    assert kind == "identifier"
    assert isinstance(codec, Identifiers)
    assert "never released" in note
    fresh = codec.cells(30)
    assert fresh.n_unique() == 30
    if codec.first is None and not codec.patterns:
        assert not set(fresh.to_list()) & set(polars.Series(cells).to_list())
    assert text or fresh.dtype == cells.dtype
    assert again(codec, kind) == codec


@pytest.mark.parametrize(
    ("cells", "text", "kind"),
    [
        (["x"] * 9, True, "constant"),
        (["", "NA", ""], True, "constant"),
        (polars.Series([dt.date(2020, 1, 1)] * 3), False, "constant"),
        (polars.Series([7, 7], dtype=polars.UInt8), False, "constant"),
        (polars.Series([None, None]), False, "constant"),
        (polars.Series([[1], [2]]), False, "ignore"),
        (polars.Series([{"a": 1}, {"a": 2}]), False, "ignore"),
        (polars.Series([b"a", b"b"]), False, "ignore"),
        (polars.Series("v", [0.5 * i for i in range(40)]), False, "real"),
        (polars.Series("year", range(1960, 2000)), False, "integer"),
    ],
)
def test_columns_that_are_no_variables(cells: Any, text: bool, kind: str) -> None:
    got, codec, note = found(cells, text=text)
    assert got == kind
    assert bool(note) == (kind in ("constant", "ignore"))
    if kind == "constant":
        series = polars.Series(cells)
        back = codec.texts(np.zeros(2)) if text else codec.write(np.zeros(2))
        assert text or back.equals(series[:2])
        assert not text or back.to_list() == [series[0] or None] * 2


def test_rows_are_numbered_in_their_range() -> None:
    _, codec, _ = found(polars.Series("row_id", range(5, 45), dtype=polars.UInt16), text=False)
    assert codec.cells(4).to_list() == [5, 15, 25, 35]
    assert codec.cells(50).to_list() == list(range(5, 55))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([f"2022-04-{d:02d}" for d in range(1, 19)] + [f"{d}/05/2022" for d in range(13, 31)], "dates in one format"),
        ([f"€{i}.50" for i in range(20)] + [f"${i}.25" for i in range(20)], "amounts in one currency"),
    ],
)
def test_what_is_written_in_several_ways_is_refused(cells: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        found(cells)


def test_a_time_after_midnight_is_the_last_of_the_day_in_the_unit_of_its_column() -> None:
    _, codec, _ = found(["08:00", "09:30", "23:15"])
    assert codec.texts(np.array([24 * 60 + 3.0])).to_list() == ["23:59"]
    _, codec, _ = found(polars.Series([dt.time(8), dt.time(17)]))
    assert codec.write(np.array([30.0])).to_list() == [dt.time(23)]
