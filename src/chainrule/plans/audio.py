"""The plan for recordings: a small WaveNet, which takes as many steps as fit into the minutes.

Short trainings are limited by the number of steps: a batch is one chunk of a recording. Levels are read as one number
each and described by a few logistics, which learn from fewer samples than a probability for each of 256 levels.
"""

from __future__ import annotations

import math

from chainrule.plans.plan import Plan, Settings

CHUNK = 2048
"""Samples that count in an optimiser step."""

SAMPLE_SECONDS = {24: 1.3e-5, 32: 1.8e-5, 48: 3.0e-5, 64: 4.5e-5}
"""Seconds of a sample in a step by the number of residual channels, of 9 layers, on one core."""

ENOUGH_STEPS = 3000
"""The network is the largest that takes so many steps."""

EPOCHS, LEAST_TRAINING = 40, 1000
"""A training ends after so many readings of the recordings, but not before so many steps."""

REACH = 0.06
"""Seconds of sound that the network sees: a few periods of a voice."""

LAYERS = (8, 11)

COMPONENTS = 5


def audio_plan(samples: int, sample_rate: int, minutes: float) -> Plan:
    """The plan for recordings.

    Args:
        samples: The number of training samples of all recordings.
        sample_rate: Samples a second.
        minutes: The minutes of the fit.

    >>> audio_plan(500_000, 8000, 3.0).settings["model.layers"]
    9
    """
    layers = math.ceil(math.log2(REACH * sample_rate))
    layers = max(LAYERS[0], min(LAYERS[1], layers))
    seconds = 60 * minutes * 9 / layers
    read = CHUNK + 2**layers
    fitting = [size for size, cost in SAMPLE_SECONDS.items() if cost * read * ENOUGH_STEPS <= seconds]
    channels = max(fitting, default=min(SAMPLE_SECONDS))
    steps = max(LEAST_TRAINING, EPOCHS * math.ceil(samples / CHUNK))
    settings: Settings = {
        "model": "WaveNet",
        "model.residual_channels": channels,
        "model.skip_channels": 2 * channels,
        "model.layers": layers,
        "conditional": "DiscretizedLogisticMixture",
        "conditional.components": COMPONENTS,
        "window": CHUNK,
        "batch_size": 1,
        "learning_rate": 3e-3,
        "warmup": 30,
        "gradient_clip": 1.0,
        "averaging": 0.99,
        "max_steps": steps,
    }
    return Plan(settings, reasons=(f"a WaveNet of a size that learns in {minutes:g} minutes",))
