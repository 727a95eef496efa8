"""The command line on text: ``fit``, ``sample --prompt``, ``score`` and ``evaluate``."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import refused

import chainrule
from chainrule.cli import main
from chainrule.data.text import TextFormat
from chainrule.kinds import lines
from chainrule.runs.folder import read_config

pytestmark = pytest.mark.quick

SMALL = ["--model", "RNN", "--model.cell", "gru", "--model.hidden_size", "8", "--max_epochs", "1"]
SONG = "row, row, row your boat\ngently down the stream\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on a stream, on its bytes, and on documents."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "song.txt").write_text(SONG * 20)
    data = ["--data", str(folder / "song.txt")]
    options = {"stream": ["--window", "16"], "bytes": ["--window", "16", "--vocabulary", "bytes"]}
    for name, more in (options | {"documents": ["--documents", "true"]}).items():
        assert main(["fit", *SMALL, *data, *more, "--out", str(folder / name)]) == 0
    return folder


def test_a_run_says_how_its_text_was_read(folder: Path) -> None:
    text = json.loads((folder / "stream" / "config.json").read_text())["data"]["text"]
    assert text == {"documents": False, "vocabulary": {"characters": "\n ,abdeghlmnorstuwy\ufffd"}}
    assert len((folder / "documents" / "samples.txt").read_text().split("\n")) == 64


@pytest.mark.parametrize(("run", "unit"), [("stream", "character"), ("bytes", "byte"), ("documents", "character")])
def test_evaluate(folder: Path, capsys: pytest.CaptureFixture[str], run: str, unit: str) -> None:
    assert main(["evaluate", str(folder / run), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["nats"] * result["examples"] == pytest.approx(result[f"nats_per_{unit}"] * result[f"{unit}s"])
    assert main(["evaluate", str(folder / run)]) == 0
    assert f"bits per {unit}, perplexity" in capsys.readouterr().out


@pytest.mark.parametrize("run", ["stream", "bytes", "documents"])
def test_sample_goes_on_from_a_prompt(folder: Path, capsys: pytest.CaptureFixture[str], run: str) -> None:
    arguments = ["sample", str(folder / run), "--prompt", "row, ", "--length", "30", "--seed", "3"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("row, ")
    octets = printed.removesuffix("\n")
    assert len(octets) == len("row, ") + 30 or run == "documents" or "\ufffd" in octets
    assert main([*arguments, "-n", "2"]) == 0
    two = capsys.readouterr().out
    texts = two.splitlines() if run == "documents" else two.removesuffix("\n").split("\n\nrow, ")
    assert texts[0].startswith("row, ")
    assert len(texts) == 2 or run != "documents"
    if run == "documents":
        assert texts[1].startswith("row, ")
        assert max(map(len, texts)) <= len("row, ") + 30
    out = folder / f"{run}.txt"
    assert main([*arguments, "-n", "2", "--out", str(out)]) == 0
    assert out.read_bytes().decode(errors="replace") == two


def test_a_prompt_file_that_is_no_text_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    prompt = ["--prompt-file", str(folder / "latin.txt")]
    assert "latin.txt: expected UTF-8, got an invalid byte at offset 3" in refused(
        capsys, "sample", str(folder / "stream"), *prompt
    )
    assert main(["sample", str(folder / "bytes"), *prompt, "--length", "5"]) == 0
    assert capsys.readouterr().out.startswith("caf")


@pytest.mark.parametrize("run", ["stream", "bytes", "documents"])
def test_score_adds_up(folder: Path, capsys: pytest.CaptureFixture[str], run: str) -> None:
    file = folder / "part.txt"
    file.write_text("row\ngently down\nboat")
    score = ["score", str(folder / run), str(file)]
    assert main(score) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["text"] for line in lines] == ["row", "gently down", "boat"]
    assert [line["length"] for line in lines] == [4, 12, 5 if run == "documents" else 4]
    total = float(err.split(", ")[1].removesuffix(" nats"))
    assert total == pytest.approx(sum(line["nats"] for line in lines), abs=0.01)
    assert main([*score, "--per", "character"]) == 0
    characters = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sum(row["nats"] for row in characters) == pytest.approx(sum(line["nats"] for line in lines), abs=0.01)
    assert "".join(row["text"] for row in characters[:4]) == "row\n"
    assert main([*score, "--color"]) == 0
    coloured = capsys.readouterr().out
    assert coloured.count("\x1b[0m") == len(characters)


@pytest.mark.parametrize("run", ["stream", "documents"])
def test_lines_are_those_of_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, run: str
) -> None:
    """Carriage returns belong to the ends, blank lines are no documents, long lines are given in parts."""
    monkeypatch.setattr(lines, "SYMBOLS", 200)
    monkeypatch.setattr(lines, "LONGEST", 16)
    monkeypatch.setattr(lines, "CHUNK", 8)
    file, long = folder / "lines.txt", "row your boat " * 4
    file.write_bytes(f"row\r\n\n{long}\ngently\n".encode())
    assert main(["score", str(folder / run), str(file)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    whole = [row for row in rows if row["line"] == 3]
    assert "".join(row["text"] for row in whole) == long
    assert [row["column"] for row in whole] == [1, *(np.cumsum([row["length"] for row in whole])[:-1] + 1)]
    assert len(whole) > 2
    assert [row["line"] for row in rows if row["line"] != 3] == ([1, 4] if run == "documents" else [1, 2, 4])
    if run == "stream":
        return
    assert rows[0]["text"] == "row"
    model, text = chainrule.load(folder / run), TextFormat.from_config(read_config(folder / run)["data"]["text"])
    for content, nats in (("row", rows[0]["nats"]), (long, sum(row["nats"] for row in whole))):
        symbols = [*text.vocabulary.encode(content), text.vocabulary.end]
        assert -model.log_prob(torch.tensor([symbols]).float()).item() == pytest.approx(nats, abs=1e-3)


def test_wrong_inputs(folder: Path, capsys: pytest.CaptureFixture[str], digits_run: Path) -> None:
    stream, documents = str(folder / "stream"), str(folder / "documents")
    invalid, empty, short = folder / "invalid.txt", folder / "empty.txt", folder / "short.txt"
    invalid.write_bytes(b"row " * 500 + b"\xff")
    empty.touch()
    short.write_text("row\ngently down\nboat")
    assert "got 'é' at character 1" in refused(capsys, "sample", stream, "--prompt", "wé")
    assert "length expects at least 1, got 0" in refused(capsys, "sample", stream, "--length", "0", "--prompt", "row")
    assert "expects --json or --color, got both" in refused(capsys, "score", stream, str(invalid), "--json", "--color")
    assert "run was fitted on text, got digits" in refused(capsys, "evaluate", stream, "--data", "digits")
    assert "precision expects '32-true' or 'bf16-mixed'" in refused(capsys, "sample", stream, "--precision", "half")
    assert "expects a file ending in .txt, got" in refused(capsys, "sample", stream, "--out", str(folder / "a.png"))
    assert "--prompt expects one line" in refused(capsys, "sample", documents, "--prompt", "a\nb")
    assert "invalid byte at offset 2000" in refused(capsys, "score", stream, str(invalid))
    assert "invalid byte at offset 2000" in refused(capsys, "score", documents, str(invalid))
    assert "got an empty file" in refused(capsys, "score", stream, str(empty))
    assert "found no" in refused(capsys, "score", stream, str(folder / "none.txt"))
    assert "--per expects line or character" in refused(capsys, "score", stream, str(invalid), "--per", "word")
    assert "fitted on text" in refused(capsys, "score", str(digits_run), str(invalid))
    assert "--prompt expects a model of text" in refused(capsys, "sample", str(digits_run), "--prompt", "a")
    assert "expects --out" in refused(capsys, "sample", str(digits_run))
    fit = ["fit", *SMALL, "--out", str(folder / "new"), "--data"]
    assert "got an empty file" in refused(capsys, *fit, str(empty))
    assert "invalid byte at offset 2000" in refused(capsys, *fit, str(invalid))
    assert "lower the window" in refused(capsys, *fit, str(short))
    assert not (folder / "new").exists()


def test_new_characters_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "new.txt"
    file.write_text(("röw " * 10 + "\n") * 40)
    assert main(["score", str(folder / "stream"), str(file)]) == 0
    assert "400 characters are new to the model" in capsys.readouterr().err
    for run in ("stream", "documents"):
        assert main(["evaluate", str(folder / run), "--data", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["unknown_characters"] == 400
        assert main(["evaluate", str(folder / run), "--data", str(file)]) == 0
        assert "400 characters are new to the model" in capsys.readouterr().out


def test_bytes_take_any_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "any.bin"
    file.write_bytes(bytes(range(256)))
    assert main(["score", str(folder / "bytes"), str(file), "--per", "character"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 256
    assert rows[-1]["text"] == "\\xff"


def test_documents_needs_no_value(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{name}\n" for name in ("ann", "bob", "cid", "dan", "eva", "fay") * 3))
    for words in (["--documents", str(path)], [str(path), "--documents"], [str(path), "--documents", "true"]):
        run = tmp_path / str(len(list(tmp_path.iterdir())))
        assert main(["fit", *words, "--model", "RNN", "--max-steps", "1", "--out", str(run)]) == 0
        assert json.loads((run / "config.json").read_text())["settings"]["documents"] is True
