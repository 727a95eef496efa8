"""Damage and change are found: every flipped bit, other data, another run, a second fit, a run that is not finished."""

import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from PIL import Image

import chainrule
from chainrule import hashes
from chainrule.cli import main
from chainrule.runs.lock import locked
from chainrule.training.checkpoints import read_checkpoint

fcntl = pytest.importorskip("fcntl")

FIT = ["--model", "FVSBN", "--max-epochs", "1", "--device", "cpu", "--json"]
FLIPS = 1000


def table(path: Path) -> Path:
    rng = random.Random(0)
    lines = [f"{rng.gauss(170, 10):.1f},{rng.choice('abc')},{rng.randrange(4)}" for _ in range(60)]
    path.write_text("\n".join(["height,group,children", *lines]) + "\n")
    return path


def fitted(path: Path, out: Path, *more: str) -> list[str]:
    """Fit a run on ``path``, and return the command that goes on with it."""
    fit = ["fit", str(path), *FIT, "--out", str(out), *more]
    assert main(fit) == 0
    return [*fit, "--resume"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("integrity")
    fitted(table(folder / "people.csv"), folder / "run")
    return folder / "run"


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("chainrule: error: "), error
    assert error.count("\n") == 1, error
    return error


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("model.safetensors", lambda path: chainrule.load(path.parent)),
        ("calibration.safetensors", lambda path: chainrule.runs.read_calibration(path.parent, "valid")),
        ("checkpoints/last.ckpt", read_checkpoint),
    ],
)
def test_every_flipped_bit_is_found(name: str, read: Callable[[Path], Any], run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    path = copy / name
    content = path.read_bytes()
    read(path)
    ends = range(8 * (len(content) - hashes_at_the_end(name)), 8 * len(content))
    for bit in {*random.Random(0).sample(range(8 * len(content)), FLIPS // 3), *ends}:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{path.name} is damaged"):
            read(path)


def hashes_at_the_end(name: str) -> int:
    """The bytes at the end of a file, all of whose bits are tried: a checkpoint has its own SHA-256 there."""
    return 71 + 22 if name.endswith(".ckpt") else 0


def test_commands_refuse_damaged_weights_and_checkpoints(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(run, tmp_path / "run")
    for name in ("checkpoints/last.ckpt", "model.safetensors"):
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 4
        (copy / name).write_bytes(content)
    assert "model.safetensors is damaged or truncated, or of another run: expected the SHA-256" in refusal(
        capsys, "evaluate", str(copy)
    )
    (copy / "model.safetensors").unlink()
    again = ["fit", str(run.parent / "people.csv"), *FIT, "--out", str(copy), "--resume"]
    assert "last.ckpt is damaged" in refusal(capsys, *again)


def edited(path: Path, edit: Callable[[list[str]], list[str]]) -> None:
    path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")


CHANGES: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "a row less": (lambda lines: lines[:-1], "59 examples instead of 60"),
    "a row more": (lambda lines: [*lines, lines[-1]], "61 examples instead of 60"),
    "many rows less": (lambda lines: lines[:31], "30 examples instead of 60"),
    "the first row": (lambda lines: [lines[0], *lines[2:]], "59 examples instead of 60"),
    "rows in another sequence": (lambda lines: [lines[0], *lines[:0:-1]], "other content of the same size"),
    "two rows exchanged": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "other content of the same size"),
    "a column scaled": (lambda lines: [lines[0], *("1" + line for line in lines[1:])], "bytes instead of"),
    "one cell": (lambda lines: [*lines[:-1], "9" + lines[-1][1:]], "other content of the same size"),
    "one cell emptied": (lambda lines: [*lines[:-1], lines[-1][lines[-1].index(",") :]], "bytes instead of"),
    "a column gone": (lambda lines: [line.rpartition(",")[0] for line in lines], "without the column 'children'"),
    "a column more": (lambda lines: [f"{line},{len(line)}" for line in lines], "with a column"),
    "a column renamed": (lambda lines: [lines[0].replace("group", "team"), *lines[1:]], "with a column 'team'"),
    "columns exchanged": (
        lambda lines: [",".join(line.split(",")[i] for i in (1, 0, 2)) for line in lines], "other content of the same"
    ),
    "another separator": (lambda lines: [line.replace(",", ";") for line in lines], "other content of the same size"),
    "quotes": (lambda lines: [lines[0], *(line.replace("a", '"a"') for line in lines[1:])], "bytes instead of"),
    "another category": (lambda lines: [line.replace(",a,", ",d,") for line in lines], "other content of the same"),
    "an empty line": (lambda lines: [*lines, ""], "bytes instead of"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_changed_rows_are_refused_with_what_changed(
    name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, copy = table(tmp_path / "people.csv"), tmp_path / "run"
    shutil.copytree(run, copy)
    config = json.loads((copy / "config.json").read_text())
    config["data"]["path"] = str(path)
    config["settings"]["data"] = str(path)
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "plan.json").unlink()
    assert main(["fit", str(path), *FIT, "--out", str(copy), "--resume"]) == 0, "nothing changed yet"
    edit, words = CHANGES[name]
    edited(path, edit)
    error = refusal(capsys, "fit", str(path), *FIT, "--out", str(copy), "--resume")
    assert f"people.csv expects to be as it was when {copy} was fitted on it, got " in error
    assert words in error
    assert "--changed-data" in error


def test_a_changed_folder_or_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for i in range(20):
        Image.fromarray(np.random.RandomState(i).randint(0, 255, (4, 4), np.uint8)).save(images / f"{i}.png")
    again = fitted(images, tmp_path / "pictures", "--levels", "2")
    assert main(again) == 0
    (images / "3.png").rename(images / "30.png")
    assert "other content of the same size" in refusal(capsys, *again)
    (images / "4.png").unlink()
    assert "19 files instead of 20" in refusal(capsys, *again)


def test_a_changed_frame_is_refused(tmp_path: Path) -> None:
    frame = polars.DataFrame({"x": [float(i % 7) for i in range(50)], "y": [f"{i % 3}" for i in range(50)]})
    settings: dict[str, Any] = {"out": tmp_path / "run", "model": "FVSBN", "max_epochs": 1, "verbose": False}
    chainrule.fit(frame, **settings)
    chainrule.fit(frame, resume=True, **settings)
    with pytest.raises(ValueError, match="the frame expects to be as it was .*, got other content of the same size"):
        chainrule.fit(frame.with_columns(polars.col("x") + 1), resume=True, **settings)


def test_one_goes_on_knowingly_and_the_run_records_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = table(tmp_path / "people.csv"), tmp_path / "run"
    again = fitted(path, out)
    edited(path, lambda lines: lines[:50])
    assert "49 examples instead of 60" in refusal(capsys, "evaluate", str(out))
    assert main(["evaluate", str(out), str(path)]) == 0, "rows that are named are the user's own choice"
    before = json.loads((out / "config.json").read_text())["data"]
    more = [*again, "--max-epochs", "2"]
    assert "--changed-data" in refusal(capsys, *more)
    assert main([*more, "--changed-data"]) == 0
    data = json.loads((out / "config.json").read_text())["data"]
    assert "49 examples instead of 60" in data["changes"][0]["changes"]
    assert data["changes"][0]["fingerprint"] == before["fingerprint"]
    assert data["schema"] == before["schema"], "the rows are read in the format that the run was fitted in"
    assert main(["evaluate", str(out)]) == 0
    assert "--changed-data expects --resume" in refusal(capsys, "fit", str(path), "--changed-data")


def test_a_large_folder_is_known_by_names_sizes_times_and_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "WHOLE", 10)
    monkeypatch.setattr(hashes, "SAMPLED", 2)
    for i in range(8):
        (tmp_path / f"{i}.txt").write_text(f"content {i}")
    before = hashes.fingerprint(tmp_path)
    (tmp_path / ".hidden").write_text("does not count")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    assert hashes.fingerprint(tmp_path, without=tmp_path / "run") == before
    times = (tmp_path / "3.txt").stat()
    (tmp_path / "3.txt").write_text("CONTENT 3")
    os.utime(tmp_path / "3.txt", ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    assert hashes.fingerprint(tmp_path, without=tmp_path / "run") != before


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A folder that another process has locked, as far as `locked` can tell."""
    folder = tmp_path / "held"
    folder.mkdir()
    with (folder / ".lock").open("w") as file:
        file.write("process 5 on elsewhere")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        yield folder


def test_a_second_fit_into_a_folder_is_refused(held: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "people.csv")
    error = refusal(capsys, "fit", str(path), *FIT, "--out", str(held))
    assert f"{held} expects one fit at a time, got a second while process 5 on elsewhere is writing into it" in error
    assert [each.name for each in held.iterdir()] == [".lock"]


def test_the_lock_of_a_dead_process_is_none(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("process 1 on elsewhere")
    with locked(tmp_path), locked(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")
    assert not tmp_path.exists(), "an empty folder is removed, and so is the lock"


def test_resume_makes_what_a_killed_fit_did_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    fit = ["fit", str(table(tmp_path / "people.csv")), *FIT[:-1], "--out", str(out)]
    with monkeypatch.context() as patch:
        patch.setattr("chainrule.kinds.table.TableKind.leave_samples", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        assert main(fit) == 143
    weights, metrics = (out / "model.safetensors").read_bytes(), (out / "metrics.csv").read_bytes()
    assert not (out / "samples.csv").exists()
    assert main([*fit, "--resume"]) == 0
    assert "finished already" not in capsys.readouterr().out
    assert "calibration" in json.loads((out / "config.json").read_text())
    samples = (out / "samples.csv").read_bytes()
    (out / "samples.csv").unlink()
    assert main([*fit, "--resume"]) == 0
    assert (out / "samples.csv").read_bytes() == samples
    assert (out / "model.safetensors").read_bytes() == weights, "it was not trained again"
    assert (out / "metrics.csv").read_bytes() == metrics
    capsys.readouterr()
    assert main([*fit, "--resume"]) == 0
    assert "finished already" in capsys.readouterr().out


def test_the_folder_of_another_run_is_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, other = table(tmp_path / "people.csv"), tmp_path / "other"
    fit = ["fit", str(path), *FIT]
    (other / "checkpoints").mkdir(parents=True)
    shutil.copy(run / "checkpoints" / "last.ckpt", other / "checkpoints")
    for more in ([], ["--resume"]):
        assert "got checkpoints without config.json" in refusal(capsys, *fit, "--out", str(other), *more)[-200:]
    chainrule.save(chainrule.load(run), tmp_path / "saved")
    error = refusal(capsys, *fit, "--out", str(tmp_path / "saved"), "--resume")
    assert "expects a run that fit wrote, got a model that was saved by hand" in error
    (tmp_path / "ensemble" / "members" / "0").mkdir(parents=True)
    assert "holds members of an ensemble" in refusal(capsys, *fit, "--out", str(tmp_path / "ensemble"), "--resume")
    (tmp_path / "early").mkdir()
    config = json.loads((run / "config.json").read_text())
    (tmp_path / "early" / "config.json").write_text(json.dumps(config))
    error = refusal(
        capsys, "fit", str(run.parent / "people.csv"), "--model", "NADE", "--out", str(tmp_path / "early"), "--resume"
    )
    assert "was fitted with model='FVSBN', got 'NADE'" in error, "though nothing was learnt yet"
