"""The plan for recordings: what it depends on, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

import chainrule.data
from chainrule.kinds import kind_of
from chainrule.plans.audio import LAYERS, LEAST_TRAINING, audio_plan
from chainrule.runs.settings import build
from chainrule.training import Training, fit


def test_the_network_follows_the_rate_and_the_minutes() -> None:
    short, usual, long = (audio_plan(500_000, 8000, minutes).settings for minutes in (0.5, 3.0, 30.0))
    sizes = [plan["model.residual_channels"] for plan in (short, usual, long)]
    assert sizes == sorted(set(sizes))
    assert usual["model.skip_channels"] == 2 * usual["model.residual_channels"]
    layers = [audio_plan(500_000, rate, 3.0).settings["model.layers"] for rate in (1000, 8000, 16_000, 44_100)]
    assert layers == [LAYERS[0], 9, 10, LAYERS[1]]


def test_the_training_ends_after_some_readings_of_the_recordings() -> None:
    assert audio_plan(100, 8000, 3.0).settings["max_steps"] == LEAST_TRAINING
    assert audio_plan(2_000_000, 8000, 3.0).settings["max_steps"] > 30_000


def test_the_plan_learns_from_a_folder(tmp_path: Path) -> None:
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    time = np.arange(600) / 8000
    for i in range(10):
        noise = 0.01 * np.random.RandomState(i).normal(size=600)
        soundfile.write(sounds / f"{i}.wav", 0.5 * np.sin(2 * np.pi * (200 + 10 * i) * time) + noise, 8000)
    data = chainrule.data.load(sounds)
    kind = kind_of(data)
    settings = kind.plan(data, 0.1, "cpu").settings
    model = build(settings, data)
    training = {name: value for name, value in settings.items() if name in Training.__dataclass_fields__}
    training |= {"max_steps": 100, "averaging": 0.9}
    fitted = fit(model, data.train, data.valid, verbose=False, **training)
    assert fitted.best_nats < kind.independent_nats(data, model) - 0.3
