"""The comparison of default fits: which figures are compared, and the figure of models without a density."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import polars
import pytest

from chainrule.data import NAMES

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Import a module of the benchmarks, whose folders are on the path of those programs."""
    for folder in (BENCHMARKS, BENCHMARKS / "rivals"):
        monkeypatch.syspath_prepend(folder)
    yield importlib.import_module
    for name in ("default_sets", "defaults", "detection"):
        sys.modules.pop(name, None)


def test_every_set_is_a_named_one_or_has_a_function_that_writes_it(benchmark):
    sets = benchmark("default_sets").SETS
    for chosen in sets.values():
        assert chosen.make is not None or chosen.source in NAMES
        assert chosen.recipe is None or chosen.recipe in NAMES
    files = [chosen.source for chosen in sets.values() if chosen.make is not None]
    assert len(set(files)) == len(files)


def test_samples_of_the_same_distribution_are_not_told_apart_and_others_are(benchmark):
    detection = benchmark("detection").detection
    random = np.random.RandomState(0)
    words = np.array(["a", "b", "c"])

    def rows(shift: float) -> polars.DataFrame:
        return polars.DataFrame({"x": random.randn(400) + shift, "word": words[random.randint(3, size=400)]})

    real = rows(0.0)
    assert detection(real, rows(0.0))["score"] > 0.85
    assert detection(real, rows(3.0))["score"] < 0.15


def test_the_comparison_takes_the_best_rival_and_the_best_recipe_of_the_same_rows(benchmark, tmp_path):
    defaults = benchmark("defaults")
    rivals = {"weak": {"nats": 7.0}, "strong": {"nats": 6.1}, "sampler": {"score": 0.9}}
    sets = {"nltcs": {"independent_nats": 9.2, "unit": "row", "dataset": "nltcs: 16 columns", "rivals": rivals}}
    (tmp_path / "benchmark-defaults-rivals.json").write_text(json.dumps({"sets": sets}))
    ours = {"nats": 6.2, "unit": "example", "dataset": "nltcs: 16 columns", "fit": {"cpu_seconds": 170.0}}
    (tmp_path / "benchmark-defaults.json").write_text(json.dumps({"sets": {"nltcs": ours}}))
    own = {"model": "MADE", "dataset": "", "split": "test", "nats_stderr": 0.1, "bits_per_dim": 1.0, "published": None}
    for recipe, data, nats in (("nltcs/made", "nltcs", 6.0), ("nltcs/nade", "nltcs", 6.05), ("dna/made", "dna", 5.0)):
        result = own | {"recipe": recipe, "nats": nats, "settings": {"data": data}, "minutes": 2.0, "device": "cpu"}
        (tmp_path / f"{recipe.replace('/', '-')}.json").write_text(json.dumps(result))
    (row,) = defaults.compared(tmp_path)
    assert (row["rival"], row["rival_nats"]) == ("strong", 6.1)
    assert (row["recipe"], row["recipe_nats"]) == ("nltcs/made", 6.0)
    assert (row["beats_independent"], row["beats_rival"], row["near_recipe"]) == (True, False, True)
    ours["dataset"] = "nltcs: a table"  # a reader that takes the file for another kind gives other figures
    (tmp_path / "benchmark-defaults.json").write_text(json.dumps({"sets": {"nltcs": ours}}))
    (row,) = defaults.compared(tmp_path)
    assert row["beats_rival"] is None


def test_figures_of_sequences_are_per_symbol(benchmark):
    figure_of = benchmark("defaults").figure_of
    assert figure_of({"nats": 500.0, "nats_per_character": 1.5, "bits_per_character": 2.2}) == 1.5
    assert figure_of({"nats": 500.0}) == 500.0
