"""Description: the size of a model, its growth, and the cost of a likelihood and of a sample."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from chainrule.abilities import components_of
from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel, Model
from chainrule.sequence import SequenceModel, frame_size_of
from chainrule.walk import walk


@dataclass(frozen=True)
class Description:
    """The size and the cost of a model.

    Attributes:
        model: The class.
        event_shape: Shape of one example.
        variables: The number n of variables.
        conditional: The family of p(x_t | x_<t).
        parameters: Trainable numbers that no mask holds at zero.
        growth: The growth of that number with n.
        log_prob_operations: Multiplications and additions in the matrix products of one example's log_prob, counted;
            None without a likelihood.
        sample_operations: The same for one example sampled by steps.
        receptive_field: The number of variables before x_t that its conditional sees, in a model of sequences; None
            for all.
    """

    model: str
    event_shape: tuple[int, ...]
    variables: int
    conditional: str
    parameters: int
    growth: str
    log_prob_operations: int | None
    sample_operations: int | None
    receptive_field: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        size = (
            f"{self.model} of {self.variables} variables {self.event_shape}, {self.conditional}: "
            f"{self.parameters:,} parameters, growing as {self.growth}"
        )
        if self.log_prob_operations is None:
            return f"{size}; no likelihood"
        seen = "" if self.receptive_field is None else f"; each sees the {self.receptive_field:,} before it"
        operations = f"{self.log_prob_operations:,} operations per log_prob, {self.sample_operations:,} per sample"
        return f"{size}{seen}; {operations}"


def describe(model: Model) -> Description:
    """Describe ``model``; the operations are counted by torch's FLOP counter, not estimated."""
    log_prob, sample = _operations(model) if isinstance(model, AutoregressiveModel) else (None, None)
    return Description(
        model=type(model).__name__,
        event_shape=model.event_shape,
        variables=model.num_variables,
        conditional=str(model.conditional),
        parameters=model.num_parameters,
        growth=model.growth,
        log_prob_operations=log_prob,
        sample_operations=sample,
        receptive_field=model.receptive_field if isinstance(model, SequenceModel) else None,
    )


def _telling(conditional: Conditional) -> Tensor:
    """The probe that has the most features other than zero."""
    return max(conditional.probes, key=lambda value: int(conditional.encode(value.double()).count_nonzero()))


def _operations(model: AutoregressiveModel) -> tuple[int, int]:
    """Count the operations of one log_prob and one sample, on an example without zeros, so that none is left out."""
    model = copy.deepcopy(model).double()  # the fused kernels of single precision hide their products from the counter
    with torch.no_grad():
        count = 1 if model.conditional.uniform else model.num_variables
        values = torch.stack([_telling(model.conditional.of(i)) for i in range(count)])
        x = values.to(model.dtype).expand(model.num_variables).reshape(1, *model.event_shape)
        context = None if model.num_classes is None else torch.zeros(1, dtype=torch.long)
        if (frame_size := frame_size_of(model)) is not None:
            context = torch.zeros(1, model.num_variables, frame_size)
        with FlopCounterMode(display=False) as log_prob_counter:
            model.log_prob(x.to(model.device), context)
        return log_prob_counter.get_total_flops(), _operations_of_steps(components_of(model)[0], context)


def _operations_of_steps(model: AutoregressiveModel, context: Tensor | None) -> int:
    """Count the operations of one sample; all steps but the first of a sequence of any length cost the same."""
    counts = []
    for length in (1, 2) if model.any_length and model.num_variables > 2 else (None,):
        with FlopCounterMode(display=False) as counter:
            walk(model, 1, lambda t, distribution: distribution.sample(), context, length=length)
        counts.append(counter.get_total_flops())
    return counts[0] + (counts[-1] - counts[0]) * (model.num_variables - 1)
