"""Every kind of column: file -> fit -> sample -> the same types and formats."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from command_line import FAST, refused

import chainrule
import chainrule.data
from chainrule.cli import main

ROWS = 80
RANDOM = np.random.RandomState(0)


def text() -> polars.DataFrame:
    """A table as people write it; the patterns of `PATTERNS` hold for its cells."""
    start, random = dt.datetime(2020, 1, 1), RANDOM
    return polars.DataFrame(
        {
            "id": [f"P{i:04d}" for i in range(ROWS)],
            "price": [f"${value:,.2f}" for value in random.lognormal(7, 1, ROWS)],
            "share": [f"{value:.1f}%" for value in random.rand(ROWS) * 100],
            "mass": [f"{value:.1f}".replace(".", ",") for value in random.rand(ROWS) * 100],
            "day": [f"{start + dt.timedelta(days=int(i)):%d/%m/%Y}" for i in random.randint(0, 900, ROWS)],
            "at": [f"{start + dt.timedelta(minutes=int(i)):%Y-%m-%d %H:%M}" for i in random.randint(0, 90_000, ROWS)],
            "clock": [f"{i // 60:02d}:{i % 60:02d}" for i in random.randint(0, 1440, ROWS)],
            "took": [f"{i // 60}:{i % 60:02d}:00" for i in random.randint(600, 9000, ROWS)],
            "member": random.choice(["Yes", "No"], ROWS).tolist(),
            "zip": random.choice(["00501", "02134", "10001"], ROWS).tolist(),
            "country": random.choice(["NA", "DE", "FR", "IT", "US", "GB"], ROWS).tolist(),
            "count": ["n/a" if i % 7 == 0 else str(value) for i, value in enumerate(random.randint(0, 90, ROWS))],
            "town": [f"town {int(value)}" for value in random.zipf(1.2, ROWS).clip(max=10**6)],
            "same": ["x"] * ROWS,
            "nothing": [""] * ROWS,
        }
    )


PATTERNS = {
    "id": r"P\d{4}",
    "price": r"-?\$(\d{1,3}(,\d{3})*)\.\d\d",
    "share": r"-?\d+\.\d%",
    "mass": r"-?\d+,\d",
    "day": r"\d\d/\d\d/\d{4}",
    "at": r"\d{4}-\d\d-\d\d \d\d:\d\d",
    "clock": r"[012]\d:[0-5]\d",
    "took": r"-?\d+:[0-5]\d:00",
    "member": "Yes|No",
    "zip": "00501|02134|10001",
    "country": "NA|DE|FR|IT|US|GB",
    "count": r"-?\d+|n/a",
    "town": r"town \d+",
    "same": "x",
    "nothing": "",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("columns")
    text().write_csv(folder / "people.csv")
    assert main(["fit", str(folder / "people.csv"), "--model", "FVSBN", *FAST, "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_a_text_file_comes_back_in_its_own_formats(run: Path, tmp_path: Path) -> None:
    assert main(["sample", str(run), "-n", "60", "--out", str(tmp_path / "rows.csv")]) == 0
    before, rows = (
        polars.read_csv(path, infer_schema=False) for path in (run.parent / "people.csv", tmp_path / "rows.csv")
    )
    assert rows.columns == before.columns
    for name, pattern in PATTERNS.items():
        for cell in (*before[name].fill_null(""), *rows[name].fill_null("")):
            assert re.fullmatch(pattern, cell), (name, cell)
    assert not set(rows["id"]) & set(before["id"])
    assert set(rows["town"]) <= set(before["town"])
    assert main(["sample", str(run), "-n", "5", "--out", str(tmp_path / "rows.parquet")]) == 0
    kinds = polars.read_parquet(tmp_path / "rows.parquet").schema
    assert (kinds["price"], kinds["day"], kinds["clock"]) == (polars.Float64, polars.Date, polars.Time)


def test_the_file_and_its_samples_are_scored_and_completed(run: Path, tmp_path: Path) -> None:
    people = run.parent / "people.csv"
    assert main(["score", str(run), str(people), "--out", str(tmp_path / "scores.csv")]) == 0
    assert np.isfinite(polars.read_csv(tmp_path / "scores.csv")["log_prob"].to_numpy()).all()
    gaps = polars.read_csv(people, infer_schema=False)[:6].with_columns(day=polars.lit(""), price=polars.lit("?"))
    gaps.write_csv(tmp_path / "gaps.csv")
    assert main(["complete", str(run), str(tmp_path / "gaps.csv"), "--out", str(tmp_path / "full.csv")]) == 0
    full = polars.read_csv(tmp_path / "full.csv", infer_schema=False)
    assert full["day"].str.contains(f"^{PATTERNS['day']}$").all()
    assert full["price"].str.contains(f"^{PATTERNS['price']}$").all()
    kept = [name for name in gaps.columns if name not in ("day", "price", "count")]
    assert full.select(kept).equals(gaps.select(kept))


def test_notes_say_what_became_of_columns(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(run.parent / "people.csv"), "--model", "FVSBN"]) == 0
    out = capsys.readouterr().out
    assert "note: id: another value in each row: no variable, made anew in samples and never released" in out
    assert "note: day: read as %d/%m/%Y" in out
    assert "note: nothing: empty: no variable" in out


def typed() -> polars.DataFrame:
    start, random = dt.datetime(2020, 1, 1), RANDOM
    moments = polars.Series([start + dt.timedelta(minutes=int(i)) for i in random.randint(0, 900, ROWS)])
    return polars.DataFrame(
        {
            "day": polars.Series([start.date() + dt.timedelta(days=int(i)) for i in random.randint(0, 400, ROWS)]),
            "at": moments.dt.cast_time_unit("ms").dt.replace_time_zone("Europe/Berlin"),
            "byte": polars.Series(random.randint(0, 200, ROWS), dtype=polars.UInt8),
            "single": polars.Series(random.normal(size=ROWS), dtype=polars.Float32),
            "price": polars.Series(random.rand(ROWS).round(2)).cast(polars.Decimal(10, 2)),
            "colour": polars.Series(random.choice(["red", "blue"], ROWS)).cast(polars.Categorical),
            "size": polars.Series(random.choice(["s", "m"], ROWS)).cast(polars.Enum(["s", "m", "l"])),
            "took": polars.Series([dt.timedelta(seconds=int(i)) for i in random.randint(0, 9999, ROWS)]),
            "clock": [dt.time(int(hour), 30) for hour in random.randint(0, 24, ROWS)],
            "truth": random.rand(ROWS) < 0.5,
            "id": polars.Series(range(ROWS), dtype=polars.UInt16),
            "gaps": polars.Series([None if i % 9 == 0 else i % 5 for i in range(ROWS)], dtype=polars.Int8),
            "words": [f"{value:.2f}" for value in random.rand(ROWS)],
            "same": polars.Series([start.date()] * ROWS),
            "list": [[1, 2]] * ROWS,
            "bytes": [b"x"] * ROWS,
        }
    )


def test_a_typed_file_comes_back_in_its_own_types(tmp_path: Path) -> None:
    frame = typed()
    frame.write_parquet(tmp_path / "t.parquet")
    arguments = [str(tmp_path / "t.parquet"), "--model", "FVSBN", *FAST, "--out", str(tmp_path / "run")]
    assert main(["fit", *arguments]) == 0
    assert main(["sample", str(tmp_path / "run"), "-n", "9", "--out", str(tmp_path / "rows.parquet")]) == 0
    rows = polars.read_parquet(tmp_path / "rows.parquet")
    assert rows.schema == polars.read_parquet(tmp_path / "t.parquet").drop("list", "bytes").schema
    assert rows["words"].str.contains(r"^-?\d+\.\d\d$").all()
    assert main(["sample", str(tmp_path / "run"), "-n", "9", "--out", str(tmp_path / "rows.csv")]) == 0
    again = polars.read_csv(tmp_path / "rows.csv", infer_schema=False)
    assert again["took"].str.contains("^-?P").all()
    assert main(["score", str(tmp_path / "run"), str(tmp_path / "rows.csv"), "--out", str(tmp_path / "s.csv")]) == 0


def test_a_frame_goes_in_and_comes_out() -> None:
    frame = typed()
    data = chainrule.data.load(frame)
    back = data.frame(data.train[:])
    assert isinstance(back, polars.DataFrame)
    assert back.schema == frame.drop("list", "bytes").schema
    assert data.encode(back).isclose(data.train[:], equal_nan=True).all()
    with pytest.raises(ValueError, match=r"a name, a path, or a frame of polars or pandas, got list"):
        chainrule.data.load([1, 2])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected no levels with a frame"):
        chainrule.data.load(frame, levels=3)


def test_a_run_of_a_frame_goes_on(tmp_path: Path) -> None:
    frame = polars.DataFrame({"a": RANDOM.rand(ROWS), "b": RANDOM.choice(["x", "y"], ROWS)}).lazy()
    settings: dict[str, Any] = {"out": tmp_path / "run", "model": "FVSBN", "verbose": False}
    chainrule.fit(frame, max_steps=5, **settings)
    longer = chainrule.fit(frame, max_steps=9, resume=True, **settings)
    assert longer.config["training"]["steps"] == 9
    assert longer.dataset.name == "frame"


def test_one_extreme_row_does_not_stop_a_file(tmp_path: Path) -> None:
    values = np.random.RandomState(1).normal(0, 2, 60).round(3).tolist()
    frame = polars.DataFrame({"a": [*values, -1e300], "b": np.arange(61) % 7})
    data = chainrule.data.load(frame)
    assert abs(data.format.columns[0].mean) < 1  # type: ignore[attr-defined]
    x = chainrule.data.load(frame).format.encode(frame, "t")  # type: ignore[attr-defined]
    assert np.isfinite(x).all()
    conditional = data.format.conditional()  # type: ignore[attr-defined]
    import torch

    nats = conditional.distribution(torch.zeros(61, 2, conditional.num_parameters)).log_prob(torch.from_numpy(x))
    assert torch.isfinite(nats).all()
    assert nats[60, 0] < -1e6


def test_all_problems_are_in_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = {"x": range(40), "y": [*map(str, range(39)), "oops"], "z": [*("2020-01-01" for _ in range(39)), "soon"]}
    polars.DataFrame(odd).write_csv(tmp_path / "odd.csv")
    line = refused(capsys, "fit", str(tmp_path / "odd.csv"), *FAST, "--out", str(tmp_path / "run"))
    assert "column 'y' expects numbers, as most of its cells are, got 'oops'" in line
    assert "column 'z' expects dates as %Y-%m-%d, as most of its cells are, got 'soon'" in line
    told = {"columns": {"y": {"kind": "integer", "gaps": ["oops"]}, "x": "category", "z": "category"}}
    schema = chainrule.data.load(tmp_path / "odd.csv", schema=told).format
    assert [column.kind for column in schema.columns] == ["integer", "category", "category"]  # type: ignore[attr-defined]
    assert schema.columns[0].missing  # type: ignore[attr-defined]


def test_schema_and_fit_agree_on_cells_of_several_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f'"{"a" if i % 3 else "b"}\nc",{i % 7}' for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["text,number", *lines]))
    assert main(["schema", str(tmp_path / "t.csv"), "--out", str(tmp_path / "s.yaml")]) == 0
    assert r"2: a\nc, b\nc" in capsys.readouterr().out


def test_schema_shows_the_words_that_are_read_as_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{['NA', 'DE', 'FR'][i % 3]},{['?', 'n/a', '-', '', *'123456'][i % 10]},{i}.5" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["country,count,width", *rows]))
    assert main(["schema", str(tmp_path / "t.csv")]) == 0
    country, count, width = capsys.readouterr().out.splitlines()
    assert country.endswith("may be missing  (as in DE, FR; read as empty: NA)")
    assert count.endswith("(as in 1, 2, 3; read as empty: - ? n/a)")
    assert "read as empty" not in width
    schema = {"columns": {"country": {"kind": "category", "gaps": []}, "count": "integer", "width": "real"}}
    columns = chainrule.data.load(tmp_path / "t.csv", schema=schema).format.columns  # type: ignore[attr-defined]
    assert columns[0].categories == ("DE", "FR", "NA")
    assert [column.missing for column in columns] == [False, True, False]
