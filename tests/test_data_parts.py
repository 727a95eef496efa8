"""Folders of train, valid and test files whose columns have names, and what tables of text are read as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from test_data_frames import ROWS, mixed

import chainrule.data
from chainrule.data.formats import RowsFormat
from chainrule.data.read import levels, part, table, table_file
from chainrule.data.read.table import chunks_of, read_cells, read_frame, read_levels
from chainrule.data.schema import TableSchema

CUTS = {"train": (0, 40), "valid": (40, 50), "test": (50, ROWS)}


def write(frame: polars.DataFrame, path: Path) -> None:
    frame.write_csv(path) if path.suffix == ".csv" else frame.write_parquet(path)


def parts(folder: Path, frame: polars.DataFrame, suffixes: dict[str, str] | str = ".csv") -> Path:
    for split, (start, stop) in CUTS.items():
        suffix = suffixes if isinstance(suffixes, str) else suffixes[split]
        write(frame[start:stop], folder / f"people.{split}{suffix}")
    return folder


def schema_of(data: Any) -> TableSchema:
    assert isinstance(data.format, TableSchema)
    return data.format


@pytest.mark.parametrize("suffixes", [".csv", ".parquet", {"train": ".csv", "valid": ".parquet", "test": ".csv"}])
def test_a_folder_of_named_real_columns_is_a_table(tmp_path: Path, suffixes: dict[str, str] | str) -> None:
    data = chainrule.data.load(parts(tmp_path, mixed(), suffixes))
    schema = schema_of(data)
    assert [column.kind for column in schema.columns] == [
        "real",
        "category",
        "integer",
        "integer",
        "boolean",
        "boolean",
    ]
    for split, (start, stop) in CUTS.items():
        assert schema.decode(data.split(split)[:].numpy()).equals(mixed()[start:stop])
    assert "split_seed" not in data.provenance
    assert data.provenance["schema"] == schema.config
    assert data.provenance["splits"] == {"train": 40, "valid": 10, "test": 10}


def test_ranges_are_of_all_parts_and_categories_and_means_of_train(tmp_path: Path) -> None:
    frame = mixed().with_columns(
        children=polars.when(polars.int_range(ROWS) == ROWS - 1).then(99).otherwise("children"),
        colour=polars.when(polars.int_range(ROWS) == ROWS - 1).then(polars.lit("violet")).otherwise("colour"),
    )
    schema = schema_of(chainrule.data.load(parts(tmp_path, frame)))
    assert schema.columns[2].high == 99
    assert "violet" not in schema.columns[1].categories
    heights = frame["height"][:40].drop_nulls()
    assert schema.columns[0].mean == pytest.approx(heights.mean())
    assert schema.columns[0].std == pytest.approx(heights.std(ddof=0))


def test_types_are_of_all_parts(tmp_path: Path) -> None:
    frame = polars.DataFrame({"x": [float(i) for i in range(50)] + [0.5] * 10, "zip": ["00501", "10001"] * 30})
    frame.with_columns(x=polars.col("x").cast(polars.String).str.strip_suffix(".0")).pipe(
        lambda text: parts(tmp_path, text)
    )
    schema = schema_of(chainrule.data.load(tmp_path))
    assert schema.columns[0].kind == "real"
    assert schema.columns[1].categories == ("00501", "10001")


def test_parts_of_levels_stay_levels_unless_a_schema_is_given(tmp_path: Path) -> None:
    parts(tmp_path, polars.DataFrame({"a": [0, 1, 2] * 20, "b": [1, 0, 1] * 20}))
    assert chainrule.data.load(tmp_path).format == RowsFormat(3)
    assert [column.kind for column in schema_of(chainrule.data.load(tmp_path, schema="infer")).columns] == [
        "integer",
        "integer",
    ]
    told = {"columns": {"a": "category", "b": "ignore"}}
    assert schema_of(chainrule.data.load(tmp_path, schema=told)).used[0].categories == ("0", "1", "2")


def test_columns_of_parts_must_be_the_same(tmp_path: Path) -> None:
    parts(tmp_path, mixed())
    shuffled = mixed()[40:50].select(reversed(mixed().columns))
    write(shuffled, tmp_path / "people.valid.csv")
    data = chainrule.data.load(tmp_path)
    assert schema_of(data).decode(data.valid[:].numpy()).equals(mixed()[40:50])
    write(mixed()[40:50].rename({"colour": "color"}), tmp_path / "people.valid.csv")
    with pytest.raises(ValueError, match=r"valid\.csv: expected the column 'colour' of people\.train\.csv, got none"):
        chainrule.data.load(tmp_path)
    write(mixed()[40:50].with_columns(more=1), tmp_path / "people.valid.csv")
    with pytest.raises(ValueError, match=r"expected the columns of people\.train\.csv, got 'more' also"):
        chainrule.data.load(tmp_path)
    (tmp_path / "people.valid.csv").unlink()
    write(mixed()[40:50].with_columns(height=polars.lit("tall")), tmp_path / "people.valid.parquet")
    with pytest.raises(ValueError, match=r"column 'height': expected Float64 as in people\.train\.csv, got String"):
        chainrule.data.load(tmp_path)


@pytest.mark.parametrize("chunk_bytes", [50, 10**6])
@pytest.mark.parametrize("rows", [40, 3])
def test_empty_lines_are_skipped_and_rows_of_empty_cells_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, rows: int
) -> None:
    monkeypatch.setattr(table_file, "CHUNK_BYTES", chunk_bytes)
    lines = [f"{i}.5,{'xy'[i % 2]}" for i in range(rows)]
    lines[1] = ","
    text = "a,b\n\n" + "\n   \n\n".join(lines) + "\n\n\n"
    (tmp_path / "t.csv").write_text(text)
    frame = read_frame(tmp_path / "t.csv")
    assert len(frame) == rows
    assert frame.row(1) == (None, None)
    assert frame["a"].drop_nulls().to_list() == [i + 0.5 for i in range(rows) if i != 1]


@pytest.mark.parametrize("chunk_bytes", [50, 10**6])
def test_a_row_that_is_too_short_is_not_taken_for_one_with_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    monkeypatch.setattr(table_file, "CHUNK_BYTES", chunk_bytes)
    lines = [f"{i}.5,x,1" for i in range(40)]
    for short, message in (("7.5,x", "got 2"), ("7.5,x,1,2", "got 4")):
        (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *lines[:20], "", short, *lines[20:]]))
        with pytest.raises(ValueError, match=rf"line 23: expected 3 columns like the first line, {message}"):
            chainrule.data.load(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *lines, "7.5,x,", *lines]))
    assert read_frame(tmp_path / "t.csv").null_count().row(0) == (0, 0, 1)


def test_the_place_of_a_fault_is_that_in_the_file_whatever_the_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "CHUNK_BYTES", 50)
    rows = ["1,0"] * 30
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *rows, "", "", *rows, '1,"x"', *rows]))
    with pytest.raises(ValueError, match=r"line 64, column 2 \('b'\): expected a number, got 'x'"):
        read_levels(tmp_path / "t.csv")


def test_a_file_whose_later_cells_are_no_levels_is_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{i % 3},{i % 2}" for i in range(100)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b", *lines, "0.5,1"]))
    whole = read_frame(tmp_path / "t.csv")
    assert whole["a"].to_list() == [*(i % 3 for i in range(100)), 0.5]
    monkeypatch.setattr(table_file, "CHUNK_BYTES", 50)
    for limit in (10**6, 100):  # kept in memory, or read anew
        monkeypatch.setattr(part, "SPILL_BYTES", limit)
        found = table.read_tables(table.open_tables([tmp_path / "t.csv"]))
        assert isinstance(found, table.MixedParts)
        assert found.frame["a"].cast(polars.Float64).equals(whole["a"])


def test_a_text_table_is_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed().write_csv(tmp_path / "people.csv")
    polars.DataFrame({"a": [0, 1] * 30, "b": [2, 0] * 30}).write_csv(tmp_path / "levels.csv")
    scans = []
    scan = polars.scan_csv
    monkeypatch.setattr(polars, "scan_csv", lambda path, **more: scans.append(path) or scan(path, **more))
    for name in ("people.csv", "levels.csv"):
        scans.clear()
        chainrule.data.load(tmp_path / name)
        assert len(scans) == 1


def test_types_are_those_of_all_cells(tmp_path: Path) -> None:
    columns = {
        "integer": ["1", " 2", "-3", "NA"],
        "real": ["1", "2.5", "1e3", ""],
        "truth": ["true", "False", "TRUE", "?"],
        "day": ["2024-01-31", "2024-02-01", "", "2024-02-02"],
        "time": ["2024-01-31 10:00:00", "2024-01-31 11:00:00.5", "NaN", "2024-02-02 00:00:00"],
        "text": ["1", "two", "3", "4"],
        "code": ["007", "1", "2", "3"],
        "empty": ["", "NA", "", ""],
    }
    polars.DataFrame(columns).write_csv(tmp_path / "t.csv")
    frame = read_frame(tmp_path / "t.csv")
    names = [kind.base_type() for kind in frame.dtypes]
    text, number = polars.String, polars.Float64
    assert names == [polars.Int64, number, polars.Boolean, polars.Date, polars.Datetime, text, text, text]
    assert frame["integer"].to_list() == [1, 2, -3, None]
    assert frame["truth"].to_list() == [True, False, True, None]
    assert read_cells(tmp_path / "t.csv").frame["integer"].to_list() == ["1", " 2", "-3", "NA"]


def test_chunks_of_a_known_schema_are_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed().write_csv(tmp_path / "people.csv")
    schema = schema_of(chainrule.data.load(tmp_path / "people.csv"))
    monkeypatch.setattr(table_file, "CHUNK_BYTES", 100)
    chunks = list(chunks_of(tmp_path / "people.csv", schema, rows=7))
    assert len(chunks) > 1
    x = np.concatenate([schema.encode(chunk, "people.csv") for chunk in chunks])
    assert np.array_equal(x, schema.encode(mixed(), "people"), equal_nan=True)
    examples, names = table.read_all(tmp_path / "people.csv", schema)
    assert names is None
    assert np.array_equal(examples[:].numpy(), x, equal_nan=True)


def test_large_levels_are_gathered_in_a_file_of_their_own_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "SPILL_BYTES", 100)
    monkeypatch.setattr(levels, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(table_file, "CHUNK_BYTES", 100)
    values = np.arange(0, 600).reshape(300, 2)  # the first chunks need one byte, the last two
    np.savetxt(tmp_path / "t.csv", values, fmt="%d", delimiter=",", header="a,b", comments="")
    found = read_levels(tmp_path / "t.csv")
    assert isinstance(found, np.memmap)
    assert found.dtype == np.uint16
    assert np.array_equal(found, values)
    assert len(list((tmp_path / "cache" / "scratch").iterdir())) == 1
