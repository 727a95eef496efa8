"""A probability table: every conditional p(x_t | x_<t) by itself, one row for each joint value of the past.

p(x_t = k | x_<t) = (N(x_<t, k) + a) / (N(x_<t) + a K)

with N the number of training examples that begin so and a the prior. It can be any distribution over the K^n events,
but needs as many numbers, which all other models avoid.

References:
    Deep learning (Goodfellow, Bengio and Courville, 2016), section 16.1, https://www.deeplearningbook.org
    Bayesian data analysis (Gelman et al., 2013), section 3.4: the Dirichlet prior
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.abilities import Reorderable
from chainrule.compiled import Compiled
from chainrule.conditionals import Conditional
from chainrule.model import CountedModel
from chainrule.nn.conditional_tables import ConditionalTables, check_cells, check_prior, listed_values
from chainrule.nn.native.program import Program
from chainrule.order import Order, OrderSpec
from chainrule.state import Shared, State


class Table(CountedModel, Reorderable, Compiled):
    """The joint probabilities of a few variables, without any assumption.

    It is fitted by `count`, with the same result in any order, up to the prior. `reordered` gives the same joint in
    another order, so that completion is exact whatever is known.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_t | x_<t); its values must be listed.
        prior: Concentration a of the Dirichlet prior of every conditional: how often each value counts as seen
            beforehand. At 0, what was never seen has the probability 0.
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on, each with a table of its own;
            None for no classes.

    Raises:
        ValueError: If the values can't be listed, the prior is negative, or the table would have more than 2^24 cells.

    >>> from chainrule.conditionals import Bernoulli
    >>> table = Table(event_shape=(2,), conditional=Bernoulli(), prior=0.0)
    >>> table.count([(torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]), None)])
    >>> table.log_prob(torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])).exp()
    tensor([0.2500, 0.0000, 0.2500, 0.5000], grad_fn=<ExpBackward0>)
    """

    growth = "K^n - 1, for K values"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        prior: float = 1.0,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order, num_classes=num_classes)
        check_prior(prior)
        self.prior = prior
        num_values = len(listed_values(conditional, type(self).__name__))
        check_cells(range(self.num_variables), num_values, num_classes, type(self).__name__)
        self.positions: list[int] = self.order.permutation.tolist()
        parents: list[list[int]] = [[] for _ in self.positions]
        for t, position in enumerate(self.positions):
            parents[position] = self.positions[:t]
        self.tables = ConditionalTables(parents, conditional, num_classes)

    def count(self, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
        """Set the table from all ``(x, context)`` of the training examples, read once.

        Raises:
            ValueError: If there are no examples, or some are not of this model.
        """
        checked = ((self.check(x).flatten(1), self.check_context(context, len(x))) for x, context in batches)
        self.tables.count(checked, self.prior)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        parameters = self.tables(x.flatten(1), context)
        return self.conditional.distribution(parameters.unflatten(1, self.event_shape))

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return Shared(-1), torch.zeros(batch_size, dtype=torch.long, device=self.device), context

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        position, row, context = state
        t = position.value
        if previous is not None:
            row = row + self.tables.indices(previous) * self.tables.num_values**t
        t += 1
        parameters = self.tables.lookup(row + self.tables.starts[self.positions[t]], context)
        return self.conditional.distribution(parameters), (Shared(t), row, context)

    def program(self) -> Program | None:
        codes = self.conditional.codes
        return None if codes is None else self.tables.program(self.positions, codes)

    @property
    def one_joint(self) -> bool:
        return True

    def reordered(self, order: OrderSpec) -> Table:
        """The same joint as a table in another order; exact, from all K^n probabilities."""
        positions: list[int] = Order(order, self.event_shape).permutation.tolist()
        if positions == self.positions:
            return self
        view = type(self)(**{**self.config, "order": positions}).to(self.device, self.dtype).train(self.training)
        view.tables.set_log_probs(view._conditionals(self._joint(positions)))
        return view

    @torch.no_grad()
    def _joint(self, positions: Sequence[int]) -> Tensor:
        """Log-probabilities ``(C, K^n)`` of all events in nats, the variable at ``positions[0]`` changing fastest."""
        log_probs, num_values = self.tables.log_probs(), self.tables.num_values
        joint = log_probs.new_zeros(len(log_probs), 1)
        for position in self.positions:
            longer = joint[..., None] + self.tables.of(log_probs, position)
            joint = longer.transpose(1, 2).flatten(1)
        grid = joint.view(-1, *[num_values] * self.num_variables)
        dimensions = {position: self.num_variables - t for t, position in enumerate(self.positions)}
        return grid.permute(0, *(dimensions[position] for position in reversed(positions))).flatten(1)

    @torch.no_grad()
    def _conditionals(self, joint: Tensor) -> Tensor:
        """Log-probabilities ``(C, R, K)`` of this model's tables, from the result of `_joint` in its order."""
        num_values = self.tables.num_values
        log_probs = joint.new_empty(len(joint), self.tables.starts[-1], num_values)
        for position in reversed(self.positions):
            longer = joint.view(len(joint), num_values, -1).transpose(1, 2)
            joint = longer.logsumexp(2)
            possible = joint[..., None] > -torch.inf
            uniform = torch.full_like(longer, 1 / num_values).log()
            self.tables.of(log_probs, position).copy_(torch.where(possible, longer - joint[..., None], uniform))
        return log_probs
