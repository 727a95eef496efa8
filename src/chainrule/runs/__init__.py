"""Recipes: a ``fit`` command line written down, run, and its result recorded.

A recipe is a YAML file of flat keys, equal to the flags of ``chainrule fit`` with underscores, and of
``published``, the number it is to be compared with. `chainrule.runs.run` does what ``chainrule fit`` does with it.

Names are imported when they are first used: who scores with a run needs nothing that trains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.lazy import importer

if TYPE_CHECKING:
    from chainrule.runs.calibration import read_calibration as read_calibration
    from chainrule.runs.evaluation import evaluate_split as evaluate_split
    from chainrule.runs.file import fit as fit
    from chainrule.runs.file import fit_file as fit_file
    from chainrule.runs.opened import OpenRun as OpenRun
    from chainrule.runs.opened import open_run as open_run
    from chainrule.runs.planned import Planned as Planned
    from chainrule.runs.planned import plan as plan
    from chainrule.runs.result import machine as machine
    from chainrule.runs.result import reproduce as reproduce
    from chainrule.runs.settings import model_class as model_class
    from chainrule.runs.settings import read as read

_HOMES = {
    "OpenRun": "chainrule.runs.opened",
    "Planned": "chainrule.runs.planned",
    "evaluate_split": "chainrule.runs.evaluation",
    "fit": "chainrule.runs.file",
    "fit_file": "chainrule.runs.file",
    "machine": "chainrule.runs.result",
    "model_class": "chainrule.runs.settings",
    "open_run": "chainrule.runs.opened",
    "plan": "chainrule.runs.planned",
    "read": "chainrule.runs.settings",
    "read_calibration": "chainrule.runs.calibration",
    "reproduce": "chainrule.runs.result",
}

__all__ = [*_HOMES]

__getattr__ = importer(__name__, _HOMES)
