"""Robust scores: what outliers among the training rows do to them, and how often clean rows are refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KernelDensity

from chainrule.estimators import ChainRuleDetector
from chainrule.estimators.detector import lower_fence, medcouple
from chainrule.estimators.robust import RobustScores


def test_a_crowd_of_outliers_does_not_vouch_for_itself() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(950, 8)), 4 + 0.05 * rng.normal(size=(50, 8))])
    strange = np.repeat([0, 1], [950, 50])
    assert roc_auc_score(strange, -RobustScores(seed=0).fit(rows).score_samples(rows)) > 0.95
    assert roc_auc_score(strange, -KernelDensity(bandwidth=0.5).fit(rows).score_samples(rows)) < 0.1
    detector = ChainRuleDetector(contamination=0.08, random_state=0).fit(rows)
    assert (detector.predict(rows)[950:] == -1).mean() > 0.7
    assert (detector.predict(rng.normal(size=(2000, 8))) == -1).mean() < 0.05


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_the_share_of_clean_rows_that_is_refused_is_that_asked_for(share: float) -> None:
    """On half of the rows of three real tables, within three standard errors."""
    refused, count = 0.0, 0
    for load in (load_breast_cancer, load_digits, load_wine):
        rows = np.random.default_rng(0).permutation(load().data)
        half = len(rows) // 2
        detector = ChainRuleDetector(contamination=share, random_state=0).fit(rows[:half])
        refused += (detector.predict(rows[half:]) == -1).sum()
        count += len(rows) - half
    error = np.sqrt(share * (1 - share) * 2 / count)  # of a quantile of as many rows, and of its estimate
    assert refused / count == pytest.approx(share, abs=3 * error)


def test_scores_do_not_depend_on_units_or_on_the_rows_beside() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 3))
    units = np.array([1e-6, 1.0, 1e6])
    scores = RobustScores(seed=0).fit(rows).score_samples(rows)
    np.testing.assert_allclose(RobustScores(seed=0).fit(rows * units).score_samples(rows * units), scores, atol=1e-6)
    np.testing.assert_allclose(RobustScores(seed=0).fit(rows).score_samples(rows[3:4]), scores[3:4], atol=1e-9)


def test_extreme_and_constant_values_have_finite_scores() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 3))
    rows[:, 1] = 7.0
    rows[:, 2] = np.arange(50) % 2
    scores = RobustScores().fit(rows).score_samples(np.array([[0.0, 7.0, 1.0], [1e30, 7.0, 1.0], [0.0, -1e30, 0.5]]))
    assert np.isfinite(scores).all()
    assert (scores[1:] < scores[0] - 1).all()
    for few in (rows[:2], np.zeros((5, 2))):
        assert np.isfinite(RobustScores().fit(few).score_samples(few)).all()


def test_the_fence_follows_the_skewness() -> None:
    rng = np.random.default_rng(0)
    assert medcouple(np.array([1.0, 2.0, 3.0])) == 0
    assert medcouple(np.array([0.0, 0.0, 0.0])) == 0
    # Of the standard exponential distribution it is about 1/3; see Brys, Hubert and Struyf (2004).
    assert medcouple(rng.exponential(size=100_000)) == pytest.approx(1 / 3, abs=0.02)
    for values in (rng.normal(size=20_000), -rng.exponential(size=20_000)):
        assert (values < lower_fence(values)).mean() < 0.03
