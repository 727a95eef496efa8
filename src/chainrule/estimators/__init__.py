"""Estimators for scikit-learn: the density p(x) of rows, and a detector of outliers among them.

`ChainRuleDensity` trains the networks that ``chainrule fit`` would plan for as many rows. `ChainRuleDetector` scores
rows by simple densities that outliers among the training rows do not spoil (`chainrule.estimators.robust`), or by any
other density. Both take arrays, and frames of polars or pandas with text, dates and gaps.
"""

from chainrule.estimators.density import ChainRuleDensity
from chainrule.estimators.detector import ChainRuleDetector

__all__ = ["ChainRuleDensity", "ChainRuleDetector"]
