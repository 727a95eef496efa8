"""Forecasts of the next value of a series: ARIMA and the naive ones, each with a Gaussian about it.

A figure is the mean of -log p(x_t | x_<t) over the test part, with all values before t known. The probability of an
integer is that of the unit interval about it.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
from common import Clock, Data
from scipy.stats import norm

SEASONS = (4, 7, 12, 24, 52, 365)
PERIODS = 3
"""Periods that a season needs in the training part, at least."""
CORRELATED = 0.2
"""A season is apparent if what is a season apart correlates by more."""
DIFFERENCED = 24
"""Longer seasons get Fourier pairs instead of a seasonal difference."""
PAIRS = 2
FITTED = 2000
ORDERS = sorted(itertools.product(range(4), range(3)), key=sum)


def arima(data: Data, clock: Clock) -> dict[str, Any]:
    """Orders by AIC for each kind of difference and season; among these, the best on the validation part.

    Parameters are those of the last `FITTED` training values; the filter reads all of them.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    warnings.simplefilter("ignore")  # statsmodels lets its own through
    whole, ends = _whole(data)
    fitted = slice(max(0, ends[0] - FITTED), ends[0])
    season = apparent_season(whole[: ends[0]])
    ways = list(itertools.product((False, True) if season else (False,), (0, 1)))
    best: dict[str, Any] = {"valid_nats": np.inf}
    for number, (seasonal, difference) in enumerate(ways, start=1):
        exog = fourier(len(whole), season) if seasonal and season > DIFFERENCED else None
        extra = (0, 1, 1, season) if seasonal and season <= DIFFERENCED else (0, 0, 0, 0)
        common = {"seasonal_order": extra, "trend": "c" if difference == 0 and extra[1] == 0 else None}
        fits = []
        for p, q in ORDERS:
            if fits and clock.share > number / len(ways):
                break
            order = (p, difference, q)
            model = SARIMAX(whole[fitted], None if exog is None else exog[fitted], order=order, **common)
            fits.append((model.fit(disp=False, maxiter=50), order))
        chosen, order = min(fits, key=lambda pair: pair[0].aic)
        found = SARIMAX(whole, exog, order=order, **common).filter(chosen.params).filter_results
        nats = gaussian_nats(whole, found.forecasts[0], found.forecasts_error_cov[0, 0] ** 0.5, data)
        valid = float(nats[ends[0] : ends[1]].mean())
        if valid < best["valid_nats"]:
            best = {"valid_nats": valid, "nats": float(nats[ends[1] :].mean()), "order": order, "seasonal_order": extra}
            best["fourier"] = None if exog is None else {"season": season, "pairs": PAIRS}
    return best


def naive(data: Data, clock: Clock) -> dict[str, Any]:
    """The value before, or that of a season ago, whichever is better on the validation part."""
    whole, ends = _whole(data)
    best: dict[str, Any] = {"valid_nats": np.inf}
    for lag in (1, *SEASONS):
        if lag * PERIODS < ends[0]:
            std = (whole[lag : ends[0]] - whole[: ends[0] - lag]).std() + 1e-9
            nats = gaussian_nats(whole[lag:], whole[:-lag], np.full(len(whole) - lag, std), data)
            valid, test = nats[ends[0] - lag : ends[1] - lag].mean(), nats[ends[1] - lag :].mean()
            if valid < best["valid_nats"]:
                best = {"valid_nats": float(valid), "nats": float(test), "lag": lag}
    return best


def _whole(data: Data) -> tuple[np.ndarray, np.ndarray]:
    parts = [data.train, data.valid, data.test]
    return np.concatenate(parts).astype(float), np.cumsum([len(part) for part in parts])


def gaussian_nats(x: np.ndarray, mean: np.ndarray, std: np.ndarray, data: Data) -> np.ndarray:
    """-log p of each value."""
    if data.about["columns"][0]["kind"] == "integer":
        inside = norm.cdf(x + 0.5, mean, std) - norm.cdf(x - 0.5, mean, std)
        return -np.log(np.maximum(inside, 1e-300))
    return -norm.logpdf(x, mean, std)


def apparent_season(train: np.ndarray) -> int | None:
    """The season at which changes correlate most; else a long one at which the values do, about a bent trend."""
    time = np.arange(len(train))
    bent = np.polyval(np.polyfit(time, train, 2), time)
    for x, seasons in ((np.diff(train) - np.diff(train).mean(), SEASONS), (train - bent, SEASONS[-2:])):
        found = {lag: float((x[lag:] * x[:-lag]).sum() / (x**2).sum()) for lag in seasons if lag * PERIODS < len(x)}
        season = max(found, key=lambda lag: found[lag], default=None)
        if season is not None and found[season] > CORRELATED:
            return season
    return None


def fourier(length: int, season: int) -> np.ndarray:
    angle = 2 * np.pi * np.arange(length)[:, None] * np.arange(1, PAIRS + 1) / season
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
