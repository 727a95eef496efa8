import numpy as np
import polars
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import chainrule.data
from chainrule.data.named import files
from chainrule.data.read import levels, table_file
from chainrule.data.read.table import read_levels

TABLE = np.random.RandomState(0).randint(0, 5, (40, 6))


def write(path, table):
    """Write ``table`` in the format that the suffix names."""
    if path.suffix == ".npy":
        np.save(path, table)
    elif path.suffix == ".npz":
        np.savez(path, table)
    elif path.suffix == ".parquet":
        polars.DataFrame(table, schema=[f"c{index}" for index in range(table.shape[1])]).write_parquet(path)
    else:
        np.savetxt(path, table, fmt="%d", delimiter=",")
    return path


SUFFIXES = (".npy", ".npz", ".csv", ".data", ".parquet")


def together(data):
    rows = torch.cat([data.train[:], data.valid[:], data.test[:]]).flatten(1).int().tolist()
    return sorted(rows)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_every_format_is_split(tmp_path, suffix):
    path = write(tmp_path / f"table{suffix}", TABLE)
    data = chainrule.data.load(path)
    assert (data.event_shape, data.levels, data.labels) == ((6,), 5, None)
    assert data.provenance["splits"] == {"train": 32, "valid": 4, "test": 4}
    assert data.provenance["path"] == str(path)
    assert together(data) == sorted(TABLE.tolist())
    again, other = chainrule.data.load(str(path)), chainrule.data.load(path, seed=1)
    assert torch.equal(data.train[:], again.train[:])
    assert not torch.equal(data.train[:], other.train[:])
    assert np.array_equal(chainrule.data.read_rows(path), TABLE)
    assert chainrule.data.read_rows(path).dtype == (TABLE.dtype if suffix == ".npy" else np.uint8)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("pattern", ["{}", "table.{}"])
def test_a_folder_of_splits(tmp_path, suffix, pattern):
    parts = {"train": TABLE[:20], "valid": TABLE[20:25], "test": TABLE[25:]}
    for split, part in parts.items():
        write(tmp_path / f"{pattern.format(split)}{suffix}", part)
    (tmp_path / "README.txt").write_text("not data")
    data = chainrule.data.load(tmp_path)
    for split, part in parts.items():
        assert np.array_equal(data.split(split)[:].numpy(), part)
    assert "split_seed" not in data.provenance


def test_an_npz_of_splits(tmp_path):
    path = tmp_path / "images.npz"
    images = TABLE.reshape(10, 6, 4)
    np.savez_compressed(path, train=images[:5], valid=images[5:7], test=images[7:], other=np.zeros(3))
    data = chainrule.data.load(path, levels=7)
    assert (data.event_shape, data.levels) == ((1, 6, 4), 7)
    assert np.array_equal(data.test[:].numpy()[:, 0], images[7:])


@pytest.mark.parametrize(("shape", "event"), [((9, 4, 5), (1, 4, 5)), ((9, 3, 4, 5), (3, 4, 5)), ((9, 7), (7,))])
def test_event_shapes(tmp_path, shape, event):
    np.save(tmp_path / "a.npy", np.ones(shape, dtype=bool))
    data = chainrule.data.load(tmp_path / "a.npy")
    assert data.train[[0, 1]].shape == (2, *event)
    assert data.levels == 2


def test_levels_are_of_all_splits_and_at_least_two(tmp_path):
    write(tmp_path / "train.csv", np.zeros((3, 2)))
    write(tmp_path / "valid.csv", np.zeros((3, 2)))
    write(tmp_path / "test.csv", np.full((3, 2), 300))
    assert chainrule.data.load(tmp_path).levels == 301
    write(tmp_path / "test.csv", np.zeros((3, 2)))
    assert chainrule.data.load(tmp_path).levels == 2
    assert chainrule.data.load(tmp_path, levels=9).levels == 9


@given(
    table=arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=6)),
    header=st.booleans(),
    delimiter=st.sampled_from(",;\t "),
    ending=st.sampled_from(["\n", "\r\n"]),
    as_float=st.booleans(),
    empty_lines=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_delimited_round_trip(tmp_path_factory, table, header, delimiter, ending, as_float, empty_lines):
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    lines = [delimiter.join(f"{value}.0" if as_float else str(value) for value in row) for row in table]
    if header and delimiter != " ":
        lines.insert(0, delimiter.join(f"a column {index}" for index in range(table.shape[1])))
    path.write_bytes((ending * (1 + empty_lines)).join([*lines, ""]).encode())
    assert np.array_equal(read_levels(path), table)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("\ufeffa,b\n1,0\n", [[1, 0]]),
        ('"a, or","b"\n"1", 0\n', [[1, 0]]),
        ("1  0\n 0 1 \n", [[1, 0], [0, 1]]),
        ("name\n1\n2\n", [[1], [2]]),
        ("1,0", [[1, 0]]),
        ("0,1,2,3\n1,0,0,1\n", [[1, 0, 0, 1]]),
    ],
)
def test_delimited_layouts(tmp_path, text, rows):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert read_levels(tmp_path / "a.csv").tolist() == rows


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_blocks_and_a_memory_mapped_result(tmp_path, monkeypatch, suffix):
    path = write(tmp_path / f"table{suffix}", TABLE + 250)
    monkeypatch.setattr(files, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(levels, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(table_file, "CHUNK_BYTES", 100)
    small = chainrule.data.read_rows(path)
    assert not isinstance(small, np.memmap)
    monkeypatch.setattr(levels, "SPILL_BYTES", 100)
    large = chainrule.data.read_rows(path)
    assert isinstance(large, np.memmap)
    assert large.dtype == small.dtype == np.uint8
    assert np.array_equal(large, TABLE + 250)
    (scratch,) = (tmp_path / "cache" / "scratch").iterdir()
    levels._remove(scratch, owner=-1)
    assert scratch.exists()
    assert together(chainrule.data.load(path)) == sorted((TABLE + 250).tolist())


def test_an_npy_file_is_memory_mapped(tmp_path):
    data = chainrule.data.load(write(tmp_path / "a.npy", TABLE))
    assert isinstance(data.train.array, np.memmap)


BAD_TEXT = {
    "": "expected rows of values, got an empty file",
    "\n\n": "got an empty file",
    "a,b\n": "expected rows of values, found none",
    "1,0\n0\n": "line 2: expected 2 columns like the first line, got 1",
    "1,0\n\n0,1,1\n": "line 3: expected 2 columns like the first line, got 3",
    "a,b\n1,0\n0,x\n": r"line 3, column 2 \('b'\): expected a number, got 'x'",
    "id,0,1\n3,1,0\n": "line 1, column 1: expected a number, got 'id'",
    ",1,0\n3,1,0\n": "line 1, column 1: expected a number, got an empty cell",
    "1,0\n0,x\n": "line 2, column 2: expected a number, got 'x'",
    "1,0\n,1\n": "line 2, column 1: expected a number, got an empty cell",
    "1,0\n0,1_0\n": "line 2, column 2: expected a number, got '1_0'",
    "a,b\n1,nan\n": r"line 2, column 2 \('b'\): expected a non-negative integer, got nan",
    "a,b\n1,inf\n": r"line 2, column 2 \('b'\): expected an? .*integer.*, got inf",
    "a,b\n1,0\n\n-1,0\n": r"line 4, column 1 \('a'\): expected a non-negative integer, got -1",
    "age,b\n0,1\n0.5,1\n": r"line 3, column 1 \('age'\): .* got 0.5; real numbers are for a table",
    "id,b\n70000,1\n": r"line 2, column 1 \('id'\): expected an integer from 0 to 65535, got 70000; drop the column",
}


@pytest.mark.parametrize(("text", "message"), BAD_TEXT.items())
def test_bad_text(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        chainrule.data.read_rows(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_too_few_rows_to_split(tmp_path):
    (tmp_path / "two.csv").write_text("1,0\n0,1\n")
    with pytest.raises(ValueError, match=r"two\.csv: expected at least 3 examples to split into train, valid and test"):
        chainrule.data.load(tmp_path / "two.csv")


def test_a_binary_file_named_csv(tmp_path):
    (tmp_path / "a.csv").write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match=r"a\.csv"):
        chainrule.data.load(tmp_path / "a.csv")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_values_beyond_the_levels(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", TABLE)
    with pytest.raises(ValueError, match=r"expected an integer from 0 to 2 \(levels=3\), got [34]"):
        chainrule.data.load(path, levels=3)


BAD_ARRAYS = [
    (np.array([[1.0, np.nan]]), "row 1, column 2: expected a non-negative integer, got nan"),
    (np.array([[1, 0], [-2, 0]]), "row 2, column 1: expected a non-negative integer, got -2"),
    (np.array([[0.0], [0.25]]), "row 2, column 1: .* got 0.25; real numbers are for a table"),
    (np.full((4, 2, 3), -1), r"row 1, position \(0, 0\): expected a non-negative integer, got -1"),
    (np.array([[1, 2**40]]), "expected an integer from 0 to 65535, got 1099511627776"),
    (np.zeros(5, dtype=int), r"expected an array \(N, columns\).* got the shape \(5,\)"),
    (np.array(3), r"got the shape \(\)"),
    (np.zeros((5, 0), dtype=int), r"no size of 0, got the shape \(5, 0\)"),
    (np.zeros((0, 5), dtype=int), r"no size of 0, got the shape \(0, 5\)"),
    (np.zeros((5, 28, 28, 3), dtype=int), "expected images with the channels first"),
    (np.array([["a"]]), "expected integers, got values of type <U1"),
    (np.array([[1j]]), "expected integers, got values of type complex128"),
    (np.array([[None]]), "that cannot be read"),
    (np.zeros((2, 5), dtype=int), "expected at least 3 examples"),
]


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(("array", "message"), BAD_ARRAYS)
def test_bad_arrays(tmp_path, suffix, array, message):
    path = write(tmp_path / f"bad{suffix}", array)
    with pytest.raises(ValueError, match=message) as error:
        chainrule.data.load(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
@pytest.mark.parametrize(
    "content", [b"", b"something else", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"PAR1PAR1"], ids=range(5)
)
def test_files_of_another_kind(tmp_path, suffix, content):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"bad\{suffix}: expected") as error:
        chainrule.data.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet"])
def test_truncated_files(tmp_path, suffix):
    path = write(tmp_path / f"a{suffix}", TABLE)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="that cannot be read"):
        chainrule.data.load(path)


def test_an_npz_with_other_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", train=TABLE, test=TABLE)
    with pytest.raises(ValueError, match="one array, or the arrays train, valid and test, got train, test"):
        chainrule.data.load(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", train=TABLE, valid=TABLE, test=TABLE[:, :2])
    with pytest.raises(ValueError, match=r"expected test examples of the shape \(6,\) as in train, got \(2,\)"):
        chainrule.data.load(tmp_path / "a.npz")


BAD_FRAMES = [
    ({"a": [1, 2, 3], "b": ["x", "y", "z"]}, "column 'b': expected integers, got String"),
    ({"a": [1, None, 3]}, "row 2, column 'a': expected a number, got an empty cell"),
    ({"a": [1, 2, 3], "b": [1.0, 0.5, 2.0]}, "row 2, column 'b': .* got 0.5; real numbers are for a table"),
    ({"a": [1, -2, 3]}, "row 2, column 'a': expected a non-negative integer, got -2"),
    ({"a": [1.0, float("nan"), 3.0]}, "row 2, column 'a': expected a non-negative integer, got nan"),
    ({}, "expected at least one column, got none"),
    ({"a": polars.Series([], dtype=polars.Int64)}, "expected rows of values, found none"),
]


@pytest.mark.parametrize(("columns", "message"), BAD_FRAMES)
def test_bad_parquet(tmp_path, columns, message):
    path = tmp_path / "a.parquet"
    polars.DataFrame(columns).write_parquet(path)
    with pytest.raises(ValueError, match=message):
        chainrule.data.read_rows(path)


def test_missing_files_and_other_suffixes(tmp_path):
    write(tmp_path / "adult.csv", TABLE)
    with pytest.raises(FileNotFoundError, match=r"found no .*aduld\.csv, did you mean adult\.csv"):
        chainrule.data.load(tmp_path / "aduld.csv")
    with pytest.raises(FileNotFoundError, match="found no"):
        chainrule.data.load(str(tmp_path / "no" / "such.csv"))
    (tmp_path / "a.xlsx").write_bytes(b"PK\3\4\0\0")
    with pytest.raises(ValueError, match=r"expected a table .*, got a file ending in \.xlsx that is no text"):
        chainrule.data.load(tmp_path / "a.xlsx")


def test_incomplete_folders(tmp_path):
    with pytest.raises(ValueError, match=r"expected images .* or the files .*, found none"):
        chainrule.data.load(tmp_path)
    write(tmp_path / "a.train.csv", TABLE)
    write(tmp_path / "a.valid.csv", TABLE[:, :3])
    with pytest.raises(ValueError, match="one file of each of train, valid and test, got for test: none"):
        chainrule.data.load(tmp_path)
    write(tmp_path / "a.test.csv", TABLE)
    with pytest.raises(ValueError, match=r"valid\.csv: expected valid examples of the shape \(6,\) as in train"):
        chainrule.data.load(tmp_path)
    write(tmp_path / "b.test.csv", TABLE)
    with pytest.raises(ValueError, match=r"got for test: a\.test\.csv, b\.test\.csv"):
        chainrule.data.load(tmp_path)
