"""The budget of a training: its steps, its minutes, its memory, and what it says meanwhile."""

import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from half_copies import SHAPE, half_copies, made, train
from torch import Tensor

import chainrule
from chainrule import devices
from chainrule.conditionals import Bernoulli
from chainrule.models import MADE
from chainrule.training import Training
from chainrule.training.budget import LEAST_STEPS, PATIENCE
from chainrule.training.optimiser import Schedule


@pytest.fixture(scope="module")
def data() -> Tensor:
    return half_copies()


def test_a_line_now_and_then_where_there_is_no_terminal(data: Tensor, capfd: pytest.CaptureFixture[str]) -> None:
    train(made(), data, verbose=True, max_epochs=2)
    out, err = capfd.readouterr()
    assert out == ""
    first, last = err.splitlines()
    assert first.startswith("step      10 of 20  train ")
    assert last.startswith("step      20 of 20  train ")
    train(made(), data, verbose=True, max_epochs=2, label="member 1 of 2: ")
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("member 1 of 2: step      20 of 20  train "), "one of several says how it ended"


def test_nothing_is_silent_for_long(
    data: Tensor, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A line within a round, and within a validation, once the last one is too long ago."""
    monkeypatch.setattr("chainrule.training.progress.SILENT_SECONDS", 0.0)
    train(made(), data, verbose=True, max_steps=20, validate_every=20)
    steps = [int(line.split()[1]) for line in capfd.readouterr().err.splitlines()]
    assert steps == [*range(21), 20], "and the outcome"


def test_early_stopping(data: Tensor) -> None:
    result = train(made(), data, patience=20, max_epochs=200, learning_rate=0.1, schedule="constant")
    assert result.steps == result.best_step + 20 < 2000


def test_validates_every_so_many_steps(data: Tensor) -> None:
    result = train(made(), data, max_epochs=6, validate_every=30)
    assert [row["step"] for row in result.history] == [30, 60]
    within = train(made(), data, max_steps=20, max_epochs=6, validate_every=4)
    assert [row["step"] for row in within.history] == [4, 8, 12, 16, 20]
    uneven = train(made(), data, max_steps=20, validate_every=7)
    assert [row["step"] for row in uneven.history] == [6, 12, 18]


def test_without_a_number_of_steps_it_has_enough_and_stops_early(data: Tensor) -> None:
    result = chainrule.fit(made(), data[:500], data[500:], learning_rate=0.02, verbose=False)
    assert result.best_nats < 4
    assert result.steps < LEAST_STEPS
    assert result.steps - result.best_step <= PATIENCE * LEAST_STEPS + result.history[0]["step"]


def test_time_limit_ends_with_a_validation(data: Tensor) -> None:
    result = train(made(), data, minutes=1e-9, max_epochs=100)
    assert [row["step"] for row in result.history] == [1]
    assert math.isfinite(result.best_nats)


def test_time_limit_is_kept_within_a_round(data: Tensor) -> None:
    class Slow(torch.utils.data.Dataset[Tensor]):
        def __len__(self) -> int:
            return 5000

        def __getitem__(self, index: Any) -> Tensor:
            time.sleep(0.05)
            return data[torch.as_tensor(index) % 500]

    started = time.monotonic()
    result = chainrule.fit(
        made(), Slow(), data[500:], minutes=0.02, max_epochs=10, batch_size=50, validate_every=1000, verbose=False
    )
    assert time.monotonic() - started < 1.2 + 5
    assert result.steps < 100


def test_the_learning_rate_falls_over_the_steps_that_fit() -> None:
    settings = Training(schedule="linear")
    schedule = Schedule(settings, total_steps=100)
    schedule.ends_at(10)
    assert schedule.share(5) == pytest.approx(0.5)
    schedule.ends_at(1000)
    assert schedule.share(50) == pytest.approx(0.5)
    more = Schedule(settings, total_steps=200, begun=100)
    assert (more.share(100), more.share(150), more.share(200)) == pytest.approx((1, 0.5, 0))


def test_a_training_that_ended_goes_on(data: Tensor, tmp_path: Path) -> None:
    first = train(made(), data, out=tmp_path, max_steps=20)
    again = train(made(), data, out=tmp_path, max_steps=40, resume=True)
    assert [row["step"] for row in again.history] == [10, 20, 30, 40]
    assert again.best_nats < first.best_nats - 0.1


def test_a_training_that_lost_patience_goes_on(data: Tensor, tmp_path: Path) -> None:
    settings = {"out": tmp_path, "max_steps": 200, "validate_every": 10, "patience": 10, "learning_rate": 1e-9}
    settings |= {"schedule": "constant"}
    first = train(made(), data, **settings)
    assert first.steps < 200
    again = train(made(), data, resume=True, **settings)
    assert again.steps > first.steps


def test_fewer_rows_where_memory_is_short(data: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = MADE(event_shape=SHAPE, conditional=Bernoulli(), hidden_sizes=[256])
    parameters = sum(parameter.numel() for parameter in wide.parameters())
    monkeypatch.setattr("chainrule.training.cost.available_memory", lambda device: 20 * parameters + 200_000)
    with pytest.warns(UserWarning, match=r"a step of 500 rows would not fit into memory: it has \d+"):
        train(wide, data, max_steps=2, batch_size=500)
    monkeypatch.setattr("chainrule.training.cost.available_memory", lambda device: 1000)
    with pytest.raises(ValueError, match="GB of memory for one example of 8 variables and .* GB that are free"):
        train(wide, data, max_steps=2)


@pytest.mark.parametrize(
    ("name", "shares"),
    [("constant", [0.5, 1, 1, 1]), ("linear", [0.5, 1, 0.5, 0]), ("cosine", [0.5, 1, 0.5, 0])],
)
def test_schedules(name: Any, shares: list[float]) -> None:
    schedule = Schedule(Training(schedule=name, warmup=2), total_steps=12)
    assert [schedule.share(step) for step in (0, 1, 7, 12)] == pytest.approx(shares)


def test_an_extension_that_is_interrupted_goes_on(data: Tensor, tmp_path: Path) -> None:
    """The settings of the first training are fewer steps than the second had when it was stopped."""
    train(made(), data, out=tmp_path, max_steps=20)

    class Interrupting(torch.utils.data.Dataset[Tensor]):
        reads = 0

        def __len__(self) -> int:
            return 500

        def __getitem__(self, index: Any) -> Tensor:
            self.reads += 1
            if self.reads == 45:  # after the checkpoint of step 40, at the latest
                os.kill(os.getpid(), signal.SIGINT)
            return data[index]

    settings = {"out": tmp_path, "batch_size": 50, "learning_rate": 0.02, "verbose": False, "resume": True}
    with pytest.raises(KeyboardInterrupt):
        chainrule.fit(made(), Interrupting(), data[500:], max_steps=200, **settings)
    again = chainrule.fit(made(), data[:500], data[500:], max_steps=20, **settings)
    steps = [row["step"] for row in again.history]
    assert steps == sorted(set(steps))
    assert steps[-1] > 30


def test_the_cache_of_files_is_no_memory_in_use(tmp_path: Path) -> None:
    for name, content in {
        "memory.max": "1000\n", "memory.current": "900\n", "memory.stat": "anon 300\ninactive_file 600\n"
    }.items():  # fmt: skip
        (tmp_path / name).write_text(content)
    assert devices._free_in_container(tmp_path) == [700]
    (tmp_path / "memory.max").write_text("max\n")
    assert devices._free_in_container(tmp_path) == []
    old = tmp_path / "memory"
    old.mkdir()
    (old / "memory.limit_in_bytes").write_text("1000\n")
    (old / "memory.usage_in_bytes").write_text("400\n")
    (old / "memory.stat").write_text("total_inactive_file 100\n")
    assert devices._free_in_container(tmp_path) == [700]
