"""Recipes: a ``fit`` command line written down, run, and its result recorded.

A recipe is a YAML file of flat keys, equal to the flags of ``chainrule fit`` with underscores, and of
``published``, the number it is to be compared with. `run` is what ``chainrule fit`` does with it.
"""

from chainrule.recipes.calibration import read_calibration
from chainrule.recipes.evaluation import evaluate_split
from chainrule.recipes.result import machine, reproduce
from chainrule.recipes.run import Run, run
from chainrule.recipes.settings import READING, Settings, own_classes, read

__all__ = [
    "READING",
    "Run",
    "Settings",
    "evaluate_split",
    "machine",
    "own_classes",
    "read",
    "read_calibration",
    "reproduce",
    "run",
]
