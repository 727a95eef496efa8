"""Neural autoregressive distribution estimator: one hidden layer per variable, with tied weights.

h_t = sigmoid(c + sum_{s<t} W_{.,s} x_s),    p(x_t = 1 | x_<t) = sigmoid(b_t + V_t h_t)

The sum over s grows by one term per variable, so all n hidden layers cost O(nd) together.

References:
    The neural autoregressive distribution estimator (Larochelle and Murray, 2011),
    https://proceedings.mlr.press/v15/larochelle11a.html
    Neural autoregressive distribution estimation (Uria et al., 2016), https://arxiv.org/abs/1605.02226
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel, State
from chainrule.nn.buffers import cut_rows
from chainrule.order import OrderSpec

# Shape legend: B examples, n variables, f features and p parameters per variable, d hidden units,
# k variables of a block, R distinct hidden states of a block.

BLOCK = 32
"""Variables per block of the parallel pass: few enough that a block's hidden states stay in cache."""


class NADE(AutoregressiveModel):
    """A hidden layer of ``hidden_size`` units before every variable, all sharing one weight matrix.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_t | x_<t).
        hidden_size: Number d of hidden units.
        activation: ``"sigmoid"``, as in the first paper, or ``"relu"``.
        dropout: Probability with which a hidden unit is dropped, for all variables of an example, in training.
        order: In which sequence the variables are generated.

    Raises:
        ValueError: If ``hidden_size`` is below 1, the activation is unknown, or ``dropout`` is not in [0, 1).
    """

    growth = "2nd + n + d"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_size: int = 500,
        activation: Literal["sigmoid", "relu"] = "sigmoid",
        dropout: float = 0.0,
        order: OrderSpec = "raster",
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order)
        if hidden_size < 1:
            raise ValueError(f"hidden_size expects at least 1, got {hidden_size}")
        if activation not in ("sigmoid", "relu"):
            raise ValueError(f"activation expects 'sigmoid' or 'relu', got {activation!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout expects a probability in [0, 1), got {dropout}")
        self.dropout = dropout
        self.activate = torch.sigmoid if activation == "sigmoid" else torch.relu
        self.activate_ = torch.sigmoid_ if activation == "sigmoid" else torch.relu_
        n, scale = self.num_variables, hidden_size**-0.5
        self.input_weight = nn.Parameter(scale * torch.randn(n * conditional.num_features, hidden_size) / 2)
        self.hidden_bias = nn.Parameter(torch.zeros(hidden_size))
        self.output_weight = nn.Parameter(scale * torch.randn(n * conditional.num_parameters, hidden_size) / 2)
        self.output_bias = nn.Parameter(torch.zeros(n * conditional.num_parameters))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        f, p = self.conditional.num_features, self.conditional.num_parameters
        features_Bnf = self.conditional.encode(self.order.flatten(x))
        before_Bd = self.hidden_bias.expand(len(x), -1)
        # One draw for all variables of an example: a draw for each would cost more than the rest of the pass.
        kept_Bd = F.dropout(torch.ones_like(before_Bd), self.dropout) if self.training and self.dropout else None
        blocks = []
        for features_Bkf, changes_Bk, input_weight, output_weight in zip(
            features_Bnf.split(BLOCK, dim=1),
            _changes(features_Bnf).split(BLOCK, dim=1),
            self.input_weight.split(BLOCK * f),
            self.output_weight.split(BLOCK * p),
            strict=True,
        ):
            hidden_Rd, state_Bk = self._hidden(features_Bkf, changes_Bk, before_Bd, input_weight, kept_Bd)
            parameters_Rkp = (hidden_Rd @ output_weight.T).unflatten(1, (-1, p))
            blocks.append(parameters_Rkp.gather(0, state_Bk[..., None].expand(-1, -1, p)))
            before_Bd = torch.addmm(before_Bd, features_Bkf.flatten(1), input_weight)
        parameters_Bnp = torch.cat(blocks, dim=1) + self.output_bias.view(-1, p)
        return self.conditional.distribution(self.order.unflatten(parameters_Bnp))

    def _hidden(
        self, features_Bkf: Tensor, changes_Bk: Tensor, before_Bd: Tensor, weight: Tensor, kept_Bd: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Distinct hidden states ``(R, d)`` of a block, and which of them ``(B, k)`` each variable sees.

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
        hidden_Rd = self.activate_(sum_Rd)
        if kept_Bd is not None:
            hidden_Rd = hidden_Rd * kept_Bd.index_select(0, example_R)
        return hidden_Rd, (is_new_Bk.flatten().cumsum(0) - 1).view(-1, k)

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        outputs = cut_rows(self.output_weight, self.output_bias, self.conditional.num_parameters)
        return -1, self.hidden_bias.expand(batch_size, -1), outputs

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        t, sum_Bd, outputs = state
        f = self.conditional.num_features
        if previous is not None:
            sum_Bd = torch.addmm(sum_Bd, self.conditional.encode(previous), self.input_weight.narrow(0, t * f, f))
        t += 1
        parameters_Bp = F.linear(self.activate(sum_Bd), *outputs[t])
        return self.conditional.distribution(parameters_Bp), (t, sum_Bd, outputs)


def _changes(features: Tensor) -> Tensor:
    """Which values, of features ``(..., f)``, move the hidden layer; all, where their own gradients are asked for."""
    if features.requires_grad:
        return torch.ones_like(features[..., 0], dtype=torch.bool)
    return (features != 0).any(-1)
