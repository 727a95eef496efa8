"""The plan that serves every kind of data somewhat, until its own planner says better."""

from __future__ import annotations

from chainrule.plans.plan import Plan


def usual_plan(model: str) -> Plan:
    """The settings of ``model`` that are seldom bad: Adam at 0.003, weights averaged, and early stopping."""
    return Plan({"model": model, "learning_rate": 3e-3, "averaging": 0.99, "gradient_clip": 1.0})
