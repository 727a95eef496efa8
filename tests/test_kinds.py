"""Every verb on every kind of data: it works, or refuses by name with the reason."""

import json
from pathlib import Path

import numpy as np
import polars
import pytest
import soundfile
from command_line import refused

from chainrule.cli import main
from chainrule.data import load

FOLDER = Path(__file__).parent / "data" / "runs_of_0.1"
"""Small runs of every kind, and the files that they were fitted on."""

FILES = {
    "image": "digits.npy",
    "rows": "rows.csv",
    "table": "table.csv",
    "series": "series.csv",
    "stream": "text.txt",
    "documents": "text.txt",
    "audio": "audio",
}
SUFFIX = {"image": ".npy", "rows": ".csv", "stream": ".txt", "documents": ".txt", "audio": ""}


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits") / "digits.npy"
    np.save(path, load("digits").test[:30].numpy().astype(np.uint8))
    return path


@pytest.fixture
def data(digits: Path, request: pytest.FixtureRequest) -> str:
    name = request.node.callspec.params["name"]
    return str(digits if name == "image" else FOLDER / "data" / FILES[name])


def count(name: str) -> int:
    """The examples in all of a file."""
    return {"image": 30, "rows": 40, "table": 40, "series": 1, "stream": 1, "documents": 20, "audio": 4}[name]


@pytest.mark.parametrize("flag", [[], ["--data"]])
@pytest.mark.parametrize("name", FILES)
def test_evaluate_takes_all_of_a_file(
    name: str, data: str, flag: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(FOLDER / name), *flag, data, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["examples"] == count(name)
    assert result["nats"] > 0


@pytest.mark.parametrize("verb", ["evaluate", "score", "marginal", "represent", "classify"])
def test_a_file_has_no_split(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = {"marginal": ["--observe", "0.5"], "represent": ["--out", "x.npy"]}.get(verb, [])
    rows = ["--data", str(FOLDER / "data" / "rows.csv")]
    message = refused(capsys, verb, str(FOLDER / "rows"), *rows, *more, "--split", "train")
    assert "--split expects a named set or the run's own data" in message
    assert "did you mean digits?" in refused(capsys, verb, str(FOLDER / "rows"), *more, "--data", "digitz")


def test_evaluate_and_score_agree_on_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, data = str(FOLDER / "table"), str(FOLDER / "data" / "table.csv")
    assert main(["score", run, data, "--out", str(tmp_path / "scores.csv")]) == 0
    capsys.readouterr()
    assert main(["evaluate", run, "--data", data, "--json"]) == 0
    nats = json.loads(capsys.readouterr().out)["nats"]
    assert nats == pytest.approx(-polars.read_csv(tmp_path / "scores.csv")["log_prob"].mean(), rel=1e-6)


@pytest.mark.parametrize("name", FILES)
def test_sample_writes_the_form_in_which_the_data_came(name: str, tmp_path: Path) -> None:
    out = tmp_path / f"samples{SUFFIX.get(name, '.csv')}"
    length = ["--length", "12"] if name in ("series", "stream", "audio") else []
    assert main(["sample", str(FOLDER / name), "-n", "3", *length, "--out", str(out)]) == 0
    if name == "audio":
        assert soundfile.info(out / "2.wav").frames == 12
    elif name in ("stream", "documents"):
        assert out.read_text()
    elif name == "image":
        assert np.load(out).shape == (3, 1, 8, 8)
    elif name == "rows":
        assert np.loadtxt(out, delimiter=",").shape == (3, 4)
    else:
        frame = polars.read_csv(out)
        assert frame.shape == ((12, 3) if name == "series" else (3, 3))


@pytest.mark.parametrize("name", FILES)
def test_complete_keeps_what_is_known(name: str, data: str, tmp_path: Path) -> None:
    run, out = str(FOLDER / name), tmp_path / f"completed{SUFFIX.get(name, '.csv')}"
    observe = ["--observe", "0.5"] if name in ("image", "rows", "audio") else []
    given, length = data, []
    if name == "table":
        given = str(tmp_path / "gaps.csv")
        polars.read_csv(data).with_columns(colour=polars.lit(None)).write_csv(given)
    elif name in ("stream", "documents"):
        given = str(tmp_path / "beginnings.txt")
        Path(given).write_text("row, row\ngently\n")
        length = ["--length", "9"]
    assert main(["complete", run, given, *observe, *length, "--out", str(out)]) == 0
    if name in ("image", "rows"):
        known = np.load(given) if name == "image" else np.loadtxt(given, delimiter=",", skiprows=1)
        completed = np.load(out) if name == "image" else np.loadtxt(out, delimiter=",")
        half = known[0].size // 2
        assert completed.shape == known.shape
        assert (completed.reshape(len(known), -1)[:, :half] == known.reshape(len(known), -1)[:, :half]).all()
    elif name == "table":
        filled = polars.read_csv(out)
        there = (heights := polars.read_csv(data)["height"]).is_not_null()
        assert filled["height"].filter(there).to_list() == heights.drop_nulls().to_list()
        assert filled["height"].null_count() == 0
        assert set(filled["colour"]) <= {"red", "green", "blue"}
    elif name == "series":
        assert len(polars.read_csv(out)) == 24
    elif name == "stream":
        text = out.read_text()
        assert text.startswith("row, row\ngently\n")
        assert len(text) == len("row, row\ngently\n") + 9 + 1
    elif name == "documents":
        assert [line[:3] for line in out.read_text().splitlines()] == ["row", "gen"]
    else:
        assert len(list(out.iterdir())) == 2 * 4


@pytest.mark.parametrize("score", ["nll", "pvalue"])
@pytest.mark.parametrize("name", FILES)
def test_score_has_a_row_for_every_item(
    name: str, data: str, score: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.csv"
    own = ["--calibrate", data] if score == "pvalue" else []
    asked = ["score", str(FOLDER / name), data, "--score", score, *own, "--out", str(out)]
    if name == "audio" and own:
        assert "p-values expect at least 20 examples to compare with, got 4" in refused(capsys, *asked)
        return
    assert main(asked) == 0
    frame = polars.read_csv(out)
    items = {"series": 60, "stream": 20}.get(name, count(name))
    assert frame["number"].to_list() == list(range(1, items + 1))
    assert {"log_prob", "score"} <= set(frame.columns)
    plain = tmp_path / "plain.csv"
    assert main(["score", str(FOLDER / name), data, "--out", str(plain)]) == 0
    assert polars.read_csv(plain)["log_prob"].equals(frame["log_prob"]), "--score nll is the default"
    if score == "nll":
        assert polars.read_csv(plain).equals(frame)


@pytest.mark.parametrize("name", FILES)
def test_represent_and_classify_work_or_name_the_model(
    name: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = str(FOLDER / name), str(tmp_path / "features.npy")
    model = {"image": "FVSBN", "rows": "NADE", "table": "MADE", "audio": "WaveNet"}.get(name, "RNN")
    if name == "image":
        assert "got FVSBN, which has none" in refused(capsys, "represent", run, data, "--out", out)
    else:
        assert main(["represent", run, data, "--out", out]) == 0
        assert len(np.load(out)) >= 1
        capsys.readouterr()
    assert f"got a {model} without" in refused(capsys, "classify", run, data)


@pytest.mark.parametrize("name", FILES)
def test_other_data_is_refused_by_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = "digits" if name != "image" else "names"
    message = refused(capsys, "evaluate", str(FOLDER / name), "--data", other)
    assert "--data expects" in message
    assert other in message


@pytest.mark.parametrize("name", FILES)
def test_means_of_values_are_of_levels(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = {"conditionals": ["-n", "2"], "purify": ["--epsilon", "1"]}
    for command, more in commands.items():
        out = tmp_path / f"{command}.png"
        arguments = [command, str(FOLDER / name), *more, "--out", str(out)]
        if name in ("image", "rows"):
            if command == "conditionals":
                assert main(arguments) == 0
                capsys.readouterr()
        else:
            assert f"{command} expects a run on images or on rows of levels" in refused(capsys, *arguments)
            assert not out.exists()


@pytest.mark.parametrize("name", ["series", "audio"])
def test_sequences_of_any_length_have_no_marginal(name: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    message = refused(capsys, "marginal", str(FOLDER / name), data, "--observe", "0.5")
    assert "expects examples of one length, got recordings or a series" in message


def test_the_documents_of_a_file_may_be_shorter_than_those_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = tmp_path / "few.txt"
    few.write_text("row\ngently\n")
    assert main(["marginal", str(FOLDER / "documents"), str(few), "--observe", "1", "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert main(["evaluate", str(FOLDER / "documents"), str(few), "--json"]) == 0
    nats = json.loads(capsys.readouterr().out)["nats"]
    assert sum(whole["log_prob"]) / 2 == pytest.approx(-nats, abs=1e-4)


@pytest.mark.parametrize("name", FILES)
def test_score_prints_one_json_object(name: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    score = ["score", str(FOLDER / name), data, "-n", "7", "--json"]
    assert main(score) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["count"] == len(whole["items"]) == (4 if name == "audio" else 7)
    out = tmp_path / "scores.csv"
    assert main([*score, "--out", str(out)]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["out"] == str(out)
    expected = sorted((item["score"] for item in whole["items"]), reverse=True)[:5]
    assert [item["score"] for item in written["strangest"]] == expected


@pytest.mark.parametrize("name", FILES)
def test_an_option_that_has_no_effect_is_refused(name: str, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(FOLDER / name)
    for command in (["evaluate"], ["score"], ["represent", "--out", "x.npy"]):
        message = refused(capsys, command[0], run, data, *command[1:], "--split", "nonsense")
        assert f"--split expects a named set or the run's own data, got {data}, all of which is read" in message
    if name not in ("stream", "documents"):
        assert "--color expects a run on text" in refused(capsys, "score", run, data, "--color")
    message = refused(capsys, "score", run, data, "--json", "--calibration", "train")
    assert "--calibration expects --score pvalue or typicality" in message


@pytest.mark.parametrize("name", FILES)
def test_complete_refuses_the_options_of_other_kinds(
    name: str, data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {
        "n": "2",
        "observe": "0.5",
        "mean": None,
        "point": "mean",
        "quantiles": "0.5",
        "particles": "0",
        "draws": "2",
        "length": "3",
    }
    taken = {"series": "draws length", "table": "n point mean quantiles particles draws"}
    levels = "n observe particles draws"
    own = taken | {
        "audio": "n observe draws length",
        "stream": "n draws length",
        "documents": "n draws length",
        "image": levels,
        "rows": levels,
    }
    for option, value in given.items():
        if option not in own[name].split():
            flag = f"-{option}" if len(option) == 1 else f"--{option}"
            typed = [flag] if value is None else [flag, value]
            message = refused(
                capsys,
                "complete",
                str(FOLDER / name),
                data,
                *typed,
                "--out",
                str(tmp_path / f"x{SUFFIX.get(name, '.csv')}"),
            )
            assert f"complete expects no {flag}, as the run was fitted on data of the kind" in message
