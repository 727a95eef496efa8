"""The plan for time series: an autoregression that learns along the series, unless it is very long or has few values.

Networks that are trained on a hundred values validate worse than ARIMA, whichever way they are regularised.
`BayesianAR` has a dozen trained numbers, and goes on learning through the validation part and whatever comes after. By
validation are chosen the seasons, among those that the frequency suggests, and, for a column with a bound or a coarse
grid, the family on its curve or a mixture on the line.
"""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.plans.plan import Plan, Settings

LONGEST = 12_000
"""Values of the longest series for `BayesianAR`, which takes them one after the other."""

VALUE_SECONDS = 4e-4
"""Seconds that `BayesianAR` takes for a value, on one core. A training reads each series once, and remembers it."""

STEP_SECONDS = 0.02
"""Seconds of a step beside that."""

MOST_STEPS, LEAST_STEPS, VALIDATIONS = 100, 20, 10

SHARE = 0.7
"""Steps are planned for this share of the minutes."""

MOST_LAGS, VALUES_PER_LAG = 26, 8

CYCLES = 2
"""Seasons are tried that the training values have seen so many times."""


def series_plan(
    values: int,
    minutes: float,
    *,
    categories: int | None = None,
    atoms: bool = False,
    periods: Sequence[float] = (),
    curved: bool = False,
) -> Plan:
    """The plan for a series.

    Args:
        values: The number of training values.
        minutes: The minutes of the fit.
        categories: The number of values that each value can be, where they are few integers with a probability each.
        atoms: True if single values have a probability beside a density.
        periods: The natural cycles of the frequency, in values, the shortest first.
        curved: True if values have a family on a curve.

    >>> series_plan(90, 3.0).settings["model.lags"]
    11
    >>> series_plan(90, 3.0, periods=(12.0, 365.25)).candidates
    ({'model.periods': []}, {'model.periods': [12.0]})
    """
    if categories is not None or atoms:
        why = f"are {categories} integers" if categories is not None else "are often the same"
        return Plan(
            _network("RNN", values) | {"model.cell": "gru", "model.hidden_size": 32, "model.dropout": 0.2},
            reasons=(f"values {why}, and a recurrent network gives each a probability",),
        )
    if values > LONGEST:
        network = {"model.residual_channels": 32, "model.skip_channels": 64, "model.layers": 9}
        return Plan(
            _network("WaveNet", values) | network | _mixture(5),
            reasons=(f"{values} values are enough for a network, and too many to take one after the other",),
        )
    candidates = _candidates(values, periods, curved=curved)
    passes = VALIDATIONS * max(1, len(candidates)) * VALUE_SECONDS * values
    steps = int((SHARE * 60 * minutes - passes) / (STEP_SECONDS * max(1, len(candidates))))
    steps = max(LEAST_STEPS, min(MOST_STEPS, steps))
    settings: Settings = {
        "model": "BayesianAR",
        "model.lags": max(2, min(MOST_LAGS, values // VALUES_PER_LAG)),
        "batch_size": 1,
        "learning_rate": 0.02,
        "schedule": "cosine",
        "max_steps": steps,
        "validate_every": max(1, steps // VALIDATIONS),
    }
    return Plan(
        settings,
        candidates=candidates,
        reasons=(f"{values} values are few: the weights of an autoregression are inferred from them",),
    )


def _candidates(values: int, periods: Sequence[float], *, curved: bool) -> tuple[Settings, ...]:
    """The seasons, and the families, that are tried; none where there is nothing to choose."""
    seen = [period for period in periods if CYCLES * period <= values]
    seasons = [[], *([seen] if seen else []), *([seen[-1:]] if len(seen) > 1 else [])]
    families: list[Settings] = [{}, _mixture(3)] if curved else [{}]
    tried = [({"model.periods": season} if seen else {}) | family for season in seasons for family in families]
    return tuple(tried) if len(tried) > 1 else ()


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
