"""``score --explain``: which cells of the strangest rows are unusual, and what was expected."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars
import pytest
from command_line import refused

from chainrule.cli import main

ROWS = 300
FITTED = 2000
"""Rows that are fitted: so many have enough of validation, and no further fits for p-values are needed."""


def table(path: Path, changes: dict[tuple[int, str], object], rows: int = ROWS) -> Path:
    """Heights and weights that go together, a colour, and a number that may be missing."""
    random = np.random.RandomState(0)
    height = random.normal(170, 10, rows)
    frame = {
        "height": [f"{value:.1f}" for value in height],
        "weight": [f"{value:.1f}" for value in 0.9 * height - 85 + random.normal(0, 3, rows)],
        "colour": random.choice(["red", "blue"], rows, p=[0.7, 0.3]).tolist(),
        "score": ["" if i % 5 == 0 else str(value) for i, value in enumerate(random.randint(0, 9, rows))],
    }
    for (row, name), value in changes.items():
        frame[name][row - 1] = value
    polars.DataFrame(frame).write_csv(path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    data = table(folder / "people.csv", {}, FITTED)
    fast = ["--model", "MADE", "--max-epochs", "6", "--members", "2", "--learning-rate", "0.01"]
    assert main(["fit", str(data), *fast, "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_a_wrong_cell_is_named_with_what_was_expected(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "new.csv", {(57, "weight"): "160.0"})
    out = tmp_path / "cells.csv"
    assert main(["score", str(run), str(data), "--explain", "7", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("row 57: weight is 160.0, expected about ")
    assert len(lines) == 6
    assert lines[-1] == f"wrote the cells of the 7 strangest rows to {out}"
    cells = polars.read_csv(out)
    assert cells.columns == ["row", "column", "value", "tail", "suspicion", "expected", "low", "high"]
    assert len(cells) == 7 * 4
    assert cells.row(0, named=True)["tail"] < 1e-3
    colours = cells.filter(column="colour")
    assert colours["expected"].str.contains(r"^(red|blue) \(\d+%\)").all()
    assert colours["low"].is_null().all()
    assert set(cells.filter(column="score")["value"]) <= {*map(str, range(9)), "empty"}


def test_gaps_and_new_values_are_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A gap where training had none has no tail; a value that training did not have has the tail 0 or a small one."""
    data = table(tmp_path / "new.csv", {(9, "weight"): "", (12, "colour"): "green"})
    out = tmp_path / "cells.parquet"
    assert main(["score", str(run), str(data), "--explain", "300", "--out", str(out)]) == 0
    assert "1 rows have empty cells where training had none" in capsys.readouterr().out
    cells = polars.read_parquet(out)
    assert cells.filter(row=9, column="weight")["tail"].to_list() == [None]
    assert cells.filter(row=9, column="height")["tail"].null_count() == 0
    assert cells.filter(row=12, column="colour")["value"].item() == "green"
    assert cells.filter(row=12, column="colour")["tail"].item() < 0.05
    tails = cells.filter(column="height")["tail"]
    assert 0.0 < (tails < 0.1).mean() < 0.3


def test_a_picture_is_written(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "cells.png"
    assert main(["score", str(run), "--explain", "3", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


RUNS = Path(__file__).parent / "data" / "runs_of_0.1"
PLACES = {
    "image": ("digits.npy", ["example", "row", "column"]),
    "rows": ("rows.csv", ["example", "column"]),
    "stream": ("text.txt", ["line", "column"]),
    "documents": ("text.txt", ["line", "column"]),
}


@pytest.mark.parametrize("name", PLACES)
def test_pixels_and_characters_are_given_those_before_them(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, places = PLACES[name]
    data, out = RUNS / "data" / file, tmp_path / "parts.csv"
    if name == "image":
        data = tmp_path / file
        np.save(data, np.eye(8, dtype=np.uint8)[None].repeat(3, 0))
    assert main(["score", str(RUNS / name), str(data), "--explain", "3", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert re.match(r"(example|line) \d+[:,].* is .*, expected .* \(\d+%\).*; p = [\d.e-]+$", lines[0])
    parts = polars.read_csv(out)
    assert parts.columns == [*places, "value", "tail", "expected"]
    items = parts[places[0]].unique(maintain_order=True).to_list()
    assert len(items) == 3
    assert parts.filter(polars.col(places[0]) == items[0])["tail"].is_sorted()
    if name == "image":
        assert len(parts) == 3 * 64
        assert lines[0].startswith(f"example {items[0]}: row {parts['row'][0]}, column {parts['column'][0]} is ")


def test_the_place_and_the_text_before_it_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given all lines before, as of one stream, whatever part of the file is explained."""
    data, out = tmp_path / "new.txt", tmp_path / "parts.parquet"
    text = (RUNS / "data" / "text.txt").read_text()
    data.write_text(text + "gently Qown the stream\n")
    number = text.count("\n") + 1
    assert main(["score", str(RUNS / "stream"), str(data), "--explain", "100", "--out", str(out)]) == 0
    parts = polars.read_parquet(out)
    (found,) = parts.filter(line=number, column=8).iter_rows(named=True)
    assert found["value"] == "'\ufffd'"  # of all characters that training did not have
    line = parts.filter(line=number).sort("column")
    assert "".join(word[1:-1] for word in line["value"]) == "gently \ufffdown the stream\\n"
    main(["score", str(RUNS / "stream"), str(data), "--explain", "100"])
    assert ", after 'gently '" in capsys.readouterr().out or found["tail"] > parts.filter(line=number)["tail"].min()


def test_values_of_a_series_have_their_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = polars.read_csv(RUNS / "data" / "series.csv")["wave"].to_list()
    values[40] = 30.0
    data, out = tmp_path / "new.csv", tmp_path / "values.csv"
    days = [(date(2024, 1, 1) + timedelta(days=i)).isoformat() for i in range(len(values))]
    polars.DataFrame({"day": days, "wave": values}).write_csv(data)
    assert main(["score", str(RUNS / "series"), str(data), "--explain", "4", "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith(f"row 41, {days[40]}, is 30.0, expected about ")
    found = polars.read_csv(out)
    assert found.columns == ["row", "time", "value", "tail", "expected", "low", "high"]
    assert len(found) == 4
    assert found["tail"][0] < 0.01


def test_a_map_of_images_is_written(tmp_path: Path) -> None:
    data, out = tmp_path / "digits.npy", tmp_path / "map.png"
    np.save(data, np.eye(8, dtype=np.uint8)[None])
    assert main(["score", str(RUNS / "image"), str(data), "--explain", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_what_has_no_explanation_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RUNS / "data" / "text.txt"
    out = str(tmp_path / "map.png")
    assert ".csv" in refused(capsys, "score", str(RUNS / "stream"), str(text), "--explain", "--out", out)
    assert "a file, got -" in refused(capsys, "score", str(RUNS / "stream"), "-", "--explain")


def test_what_does_not_fit_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert "at least 1 row" in refused(capsys, "score", str(run), "--explain", "0")
    assert "--per expects scores" in refused(capsys, "score", str(run), "--explain", "--per", "cell")
    assert ".csv" in refused(capsys, "score", str(run), "--explain", "--out", str(tmp_path / "cells.txt"))
