"""The benchmark of outliers: its splits, and its tables."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def imported(monkeypatch):
    """Import a module of the benchmarks or of the tables, whose folders are on the path of those programs."""
    for folder in ("benchmarks", "tools/tables"):
        monkeypatch.syspath_prepend(ROOT / folder)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent in (
            ROOT / "benchmarks",
            ROOT / "tools/tables",
        ):
            del sys.modules[name]


def test_anomalies_are_learnt_from_in_one_setting_only(imported, tmp_path, monkeypatch):
    sets = imported("anomaly_sets")
    monkeypatch.setattr(sets, "FOLDER", tmp_path)
    labels = np.arange(200) % 10 == 0
    np.savez(tmp_path / "1_small.npz", X=np.column_stack([np.arange(200.0), labels]), y=labels.astype(int))
    assert sets.names() == ["1_small"]
    for setting, learnt in (("clean", 0), ("contaminated", 10)):
        split = sets.split("1_small", 0, setting)
        assert split.train[:, 1].sum() == learnt
        assert split.strange.sum() == split.test[:, 1].sum() == 20 - learnt
        both = np.concatenate([split.train, split.test])[:, 0]
        assert sorted(both) == list(range(200))
    monkeypatch.setattr(sets, "ROWS", 50)
    assert len(sets.split("1_small", 0, "clean").train) + len(sets.split("1_small", 0, "clean").test) == 50


def split_of(**aucs: float) -> dict[str, Any]:
    def figures(auc: float) -> dict[str, Any]:
        own = {"auc": auc, "average_precision": auc / 2, "cpu_seconds": 0.1}
        return own | {"alarms": {"0.05": 0.06, "0.1": 0.1, "auto": 0.02}}

    return {name: {setting: figures(auc) for setting in ("clean", "contaminated")} for name, auc in aucs.items()}


def test_the_table_ranks_methods_and_leaves_out_splits_that_are_not_whole(imported):
    outliers = imported("outliers")
    whole = {"0": split_of(chainrule=0.9, KNN=0.8, LOF=0.8), "1": split_of(chainrule=0.7, KNN=0.8, LOF=0.6)}
    part = {"0": split_of(chainrule=0.1)}
    results = [{"benchmark": "anomaly", "sets": {"a": whole, "b": part}}]
    lines = outliers.found(results).splitlines()
    assert lines[2].startswith("| chainrule | **1.50** | **0.800** | **0.400** |")
    assert lines[3].startswith("| KNN | 1.75 | **0.800** |")
    assert lines[4].startswith("| LOF | 2.75 | 0.700 |")
    assert "| 6.0% | 1.0% | 10.0% | 0.0% |" in outliers.alarms(results)
    assert "Means of 2 splits" in outliers.goals(results)
    assert "refuses 2.0%" in outliers.goals(results)
