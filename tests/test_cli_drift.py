"""``chainrule drift``, and scores of lines as they come."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from command_line import FAST, refused
from test_report import Tags

from chainrule.cli import main
from chainrule.cli.stream import incoming_lines
from chainrule.data import load
from chainrule.runs.drift_page import drift_page


def sales(rows: int, seed: int, *, year: int = 2025, shift: float = 0.0) -> polars.DataFrame:
    """Sales with a date, a currency that is always the same, and a price that follows from the size."""
    random = np.random.default_rng(seed)
    size = random.normal(50, 10, rows)
    day = polars.date(year, 1, 1) + polars.duration(days=polars.int_range(rows) * 300 // rows)
    frame = polars.DataFrame({
        "id": polars.Series(range(rows)) + 1000 * seed,
        "size": size.round(1) + shift,
        "price": (2 * size + random.normal(0, 5, rows)).round(2),
        "colour": random.choice(["red", "green <b>"], rows),
        "currency": ["EUR"] * rows,
    })  # fmt: skip
    return frame.select("id", day.alias("day"), polars.exclude("id"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    sales(600, 0, year=2024).write_csv(folder / "old.csv")
    arguments = ["--model", "MADE", "--model.hidden_sizes", "[8]", "--data", str(folder / "old.csv")]
    enough = ["--max-epochs", "14", "--batch-size", "32", "--learning-rate", "0.01"]
    assert main(["fit", *arguments, *enough, "--out", str(folder / "run")]) == 0
    return folder / "run"


def drift(run: Path, frame: polars.DataFrame, *more: str) -> tuple[int, dict[str, Any]]:
    """The exit status and the figures of a new file."""
    new, out = run.parent / "new.csv", run.parent / "figures.json"
    frame.write_csv(new)
    status = main(["drift", str(run), str(new), "--check", "--out", str(out), *more])
    return status, json.loads(out.read_text())


def moved(figures: dict[str, Any]) -> dict[str, list[str]]:
    return {column["name"]: column["moved"] for column in figures["columns"] if column["moved"]}


class TestTables:
    def test_later_rows_of_the_same_kind_are_no_drift(self, run: Path) -> None:
        status, figures = drift(run, sales(300, 1))
        assert (status, figures["drift"], moved(figures)) == (0, False, {})
        assert figures["rows"] == {"old": 600, "held_out": 120, "new": 300, "compared": 300}
        assert figures["moments"] == figures["not_tested"] == ["day"]  # all later, so they say when, and not what
        assert {column["name"] for column in figures["columns"]} == {"size", "price", "colour", "currency"}

    def test_what_moved_is_said(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        frame = sales(300, 1, shift=6).with_columns(currency=polars.Series(["USD"] * 9 + ["EUR"] * 291))
        status, figures = drift(run, frame.with_columns(extra=1))
        assert status == 3
        assert moved(figures).keys() >= {"size", "currency"}
        assert figures["unknown"] == ["extra"]
        out, _ = capsys.readouterr()
        assert out.startswith("Drift: ")
        assert re.search(r"\n  size: mean \d\d\.\d+ -> 5\d\.\d+, standard deviation", out)
        assert "\n  currency: EUR 100.0 % -> 97.0 %" in out
        assert main(["drift", str(run), str(run.parent / "new.csv")]) == 0  # says so, but does not check

    def test_a_relation_that_changed_is_found(self, run: Path) -> None:
        frame = sales(300, 1)
        _, figures = drift(run, frame.with_columns(polars.col("price").shuffle(seed=0)))
        assert any("given" in tests for tests in moved(figures).values())
        assert "values" not in moved(figures).get("price", [])

    def test_other_rows_may_be_the_old_ones(self, run: Path, tmp_path: Path) -> None:
        sales(300, 2, shift=6).write_csv(tmp_path / "against.csv")
        status, figures = drift(run, sales(300, 3, shift=6), "--against", str(tmp_path / "against.csv"))
        assert (status, figures["rows"]["old"], figures["rows"]["held_out"]) == (0, 300, 300)
        assert drift(run, sales(300, 3), "--against", str(tmp_path / "against.csv"))[0] == 3
        assert drift(run, sales(300, 3), "--against", str(tmp_path / "against.csv"), "--ignore", "size")[0] == 0

    def test_chunks_of_time(self, run: Path, tmp_path: Path) -> None:
        late = polars.concat([sales(200, 1), sales(200, 2, year=2026, shift=12)])
        _, figures = drift(run, late, "--time", "day", "--chunks", "4")
        assert [chunk["drift"] for chunk in figures["chunks"]] == [False, False, True, True]
        assert figures["chunks"][2]["times"] == ["2026-01-01", "2026-05-29"]
        assert figures["chunks"][2] | {"first": 201, "last": 300} == figures["chunks"][2]
        page = drift_page(figures)
        tags = Tags()
        tags.feed(page)
        assert not tags.open
        assert "green &lt;b&gt;" not in page  # a label is in a picture
        assert not re.search(r'(?:src|href)="(?!data:image/png;base64,)', page)
        assert page.count("<img") == 1 + sum("shares" in column for column in figures["columns"])

    def test_a_page_is_written(self, run: Path, tmp_path: Path) -> None:
        sales(100, 1).write_csv(tmp_path / "new.csv")
        assert main(["drift", str(run), str(tmp_path / "new.csv"), "--out", str(tmp_path / "drift.html")]) == 0
        assert "No drift: " in (tmp_path / "drift.html").read_text()

    def test_what_is_refused(self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        new = str(tmp_path / "new.csv")
        frame = sales(100, 1)
        frame.write_csv(new)
        assert "drift expects DATA" in refused(capsys, "drift", str(run))
        for more, words in {
            ("--ignore", "seize"): "--ignore expects a column (id, day, size, price, colour, ...), got 'seize'",
            ("--time", "colour"): "--time expects a column of times or numbers, got 'colour'",
            ("--time", "days"): "--time expects a column",
            ("--time", "day", "--chunks", "9"): "chunks expects 2 to 5",
            ("--rate", "1"): "between 0 and 1",
            ("--out", "drift.txt"): "ending in .html, .json",
            ("--ignore", "day,size,price,colour"): "to leave a column to test",
        }.items():
            assert words in main_refused(capsys, "drift", str(run), new, *more), more
        frame.sort("day", descending=True).write_csv(new)
        words = main_refused(capsys, "drift", str(run), new, "--time", "day")
        assert "got 2025-10-22 in row 2 after 2025-10-25: sort the rows by day" in words
        frame[:19].write_csv(new)
        assert "at least 20 new rows, got 19" in main_refused(capsys, "drift", str(run), new)


def main_refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The error of a command line that may say what it does before."""
    assert main(arguments) == 2
    _, err = capsys.readouterr()
    return err.splitlines()[-1]


def test_images_are_compared_by_their_likelihood(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = load("digits").test[:].numpy().astype(np.uint8)
    np.save(tmp_path / "same.npy", x)
    np.save(tmp_path / "inverted.npy", 1 - x)
    assert main(["drift", str(digits_run), str(tmp_path / "same.npy"), "--check", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["columns"], figures["rows"]["new"]) == ([], len(x))
    assert main(["drift", str(digits_run), str(tmp_path / "inverted.npy"), "--check"]) == 3
    assert "--time expects a run on a table" in main_refused(
        capsys, "drift", str(digits_run), str(tmp_path / "same.npy"), "--time", "day"
    )


class TestStreams:
    def test_rows_as_they_come(
        self, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The same scores as those of a file, with other columns in another sequence, kept as they are written."""
        frame = sales(30, 1).select("price", polars.col("id").alias("order"), polars.exclude("price", "id"))
        frame.write_csv(tmp_path / "new.csv")
        out = tmp_path / "scores.csv"
        keep = ["--keep", "order, day"]
        assert main(["score", str(run), str(tmp_path / "new.csv"), *keep, "--out", str(out)]) == 0
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "new.csv").read_bytes())))
        capsys.readouterr()
        assert main(["score", str(run), "-", *keep]) == 0
        printed, said = capsys.readouterr()
        found = [json.loads(line) for line in printed.splitlines()]
        expected = polars.read_csv(out, schema_overrides={"order": polars.String})
        assert expected.columns == ["number", "order", "day", "log_prob", "score"]
        for name in ("number", "order", "day"):
            assert [row[name] for row in found] == expected[name].to_list()
        assert [row["score"] for row in found] == pytest.approx(expected["score"].to_list(), rel=1e-5)
        assert said.startswith("30 rows, ")

    def test_lines_are_given_without_waiting_for_more(self) -> None:
        class Pipe(io.BytesIO):
            def read1(self, size: int | None = -1) -> bytes:
                return super().read1(5)

        lines = incoming_lines(Pipe("\ufeffab\nc\n\nd".encode()), "utf-8")
        assert list(lines) == [["ab\n", "c\n", "\n"], ["d"]]

    def test_what_is_refused(
        self, run: Path, digits_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = "id,day,size,price,colour,currency\n"
        for text, more, words in (
            ("size;price\n1;2\n", [], "line 1: expected the names of the columns"),
            (head + "1,2025-01-01,5,5,red,EUR\n1,2\n", [], "line 3: expected 6 cells, got 2: '1,2'"),
            (head + "1,2025-01-01,5,5,red,EUR\n1,2025-01-01,x,5,red,EUR\n", [], "column 'size', row 2: expected"),
            (head + '1,2025-01-01,5,5,"red', [], "line 2: expected a quoted cell to end"),
            (head + "1,2025-01-01,5,5,red,EUR\n", ["--keep", "name"], "--keep expects columns of the data (id, day"),
            (head, ["--out", "scores.csv"], "--out expects a file, got -"),
        ):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
            assert words in main_refused(capsys, "score", str(run), "-", *more)
        assert "whose items are lines, got image" in main_refused(capsys, "score", str(digits_run), "-")
        assert "--keep expects a run on a table" in main_refused(capsys, "score", str(digits_run), "--keep", "id")

    @pytest.mark.parametrize("documents", [True, False])
    def test_lines_of_text(
        self, documents: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = "".join(f"GET /page/{i % 7} 200\n" for i in range(400))
        (tmp_path / "log.txt").write_text(text)
        (tmp_path / "new.txt").write_text("GET /page/3 200\n\nPOST /x 500\nGET /page/1 200\n")
        fit = ["fit", "--model", "RNN", "--model.hidden_size", "8", "--data", str(tmp_path / "log.txt")]
        assert main([*fit, "--documents", str(documents).lower(), *FAST, "--out", str(tmp_path / "run")]) == 0
        capsys.readouterr()
        assert main(["score", str(tmp_path / "run"), str(tmp_path / "new.txt")]) == 0
        expected, _ = capsys.readouterr()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "new.txt").read_bytes())))
        assert main(["score", str(tmp_path / "run"), "-"]) == 0
        printed, _ = capsys.readouterr()
        found, known = ([json.loads(line) for line in lines.splitlines()] for lines in (printed, expected))
        assert [row["text"] for row in found] == [row["text"] for row in known]
        assert [row["line"] for row in found] == [row["line"] for row in known]
        assert [row["nats"] for row in found] == pytest.approx([row["nats"] for row in known], abs=1e-4)


def test_the_last_group_has_what_is_left(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sales(25, 1).write_csv(tmp_path / "new.csv")
    out = tmp_path / "groups.csv"
    arguments = ["--score", "typicality", "--group", "10", "--out", str(out)]
    assert main(["score", str(run), str(tmp_path / "new.csv"), *arguments]) == 0
    assert polars.read_csv(out)["last"].to_list() == [10, 20, 25]
    assert "the last group has only 5 items" in capsys.readouterr().err
