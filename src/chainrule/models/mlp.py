"""Multi-layer perceptrons: one hidden layer per variable, with weights of its own.

h_t = sigmoid(c_t + A_t x_<t),    p(x_t = 1 | x_<t) = sigmoid(b_t + alpha_t h_t)

NADE is this model with one matrix for all A_t, and one c. In the first reference the outputs also read the hidden
units of earlier variables; here each reads only its own, so that nothing is shared between two conditionals.

References:
    Modeling high-dimensional discrete data with multi-layer neural networks (Bengio and Bengio, 1999),
    https://papers.nips.cc/paper/1679
    The neural autoregressive distribution estimator (Larochelle and Murray, 2011),
    https://proceedings.mlr.press/v15/larochelle11a.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.compiled import Compiled
from chainrule.conditionals import Conditional
from chainrule.nn.buffers import cut_rows, write_columns
from chainrule.nn.checks import activation_called, check_dropout
from chainrule.nn.class_bias import ClassBias, plus
from chainrule.nn.masked_linear import MaskedLinear, degree_mask
from chainrule.nn.native.program import Program, window_of
from chainrule.nn.outputs import start_output
from chainrule.order import OrderSpec
from chainrule.state import Shared, State

# Shape legend: B examples, n variables, f features and p parameters per variable, d hidden units per variable.


class MLP(Compiled):
    """n networks of one hidden layer, computed together: a masked product, then a batched one.

    `features` are the hidden units of all variables, ``(B, n d)``, along the order. Weights are kept along the
    order too.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_t | x_<t).
        hidden_size: Number d of hidden units of every variable.
        activation: ``"sigmoid"`` or ``"relu"``.
        dropout: Probability with which a hidden unit is dropped in training.
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: If ``hidden_size`` is below 1, the activation is unknown, or ``dropout`` is not in [0, 1).

    >>> from chainrule.conditionals import Bernoulli
    >>> model = MLP(event_shape=(784,), conditional=Bernoulli(), hidden_size=16)
    >>> model.num_parameters == 16 * 784 * 783 // 2 + 2 * 784 * 16 + 784
    True
    """

    growth = "dn(n - 1)/2 + 2nd + n"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_size: int = 16,
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        dropout: float = 0.0,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order, num_classes=num_classes)
        if hidden_size < 1:
            raise ValueError(f"hidden_size expects at least 1, got {hidden_size}")
        self.hidden_size = hidden_size
        self.activation, self.activate = activation, activation_called(activation)
        self.dropout = nn.Dropout(check_dropout(dropout))
        n, p = self.num_variables, conditional.num_parameters
        time = torch.arange(n)
        units, inputs = time.repeat_interleave(hidden_size), time.repeat_interleave(conditional.num_features)
        self.hidden_layer = MaskedLinear(degree_mask(units, inputs, strict=True))
        self.output_weight = nn.Parameter(torch.randn(n, hidden_size, p) / (2 * hidden_size**0.5))
        self.output_bias = nn.Parameter(torch.zeros(n * p))
        self.class_bias = ClassBias(num_classes, n * hidden_size)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Draw the hidden weights so that all units' sums have the same variance, however many inputs each sees."""
        # A ReLU passes half of what it gets.
        gain = 2**0.5 if self.activate is torch.relu else 1.0
        live = self.hidden_layer.mask.sum(1, keepdim=True).clamp(min=1)
        self.hidden_layer.weight.normal_().mul_(gain / live.sqrt())
        self.hidden_layer.bias.zero_()

    def _hidden(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The hidden units ``(B, n d)``, along the order."""
        features = self.order.flatten(self.conditional.encode(x)).flatten(1)
        return self.dropout(self.activate(plus(self.hidden_layer(features), self.class_bias(context))))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        hidden_nBd = self._hidden(x, context).unflatten(1, (self.num_variables, -1)).transpose(0, 1)
        bias_n1p = self.output_bias.view(self.num_variables, 1, -1)
        parameters_nBp = torch.baddbmm(bias_n1p, hidden_nBd, self.output_weight)
        return self.conditional.distribution(self.order.unflatten(parameters_nBp.transpose(0, 1)))

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.check(x)
        return self._hidden(x, self.check_context(context, len(x)))

    def start_at(self, x: Tensor) -> None:
        start_output(self.output_weight, self.output_bias, self.order.along(self._start_of_each(x)))

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        hidden = cut_rows(self.hidden_layer.weight, self.hidden_layer.bias, self.hidden_size)
        biases = self.output_bias.split(self.conditional.num_parameters)
        outputs = list(zip(biases, self.output_weight.unbind(0), strict=True))
        features = self.empty(batch_size, self.num_variables * self.conditional.num_features)
        return Shared(-1), Shared((hidden, outputs)), features, self.class_bias(context)

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        """`AutoregressiveModel.step`, which computes only the d units of the next variable, from the known values."""
        position, weights, features, class_bias = state
        t = position.value
        hidden, outputs = weights.value
        f, d = self.conditional.num_features, self.hidden_size
        if previous is not None:
            features = write_columns(features, self.conditional_at(t).encode(previous), t * f)
        t += 1
        weight, bias = hidden[t]
        sum_Bd = F.linear(features.narrow(1, 0, t * f), weight.narrow(1, 0, t * f), bias)
        if class_bias is not None:
            sum_Bd = sum_Bd + class_bias.narrow(1, t * d, d)
        bias, weight = outputs[t]
        parameters_Bp = torch.addmm(bias, self.activate(sum_Bd), weight)
        return self.conditional_at(t).distribution(parameters_Bp), (Shared(t), weights, features, class_bias)

    def program(self) -> Program | None:
        if (codes := self.conditional.codes) is None:
            return None
        n, d, f, p = (
            self.num_variables, self.hidden_size, self.conditional.num_features, self.conditional.num_parameters
        )  # fmt: skip
        t, program, layer = np.arange(n), Program(), self.hidden_layer
        rows = np.full(n, d)
        features, window, parameters = program.units(n * f), program.units(window_of(rows)), program.units(p)
        program.encode(features + (t - 1) * f, codes, f)
        program.begin()
        hidden = program.growing(window, layer.weight, features, layer.bias, rows, t * f, window=True)
        if size := self.class_bias.size:
            program.add(hidden, program.give(size, lambda model, context: model.class_bias(context)) + t * d, d)
        program.map(hidden, hidden, d, self.activation)
        weight = self.output_weight.transpose(1, 2).reshape(n * p, d)
        program.linear(parameters, weight, hidden, self.output_bias, rows=p, weight_at=t * p * d, bias_at=t * p)
        program.choose(parameters, p, codes)
        return program
