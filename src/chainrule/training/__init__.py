"""Maximum likelihood, for any model of the contract."""

from chainrule.errors import TrainingError
from chainrule.training.cost import Cost, cost_of
from chainrule.training.fit import Fit, fit
from chainrule.training.processes import is_alone, is_first_process
from chainrule.training.settings import Training

__all__ = ["Cost", "Fit", "Training", "TrainingError", "cost_of", "fit", "is_alone", "is_first_process"]
