"""A run folder that was edited by hand or damaged is opened or refused in one line, and never gives a traceback."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import chainrule
from chainrule.cli import main
from chainrule.conditionals import Bernoulli, Categorical, Gaussian
from chainrule.model import Model
from chainrule.models import FVSBN, MADE, MLP

OLD = Path(__file__).parent / "data" / "runs_of_0.1"
KINDS = {
    "image": ("digits", ".npz"),
    "rows": ("rows.csv", ".npz"),
    "table": ("table.csv", ".csv"),
    "series": ("series.csv", ".csv"),
    "stream": ("text.txt", ".txt"),
    "documents": ("text.txt", ".txt"),
    "audio": ("audio", ".wav"),
}
"""Runs, with the data of each and the suffix of its samples."""

WRONG: tuple[Any, ...] = ("x", ["x"], -1, 2.5, None, {"x": []})


def run_of(name: str, folder: Path) -> Path:
    """A copy of an old run, with the kind and the format of its data written down as they are now."""
    shutil.copytree(OLD / name, folder)
    config = json.loads((folder / "config.json").read_text())
    kind = {"stream": "text", "documents": "text"}.get(name, name)
    config["data"]["kind"] = kind
    if kind in ("image", "rows"):
        config["data"][kind] = {"levels": config["data"]["levels"]}
    config["settings"] |= {"data": data_of(name), "seed": 0}
    config["data"]["path"] = data_of(name)
    write(folder, config)
    return folder


def data_of(name: str) -> str:
    data = KINDS[name][0]
    return data if name == "image" else str(OLD / "data" / data)


def read(folder: Path) -> Any:
    return json.loads((folder / "config.json").read_text())


def write(folder: Path, config: Any) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a nesting of dicts and lists."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def edited(config: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of ``config`` with another value at ``path``; a missing one if ``value`` is `...`."""
    copy = json.loads(json.dumps(config))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


def sampled(folder: Path, name: str) -> int:
    return main(["sample", str(folder), "-n", "1", "--device", "cpu", "--out", f"{folder}-out{KINDS[name][1]}"])


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command line is refused."""
    capsys.readouterr()
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("chainrule: error: ")
    return error


@pytest.mark.parametrize("name", KINDS)
def test_any_value_of_a_wrong_type_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(name, tmp_path / "run")
    config = read(run)
    assert sampled(run, name) == 0
    assert main(["evaluate", str(run)]) == 0
    refused = 0
    for path in places(config):
        for value in (..., *WRONG):
            write(run, edited(config, path, value))
            for command in (lambda: sampled(run, name), lambda: main(["evaluate", str(run)])):
                capsys.readouterr()
                status = command()
                error = capsys.readouterr().err
                assert status in (0, 2), (path, value, error)
                if status == 2:
                    refused += 1
                    assert error.count("chainrule: error: ") == 1, (path, value, error)
                    assert error.splitlines()[-1].startswith("chainrule: error: "), (path, value, error)
    assert refused > 50


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "path", "value", "message"),
    [
        ("table", ("data", "kind"), ["table"], r"data.kind expects image, .*, got ['table']"),
        ("table", ("data", "kind"), "text", "text expects an object with documents and vocabulary, got None"),
        ("stream", ("data", "text"), 5, "text expects an object with documents and vocabulary, got 5"),
        ("stream", ("data", "text", "vocabulary"), 5, "text.vocabulary expects an object with characters, got 5"),
        ("table", ("settings", "seed"), "x", "settings.seed expects an integer, got 'x'"),
        ("table", ("model", "arguments", "event_shape"), "x", "event_shape of MADE expects a list of integers"),
        ("table", ("data", "schema", "columns", "colour"), ..., "a table of 2 columns expects a model of as many"),
        ("table", ("data", "schema", "columns", "children", "kind"), "boolean", "integers from 0 to 1 in variable 2"),
        ("table", ("data",), ..., "expects 'data', the record of the data"),
        ("table", ("data", "kind"), "image", "image expects an object with levels, got None"),
        ("stream", ("data", "text", "vocabulary", "characters"), "abc", "integers from 0 to 3 in variable 1"),
        ("documents", ("data", "text", "documents"), False, "expects a model without end_symbol"),
        ("audio", ("data", "audio", "levels"), 8, "integers from 0 to 7 in variable 1"),
        ("image", ("data", "image", "levels"), 1, "levels expects at least 2, got 1"),
    ],
)
def test_a_refusal_names_the_file_and_says_expected_and_got(
    name: str, path: tuple[str, ...], value: Any, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(name, tmp_path / "run")
    write(run, edited(read(run), path, value))
    error = refusal(capsys, "evaluate", str(run))
    assert str(run / "config.json") in error
    assert message.replace(".*", "") in error or all(part in error for part in message.split(".*"))


@pytest.mark.quick
@pytest.mark.parametrize("kind", ["image", "rows", "text", "audio", "series"])
def test_the_data_of_another_kind_do_not_fit_a_table_model(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of("table", tmp_path / "run")
    formats = {
        "image": {"levels": 2},
        "rows": {"levels": 3},
        "text": {"documents": False, "vocabulary": {"characters": "ab"}},
        "audio": {"sample_rate": 8000, "levels": 16},
        "series": {"columns": {"height": {"kind": "real", "missing": False, "mean": 0.0, "std": 1.0}}},
    }
    config = read(run)
    config["data"] |= {"kind": kind, kind: formats[kind]}
    write(run, config)
    error = refusal(capsys, "sample", str(run), "-n", "2", "--out", str(tmp_path / "x.csv"))
    assert f"{run / 'config.json'}: " in error
    assert "expect" in error
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.quick
@pytest.mark.parametrize(
    "model",
    [
        FVSBN(event_shape=(1, 2, 3), conditional=Categorical(4)),
        MADE(event_shape=(5,), conditional=Bernoulli(), hidden_sizes=[4]),
    ],
)
def test_a_model_saved_by_hand_is_of_levels(model: Model, tmp_path: Path) -> None:
    chainrule.save(model, tmp_path / "run")
    assert main(["sample", str(tmp_path / "run"), "-n", "2", "--out", str(tmp_path / "x.npz")]) == 0


@pytest.mark.quick
def test_a_model_of_reals_that_was_saved_by_hand_has_no_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chainrule.save(MLP(event_shape=(3,), conditional=Gaussian()), tmp_path / "run")
    error = refusal(capsys, "sample", str(tmp_path / "run"), "-n", "2", "--out", str(tmp_path / "x.csv"))
    assert "got one of finite numbers" in error
