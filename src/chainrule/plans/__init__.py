"""Plans: what `fit` does with a data set where its user says nothing.

A planner is a function of a few facts about the data (the kind, the shape and the size) and of the minutes; it knows no
data set by name. Each kind of data binds its own.
"""

from chainrule.plans.plan import Plan, Settings

__all__ = ["Plan", "Settings"]
