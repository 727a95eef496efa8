"""Walks that run outside of Python: the ability of a model to say its steps as a program."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.optim.optimizer import register_optimizer_step_post_hook

from chainrule.choices import ChangedDraw, Choose
from chainrule.codes import Drawing
from chainrule.model import AutoregressiveModel
from chainrule.nn.native.fingerprint import Fingerprint
from chainrule.nn.native.library import library
from chainrule.nn.native.program import Program
from chainrule.nn.native.walk import Weights, run
from chainrule.state import State, tensors_of


class Compiled(AutoregressiveModel):
    """A model whose steps can be run as a `Program`, which gives the same values as `AutoregressiveModel.step`.

    `chainrule.testing.check_model` proves that both agree. A subclass that changes a step, or `forward`, must change
    `program` too; until it does, its walks take a step at a time in Python. Log p(x) is a walk along known values: it
    costs less than the parallel pass, which computes with the zeros of masks too, and takes its place where no gradient
    is wanted.
    """

    @abstractmethod
    def program(self) -> Program | None:
        """The instructions of a step, for the weights as they are; None if the model has parts that have none.

        The functions of `Program.give` take the model and the context, or, in a `SequenceModel`, the state.
        """

    def _log_prob(self, x: Tensor, context: Tensor | None) -> Tensor:
        if (program := program_of(self)) is None:
            return super()._log_prob(x, context)
        log_probs = torch.empty(self.num_variables, len(x), dtype=torch.float32)
        run(program, len(x), len(log_probs), (self, context), known=self.order.flatten(x), log_probs=log_probs)
        return log_probs.sum(0)


class _Kept(NamedTuple):
    """A program, and the weights that it was made for."""

    key: list[Any]
    fingerprint: Fingerprint
    program: Program | None


_PROGRAMS: WeakKeyDictionary[AutoregressiveModel, _Kept] = WeakKeyDictionary()

# A fused step of an optimiser changes weights without counting it in their versions: all programs are old after it.
register_optimizer_step_post_hook(lambda optimizer, args, kwargs: _PROGRAMS.clear())


def program_of(model: AutoregressiveModel) -> Program | None:
    """The program of ``model`` as it stands, which is kept until a weight changes; None if it walks in Python.

    It does where gradients are wanted, in training, while it is exported, on other devices, in other precisions than
    single, and where there is no library.
    """
    if not isinstance(model, Compiled) or model.training or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return None
    if model.device.type != "cpu" or model.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
        return None
    tensors = _tensors(model)
    key = [(part.data_ptr(), _version(part)) for part in tensors]
    kept = _PROGRAMS.get(model)
    if kept is None or kept.key != key or kept.fingerprint.changed:
        program = model.program() if _is_current(type(model)) and library() is not None else None
        kept = _Kept(key, Fingerprint(tensors), program)
        _PROGRAMS[model] = kept
    return kept.program


def compiled_walk(
    model: AutoregressiveModel, batch_size: int, drawing: Drawing | None, context: Tensor | None, known: Tensor
) -> Tensor | None:
    """Values ``(B, n)`` along the order, of which ``known`` ``(B, k)`` are given; None if the model walks in Python."""
    program = program_of(model) if _draws(model, drawing) else None
    if program is None:
        return None
    return run(program, batch_size, model.num_variables, (model, context), drawing, known=known)


def compiled_particles(
    model: AutoregressiveModel, given: Tensor, flags: Tensor, weights: Weights, drawing: Drawing, source: Any
) -> Tensor | None:
    """Values ``(B P, n)`` of weighted particles along the order; None if the model walks in Python.

    Args:
        model: The model.
        given: Values ``(B, n)`` along the order.
        flags: True where a value is known, ``(B, n)``.
        weights: The weights of the particles, which change.
        drawing: How unknown values are drawn.
        source: The context of the particles, or, of a `SequenceModel`, their state before the first step.
    """
    program = program_of(model) if _draws(model, drawing) else None
    if program is None or program.end is not None:
        return None
    count = weights.log_weights.shape[1]
    size = len(given) * count
    known = given.repeat_interleave(count, dim=0)
    return run(program, size, given.shape[1], (model, source), drawing, known=known, flags=flags, weights=weights)


def compiled_draw(
    model: AutoregressiveModel,
    state: State,
    previous: Tensor | None,
    steps: int,
    choose: Choose | None,
    begin: int = 0,
) -> Tensor | None:
    """The values ``(B, steps)`` that follow ``state``, which becomes that of the last step; None as `compiled_walk`.

    Args:
        model: A model of sequences, whose program gives back its state.
        state: The state of the step, or of the pass, before.
        previous: The values ``(B,)`` before; None at the beginning.
        steps: The number of steps.
        choose: See `chainrule.choices.Choose`.
        begin: The number of steps before ``state``.
    """
    drawing = choose.drawing if isinstance(choose, ChangedDraw) else None
    program = program_of(model) if (choose is None or drawing) and _draws(model, drawing) else None
    if program is None:
        return None
    if previous is not None:
        model.conditional.check(previous)  # it becomes a place in a table
    batch_size = len(tensors_of(state)[0])
    return run(program, batch_size, steps, (model, state), drawing, begin=begin, previous=previous)


def _draws(model: AutoregressiveModel, drawing: Drawing | None) -> bool:
    """True if a program can draw so."""
    codes = model.conditional.codes
    return codes is not None and (drawing is None or drawing.plain or codes.changeable)


def _tensors(model: AutoregressiveModel) -> list[Tensor]:
    """The parameters and buffers of ``model``, in half the time that its own methods take to find both."""
    held = (own for module in model.modules() for own in (module._parameters, module._buffers))
    return [tensor for own in held for tensor in own.values() if tensor is not None]


def _version(parameter: Tensor) -> object:
    """A value that changes with a parameter: always a new one for one of inference mode, whose changes none counts."""
    return object() if parameter.is_inference() else parameter._version


def _is_current(model: type[AutoregressiveModel]) -> bool:
    """True if no subclass changed a step without its program."""
    owners = [
        next(base for base in model.__mro__ if name in vars(base)) for name in ("program", "forward", "start", "step")
    ]
    return all(issubclass(owners[0], owner) for owner in owners)
