"""The law of compiled walks: they are the walks of `AutoregressiveModel.step`."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from chainrule.choices import ChangedDraw, Choose
from chainrule.codes import Drawing
from chainrule.compiled import Compiled, program_of
from chainrule.model import AutoregressiveModel
from chainrule.nn.ends import up_to_end
from chainrule.nn.native.library import library
from chainrule.nn.native.walk import run
from chainrule.sequence import SequenceModel, end_symbol_of, frame_size_of
from chainrule.tasks.particles import run_particles
from chainrule.testing.probes import EXAMPLES, random_events
from chainrule.testing.subjects import own_random_state, random_context
from chainrule.testing.verdicts import PASSED, Verdict, cannot_tell, does_not_apply, require_close
from chainrule.walk import walk

SINGLE = 1e-4
"""Log-probabilities in single precision, of walks that sum in different ways, differ by less."""

DRAWS = 40
"""Examples that are drawn in both ways: enough for two chunks of lanes, one of which is not full."""

CLOSE = 1e-3
"""Real values that are drawn in both ways differ by less: each variable adds to the rounding of those before."""

SAME = 0.9
"""At least this share of them is the same; a random number next to a bound may fall on either side of it."""

PARTICLES = 5
"""Particles of each example: a number that no vector has."""

DRAWINGS = {
    "plain": None,
    "with a temperature": Drawing(temperature=0.7),
    "of the two most probable values": Drawing(top_k=2),
    "of the nucleus": Drawing(top_p=0.8),
    "greedily": Drawing(greedy=True),
    "without a value": Drawing(undrawn=1),
}


@torch.no_grad()
def compiled_equals_step(model: AutoregressiveModel) -> Verdict:
    """A compiled walk has the conditionals of `step`, and draws the same values from the same random numbers.

    Conditionals are compared in single precision, along random values; draws of one example, which runs alone, and of
    many, which run side by side, for every way of drawing; and particles, along a random half of known values.

    Raises:
        AssertionError: If a conditional differs, or more draws than rounding explains.
    """
    subject = copy.deepcopy(model).eval().float()
    if isinstance(model, Compiled) and library() is None:
        return cannot_tell("the library of walks could not be compiled", "installing a C++ compiler")
    if program_of(subject) is None:
        return does_not_apply("its walks take a step at a time")
    with own_random_state():
        if frame_size_of(subject) is None:
            _require_conditionals(subject)
        for count in (1, DRAWS):
            context = subject.check_context(random_context(subject, count), count)
            for name, drawing in DRAWINGS.items() if subject.conditional.values is not None else [("plain", None)]:
                _require_draws(subject, count, context, name, drawing)
        if not subject.any_length:
            _require_particles(subject)
    return PASSED


def _require_conditionals(model: AutoregressiveModel) -> None:
    x = random_events(model, EXAMPLES).float()
    sequence, size = model.order.flatten(x), len(x)
    context = model.check_context(random_context(model, size), size)
    source = model.start(size, context) if isinstance(model, SequenceModel) else context
    program = program_of(model)
    assert program is not None
    parameters = torch.empty(model.num_variables, size, program.num_parameters)
    log_probs = torch.empty(model.num_variables, size)
    run(program, size, model.num_variables, (model, source), known=sequence, parameters=parameters, log_probs=log_probs)
    end = end_symbol_of(model)
    alive = torch.ones_like(sequence, dtype=torch.bool) if end is None else up_to_end(sequence, end)
    state, previous = model.start(size, context), None
    for t, value in enumerate(sequence.unbind(1)):
        distribution, state = model.step(state, previous)
        got = model.conditional.distribution(parameters[t]).log_prob(value)[alive[:, t]]
        message = f"compiled_equals_step: variable {t} along the order, log-probability"
        expected = distribution.log_prob(value)[alive[:, t]]
        require_close(got, expected, SINGLE, f"{message} of its parameters")
        require_close(log_probs[t][alive[:, t]], expected, SINGLE, message)
        previous = value


def _require_draws(
    model: AutoregressiveModel, count: int, context: Tensor | None, name: str, drawing: Drawing | None
) -> None:
    choose: Choose | None = None if drawing is None else ChangedDraw(model.conditional, drawing)
    torch.manual_seed(0)
    compiled = walk(model, count, choose, context)
    torch.manual_seed(0)
    stepped = walk(model, count, lambda t, given: given.sample() if choose is None else choose(t, given), context)
    same = float(torch.isclose(compiled, stepped, rtol=CLOSE, atol=CLOSE).flatten(1).all(1).float().mean())
    if same < SAME:
        raise AssertionError(
            f"compiled_equals_step: expected the draws ({name}) of a compiled walk to be those of its steps, got "
            f"{same:.0%} of {count} examples the same"
        )


def _require_particles(model: AutoregressiveModel) -> None:
    x = random_events(model, EXAMPLES).float()
    context = model.check_context(random_context(model, len(x)), len(x))
    observed = torch.rand(x.shape) < 0.5
    seed = int(torch.randint(2**31, ()))
    clouds = []
    for choose in (None, lambda t, given: given.sample()):
        torch.manual_seed(seed)
        clouds.append(run_particles(model, x, observed, PARTICLES, choose, context=context))
    compiled, stepped = clouds
    # A resampling that rounding decides may give an example other particles, so not all need to agree.
    same = torch.isclose(compiled.x, stepped.x, rtol=CLOSE, atol=CLOSE).flatten(2).all(2)
    same &= torch.isclose(compiled.log_weights, stepped.log_weights, rtol=CLOSE, atol=CLOSE)
    same &= torch.isclose(compiled.log_evidence, stepped.log_evidence, rtol=CLOSE, atol=CLOSE)[:, None]
    share = float(same.float().mean())
    if share < SAME:
        raise AssertionError(
            f"compiled_equals_step: expected the particles of a compiled walk to be those of its steps, got "
            f"{share:.0%} of {same.numel()} the same"
        )
