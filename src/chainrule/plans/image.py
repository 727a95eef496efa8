"""The plan for images: a PixelCNN, or a PixelCNN++ where the minutes are enough for one.

Short trainings are limited by computation, not by data. So the network is the largest of `NETWORKS` that still takes
`ENOUGH_STEPS` steps, and a step reads about `SITES_OF_A_STEP` pixels or patches, whatever the size of an image. At
equal time a PixelCNN of 32 features is ahead of a PixelCNN++ until that has taken about 1,000 steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.plans.plan import Plan, Settings

SINGLE_PRECISION = 1.7
"""Without bfloat16 a convolution takes so many times as long."""


@dataclass(frozen=True)
class Network:
    """A network, and its cost at one pixel or patch, measured in bfloat16 on one core of a server of 2.6 GHz.

    Attributes:
        settings: Its settings, without the number of its features.
        hidden_size: Features, which are rounded up to a multiple of the colours.
        parameters: Trainable numbers, about.
        seconds: Seconds in a training step.
        saved: Bytes that a training step saves for its gradients.
    """

    settings: Settings
    hidden_size: int
    parameters: int
    seconds: float
    saved: int

    def image_seconds(self, sites: int, outputs: int, half: bool) -> float:
        """Seconds of an image of ``sites`` in a training step; ``outputs`` numbers describe a site."""
        return sites * (self.seconds * (1 if half else SINGLE_PRECISION) + 1e-8 * outputs)

    def image_bytes(self, sites: int, outputs: int, half: bool) -> float:
        """Memory of an image in a training step, about 1.5 times what is saved."""
        return 1.5 * sites * (self.saved * (1 if half else 2) + 8 * outputs)


def _pixel_cnn(size: int) -> Network:
    settings = {"model": "PixelCNN", "model.num_blocks": 5, "model.kernel_size": 5}
    return Network(settings, size, 95 * size**2, (0.05 + 0.0035 * size) * size * 1e-6, 61 * size)


def _pixel_cnn_plus_plus(size: int) -> Network:
    settings = {"model": "PixelCNNPlusPlus", "model.num_blocks": 1, "model.num_resolutions": 2}
    return Network(settings, size, 230 * size**2, (0.3 + 0.005 * size) * size * 1e-6, 155 * size)


NETWORKS = (*map(_pixel_cnn, (16, 24, 32)), *map(_pixel_cnn_plus_plus, (32, 48, 64, 96)))
"""From the cheapest to the dearest."""

ENOUGH_STEPS, SITES_OF_A_STEP = 2000, 6272

LEAST_TRAINING, EPOCHS = 1500, 40
"""A training ends after so many steps, or after so many epochs if these are longer."""

COMPONENTS = 5
"""Logistics of the mixture for colours."""

PARAMETERS_PER_VALUE = 4
"""The network has at most so many parameters for each value of the training images."""


def image_plan(
    *,
    count: int,
    event_shape: Sequence[int],
    levels: int,
    minutes: float,
    cores: int = 1,
    memory: float = math.inf,
    half: bool = True,
) -> Plan:
    """The model and the training for ``count`` training images of ``event_shape`` ``(channels, height, width)``.

    Args:
        count: Training images.
        event_shape: Shape of an image.
        levels: Values of a colour channel.
        minutes: Minutes that the training may take.
        cores: Cores that compute.
        memory: Bytes that are free.
        half: True if the processor multiplies in bfloat16.

    Raises:
        ValueError: If the smallest network and one image do not fit into the memory.
    """
    colours, height, width = event_shape
    patch = _patch_size(colours, min(height, width), levels)
    sites = math.ceil(height / patch) * math.ceil(width / patch)
    outputs = 20 * COMPONENTS * colours if colours > 1 else levels ** (patch**2)
    costs = [(each.image_seconds(sites, outputs, half), each.image_bytes(sites, outputs, half)) for each in NETWORKS]
    if costs[0][1] > memory:
        raise ValueError(
            f"an image of {height}x{width} expects {costs[0][1] / 2**30:.2f} GB of memory in training, "
            f"got {memory / 2**30:.2f} GB that are free: make the images smaller"
        )
    batch = max(2, min(16, _power_of_two(SITES_OF_A_STEP / sites), _power_of_two(count / 8)))
    batch = int(min(batch, memory / costs[0][1]))
    seconds = 0.8 * 60 * minutes * cores**0.7  # the rest is for validations
    most = PARAMETERS_PER_VALUE * count * math.prod(event_shape)
    fitting = [
        i
        for i, (time, space) in enumerate(costs)
        if batch * time * ENOUGH_STEPS <= seconds and batch * space <= memory and NETWORKS[i].parameters <= most
    ]
    chosen = fitting[-1] if fitting else 0
    network = NETWORKS[chosen]
    longest = max(LEAST_TRAINING, EPOCHS * math.ceil(count / batch))
    steps = max(1, min(longest, int(seconds / (batch * costs[chosen][0]))))
    settings = {
        **network.settings,
        "model.hidden_size": math.ceil(network.hidden_size / colours) * colours,
        "model.patch_size": patch,
        **_training(batch, steps, epochs=steps * batch / count),
        "max_steps": longest,
        "learning_rate": 4e-3 if network.hidden_size < 48 else 3e-3 if network.hidden_size < 64 else 2e-3,
        "precision": "bf16-mixed" if half else "32-true",
    }
    if colours > 1:
        settings |= {"conditional": "DiscretizedLogisticMixture", "conditional.components": COMPONENTS}
    words = f"{steps:,} steps of {batch} images, {steps * batch / count:,.1f} epochs, are about what fits"
    few = ["that is few: smaller images or more minutes would give a better model"] if steps < ENOUGH_STEPS / 4 else []
    return Plan(settings, reasons=(words, *few))


def _training(batch: int, steps: int, epochs: float) -> Settings:
    """The settings of a training that takes about so many ``steps``."""
    return {
        "model.dropout": 0.0 if epochs < 4 else 0.1 if epochs < 15 else 0.3,
        "batch_size": batch,
        "warmup": min(200, max(10, steps // 40)),
        "averaging": round(min(0.999, max(0.9, 1 - 20 / steps)), 4),
        "gradient_clip": 1.0,
        "validate_every": max(25, steps // 16),
        "patience": max(100, steps // 4),
        "validation_size": max(32, int(0.02 * steps * batch)),
    }


def _patch_size(colours: int, side: int, levels: int) -> int:
    """The side of the patches that are read at once: the tables of many levels would be too large."""
    if colours > 1 or levels > 3 or side < 4:
        return 1
    return 3 if levels == 2 and side >= 56 else 2


def _power_of_two(size: float) -> int:
    """The largest power of two up to ``size``, at least 1."""
    return int(2 ** math.floor(math.log2(max(1.0, size))))
