"""Comparisons of sampled rows with real ones, on rows that are made so that the answer is known."""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import polars
import pytest

from chainrule.compare.associations import associations
from chainrule.compare.imputation import filled_by_column, filled_by_neighbours, hidden_cells, imputation_errors
from chainrule.compare.marginals import OTHERS, difference, marginals
from chainrule.compare.nearest import Ranks, copied, nearest_distances, privacy
from chainrule.compare.report import comparison
from chainrule.compare.table import Table, tables
from chainrule.compare.two_sample import two_sample, two_sample_of_each
from chainrule.compare.usefulness import usefulness

SHARED = Path(__file__).resolve().parents[2] / "shared"
TOOL = Path(os.environ.get("CHAINRULE_DATA", SHARED / "data")).parent / "tools" / "two_sample.py"
ROWS = 900


def people(seed: int, *, zeros: float = 0.5, linked: bool = True) -> polars.DataFrame:
    """Rows of a number that is often zero, a number that follows from a category, that category, and gaps."""
    random = np.random.default_rng(seed)
    colour = random.choice(["red", "green", "blue"], ROWS, p=[0.6, 0.3, 0.1])
    group = colour if linked else random.permutation(colour)
    size = random.normal(size=ROWS) + 3 * (group == "red")
    pay = np.where(random.random(ROWS) < zeros, 0, random.normal(100, 10, ROWS))
    frame = polars.DataFrame({"colour": colour, "size": size.round(1), "pay": pay, "tall": random.random(ROWS) < 0.5})
    return frame.with_columns(size=polars.when(polars.int_range(ROWS) % 10 == 0).then(None).otherwise("size"))


def coded(**frames: polars.DataFrame) -> list[Table]:
    return list(tables(frames).values())


def test_frames_are_coded_alike() -> None:
    days = [datetime.date(2026, 1, day) for day in (3, 1)]
    one = polars.DataFrame({"word": ["b", "b"], "day": days, "x": [1, None]})
    two = polars.DataFrame({"x": [2.5], "word": ["a"], "day": days[:1]})
    first, second = coded(one=one, two=two)
    assert first.numeric.tolist() == second.numeric.tolist() == [False, True, True]
    assert first.categories == second.categories == (("b", "a"), None, None)
    assert second.values[0, [0, 2]].tolist() == [1, 2.5]
    assert first.text(1, first.values[0, 1]) == "2026-01-03"
    assert np.isnan(first.values[1, 2])
    with pytest.raises(ValueError, match="two: expected rows with the columns word, day, x, ..., got none named 'x'"):
        tables({"one": one, "two": two.drop("x")})
    with pytest.raises(ValueError, match="two: expected .* got no rows"):
        tables({"one": one, "two": two.clear()})


def test_equal_distributions_cannot_be_told_apart() -> None:
    real, sampled = coded(real=people(0), sampled=people(1))
    found = two_sample(real, sampled, importance=True)
    assert abs(found.auc - 0.5) < 2 * found.luck
    assert found.score > 0.8
    assert max(found.importances) < found.luck


def test_a_column_gives_itself_away() -> None:
    real, sampled = coded(real=people(0, zeros=0.5), sampled=people(1, zeros=0.1))
    found = two_sample(real, sampled, importance=True)
    assert found.score < 0.75
    assert int(np.argmax(found.importances)) == real.names.index("pay")
    alone = [each.auc for each in two_sample_of_each(real, sampled)]
    assert int(np.argmax(alone)) == real.names.index("pay")
    assert sorted(alone)[-2] < 0.56


def test_columns_that_do_not_go_together_give_each_other_away() -> None:
    real, sampled = coded(real=people(0), sampled=people(1, linked=False))
    assert max(each.auc for each in two_sample_of_each(real, sampled)) < 0.56
    found = comparison(real, real, sampled, target=None, seed=0, say=lambda line: None)
    assert {found["columns"][0]["name"], found["columns"][1]["name"]} == {"colour", "size"}
    assert found["pairs"]["largest"][0]["columns"] == ["colour", "size"]
    assert found["usefulness"] is None


@pytest.mark.skipif(not TOOL.exists(), reason=f"no {TOOL}")
def test_the_score_is_that_of_the_published_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, sampled = people(0), people(1, zeros=0.3, linked=False)
    real.write_csv(tmp_path / "real.csv")
    sampled.write_csv(tmp_path / "sampled.csv")
    spec = importlib.util.spec_from_file_location("two_sample_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["two_sample", str(tmp_path / "real.csv"), str(tmp_path / "sampled.csv")])
        tool.main()
    expected = json.loads(capsys.readouterr().out)
    found = two_sample(*coded(real=real, sampled=sampled))
    assert found.rows == expected["rows"]
    assert found.score == pytest.approx(expected["score"], abs=0.03)  # the rows are in another sequence


def test_few_rows_are_refused() -> None:
    real, sampled = coded(real=people(0), sampled=people(1)[:2])
    with pytest.raises(ValueError, match="at least 3 real and as many sampled rows, got 2"):
        two_sample(real, sampled)


def test_differences_and_pictures_of_columns() -> None:
    assert difference(np.array([0.0, 0.0, 1.0]), np.array([1.0]), numeric=False) == pytest.approx(2 / 3)
    assert difference(np.array([]), np.array([1.0]), numeric=True) is None
    many = polars.DataFrame({"city": [f"c{i % 20}" for i in range(ROWS)]})
    real, sampled = coded(real=people(0).hstack(many), sampled=people(1, zeros=0.0).hstack(many))
    records = {record["name"]: record for record in marginals(real, sampled)}
    assert records["pay"]["difference"] == pytest.approx(0.5, abs=0.06)
    assert records["pay"]["commonest"]["value"] == "0"
    assert records["pay"]["commonest"]["shares"][1] == 0
    assert records["size"]["gaps"] == [0.1, 0.1]
    assert records["city"]["labels"][-1] == OTHERS
    for record in records.values():
        np.testing.assert_allclose(np.sum(record["shares"], axis=1), 1)


def test_associations_find_what_goes_together() -> None:
    x = np.linspace(0.1, 1, 60)
    word = ["a" if value < 0.5 else "b" for value in x]
    frame = polars.DataFrame({"x": x, "cube": -(x**3), "word": word, "same": word, "constant": [1] * 60})
    (table,) = coded(real=frame)
    found = associations(table)
    assert found[0, 1] == pytest.approx(-1)
    assert found[2, 3] == pytest.approx(1)
    assert 0.8 < found[0, 2] < 0.9  # two groups, one above the other: 3/4 of the variance of ranks lies between
    assert np.isnan(found[0, 4])
    np.testing.assert_array_equal(found, found.T)


def test_samples_that_are_training_rows_are_found() -> None:
    train, held_out, sampled = coded(train=people(0), held_out=people(1), sampled=people(0)[:400])
    found = privacy(train, held_out, sampled)
    assert found.copies[0] == 1
    assert found.copies[1] < 0.5
    assert found.nearest[0] == 0 < found.nearest[1]
    assert found.closer - 0.5 > 3 * found.closer_stderr
    assert found.copies[0] - found.copies[1] > 3 * found.copies_stderr
    fresh = privacy(train, held_out, tables({"train": people(0), "new": people(2)})["new"])
    assert abs(fresh.closer - 0.5) < 3 * fresh.closer_stderr
    assert abs(fresh.copies[0] - fresh.copies[1]) <= 3 * fresh.copies_stderr


def test_distances_by_hand() -> None:
    train = polars.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "word": ["a", "a", "b", None]})
    other = polars.DataFrame({"x": [1.0, None], "word": ["b", None]})
    one, two = coded(train=train, other=other)
    # x has the ranks 1/8, 3/8, 5/8, 7/8. First row: (2/8 + 0) / 2. Second row: a gap and a number have
    # |1/2 - 7/8| + 1/2, two gaps 0.
    np.testing.assert_allclose(nearest_distances(two, one, Ranks(one)), [1 / 8, (3 / 8 + 1 / 2) / 2])
    assert copied(one, one) == 1


def test_samples_teach_as_much_as_they_know() -> None:
    train, held_out, good, bad = coded(a=people(0), b=people(1), c=people(2), d=people(3, linked=False))
    found = usefulness(train, held_out, good, "size")
    assert found.measure == "R^2"
    assert found.on_samples == pytest.approx(found.on_real, abs=0.08)
    assert usefulness(train, held_out, bad, "size").on_samples < 0.2 < found.on_real
    classes = usefulness(train, held_out, bad, "colour")
    assert classes.measure == "AUC"
    assert classes.on_samples < 0.65 < classes.on_real
    assert classes.accuracy is not None
    assert classes.accuracy[2] == pytest.approx(0.6, abs=0.06)
    with pytest.raises(ValueError, match=r"expects a column \(colour, size, pay, tall\), got 'colur'.*colour"):
        usefulness(train, held_out, good, "colur")


def test_gaps_are_filled_and_their_errors_are_right() -> None:
    x = np.repeat(np.arange(4.0), 50)
    frame = polars.DataFrame({"x": x, "twice": 2 * x, "word": [f"w{value:.0f}" for value in x]})
    train, truth = coded(train=frame, truth=frame[::7])
    hidden = hidden_cells(truth.values, 0.3, 0) & (np.arange(3) > 0)
    gaps = tables({"train": frame, "gaps": frame[::7]})["gaps"]
    gaps.values[hidden] = np.nan
    fills = {"nearest": filled_by_neighbours(gaps, train), "column": filled_by_column(gaps, train)}
    errors = imputation_errors(truth, hidden, fills, train)
    assert errors["rmse"]["nearest"] == 0
    assert errors["accuracy"]["nearest"] == 1
    assert errors["rmse"]["column"] == pytest.approx(1, abs=0.2)
    assert errors["accuracy"]["column"] < 0.5
