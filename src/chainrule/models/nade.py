"""Neural autoregressive distribution estimator: one hidden layer per variable, with tied weights.

h_t = sigmoid(c + sum_{s<t} W_{.,s} x_s),    p(x_t = 1 | x_<t) = sigmoid(b_t + V_t h_t)

The sum over s grows by one term per variable, so all n hidden layers cost O(nd) together.

Trained for all orders (EoNADE), the network also reads which variables are known, the mask m, and may be deep
(DeepNADE): h = g(c + W (x * m) + U m). Its loss is an unbiased estimate of -log p(x), averaged over all orders, from
one pass: with d random variables known, n / (n - d) times the sum of -log p(x_i | x_known) over the others.

References:
    The neural autoregressive distribution estimator (Larochelle and Murray, 2011),
    https://proceedings.mlr.press/v15/larochelle11a.html
    A deep and tractable density estimator (Uria, Murray and Larochelle, 2014), https://arxiv.org/abs/1310.1757
    Neural autoregressive distribution estimation (Uria et al., 2016), https://arxiv.org/abs/1605.02226
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.abilities import Reorderable, Varied
from chainrule.compiled import Compiled
from chainrule.conditionals import Conditional
from chainrule.nn.buffers import cut_rows
from chainrule.nn.checks import activation_called, check_dropout
from chainrule.nn.class_bias import ClassBias, plus
from chainrule.nn.native.program import Program
from chainrule.nn.outputs import start_output
from chainrule.order import Order, OrderSpec
from chainrule.state import Shared, State

# Shape legend: B examples, n variables, f features and p parameters per variable, d hidden units,
# k variables of a chunk, R distinct hidden states of a chunk.

CHUNK, SHORT_CHUNK = 32, 8
"""Variables per chunk of the parallel pass: few enough that a chunk's hidden states stay in cache. A chunk costs
products of its size squared for every hidden state, so it is short where no two variables share a state."""


class NADE(Compiled, Reorderable, Varied):
    """A hidden layer of ``hidden_size`` units before every variable, all sharing one weight matrix.

    `features` are the hidden units (of the last layer) that have seen the whole example.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_t | x_<t).
        hidden_size: Number d of units of each hidden layer.
        num_layers: Hidden layers; those after the first cost O(n d^2) per example in every fixed order.
        order_agnostic: Train for all orders at once (EoNADE, DeepNADE): `reordered` then gives the model in any
            order, and `variant` i that in the order ``random:i``.
        activation: ``"sigmoid"``, as in the first paper, or ``"relu"``.
        dropout: Probability with which a hidden unit is dropped, for all variables of an example, in training.
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: If a size is below 1, the activation is unknown, or ``dropout`` is not in [0, 1).

    >>> from chainrule.conditionals import Bernoulli
    >>> model = NADE(event_shape=(3,), conditional=Bernoulli(), hidden_size=4, order_agnostic=True)
    >>> model.reordered([2, 0, 1]).order.permutation.tolist()
    [2, 0, 1]
    """

    growth = "2nd + n + d"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_size: int = 500,
        num_layers: int = 1,
        order_agnostic: bool = False,
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        dropout: float = 0.0,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order, num_classes=num_classes)
        for name, size in {"hidden_size": hidden_size, "num_layers": num_layers}.items():
            if size < 1:
                raise ValueError(f"{name} expects at least 1, got {size}")
        self.dropout = check_dropout(dropout)
        self.order_agnostic = order_agnostic
        self.activation, self.activate = activation, activation_called(activation)
        self.activate_ = torch.sigmoid_ if activation == "sigmoid" else torch.relu_
        n, scale = self.num_variables, hidden_size**-0.5
        self.num_inputs = conditional.num_features + order_agnostic
        self.input_weight = nn.Parameter(scale * torch.randn(n * self.num_inputs, hidden_size) / 2)
        self.hidden_bias = nn.Parameter(torch.zeros(hidden_size))
        self.output_weight = nn.Parameter(scale * torch.randn(n * conditional.num_parameters, hidden_size) / 2)
        self.output_bias = nn.Parameter(torch.zeros(n * conditional.num_parameters))
        self.deep_layers = nn.ModuleList(nn.Linear(hidden_size, hidden_size) for _ in range(num_layers - 1))
        self.class_bias = ClassBias(num_classes, hidden_size)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        f, p = self.num_inputs, self.conditional.num_parameters
        features_Bnf = self.order.flatten(self._inputs(x))
        before_Bd = self._bias(len(x), context)
        # One draw for all variables of an example: a draw for each would cost more than the rest of the pass.
        kept = self._draw_kept(before_Bd)
        output_weight, output_bias = self._outputs()
        chunk = SHORT_CHUNK if self.order_agnostic else CHUNK
        chunks = []
        for features_Bkf, changes_Bk, input_weight, weight in zip(
            features_Bnf.split(chunk, dim=1),
            self._changes(features_Bnf).split(chunk, dim=1),
            self.order.along(self.input_weight, 0, f).split(chunk * f),
            output_weight.split(chunk * p),
            strict=True,
        ):
            hidden_Rd, state_Bk = self._hidden(features_Bkf, changes_Bk, before_Bd, input_weight, kept)
            parameters_Rkp = (hidden_Rd @ weight.T).unflatten(1, (-1, p))
            chunks.append(parameters_Rkp.gather(0, state_Bk[..., None].expand(-1, -1, p)))
            before_Bd = torch.addmm(before_Bd, features_Bkf.flatten(1), input_weight)
        parameters_Bnp = torch.cat(chunks, dim=1) + output_bias.view(-1, p)
        return self.conditional.distribution(self.order.unflatten(parameters_Bnp))

    def _hidden(
        self, features_Bkf: Tensor, changes_Bk: Tensor, before_Bd: Tensor, weight: Tensor, kept: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Distinct hidden states ``(R, d)`` of a chunk, and which of them ``(B, k)`` each variable sees.

        A variable whose features are zero leaves the hidden layer as it was, so each distinct state
        is computed once, all of them in one product, and shared by the variables that see it.
        """
        k = changes_Bk.shape[1]
        is_new_Bk = changes_Bk.roll(1, dims=1)
        is_new_Bk[:, 0] = True
        example_R, time_R = is_new_Bk.nonzero(as_tuple=True)
        seen_Rk = torch.arange(k, device=time_R.device) < time_R[:, None]
        prefix_Rkf = features_Bkf.index_select(0, example_R) * seen_Rk[..., None]
        sum_Rd = before_Bd.index_select(0, example_R)
        sum_Rd.addmm_(prefix_Rkf.flatten(1).to(sum_Rd.dtype), weight.to(sum_Rd.dtype))
        hidden_Rd = self._deep(self.activate_(sum_Rd), [kept_Bd.index_select(0, example_R) for kept_Bd in kept])
        return hidden_Rd, (is_new_Bk.flatten().cumsum(0) - 1).view(-1, k)

    def _deep(self, hidden: Tensor, kept: Sequence[Tensor] = ()) -> Tensor:
        """The last hidden layer, from the first; ``kept`` holds the units of each layer that dropout keeps."""
        hidden = hidden * kept[0] if kept else hidden
        for i, layer in enumerate(self.deep_layers, start=1):
            hidden = self.activate(layer(hidden))
            hidden = hidden * kept[i] if kept else hidden
        return hidden

    def _draw_kept(self, like_Bd: Tensor) -> list[Tensor]:
        """The units that dropout keeps, drawn for each layer; none if nothing is dropped."""
        if not (self.training and self.dropout):
            return []
        return [F.dropout(torch.ones_like(like_Bd), self.dropout) for _ in range(1 + len(self.deep_layers))]

    def _inputs(self, x: Tensor, conditional: Conditional | None = None) -> Tensor:
        """Inputs of the first layer for known values ``(...)``: their features and, if order-agnostic, a one each."""
        features = (conditional or self.conditional).encode(x)
        return torch.cat([features, torch.ones_like(features[..., :1])], dim=-1) if self.order_agnostic else features

    def _bias(self, batch_size: int, context: Tensor | None) -> Tensor:
        """The sum of the first layer before anything is known, ``(B, d)``."""
        return plus(self.hidden_bias.expand(batch_size, -1), self.class_bias(context))

    def _outputs(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the output layer along the order."""
        p = self.conditional.num_parameters
        return self.order.along(self.output_weight, 0, p), self.order.along(self.output_bias, 0, p)

    def _changes(self, features: Tensor) -> Tensor:
        """True for the values, of features ``(..., f)``, that change the hidden layer.

        All do if the mask is an input too, or if gradients with respect to the values are needed.
        """
        if self.order_agnostic or features.requires_grad:
            return torch.ones_like(features[..., 0], dtype=torch.bool)
        return (features != 0).any(-1)

    def start_at(self, x: Tensor) -> None:
        start_output(self.output_weight, self.output_bias, self._start_of_each(x))

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        outputs = cut_rows(*self._outputs(), self.conditional.num_parameters)
        input_rows = list(self.order.along(self.input_weight, 0, self.num_inputs).split(self.num_inputs))
        return Shared(-1), Shared((input_rows, outputs)), self._bias(batch_size, context)

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        position, weights, sum_Bd = state
        t = position.value
        input_rows, outputs = weights.value
        if previous is not None:
            sum_Bd = torch.addmm(sum_Bd, self._inputs(previous, self.conditional_at(t)), input_rows[t])
        t += 1
        parameters_Bp = F.linear(self._deep(self.activate(sum_Bd)), *outputs[t])
        return self.conditional_at(t).distribution(parameters_Bp), (Shared(t), weights, sum_Bd)

    def program(self) -> Program | None:
        if (codes := self.conditional.codes) is None:
            return None
        f, p, d = self.num_inputs, self.conditional.num_parameters, len(self.hidden_bias)
        t, program = np.arange(self.num_variables), Program()
        inputs = program.units(self.conditional.num_features)
        if self.order_agnostic:  # the mask: a one for every known value
            program.give(1, lambda *_: torch.ones(1, 1))
        hidden, below, parameters = (program.units(count) for count in (d, d, p))
        sums = program.give(d, NADE._sums_of)
        program.encode(inputs, codes, self.conditional.num_features)
        program.rows(sums, self.order.along(self.input_weight, 0, f), inputs, rows=f, weight_at=(t - 1) * f * d)
        program.begin()
        program.map(hidden, sums, d, self.activation)
        for layer in self.deep_layers:
            deep_weight, deep_bias = layer.parameters()
            program.linear(below, deep_weight, hidden, deep_bias)
            program.map(hidden, below, d, self.activation)
        weight, bias = self._outputs()
        program.linear(parameters, weight, hidden, bias, rows=p, weight_at=t * p * d, bias_at=t * p)
        program.choose(parameters, p, codes)
        return program

    def _sums_of(self, context: Tensor | None) -> Tensor:
        """The sums ``(1 or B, d)`` of the first layer before anything is known."""
        return self._bias(1 if context is None else len(context), context)

    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """-log p(x), or, if order-agnostic, its estimate from a random set of known variables (equation 10 of 2014)."""
        if not self.order_agnostic:
            return super().loss(x, context)
        x = self.check(x)
        context = self.check_context(context, len(x))
        n = self.num_variables
        known_Bn, missing_B = random_subsets(len(x), n, x.device)
        inputs_Bnf = self._inputs(x.flatten(1)) * known_Bn[..., None]
        sum_Bd = self._bias(len(x), context) + inputs_Bnf.flatten(1) @ self.input_weight
        hidden_Bd = self._deep(self.activate(sum_Bd), self._draw_kept(sum_Bd))
        parameters = F.linear(hidden_Bd, self.output_weight, self.output_bias).unflatten(1, (n, -1))
        log_probs_Bn = self.conditional.distribution(parameters).log_prob(x.flatten(1))
        return -(log_probs_Bn * ~known_Bn).sum(1) * (n / missing_B)

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.check(x)
        inputs = self._inputs(x.flatten(1)).flatten(1)
        bias = self._bias(len(x), self.check_context(context, len(x)))
        return self._deep(self.activate(bias + inputs @ self.input_weight))

    @property
    def one_joint(self) -> bool:
        return False

    def reordered(self, order: OrderSpec) -> Self | None:
        """An order-agnostic model's view in another order: it shares all weights."""
        if not self.order_agnostic:
            return None
        view = copy.copy(self)
        view._modules = {**self._modules, "order": Order(order, self.event_shape).to(self.device)}
        view._arguments = {**self._arguments, "order": order}
        return view

    def variant(self, index: int) -> Self:
        view = self if index == 0 else self.reordered(f"random:{index}") if index > 0 else None
        if view is None:
            raise ValueError(f"NADE has one variant, 0, and more only if it is order-agnostic, got {index}")
        return view


def random_subsets(batch_size: int, n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random subsets of d of the n variables, d uniform from 0 to n - 1: booleans ``(B, n)``, and n - d ``(B,)``.

    The sizes d are spread evenly over the batch: each is still uniform, and means have a lower variance.
    """
    spread_B = (torch.randperm(batch_size, device=device) + torch.rand(batch_size, device=device)) / batch_size
    size_B = (spread_B * n).long().clamp(max=n - 1)
    uniform_Bn = torch.rand(batch_size, n, device=device)
    bound_B1 = uniform_Bn.sort(dim=1).values.gather(1, size_B[:, None])
    known_Bn = uniform_Bn < bound_B1
    return known_Bn, n - known_Bn.sum(1)
