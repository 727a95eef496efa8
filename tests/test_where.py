"""Conditional sampling: against enumeration and integrals, and the conditions that a user writes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars
import pytest
import torch
from command_line import refused
from torch import Tensor

import chainrule
from chainrule.cli import main
from chainrule.conditionals import Bernoulli, Categorical, Columns, Conditional, Gaussian, WithMissing
from chainrule.data.codecs import Categories, Numbers
from chainrule.data.column import Column
from chainrule.data.conditions import bounds_of_conditions
from chainrule.data.schema import TableSchema
from chainrule.data.shape import Shape
from chainrule.model import AutoregressiveModel
from chainrule.models import MADE, NADE, BayesNet, Ensemble
from chainrule.tasks import where
from chainrule.tasks.particles import Bounds
from chainrule.tasks.where import sample_where
from chainrule.testing import randomised

INF = math.inf
FOLDER = Path(__file__).parent / "data" / "runs_of_0.1"

pytestmark = pytest.mark.quick


def made(order: object = "raster", seed: int = 1) -> AutoregressiveModel:
    return randomised(MADE(event_shape=(4,), conditional=Categorical(3), order=order), seed=seed, scale=2.0)


def two_orders() -> AutoregressiveModel:
    return Ensemble(models=[made("raster", 1), made("reversed", 2)])


def nade() -> AutoregressiveModel:
    model = NADE(event_shape=(4,), conditional=Categorical(3), hidden_size=4, order_agnostic=True)
    return randomised(model, seed=2, scale=2.0)


FIRST = Bounds(torch.tensor([1.0, -INF, -INF, -INF]), torch.tensor([1.0, INF, INF, INF]))
LAST = Bounds(torch.tensor([-INF, 1.0, -INF, 2.0]), torch.tensor([INF, INF, INF, 2.0]))


def expected(model: AutoregressiveModel, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """All events within the bounds, and their p(event | bounds), by enumeration."""
    events = torch.cartesian_prod(*[torch.arange(3.0)] * 4)
    events = events[((events >= bounds.low) & (events <= bounds.high)).all(1)]
    return events, model.log_prob(events).detach().double().softmax(0)


def distance(x: Tensor, events: Tensor, probabilities: Tensor) -> float:
    """The total variation between the frequencies of ``x`` and the probabilities of the events."""
    frequencies = torch.stack([(x == event).all(1).double().mean() for event in events])
    return float((frequencies - probabilities).abs().sum() / 2)


@pytest.mark.parametrize("bounds", [FIRST, LAST], ids=["first", "last"])
@pytest.mark.parametrize("build", [made, two_orders], ids=["one-order", "two-orders"])
def test_exact_draws_agree_with_enumeration(build: object, bounds: Bounds) -> None:
    model = build()  # type: ignore[operator]
    done = sample_where(model, 4000, bounds, seed=0)
    assert done.exact
    assert done.effective_sample_size is None
    events, probabilities = expected(model, bounds)
    assert ((done.x >= bounds.low) & (done.x <= bounds.high)).all()
    assert distance(done.x, events, probabilities) < 0.05
    if build is made:
        assert (done.acceptance is None) == (bounds is FIRST)
    if done.acceptance is not None:
        total = expected(model, Bounds(torch.full((4,), -INF), torch.full((4,), INF)))
        inside = ((total[0] >= bounds.low) & (total[0] <= bounds.high)).all(1)
        assert done.acceptance == pytest.approx(float(total[1][inside].sum()), abs=0.03)


def test_particles_agree_with_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "TRIES_PER_EXAMPLE", 1e-6)  # no rejection is cheap enough
    monkeypatch.setattr(where, "PILOT", 1)
    model = two_orders()
    done = sample_where(model, 4000, LAST, seed=0)
    assert not done.exact
    assert "sequential Monte Carlo, 64 particles" in done.method
    assert distance(done.x, *expected(model, LAST)) < 0.06


def test_an_order_agnostic_model_takes_what_is_known_first() -> None:
    model = nade()
    known = Bounds(torch.tensor([-INF, 2.0, -INF, -INF]), torch.tensor([INF, 2.0, INF, INF]))
    done = sample_where(model, 200, known, seed=0)
    assert done.exact
    assert done.acceptance is None
    assert "in another order" in done.method


def test_a_tree_sees_ahead() -> None:
    tree = randomised(BayesNet(event_shape=(4,), conditional=Categorical(3), structure="previous:1"), seed=1, scale=2.0)
    done = sample_where(tree, 4000, LAST, seed=0)
    assert done.exact
    assert distance(done.x, *expected(tree, LAST)) < 0.05


def reals(*columns: Conditional) -> AutoregressiveModel:
    torch.manual_seed(0)  # the masks of a MADE are random
    return randomised(MADE(event_shape=(len(columns),), conditional=Columns(columns)), seed=1)


@pytest.mark.parametrize("rejects", [True, False])
def test_ranges_of_reals_agree_with_importance_weights(rejects: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not rejects:
        monkeypatch.setattr(where, "TRIES_PER_EXAMPLE", 1e-6)
        monkeypatch.setattr(where, "PILOT", 1)
    model = reals(Gaussian(), WithMissing(Gaussian()), Bernoulli())
    bounds = Bounds(torch.tensor([-INF, 0.5, 1.0]), torch.tensor([INF, 2.0, 1.0]))
    done = sample_where(model, 3000, bounds, seed=0)
    assert done.exact == rejects
    x = chainrule.sample(model, 100_000, seed=1)
    mean = x[((x >= bounds.low) & (x <= bounds.high)).all(1)].mean(0)
    torch.testing.assert_close(done.x.mean(0), mean, atol=0.06, rtol=0)


def test_a_density_that_comes_last_is_weighed() -> None:
    model = reals(Bernoulli(), Gaussian())
    bounds = Bounds(torch.tensor([-INF, 0.7]), torch.tensor([INF, 0.7]))
    done = sample_where(model, 4000, bounds, seed=0)
    assert not done.exact
    assert done.effective_sample_size is not None
    joint = model.log_prob(torch.tensor([[0.0, 0.7], [1.0, 0.7]])).softmax(0)
    assert done.x[:, 0].mean().item() == pytest.approx(joint[1].item(), abs=0.03)
    assert (done.x[:, 1] == 0.7).all()


def test_classes_and_seeds() -> None:
    model = randomised(MADE(event_shape=(3,), conditional=Bernoulli(), num_classes=2), seed=3, scale=3.0)
    bounds = Bounds(torch.tensor([0.0, 0.0, 1.0]), torch.ones(3))
    context = torch.arange(4000) % 2
    done = sample_where(model, 4000, bounds, seed=0, context=context)
    assert torch.equal(done.x, sample_where(model, 4000, bounds, seed=0, context=context).x)
    events = torch.cartesian_prod(*[torch.arange(2.0)] * 3)
    events = events[events[:, 2] == 1]
    for label in (0, 1):
        own = model.log_prob(events, torch.full((len(events),), label)).detach().double().softmax(0)
        assert distance(done.x[context == label], events, own) < 0.05


def test_what_is_impossible_is_refused() -> None:
    model = reals(Gaussian(), Bernoulli())
    with pytest.raises(ValueError, match="got none from 2 to inf for variable 2"):
        sample_where(model, 1, Bounds(torch.tensor([-INF, 2.0]), torch.tensor([INF, INF])))
    with pytest.raises(ValueError, match="0 of 1 rows met them in 320 walks"):
        sample_where(model, 1, Bounds(torch.tensor([1e6, -INF]), torch.tensor([INF, INF])), seed=0)
    with pytest.raises(ValueError, match=r"the shape of one example, \(2,\), got \(3,\)"):
        sample_where(model, 1, Bounds(torch.zeros(3), torch.ones(3)))


def test_hopeless_conditions_are_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "SILENT_SECONDS", 0.0)
    lines: list[str] = []
    bounds = Bounds(torch.tensor([1e6, -INF]), torch.tensor([INF, INF]))
    with pytest.raises(ValueError, match=r"0 of 3000 rows met them in 16,384 walks: use more particles"):
        sample_where(reals(Gaussian(), Bernoulli()), 3000, bounds, seed=0, say=lines.append)
    assert lines[0] == "0 of 3,000 rows meet the conditions so far, in 6,000 walks"
    assert lines[-1] == "0 of 3,000 rows meet the conditions so far, in 16,384 walks"


SCHEMA = TableSchema(
    (
        Column("age", "integer", low=17, high=90),
        Column("pay", "real", mean=1000.0, std=300.0),
        Column("sex", "category", codec=Categories(categories=("Female", "Male"))),
        Column("owns", "boolean"),
        Column("pay rise, %", "real"),
        Column("band", "category", codec=Categories(categories=("<=50K", ">50K", "a, b"))),
        Column("height", "real", shape=Shape(lower=0.0)),
        Column("hours", "integer", shape=Shape(step=1.0, cells=True, upper=99.0)),
        Column("debt", "real", shape=Shape(upper=0.0, atoms=(0.0,))),
        Column("eur", "real", codec=Numbers(thousands=",", prefix="€", decimals=2)),
        Column("halves", "real", shape=Shape(step=0.5, cells=True)),
    )
)


@pytest.mark.parametrize(
    ("text", "name", "low", "high"),
    [
        ("age>60", "age", 61, INF),
        ("age >= 18", "age", 18, INF),
        ("age<18.5", "age", -INF, 18),
        ("10<=age<20", "age", 10, 19),
        ("20 >= age", "age", -INF, 20),
        ("age>20, age<=30", "age", 21, 30),
        ("pay==1311.41", "pay", np.float32(1311.41), np.float32(1311.41)),
        ("pay>1", "pay", np.nextafter(np.float32(1), np.float32(2)), INF),
        ("pay<=1e3", "pay", -INF, 1000),
        ("sex=Male", "sex", 1, 1),
        ("sex = 'Male' , age>3", "sex", 1, 1),
        ("owns=True", "owns", 1, 1),
        ('"pay rise, %">2.5', "pay rise, %", np.nextafter(np.float32(2.5), np.float32(3)), INF),
        ("band=>50K", "band", 1, 1),
        ("band=<=50K", "band", 0, 0),
        ("band='a, b'", "band", 2, 2),
        ("band=a, b", "band", 2, 2),
        ("pay rise, %<=2.5", "pay rise, %", -INF, 2.5),
        ("eur>=€50,000.50,age>3", "eur", 50000.5, INF),
        ("10,000<=eur<=20,000, owns=true", "eur", 10000, 20000),
        ("age>3, '€1,250,000' <= eur", "eur", 1250000, INF),
        ("hours>=99", "hours", 99, INF),
        ("debt>=0", "debt", 0, INF),
        ("0.4<halves<0.6, halves>=0.5", "halves", 0.5, np.nextafter(np.float32(0.6), np.float32(0))),
    ],
)
def test_conditions_are_read_as_they_are_written(text: str, name: str, low: float, high: float) -> None:
    least, most = bounds_of_conditions(text, SCHEMA)
    index = [column.name for column in SCHEMA.used].index(name)
    assert (least[index], most[index]) == (low, high)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agee>3", r"a column \(age, pay, .*got 'agee>3', did you mean age\?"),
        ("sex=Mal", r"a category of 'sex' \(Female, Male\), got 'Mal', did you mean Male\?"),
        ("sex>Male", "= for 'sex', a category, got >"),
        ("age=old", r"a number for 'age' \(17 to 90\), got 'old'"),
        ("owns=perhaps", "true or false for 'owns'"),
        ("age>40, age<30", "that a row can meet, got none for 'age'"),
        ("age", "one of = < <= > >= and a value, got 'age'"),
        (
            "age>3, 10,000 <= eur",
            r"a number for 'age' .*, got '3, 10'; conditions stand between commas, and values that",
        ),
        ("height<0", r"'height<0' expects .* but no sample has such a 'height': it is at least 0\.0 there"),
        ("height<=0", "such a 'height': it is at least 0"),
        ("height=-3", "such a 'height': it is at least 0"),
        ("hours>99", "such a 'hours': it is at most 99 there"),
        ("debt>0", "such a 'debt': it is at most 0"),
        ("0.1<halves<0.4", "no sample has such a 'halves'$"),
        ("", "conditions such as 'age=...'"),
    ],
)
def test_wrong_conditions_say_what_there_is(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bounds_of_conditions(text, SCHEMA)


def test_sample_where_on_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = str(FOLDER / "table"), tmp_path / "rows.csv"
    samples = polars.read_csv(FOLDER / "data" / "table.csv")
    name = next(column for column in samples.columns if samples[column].dtype == polars.Int64)
    middle = int(samples[name].median())  # type: ignore[arg-type]
    assert main(["sample", run, "-n", "50", "--where", f"{name}>={middle}", "--out", str(out)]) == 0
    assert "exact" in capsys.readouterr().err
    rows = polars.read_csv(out)
    assert len(rows) == 50
    assert (rows[name] >= middle).all()
    arguments = ["sample", run, "--where", f"{name}>={middle}", "--out", str(out)]
    assert "--temperature expects no --where" in refused(capsys, *arguments, "--temperature", "0.5")
    assert f"expects a value of '{name}'" in refused(capsys, *arguments[:3], f"{name}>123456789", *arguments[4:])
    assert "--particles expects --where" in refused(capsys, "sample", run, "--out", str(out), "--particles", "3")
    digits = ["sample", str(FOLDER / "rows"), "--where", "a=1", "--out", str(tmp_path / "x.npy")]
    assert "--where expects a run on a table" in refused(capsys, *digits)
