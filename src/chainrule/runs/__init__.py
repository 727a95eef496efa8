"""Recipes: a ``fit`` command line written down, run, and its result recorded.

A recipe is a YAML file of flat keys, equal to the flags of ``chainrule fit`` with underscores, and of
``published``, the number it is to be compared with. `run` does what ``chainrule fit`` does with it.
"""

from chainrule.runs.calibration import read_calibration
from chainrule.runs.evaluation import evaluate_split
from chainrule.runs.file import fit, fit_file
from chainrule.runs.opened import OpenRun, open_run
from chainrule.runs.planned import Planned, plan
from chainrule.runs.result import machine, reproduce
from chainrule.runs.run import Run, run
from chainrule.runs.settings import Settings, model_class, read

__all__ = [
    "OpenRun",
    "Planned",
    "Run",
    "Settings",
    "evaluate_split",
    "fit",
    "fit_file",
    "machine",
    "model_class",
    "open_run",
    "plan",
    "read",
    "read_calibration",
    "reproduce",
    "run",
]
