"""`chainrule fit FILE` needs no other word: plans, what overrides them, what they leave, and what they refuse."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import refused
from PIL import Image

import chainrule
from chainrule.cli import main
from chainrule.kinds import KINDS
from chainrule.plans import Plan
from chainrule.runs import search
from chainrule.training import TrainingError

RANDOM = np.random.RandomState(0)
SECONDS = "0.05"
"""Minutes of a fit in these tests."""


def table(folder: Path) -> Path:
    path = folder / "people.csv"
    rows = [(f"{20 + 10 * RANDOM.rand():.3f}", "yes" if RANDOM.rand() < 0.3 else "no") for _ in range(120)]
    path.write_text("age,member\n" + "".join(f"{age},{member}\n" for age, member in rows))
    return path


def rows(folder: Path) -> Path:
    bits = RANDOM.randint(0, 2, size=(100, 6))
    bits[:, 3:] = bits[:, :3]
    np.save(folder / "bits.npy", bits)
    return folder / "bits.npy"


def images(folder: Path) -> Path:
    (folder / "icons").mkdir()
    for i in range(40):
        pixels = RANDOM.randint(0, 256, size=(6, 6, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "icons" / f"{i}.png")
    return folder / "icons"


def text(folder: Path) -> Path:
    (folder / "poem.txt").write_text("the cat sat on the mat. " * 200)
    return folder / "poem.txt"


def recordings(folder: Path) -> Path:
    soundfile = pytest.importorskip("soundfile")
    (folder / "sounds").mkdir()
    for i in range(6):
        sound = 0.3 * np.sin(np.arange(2000) / (4 + i)) + 0.01 * RANDOM.randn(2000)
        soundfile.write(folder / "sounds" / f"{i}.wav", sound, 8000)
    return folder / "sounds"


def series(folder: Path) -> Path:
    path = folder / "river.csv"
    values = np.cumsum(RANDOM.randn(150)) + 100
    path.write_text("year,level\n" + "".join(f"{1800 + i},{value:.2f}\n" for i, value in enumerate(values)))
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "table": table, "rows": rows, "image": images, "text": text, "audio": recordings, "series": series,
}  # fmt: skip


def test_every_kind_is_tried() -> None:
    assert MAKERS.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", MAKERS)
def test_a_file_is_enough(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = MAKERS[kind](tmp_path)
    assert main(["fit", str(path), "--minutes", SECONDS]) == 0
    out, err = capsys.readouterr()
    run = Path("runs", path.stem)
    config = json.loads((run / "config.json").read_text())
    assert config["data"]["kind"] == kind
    assert out.startswith(path.name)
    assert "plan: " in out
    assert "parameters, about" in out
    assert f"{run} holds the model" in out
    assert err, "it says what it does meanwhile"
    settings = config["settings"]
    assert settings["minutes"] == float(SECONDS)
    assert {"model", "learning_rate", "batch_size", "max_steps"} <= settings.keys()
    training = config["training"]
    assert math.isfinite(training["valid_nats"])
    capsys.readouterr()
    assert main(["evaluate", str(run), "--json"]) == 0
    assert math.isfinite(json.loads(capsys.readouterr().out)["nats"])


@pytest.mark.parametrize("kind", MAKERS)
def test_a_plan_runs_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = MAKERS[kind](tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["plan", str(path), "--json", "--minutes", "2"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["settings"]["minutes"] == 2
    assert planned["cost"]["minutes"] <= 2
    assert planned["cost"]["parameters"] > 0
    assert sorted(tmp_path.rglob("*")) == before


def test_python_does_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = rows(tmp_path)
    planned = chainrule.plan(path, max_steps=20)
    assert planned.settings["max_steps"] == 20
    assert "minutes" not in planned.settings
    done = chainrule.fit(path, max_steps=20, members=1, verbose=False)
    assert done.folder == Path("runs/bits")
    assert (done.config["settings"]["max_steps"], done.config["settings"]["members"]) == (20, 1)
    again = chainrule.fit(path, max_steps=20, members=1, verbose=False)
    assert again.folder == Path("runs/bits-2"), "the first run is left alone"
    with pytest.raises(ValueError, match="fit expects a model, a frame, or the name or the path of data, got int"):
        chainrule.fit(3)


def test_what_the_user_says_overrides_the_plan() -> None:
    plan = Plan(
        {"model": "MADE", "model.dropout": 0.1, "minutes": 5.0, "max_steps": 9, "patience": 3, "members": 4},
        ({"model.dropout": 0.1}, {"model.dropout": 0.3}),
    )
    assert plan.overridden({"learning_rate": 1.0}) == Plan(plan.settings | {"learning_rate": 1.0}, plan.candidates)
    assert plan.overridden({"minutes": 1.0}).settings == plan.settings | {"minutes": 1.0}
    epochs = plan.overridden({"max_epochs": 2}).settings
    assert epochs == {"model": "MADE", "model.dropout": 0.1, "members": 4, "max_epochs": 2}
    named = plan.overridden({"model": "MADE"})
    assert named == Plan({"model": "MADE", "model.dropout": 0.1, "minutes": 5.0, "max_steps": 9, "patience": 3})
    fixed = plan.overridden({"model.dropout": 0.2})
    assert (fixed.settings["model.dropout"], fixed.candidates) == (0.2, ())
    other = plan.overridden({"model": "NADE"})
    assert other == Plan({"model": "NADE", "minutes": 5.0})
    assert plan.overridden({"orders": ["raster"]}).settings.get("members") is None


def test_a_finished_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fit = ["fit", str(rows(tmp_path)), "--model", "FVSBN", "--batch-size", "80"]
    assert main([*fit, "--max-steps", "20"]) == 0
    assert main([*fit, "--max-steps", "20", "--resume"]) == 0
    assert "finished already" in capsys.readouterr().out
    assert main(["fit", "./bits.npy", *fit[2:], "--max-steps", "20", "--out", "runs/bits", "--resume"]) == 0
    assert "finished already" in capsys.readouterr().out, "it is the same file by another path"
    assert main([*fit, "--max-steps", "60", "--resume"]) == 0
    steps = [int(line.split(",")[0]) for line in Path("runs/bits/metrics.csv").read_text().splitlines()[1:]]
    assert steps[-1] == 60
    assert main([*fit, "--minutes", "0.02", "--resume"]) == 0
    again = [int(line.split(",")[0]) for line in Path("runs/bits/metrics.csv").read_text().splitlines()[1:]]
    assert again[: len(steps)] == steps
    assert again[-1] > 60


def test_a_run_that_learnt_nothing_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("noise.npy", RANDOM.randint(0, 2, size=(30, 40)))
    fit = ["fit", "noise.npy", "--model", "MADE", "--learning-rate", "0.1", "--schedule", "constant"]
    assert main([*fit, "--max-steps", "5", "--validate-every", "5"]) == 0
    assert "warning: it is no better than independent variables" in capsys.readouterr().out


def test_files_of_no_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("a,b\n1.5,2.5\n")
    Path("thing.xyz").write_bytes(b"\0\1\2")
    Path("empty").mkdir()
    assert "expected at least 3 examples" in refused(capsys, "fit", "one.csv")
    message = refused(capsys, "fit", "thing.xyz")
    assert "got a file ending in .xyz" in message
    assert all(suffix in message for suffix in (".csv", ".npy", ".txt", "images", "recordings"))
    assert "expected" in refused(capsys, "fit", "empty")
    assert "minutes expects a positive number, got 0" in refused(capsys, "fit", "one.csv", "--minutes", "0")
    assert not Path("runs").exists()


def test_a_constant_column_or_two_are_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("ones.npy", np.ones((50, 4), dtype=int))
    assert main(["fit", "ones.npy", "--minutes", SECONDS]) == 0
    training = json.loads(Path("runs/ones/config.json").read_text())["training"]
    assert training["valid_nats"] <= training["independent_valid_nats"] + 0.01
    assert main(["fit", str(table(tmp_path)), "--minutes", SECONDS]) == 0


def test_a_plan_that_contradicts_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(rows(tmp_path))
    assert "PixelCNN expects" in refused(capsys, "fit", path, "--model", "PixelCNN")
    assert "real numbers, got 2 levels" in refused(capsys, "fit", path, "--conditional", "Gaussian")
    assert not Path("runs").exists()


def test_a_candidate_that_diverges_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = rows(tmp_path)
    real = search.fit

    def failing(*arguments: Any, label: str, **settings: Any) -> Any:
        if label.startswith("candidate 1 "):
            raise TrainingError("the loss became nan")
        return real(*arguments, label=label, **settings)

    monkeypatch.setattr(search, "fit", failing)
    done = chainrule.fit(path, max_steps=5, members=1, verbose=False)
    tried = json.loads((done.folder / "plan.json").read_text())["tried"]
    assert len(tried) == 2
    assert tried[0]["valid_nats"] <= tried[1]["valid_nats"]
    monkeypatch.setattr(search, "fit", lambda *_, **__: failing(label="candidate 1 "))
    with pytest.raises(TrainingError, match="the loss became nan"):
        chainrule.fit(path, max_steps=5, members=1, verbose=False)
