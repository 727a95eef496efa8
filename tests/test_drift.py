"""Drift: the tests of two samples, their rate of false alarms, and what moved."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars
import pytest
from scipy.stats import chi2_contingency, mannwhitneyu, norm, rankdata

from chainrule.compare.drift import ColumnPair, Pair, drift_figures
from chainrule.compare.pvalues import categories_pvalue, numbers_pvalue, scores_pvalue, share_pvalue, stranger_share
from chainrule.compare.table import Values, tables

RANDOM = np.random.default_rng(0)
STATE = RANDOM.bit_generator.state

SAMPLES: dict[str, Callable[[int], Values]] = {
    "smooth": lambda count: RANDOM.standard_normal(count),
    "few": lambda count: RANDOM.integers(0, 4, count).astype(float),
    "spike": lambda count: np.where(RANDOM.random(count) < 0.7, 0.0, RANDOM.standard_normal(count)),
}


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Each test has the same random numbers, whichever ran before."""
    RANDOM.bit_generator.state = STATE


class TestPValues:
    def test_one_score_is_the_test_of_wilcoxon_mann_and_whitney(self) -> None:
        old, new = RANDOM.integers(0, 9, 60), RANDOM.integers(1, 9, 40)
        expected = mannwhitneyu(old, new, use_continuity=False, method="asymptotic").pvalue
        ranks = rankdata(np.concatenate([old, new]))
        assert scores_pvalue(ranks[:60, None], ranks[60:, None]) == pytest.approx(expected)

    def test_categories_have_the_test_of_pearson(self) -> None:
        old, new = np.repeat([0.0, 1, 2], [30, 20, 10]), np.repeat([0.0, 1, 2], [10, 20, 10])
        statistic, _, freedom, _ = chi2_contingency([[30, 20, 10], [10, 20, 10]], correction=False)
        found = categories_pvalue(old, new)
        assert freedom == 2
        assert -2 * np.log(found) == pytest.approx(statistic * 99 / 100)  # chi-squared of two degrees of freedom

    @pytest.mark.parametrize("sizes", [(40, 40), (400, 60), (60, 400)])
    @pytest.mark.parametrize("name", SAMPLES)
    def test_the_rate_of_false_alarms_is_kept_with_ties_and_unequal_sizes(
        self, name: str, sizes: tuple[int, int]
    ) -> None:
        found = [numbers_pvalue(*map(SAMPLES[name], sizes)) for _ in range(600)]
        assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.08

    def test_shift_spread_and_repeated_values_are_found(self) -> None:
        old, new = RANDOM.standard_normal((2, 400))
        assert numbers_pvalue(old, new + 0.5) < 1e-6
        assert numbers_pvalue(old, 1.6 * new) < 1e-6
        assert numbers_pvalue(old, np.where(RANDOM.random(400) < 0.1, 0.7, new)) < 1e-6
        assert numbers_pvalue(old, new) > 0.001

    def test_infinite_empty_and_equal_values(self) -> None:
        values = RANDOM.standard_normal(100)
        assert numbers_pvalue(values, np.where(np.arange(100) < 30, np.inf, values)) < 0.001
        assert numbers_pvalue(values, values[:0]) == categories_pvalue(values[:0], values[:0]) == 1
        assert numbers_pvalue(np.ones(50), np.ones(30)) == categories_pvalue(np.ones(50), np.ones(30)) == 1
        assert share_pvalue(np.zeros(50, bool), np.zeros(20, bool)) == 1

    def test_a_new_row_is_the_stranger_of_two(self) -> None:
        old, new = RANDOM.standard_normal(3000), RANDOM.standard_normal(2000) + 1
        assert stranger_share(old, new) == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=0.03)


def pair(old: polars.DataFrame, new: polars.DataFrame, nats: tuple[Values, Values] | None = None) -> Pair:
    """Rows whose columns are as ``old`` and ``new`` say, and cells of ``nats``, or of normal ones."""
    coded = tables({"old": old, "new": new})
    parts = [(coded["old"].columns(np.array([i])), coded["new"].columns(np.array([i]))) for i in range(old.width)]
    own = nats or (RANDOM.standard_normal((len(old), old.width)), RANDOM.standard_normal((len(new), old.width)))
    columns = [ColumnPair(*part).given(own[0][:, i], own[1][:, i]) for i, part in enumerate(parts)]
    return Pair(own[0].sum(axis=1), own[1].sum(axis=1), columns)


def rows(count: int) -> polars.DataFrame:
    numbers = {f"x{i}": RANDOM.standard_normal(count) for i in range(6)}
    word = RANDOM.choice(["a", "b", "c"], count, p=[0.6, 0.3, 0.1])
    gappy = polars.Series(RANDOM.standard_normal(count)).set(polars.Series(RANDOM.random(count) < 0.02), None)
    return polars.DataFrame(numbers | {"word": word, "gappy": gappy})


def moved(figures: dict[str, object]) -> dict[str, list[str]]:
    return {column["name"]: column["moved"] for column in figures["columns"] if column["moved"]}  # type: ignore[attr-defined]


class TestDrift:
    def test_rows_alike_alarm_as_often_as_was_asked(self) -> None:
        found = [drift_figures(pair(rows(200), rows(150)), rate=0.1)["drift"] for _ in range(150)]
        assert 0.03 <= np.mean(found) <= 0.17

    @pytest.mark.parametrize(
        ("change", "name", "test"),
        [
            ("shift", "x3", "values"),
            ("category", "word", "values"),
            ("new", "word", "rare"),
            ("gaps", "gappy", "gaps"),
            ("first gaps", "x2", "gaps"),
            ("relation", "x4", "given"),
        ],
    )
    def test_what_moved_is_named(self, change: str, name: str, test: str) -> None:
        old, new = rows(800), rows(400)
        few = polars.int_range(400) < 8
        new = new.with_columns(
            {
                "shift": polars.col("x3") + 0.5,
                "category": polars.col("word").replace({"a": "b"}),
                "new": polars.when(few).then(polars.lit("d")).otherwise("word").alias("word"),
                "gaps": polars.when(polars.int_range(400) >= 60).then("gappy"),
                "first gaps": polars.when(~few).then("x2"),
                "relation": polars.col("x4"),
            }[change]
        )
        nats = RANDOM.standard_normal((800, old.width)), RANDOM.standard_normal((400, old.width))
        if change == "relation":
            nats[1][:, old.columns.index("x4")] += 0.6
        figures = drift_figures(pair(old, new, nats))
        assert figures["drift"]
        assert test in moved(figures)[name]
        assert figures["columns"][0]["name"] == name

    def test_likelihoods_alone_are_enough(self) -> None:
        old, new = RANDOM.standard_normal(300), RANDOM.standard_normal(200) + 0.5
        figures = drift_figures(Pair(old, np.where(np.arange(200) < 5, np.nan, new)))
        assert figures["drift"]
        assert figures["likelihood"]["left_out"] == 5
        assert figures["likelihood"]["stranger"] > 0.5
        assert figures["columns"] == []
        assert not drift_figures(Pair(old, RANDOM.standard_normal(200)))["drift"]

    def test_the_chunk_that_drifts_is_named(self) -> None:
        old, new = rows(500), rows(400)
        late = new.with_columns(polars.col("x1") + 2.0 * (polars.int_range(400) >= 300))
        figures = drift_figures(pair(old, late), chunks=4)
        assert [chunk["drift"] for chunk in figures["chunks"]] == [False, False, False, True]
        assert figures["chunks"][3] | {"first": 301, "last": 400, "rows": 100} == figures["chunks"][3]
        assert figures["chunks"][3]["columns"][0] == "x1"

    def test_what_is_refused(self) -> None:
        few, many = RANDOM.standard_normal(19), RANDOM.standard_normal(100)
        with pytest.raises(ValueError, match="at least 20 new rows, got 19"):
            Pair(many, few)
        with pytest.raises(ValueError, match="at least 20 old rows, got 19"):
            Pair(few, many)
        for rate in (0.0, 1.0, float("nan")):
            with pytest.raises(ValueError, match="rate expects a share of false alarms between 0 and 1"):
                drift_figures(Pair(many, many), rate=rate)
        for chunks in (1, 6):
            with pytest.raises(ValueError, match=r"chunks expects 2 to 5 of at least 20 rows each"):
                drift_figures(Pair(many, many), chunks=chunks)
