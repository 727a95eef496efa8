"""Fully visible sigmoid belief network: one logistic regression per variable.

p(x_t = 1 | x_<t) = sigmoid(b_t + sum_{s<t} W_ts x_s)

References:
    Connectionist learning of belief networks (Neal, 1992), https://doi.org/10.1016/0004-3702(92)90065-6
    Does the wake-sleep algorithm produce good density estimators? (Frey, Hinton and Dayan, 1995),
    https://papers.nips.cc/paper/1153
    Dropout training as adaptive regularization (Wager, Wang and Liang, 2013), https://arxiv.org/abs/1307.1493
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.compiled import Compiled
from chainrule.conditionals import Conditional
from chainrule.nn.buffers import cut_rows, write_columns
from chainrule.nn.checks import check_dropout
from chainrule.nn.class_bias import ClassBias, plus
from chainrule.nn.masked_linear import MaskedLinear, degree_mask
from chainrule.nn.native.program import Program, window_of
from chainrule.nn.outputs import start_output
from chainrule.order import OrderSpec
from chainrule.state import Shared, State


class FVSBN(Compiled):
    """n (generalised) linear regressions, computed together as one strictly lower-triangular layer.

    With `Bernoulli` conditionals it has n(n + 1)/2 parameters. Each regression sees all earlier
    variables directly, so the likelihood is concave in the parameters.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_t | x_<t).
        dropout: Probability with which an earlier variable is dropped in training: a penalty on the
            weights that spares those whose variable says much (Wager et al., 2013).
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: If ``dropout`` is not in [0, 1).

    >>> from chainrule.conditionals import Bernoulli
    >>> FVSBN(event_shape=(784,), conditional=Bernoulli()).num_parameters == 784 * 785 // 2
    True
    """

    growth = "n(n + 1)/2"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        dropout: float = 0.0,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order, num_classes=num_classes)
        self.dropout = nn.Dropout(check_dropout(dropout))
        time = torch.arange(self.num_variables)
        mask = degree_mask(
            time.repeat_interleave(conditional.num_parameters),
            time.repeat_interleave(conditional.num_features),
            strict=True,
        )
        self.regressions = MaskedLinear(mask)
        nn.init.zeros_(self.regressions.weight)
        nn.init.zeros_(self.regressions.bias)
        self.class_bias = ClassBias(num_classes, self.num_variables * conditional.num_parameters)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        features = self.order.flatten(self.conditional.encode(x)).flatten(1)
        parameters = plus(self.regressions(self.dropout(features)), self.class_bias(context))
        parameters = parameters.unflatten(1, (self.num_variables, -1))
        return self.conditional.distribution(self.order.unflatten(parameters))

    def start_at(self, x: Tensor) -> None:
        own = self.order.along(self._start_of_each(x))
        start_output(self.regressions.weight, self.regressions.bias, own, self.class_bias)

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        regressions = cut_rows(self.regressions.weight, self.regressions.bias, self.conditional.num_parameters)
        features = self.empty(batch_size, self.num_variables * self.conditional.num_features)
        return Shared(-1), Shared(regressions), features, self.class_bias(context)

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        position, regressions, features, class_bias = state
        t = position.value
        f, p = self.conditional.num_features, self.conditional.num_parameters
        if previous is not None:
            features = write_columns(features, self.conditional_at(t).encode(previous), t * f)
        t += 1
        weight, bias = regressions.value[t]
        parameters = F.linear(features.narrow(1, 0, t * f), weight.narrow(1, 0, t * f), bias)
        if class_bias is not None:
            parameters = parameters + class_bias.narrow(1, t * p, p)
        return self.conditional_at(t).distribution(parameters), (Shared(t), regressions, features, class_bias)

    def program(self) -> Program | None:
        if (codes := self.conditional.codes) is None:
            return None
        f, p = self.conditional.num_features, self.conditional.num_parameters
        weight, bias = self.regressions.weight, self.regressions.bias
        t, program = np.arange(self.num_variables), Program()
        rows = np.full(self.num_variables, p)
        features, window = program.units(self.num_variables * f), program.units(window_of(rows))
        program.encode(features + (t - 1) * f, codes, f)
        program.begin()
        parameters = program.growing(window, weight, features, bias, rows, t * f, window=True)
        if size := self.class_bias.size:
            program.add(parameters, program.give(size, lambda model, context: model.class_bias(context)) + t * p, p)
        program.choose(parameters, p, codes)
        return program
