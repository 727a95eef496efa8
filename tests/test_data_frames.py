"""Tables with numbers, categories and gaps: their schema, their rows, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
import yaml

import chainrule.data
from chainrule.conditionals import Columns, GaussianMixture, Standardised, WithMissing
from chainrule.data.examples import ArrayExamples
from chainrule.data.infer import infer
from chainrule.data.schema import TableSchema

pytestmark = pytest.mark.quick

ROWS = 60


def mixed() -> polars.DataFrame:
    rng = np.random.RandomState(0)
    height = rng.normal(170, 10, ROWS).round(1)
    return polars.DataFrame(
        {
            "height": [None if i % 7 == 0 else value for i, value in enumerate(height)],
            "colour": rng.choice(["red", "green", "blue"], ROWS).tolist(),
            "children": rng.randint(2, 6, ROWS).tolist(),
            "income": (rng.rand(ROWS) * 5000).astype(int).tolist(),
            "smokes": [bool(value) for value in rng.randint(2, size=ROWS)],
            "member": [None if i % 5 == 0 else "yes" if i % 2 else "no" for i in range(ROWS)],
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    mixed().write_csv(tmp_path / "people.csv")
    return tmp_path / "people.csv"


def test_the_schema_says_what_each_column_is(table: Path) -> None:
    data = chainrule.data.load(table)
    schema = data.format
    assert isinstance(schema, TableSchema)
    kinds = {column.name: (column.kind, column.missing) for column in schema.columns}
    assert kinds == {
        "height": ("real", True),
        "colour": ("category", False),
        "children": ("integer", False),
        "income": ("integer", False),
        "smokes": ("boolean", False),
        "member": ("boolean", True),
    }
    assert schema.columns[1].categories == ("blue", "green", "red")
    assert (schema.columns[2].low, schema.columns[2].high) == (2, 5)
    assert data.event_shape == (6,)
    assert [len(split) for split in (data.train, data.valid, data.test)] == [48, 6, 6]
    assert "colour    category  3: blue, green, red" in str(schema)
    assert TableSchema.from_config(schema.config) == schema


def test_means_and_deviations_are_those_of_the_training_rows(table: Path) -> None:
    data = chainrule.data.load(table)
    schema = data.format
    assert isinstance(schema, TableSchema)
    heights = data.train[:][:, 0]
    there = heights[~heights.isnan()].double()
    assert schema.columns[0].mean == pytest.approx(there.mean().item(), rel=1e-6)
    assert schema.columns[0].std == pytest.approx(there.std(correction=0).item(), rel=1e-5)


def test_rows_become_numbers_and_come_back(table: Path) -> None:
    data, frame = chainrule.data.load(table), mixed()
    schema = data.format
    assert isinstance(schema, TableSchema)
    x = schema.encode(frame, "people")
    assert x[:3, 1].tolist() == [schema.columns[1].categories.index(name) for name in frame["colour"][:3]]
    assert np.isnan(x[0, 0])
    back = schema.decode(x)
    assert back.equals(frame)
    shuffled = frame.select(reversed(frame.columns))
    assert np.array_equal(schema.encode(shuffled, "people"), x, equal_nan=True)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_parquet_and_text_say_the_same(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"people{suffix}"
    mixed().write_csv(path) if suffix == ".csv" else mixed().write_parquet(path)
    data = chainrule.data.load(path)
    assert isinstance(data.train, ArrayExamples)
    assert data.train.rows is not None
    again = infer(mixed(), data.train.rows, "people", text=suffix == ".csv")
    assert data.format == again
    assert isinstance(again, TableSchema)
    assert again.decode(again.encode(mixed(), "people")).equals(mixed())


def test_the_conditional_of_each_kind(table: Path) -> None:
    data = chainrule.data.load(table)
    schema = data.format
    assert isinstance(schema, TableSchema)
    columns = schema.conditional(GaussianMixture(3))
    assert isinstance(columns, Columns)
    names = [repr(column).split("(")[0] for column in columns.columns]
    assert names == ["Standardised", "Categorical", "Standardised", "Standardised", "Bernoulli", "WithMissing"]
    height = columns.columns[0]
    assert isinstance(height, Standardised)
    assert isinstance(height.conditional, WithMissing)
    assert isinstance(columns.columns[2], Standardised)
    columns.check(data.train[:])


def test_a_person_edits_the_schema(table: Path, tmp_path: Path) -> None:
    told = {"columns": {"height": "ignore", "colour": "category", "children": {"kind": "real"}, "income": "ignore"}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    data = chainrule.data.load(table, schema=str(tmp_path / "s.yaml"))
    schema = data.format
    assert isinstance(schema, TableSchema)
    assert [(column.name, column.kind) for column in schema.used] == [("colour", "category"), ("children", "real")]
    assert schema.columns[2].std > 0


def test_what_a_person_says_counts(tmp_path: Path) -> None:
    with_column([1, 2, 3, 1, 2, 3]).with_columns(c=polars.Series(list("xyxyxy"))).write_csv(tmp_path / "t.csv")
    told: dict[str, Any] = {
        "a": {"kind": "real", "mean": 0.0, "std": 100.0},
        "b": {"kind": "integer", "low": 0, "high": 9},
        "c": {"kind": "category", "missing": True, "categories": ["x", "y", "z"]},
    }
    schema = chainrule.data.load(tmp_path / "t.csv", schema={"columns": told}).format
    assert isinstance(schema, TableSchema)
    real, integer, category = schema.columns
    assert (real.mean, real.std) == (0.0, 100.0)
    assert (integer.low, integer.high) == (0, 9)
    assert (category.missing, category.categories) == (True, ("x", "y", "z"))
    told["c"]["categories"] = ["x", "z"]
    with pytest.raises(ValueError, match=r"column 'c', row 2: expected one of its 2 categories in training, got 'y'"):
        chainrule.data.load(tmp_path / "t.csv", schema={"columns": told})


def test_codes_with_zeros_and_categories_that_look_like_numbers(tmp_path: Path) -> None:
    codes = ["02134", "10001", "00501"] * 4
    polars.DataFrame({"zip": codes, "x": [0.5 * i for i in range(12)]}).write_csv(tmp_path / "t.csv")
    schema = chainrule.data.load(tmp_path / "t.csv").format
    assert isinstance(schema, TableSchema)
    assert schema.columns[0].categories == ("00501", "02134", "10001")
    days = [f"0{i}/11/2026" for i in range(1, 10)] * 2  # no codes, though they begin with a zero
    frame = polars.DataFrame({"half": ["00.5", "01.5", "02.5"] * 6, "day": days})
    frame.write_csv(tmp_path / "d.csv")
    told = {"columns": {"half": "real", "day": "ignore"}}
    assert chainrule.data.load(tmp_path / "d.csv", schema=told).event_shape == (1,)
    told = {"columns": {"k": "category", "x": "real"}}
    frame = polars.DataFrame({"k": [1, 2] * 6, "x": [0.5 * i for i in range(12)]})
    frame.write_csv(tmp_path / "n.csv")
    numbers = chainrule.data.load(tmp_path / "n.csv", schema=told).format
    assert isinstance(numbers, TableSchema)
    assert numbers.columns[0].categories == ("1", "2")
    floats = frame.with_columns(polars.col("k").cast(polars.Float64))  # as of a column with gaps elsewhere
    assert np.array_equal(numbers.encode(floats, "n"), numbers.encode(frame, "n"))


def test_quoted_names_are_read_and_written_alike(tmp_path: Path) -> None:
    frame = polars.DataFrame({'the "city"': ["a", "b"] * 6, "x, y": [0.5 * i for i in range(12)]})
    frame.write_csv(tmp_path / "t.csv")
    schema = chainrule.data.load(tmp_path / "t.csv").format
    assert isinstance(schema, TableSchema)
    assert [column.name for column in schema.columns] == frame.columns


def test_large_integers_and_decimals(tmp_path: Path) -> None:
    prices = polars.Series([1.24, 3.5, 2.25, 1.5] * 3).cast(polars.Decimal(10, 2))
    ids = [2**24 + 7 * i * 10**5 for i in range(12)]
    polars.DataFrame({"price": prices, "id": ids}).write_parquet(tmp_path / "t.parquet")
    schema = chainrule.data.load(tmp_path / "t.parquet").format
    assert isinstance(schema, TableSchema)
    assert [column.kind for column in schema.columns] == ["real", "real"]
    with pytest.raises(ValueError, match="column 'id' expects integers below 16,777,216"):
        chainrule.data.load(tmp_path / "t.parquet", schema={"columns": {"id": "integer"}})
    x = schema.encode(polars.DataFrame({"price": [1e300], "id": [ids[0]]}), "new")
    assert np.isfinite(x).all()
    assert x[0, 0] > 1e8
    frame = polars.read_parquet(tmp_path / "t.parquet")
    assert schema.decode(schema.encode(frame, "t")).equals(frame)


def test_a_table_of_levels_stays_one_unless_a_schema_is_asked_for(tmp_path: Path) -> None:
    frame = polars.DataFrame({"a": [0, 1, 2] * 5, "b": [1, 0, 1] * 5})
    frame.write_csv(tmp_path / "t.csv")
    assert chainrule.data.load(tmp_path / "t.csv").levels == 3
    schema = chainrule.data.load(tmp_path / "t.csv", schema="infer").format
    assert isinstance(schema, TableSchema)
    assert [column.high for column in schema.columns] == [2, 1]


def with_column(values: list[Any]) -> polars.DataFrame:
    return polars.DataFrame({"a": [0.5 * i for i in range(len(values))], "b": values})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [1.5, float("inf"), *range(7)],
            "column 'b' expects numbers, as most of its cells are, got 'inf' in row 2: correct it",
        ),
        (
            ["1.5", "2.5", "oops", "3.5", "4", "5", "6", "7", "8"],
            "expects numbers, as most of its cells are, got 'oops'",
        ),
        (
            [*(f"2026-01-{day + 1:02}" for day in range(8)), "soon"],
            "expects dates as %Y-%m-%d, as most of its cells are, got 'soon'",
        ),
        ([1e40, *(i * 1e39 for i in range(8))], "scale it first"),
    ],
)
def test_columns_that_are_refused(tmp_path: Path, values: list[Any], message: str) -> None:
    with_column(values).write_csv(tmp_path / "bad.csv")
    with pytest.raises(ValueError, match=message) as error:
        chainrule.data.load(tmp_path / "bad.csv")
    assert str(error.value).startswith("bad.csv: column 'b'")


def test_a_table_without_variables_is_refused_with_the_way_out(tmp_path: Path) -> None:
    polars.DataFrame({"word": [f"k{i}x{7 * i}" for i in range(40)], "same": ["a"] * 40}).write_csv(tmp_path / "t.csv")
    with pytest.raises(
        ValueError, match="expected a column that is a variable, got none: word: another value"
    ) as error:
        chainrule.data.load(tmp_path / "t.csv")
    way_out = str(error.value).split("such as ")[1]
    assert way_out == "columns: {'word': {kind: category}}"
    (tmp_path / "s.yaml").write_text(way_out)
    assert chainrule.data.load(tmp_path / "t.csv", schema=str(tmp_path / "s.yaml")).event_shape == (1,)


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,a\n" + "".join(f"{i}.5,{i % 7}\n" for i in range(30)))
    data = chainrule.data.load(tmp_path / "t.csv")
    assert [column.name for column in data.format.used] == ["a", "a_2"]
    assert data.description.endswith("; column 2, a second 'a', is called 'a_2'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"children": [2.5]}, "column 'children', row 1: expected an integer, got 2.5"),
        ({"income": [None]}, "column 'income', row 1: expected an integer, got an empty cell"),
        ({"height": ["tall"]}, "column 'height', row 1: expected a number, got 'tall'"),
        ({"smokes": [3]}, "column 'smokes', row 1: expected true or false, got 3"),
    ],
)
def test_rows_that_are_refused(table: Path, change: dict[str, list[Any]], message: str) -> None:
    schema = chainrule.data.load(table).format
    assert isinstance(schema, TableSchema)
    frame = mixed()[1:2].with_columns(polars.Series(name, values) for name, values in change.items())
    with pytest.raises(ValueError, match=message):
        schema.encode(frame, "new.csv")
    with pytest.raises(ValueError, match="expected the column 'colour', got none of this name"):
        schema.encode(mixed().drop("colour"), "new.csv")


def test_values_that_training_did_not_have_have_a_probability(table: Path) -> None:
    schema = chainrule.data.load(table).format
    assert isinstance(schema, TableSchema)
    frame = mixed()[1:3].with_columns(polars.Series("colour", ["violet", "red"]), polars.Series("children", [99, 3]))
    x = torch.from_numpy(schema.encode(frame, "new.csv"))
    start = schema.conditional().initial_parameters(torch.from_numpy(schema.encode(mixed(), "people")))
    log_probs = schema.conditional().distribution(start.expand(2, -1, -1)).log_prob(x)
    assert bool(log_probs.isfinite().all())
    assert bool((log_probs[0, 1:3] < log_probs[1, 1:3] - 2).all())


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (
            {"columns": {"a": "reals"}},
            "column 'a' expects a kind of real, integer, category, boolean, date, .*, ignore, got 'reals'",
        ),
        ({"columns": {"a": "ignore", "b": "ignore"}}, "at least one column that is not ignored"),
        ({"columns": {"c": "real"}}, "expected the schema's column 'c', got none of this name"),
        ({"columns": {"a": {"kind": "real", "sd": 3}}}, "got 'sd'"),
        ({"columns": {"a": {"kind": "category", "categories": 5}}}, "categories expects another kind of value, got 5"),
        ({"columns": {"b": {"kind": "integer", "low": 9, "high": 1}}}, "expects low < high"),
        (["a"], "a mapping 'columns'"),
    ],
)
def test_schemas_that_are_refused(tmp_path: Path, told: Any, message: str) -> None:
    with_column([1, 2, 3, 4, 5, 6]).write_csv(tmp_path / "t.csv")
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(told))
    with pytest.raises(ValueError, match=message):
        chainrule.data.load(tmp_path / "t.csv", schema=str(tmp_path / "s.yaml"))


def test_independent_columns_are_a_baseline() -> None:
    frame = polars.DataFrame({"a": [0.0, 2.5, 1.5, 3.5], "b": ["x", "y", "x", "x"]})
    schema = infer(frame, [0, 1, 2, 3], "t")
    x = schema.encode(frame, "t")
    values = torch.tensor(x)
    gaussian = torch.distributions.Normal(values[:, 0].mean(), values[:, 0].std(correction=0))
    expected = -gaussian.log_prob(values[:, 0]).mean() - torch.tensor([4, 2, 4, 4]).div(7).log().mean()
    assert schema.independent_nats(x, x) == pytest.approx(expected.item(), rel=1e-5)
