"""The plan for images."""

import dataclasses
from typing import Any

import pytest

from chainrule import models
from chainrule.conditionals import Bernoulli, Categorical, Conditional, DiscretizedLogisticMixture
from chainrule.plans.image import image_plan
from chainrule.training import Training

TRAINING = [field.name for field in dataclasses.fields(Training)]
SHAPES = [(1, 1, 1), (1, 1, 30), (1, 8, 8), (1, 28, 28), (1, 105, 105), (2, 9, 3), (3, 32, 32), (3, 256, 256)]


def settings(count: int = 1000, shape: tuple[int, ...] = (1, 28, 28), levels: int = 2, **facts: Any) -> dict[str, Any]:
    return image_plan(count=count, event_shape=shape, levels=levels, **{"minutes": 3, **facts}).settings


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [2, 3, 17, 256])
def test_every_plan_can_be_built(shape: tuple[int, ...], levels: int) -> None:
    for count in (1, 10**6):
        for minutes in (0.001, 30):
            plan = settings(count, shape, levels, minutes=minutes)
            arguments = {name.removeprefix("model."): plan[name] for name in plan if name.startswith("model.")}
            family: Conditional = Bernoulli() if levels == 2 else Categorical(levels)
            if shape[0] > 1:
                family = DiscretizedLogisticMixture(levels, plan["conditional.components"])
            getattr(models, plan["model"])(event_shape=shape, conditional=family, **arguments)
            Training(**{name: plan[name] for name in plan if name in TRAINING})


def test_more_minutes_or_cores_give_a_larger_network() -> None:
    sizes = [settings(50_000, minutes=minutes)["model.hidden_size"] for minutes in (0.1, 3, 30)]
    assert sizes == sorted(set(sizes))
    assert settings(50_000, cores=16)["model.hidden_size"] > settings(50_000)["model.hidden_size"]


def test_a_small_set_has_a_small_network_and_dropout() -> None:
    few, many = settings(20, (1, 8, 8), 17, minutes=30), settings(100_000, (1, 8, 8), 17, minutes=3)
    assert few["model.hidden_size"] < many["model.hidden_size"]
    assert few["model.dropout"] > many["model.dropout"] == 0
    assert few["batch_size"] < many["batch_size"]


def test_large_images_fit_into_little_memory() -> None:
    """105x105 grey images took 18 GB in batches of 128; a wide PixelCNN++ needs 70 MB for each."""
    assert settings(600, (1, 105, 105), 256, minutes=300)["model"] == "PixelCNNPlusPlus"
    assert settings(600, (1, 105, 105), 256, minutes=300, memory=0.15e9)["model"] == "PixelCNN"
    tight = settings(600, (1, 105, 105), 256, memory=0.055e9)
    assert (tight["batch_size"], tight["model.hidden_size"]) == (1, 16)
    with pytest.raises(ValueError, match=r"an image of 105x105 expects 0\.05 GB of memory .* make the images smaller"):
        settings(600, (1, 105, 105), 256, memory=0.04e9)


def test_few_steps_are_said() -> None:
    assert len(image_plan(count=60, event_shape=(3, 1000, 1000), levels=256, minutes=3).reasons) == 2
    assert len(image_plan(count=60, event_shape=(3, 32, 32), levels=256, minutes=3).reasons) == 1


def test_without_half_precision_a_cheaper_network() -> None:
    plan = settings(50_000, half=False)
    assert plan["precision"] == "32-true"
    assert (plan["model"], settings(50_000)["model"]) == ("PixelCNN", "PixelCNNPlusPlus")
