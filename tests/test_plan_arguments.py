"""Arguments ``model.<name>`` without a model are for the one that is planned, for every kind of data."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image

import chainrule
from chainrule.cli import main
from chainrule.kinds import KINDS

RANDOM = np.random.RandomState(0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file or a folder of each kind, by the kind's name."""
    folder = tmp_path_factory.mktemp("files")
    images = folder / "images"
    for name in ("round", "square"):
        (images / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(RANDOM.randint(0, 256, (6, 6)).astype(np.uint8)).save(images / name / f"{number}.png")
    np.save(folder / "rows.npy", RANDOM.randint(0, 2, (60, 7)))
    cells = [
        f"{a:.2f},{b:.2f},{c}" for a, b, c in zip(*RANDOM.randn(2, 90), RANDOM.choice(list("xy"), 90), strict=True)
    ]
    (folder / "table.csv").write_text("\n".join(["a,b,c", *cells]))
    days = np.datetime64("2024-01-01") + np.arange(90)
    values = [f"{day},{value:.3f}" for day, value in zip(days, RANDOM.randn(90).cumsum(), strict=True)]
    (folder / "series.csv").write_text("\n".join(["day,value", *values]))
    (folder / "text.txt").write_text("to be or not to be, that is the question\n" * 40)
    (folder / "sounds").mkdir()
    for number in range(4):
        with wave.open(str(folder / "sounds" / f"{number}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(RANDOM.randint(-9999, 9999, 400).astype("<i2").tobytes())
    names = {"rows": "rows.npy", "table": "table.csv", "series": "series.csv", "text": "text.txt", "audio": "sounds"}
    return {"image": images} | {kind: folder / name for kind, name in names.items()}


ARGUMENTS = {
    "image": ("num_classes", "2"),
    "rows": ("activation", "sigmoid"),
    "table": ("hidden_sizes", "[7]"),
    "series": ("lags", "3"),
    "text": ("hidden_size", "9"),
    "audio": ("layers", "3"),
}
"""For each kind an argument of the planned model, as it is typed."""


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_they_reach_the_planned_model(files: dict[str, Path], capsys: pytest.CaptureFixture[str], kind: str) -> None:
    usual = chainrule.plan(files[kind])
    name, typed = ARGUMENTS[kind]
    assert main(["plan", str(files[kind]), f"--model.{name}", typed, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert str(planned["settings"][f"model.{name}"]) == typed
    models = {(usual.settings | change)["model"] for change in usual.plan.candidates or ({},)}
    assert planned["settings"]["model"] in models
    assert f"model.{name}" not in {key for change in planned["candidates"] for key in change}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_refusal_names_the_planned_model(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    said = refused(capsys, "fit", str(files[kind]), "--model.frobnicate", "1")
    usual = chainrule.plan(files[kind])
    assert f"model.frobnicate expects a model that takes it, got {usual.settings['model']}" in said
    assert " by the plan" in said


def test_models_that_do_not_take_it_are_not_tried(files: dict[str, Path]) -> None:
    tried = [change["model"] for change in chainrule.plan(files["rows"]).plan.candidates if "model" in change]
    assert "FVSBN" in tried
    planned = chainrule.plan(files["rows"], **{"model.hidden_size": 20})
    assert (planned.settings["model"], planned.settings["model.hidden_size"]) == ("NADE", 20)
    assert not planned.plan.candidates
    assert "the best" not in str(planned)


def test_values_are_checked(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "fit", str(files["table"]), "--model.dropout", "much")
    assert "model.dropout expects a number, got 'much'" in said
    said = refused(capsys, "fit", str(files["table"]), "--model.dropout", "5")
    assert "dropout expects a probability in [0, 1), got 5; the plan's model is MADE" in said
    with pytest.raises(ValueError, match=r"model.hidden expects a model that takes it, got NADE, did you mean"):
        chainrule.plan(files["table"], model="NADE", **{"model.hidden": 5})


def test_a_class_by_its_name_after_a_planned_fit(files: dict[str, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit = ["fit", str(files["image"]), "--model.num_classes", "2", "--max-steps", "1", "--out", str(run)]
    assert main(fit) == 0
    assert main([*fit, "--resume"]) == 0  # as the same command
    assert main(["sample", str(run), "--class", "square", "-n", "1", "--out", str(tmp_path / "x.png")]) == 0


def test_a_recipe_names_its_model(files: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.yaml").write_text(f"data: {files['table']}\n")
    assert "a recipe expects `model`, got none" in refused(capsys, "fit", "--config", str(tmp_path / "recipe.yaml"))
