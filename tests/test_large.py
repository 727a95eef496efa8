"""Tables that are not held in memory: the same schema, the same rows, and every verb takes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars
import pytest
import sklearn.datasets
import torch
from people import people

import chainrule
from chainrule.cli import main
from chainrule.data import load, stored
from chainrule.data.examples import ArrayExamples
from chainrule.data.infer import infer
from chainrule.data.read import extract, large, table_file
from chainrule.data.read.open_table import open_table
from chainrule.data.read.table import cells_of, read_all
from chainrule.data.schema import TableSchema
from chainrule.data.series_column import series_column_of
from chainrule.data.stored import StoredExamples

STRANGERS = sorted((Path(sklearn.datasets.__file__).parent / "data").glob("*.csv"))
"""Tables that come with scikit-learn, whose first lines are of its own making."""

STATISTICS = ("mean", "std", "shape", "rare", "note", "patterns", "letters")
"""What a schema says of chosen rows; the rest is of all."""


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "LARGE", 0)
    monkeypatch.setattr(table_file, "ROWS_AT_ONCE", 97)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all rows, few are chosen."""
    monkeypatch.setattr(extract, "SAMPLE_ROWS", 300)
    monkeypatch.setattr(extract, "FIRST", 100)


def schemas(path: Path) -> tuple[TableSchema, TableSchema]:
    """The schema of all rows in memory, and of those that stand for them; of the same training rows."""
    table = open_table(path)
    rows = large.LargeTable(table, 0)
    some = rows.extract()
    train = np.concatenate([splits for _, splits in rows.chunks()]) == 0
    whole = infer(cells_of(table).frame, np.flatnonzero(train), "x", text=table.is_text)
    return whole, infer(some.frame, some.rows, "x", text=table.is_text, known=some.known)


def without_statistics(schema: TableSchema) -> dict[str, dict[str, object]]:
    return {
        name: {key: value for key, value in own.items() if key not in STATISTICS}
        for name, own in schema.config["columns"].items()
    }


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_the_schema_of_some_rows_holds_for_all(tmp_path: Path, few: None, suffix: str) -> None:
    path = tmp_path / f"people{suffix}"
    getattr(people(), "write_parquet" if suffix == ".parquet" else "write_csv")(path)
    whole, some = schemas(path)
    assert without_statistics(some) == without_statistics(whole)
    kinds = {column.name: column.kind for column in some.columns}
    assert kinds["id"] == "identifier"
    assert kinds["same"] == "constant"
    named = {column.name: column for column in some.columns}
    assert "Zwickau" in named["town"].categories
    assert named["age"].high == 400
    assert named["height"].missing
    assert named["height"].config["decimals"] == 3
    assert named["seen"].config["unit"] == "milliseconds"


@pytest.mark.parametrize("path", STRANGERS, ids=lambda path: path.stem)
def test_strangers_tables_have_one_schema(
    path: Path, few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path = tmp_path / path.name
    path.write_text("".join(lines[1:]))
    whole, some = schemas(path)
    assert without_statistics(some) == without_statistics(whole)
    monkeypatch.setattr(extract, "SAMPLE_ROWS", 10**9)  # all rows are chosen
    whole, some = schemas(path)
    assert some == whole


def test_two_equal_cells_far_apart_are_no_identifiers(tmp_path: Path, few: None) -> None:
    names = [f"k{number:05d}" for number in range(3000)]
    names[2900] = names[150]
    polars.DataFrame({"name": names, "x": np.arange(3000) % 7 / 2}).write_parquet(tmp_path / "t.parquet")
    whole, some = schemas(tmp_path / "t.parquet")
    assert [column.kind for column in some.columns] == [column.kind for column in whole.columns] == ["category", "real"]


def test_new_identifiers_follow_the_last_one(tmp_path: Path, few: None) -> None:
    names = [f"k{number}" for number in np.random.default_rng(0).permutation(3000)]
    polars.DataFrame({"name": names, "x": np.arange(3000) % 7 / 2}).write_parquet(tmp_path / "t.parquet")
    _, some = schemas(tmp_path / "t.parquet")
    assert some.decode(np.zeros((1, 1)))["name"].to_list() == ["k3000"]


def test_a_stray_cell_is_named(tmp_path: Path, few: None) -> None:
    cells = [str(number % 50) for number in range(3000)]
    cells[2500] = "n/k"
    polars.DataFrame({"x": cells, "y": [f"{number % 9}.5" for number in range(3000)]}).write_csv(tmp_path / "t.csv")
    with pytest.raises(ValueError, match=r"column 'x' expects numbers.*got 'n/k' .*rows are counted among"):
        load(tmp_path / "t.csv")


def test_the_rows_are_those_of_the_table(tmp_path: Path) -> None:
    path = tmp_path / "people.parquet"
    people().write_parquet(path)
    dataset = load(path)
    assert isinstance(dataset.train, StoredExamples)
    assert any("not held in memory" in note for note in dataset.notes)
    _, splits = zip(*large.LargeTable(open_table(path), 0).chunks(), strict=True)
    encoded = dataset.format.encode(people(), "people")  # type: ignore[attr-defined]
    for number, (name, examples) in enumerate(dataset.splits.items()):
        expected = encoded[np.concatenate(splits) == number]
        np.testing.assert_array_equal(examples[:].numpy(), expected, err_msg=name)
    assert 0.7 < len(dataset.train) / 2000 < 0.9
    every, _ = read_all(path, dataset.format)  # type: ignore[arg-type]
    np.testing.assert_array_equal(every[:].numpy(), encoded)


def test_the_split_does_not_depend_on_the_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "people.parquet"
    people().write_parquet(path)
    before = load(path, seed=3).test[:]
    monkeypatch.setattr(table_file, "ROWS_AT_ONCE", 1000)
    assert torch.equal(load(path, seed=3).test[:], before)
    assert not torch.equal(load(path, seed=4).test[:5], before[:5])


def test_three_files_are_three_splits(tmp_path: Path) -> None:
    frame = people()
    for split, rows in {"train": frame[:1500], "valid": frame[1500:1700], "test": frame[1700:]}.items():
        rows.select(sorted(frame.columns, reverse=split == "valid")).write_parquet(tmp_path / f"{split}.parquet")
    dataset = load(tmp_path)
    assert [len(examples) for examples in dataset.splits.values()] == [1500, 200, 300]
    expected = dataset.format.encode(frame[1500:1700], "x")  # type: ignore[attr-defined]
    np.testing.assert_array_equal(dataset.valid[:].numpy(), expected)


def test_a_full_disk_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "people.parquet"
    people().write_parquet(path)
    monkeypatch.setattr(stored.shutil, "disk_usage", lambda where: SimpleNamespace(free=10))
    with pytest.raises(OSError, match="room for a temporary copy of 0.00 GB of a large table.*TMPDIR"):
        load(path)


def test_a_killed_process_leaves_no_file(tmp_path: Path) -> None:
    people().write_parquet(tmp_path / "people.parquet")
    script = (
        "import os, signal; from chainrule.data.read import table_file; table_file.LARGE = 0; "
        "from chainrule.data import load; load('people.parquet'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    folder = tmp_path / "temporary"
    folder.mkdir()
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env={**os.environ, "TMPDIR": str(folder)})
    assert done.returncode == -9
    assert not list(folder.iterdir())


@pytest.fixture
def run(tmp_path: Path) -> Path:
    people().write_parquet(tmp_path / "people.parquet")
    chainrule.fit(tmp_path / "people.parquet", out=tmp_path / "run", max_steps=3, members=1, verbose=False)
    return tmp_path / "run"


def test_every_verb_takes_a_large_table(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def command_line(*arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 0
        return capsys.readouterr().out

    scored = command_line("evaluate", run, "--json")
    command_line("score", run, tmp_path / "people.parquet", "--out", tmp_path / "large.parquet", "--keep", "id")
    command_line("score", run, tmp_path / "people.parquet", "--out", tmp_path / "large.csv", "--rate", "0.05")
    command_line("score", run, tmp_path / "people.parquet", "--out", tmp_path / "cells.parquet", "--per", "cell")
    assert polars.read_parquet(tmp_path / "cells.parquet").shape == (2000, 7)
    command_line("report", run, "--out", tmp_path / "report")
    command_line("sample", run, "-n", "5", "--out", tmp_path / "rows.csv")
    own = command_line("evaluate", run, tmp_path / "people.parquet", "--json")
    assert scored != own
    monkeypatch.undo()  # the same file, in memory
    assert command_line("evaluate", run, tmp_path / "people.parquet", "--json") == own
    command_line("score", run, tmp_path / "people.parquet", "--out", tmp_path / "small.parquet", "--keep", "id")
    one, two = (polars.read_parquet(tmp_path / f"{name}.parquet") for name in ("large", "small"))
    assert one["id"].to_list() == two["id"].to_list() == list(range(1, 2001))
    np.testing.assert_allclose(one["score"], two["score"], rtol=1e-5)
    assert polars.read_csv(tmp_path / "large.csv").columns == ["number", "log_prob", "pvalue", "score", "anomalous"]


def test_a_series_is_known_by_its_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    years = polars.DataFrame({"year": range(1500, 1900), "flow": [float(i % 7) for i in range(400)]})
    years.write_csv(tmp_path / "series.csv")
    years.sample(fraction=1, shuffle=True, seed=0).write_csv(tmp_path / "rows.csv")
    assert series_column_of(tmp_path / "series.csv") == "flow"
    monkeypatch.setattr("chainrule.data.series_column.frame_of", None)  # not all rows are read
    assert series_column_of(tmp_path / "rows.csv") is None


def test_small_tables_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    people().write_parquet(tmp_path / "people.parquet")
    assert isinstance(load(tmp_path / "people.parquet").train, ArrayExamples)


def in_parts(frame: polars.DataFrame, folder: Path, suffix: str) -> None:
    folder.mkdir()
    for number, rows in enumerate(frame.iter_slices(700)):
        columns = frame.columns if number == 0 else frame.columns[::-1]
        part = rows.select(columns).with_columns(polars.col("age").cast(polars.Int16 if number else polars.Int64))
        getattr(part, "write_parquet" if suffix == ".parquet" else "write_csv")(folder / f"part-{number}{suffix}")
    (folder / "_SUCCESS").touch()


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("is_small", [True, False])
def test_several_files_are_one_table(
    suffix: str, is_small: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_small:
        monkeypatch.undo()
    in_parts(people(), tmp_path / "parts", suffix)
    whole = tmp_path / f"whole{suffix}"
    getattr(people(), "write_parquet" if suffix == ".parquet" else "write_csv")(whole)
    expected = load(whole)
    for path in (tmp_path / "parts" / f"part-*{suffix}", tmp_path / "parts"):
        found = load(path)
        assert "3 files" in found.description
        assert found.format == expected.format
        for split, examples in found.splits.items():
            np.testing.assert_array_equal(examples[:], expected.splits[split][:])


def test_a_run_is_fitted_and_used_on_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    in_parts(people(), tmp_path / "parts", ".csv")
    assert main(["fit", "parts/part-*.csv", "--max-steps", "3", "--members", "1"]) == 0
    assert (tmp_path / "runs" / "part" / "model.safetensors").exists()
    assert main(["score", "runs/part", "parts/part-*.csv", "--out", "scores.csv", "--keep", "id"]) == 0
    assert polars.read_csv("scores.csv")["id"].to_list() == list(range(1, 2001))
    assert main(["evaluate", "runs/part"]) == 0
    (tmp_path / "parts" / "part-2.csv").unlink()
    capsys.readouterr()
    assert main(["evaluate", "runs/part"]) == 2
    assert "2 files instead of 3" in capsys.readouterr().err


def test_a_file_with_other_columns_is_named(tmp_path: Path) -> None:
    in_parts(people(), tmp_path / "parts", ".parquet")
    people()[:9].drop("town").write_parquet(tmp_path / "parts" / "part-9.parquet")
    with pytest.raises(ValueError, match=r"part-9\.parquet: expected the column 'town' of part-0\.parquet, got none"):
        load(tmp_path / "parts" / "part-*.parquet")
    people()[:9].with_columns(polars.col("age").cast(polars.String)).write_parquet(
        tmp_path / "parts" / "part-9.parquet"
    )
    with pytest.raises(ValueError, match=r"part-9\.parquet: column 'age': expected Int64 as in part-0\.parquet"):
        load(tmp_path / "parts" / "part-*.parquet")
    with pytest.raises(FileNotFoundError, match=r"expected files with names like .*gone-\*"):
        load(tmp_path / "gone-*.csv")
