"""Right models, drawn at random: any class, conditional, order, size and seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import torch

from chainrule.conditionals import (
    Bernoulli,
    Categorical,
    Columns,
    Conditional,
    DiscretizedLogisticMixture,
    Gaussian,
    GaussianMixture,
    LogisticMixture,
    Standardised,
    WithMissing,
)
from chainrule.model import AutoregressiveModel
from chainrule.models import (
    FVSBN,
    MADE,
    MLP,
    NADE,
    RNN,
    BayesNet,
    Ensemble,
    GatedPixelCNN,
    PixelCNN,
    PixelCNNPlusPlus,
    PixelRNN,
    Table,
    WaveNet,
)

Draw = random.Random
Arguments = dict[str, Any]

LARGEST = 16
"""Sizes are drawn from 1 to this one."""


def random_model(seed: int) -> AutoregressiveModel:
    """The right model of a seed, with its weights initialised from the same seed."""
    draw = Draw(seed)
    build, arguments = draw.choice(FAMILIES)(draw)
    if draw.random() < 0.3 and build is not Ensemble:
        arguments["num_classes"] = draw.randint(1, 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(**arguments)


def describe(model: AutoregressiveModel) -> str:
    """The class of a model and its arguments, to build it again by hand."""
    if isinstance(model, Ensemble):
        members = ", ".join(describe(member) for member in model.models)
        return f"Ensemble(models=[{members}], variants={model.variants})"
    return f"{type(model).__name__}({', '.join(f'{name}={value!r}' for name, value in model.config.items())})"


def size(draw: Draw) -> int:
    return draw.randint(1, LARGEST)


def listed(draw: Draw) -> Conditional:
    """A conditional of values that can be listed and have any probabilities."""
    categories = draw.choice([2, 3, 5, 16])
    return draw.choice([Bernoulli(), Categorical(categories), Categorical(categories, "scalar")])


def single(draw: Draw) -> Conditional:
    """One conditional of all variables."""
    inner = draw.choice(
        [
            listed(draw),
            listed(draw),
            DiscretizedLogisticMixture(draw.choice([2, 5, 256]), components=draw.randint(1, 4)),
            Gaussian(),
            GaussianMixture(draw.randint(1, 4)),
            LogisticMixture(draw.randint(1, 4)),
        ]
    )
    if draw.random() < 0.2:
        inner = WithMissing(inner)
    if draw.random() < 0.2:
        whole = inner.values is not None or isinstance(inner, WithMissing)
        inner = Standardised(
            inner, shift=draw.choice([0.0, 3.0, -1.0]), scale=1.0 if whole else draw.choice([0.1, 5.0])
        )
    return inner


def line(draw: Draw, conditional: Callable[[Draw], Conditional], *, columns: bool) -> Arguments:
    """The event, conditional and order of a model of any event."""
    shape: tuple[int, ...] = draw.choice([(draw.randint(1, 5),), (draw.randint(1, 3),), (size(draw),), image(draw)])
    own = conditional(draw)
    if columns and len(shape) == 1 and draw.random() < 0.2:
        own = Columns([conditional(draw) for _ in range(shape[0])])
    orders = ["raster", "raster", "reversed", f"random:{draw.randint(0, 9)}"]
    return {
        "event_shape": shape,
        "conditional": own,
        "order": draw.choice(orders + (["column", "diagonal"] if len(shape) == 3 else [])),
    }


def image(draw: Draw) -> tuple[int, int, int]:
    shape = draw.choice([1, 1, 2, 3]), draw.randint(1, 4), draw.randint(1, 4)
    return shape if math.prod(shape) <= LARGEST else (1, 2, 2)


def activation(draw: Draw) -> str:
    return draw.choice(["relu", "sigmoid"])


def dropout(draw: Draw) -> float:
    return draw.choice([0.0, 0.0, 0.3])


def fvsbn(draw: Draw) -> tuple[type, Arguments]:
    return FVSBN, {**line(draw, single, columns=True), "dropout": dropout(draw)}


def nade(draw: Draw) -> tuple[type, Arguments]:
    return NADE, {
        **line(draw, single, columns=True),
        "hidden_size": size(draw),
        "num_layers": draw.randint(1, 3),
        "activation": activation(draw),
        "order_agnostic": draw.random() < 0.5,
        "dropout": dropout(draw),
    }


def made(draw: Draw) -> tuple[type, Arguments]:
    masks = draw.randint(1, 3)
    return MADE, {
        **line(draw, single, columns=True),
        "hidden_sizes": [size(draw) for _ in range(draw.randint(1, 3))],
        "activation": activation(draw),
        "direct": draw.random() < 0.5,
        "dropout": dropout(draw),
        "mask_seed": draw.randint(0, 9),
        "num_masks": masks,
        "order_agnostic": draw.random() < 0.5,
        "mask": draw.randrange(masks),
    }


def mlp(draw: Draw) -> tuple[type, Arguments]:
    own = {"hidden_size": size(draw), "activation": activation(draw), "dropout": dropout(draw)}
    return MLP, {**line(draw, single, columns=True), **own}


def rnn(draw: Draw) -> tuple[type, Arguments]:
    return RNN, {
        **line(draw, single, columns=False),
        "hidden_size": size(draw),
        "num_layers": draw.randint(1, 3),
        "cell": draw.choice(["tanh", "lstm", "gru"]),
        "embedding_size": draw.choice([None, size(draw)]),
        "dropout": dropout(draw),
        "weight_dropout": dropout(draw),
    }


def wavenet(draw: Draw) -> tuple[type, Arguments]:
    return WaveNet, {
        **line(draw, single, columns=False),
        "residual_channels": size(draw),
        "skip_channels": size(draw),
        "layers": draw.randint(1, 4),
        "blocks": draw.randint(1, 2),
        "kernel_size": draw.randint(2, 3),
    }


def table(draw: Draw) -> tuple[type, Arguments]:
    shape = (draw.randint(1, 4),)
    order = draw.choice(["raster", "reversed", "random:1"])
    return Table, {"event_shape": shape, "conditional": draw.choice([Bernoulli(), Categorical(3)]), "order": order}


def bayes_net(draw: Draw) -> tuple[type, Arguments]:
    structure = draw.choice(["chow-liu", "previous:1", "previous:2"])
    return BayesNet, {**line(draw, listed, columns=False), "structure": structure}


def image_event(draw: Draw, groups: int = 1) -> Arguments:
    """The event and conditional of a model of images, and how many groups of features its colours need."""
    patches = draw.random() < 0.25
    shape = image(draw)
    if patches and shape[0] == 1 and max(shape[1:]) > 1:
        return {"event_shape": shape, "conditional": draw.choice([Bernoulli(), Categorical(3)]), "patch_size": 2}
    return {"event_shape": shape, "conditional": single(draw)}


def shares(draw: Draw, arguments: Arguments) -> int:
    """A size that the colours of an event can share."""
    return arguments["event_shape"][0] * draw.randint(1, LARGEST // arguments["event_shape"][0])


def kernel(draw: Draw) -> int:
    return draw.choice([3, 5])


def pixel_cnn(draw: Draw) -> tuple[type, Arguments]:
    event = image_event(draw)
    own = {"hidden_size": shares(draw, event), "num_blocks": draw.randint(1, 3), "first_kernel_size": kernel(draw)}
    return PixelCNN, {**event, **own, "dropout": dropout(draw)}


def pixel_rnn(draw: Draw) -> tuple[type, Arguments]:
    event = image_event(draw)
    own = {"hidden_size": shares(draw, event), "num_layers": draw.randint(1, 2), "first_kernel_size": kernel(draw)}
    return PixelRNN, {**event, **own, "cell": draw.choice(["diagonal", "row"])}


def gated_pixel_cnn(draw: Draw) -> tuple[type, Arguments]:
    event = image_event(draw)
    own = {"hidden_size": shares(draw, event), "num_layers": draw.randint(1, 4), "first_kernel_size": kernel(draw)}
    return GatedPixelCNN, {**event, **own, "dropout": dropout(draw)}


def pixel_cnn_plus_plus(draw: Draw) -> tuple[type, Arguments]:
    event = image_event(draw)
    if event["event_shape"][0] > 1:
        event["conditional"] = DiscretizedLogisticMixture(draw.choice([3, 256]), components=draw.randint(1, 3))
    own = {"hidden_size": size(draw), "num_blocks": draw.randint(1, 2), "num_resolutions": draw.randint(1, 2)}
    return PixelCNNPlusPlus, {**event, **own, "dropout": dropout(draw)}


def ensemble(draw: Draw) -> tuple[type, Arguments]:
    event = line(draw, single, columns=True)
    members = [
        FVSBN(**event),
        NADE(**event, hidden_size=size(draw), order_agnostic=True),
        MADE(**event, hidden_sizes=[size(draw)], num_masks=2),
        MLP(**event, hidden_size=size(draw)),
    ]
    if draw.random() < 0.5:
        return Ensemble, {"models": draw.sample(members, 2)}
    return Ensemble, {"models": [draw.choice(members[1:3])], "variants": 2}


FAMILIES: list[Callable[[Draw], tuple[Any, Arguments]]] = [
    fvsbn,
    nade,
    made,
    mlp,
    rnn,
    wavenet,
    table,
    bayes_net,
    pixel_cnn,
    pixel_rnn,
    gated_pixel_cnn,
    pixel_cnn_plus_plus,
    ensemble,
]
