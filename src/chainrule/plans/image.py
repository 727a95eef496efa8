"""The plan for images: a small PixelCNN++ whose size follows from the steps that fit into the minutes.

Short trainings are limited by computation, not by data. So the network is the largest that still takes `ENOUGH_STEPS`
steps, and a step reads about `SITES_OF_A_STEP` pixels or patches, whatever the size of an image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.plans.plan import Plan, Settings

HIDDEN_SIZES = (16, 24, 32, 48, 64, 96)
ENOUGH_STEPS, SITES_OF_A_STEP = 1500, 6272

LEAST_TRAINING, EPOCHS = 1500, 40
"""A training ends after so many steps, or after so many epochs if these are longer."""

COMPONENTS = 5
"""Logistics of the mixture for colours."""

PARAMETERS_PER_VALUE = 4
"""The network has at most so many parameters for each value of the training images."""


@dataclass(frozen=True)
class _Network:
    """A PixelCNN++ with one block a resolution, and its cost on one core of a server of 2.6 GHz, as measured.

    Attributes:
        hidden_size: Features of each stream.
        resolutions: The number of resolutions.
        sites: Pixels or patches of an image.
        outputs: Numbers that describe a site, weighted by their cost.
        half: True if the convolutions compute in bfloat16.
    """

    hidden_size: int
    resolutions: int
    sites: int
    outputs: int
    half: bool

    @property
    def parameters(self) -> int:
        return 230 * self.hidden_size**2

    @property
    def image_seconds(self) -> float:
        """Seconds of one image in a training step."""
        blocks = (0.3 + 0.005 * self.hidden_size) * self.hidden_size * (1.2 if self.resolutions > 2 else 1)
        return 1e-6 * self.sites * (blocks * (1 if self.half else 1.7) + 0.03 * self.outputs)

    @property
    def image_bytes(self) -> float:
        """Memory of one image in a training step: about 1.5 times what it saves for its gradients."""
        return 1.5 * self.sites * (175 * self.hidden_size * (1 if self.half else 2) + 8 * self.outputs)


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
    grid = math.ceil(height / patch), math.ceil(width / patch)
    resolutions = 1 + (min(grid) >= 4) + (min(grid) >= 24)
    outputs = 20 * COMPONENTS * colours if colours > 1 else levels ** (patch**2)
    networks = [_Network(size, resolutions, math.prod(grid), outputs, half) for size in HIDDEN_SIZES]
    if networks[0].image_bytes > memory:
        raise ValueError(
            f"an image of {height}x{width} expects {networks[0].image_bytes / 2**30:.1f} GB of memory in training, "
            f"got {memory / 2**30:.1f} GB that are free: make the images smaller"
        )
    batch = max(2, min(16, _power_of_two(SITES_OF_A_STEP / math.prod(grid)), _power_of_two(count / 8)))
    batch = int(min(batch, memory / networks[0].image_bytes))
    seconds = 60 * minutes * cores**0.7
    fitting = [
        network
        for network in networks
        if batch * network.image_seconds * ENOUGH_STEPS <= seconds
        and batch * network.image_bytes <= memory
        and network.parameters <= PARAMETERS_PER_VALUE * count * math.prod(event_shape)
    ]
    network = fitting[-1] if fitting else networks[0]
    longest = max(LEAST_TRAINING, EPOCHS * math.ceil(count / batch))
    steps = max(1, min(longest, int(seconds / (batch * network.image_seconds))))
    settings: Settings = {
        "model": "PixelCNNPlusPlus",
        "model.hidden_size": network.hidden_size,
        "model.num_blocks": 1,
        "model.num_resolutions": resolutions,
        "model.patch_size": patch,
        **_training(network.hidden_size, batch, steps, epochs=steps * batch / count),
        "max_steps": longest,
        "precision": "bf16-mixed" if half else "32-true",
    }
    if colours > 1:
        settings |= {"conditional": "DiscretizedLogisticMixture", "conditional.components": COMPONENTS}
    words = f"{steps:,} steps of {batch} images, {steps * batch / count:.2g} epochs, are about what fits"
    few = ["that is few: smaller images or more minutes would give a better model"] if steps < ENOUGH_STEPS / 4 else []
    return Plan(settings, reasons=(words, *few))


def _training(hidden_size: int, batch: int, steps: int, epochs: float) -> Settings:
    """The settings of a training that takes about so many ``steps``."""
    return {
        "model.dropout": 0.0 if epochs < 4 else 0.1 if epochs < 15 else 0.3,
        "batch_size": batch,
        "learning_rate": 4e-3 if hidden_size < 32 else 3e-3 if hidden_size < 64 else 2e-3,
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
