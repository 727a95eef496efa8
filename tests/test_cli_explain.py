"""``score --explain``: which cells of the strangest rows are unusual, and what was expected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars
import pytest
from command_line import refused

from chainrule.cli import main

ROWS = 300


def table(path: Path, changes: dict[tuple[int, str], object]) -> Path:
    """Heights and weights that go together, a colour, and a number that may be missing."""
    random = np.random.RandomState(0)
    height = random.normal(170, 10, ROWS)
    frame = {
        "height": [f"{value:.1f}" for value in height],
        "weight": [f"{value:.1f}" for value in 0.9 * height - 85 + random.normal(0, 3, ROWS)],
        "colour": random.choice(["red", "blue"], ROWS, p=[0.7, 0.3]).tolist(),
        "score": ["" if i % 5 == 0 else str(value) for i, value in enumerate(random.randint(0, 9, ROWS))],
    }
    for (row, name), value in changes.items():
        frame[name][row - 1] = value
    polars.DataFrame(frame).write_csv(path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    data = table(folder / "people.csv", {})
    fast = ["--max-epochs", "40", "--members", "2", "--learning-rate", "0.01"]
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


def test_what_does_not_fit_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert "at least 1 row" in refused(capsys, "score", str(run), "--explain", "0")
    assert "--per expects scores" in refused(capsys, "score", str(run), "--explain", "--per", "cell")
    assert ".csv" in refused(capsys, "score", str(run), "--explain", "--out", str(tmp_path / "cells.txt"))
