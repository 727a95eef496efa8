"""The benchmarks of sampled tables and of removed cells: what is measured, and that a run that was ended goes on."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import polars
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Import a module of the benchmarks, whose folders are on the path of those programs."""
    for folder in (BENCHMARKS, BENCHMARKS / "rivals"):
        monkeypatch.syspath_prepend(folder)
    yield importlib.import_module
    for name in ("default_sets", "sampled_sets", "defaults", "detection", "judge", "stored", "imputation"):
        sys.modules.pop(name, None)


def pairs(count: int, seed: int, noise: float = 0.1) -> polars.DataFrame:
    """Rows of x, y near x, and whether x is positive; a tenth of y is missing."""
    random = np.random.RandomState(seed)
    x = random.randn(count)
    y = polars.Series(x + noise * random.randn(count)).set(polars.Series(random.rand(count) < 0.1), None)
    return polars.DataFrame({"x": x, "y": y, "sign": np.where(x > 0, "plus", "minus")})


def test_a_small_table_is_split_into_disjoint_rows_and_a_large_one_is_not(benchmark, tmp_path):
    sets = benchmark("sampled_sets")
    lines = ["x,y", *(f"{number},a" for number in range(40))]
    sets.SETS |= {"small": sets.SampledSet(lambda: lines, "y"), "large": sets.SampledSet(lambda: lines)}
    for name in ("small", "large"):
        sets.write(name, tmp_path)
    for seed in range(3):
        train, test = ((tmp_path / f"small/{seed}/{part}.csv").read_text().splitlines() for part in ("train", "test"))
        assert train[0] == test[0] == "x,y"
        assert (len(train), len(test)) == (31, 11)
        assert sorted(train[1:] + test[1:]) == sorted(lines[1:])
    assert (tmp_path / "large/0/train.csv").read_text().splitlines() == lines
    assert not (tmp_path / "large/0/test.csv").exists()


def test_samples_are_judged_by_what_they_teach_and_whether_they_are_told_apart(benchmark):
    judge = benchmark("judge")
    train, held_out = pairs(400, 0), pairs(150, 1)
    good = judge.judged(train, pairs(400, 2), held_out, "y")
    bad = judge.judged(train, pairs(400, 2, noise=5.0), held_out, "y")
    assert abs(good["held_out_auc"] - 0.5) < 0.1
    assert good["fitted_rows"]["auc"] < 0.6
    assert good["taught"] > 0.9
    assert bad["held_out_auc"] > 0.8
    assert bad["fitted_rows"]["auc"] > 0.8
    assert bad["taught"] < 0.5
    assert judge.judged(train, train, held_out, "sign")["taught"] > 0.95  # an accuracy


def test_a_class_written_as_another_type_is_the_same_class(benchmark):
    frames = [pairs(count, seed) for count, seed in ((300, 0), (100, 1))]
    rows, held_out = (frame.with_columns((frame["x"] > 0).cast(polars.Int64).alias("sign")) for frame in frames)
    floats = rows.with_columns(polars.when(polars.col("sign") == 0).then(-0.0).otherwise(1.0).alias("sign"))
    assert benchmark("judge").taught(floats, held_out, "sign") > 0.95


def test_a_column_that_samples_lack_gives_them_away(benchmark):
    found = benchmark("judge").judged(pairs(200, 0), pairs(200, 1).drop("y"), None, None)
    assert found["lacking"] == ["y"]
    assert found["fitted_rows"]["auc"] > 0.9


def test_a_run_that_was_ended_goes_on(benchmark, tmp_path):
    report = benchmark("stored").Report("sampled", tmp_path)
    cells = [("tips", seed, "arfpy") for seed in range(3)]
    fails = [1]
    asked = []

    def measured(table, seed, method):
        asked.append(seed)
        return {"error": "was ended"} if seed in fails else {"seed": seed}

    report.fill(cells[:2], measured)
    fails.clear()
    report.fill(cells, measured)
    assert asked == [0, 1, 1, 2]
    assert report.read()["sets"] == {"tips": {str(seed): {"arfpy": {"seed": seed}} for seed in range(3)}}
    report.fill(cells, measured, again=True)
    assert asked[4:] == [0, 1, 2]


def test_figures_that_another_program_writes_meanwhile_are_kept(benchmark, tmp_path):
    report = benchmark("stored").Report("sampled", tmp_path)

    def measured(*_):
        report.fill([("adult", 0, "CTGAN")], lambda *_: {"auc": 0.9})
        return {"auc": 0.5}

    report.fill([("adult", 0, "arfpy")], measured)
    assert report.read()["sets"] == {"adult": {"0": {"arfpy": {"auc": 0.5}, "CTGAN": {"auc": 0.9}}}}


@pytest.mark.parametrize("reference", [False, True])
def test_codes_of_rows_are_read_back(benchmark, reference):
    imputation = benchmark("imputation")
    frame = pairs(50, 0).drop_nulls().with_columns(word=polars.Series(list("abc") * 20).head(50).gather(range(45)))
    codes = imputation.Codes(frame, reference=reference)
    found = codes.decode(codes.encode(frame))
    assert found["sign"].to_list() == frame["sign"].to_list()
    assert found["word"].to_list() == frame["word"].to_list()
    np.testing.assert_allclose(found["x"], frame["x"])


def test_a_fifth_of_the_cells_is_removed_and_cells_that_were_empty_are_not_judged(benchmark):
    imputation = benchmark("imputation")
    rows = pairs(400, 0)
    gappy, cells = imputation.removed(rows, seed=0)
    assert abs(cells.mean() - 0.2) < 0.03
    for name, own in zip(rows.columns, cells.T, strict=True):
        assert gappy[name].is_null().to_list() == (rows[name].is_null() | polars.Series(own)).to_list()
        assert not (rows[name].is_null().to_numpy() & own).any()


def test_imputers_are_better_than_the_means_and_the_truth_is_without_error(benchmark):
    imputation = benchmark("imputation")
    train, rows = pairs(300, 0), pairs(100, 1)
    gappy, cells = imputation.removed(rows, seed=0)
    assert imputation.judged(train, rows, rows, cells) == {"rmse": 0.0, "accuracy": 1.0}
    figures = [
        imputation.judged(train, rows, method(train, gappy, 0)[0], cells)
        for method in (imputation.by_column, imputation.by_neighbours, imputation.by_regressions)
    ]
    means, *others = figures
    assert 0.8 < means["rmse"] < 1.2
    for found in others:
        assert found["rmse"] < 0.7 * means["rmse"]
        assert found["accuracy"] > 0.8


@pytest.fixture
def tables(monkeypatch):
    """The module of the tables of these benchmarks."""
    monkeypatch.syspath_prepend(BENCHMARKS.parent / "tools" / "tables")
    yield importlib.import_module("sampled")
    for name in ("sampled", "markdown"):
        sys.modules.pop(name, None)


def small_figures(held_out_auc: float, taught: float) -> dict[str, object]:
    return {"held_out_auc": held_out_auc, "fitted_rows": {"auc": 0.6}, "taught": taught}


def test_the_goals_count_tables_by_the_means_of_all_splits(tables):
    def split(own: float, taught: float) -> dict[str, object]:
        methods = {"chainrule": (own, taught), "real rows": (0.5, 1.0), "arfpy": (0.6, 0.9), "CTGAN": (0.5, 1.0)}
        return {method: small_figures(*values) for method, values in methods.items()}

    sets = {"tips": {"0": split(0.52, 0.99), "1": split(0.56, 0.95)}, "penguins": {"0": split(0.58, 0.7)}}
    said = tables.goals([{"benchmark": "sampled", "sets": sets}])
    assert "On 1 of 2 small tables" in said
    assert "On 1 they teach at least 95%" in said
    assert "or tied, on 2, and teach best, or tied, on 1." in said


def test_a_method_that_failed_or_was_not_measured_shows_no_figure(tables):
    sets = {
        "tips": {"0": {"arfpy": small_figures(0.6, 0.4)}, "1": {"arfpy": {"error": "ended"}}},
        "adult": {
            "0": {"CTGAN": {"fitted_rows": {"score": 0.25}, "cpu_seconds": 90, "epochs": 7, "epochs_planned": 300}}
        },
        "magic": {"0": {"CTGAN": {"error": "ended"}}},
    }
    results = [{"benchmark": "sampled", "sets": sets}]
    assert "arfpy" not in tables.small(results)
    assert "| *CTGAN* | 0.250 (1.5 min, 7 epochs) | failed |  |  |" in tables.large(results)
    assert tables.goals(results) == ""
