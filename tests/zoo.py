"""Every model x conditional x order, on tiny events: name -> constructor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from chainrule.conditionals import (
    Bernoulli,
    Categorical,
    Columns,
    Conditional,
    Curved,
    DiscretizedLogisticMixture,
    Gaussian,
    GaussianMixture,
    LogisticMixture,
    Standardised,
    WithAtoms,
    WithMissing,
)
from chainrule.model import AutoregressiveModel
from chainrule.models import (
    FVSBN,
    MADE,
    MLP,
    NADE,
    RNN,
    BayesianAR,
    BayesNet,
    Ensemble,
    GatedPixelCNN,
    PixelCNN,
    PixelCNNPlusPlus,
    PixelRNN,
    Table,
    WaveNet,
    WhitenedMADE,
)
from chainrule.models.class_mixture import ClassMixture
from chainrule.testing.probes import random_events


def whitened(**arguments: Any) -> WhitenedMADE:
    """Whitened by regressions on rows whose columns go together."""
    model = WhitenedMADE(**arguments, hidden_sizes=[24])
    chosen = torch.arange(60).unsqueeze(1) + torch.randint(2, (60, model.num_variables))
    columns = []
    for index, own in enumerate(chosen.T):
        probes = model.conditional.of(index).probes
        columns.append(probes[own % len(probes)])
    model.whitening.fit(torch.stack(columns, dim=1), model.real)
    return model


def made_ensemble(**arguments: Any) -> Ensemble:
    """Two masks of one MADE."""
    return Ensemble(models=[MADE(**arguments, hidden_sizes=[40], num_masks=2)], variants=2)


def mixed_ensemble(**arguments: Any) -> Ensemble:
    """Two whole models of one order."""
    return Ensemble(models=[FVSBN(**arguments), NADE(**arguments, hidden_size=8)])


def order_ensemble(**arguments: Any) -> Ensemble:
    """Three orders of one order-agnostic NADE: a mixture over orders."""
    return Ensemble(models=[NADE(**arguments, hidden_size=8, order_agnostic=True)], variants=3)


def ngram_rnn(**arguments: Any) -> RNN:
    """A network with n-grams, which have counted ten examples."""
    model = RNN(**arguments, cell="lstm", hidden_size=6, ngram_order=2, ngram_share=0.4)
    model.count([(random_events(model, 10)[:10], None)])
    return model


def summed_nade(**arguments: Any) -> ClassMixture:
    """Three classes, summed out."""
    return ClassMixture(model=NADE(**arguments, hidden_size=8, num_classes=3), shares=[0.5, 0.3, 0.2])


def summed_pixel_cnn(**arguments: Any) -> ClassMixture:
    """Two equally probable classes of images, summed out."""
    return ClassMixture(model=GatedPixelCNN(**arguments, num_classes=2))


MODELS: dict[str, Callable[..., AutoregressiveModel]] = {
    "FVSBN": FVSBN,
    "NADE sigmoid": partial(NADE, hidden_size=8),
    "NADE relu": partial(NADE, hidden_size=8, activation="relu"),
    "MADE 1": partial(MADE, hidden_sizes=[64]),
    "MADE 2": partial(MADE, hidden_sizes=[24, 20], activation="sigmoid", mask_seed=1),
    "MADE 3": partial(MADE, hidden_sizes=[80, 70, 90], mask_seed=2),
    "MADE direct": partial(MADE, hidden_sizes=[24, 20], direct=True),
    "MADE embedding": partial(MADE, hidden_sizes=[24], direct=True, embedding_size=3),
    "NADE any order": partial(NADE, hidden_size=8, order_agnostic=True),
    "NADE any order, deep": partial(NADE, hidden_size=8, num_layers=2, order_agnostic=True, activation="relu"),
    "MADE masks": partial(MADE, hidden_sizes=[40, 40], num_masks=3, mask=2),
    "MADE orders": partial(MADE, hidden_sizes=[40], num_masks=3, order_agnostic=True, mask=1, direct=True),
    "Table": Table,
    "Table, classes": partial(Table, num_classes=2),
    "BayesNet, two previous": partial(BayesNet, structure="previous:2"),
    "MLP sigmoid": partial(MLP, hidden_size=5),
    "MLP relu, classes": partial(MLP, hidden_size=12, activation="relu", num_classes=2),
    "RNN tanh": partial(RNN, hidden_size=6),
    "RNN tanh, documents": partial(RNN, hidden_size=6, end_symbol=0),
    "RNN LSTM, two layers": partial(RNN, hidden_size=5, num_layers=2, cell="lstm", dropout=0.2),
    "RNN LSTM, documents": partial(RNN, hidden_size=6, cell="lstm", embedding_size=3, end_symbol=1),
    "RNN and n-grams": ngram_rnn,
    "RNN and n-grams, documents": partial(ngram_rnn, end_symbol=1),
    "RNN GRU, classes": partial(RNN, hidden_size=6, cell="gru", num_classes=2),
    "WaveNet": partial(WaveNet, residual_channels=6, skip_channels=7, layers=3),
    "WaveNet, two blocks": partial(WaveNet, residual_channels=8, skip_channels=5, layers=2, blocks=2),
    "WaveNet, kernel 3, classes": partial(
        WaveNet, residual_channels=6, skip_channels=7, layers=2, kernel_size=3, num_classes=2
    ),
    "WaveNet, one layer": partial(WaveNet, residual_channels=12, skip_channels=5, layers=1),
    "WaveNet, frames": partial(WaveNet, residual_channels=6, skip_channels=7, layers=3, frame_size=2, hop=2),
    "WaveNet, documents": partial(WaveNet, residual_channels=6, skip_channels=7, layers=3, end_symbol=1),
    "Ensemble of masks": made_ensemble,
    "Ensemble of models": mixed_ensemble,
    "Ensemble of orders": order_ensemble,
    "FVSBN, classes": partial(FVSBN, num_classes=3),
    "NADE, classes": partial(NADE, hidden_size=8, num_classes=3),
    "MADE, classes": partial(MADE, hidden_sizes=[64], num_classes=3),
    "Ensemble of masks, classes": partial(made_ensemble, num_classes=2),
    "NADE, classes summed out": summed_nade,
}

TABLE_MODELS: dict[str, Callable[..., AutoregressiveModel]] = {"MADE whitened": whitened}
"""Models of rows of a table, which have one dimension."""

CONDITIONALS = {
    "Bernoulli": Bernoulli(),
    "Categorical": Categorical(3),
    "Categorical scalar": Categorical(3, "scalar"),
}

LINE_ORDERS = ["raster", "reversed", "random:1"]
IMAGE_ORDERS = [*LINE_ORDERS, "column", "diagonal"]
EVENTS = {(4,): LINE_ORDERS, (1, 2, 2): IMAGE_ORDERS, (3, 1, 2): IMAGE_ORDERS, (1,): ["raster"]}


IMAGE_MODELS: dict[str, Callable[..., AutoregressiveModel]] = {
    "PixelCNN": partial(PixelCNN, hidden_size=18, num_blocks=2, first_kernel_size=3),
    "PixelCNN, classes": partial(PixelCNN, hidden_size=24, num_blocks=1, head_size=36, num_classes=2),
    "PixelRNN diagonal": partial(PixelRNN, hidden_size=24, num_layers=2, first_kernel_size=3, head_size=36),
    "PixelRNN row": partial(PixelRNN, hidden_size=12, num_layers=2, cell="row", first_kernel_size=3, head_size=36),
    "PixelRNN diagonal, classes": partial(PixelRNN, hidden_size=12, num_layers=1, head_size=36, num_classes=2),
    "PixelRNN row, classes": partial(PixelRNN, hidden_size=12, num_layers=1, cell="row", head_size=36, num_classes=2),
    "GatedPixelCNN": partial(GatedPixelCNN, hidden_size=24, num_layers=4, first_kernel_size=3, head_size=36),
    # Deeper ones overflow in single precision where all of their weights are a thousand times larger, as a law asks.
    "PixelCNNPlusPlus": partial(PixelCNNPlusPlus, hidden_size=6, num_blocks=1),
    "PixelCNNPlusPlus, classes": partial(
        PixelCNNPlusPlus, hidden_size=6, num_blocks=2, num_resolutions=1, num_classes=2
    ),
    "GatedPixelCNN, classes": partial(GatedPixelCNN, hidden_size=18, num_layers=2, head_size=36, num_classes=2),
    "GatedPixelCNN, classes summed out": partial(summed_pixel_cnn, hidden_size=18, num_layers=2, head_size=36),
    "PixelCNN, patches": partial(PixelCNN, hidden_size=18, num_blocks=2, first_kernel_size=3, patch_size=2),
    "PixelRNN diagonal, patches": partial(PixelRNN, hidden_size=24, num_layers=1, first_kernel_size=3, patch_size=2),
    "PixelRNN row, patches": partial(PixelRNN, hidden_size=12, num_layers=2, cell="row", patch_size=2),
    "GatedPixelCNN, patches": partial(GatedPixelCNN, hidden_size=24, num_layers=2, patch_size=2, num_classes=2),
    "PixelCNNPlusPlus, patches": partial(PixelCNNPlusPlus, hidden_size=6, num_blocks=1, patch_size=2),
}
"""Models of images in raster order, of pixels or of patches."""

IMAGE_CONDITIONALS = {
    "Bernoulli": Bernoulli(),
    "Categorical": Categorical(3),
    "Categorical 256": Categorical(256, "scalar"),
    "Mixture": DiscretizedLogisticMixture(3, components=2),
}
IMAGES = [(1, 2, 2), (1, 3, 2), (3, 3, 1), (1, 2, 5)]
IMAGES_OF_PATCHES = [(1, 3, 3), (1, 3, 4), (3, 3, 3)]
"""Events for 2 x 2 patches, some of which lie half outside."""


REAL_MODELS = [
    "FVSBN",
    "NADE relu",
    "NADE any order, deep",
    "MADE 1",
    "MADE direct",
    "MADE embedding",
    "MADE orders",
    "MADE whitened",
    "MLP relu, classes",
    "RNN tanh",
    "RNN GRU, classes",
    "WaveNet, two blocks",
    "WaveNet, kernel 3, classes",
    "WaveNet, frames",
    "Ensemble of masks",
    "Ensemble of orders",
]
"""The models that are tried with real variables and columns of different kinds."""

CURVE = Curved([0.5, 1.0, 3.0], [-1.0, 0.0, 1.0], lower=0.0, upper=4.0, components=2)
CELLS = Curved([1.0, 3.0, 7.0, 20.0], [-1.5, -0.5, 0.5, 2.0], lower=-0.5, cells=True, components=2)

REAL_CONDITIONALS: dict[str, tuple[Conditional, tuple[int, ...]]] = {
    "Gaussian": (Gaussian(), (2,)),
    "Gaussian mixture": (GaussianMixture(3), (2,)),
    "Logistic mixture": (LogisticMixture(2), (2,)),
    "Gaussian mixture in units": (Standardised(GaussianMixture(2), shift=100.0, scale=10.0), (4,)),
    "Gaussian or missing": (WithMissing(Gaussian()), (2,)),
    "Columns, two of them real": (
        Columns(
            [
                Standardised(GaussianMixture(3), shift=10.0, scale=5.0),
                Categorical(3),
                Standardised(WithMissing(LogisticMixture(2)), shift=-1.0, scale=0.1),
            ]
        ),
        (3,),
    ),
    "Columns of many kinds": (
        Columns(
            [
                Bernoulli(),
                Standardised(WithMissing(Gaussian()), shift=1.0, scale=2.0),
                WithMissing(Categorical(3)),
                Standardised(DiscretizedLogisticMixture(5, components=2), shift=3.0),
            ]
        ),
        (4,),
    ),
    "Numbers on curves": (
        Columns(
            [
                WithAtoms(CURVE, [0.0, 2.0]),
                Standardised(WithMissing(WithAtoms(CELLS, [0.0, 3.0, 4.0])), shift=2.0, scale=0.5),
                Curved([-1.0, 0.0, 4.0], [-1.0, 0.2, 1.5], components=1),
                CELLS,
            ]
        ),
        (4,),
    ),
}


def fits(model_name: str, conditional_name: str, event_shape: tuple[int, ...]) -> bool:
    """True if the model takes the conditional for this number of channels."""
    if "patches" in model_name:  # their tables would be too large
        return conditional_name == "Bernoulli" or (event_shape[0] == 1 and conditional_name != "Categorical 256")
    return not model_name.startswith("PixelCNNPlusPlus") or event_shape[0] == 1 or conditional_name == "Mixture"


def _seeded(model: Callable[..., AutoregressiveModel], **arguments: object) -> AutoregressiveModel:
    """A model whose initial weights do not depend on which tests ran before, nor tests after on it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return model(**arguments)


LOCATED_MODELS: dict[str, Callable[..., AutoregressiveModel]] = {
    "BayesianAR": partial(BayesianAR, lags=2),
    "BayesianAR, one lag": partial(BayesianAR, lags=1, prior=1.0),
}
"""Models that need a conditional of locations and scales."""

LOCATED_CONDITIONALS = ["Gaussian", "Gaussian mixture", "Logistic mixture", "Gaussian mixture in units"]

REAL: dict[str, Callable[[], AutoregressiveModel]] = {
    f"{model_name}, {conditional_name}, {event_shape}, {order}": partial(
        _seeded, (MODELS | TABLE_MODELS)[model_name], event_shape=event_shape, conditional=conditional, order=order
    )
    for model_name in REAL_MODELS
    for conditional_name, (conditional, event_shape) in REAL_CONDITIONALS.items()
    for order in ("raster", "random:1")
    if conditional.uniform or not model_name.startswith(("RNN", "WaveNet"))
}
"""Models of real variables, and of columns of different kinds."""

ZOO: dict[str, Callable[[], AutoregressiveModel]] = (
    {
        f"{model_name}, {conditional_name}, {event_shape}, {order}": partial(
            _seeded, model, event_shape=event_shape, conditional=conditional, order=order
        )
        for model_name, model in MODELS.items()
        for conditional_name, conditional in CONDITIONALS.items()
        for event_shape, orders in EVENTS.items()
        for order in orders
    }
    | {
        f"{model_name}, {conditional_name}, {event_shape}, raster": partial(
            _seeded, model, event_shape=event_shape, conditional=conditional
        )
        for model_name, model in IMAGE_MODELS.items()
        for conditional_name, conditional in IMAGE_CONDITIONALS.items()
        for event_shape in (IMAGES_OF_PATCHES if "patches" in model_name else IMAGES)
        if fits(model_name, conditional_name, event_shape)
    }
    | REAL
    | {
        f"{model_name}, {name}, {shape}, {order}": partial(
            _seeded, model, event_shape=shape, conditional=conditional, order=order
        )
        for model_name, model in LOCATED_MODELS.items()
        for name, (conditional, shape) in (
            {name: REAL_CONDITIONALS[name] for name in LOCATED_CONDITIONALS}
            | {"Mixture": (IMAGE_CONDITIONALS["Mixture"], (4,))}
        ).items()
        for order in ("raster", "random:1")
    }
    | {
        f"{model_name}, Mixture, (4,), {order}": partial(
            _seeded, MODELS[model_name], event_shape=(4,), conditional=IMAGE_CONDITIONALS["Mixture"], order=order
        )
        for model_name in MODELS
        if model_name.startswith(("WaveNet", "NADE", "MADE", "RNN GRU"))
        and "documents" not in model_name  # a mixture is never certain of their end
        for order in ("raster", "random:1")
    }
)


def model_of(name: str) -> str:
    """The name of the model in a name of the zoo."""
    names = [*MODELS, *TABLE_MODELS, *IMAGE_MODELS, *LOCATED_MODELS]
    return max((model for model in names if name.startswith(f"{model}, ")), key=len)
