"""Exact-likelihood autoregressive models: p(x) = prod_t p(x_t | x_<t).

Names are imported when they are first used, so that ``import chainrule`` itself is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import importer

if TYPE_CHECKING:
    from chainrule.model import AutoregressiveModel as AutoregressiveModel
    from chainrule.order import Order as Order
    from chainrule.runs import evaluate_split as evaluate_split
    from chainrule.runs import fit as fit
    from chainrule.runs import plan as plan
    from chainrule.runs.folder import load as load
    from chainrule.runs.folder import save as save
    from chainrule.tasks.anomaly import anomaly_scores as anomaly_scores
    from chainrule.tasks.calibration import Calibration as Calibration
    from chainrule.tasks.classify import classify as classify
    from chainrule.tasks.complete import complete as complete
    from chainrule.tasks.complete import completion as completion
    from chainrule.tasks.describe import describe as describe
    from chainrule.tasks.evaluate import evaluate as evaluate
    from chainrule.tasks.gaps import fill as fill
    from chainrule.tasks.marginal import marginal as marginal
    from chainrule.tasks.particles import Bounds as Bounds
    from chainrule.tasks.purify import purify as purify
    from chainrule.tasks.receptive_field import receptive_field as receptive_field
    from chainrule.tasks.represent import represent as represent
    from chainrule.tasks.sample import sample as sample
    from chainrule.tasks.where import sample_where as sample_where

_HOMES = {
    "AutoregressiveModel": "chainrule.model",
    "Bounds": "chainrule.tasks.particles",
    "Calibration": "chainrule.tasks.calibration",
    "Order": "chainrule.order",
    "anomaly_scores": "chainrule.tasks.anomaly",
    "classify": "chainrule.tasks.classify",
    "complete": "chainrule.tasks.complete",
    "completion": "chainrule.tasks.complete",
    "describe": "chainrule.tasks.describe",
    "evaluate": "chainrule.tasks.evaluate",
    "evaluate_split": "chainrule.runs",
    "fill": "chainrule.tasks.gaps",
    "fit": "chainrule.runs",
    "load": "chainrule.runs.folder",
    "marginal": "chainrule.tasks.marginal",
    "plan": "chainrule.runs",
    "purify": "chainrule.tasks.purify",
    "receptive_field": "chainrule.tasks.receptive_field",
    "represent": "chainrule.tasks.represent",
    "sample": "chainrule.tasks.sample",
    "sample_where": "chainrule.tasks.where",
    "save": "chainrule.runs.folder",
}

__all__ = [*_HOMES]

__getattr__ = importer(__name__, _HOMES)
