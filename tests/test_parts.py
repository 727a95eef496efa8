"""Work by parts: the same files whoever makes them; what is there is kept; what is damaged is made again."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from command_line import FAST
from PIL import Image

from chainrule.cli import main
from chainrule.data.read.layout import FileChoices
from chainrule.parts import files_of
from chainrule.parts.cut import cut, rechunked
from chainrule.parts.journal import NAME
from chainrule.tasks.evaluate import Tally

SIZE = "40"
"""Items of a part of these tests."""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with numbers, categories and gaps, as text and as Parquet."""
    random = np.random.RandomState(0)
    frame = polars.DataFrame(
        {
            "x": random.normal(size=150).round(2),
            "k": random.randint(0, 9, 150),
            "c": random.choice(["a", "b, c", "=d"], 150),
            "g": [None if i % 7 == 0 else float(i % 5) / 4 for i in range(150)],
        }
    )
    path = tmp_path_factory.mktemp("data") / "rows.parquet"
    frame.write_parquet(path)
    frame.write_csv(path.with_suffix(".csv"))
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, rows: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "rows"
    assert main(["fit", str(rows), "--out", str(out), *FAST]) == 0
    return out


def by_parts(command: str, run: Path, *arguments: Any, out: Path, engine: tuple[str, ...] = ("local",)) -> None:
    words = [command, run, *arguments, "--out", out, "--engine", *engine, "--part-size", SIZE]
    assert main([str(word) for word in words]) == 0


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The last line on standard error, after those on the progress."""
    capsys.readouterr()
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("chainrule: error: ")
    return last


def parts(folder: Path) -> polars.DataFrame:
    return polars.read_parquet(sorted(folder.glob("part-*.parquet")))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("flags", [[], ["--rate", "0.2", "--keep", "k"]], ids=["nll", "pvalue"])
def test_scores_are_those_of_the_whole(
    run: Path, rows: Path, tmp_path: Path, suffix: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    data, whole = rows.with_suffix(suffix), tmp_path / "whole.parquet"
    assert main(["score", str(run), str(data), "--out", str(whole), *flags]) == 0
    said = capsys.readouterr().err.splitlines()
    by_parts("score", run, data, *flags, out=tmp_path / "parts")
    again = capsys.readouterr().err.splitlines()
    assert again[len(again) - len(said) + 1 :] == said[1:], "the same is said of all"
    found, expected = parts(tmp_path / "parts"), polars.read_parquet(whole)
    assert found.drop("log_prob", "score").equals(expected.drop("log_prob", "score"))
    for name in ("log_prob", "score"):
        assert np.allclose(found[name], expected[name], rtol=1e-6), name
    assert {path.name for path in (tmp_path / "parts").iterdir()} == {
        NAME,
        *(f"part-{i:05d}.parquet" for i in range(4)),
    }


def test_figures_are_those_of_the_whole(
    run: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = rows.with_name("filled.parquet")
    polars.read_parquet(rows).write_parquet(filled)
    assert main(["evaluate", str(run), str(filled), "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    by_parts("evaluate", run, filled, "--json", out=tmp_path / "parts")
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == whole.keys()
    for name, value in whole.items():
        assert found[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-6)), name


def test_sums_of_parts_are_those_of_all() -> None:
    nats = np.random.RandomState(0).exponential(size=(3, 60))
    nats[:, 41] = 1e12
    joints = -np.split(nats, [7, 8, 40], axis=1)[0]
    whole = Tally.of(_tensor(-nats), 120)
    some = [Tally.of(_tensor(-own), 2 * own.shape[1], first=first) for own, first in _split(nats)]
    assert joints.shape == (3, 7)
    total = Tally.total(some)
    assert (total.examples, total.variables, total.worst_index) == (60, 120, 41)
    for name in ("mean", "squares", "worst", "others_sum", "others_size"):
        assert getattr(total, name) == pytest.approx(getattr(whole, name), rel=1e-12), name
    assert total.evaluation().outlier is not None
    assert total.evaluation().member_nats == pytest.approx(whole.evaluation().member_nats, rel=1e-12)


def _tensor(values: Any) -> Any:
    import torch

    return torch.from_numpy(values)


def _split(nats: Any) -> list[tuple[Any, int]]:
    places = [0, 7, 8, 40, nats.shape[1]]
    return [(nats[:, first:last], first) for first, last in itertools.pairwise(places)]


def test_impossible_examples_are_infinite_in_all() -> None:
    tallies = [Tally.of(_tensor(np.array([[value, -1.0]])), 2) for value in (-np.inf, -2.0)]
    for order in (tallies, tallies[::-1]):
        assert Tally.total(order).evaluation().nats == np.inf


class TestGoingOn:
    def test_parts_that_are_there_are_kept(self, run: Path, rows: Path, tmp_path: Path) -> None:
        out = tmp_path / "parts"
        by_parts("score", run, rows, out=out)
        before = {path.name: path.read_bytes() for path in out.iterdir()}
        (out / "part-00001.parquet").unlink()
        (out / "part-00002.parquet").write_bytes(b"half")
        (out / ".part-00003.parquet.999999999").write_bytes(b"orphan")
        times = {name: (out / name).stat().st_mtime_ns for name in ("part-00000.parquet", "part-00003.parquet")}
        by_parts("score", run, rows, out=out)
        assert {name: (out / name).stat().st_mtime_ns for name in times} == times
        assert {path.name: path.read_bytes() for path in out.iterdir() if path.suffix == ".parquet"} == {
            name: content for name, content in before.items() if name != NAME
        }
        assert not list(out.glob(".part*"))

    def test_a_journal_that_was_cut_off_counts_up_to_there(self, run: Path, rows: Path, tmp_path: Path) -> None:
        out = tmp_path / "parts"
        by_parts("score", run, rows, out=out)
        text = (out / NAME).read_text()
        (out / NAME).write_text(text[: text.index('"part": 2') + 3])
        by_parts("score", run, rows, out=out)
        lines = [json.loads(line) for line in (out / NAME).read_text().splitlines()]
        assert [line.get("part") for line in lines] == [None, 0, 1, 2, 3]

    @pytest.mark.parametrize(("flags", "what"), [(["--score", "pvalue"], "options"), (["--part-size", "41"], "size")])
    def test_parts_of_another_job_are_refused(
        self, run: Path, rows: Path, tmp_path: Path, flags: list[str], what: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "parts"
        by_parts("score", run, rows, out=out)
        words = ["score", str(run), str(rows), "--engine", "local", "--out", str(out), "--part-size", SIZE, *flags]
        assert f"got one with another {what}" in refused(capsys, *words)

    def test_changed_data_are_refused(
        self, run: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data, out = tmp_path / "rows.parquet", tmp_path / "parts"
        data.write_bytes(rows.read_bytes())
        by_parts("score", run, data, out=out)
        polars.read_parquet(data).reverse().write_parquet(data)
        words = ["score", str(run), str(data), "--engine", "local", "--out", str(out), "--part-size", SIZE]
        assert "got one with another data" in refused(capsys, *words)

    def test_a_folder_with_other_files_is_refused(
        self, run: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "mine.txt").write_text("mine")
        words = ["score", str(run), str(rows), "--engine", "local", "--out", str(tmp_path)]
        assert "with mine.txt" in refused(capsys, *words)
        assert {path.name for path in tmp_path.iterdir()} == {"mine.txt"}


class TestSamples:
    def test_a_seed_a_part(self, run: Path, tmp_path: Path) -> None:
        by_parts("sample", run, "-n", "90", "--seed", "3", out=tmp_path / "one")
        by_parts("sample", run, "-n", "90", "--seed", "3", out=tmp_path / "two")
        by_parts("sample", run, "-n", "90", "--seed", "4", out=tmp_path / "three")
        one, two, three = (parts(tmp_path / name) for name in ("one", "two", "three"))
        assert one.equals(two)
        assert len(one) == 90
        assert not one.equals(three)
        assert not one[:40].equals(one[40:80]), "parts have seeds of their own"

    def test_levels_are_arrays(self, digits_run: Path, tmp_path: Path) -> None:
        by_parts("sample", digits_run, "-n", "50", out=tmp_path / "parts")
        shapes = [np.load(path)["examples"].shape for path in sorted((tmp_path / "parts").glob("part-*.npz"))]
        assert shapes == [(40, 1, 8, 8), (10, 1, 8, 8)]


class TestCompletions:
    @pytest.mark.parametrize("suffix", [".parquet", ".csv"])
    def test_known_cells_stay(self, run: Path, rows: Path, tmp_path: Path, suffix: str) -> None:
        given = polars.read_parquet(rows).with_columns(k=polars.when(polars.int_range(150) % 3 > 0).then("k"))
        given.write_parquet(tmp_path / "gaps.parquet")
        given.write_csv(tmp_path / "gaps.csv")
        by_parts("complete", run, tmp_path / f"gaps{suffix}", out=tmp_path / "parts")
        filled = parts(tmp_path / "parts")
        assert filled["k"].null_count() == 0
        known = given["k"].is_not_null()
        assert (filled["k"].cast(polars.Int64).filter(known) == given["k"].filter(known)).all()

    def test_columns_do_not_depend_on_the_part(self, run: Path, rows: Path, tmp_path: Path) -> None:
        given = polars.read_parquet(rows).with_columns(k=polars.when(polars.int_range(150) > 100).then("k"))
        given.write_parquet(tmp_path / "gaps.parquet")
        flags = ["--mean", "--quantiles", "0.1,0.9", "--draws", "5"]
        by_parts("complete", run, tmp_path / "gaps.parquet", *flags, out=tmp_path / "parts")
        schemas = [polars.read_parquet_schema(path) for path in sorted((tmp_path / "parts").glob("part-*"))]
        assert all(schema == schemas[0] for schema in schemas)

    def test_rows_of_several_draws_are_numbered_along_all(self, run: Path, rows: Path, tmp_path: Path) -> None:
        given = polars.read_parquet(rows).with_columns(k=polars.lit(None, polars.Int64))
        given.write_parquet(tmp_path / "gaps.parquet")
        by_parts("complete", run, tmp_path / "gaps.parquet", "--draws", "2", out=tmp_path / "parts")
        assert parts(tmp_path / "parts")["row"].unique().sort().to_list() == list(range(1, 151))


class TestData:
    def test_a_folder_of_images(self, tmp_path: Path, digits_run: Path) -> None:
        random = np.random.RandomState(0)
        folder = tmp_path / "images"
        for i in range(50):
            path = folder / f"{i % 3}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.randint(0, 2, (8, 8), np.uint8) * 255).save(path)
        whole = tmp_path / "whole.parquet"
        assert main(["score", str(digits_run), str(folder), "--out", str(whole)]) == 0
        by_parts("score", digits_run, folder, out=tmp_path / "parts")
        found, expected = parts(tmp_path / "parts"), polars.read_parquet(whole)
        assert found["file"].to_list() == expected["file"].to_list()
        assert np.allclose(found["log_prob"], expected["log_prob"], rtol=1e-6)

    def test_an_array(self, tmp_path: Path, digits_run: Path) -> None:
        np.save(tmp_path / "x.npy", np.random.RandomState(0).randint(0, 2, (90, 8, 8)).astype(np.uint8))
        by_parts("score", digits_run, tmp_path / "x.npy", out=tmp_path / "parts")
        assert parts(tmp_path / "parts")["number"].to_list() == list(range(1, 91))

    def test_several_files(self, run: Path, rows: Path, tmp_path: Path) -> None:
        frame = polars.read_parquet(rows)
        (tmp_path / "in").mkdir()
        for i, own in enumerate((frame[:70], frame[70:])):
            own.write_parquet(tmp_path / "in" / f"day-{i}.parquet")
        assert [path.name for path in files_of(str(tmp_path / "in"))] == ["day-0.parquet", "day-1.parquet"]
        by_parts("score", run, tmp_path / "in" / "day-*.parquet", out=tmp_path / "glob")
        by_parts("score", run, tmp_path / "in", out=tmp_path / "folder")
        assert parts(tmp_path / "glob").equals(parts(tmp_path / "folder"))
        assert parts(tmp_path / "glob")["number"].to_list() == list(range(1, 151))
        with pytest.raises(FileNotFoundError, match="found no"):
            files_of(str(tmp_path / "in" / "night-*"))

    def test_cells_of_text_are_cut_as_they_are(self, tmp_path: Path) -> None:
        path = tmp_path / "odd.csv"
        path.write_text('a;"b,c"\n1;"x\ny"\n\n2;\n3;"=1"\n')
        found = cut([path], 2, FileChoices(), tmp_path / "scratch")
        assert [(part.number, part.first, part.count) for part in found] == [(0, 0, 2), (1, 2, 1)]
        first, last = (polars.read_csv(part.path, infer_schema=False) for part in found)
        assert first.to_dict(as_series=False) == {"a": ["1", "2"], "b,c": ["x\ny", None]}
        assert last.row(0) == ("3", "=1")

    def test_chunks_of_one_size(self) -> None:
        chunks = (polars.DataFrame({"a": range(n)}) for n in (3, 1, 7, 2))
        found = list(rechunked(chunks, 4))
        assert [len(chunk) for chunk in found] == [4, 4, 4, 1]
        assert polars.concat(found)["a"].to_list() == [*range(3), 0, *range(7), 0, 1]

    def test_the_rows_of_a_bad_part_are_named(
        self, run: Path, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bad = polars.read_csv(rows.with_suffix(".csv"), infer_schema=False)
        cells = bad["x"].to_list()
        cells[99] = "many"
        bad.with_columns(x=polars.Series(cells)).write_csv(tmp_path / "bad.csv")
        words = ["score", str(run), str(tmp_path / "bad.csv"), "--engine", "local", "--part-size", SIZE]
        message = refused(capsys, *words, "--out", str(tmp_path / "parts"))
        assert "items 81 to 120: " in message
        assert "'many'" in message
        assert "/tmp" not in message.replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--engine", "cloud", "--out", "OUT"], "--engine expects local or ray, got 'cloud'"),
        (["--engine", "local"], "--engine expects --out, a folder for the parts, got none"),
        (["--engine", "local", "--out", "OUT.csv"], "--engine expects --out, a folder"),
        (["--engine", "local", "--out", "OUT", "--fdr", "0.1"], "--fdr expects no --engine"),
        (["--engine", "local", "--out", "OUT", "--workers", "2"], "--address and --workers expect --engine ray"),
        (["--engine", "ray", "--out", "OUT", "--workers", "0"], "--workers expects at least 1, got 0"),
        (["--engine", "local", "--out", "OUT", "--part-size", "0"], "part-size expects at least 1, got 0"),
        (["--part-size", "9", "--out", "OUT"], "--part-size expects --engine"),
    ],
)
def test_what_does_not_fit(
    run: Path, rows: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("OUT", str(tmp_path / "out")) for word in flags]
    assert message in refused(capsys, "score", str(run), str(rows), *words)
    assert not (tmp_path / "out").exists()


def test_data_of_one_piece(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--engine", "local", "--out", str(tmp_path / "out")]
    assert "--engine expects DATA, a file or a folder, got none" in refused(capsys, "score", str(run), *words)
    assert "found no" in refused(capsys, "score", str(run), str(tmp_path / "none.parquet"), *words)
