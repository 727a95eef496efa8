"""A table with columns of every sort, for the tests of large tables."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars


def people(count: int = 2000, seed: int = 0) -> polars.DataFrame:
    """Columns of every sort; some of their cells are rare, and far from the first ones."""
    random = np.random.default_rng(seed)
    size = random.normal(size=count)
    frame = polars.DataFrame(
        {
            "id": np.arange(1, count + 1),
            "height": (170 + 10 * size).round(1),
            "income": np.exp(10 + size),
            "age": (40 + 12 * size).astype(np.int64),
            "town": random.choice(["Aachen", "Bonn", "Celle"], count),
            "member": size > 0,
            "born": polars.Series(np.datetime64("1950-01-01") + random.integers(0, 20_000, count)).cast(polars.Date),
            "seen": polars.Series(np.datetime64("2020-01-01", "us") + 3_600_000_000 * random.integers(0, 9000, count)),
            "same": ["x"] * count,
        }
    )
    rare = {1501: ("age", 400), 1777: ("town", "Zwickau"), 1213: ("height", None), 1402: ("height", 170.125)}
    for row, (name, value) in rare.items():
        cells = frame[name].to_list()
        cells[row] = value
        frame = frame.with_columns(polars.Series(name, cells, dtype=frame[name].dtype))
    moments = frame["seen"].to_list()
    moments[1600] += timedelta(milliseconds=250)
    return frame.with_columns(polars.Series("seen", moments, dtype=polars.Datetime("us")))
