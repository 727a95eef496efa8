"""Frames of pandas go in and come out in their own types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import chainrule
import chainrule.data

pandas = pytest.importorskip("pandas")
pytestmark = pytest.mark.quick

ROWS = 120
RANDOM = np.random.RandomState(0)
MOMENTS = pandas.Series(pandas.date_range("2020-03-28", periods=ROWS, freq="h"))

COLUMNS: dict[str, Any] = {
    "categories": pandas.Categorical(RANDOM.choice(["a", "b"], ROWS), categories=["a", "b", "z"]),
    "ordered": pandas.Categorical(RANDOM.choice(["s", "m"], ROWS), categories=["s", "m"], ordered=True),
    "categories of integers": pandas.Categorical(RANDOM.choice([1, 2, 30], ROWS)),
    "categories of intervals": pandas.cut(RANDOM.rand(ROWS), 3),
    "many categories": pandas.Categorical([f"{i // 2:05}" for i in range(ROWS - 40)] + ["00000"] * 40),
    "decimals": pandas.Series([Decimal(int(value)).scaleb(-2) for value in RANDOM.randint(0, 999, ROWS)], dtype=object),
    "nullable integers": pandas.array([None if i % 9 == 0 else i % 5 for i in range(ROWS)], dtype="Int64"),
    "nullable booleans": pandas.array([None if i % 7 == 0 else i % 2 == 0 for i in range(ROWS)], dtype="boolean"),
    "strings": pandas.Series(RANDOM.choice(["x", "y"], ROWS), dtype="string"),
    "single precision": RANDOM.rand(ROWS).astype(np.float32),
    "moments": MOMENTS.dt.tz_localize("Europe/Berlin", nonexistent="shift_forward"),
    "moments of an offset": MOMENTS.dt.tz_localize("+02:00"),
    "moments in seconds": MOMENTS.astype("datetime64[s]"),
    "durations in seconds": pandas.Series(RANDOM.randint(0, 9999, ROWS).astype("timedelta64[s]")),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_of_pandas_comes_back_in_its_type(name: str) -> None:
    frame = pandas.DataFrame({name: COLUMNS[name], 7: RANDOM.rand(ROWS)}).sample(frac=1, random_state=0)
    data = chainrule.data.load(frame)
    x = data.encode(frame)
    back = data.frame(x)
    kept = data.format.columns[0].codec.categories if name == "many categories" else None  # type: ignore[attr-defined]
    frame = frame.reset_index(drop=True)
    common = frame[name].isin(kept) if kept else slice(None)  # rare ones are any of the rare ones
    assert back[name].isna().equals(frame[name].isna())
    pandas.testing.assert_frame_equal(back[common], frame[common], rtol=1e-6)


def test_a_frame_of_pandas_is_fitted_scored_and_sampled(tmp_path: Any) -> None:
    frame = pandas.DataFrame({name: COLUMNS[name] for name in ("categories of integers", "nullable integers")})
    run = chainrule.fit(frame, out=tmp_path / "run", model="FVSBN", max_steps=5, verbose=False)
    assert run.model.log_prob(run.dataset.encode(frame)).isfinite().all()
    rows = run.dataset.frame(chainrule.sample(run.model, 200, seed=0))
    assert rows.dtypes.equals(frame.dtypes)
    assert set(rows["categories of integers"]) == {1, 2, 30}


def test_known_cells_of_a_completed_frame_stay(tmp_path: Any) -> None:
    frame = pandas.DataFrame({name: COLUMNS[name] for name in ("many categories", "nullable integers")})
    data = chainrule.data.load(frame)
    gappy = frame.copy()
    gappy.loc[:9, "many categories"] = None
    x = data.encode(gappy, gaps=True)
    assert x[:10, 0].isnan().all()
    filled = data.frame(x.nan_to_num(0), known=gappy)
    assert filled["many categories"].notna().all()
    assert filled["many categories"][10:].equals(frame["many categories"][10:])


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="expected columns of different names, got two 'a': rename one"):
        chainrule.data.load(pandas.DataFrame(RANDOM.rand(60, 2), columns=["a", "a"]))
