"""Signals, too little memory and lost processes end a command in one line, with the status that says so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import FAST

from chainrule.cli import main
from chainrule.endings import Terminated, ended_by_signals
from chainrule.training.checkpoints import read_checkpoint
from chainrule.training.loop import Loop
from chainrule.training.module import MaximumLikelihood

SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
SAMPLES = "chainrule.kinds.levels.LevelsKind.leave_samples"
MADE = ["--model", "MADE", "--model.hidden_sizes", "[8]", "--device", "cpu"]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    np.save(tmp_path / "rows.npy", np.random.RandomState(1).randint(0, 2, size=(2_000, 6)).astype(np.uint8))
    return tmp_path / "rows.npy"


def killing(number: int, when: int = 1) -> Callable[..., None]:
    """A function that sends this process a signal in the call ``when``, counted from 1."""
    calls = 0

    def kill(*_: Any, **__: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == when:
            os.kill(os.getpid(), number)

    return kill


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "place", ["chainrule.training.history.write_history", "chainrule.tasks.calibration.Calibration.of", SAMPLES]
)
def test_a_signal_ends_a_fit_in_one_line_that_names_the_checkpoint(
    number: int, place: str, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "run"
    fit = ["fit", str(rows), *MADE, "--out", str(out), "--max-epochs", "3", "--json"]
    handlers = [signal.getsignal(each) for each in SIGNALS]
    with monkeypatch.context() as patch:
        patch.setattr(place, killing(number, 2 if "history" in place else 1))
        assert main(fit) == 128 + number
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("chainrule: interrupted; " if number == signal.SIGINT else "chainrule: ended by SIG")
    assert (
        f"the last checkpoint is {out}/checkpoints/last.ckpt, and `chainrule fit {rows} --out {out} --resume`" in last
    )
    assert [signal.getsignal(each) for each in SIGNALS] == handlers
    assert main([*fit, "--resume"]) == 0


@pytest.mark.parametrize("number", SIGNALS)
def test_without_a_checkpoint_none_is_named(
    number: int, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chainrule.training.start.start_at_frequencies", killing(number))
    assert main(["fit", str(rows), *MADE, "--out", str(tmp_path / "run"), *FAST, "--json"]) == 128 + number
    assert "; there is no checkpoint yet" in capsys.readouterr().err.splitlines()[-1]


def test_a_signal_ends_any_command(
    table_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("chainrule.cli.sample.opened_likelihood", killing(signal.SIGTERM))
    assert main(["sample", str(table_run), "--out", str(tmp_path / "x.csv")]) == 143
    assert capsys.readouterr().err == "chainrule: ended by SIGTERM\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_process_of_a_fit_ends_with_the_status_of_the_signal(number: int, rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "chainrule", "fit", str(rows), *MADE, "--out", str(out), "--max-epochs", "100000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not (out / "checkpoints" / "last.ckpt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert f"ended by {signal.Signals(number).name}; the last checkpoint is {out}" in err
    assert "Traceback" not in err


@pytest.mark.quick
def test_a_second_signal_ends_at_once_and_an_ignored_one_stays_ignored() -> None:
    program = """
import os, signal
from chainrule.endings import Terminated, ended_by_signals
signal.signal(signal.SIGHUP, signal.SIG_IGN)
with ended_by_signals():
    os.kill(os.getpid(), signal.SIGHUP)
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Terminated:
        os.kill(os.getpid(), signal.SIGTERM)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGTERM


@pytest.mark.quick
def test_handlers_of_the_users_own_are_kept() -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    try:
        with ended_by_signals():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert got == [signal.SIGTERM]
    assert Terminated(signal.SIGTERM).code == 143


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "out of memory: expected less"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate"), "out of memory"),
        (RuntimeError("[gloo/pair.cc:534] Connection closed by peer [127.0.0.1]:5"), "another process of this"),
        (OSError(28, "No space left on device", "x.ckpt"), "x.ckpt: No space left on device"),
        (OSError(30, "Read-only file system", "x.ckpt"), "x.ckpt: Read-only file system"),
        (FileNotFoundError(2, "No such file or directory", "a.png"), "a.png: No such file or directory"),
    ],
)
def test_a_failure_of_the_machine_is_one_line(
    error: Exception, words: str, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def fail(*_: Any, **__: Any) -> None:
        raise error

    out = tmp_path / "run"
    monkeypatch.setattr(SAMPLES, fail)
    assert main(["fit", str(rows), *MADE, "--out", str(out), *FAST, "--json"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"chainrule: error: {words}")
    assert f"; the last checkpoint is {out}/checkpoints/last.ckpt, and `chainrule fit {rows} --out {out}" in last


@pytest.mark.quick
def test_an_error_of_ours_stays_an_error(table_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr("chainrule.cli.describe.opened", fail)
    with pytest.raises(RuntimeError, match="mat1"):
        main(["describe", str(table_run)])


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy dog\n" * 60)
    return tmp_path / "text.txt"


ROWS = [*MADE, "--model.dropout", "0.3", "--batch-size", "100", "--averaging", "0.9", "--max-epochs", "3"]
STREAM = ["--model", "RNN", "--model.hidden_size", "6", "--model.dropout", "0.2", "--window", "8", "--batch-size", "5"]
STREAM += ["--device", "cpu", "--max-steps", "30", "--validate-every", "10"]


@pytest.mark.parametrize(
    ("kind", "step"), [("rows", 1), ("rows", 5), ("rows", 40), ("text", 3), ("text", 10), ("text", 17), ("text", 30)]
)
def test_a_terminated_training_goes_on_at_the_same_step_and_ends_as_if_nothing_had_been(
    kind: str, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(kind)
    fit = ["fit", str(data), *(ROWS if kind == "rows" else STREAM), "--json"]
    assert main([*fit, "--out", str(tmp_path / "whole")]) == 0
    kill, before = killing(signal.SIGTERM, step), MaximumLikelihood.forward

    def step_and_kill(self: MaximumLikelihood, *arguments: Any) -> Any:
        kill()
        return before(self, *arguments)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(MaximumLikelihood, "forward", step_and_kill)
        assert main([*fit, "--out", str(out)]) == 143
    last = read_checkpoint(out / "checkpoints" / "last.ckpt")
    assert last.step == step
    assert last.done > 0
    assert not last.ended
    assert main([*fit, "--out", str(out), "--resume"]) == 0
    whole, resumed = (path / "model.safetensors" for path in (tmp_path / "whole", out))
    assert whole.read_bytes() == resumed.read_bytes()


@pytest.mark.parametrize("kind", ["rows", "text"])
def test_a_training_that_is_terminated_while_it_validates_loses_no_step(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    data = request.getfixturevalue(kind)
    fit = ["fit", str(data), *(ROWS if kind == "rows" else STREAM), "--json"]
    assert main([*fit, "--out", str(tmp_path / "whole")]) == 0
    kill, before = killing(signal.SIGTERM, 1), Loop._validate

    def validate_and_kill(self: Loop) -> float:
        losses = MaximumLikelihood.validation_losses

        def kill_first(module: MaximumLikelihood, *arguments: Any) -> Any:
            kill()
            return losses(module, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(MaximumLikelihood, "validation_losses", kill_first)
            return before(self)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_validate", validate_and_kill)
        assert main([*fit, "--out", str(out)]) == 143
    last = read_checkpoint(out / "checkpoints" / "last.ckpt")
    assert last.rows == []
    assert last.step == last.done == last.round_steps
    assert main([*fit, "--out", str(out), "--resume"]) == 0
    whole, resumed = (path / "model.safetensors" for path in (tmp_path / "whole", out))
    assert whole.read_bytes() == resumed.read_bytes()
