"""Models, one file per paper. A name is imported when it is first used, so that listing them is quick."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.models.autoencoder import Autoencoder as Autoencoder
    from chainrule.models.bayes_net import BayesNet as BayesNet
    from chainrule.models.bayesian_ar import BayesianAR as BayesianAR
    from chainrule.models.ensemble import Ensemble as Ensemble
    from chainrule.models.fvsbn import FVSBN as FVSBN
    from chainrule.models.images.gated_pixel_cnn import GatedPixelCNN as GatedPixelCNN
    from chainrule.models.images.pixel_cnn import PixelCNN as PixelCNN
    from chainrule.models.images.pixel_cnn_plus_plus import PixelCNNPlusPlus as PixelCNNPlusPlus
    from chainrule.models.images.pixel_rnn import PixelRNN as PixelRNN
    from chainrule.models.made import MADE as MADE
    from chainrule.models.mlp import MLP as MLP
    from chainrule.models.nade import NADE as NADE
    from chainrule.models.rnn import RNN as RNN
    from chainrule.models.table import Table as Table
    from chainrule.models.wavenet import WaveNet as WaveNet
    from chainrule.models.whitened_made import WhitenedMADE as WhitenedMADE

MODULES = {
    "Table": "chainrule.models.table",
    "BayesNet": "chainrule.models.bayes_net",
    "FVSBN": "chainrule.models.fvsbn",
    "MLP": "chainrule.models.mlp",
    "NADE": "chainrule.models.nade",
    "MADE": "chainrule.models.made",
    "WhitenedMADE": "chainrule.models.whitened_made",
    "Autoencoder": "chainrule.models.autoencoder",
    "RNN": "chainrule.models.rnn",
    "PixelRNN": "chainrule.models.images.pixel_rnn",
    "PixelCNN": "chainrule.models.images.pixel_cnn",
    "GatedPixelCNN": "chainrule.models.images.gated_pixel_cnn",
    "PixelCNNPlusPlus": "chainrule.models.images.pixel_cnn_plus_plus",
    "WaveNet": "chainrule.models.wavenet",
    "BayesianAR": "chainrule.models.bayesian_ar",
    "Ensemble": "chainrule.models.ensemble",
}
"""Where each model lives, class name -> module, in the order of the lecture."""

__all__ = [
    "Autoencoder",
    "BayesNet",
    "BayesianAR",
    "Ensemble",
    "FVSBN",
    "GatedPixelCNN",
    "MADE",
    "MLP",
    "NADE",
    "PixelCNN",
    "PixelCNNPlusPlus",
    "PixelRNN",
    "RNN",
    "Table",
    "WaveNet",
    "WhitenedMADE",
]


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)
