"""Families of conditionals p(x_t | x_<t), each chosen independently of the model."""

from chainrule.conditionals.atoms import WithAtoms
from chainrule.conditionals.base import Conditional
from chainrule.conditionals.bernoulli import Bernoulli
from chainrule.conditionals.categorical import Categorical
from chainrule.conditionals.columns import Columns
from chainrule.conditionals.logistic_mixture import DiscretizedLogisticMixture
from chainrule.conditionals.missing import WithMissing
from chainrule.conditionals.real import Gaussian, GaussianMixture, LogisticMixture
from chainrule.conditionals.scores import Curved
from chainrule.conditionals.units import Standardised, present

__all__ = [
    "Bernoulli",
    "Categorical",
    "Columns",
    "Conditional",
    "Curved",
    "DiscretizedLogisticMixture",
    "Gaussian",
    "GaussianMixture",
    "LogisticMixture",
    "Standardised",
    "WithAtoms",
    "WithMissing",
    "present",
]
