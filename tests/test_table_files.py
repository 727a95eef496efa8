"""From the bytes of a file to text cells in columns of different names."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars
import pytest
from command_line import FAST, refused

import chainrule.data
from chainrule.cli import main
from chainrule.data.read.header import names_columns
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.open_table import open_table
from chainrule.data.read.table import frame_of, read_frame

WORDS = [("Zoë", "1.5"), ("Ångström", "2.5"), ("Curaçao", "3.5")]
LINES = "name,value\n" + "".join(f"{name},{value}\n" for name, value in WORDS)


def written(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(path: Path, **choices: object) -> tuple[list[str], list[tuple[object, ...]]]:
    frame = read_frame(path, choices=FileChoices(**choices))  # type: ignore[arg-type]
    return frame.columns, frame.rows()


EXPECTED = (["name", "value"], [(name, float(value)) for name, value in WORDS])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    assert rows_of(written(tmp_path, LINES.encode(encoding))) == EXPECTED
    assert rows_of(written(tmp_path, LINES.encode(encoding)), encoding="latin-1" if encoding != "utf-8" else None)


def test_utf16_of_both_byte_orders_is_marked(tmp_path: Path) -> None:
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert rows_of(written(tmp_path, mark + LINES.encode(encoding))) == EXPECTED
        with pytest.raises(ValueError, match=f"got what may be --encoding {encoding}"):
            open_table(written(tmp_path, LINES.encode(encoding)))
        assert rows_of(written(tmp_path, LINES.encode(encoding)), encoding=encoding) == EXPECTED


@pytest.mark.parametrize("encoding", ["latin-1", "windows-1252"])
def test_another_encoding_is_refused_by_name_and_read_if_named(tmp_path: Path, encoding: str) -> None:
    text = LINES + ("5 €,4.5\n" if encoding == "windows-1252" else "")
    path = written(tmp_path, text.encode(encoding))
    with pytest.raises(
        ValueError, match=rf"line 2: expected text in UTF-8, got the byte 0xeb: .* --encoding {encoding}"
    ):
        open_table(path)
    names, rows = rows_of(path, encoding=encoding)
    assert (names, rows[:3]) == EXPECTED
    assert open_table(path, FileChoices(encoding=encoding)).notes[0].startswith("its encoding is")
    with pytest.raises(ValueError, match="encoding expects the name of one, such as utf-8, latin-1"):
        open_table(path, FileChoices(encoding="latin-17"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,x\0y\n", "line 2: expected text, got a NUL character"),
        (b"a,b\n1,x\n2,\xc3", "line 3: expected text in UTF-8, got a file that ends within a character"),
        (b"PK\x03\x04" + bytes(60), "a spreadsheet or a zip file: export it as .csv"),
        (b"\x89PNG\r\n\x1a\n", "expected a table as text in UTF-8, got other bytes"),
        (b'a,b\n1,x\n2,"', "line 3: expected a quoted cell to end, got the end of the file"),
        (b'a,b\n1,x\n"', "line 3: expected a quoted cell to end, got the end of the file"),
        (b'"a,b\n' + b"1,x\n" * 2000, "line 1: expected a quoted cell to end within"),
        (b'a,b\n1,"x"y\n2,z\n', "line 2: expected a row of a table"),
    ],
)
def test_what_is_no_table_as_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=message) as error:
        read_frame(path)
    assert str(error.value).startswith(str(path))


def test_ragged_rows_are_named_together(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n1\n1,2,3\n" + "4\n" * 6)
    with pytest.raises(
        ValueError, match="line 3: expected 2 columns like the first line, got 1; line 4: got 3; .*; and 3"
    ):
        read_frame(path)
    with pytest.raises(ValueError, match="expected a first line of 3 columns like all others, got 4"):
        read_frame(written(tmp_path, "150,4,x,y\n" + "1.5,2.5,0\n" * 9))


@pytest.mark.parametrize(
    ("first", "rows", "header"),
    [
        (["x", "y"], [["1", "2"], ["3", "4"]], True),
        (["1", "2"], [["1", "2"], ["3", "4"]], False),
        (["1990", "1991", "1993"], [["3.5", "4.5", "2.5"], ["1.5", "2.5", "9.5"]], True),
        (["1901", "1950"], [["1902", "1960"], ["1903", "1970"]], False),
        (["country", "2019", "2020"], [["Chile", "4", "5"], ["Peru", "7", "9"]], True),
        (["400", "402.5", "405", "407.5"], [["0.1", "0.3", "0.2", "0.9"], ["0.4", "0.1", "0.3", "0.3"]], True),
        (["red", "small"], [["blue", "small"], ["red", "large"]], False),
        (["colour", "size"], [["blue", "small"], ["red", "large"]], None),
        (["2020-01-01", "1.5"], [["2020-01-02", "2.5"], ["2020-01-03", "3.5"]], False),
        (["day", "n"], [["2020-01-02", "x"], ["2020-01-03", "y"]], True),
        (["NA", "3"], [["2", "4"], ["5", "6"]], False),
        (["39", "State-gov", "<=50K"], [["50", "Private", "<=50K"], ["38", "Private", ">50K"]], False),
    ],
)
def test_the_cells_below_tell_a_header(first: list[str], rows: list[list[str]], header: bool | None) -> None:
    assert names_columns(first, rows) is header


LAYOUTS = {
    "headerless": ("5.1,a\n4.9,b\n4.7,a\n", ["column_1", "column_2"], (5.1, "a"), 3),
    "years": ("1990,1991,1992\n0.5,1.5,2.5\n0.1,0.2,0.4\n", ["1990", "1991", "1992"], (0.5, 1.5, 2.5), 2),
    "semicolons": ("a;b\n1;x, y\n2;z\n", ["a", "b"], (1, "x, y"), 2),
    "bars": ("a|b\n1|x\n2|z\n", ["a", "b"], (1, "x"), 2),
    "tabs": ("a\tb\n1\tx y\n2\tz\n", ["a", "b"], (1, "x y"), 2),
    "spaces": ("Chins Situps  Jumps\n  5   162    60\n2 110 60 \n", ["Chins", "Situps", "Jumps"], (5, 162, 60), 2),
    "quotes among spaces": ('"name" mpg\n"Mazda RX4" 21.5\n"Fiat" 32\n', ["name", "mpg"], ("Mazda RX4", 21.5), 2),
    "words in one column": ("city\nNew York\nLos Angeles\n", ["city"], ("New York",), 2),
    "thousands": ("n\n1 234\n5 678\n", ["n"], (1234,), 2),
    "row names among spaces": ("a b\nx 1 2\ny 3 4\n", ["column_1", "a", "b"], ("x", 1, 2), 2),
    "names in single quotes": ("'a'\t'b'\n1\t2\n3\t4\n", ["a", "b"], (1, 2), 2),
    "row names": ('"a","b"\n"x",1,2\n"y",3,4\n', ["column_1", "a", "b"], ("x", 1, 2), 2),
    "row numbers": ('"a","b"\n"1",1,2\n"2",3,4\n', ["a", "b"], (1, 2), 2),
    "an index": (",a\n0,1.5\n1,2.5\n", ["a"], (1.5,), 2),
    "a shuffled index": ("Unnamed: 0,a\n7,1.5\n3,2.5\n", ["a"], (1.5,), 2),
    "a first column without a name": (",a\n0.5,1.5\n0.5,2.5\n", ["column_1", "a"], (0.5, 1.5), 2),
    "duplicates": ("a,a,a_2\n1,2,x\n3,4,y\n", ["a", "a_3", "a_2"], (1, 2, "x"), 2),
    "trailing delimiters": ("a,b,\n1,2,\n3,4,\n", ["a", "b"], (1, 2), 2),
    "trailing in rows only": ("a,b\n1,2,\n3,4,\n", ["a", "b"], (1, 2), 2),
    "comments": ("# made by hand\n#\na,b\n1,2\n3,4\n", ["a", "b"], (1, 2), 2),
    "numpy's header": ("# a,b\n1.5,2\n3.5,4\n", ["a", "b"], (1.5, 2), 2),
    "a comment of tabs": ("# list\n#code\tname\nAD\tAndorra\nAE\tEmirates\n", ["code", "name"], ("AD", "Andorra"), 2),
    "cells that begin with #": ("#ff0000,1\n#00ff00,2\n", ["column_1", "column_2"], ("#ff0000", 1), 2),
    "a spreadsheet's separator": ("sep=;\na;b\n1;2\n3;4\n", ["a", "b"], (1, 2), 2),
    "old line ends": ("a,b\r1,2\r3,4\r", ["a", "b"], (1, 2), 2),
    "a new line in a name": ('"a\nb",c\n1,2\n3,4\n', ["a\nb", "c"], (1, 2), 2),
    "a new line in a cell": ('a,b\n"x\n\ny",2\n3,4\n', ["a", "b"], ("x\n\ny", 2), 2),
    "blank lines": ("\na\n1\n\n2\n\n\n", ["a"], (1,), 2),
    "an empty cell in quotes": ('a\nx\n""\n\ny\n\n', ["a"], ("x",), 3),
    "inches": ('size,n\n5" pipe,1\n6" pipe,2\nx,3\n', ["size", "n"], ('5" pipe', 1), 3),
    "quotes after spaces": ('a, b\n1, "x, y"\n2, "z"\n', ["a", "b"], (1, "x, y"), 2),
    "quotes among tabs": ('a\tb\n1\t"Foo" is a bar\n2\t"x\n', ["a", "b"], (1, '"Foo" is a bar'), 2),
}


@pytest.mark.parametrize(("text", "names", "first", "count"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_layouts(tmp_path: Path, text: str, names: list[str], first: tuple[object, ...], count: int) -> None:
    frame = read_frame(written(tmp_path, text))
    assert frame.columns == names
    assert frame.row(0) == first
    assert len(frame) == count


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("5.1,a\n4.9,b\n4.7,a\n", "it has no header: its columns are called column_1 to column_2"),
        ("colour\nred\nblue\n", "its first line is taken for a header (if it is none, say --header no)"),
        (",a\n0,1.5\n1,2.5\n", "its first column numbers the rows, and is left out"),
        ("a,a\n1,2\n3,4\n", "column 2, a second 'a', is called 'a_2'"),
        ("a,\n1,2\n3,4\n", "column 2, without a name, is called 'column_2'"),
        ("a;b\n1;2\n", "cells are separated by semicolons"),
        ("a,b\n1,2\n", None),
    ],
)
def test_what_is_decided_is_said(tmp_path: Path, text: str, note: str | None) -> None:
    assert open_table(written(tmp_path, text)).notes == (() if note is None else (note,))


def test_a_cell_beyond_trailing_delimiters_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,\n" + "1,2,\n" * 2000 + "1,2,oh\n")
    with pytest.raises(ValueError, match="line 2002: expected no cell after column 2, got 'oh'"):
        read_frame(path)


def test_a_compressed_file(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(LINES.encode()), "t.csv.gz")
    assert rows_of(path) == EXPECTED
    with pytest.raises(ValueError, match="compressed by gzip, got a damaged one"):
        open_table(written(tmp_path, path.read_bytes()[:-9], "t.csv.gz"))


def test_rows_that_polars_can_not_read_are_neither_lost_nor_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chainrule.data.read.table_file.CHUNK_BYTES", 50)
    lines = [f"{i},{'x' * 20}" for i in range(5000)]
    lines[4000:4002] = ['4000,5" by 6" x', '4001,7" y']
    frame = frame_of(open_table(written(tmp_path, "\n".join(["n,text", *lines]))))
    assert frame["n"].to_list() == list(range(5000))


def test_a_file_of_a_run_is_read_as_the_run_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{i % 7}.5,{'Zoë' if i % 3 else 'Ada'}\n" for i in range(60))
    path = written(tmp_path, rows.encode("latin-1"))
    fit = ["fit", "--model", "MADE", "--data", str(path), *FAST, "--out", str(tmp_path / "run")]
    assert "--encoding latin-1" in refused(capsys, *fit)
    assert main([*fit, "--encoding", "latin-1"]) == 0
    new = written(tmp_path, "1.5,Zoë\n".encode("latin-1"), "new.csv")  # one row, which can't tell that it is no header
    assert main(["score", str(tmp_path / "run"), str(new), "--out", str(tmp_path / "scores.csv")]) == 0
    assert len(polars.read_csv(tmp_path / "scores.csv")) == 1
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert "it has no header" in capsys.readouterr().out
    named = written(tmp_path, "column_2,column_1\nAda,1.5\nAda,2.5\n", "named.csv")
    assert main(["score", str(tmp_path / "run"), str(named), "--out", str(tmp_path / "scores.csv")]) == 0
    assert len(polars.read_csv(tmp_path / "scores.csv")) == 2


def test_header_and_schema_make_any_file_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "red\nblue\nred\ngreen\n" * 100, "colours.txt")
    assert chainrule.data.load(path).format.kind == "text"
    data = chainrule.data.load(path, header=False)
    assert data.format.kind == "table"
    assert sum(map(len, data.splits.values())) == 400
    assert sum(map(len, chainrule.data.load(path, header=True).splits.values())) == 399
    assert main(["schema", str(path), "--header", "no"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("column_1  category")
    assert "it has no header" in err
