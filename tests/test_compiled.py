"""Compiled walks: beside the law that they are those of steps, what surrounds them."""

import copy
import gc
import math
import pickle
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution

import chainrule
from chainrule.codes import Codes
from chainrule.compiled import program_of
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.model import AutoregressiveModel, State
from chainrule.models import FVSBN, MADE, NADE, RNN, PixelCNN
from chainrule.nn.native import library as native
from chainrule.nn.native.program import Program
from chainrule.nn.native.walk import run
from chainrule.tasks.particles import run_particles
from chainrule.testing import compiled_equals_step, randomised
from chainrule.walk import walk

pytestmark = pytest.mark.quick


def fvsbn(n: int = 6) -> FVSBN:
    model = randomised(FVSBN(event_shape=(n,), conditional=Bernoulli()))
    assert isinstance(model, FVSBN)
    return model.eval()


def stepped(model: AutoregressiveModel, count: int, seed: int = 0) -> Tensor:
    """Draws of a walk that takes a step at a time."""
    return chainrule.sample(model, count, seed=seed, watch=lambda values: None)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 15, 16, 17, 33, 64, 65, 130])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_examples_and_threads(count: int, threads: int) -> None:
    model, before = fvsbn(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        drawn = chainrule.sample(model, count, seed=0)
    finally:
        torch.set_num_threads(before)
    assert float((drawn == stepped(model, count)).all(1).float().mean()) > 0.9


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 2, 16, 17, 100])
def test_any_number_of_particles(count: int) -> None:
    model = MADE(event_shape=(12,), conditional=Categorical(3), hidden_sizes=[16])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()  # so that particles differ much, and are resampled
    x, observed = torch.randint(3, (7, 12)).float(), torch.rand(7, 12) < 0.5  # each example has its own
    clouds = []
    for choose in (None, lambda t, given: given.sample()):
        torch.manual_seed(0)
        clouds.append(run_particles(model.eval(), x, observed, count, choose))
    compiled, stepped = clouds
    assert bool((torch.where(observed, x, 0.0)[:, None] == torch.where(observed[:, None], compiled.x, 0.0)).all())
    assert float((compiled.x == stepped.x).all(2).float().mean()) > 0.8
    for name in ("log_evidence", "least_size"):
        same = torch.isclose(getattr(compiled, name), getattr(stepped, name), rtol=1e-3)
        assert float(same.float().mean()) > 0.8, name
    assert count <= 2 or float(compiled.least_size.min()) < count / 2


def test_particles_none_of_which_survives() -> None:
    model = fvsbn(3)
    with torch.no_grad():
        model.regressions.bias[2] = -math.inf  # the last variable is never 1
        x, observed = torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]), torch.tensor([False, True, True])
        cloud = run_particles(model, x, observed, 8, None)
        assert program_of(model) is not None
    assert cloud.log_evidence[0] == -math.inf
    assert math.isfinite(cloud.log_evidence[1])


def test_changed_weights_are_those_of_the_next_walk() -> None:
    model = fvsbn()
    chainrule.sample(model, 1, seed=0)
    with torch.no_grad():
        model.regressions.bias.fill_(30.0)
    assert bool(chainrule.sample(model, 4, seed=0).all())
    made = MADE(event_shape=(5,), conditional=Categorical(3), hidden_sizes=[9], order="random:1").eval()
    chainrule.sample(made, 1, seed=0)
    with torch.no_grad():
        made.output_layer.bias.view(5, 3)[:, 2] = 40.0
    assert bool((chainrule.sample(made, 4, seed=0) == 2).all())


@pytest.mark.parametrize("fused", [False, True])
def test_weights_after_a_step_of_an_optimiser_are_those_of_the_next_walk(fused: bool) -> None:
    model = PixelCNN(event_shape=(1, 3, 3), conditional=Bernoulli(), hidden_size=2, num_blocks=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    x = torch.ones(2, 1, 3, 3)
    for _ in range(3):
        with torch.no_grad():
            assert torch.allclose(model.eval().log_prob(x), model(x).log_prob(x).sum((1, 2, 3)), atol=1e-5)
        model.train().log_prob(x).mean().neg().backward()
        optimizer.step()


def test_weights_that_change_without_a_version_are_those_of_the_next_walk() -> None:
    model = NADE(event_shape=(9,), conditional=Bernoulli(), hidden_size=20).eval()
    x = chainrule.sample(model, 5, seed=0)
    for change in (lambda weight: weight.data.add_(0.3), lambda weight: weight.detach().numpy().__imul__(1.1)):
        for parameter in model.parameters():
            change(parameter)
        with torch.no_grad():
            assert torch.allclose(model.log_prob(x), model(x).log_prob(x).sum(1), atol=1e-5)


def test_a_walk_keeps_no_model_alive_and_no_model_holds_a_walk() -> None:
    model = RNN(event_shape=(4,), conditional=Categorical(3), hidden_size=5, num_classes=2).eval()
    chainrule.sample(model, 2, seed=0, context=torch.tensor([0, 1]))
    copied = pickle.loads(pickle.dumps(copy.deepcopy(model)))
    context = torch.tensor([1, 0])
    drawn = chainrule.sample(copied, 2, seed=1, context=context)
    assert torch.equal(drawn, chainrule.sample(model, 2, seed=1, context=context))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


class Biased(FVSBN):
    """A subclass with a step of its own."""

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        distribution, state = super().step(state, previous)
        return self.conditional.distribution(torch.full((*distribution.batch_shape, 1), 20.0)), state


def test_a_subclass_that_changes_the_step_walks_by_it() -> None:
    model = Biased(event_shape=(6,), conditional=Bernoulli()).eval()
    assert compiled_equals_step(model).outcome.value == "does not apply"
    assert bool(chainrule.sample(model, 3, seed=0).all())


def test_gradients_training_and_other_precisions_walk_in_python() -> None:
    model = fvsbn()
    with torch.no_grad():
        assert program_of(model) is not None
        assert program_of(copy.deepcopy(model).double()) is None
        assert program_of(copy.deepcopy(model).train()) is None
        with torch.autocast("cpu", torch.bfloat16):
            assert program_of(model) is None
    assert program_of(model) is None
    assert chainrule.sample(copy.deepcopy(model).double(), 2, seed=0).dtype == torch.float64


def test_the_default_precision_makes_no_difference() -> None:
    model = MADE(event_shape=(6,), conditional=Categorical(5)).eval()
    x = chainrule.sample(model, 9, seed=3)
    with torch.no_grad():
        expected = model.log_prob(x)
    torch.set_default_dtype(torch.double)
    try:
        assert torch.equal(chainrule.sample(model, 9, seed=3).float(), x)
        with torch.no_grad():
            assert torch.equal(model.log_prob(x), expected)
    finally:
        torch.set_default_dtype(torch.float)


def test_known_values_take_no_random_numbers() -> None:
    model = fvsbn()
    prefix = torch.tensor([1.0, 0.0])
    compiled = chainrule.sample(model, 9, seed=3, prefix=prefix)
    assert torch.equal(compiled, chainrule.sample(model, 9, seed=3, prefix=prefix, watch=lambda values: None))


def test_a_long_row_of_logits_is_drawn_by_its_probabilities() -> None:
    model = FVSBN(event_shape=(1,), conditional=Categorical(5)).eval()
    probabilities = torch.tensor([0.5, 0.25, 1e-3, 0.0, 0.249])
    with torch.no_grad():
        model.regressions.bias.copy_(probabilities.log())
    counts = torch.bincount(chainrule.sample(model, 100_000, seed=0).flatten().long(), minlength=5)
    assert counts[3] == 0
    expected = 100_000 * probabilities
    assert bool(((counts - expected).abs() <= 5 * expected.sqrt()).all())


@pytest.mark.parametrize("function", ["sigmoid", "tanh"])
def test_functions_are_those_of_torch(function: str) -> None:
    x = torch.cat([torch.linspace(-100, 100, 4001), torch.tensor([0.0, -0.0, 1e-30, -1e-30, math.inf, -math.inf])])
    program, out = Program(), torch.empty(1, 1, len(x))
    numbers = program.give(len(x), lambda: x.unsqueeze(0))
    program.begin()
    program.map(numbers, numbers, len(x), function)
    program.choose(numbers, len(x), Codes("logits", "number"))
    run(program, 1, 1, parameters=out)
    torch.testing.assert_close(out.flatten(), getattr(torch, function)(x), rtol=3e-7, atol=2e-7)


def test_a_value_before_that_is_none_of_the_family_is_refused() -> None:
    model = RNN(event_shape=(4,), conditional=Categorical(3), hidden_size=5).eval()
    with torch.no_grad(), pytest.raises(ValueError, match="integers from 0 to 2, got 7"):
        model.draw(model.start(2), torch.tensor([7.0, 0.0]), 3)


def test_too_little_memory_is_an_error() -> None:
    program = Program()
    logit = program.units(2**50)  # more than any address space has
    program.begin()
    program.choose(logit, 1, Codes("logit", "number"))
    with pytest.raises(MemoryError, match="a walk of 1 examples"):
        run(program, 1, 1)


@pytest.fixture(params=["DEFAULT", "AVX2"])
def narrower_vectors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library as another processor, of narrower vectors, compiles it."""
    here = torch.backends.cpu.get_cpu_capability()
    if here not in ("AVX2", "AVX512"):
        pytest.skip(f"{here} has no narrower vectors")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: request.param)
    native.library.cache_clear()
    yield
    native.library.cache_clear()


@pytest.mark.usefixtures("narrower_vectors")
def test_the_law_holds_with_the_vectors_of_other_processors() -> None:
    models = [
        FVSBN(event_shape=(9,), conditional=Categorical(3), order="random:2", num_classes=2),
        NADE(event_shape=(9,), conditional=Bernoulli(), hidden_size=21, num_layers=2, order_agnostic=True),
        PixelCNN(event_shape=(2, 3, 4), conditional=Bernoulli(), hidden_size=6, num_blocks=1),
        RNN(event_shape=(9,), conditional=Categorical(3), hidden_size=21, cell="lstm"),
        RNN(event_shape=(9,), conditional=Categorical(3), hidden_size=21, cell="gru"),
    ]
    for model in models:
        assert compiled_equals_step(randomised(model)) == "passed"


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(native, "_folder", lambda: tmp_path)
    native.library.cache_clear()
    yield
    native.library.cache_clear()


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_walks_take_a_step_at_a_time_and_say_so_once() -> None:
    model = fvsbn()
    with pytest.warns(UserWarning, match="a step at a time in Python.*no-such-compiler.*install a C"):
        drawn = chainrule.sample(model, 3, seed=0)
    assert torch.equal(drawn, stepped(model, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(drawn, walk_again(model))
        assert compiled_equals_step(model).outcome.value == "cannot tell"


def walk_again(model: AutoregressiveModel) -> Tensor:
    with torch.no_grad():
        torch.manual_seed(0)
        return walk(model, 3)
