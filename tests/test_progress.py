"""Long draws say how many steps are done and how long the rest takes, and draw the same values as without."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch

from chainrule.conditionals import Bernoulli, Categorical, GaussianMixture
from chainrule.model import AutoregressiveModel
from chainrule.models import MADE, RNN, WaveNet
from chainrule.tasks import progress
from chainrule.tasks.forecast import forecast
from chainrule.tasks.progress import counted, telling
from chainrule.tasks.sample import sample

LENGTH = 600


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.0)


def wavenet() -> AutoregressiveModel:
    return WaveNet(event_shape=(LENGTH,), conditional=Categorical(4), layers=3, residual_channels=4, skip_channels=4)


def rnn() -> AutoregressiveModel:
    return RNN(event_shape=(LENGTH,), conditional=GaussianMixture(2), hidden_size=4)


def made() -> AutoregressiveModel:
    """A model that takes its steps in Python, as it is of double precision."""
    return MADE(event_shape=(30, 20), conditional=Bernoulli(), hidden_sizes=(8,)).double()


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("build", [wavenet, rnn, made])
def test_a_sample_tells_its_steps_and_is_the_same(build: Callable[[], AutoregressiveModel]) -> None:
    torch.manual_seed(0)
    model, lines = build(), list[str]()
    silent = sample(model, 2, seed=0)
    with telling(lines.append):
        told = sample(model, 2, seed=0)
    assert torch.equal(silent, told)
    assert all(re.fullmatch(rf"step \d+ of {LENGTH}, about \d+ seconds left", line) for line in lines)
    assert 2 <= len(lines) <= LENGTH


@pytest.mark.usefixtures("_impatient")
def test_forecasts_of_several_series_tell_one_total() -> None:
    torch.manual_seed(0)
    model, past, lines = rnn(), torch.zeros(5), list[str]()
    silent = forecast(model, past, 2, LENGTH, seed=0)
    with telling(lines.append), counted(2 * LENGTH):
        told = [forecast(model, past, 2, LENGTH, seed=0) for _ in range(2)]
    assert torch.equal(silent, told[0])
    assert torch.equal(silent, told[1])
    assert lines[0].startswith("step 256 of 1,200")
    assert lines[-1].startswith("step 1,200 of 1,200")


def test_short_draws_are_silent() -> None:
    lines = list[str]()
    with telling(lines.append):
        sample(made(), 2, seed=0)
    assert lines == []
