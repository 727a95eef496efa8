"""Maximum likelihood on Lightning, for any model of the contract."""

from chainrule.training.fit import Fit, fit
from chainrule.training.module import TrainingError

__all__ = ["Fit", "TrainingError", "fit"]
