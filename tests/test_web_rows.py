"""The scene of rows of levels: the form of a table whose columns are numbered."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import torch
from scenes import events

from chainrule.cli import main
from chainrule.runs.opened import open_run
from chainrule.web.scenes import scene_of
from chainrule.web.scenes.rows import RowsScene


@pytest.fixture(scope="module")
def scene(table_run: Path) -> RowsScene:
    scene = scene_of(open_run(table_run))
    assert isinstance(scene, RowsScene)
    return scene


def test_levels_have_their_conditional_probabilities(scene: RowsScene) -> None:
    assert [column["choices"] for column in scene.about()["columns"]] == [["0", "1"]] * 5
    *_, last = events(scene, "distributions", cells={"1": "1", "2": "0", "3": "0", "4": "1"})
    x = torch.tensor([[1.0, 0, 0, 1, 0], [1, 0, 0, 1, 1]])
    found = dict(zip(last["columns"]["5"]["values"], last["columns"]["5"]["shares"], strict=True))
    assert [found["0"], found["1"]] == pytest.approx(scene.model.log_prob(x).softmax(0).tolist(), abs=1e-4)


def test_the_command_completes_the_same_row(scene: RowsScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command, drawn = events(scene, "rows", cells={"2": "1", "5": "0"}, count=3)
    assert {(row[1], row[4]) for row in drawn["rows"]} == {("1", "0")}
    for name, text in command["files"].items():
        Path(name).write_text(text, encoding="utf-8")
    assert main(shlex.split(command["command"])[1:]) == 0
    written = [line.split(",") for line in Path("rows.csv").read_text(encoding="utf-8").splitlines()]
    assert [(row[1], row[4]) for row in written] == [("1", "0")] * 3


def test_strange_levels_are_found(scene: RowsScene) -> None:
    why, *_, found = events(scene, "strange", cells={str(i): "1" for i in range(1, 6)})
    assert why["command"] is None
    assert len(found["cells"]) == 5
    (example,) = events(scene, "example", split="test", index=0)
    assert set(example["cells"].values()) <= {"0", "1"}
