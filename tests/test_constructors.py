"""Constructors: what they take is what is saved, and anything else is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import chainrule
from chainrule import models
from chainrule.conditionals import Bernoulli
from chainrule.model import AutoregressiveModel


class Wide(models.MADE):
    """A MADE that takes whatever a MADE takes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


class Named(models.NADE):
    """A NADE with an argument of its own, and whatever else a NADE takes."""

    def __init__(self, *, nickname: str = "none", **settings: Any) -> None:
        super().__init__(**settings)
        self.nickname = nickname


@pytest.mark.parametrize(
    ("kind", "own", "saved"),
    [
        (Wide, {"hidden_sizes": [7, 3], "order": "reversed"}, {"hidden_sizes": [7, 3], "order": "reversed"}),
        (Named, {"hidden_size": 5, "num_classes": 2}, {"nickname": "none", "hidden_size": 5, "num_classes": 2}),
        (Named, {"nickname": "small", "hidden_size": 4}, {"nickname": "small", "hidden_size": 4}),
    ],
)
def test_keyword_arguments_are_saved_and_loaded(
    kind: type[AutoregressiveModel], own: dict[str, Any], saved: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = kind(event_shape=(4,), conditional=Bernoulli(), **own).eval()
    assert {name: model.config[name] for name in saved} == saved
    assert set(model.config) == {"event_shape", "conditional", *saved}
    assert kind(**model.config).config == model.config
    chainrule.save(model, tmp_path / "run")
    loaded = chainrule.load(tmp_path / "run", classes={kind.__name__: kind})
    x = torch.bernoulli(torch.full((5, 4), 0.5))
    context = None if model.num_classes is None else torch.tensor([0, 1, 1, 0, 1])
    assert type(loaded) is kind
    assert loaded.log_prob(x, context).equal(model.log_prob(x, context))
    assert getattr(loaded, "nickname", None) == getattr(model, "nickname", None)


IMAGES = [models.PixelCNN, models.GatedPixelCNN, models.PixelCNNPlusPlus, models.PixelRNN]


@pytest.mark.parametrize("kind", IMAGES, ids=lambda kind: kind.__name__)
def test_image_models_have_no_order(kind: type[AutoregressiveModel]) -> None:
    expected = rf"{kind.__name__} takes no argument 'order', it takes event_shape, conditional, hidden_size, "
    with pytest.raises(TypeError, match=expected):
        kind(event_shape=(1, 4, 4), conditional=Bernoulli(), order="reversed")


@pytest.mark.parametrize("kind", [getattr(models, name) for name in models.MODULES], ids=lambda kind: kind.__name__)
def test_unknown_arguments_are_named(kind: type) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__} takes no argument 'colour', it takes "):
        kind(colour="red")


def test_a_newcomer_sees_a_small_class() -> None:
    """`AutoregressiveModel` adds few public members to those of every module."""
    names = [name for name in dir(AutoregressiveModel) if not name.startswith("_")]
    public = [name for name in names if not hasattr(torch.nn.Module, name)]
    assert len(public) <= 19, public
