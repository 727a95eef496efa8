"""The plan for time series: an autoregression that learns along the series, unless it is very long or has few values.

Networks that are trained on a hundred values validate worse than ARIMA, whichever way they are regularised, and a
validation part of ten values can't choose among them. `BayesianAR` has a dozen trained numbers, so that there is
nothing to choose, and goes on learning through the validation part and whatever comes after.
"""

from __future__ import annotations

from chainrule.plans.plan import Plan, Settings

LONGEST = 12_000
"""Values of the longest series for `BayesianAR`, which takes them one after the other."""

VALUE_SECONDS = 4e-4
"""Seconds of a value in a step of `BayesianAR`, with its share of the validations, on one core."""

MOST_STEPS, LEAST_STEPS, VALIDATIONS = 100, 20, 10

SHARE = 0.7
"""Steps are planned for this share of the minutes."""

MOST_LAGS, VALUES_PER_LAG = 26, 8


def series_plan(values: int, minutes: float, *, categories: int | None = None) -> Plan:
    """The plan for a series.

    Args:
        values: The number of training values.
        minutes: The minutes of the fit.
        categories: The number of values that each value can be, where they are few integers with a probability each.

    >>> series_plan(90, 3.0).settings["model.lags"]
    11
    """
    if categories is not None:
        return Plan(
            _network("RNN", values) | {"model.cell": "gru", "model.hidden_size": 32, "model.dropout": 0.2},
            reasons=(f"values are {categories} integers, and a recurrent network gives each a probability",),
        )
    if values > LONGEST:
        network = {"model.residual_channels": 32, "model.skip_channels": 64, "model.layers": 9}
        return Plan(
            _network("WaveNet", values) | network | _mixture(5),
            reasons=(f"{values} values are enough for a network, and too many to take one after the other",),
        )
    steps = int(SHARE * 60 * minutes / (VALUE_SECONDS * values))
    steps = max(LEAST_STEPS, min(MOST_STEPS, steps))
    settings: Settings = {
        "model": "BayesianAR",
        "model.lags": max(2, min(MOST_LAGS, values // VALUES_PER_LAG)),
        **_mixture(3),
        "batch_size": 1,
        "learning_rate": 0.02,
        "schedule": "cosine",
        "max_steps": steps,
        "validate_every": max(1, steps // VALIDATIONS),
    }
    return Plan(
        settings, reasons=(f"{values} values are few: the weights of an autoregression are inferred from them",)
    )


def _network(model: str, values: int) -> Settings:
    """The training of a network."""
    small = values < LONGEST
    return {
        "model": model,
        "batch_size": 1 if small else 8,
        "learning_rate": 3e-3,
        "gradient_clip": 1.0,
        "averaging": 0.99,
        "weight_decay": 0.01,
    }


def _mixture(components: int) -> Settings:
    return {"conditional": "GaussianMixture", "conditional.components": components}
