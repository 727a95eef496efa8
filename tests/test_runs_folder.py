"""Run folders: what is saved comes back, and what is damaged is refused in one line."""

import json
from pathlib import Path

import pytest
import torch

import chainrule
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, NADE
from chainrule.runs.folder import read_config, write_atomically

pytestmark = pytest.mark.quick


@pytest.fixture
def run(tmp_path: Path) -> Path:
    chainrule.save(NADE(event_shape=(6,), conditional=Bernoulli(), hidden_size=4), tmp_path / "run", seed=3)
    return tmp_path / "run"


def edit(run: Path, **changes: object) -> None:
    path = run / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "model",
    [
        FVSBN(event_shape=(1, 2, 3), conditional=Categorical(4, "scalar"), order="diagonal"),
        NADE(event_shape=(5,), conditional=Categorical(3), hidden_size=7, activation="relu", order=[4, 2, 0, 1, 3]),
        MADE(
            event_shape=(6,), conditional=Bernoulli(), hidden_sizes=(8, 9), direct=True, mask_seed=5, order="random:2"
        ),
    ],
)
def test_round_trip(model: AutoregressiveModel, tmp_path: Path) -> None:
    chainrule.save(model, tmp_path)
    loaded = chainrule.load(tmp_path)
    x = chainrule.sample(model, 9, seed=0)
    assert torch.equal(model.eval().log_prob(x), loaded.log_prob(x))
    assert not loaded.training


def test_config_records_versions_and_more(run: Path) -> None:
    config = read_config(run)
    assert config["seed"] == 3
    assert {"python", "chainrule", "torch", "lightning", "numpy"} == set(config["versions"])


def test_own_class_only_by_hand(tmp_path: Path) -> None:
    class Mine(FVSBN):
        pass

    model = Mine(event_shape=(3,), conditional=Bernoulli())
    chainrule.save(model, tmp_path)
    with pytest.raises(ValueError, match=r"expected a model of chainrule \(Table, .*\), got 'Mine'"):
        chainrule.load(tmp_path)
    assert isinstance(chainrule.load(tmp_path, classes={"Mine": Mine}), Mine)


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expects a run folder with config.json"):
        chainrule.load(tmp_path / "nothing")


@pytest.mark.parametrize(("content", "message"), [("{", "is damaged: it is no JSON"), ("[]", "expects a JSON object")])
def test_damaged_config(run: Path, content: str, message: str) -> None:
    (run / "config.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        chainrule.load(run)


def test_config_of_a_later_version(run: Path) -> None:
    edit(run, format=99)
    with pytest.raises(ValueError, match=r"expects format 1 or older, got 99: .*upgrade"):
        chainrule.load(run)


def test_config_without_a_model(run: Path) -> None:
    edit(run, model=None)
    with pytest.raises(ValueError, match="expects a 'model' with 'class' and 'arguments'"):
        chainrule.load(run)


def test_config_with_an_unknown_argument(run: Path) -> None:
    edit(run, model={"class": "NADE", "arguments": {"layers": 3}})
    with pytest.raises(ValueError, match="does not fit NADE of this version"):
        chainrule.load(run)


def test_config_cannot_name_a_foreign_class(run: Path) -> None:
    edit(run, model={"class": "os.system", "arguments": {}})
    with pytest.raises(ValueError, match="got 'os.system'"):
        chainrule.load(run)


def test_truncated_weights(run: Path) -> None:
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="is damaged or truncated"):
        chainrule.load(run)


def test_missing_weights(run: Path) -> None:
    (run / "model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"expects the weights in model\.safetensors, got no such file"):
        chainrule.load(run)


def test_weights_of_another_model(run: Path, tmp_path: Path) -> None:
    chainrule.save(NADE(event_shape=(6,), conditional=Bernoulli(), hidden_size=9), tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(run / "model.safetensors")
    with pytest.raises(ValueError, match="or of another run: expected the SHA-256"):
        chainrule.load(run)
    config = json.loads((run / "config.json").read_text())
    del config["sha256"]  # as older versions wrote it
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="does not fit the model in config.json"):
        chainrule.load(run)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chainrule.atomic.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"
