"""Estimators of frames: text, categories and gaps, in pandas and polars."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars
import pytest
from sklearn.neighbors import KernelDensity

from chainrule.estimators import ChainRuleDensity, ChainRuleDetector

QUICK: dict[str, Any] = {"hidden_sizes": (16,), "members": 1, "max_epochs": 20, "random_state": 0}


def people(count: int, seed: int = 0) -> polars.DataFrame:
    """Heights that follow from a word, some of which are missing."""
    rng = np.random.default_rng(seed)
    tall = rng.random(count) < 0.5
    height = np.where(tall, 1.9, 1.6) + 0.03 * rng.normal(size=count)
    gaps = rng.random(count) < 0.1
    return polars.DataFrame(
        {
            "group": np.where(tall, "tall", "short"),
            "height": polars.Series(height).set(polars.Series(gaps), None),
            "weight": 40 * height + rng.normal(size=count),
        }
    )


def as_given(frame: polars.DataFrame, library: str) -> Any:
    if library == "polars":
        return frame
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({name: frame[name].to_list() for name in frame.columns})


@pytest.mark.parametrize("library", ["polars", "pandas"])
@pytest.mark.parametrize("density", [None, ChainRuleDensity(**QUICK)])
def test_the_detector_takes_frames_with_words_and_gaps(library: str, density: Any) -> None:
    detector = ChainRuleDetector(density=density, contamination=0.05, folds=2, random_state=0)
    detector.fit(as_given(people(400), library))
    new = people(400, seed=1)
    assert (detector.predict(as_given(new, library)) == -1).mean() == pytest.approx(0.05, abs=0.035)
    strange = polars.DataFrame(
        {"group": ["short", "tall", "giant"], "height": [1.6, 1.9, 1.9], "weight": [90.0, 76.0, 76.0]}
    )
    assert detector.predict(as_given(strange, library)).tolist() == [-1, 1, -1]


@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_the_density_of_a_frame_is_in_its_units(library: str) -> None:
    rows = people(300)
    density = ChainRuleDensity(**QUICK).fit(as_given(rows, library))
    scores = density.score_samples(as_given(rows, library))
    grams = rows.with_columns(polars.col("weight") * 1000)
    larger = ChainRuleDensity(**QUICK).fit(as_given(grams, library)).score_samples(as_given(grams, library))
    assert larger.mean() == pytest.approx(scores.mean() - np.log(1000), abs=0.1)
    drawn = density.sample(50, random_state=0)
    assert type(drawn) is type(as_given(rows, library))
    assert list(drawn.columns) == rows.columns
    assert set(drawn["group"]) == {"tall", "short"}


def test_cells_that_training_never_had() -> None:
    rows = people(300)
    density = ChainRuleDensity(**QUICK).fit(rows)
    giant = rows.head(1).with_columns(group=polars.lit("giant"))
    assert density.score_samples(giant) < density.score_samples(rows.head(1)) - 3
    nameless = rows.head(3).with_columns(group=polars.lit(None, polars.String))
    parts = [rows.head(3).with_columns(group=polars.lit(word)) for word in ("tall", "short", "giant")]
    total = np.logaddexp.reduce([density.score_samples(part) for part in parts])
    np.testing.assert_allclose(density.score_samples(nameless), total, atol=1e-5)
    with pytest.raises(ValueError, match="height"):
        density.score_samples(rows.with_columns(height=polars.lit("high")))


def test_words_among_numbers_are_categories() -> None:
    rng = np.random.default_rng(0)
    tickets = [str(number) if number > 3 else f"PC {number}" for number in rng.integers(0, 12, size=200)]
    rows = polars.DataFrame({"ticket": tickets, "fare": rng.normal(size=200)})
    for estimator in (ChainRuleDetector(random_state=0), ChainRuleDensity(**QUICK)):
        usual, strange = estimator.fit(rows).score_samples(rows.head(2).with_columns(fare=polars.Series([0.0, 9.0])))
        assert usual > strange
    with pytest.raises(ValueError, match="expects finite numbers"):
        ChainRuleDetector().fit(rows.with_columns(fare=polars.Series([np.inf, *range(199)])))


def test_arrays_with_gaps() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 3))
    rows[::7, 1] = np.nan
    density = ChainRuleDensity(**QUICK).fit(rows)
    assert np.isfinite(density.score_samples(rows)).all()
    assert density.sample(20, random_state=0).shape == (20, 3)
    detector = ChainRuleDetector(contamination=0.05, random_state=0).fit(rows)
    assert detector.predict([[0.0, np.nan, 0.0], [9.0, np.nan, 0.0]]).tolist() == [1, -1]
    # The first column never had a gap.
    assert detector.score_samples([[np.nan, 0.0, 0.0]]) < detector.score_samples([[0.0, 0.0, 0.0]])


def test_jobs_change_nothing() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 3))
    for estimator in (ChainRuleDetector(folds=2, random_state=0), ChainRuleDensity(**{**QUICK, "members": 2})):
        alone = estimator.fit(rows).score_samples(rows)
        np.testing.assert_allclose(estimator.set_params(n_jobs=2).fit(rows).score_samples(rows), alone, rtol=1e-6)


def test_a_cell_that_does_not_go_with_the_others_is_explained() -> None:
    generator = np.random.RandomState(0)
    a = generator.normal(size=400)
    colours = generator.choice(["red", "blue"], size=400)
    frame = polars.DataFrame({"a": a, "colour": colours, "b": a + 0.1 * generator.normal(size=400)})
    density = ChainRuleDensity(members=1, max_epochs=100, random_state=0)
    rows = frame[:3].with_columns(b=polars.Series([9.0, None, float(frame["b"][2])]))
    tails = density.fit(frame).explain(rows)
    assert tails.shape == (3, 3)
    assert tails[0, 2] < 0.01 < 0.05 < tails[2].min()
    assert np.isnan(tails).tolist() == [[False] * 3, [False, False, True], [False] * 3]
    numbers = frame.select("a", "b").to_numpy()
    found = density.fit(numbers).explain(numbers[:50])
    assert 0.35 < found.mean() < 0.65, "tails of ordinary rows are uniform"


def test_the_detector_explains_a_cell_by_the_values_that_would_be_no_stranger() -> None:
    generator = np.random.RandomState(0)
    a = generator.normal(size=400)
    colours = np.where(a > 0, "red", "blue")
    frame = polars.DataFrame({"id": range(400), "a": a, "colour": colours, "b": a + 0.1 * generator.normal(size=400)})
    rows = frame.tail(4).with_columns(b=polars.Series([2.5, -2.5, None, frame["b"][-1]]))
    shares = ChainRuleDetector(random_state=0).fit(frame).explain(rows)
    assert shares.shape == (4, 4)
    assert np.isnan(shares[:, 0]).all(), "an identifier has no model"
    wrong = [0, 1, 2]
    assert (shares[wrong, 3] <= 0.05).all()
    assert shares[3, 1:].min() > 0.05
    numbers = frame.select("a", "b").to_numpy()
    detector = ChainRuleDetector(random_state=0).fit(numbers[:300])
    ordinary = detector.explain(numbers[300:])
    assert ((ordinary >= 0.01) & (ordinary <= 1)).all()
    assert ordinary.mean() > 0.8, "few values of a column go with the other cells as well"
    density = ChainRuleDensity(**(QUICK | {"max_epochs": 3}))
    explained = ChainRuleDetector(density=density, folds=2, random_state=0).fit(numbers).explain(numbers[:5])
    assert explained.shape == (5, 2)
    with pytest.raises(ValueError, match="a density with a method explain, got KernelDensity"):
        ChainRuleDetector(density=KernelDensity()).fit(numbers).explain(numbers)
