"""scikit-learn's own checks of the estimators, and their meanings."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule.estimators import ChainRuleDensity, ChainRuleDetector

QUICK: dict[str, Any] = {"hidden_sizes": (16,), "components": 2, "batch_size": 16, "members": 1, "random_state": 0}


def blobs(count: int = 400) -> Any:
    rng = np.random.RandomState(0)
    centres = rng.choice([-3.0, 3.0], size=(count, 1))
    return centres + rng.normal(size=(count, 2)) * 0.4


@parametrize_with_checks(
    [
        ChainRuleDensity(**QUICK, max_epochs=10),
        ChainRuleDetector(random_state=0),
        ChainRuleDetector(density=ChainRuleDensity(**QUICK, max_epochs=3), folds=2, random_state=0),
    ]
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_density_is_one_in_the_rows_own_units() -> None:
    rows = blobs()
    small = ChainRuleDensity(**QUICK, max_epochs=30).fit(rows)
    large = clone(small).fit(rows * 10 + 5)
    np.testing.assert_allclose(
        large.score_samples(rows * 10 + 5), small.score_samples(rows) - 2 * np.log(10), atol=1e-2
    )
    axis = np.linspace(-16, 16, 400)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    total = np.exp(small.score_samples(grid)).sum() * (axis[1] - axis[0]) ** 2
    assert total == pytest.approx(1, abs=0.01)
    assert small.score(rows) == pytest.approx(small.score_samples(rows).sum())


def test_samples_are_like_the_rows() -> None:
    rows = blobs()
    density = ChainRuleDensity(**QUICK, max_epochs=60).fit(rows)
    drawn = density.sample(500, random_state=1)
    assert drawn.shape == (500, 2)
    np.testing.assert_array_equal(drawn, density.sample(500, random_state=1))
    assert abs((drawn[:, 0] > 0).mean() - 0.5) < 0.1
    assert density.score(drawn) / 500 == pytest.approx(density.score(rows) / 400, abs=0.5)


@pytest.mark.parametrize("density", [None, ChainRuleDensity(**QUICK, max_epochs=15)])
def test_the_detector_finds_what_is_strange(density: Any) -> None:
    rows = blobs()
    detector = ChainRuleDetector(density=density, contamination=0.05, random_state=0).fit(rows)
    assert (detector.predict(rows) == -1).mean() == pytest.approx(0.05, abs=0.01)
    assert detector.predict([[3.0, 3.0], [3.0, -3.0]]).tolist() == [1, -1]
    np.testing.assert_allclose(detector.decision_function(rows), detector.score_samples(rows) - detector.offset_)


def test_they_work_in_pipelines_searches_and_pickles() -> None:
    rows = blobs(120)
    piped = make_pipeline(StandardScaler(), ChainRuleDensity(**QUICK, max_epochs=3)).fit(rows)
    assert np.isfinite(piped.score_samples(rows)).all()
    search = GridSearchCV(ChainRuleDensity(**QUICK, max_epochs=3), {"components": [1, 3]}, cv=2).fit(rows)
    assert search.best_params_["components"] in (1, 3)
    again = pickle.loads(pickle.dumps(piped))
    np.testing.assert_array_equal(again.score_samples(rows), piped.score_samples(rows))


def test_what_is_refused() -> None:
    with pytest.raises(NotFittedError):
        ChainRuleDetector().predict([[0.0, 1.0]])
    with pytest.raises(ValueError, match=r"a share in \(0, 0.5\], got 0.9"):
        ChainRuleDetector(contamination=0.9).fit(blobs(20))
    with pytest.raises(ValueError, match="a share between 0 and 1, got 1.5"):
        ChainRuleDensity(validation_fraction=1.5).fit(blobs(20))
    with pytest.raises(ValueError, match="infinity"):
        ChainRuleDensity().fit([[np.inf, 1.0], [0.0, 2.0]])
    with pytest.raises(ValueError, match="infinity"):
        ChainRuleDetector().fit([[np.inf, 1.0], [0.0, 2.0]])
    with pytest.raises(ValueError, match="folds expects at least 2, got 1"):
        ChainRuleDetector(folds=1).fit(blobs(20))
    with pytest.raises(ValueError, match='contamination expects "auto" or a share'):
        ChainRuleDetector(contamination="some").fit(blobs(20))


def test_by_default_few_rows_have_several_members_and_a_good_density() -> None:
    rows = np.random.RandomState(0).permutation(load_wine().data)[:100]
    density = ChainRuleDensity(random_state=0).fit(rows[:80])
    assert len(density.model_.members) == 8
    mixtures = [GaussianMixture(count, random_state=0).fit(rows[:80]) for count in (1, 2, 3)]
    mixture = min(mixtures, key=lambda mixture: mixture.bic(rows[:80]))
    assert density.score_samples(rows[80:]).mean() > mixture.score_samples(rows[80:]).mean()
