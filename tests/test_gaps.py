"""Rows with any gaps, completed side by side, and the estimates of their cells."""

from __future__ import annotations

import math
from pathlib import Path

import polars
import pytest
import torch
from command_line import refused
from torch import Tensor

import chainrule
from chainrule.cli import main
from chainrule.conditionals import Bernoulli, Categorical, Columns, Conditional, Gaussian, WithMissing
from chainrule.model import AutoregressiveModel
from chainrule.models import MADE, NADE, BayesNet, Ensemble
from chainrule.tasks import gaps
from chainrule.tasks.estimates import mean, mode, most_probable, quantiles
from chainrule.tasks.gaps import Completions, complete_rows, fill
from chainrule.tasks.particles import spread
from chainrule.testing import randomised

NAN = math.nan
EVENTS = torch.cartesian_prod(*[torch.arange(3.0)] * 4)
ROWS = torch.tensor(
    [
        [1.0, 2.0, 0.0, 1.0],
        [NAN, 2.0, 0.0, 1.0],
        [NAN, 2.0, NAN, 1.0],
        [0.0, 2.0, NAN, NAN],
        [NAN, NAN, 1.0, NAN],
        [NAN, NAN, NAN, NAN],
    ]
)


def made(order: object = "raster", seed: int = 1) -> AutoregressiveModel:
    return randomised(MADE(event_shape=(4,), conditional=Categorical(3), order=order), seed=seed, scale=2.0)


def model_called(name: str) -> AutoregressiveModel:
    if name == "made":
        return made()
    if name == "orders":
        return Ensemble(models=[made("raster", 1), made("reversed", 2), made([1, 3, 0, 2], 3)])
    if name == "tree":
        tree = BayesNet(event_shape=(4,), conditional=Categorical(3), structure="previous:1")
        return randomised(tree, seed=1, scale=2.0)
    return Ensemble(models=[randomised(MADE(event_shape=(4,), conditional=Categorical(3)), seed=s) for s in (4, 5)])


def expected(model: AutoregressiveModel, row: Tensor) -> tuple[Tensor, Tensor]:
    """The events that agree with a row's known cells, and their probabilities given these, by enumeration."""
    known = ~row.isnan()
    events = EVENTS[(EVENTS[:, known] == row[known]).all(1)]
    return events, model.log_prob(events).detach().double().softmax(0)


def completed(model: AutoregressiveModel, x: Tensor, **settings: object) -> dict[int, tuple[Tensor, Tensor, str]]:
    found = {}

    def keep(rows: Tensor, done: Completions) -> None:
        for place, row in enumerate(rows.tolist()):
            found[row] = done.x[place], done.weights[place], done.method

    complete_rows(model, x, keep, **settings)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("tried", [0, gaps.TRIED])
@pytest.mark.parametrize("name", ["made", "orders", "tree", "one-order"])
def test_rows_with_any_gaps_agree_with_enumeration(name: str, tried: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "TRIED", tried)
    model = model_called(name)
    found = completed(model, ROWS, walks=16_000, seed=0)
    assert set(found) == {1, 2, 3, 4, 5}
    for row, (x, weights, method) in found.items():
        events, probabilities = expected(model, ROWS[row])
        shares = torch.stack([weights[(x == event).all(1)].sum() for event in events])
        assert shares.sum().item() == pytest.approx(1)
        exact = tried > 0 and len(events) <= tried
        assert ("were tried" in method) == exact
        assert (shares - probabilities).abs().sum() / 2 < (1e-5 if exact else 0.05), (row, method)
    if tried == 0:
        methods = [found[row][2].partition(":")[0] for row in range(1, 6)]
        both_ends = "approximate" if name == "orders" else "exact"
        assert methods[2] == both_ends  # the known cells are the first in raster order
        assert methods[0] == ("exact" if name == "tree" else "approximate")
        assert methods[4] == "exact"


def test_draws_have_the_frequencies_and_keep_what_is_known() -> None:
    model = model_called("orders")
    drawn, methods = fill(model, ROWS, draws=4000, seed=0)
    assert sum(methods.values()) == 5
    for row, given in enumerate(ROWS):
        assert (drawn[:, row][:, ~given.isnan()] == given[~given.isnan()]).all()
        events, probabilities = expected(model, given)
        shares = torch.stack([(drawn[:, row] == event).all(1).double().mean() for event in events])
        assert (shares - probabilities).abs().sum() / 2 < 0.06
    assert torch.equal(drawn, fill(model, ROWS, draws=4000, seed=0)[0])


def test_an_order_agnostic_model_is_taken_in_another_order() -> None:
    nade = NADE(event_shape=(4,), conditional=Gaussian(), hidden_size=4, order_agnostic=True)
    found = completed(nade, ROWS, walks=3, seed=0)
    assert all(method.startswith("exact") for _, _, method in found.values())
    assert all(x.shape == (3, 4) for x, _, _ in found.values())


def test_a_filled_cell_is_never_missing_and_reals_are_weighed() -> None:
    columns: list[Conditional] = [WithMissing(Gaussian()), Bernoulli(), WithMissing(Categorical(3))]
    model = randomised(MADE(event_shape=(3,), conditional=Columns(columns)), seed=1)
    x = torch.tensor([[NAN, 1.0, 2.0], [0.3, NAN, NAN], [0.3, 1.0, NAN]])
    drawn, methods = fill(model, x, draws=50, seed=0)
    assert not drawn.isnan().any()
    assert methods["exact: all values of the unknown cells were tried"] == 2
    found = completed(model, x[:1], walks=20_000, seed=0)[0]
    grid = torch.linspace(-30, 30, 20_001)
    joint = model.log_prob(torch.stack([grid, torch.ones_like(grid), torch.full_like(grid, 2.0)], dim=1)).softmax(0)
    assert mean(found[0][None, :, 0], found[1][None]).item() == pytest.approx((grid * joint).sum().item(), abs=0.05)


@pytest.mark.parametrize("tried", [0, gaps.TRIED])
def test_a_cell_that_is_known_to_be_empty_is_a_value(tried: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """p(last | first is empty), by enumeration: the first cell may be missing, the last one is one of 3 values."""
    monkeypatch.setattr(gaps, "TRIED", tried)
    model = randomised(
        MADE(event_shape=(2,), conditional=Columns([WithMissing(Categorical(2)), Categorical(3)])), seed=0, scale=2.0
    )
    row, unknown = torch.tensor([[NAN, NAN]]), torch.tensor([[False, True]])
    joint = model.log_prob(torch.stack([torch.full((3,), NAN), torch.arange(3.0)], dim=1))
    found: list[Completions] = []
    complete_rows(model, row, lambda _, done: found.append(done), walks=20_000, seed=0, unknown=unknown)
    assert found[0].x[..., 0].isnan().all()
    shares = torch.zeros(3, dtype=torch.float64)
    shares.index_add_(0, found[0].x[0, :, 1].long(), found[0].weights[0])
    assert shares.tolist() == pytest.approx(joint.softmax(0).tolist(), abs=0.015)
    filled, _ = fill(model, row, draws=3, seed=0, unknown=unknown)
    assert filled[:, 0, 0].isnan().all()
    assert not filled[:, 0, 1].isnan().any()


def test_what_is_impossible_names_the_rows() -> None:
    with pytest.raises(ValueError, match=r"rows 1 to 1: .*got 7"):
        fill(made(), torch.tensor([[7.0, NAN, 0.0, 0.0]]))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        fill(made(), ROWS, draws=0)


def test_spread_takes_each_in_proportion() -> None:
    torch.manual_seed(0)
    weights = torch.tensor([[0.1, 0.0, 0.6, 0.3]]).expand(2000, -1)
    counts = torch.nn.functional.one_hot(spread(weights, 5), 4).sum(1).double()
    assert ((counts - 5 * weights).abs() < 1).all()
    torch.testing.assert_close(counts.mean(0), 5 * weights[0].double(), atol=0.05, rtol=0)


def test_estimates_of_weighted_values() -> None:
    values, weights = torch.tensor([[5.0, 1.0, 1.0, 9.0]]), torch.tensor([[0.5, 0.2, 0.2, 0.1]]).double()
    assert mean(values, weights).item() == pytest.approx(3.8)
    assert quantiles(values, weights, [0.4, 0.41, 0.95]).tolist() == [[1.0, 5.0, 9.0]]
    assert most_probable(values, weights).item() == 5
    assert mode(values, weights).item() == 5
    normal = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0)).exp()
    assert mode(normal, torch.full((1, 4000), 1 / 4000)).item() == pytest.approx(math.exp(-1), abs=0.2)


@pytest.fixture(scope="module")
def flats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a table whose columns say much about each other."""
    folder = tmp_path_factory.mktemp("flats")
    generator = torch.Generator().manual_seed(0)
    area = 30 + 60 * torch.rand(2000, generator=generator)
    rooms = (area / 25).round().int()
    frame = polars.DataFrame(
        {
            "area": area.double().numpy(),
            "rooms": rooms.numpy(),
            "balcony": (area > 60).numpy(),
            "kind": ["small" if value < 50 else "large" for value in area.tolist()],
            "rent": (100 * torch.randn(2000, generator=generator) + 20 * area).round().long().numpy(),
        }
    )
    frame.write_csv(folder / "flats.csv")
    model = ["--model", "MADE", "--model.hidden_sizes", "[32]", "--max-epochs", "12", "--learning-rate", "0.01"]
    assert main(["fit", str(folder / "flats.csv"), *model, "--seed", "0", "--out", str(folder / "run")]) == 0
    gappy = frame.head(90).with_columns(
        rent=polars.when(polars.int_range(90) % 3 == 0).then(None).otherwise("rent"),
        area=polars.when(polars.int_range(90) % 3 == 1).then(None).otherwise("area"),
        kind=polars.when(polars.int_range(90) % 3 == 2).then(None).otherwise("kind"),
    )
    gappy.write_csv(folder / "gaps.csv")
    return folder


def test_points_and_quantiles(flats: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, given = polars.read_csv(flats / "flats.csv").head(90), polars.read_csv(flats / "gaps.csv")
    command = ["complete", str(flats / "run"), str(flats / "gaps.csv"), "--out", str(flats / "filled.csv")]
    frames = {}
    for point in ("mean", "median", "mode"):
        assert main([*command, "--point", point, "--quantiles", "0.05,0.95"]) == 0
        frames[point] = polars.read_csv(flats / "filled.csv")
    assert "30 rows exact: all values of the unknown cells were tried" in capsys.readouterr().err
    spread_of_rent = float(truth["rent"].std())  # type: ignore[arg-type]
    for point, filled in frames.items():
        errors = (filled["rent"] - truth["rent"])[::3]
        assert float((errors**2).mean()) ** 0.5 < 0.5 * spread_of_rent, point  # type: ignore[operator, arg-type]
        assert (filled["kind"] == truth["kind"]).mean() > 0.95  # type: ignore[operator]
        assert filled["area"].filter(given["area"].is_not_null()).equals(given["area"].drop_nulls())
    assert frames["mean"].columns == [*truth.columns, "area 5%", "area 95%", "rent 5%", "rent 95%"]
    assert frames["mean"]["rent"].dtype == polars.Float64
    assert frames["median"]["rent"].dtype == frames["mode"]["rent"].dtype == polars.Int64
    low, high = frames["mean"]["rent 5%"], frames["mean"]["rent 95%"]
    assert low.is_null().to_list() == given["rent"].is_not_null().to_list()
    inside = ((truth["rent"] >= low) & (truth["rent"] <= high)).drop_nulls()
    assert len(inside) == 30
    assert inside.mean() >= 0.7  # type: ignore[operator]
    assert main([*command, "--mean", "-n", "7"]) == 0
    seven = polars.read_csv(flats / "filled.csv")
    assert seven.columns == truth.columns
    assert seven["rooms"].equals(given["rooms"].head(7))


def test_known_cells_stay_as_they_were_written(flats: Path) -> None:
    rows = ["1e2,03,TRUE, small,1000", "61.50000000000000001,4,true,large,", ",2,false,small, 1200"]
    (flats / "odd.csv").write_text("\n".join(["area,rooms,balcony,kind,rent", *rows]) + "\n")
    arguments = ["complete", str(flats / "run"), str(flats / "odd.csv"), "--point", "mean"]
    assert main([*arguments, "--out", str(flats / "full.csv")]) == 0
    before, after = (polars.read_csv(flats / name, infer_schema=False) for name in ("odd.csv", "full.csv"))
    for name in before.columns:
        there = before[name].is_not_null()
        assert after[name].filter(there).to_list() == before[name].drop_nulls().to_list()
    assert "." in after["rent"][1]


def test_known_cells_keep_their_types(flats: Path) -> None:
    types = {"area": polars.Float32, "kind": polars.Categorical, "rent": polars.UInt16}
    given = polars.read_csv(flats / "gaps.csv").with_columns(
        *(polars.col(name).cast(dtype) for name, dtype in types.items()),
        rooms=polars.when(polars.int_range(90) % 9 == 0).then(None).otherwise("rooms").cast(polars.Int8),
    )
    given.write_parquet(flats / "typed.parquet")
    arguments = ["complete", str(flats / "run"), str(flats / "typed.parquet"), "--out", str(flats / "full.parquet")]
    for point in ("median", "mean"):
        assert main([*arguments, "--point", point]) == 0
        filled = polars.read_parquet(flats / "full.parquet")
        changed = {"rooms": polars.Float64, "rent": polars.Float64} if point == "mean" else {}
        assert filled.schema == {**given.schema, **changed}
        assert filled.null_count().sum_horizontal().item() == 0
        for name in given.columns:
            there = given[name].is_not_null()
            assert filled[name].filter(there).to_list() == given[name].drop_nulls().to_list()


def test_what_is_refused(flats: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["complete", str(flats / "run"), str(flats / "gaps.csv"), "--out", str(flats / "x.csv")]
    assert "did you mean median?" in refused(capsys, *command, "--point", "medan")
    assert "shares such as 0.05,0.5,0.95, got 'a'" in refused(capsys, *command, "--quantiles", "a")
    assert "shares between 0 and 1, got 50" in refused(capsys, *command, "--quantiles", "50")
    assert "--mean or --point, got both" in refused(capsys, *command, "--mean", "--point", "mode")
    assert "expects at least 1, got 0" in refused(capsys, *command, "--draws", "0")
    assert not (flats / "x.csv").exists()
    assert chainrule.load(flats / "run").event_shape == (5,)
