"""Families of conditionals p(x_t | x_<t), each chosen independently of the model."""

from chainrule.conditionals.base import Conditional
from chainrule.conditionals.bernoulli import Bernoulli
from chainrule.conditionals.categorical import Categorical
from chainrule.conditionals.logistic_mixture import DiscretizedLogisticMixture

__all__ = ["Bernoulli", "Categorical", "Conditional", "DiscretizedLogisticMixture"]
