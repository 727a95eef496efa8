"""Description: the size of a model, its growth, and the cost of a likelihood and of a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from chainrule.abilities import components_of, members_of, step_group_of
from chainrule.card import Card
from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel, Model
from chainrule.sequence import SequenceModel, frame_size_of

T = TypeVar("T")


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

    def _repr_html_(self) -> str:
        return Card(f"{self.model} of {self.variables:,} variables", self.as_dict() | {"model": None}).html()

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


class _Counter(TorchDispatchMode):
    """Counts operations by the formulas of torch's FLOP counter.

    It looks at no module and takes no operation apart, which makes it several times as fast as `FlopCounterMode`.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0
        self._formulas = FlopCounterMode(display=False).flop_registry

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch would import its compiler, for a second, to tell it to leave this class alone

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        formula = self._formulas.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **kwargs, out_val=result)
        return result

    def count(self, compute: Callable[[], T]) -> tuple[int, T]:
        """The operations of a computation, and its result."""
        before = self.total
        with self:
            result = compute()
        return self.total - before, result


def _operations(model: AutoregressiveModel) -> tuple[int, int]:
    """Count the operations of one log_prob and one sample, on an example without zeros, so that none is left out."""
    with _unfused(model), torch.random.fork_rng():
        x = _example(model)
        context = None if model.num_classes is None else torch.zeros(1, dtype=torch.long, device=model.device)
        if (frame_size := frame_size_of(model)) is not None:
            context = model.empty(1, model.num_variables, frame_size)
        return _operations_of_log_prob(model, x, context), _operations_of_sample(model, x, context)


@contextmanager
def _unfused(model: AutoregressiveModel) -> Iterator[None]:
    """Compute without fused kernels, which hide their products from the counter: torch's, and those of sequence models.

    The latter are left where gradients are wanted.
    """
    gradients = any(isinstance(part, SequenceModel) for part in model.modules())
    mkldnn = torch.backends.mkldnn.flags(enabled=False, deterministic=None, allow_tf32=None, fp32_precision=None)
    with torch.set_grad_enabled(gradients), mkldnn, torch.backends.cudnn.flags(enabled=False):
        yield


def _example(model: AutoregressiveModel) -> Tensor:
    """One example ``(1, *event_shape)`` of values that have few features of zero."""
    count = 1 if model.conditional.uniform else model.num_variables
    values = torch.stack([_telling(model.conditional.of(i)) for i in range(count)])
    return values.to(model.empty(0)).expand(model.num_variables).reshape(1, *model.event_shape)


def _telling(conditional: Conditional) -> Tensor:
    """The probe that has the most features other than zero."""
    probes = conditional.probes
    return probes[conditional.encode(probes.double()).count_nonzero(-1).argmax()]


def _operations_of_log_prob(model: AutoregressiveModel, x: Tensor, context: Tensor | None) -> int:
    """Count the operations of one log_prob. If all steps but the first cost the same, the first three are enough."""
    counted = _Counter().count
    n = model.num_variables
    if not isinstance(model, SequenceModel) or n < 4 or len({model.step_group(t) for t in range(1, n)}) > 1:
        return counted(lambda: model.log_prob(x, context))[0]
    sequence = x if model.any_length else model.order.flatten(x)
    started, state = counted(lambda: model.start(1, model.check_context(context, 1)))
    first_two, (_, state) = counted(lambda: model.advance(state, None, sequence[:, :2]))
    third, _ = counted(lambda: model.advance(state, sequence[:, 1], sequence[:, 2:3]))
    return started + first_two + (n - 2) * third


def _operations_of_sample(model: AutoregressiveModel, x: Tensor, context: Tensor | None) -> int:
    """Count the operations of one sample: by a step of each group, or by the members of a mixture."""
    model = components_of(model)[0]
    if members := members_of(model):
        return sum(_operations_of_sample(member, x, context) for member in members)
    counted = _Counter().count
    groups = [step_group_of(model, t) for t in range(model.num_variables)]
    sizes, costs = Counter(groups), dict[Hashable, int]()
    started, state = counted(lambda: model.start(1, model.check_context(context, 1)))
    previous = None
    for group, value in zip(groups, model.order.flatten(x).unbind(1), strict=True):
        cost, (_, state) = counted(partial(model.step, state, previous))
        costs.setdefault(group, cost)
        if len(costs) == len(sizes):
            break
        previous = value
    return started + sum(costs[group] * size for group, size in sizes.items())
