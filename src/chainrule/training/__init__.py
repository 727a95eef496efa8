"""Maximum likelihood on Lightning, for any model of the contract."""
# ruff: noqa: E402

import warnings

# tqdm's advice in notebooks, as soon as Lightning imports it. No bar of tqdm is shown here, so no widgets are needed.
warnings.filterwarnings("ignore", "IProgress not found")

from chainrule.errors import TrainingError
from chainrule.training.cost import Cost, cost_of
from chainrule.training.fit import Fit, fit
from chainrule.training.processes import is_alone, is_first_process
from chainrule.training.settings import Training

__all__ = ["Cost", "Fit", "Training", "TrainingError", "cost_of", "fit", "is_alone", "is_first_process"]
