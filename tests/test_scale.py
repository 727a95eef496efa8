"""The simulation of work by parts, and what a job costs by measured rates."""

import importlib
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

MEASURED = {
    "seconds_per_row": 1e-5, "dispatch_seconds": 0.01, "part_rows": 100_000, "read_bytes_per_row": 16.0,
    "written_bytes_per_row": 9.0, "memory_bytes_per_row": 100.0, "worker_bytes": 5e8, "run_bytes": 1e6,
}  # fmt: skip


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield importlib.import_module("scale_model")
    del sys.modules["scale_model"]


def test_workers_share_equal_parts(model: Any) -> None:
    for workers, seconds in ((1, 200.0), (2, 100.0), (3, 68.0), (100, 2.0), (1000, 2.0)):
        found = model.simulate(model.Cluster(workers, [2.0], 0.0, 0.0), 100)
        assert found["seconds"] == seconds
        assert found["busy"] == pytest.approx(200 / (seconds * workers))


def test_one_driver_hands_out_one_part_after_the_other(model: Any) -> None:
    found = model.simulate(model.Cluster(1000, [1.0], 0.5, 0.0), 100)
    assert found["seconds"] == pytest.approx(100 * 0.5 + 1)


def test_stragglers_and_failures_cost_time(model: Any) -> None:
    plain = model.Cluster(20, [1.0, 2.0, 3.0], 0.001, 5.0)
    slow = model.Cluster(20, [1.0, 2.0, 3.0], 0.001, 5.0, slow_share=0.2)
    failing = model.Cluster(20, [1.0, 2.0, 3.0], 0.001, 5.0, life_hours=0.01)
    seconds = [model.simulate(cluster, 2000) for cluster in (plain, slow, failing)]
    assert seconds[0]["seconds"] < seconds[1]["seconds"] < 2 * seconds[0]["seconds"]
    assert seconds[2]["lost"] == pytest.approx(2000 * 2 / 36, rel=0.3)
    assert seconds[2]["seconds"] > seconds[0]["seconds"]
    assert model.simulate(plain, 2000) == seconds[0], "the same seed gives the same course"


def test_a_job_takes_its_hours(model: Any) -> None:
    found = model.cost(MEASURED, 10**9, 1.0)
    assert found["core_hours"] == pytest.approx(1e4 / 3600)
    assert found["workers"] == 3
    assert found["part_rows"] == 100_000
    assert found["bytes_read"] == 16e9


def test_parts_grow_until_the_driver_keeps_up(model: Any) -> None:
    found = model.cost(MEASURED, 10**12, 1.0)
    assert found["driver_hours"] <= 0.5
    assert found["part_rows"] == 10**7
    assert found["worker_bytes"] == pytest.approx(5e8 + 100 * (10**7 - 10**5))
    assert model.most_workers(MEASURED) == 100
    assert math.log10(found["part_rows"]) % 1 == 0
