"""The command line on logs and other lines: the default score, spans, encodings, prompts and stops."""

import io
import json
from pathlib import Path
from typing import Any

import polars
import pytest
from command_line import refused

from chainrule import data
from chainrule.cli import main
from chainrule.runs import read_calibration

pytestmark = pytest.mark.quick

SMALL = ["--model", "RNN", "--model.cell", "gru", "--model.hidden_size", "8", "--model.ngram_order", "6", "--max_steps"]
NAMES = ("anna", "bert", "cléo", "dora")


def log_lines(count: int) -> list[str]:
    """Lines of a log, whose values are drawn without a generator."""
    levels, words = ("WARN", *["INFO"] * 6), "10:{:02d}:{:02d} {} user {} took {} ms"
    return [words.format(i // 60, i % 60, levels[i % 7], NAMES[i * 7 % 4], i * 37 % 90 + 10) for i in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on a log in Latin-1, as one stream and as lines."""
    folder = tmp_path_factory.mktemp("lines")
    (folder / "old.log").write_bytes("".join(f"{line}\n" for line in log_lines(1500)).encode("latin-1"))
    for name, more in {"stream": ["--window", "16"], "lines": ["--documents"]}.items():
        words = ["fit", str(folder / "old.log"), "--encoding", "latin-1", *SMALL, "3", *more]
        assert main([*words, "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose examples are all of the files of a folder, and a folder of new ones."""
    folder = tmp_path_factory.mktemp("files")
    for new, count in {"old": 240, "new": 3}.items():
        (folder / new / "src").mkdir(parents=True)
        for i in range(count):
            text = "".join(f"def f{i % 9}{j}(x):\n    return x + {j}\n" for j in range(1 + i % 5))
            (folder / new / f"src/{i}.py").write_text(text)
    (folder / "new/src/1.py").write_text("def f1(x):\n    return x @ 3\n" * 3)
    words = ["fit", str(folder / "old"), "--per-file", *SMALL, "3", "--out", str(folder / "run")]
    assert main(words) == 0
    return folder


def scored(folder: Path, run: str, lines: list[str], *more: str) -> list[dict[str, Any]]:
    (folder / "new.log").write_bytes("".join(f"{line}\n" for line in lines).encode("latin-1"))
    out = folder / "scores.parquet"
    assert main(["score", str(folder / run), str(folder / "new.log"), "--out", str(out), *more]) == 0
    return polars.read_parquet(out).to_dicts()


@pytest.mark.parametrize("run", ["stream", "lines"])
def test_the_default_score_finds_what_is_wrong_in_a_line(folder: Path, run: str) -> None:
    ordinary = log_lines(300)[100:200]
    wrong = {20, 41, 60}
    lines = list(ordinary)
    lines[20] = lines[20].replace("user", "u§er")
    lines[41] = lines[41].replace("INFO", "FATAL")
    lines[60] = lines[60].partition(" took")[0]
    rows = scored(folder, run, lines)
    assert [row["text"] for row in rows] == lines, "as they are in the file, and not as the model reads them"
    assert {"pvalue", "log_prob", "greatest", "span", "span_column", "score"} <= rows[0].keys()
    strangest = sorted(range(len(rows)), key=lambda i: -rows[i]["score"])[:3]
    assert set(strangest) == wrong
    assert all(rows[i]["pvalue"] < 0.01 for i in wrong)
    assert rows[20]["span"].startswith("§")
    assert rows[20]["span_column"] == lines[20].index("§") + 1
    assert "F" in rows[41]["span"]
    assert rows[60]["span"] == "\n", "its end"
    assert rows[60]["span_column"] == len(lines[60]) + 1


def test_the_score_of_old_runs_and_of_few_lines_is_nll(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = folder / "few.txt"
    few.write_text("one two three\n" * 30)
    assert main(["fit", str(few), "--documents", *SMALL, "1", "--out", str(folder / "few")]) == 0
    capsys.readouterr()
    assert main(["score", str(folder / "few"), str(few), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == "nll"
    assert read_calibration(folder / "lines", "valid").ways is not None


@pytest.mark.parametrize("run", ["stream", "lines"])
def test_score_without_a_file_takes_the_test_part(folder: Path, capsys: pytest.CaptureFixture[str], run: str) -> None:
    capsys.readouterr()
    assert main(["score", str(folder / run)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert main(["evaluate", str(folder / run), "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert sum(row["nats"] for row in rows) == pytest.approx(known["nats"] * known["examples"], rel=1e-4)
    assert rows[0]["line"] == 1
    assert len(rows) in (150, 151)


def test_the_encoding_of_a_run_is_that_of_what_it_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = folder / "more.log"
    new.write_bytes("".join(f"{line}\n" for line in log_lines(400)[300:]).encode("latin-1"))
    capsys.readouterr()
    assert main(["evaluate", str(folder / "lines"), str(new), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["unknown_characters"] == 0
    assert main(["score", str(folder / "stream"), str(new), "--explain", "2"]) == 0
    start = folder / "start.txt"
    start.write_bytes("10:00:01 INFO user cléo".encode("latin-1"))
    out = folder / "done.txt"
    assert main(["complete", str(folder / "lines"), str(start), "--length", "20", "--out", str(out)]) == 0
    assert out.read_text().startswith("10:00:01 INFO user cléo")
    marked = folder / "marked.log"
    marked.write_bytes(new.read_bytes().decode("latin-1").encode("utf-16"))
    assert main(["evaluate", str(folder / "lines"), str(marked), "--json"]) == 0, "a mark is more than a choice"


def test_a_file_without_lines_is_refused_in_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "blank.log").write_text("\n")
    blank, run, new = str(folder / "blank.log"), str(folder / "lines"), str(folder / "old.log")
    for more in ([], ["--json"], ["--out", str(folder / "none.csv")]):
        assert "blank.log: expected items to score, got none" in refused(capsys, "score", run, blank, *more)
    assert "expected examples to compare with, got none" in refused(capsys, "score", run, new, "--calibrate", blank)


def test_the_default_score_compares_with_lines_of_ones_own(folder: Path) -> None:
    (folder / "new.log").write_text("".join(f"{line}\n" for line in log_lines(40)))
    out = folder / "own.csv"
    words = ["score", str(folder / "lines"), str(folder / "new.log"), "--calibrate", str(folder / "old.log")]
    assert main([*words, "--out", str(out)]) == 0
    assert "pvalue" in polars.read_csv(out).columns


def test_prompts_from_files_and_stops(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stream, prompt = str(folder / "stream"), folder / "prompt.txt"
    prompt.write_bytes("10:00:01 INFO user cléo".encode("latin-1"))
    capsys.readouterr()
    assert main(["sample", stream, "--prompt-file", str(prompt), "--length", "200", "--stop", " ms\n"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("10:00:01 INFO user cléo")
    assert " ms\n" not in printed
    out = folder / "samples.txt"
    words = ["sample", stream, "--prompt", "10:00:01 INFO", "--length", "300", "-n", "3", "--stop", "\n"]
    assert main([*words, "--out", str(out)]) == 0
    assert len(out.read_text().split("\n\n")) == 3
    assert all("\n" not in text for text in out.read_text().rstrip("\n").split("\n\n"))
    assert main(["sample", str(folder / "lines"), "--length", "500", "--stop", "INFO"]) == 0
    assert "INFO" not in capsys.readouterr().out


def test_what_is_typed_wrong_is_said_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], digits_run: Path
) -> None:
    stream, lines, prompt = str(folder / "stream"), str(folder / "lines"), folder / "bad.txt"
    prompt.write_bytes(b"10:00:01 #")
    assert "got '#' at character 9" in refused(capsys, "sample", stream, "--prompt-file", str(prompt))
    assert "no --prompt-file, which has the prompt" in refused(
        capsys, "sample", stream, "--prompt-file", str(prompt), "--prompt", "1"
    )
    assert "found no" in refused(capsys, "sample", stream, "--prompt-file", str(folder / "none.txt"))
    assert "expects a model of text" in refused(capsys, "sample", str(digits_run), "--stop", "a", "--out", "a.png")
    assert "got '#'" in refused(capsys, "sample", stream, "--stop", "#", "-n", "2")
    assert "--scale expects --out" in refused(capsys, "sample", stream, "--scale", "2")
    assert "--stop expects at least one character" in refused(capsys, "sample", stream, "--stop", "")
    empty = folder / "empty.log"
    empty.touch()
    for command in ("score", "evaluate"):
        assert "got an empty file" in refused(capsys, command, lines, str(empty))
    assert "a FILE of beginnings" in refused(capsys, "complete", lines, "--out", "a.txt")
    assert "no text" in refused(capsys, "fit", "/bin/sh")


def test_scores_of_files_name_them(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, new, out = str(scripts / "run"), str(scripts / "new"), scripts / "scores.parquet"
    assert main(["score", run, new, "--out", str(out)]) == 0
    capsys.readouterr()
    rows = polars.read_parquet(out).to_dicts()
    assert [row["file"] for row in rows] == ["src/0.py", "src/1.py", "src/2.py"]
    assert [row["symbols"] for row in rows] == [len((scripts / "new" / row["file"]).read_text()) + 1 for row in rows]
    strangest = max(rows, key=lambda row: row["score"])
    assert (strangest["file"], strangest["span_line"], strangest["span_column"]) == ("src/1.py", 2, 14)
    assert strangest["span"].startswith("@")
    assert strangest["pvalue"] < 0.05
    assert main(["score", run, new, "--per", "character"]) == 0
    symbols = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(symbols) == sum(row["symbols"] for row in rows)
    for row in rows:
        own = [each["nats"] for each in symbols if each["file"] == row["file"]]
        assert sum(own) == pytest.approx(row["nats"], abs=1e-2)
    second = next(each for each in symbols if (each["file"], each["line"], each["column"]) == ("src/2.py", 2, 5))
    assert second["text"] == "r"
    assert main(["score", run, new, "--explain", "1"]) == 0
    assert "src/1.py, line 2, column 14, after" in capsys.readouterr().out
    assert main(["score", run, "--out", str(out)]) == 0
    held_out = polars.read_parquet(out)
    assert len(held_out) == 24
    assert all((scripts / "old" / name).is_file() for name in held_out["file"])


def test_files_are_evaluated_sampled_and_completed(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, new = str(scripts / "run"), str(scripts / "new")
    capsys.readouterr()
    assert main(["evaluate", run, new, "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert (known["examples"], known["unknown_characters"]) == (3, 3)
    assert main(["score", run, new, "--json", "--score", "nll"]) == 0
    rows = json.loads(capsys.readouterr().out)["items"]
    assert sum(row["nats"] for row in rows) == pytest.approx(3 * known["nats"], rel=1e-5)
    assert main(["sample", run, "--prompt", "def f11(x):\n", "--length", "500"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("def f11(x):\n")
    assert "\0" not in printed, "it ends with the file"
    assert (
        main(["sample", run, "-n", "3", "--length", "300", "--prompt", "def f", "--out", str(scripts / "drawn")]) == 0
    )
    texts = [(scripts / "drawn" / f"{i}.txt").read_text() for i in range(1, 4)]
    assert all(text.startswith("def f") and "\0" not in text for text in texts)
    capsys.readouterr()
    assert "a .txt file or a folder, got a.png" in refused(capsys, "sample", run, "--out", "a.png")
    out = scripts / "done.txt"
    (scripts / "begun.py").write_text("def f33(x):\n    ret")
    assert main(["complete", run, str(scripts / "begun.py"), "--length", "20", "--out", str(out)]) == 0
    assert out.read_text().startswith("def f33(x):\n    ret")
    capsys.readouterr()
    assert "whose examples are lines, got one whose examples are files" in refused(capsys, "score", run, "-")
    assert "is no text in several files, got per_file=True" in refused(capsys, "fit", "mnist", "--per-file")


@pytest.mark.parametrize(("encoding", "end"), [("utf-16", "\n"), ("utf-8-sig", "\r\n"), ("latin-1", "\n")])
def test_standard_input_is_read_as_a_file_of_the_same_bytes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, encoding: str, end: str
) -> None:
    new, run = folder / "piped.log", str(folder / "lines")
    new.write_bytes("".join(f"{line}{end}" for line in log_lines(6)).encode(encoding))
    capsys.readouterr()
    assert main(["score", run, str(new), "--score", "nll"]) == 0
    expected = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    with new.open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(file))
        assert main(["score", run, "-", "--score", "nll"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == [row["text"] for row in expected] == log_lines(6)
    assert [row["nats"] for row in rows] == pytest.approx([row["nats"] for row in expected], abs=1e-3)


def test_a_byte_order_mark_that_overrules_the_encoding_is_said(tmp_path: Path) -> None:
    log, table = tmp_path / "some.log", tmp_path / "some.csv"
    log.write_bytes("".join(f"{line}\n" for line in log_lines(90)).encode("utf-16"))
    table.write_bytes(("a,b\n" + "ä,1\nb,2\n" * 20).encode("utf-8-sig"))
    note = "a byte order mark says {}, in which the text is read, and not in latin-1"
    for path, name in {log: "UTF-16", table: "UTF-8"}.items():
        told, untold = (data.load(path, encoding=encoding) for encoding in ("latin-1", None))
        assert note.format(name) in " ".join([told.description, *told.notes])
        assert "order mark" not in " ".join([untold.description, *untold.notes])
    assert not any("order mark" in note for note in data.load(log, encoding="utf-16-le").notes)


def test_a_log_with_a_nul_is_given_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "some.log"
    log.write_bytes("\n".join(log_lines(90)).encode().replace(b"INFO user bert", b"INFO\0user bert", 1))
    message = refused(capsys, "plan", str(log))
    assert "is no text, as it has 1 NUL byte: remove them, or take its --vocabulary bytes" in message
    assert main(["plan", str(log), "--vocabulary", "bytes"]) == 0
    capsys.readouterr()
    log.write_bytes(bytes(range(256)) * 4)
    assert "NUL" not in refused(capsys, "plan", str(log)), "a binary file has more than a few"


def test_a_link_to_a_text_is_no_further_text(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.txt").write_text(f"text {i}\n" * 40)
    (tmp_path / "9.txt").symlink_to(tmp_path / "2.txt")
    (tmp_path / "3b.txt").hardlink_to(tmp_path / "3.txt")
    for path in (tmp_path, tmp_path / "*.txt"):
        found = data.load(path, per_file=True)
        assert sorted(name for split in found.splits.values() for name in split.names) == [f"{i}.txt" for i in range(4)]
        assert "left out 2 links to files that are read by other names: 3b.txt, 9.txt" in found.notes
