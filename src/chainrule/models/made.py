"""Masked autoencoder for distribution estimation: an autoencoder that masks make autoregressive.

Every hidden unit k gets a degree m(k) in [1, n - 1] and sees only units of the layer before with
degree <= m(k); output t sees only hidden units with degree < t. So no path leads from x_t or later
to the parameters of p(x_t | x_<t), and one pass of the autoencoder gives all of them.

References:
    MADE: masked autoencoder for distribution estimation (Germain et al., 2015),
    https://arxiv.org/abs/1502.03509
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel, State
from chainrule.nn.buffers import cut_rows, write_columns
from chainrule.nn.masked_linear import MaskedLinear, degree_mask
from chainrule.order import OrderSpec


class MADE(AutoregressiveModel):
    """An autoencoder of any depth whose weights are masked by the degrees of their units.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_t | x_<t).
        hidden_sizes: Units of each hidden layer, at least one layer.
        activation: ``"relu"`` or ``"sigmoid"``.
        direct: Whether outputs also see earlier variables directly (the paper's direct connections).
        dropout: Probability with which a hidden unit is dropped in training.
        mask_seed: Seed of the degrees, which are drawn uniformly as in the paper's algorithm 1.
        order: In which sequence the variables are generated.

    Raises:
        ValueError: If ``hidden_sizes`` is empty or has a size below 1, the activation is unknown, or
            ``dropout`` is not in [0, 1).
    """

    growth = "about (n + 1)(h_1 + h_L)/2 + sum_l h_l h_(l+1)/2, linear in n at fixed hidden sizes"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_sizes: Sequence[int] = (500,),
        activation: Literal["relu", "sigmoid"] = "relu",
        direct: bool = False,
        dropout: float = 0.0,
        mask_seed: int = 0,
        order: OrderSpec = "raster",
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order)
        if len(hidden_sizes) == 0 or min(hidden_sizes) < 1:
            raise ValueError(f"hidden_sizes expects one or more sizes of at least 1, got {list(hidden_sizes)}")
        if activation not in ("relu", "sigmoid"):
            raise ValueError(f"activation expects 'relu' or 'sigmoid', got {activation!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout expects a probability in [0, 1), got {dropout}")
        self.activate = torch.relu if activation == "relu" else torch.sigmoid
        self.dropout = nn.Dropout(dropout)

        time = torch.arange(1, self.num_variables + 1)
        inputs = time.repeat_interleave(conditional.num_features)
        outputs = time.repeat_interleave(conditional.num_parameters)
        hidden = hidden_degrees(self.num_variables, hidden_sizes, mask_seed)
        pairs = zip([inputs, *hidden], hidden, strict=False)
        self.hidden_layers: Sequence[MaskedLinear] = nn.ModuleList(  # type: ignore[assignment]
            MaskedLinear(degree_mask(units, before)) for before, units in pairs
        )
        self.output_layer = MaskedLinear(degree_mask(outputs, hidden[-1], strict=True))
        self.direct_layer = MaskedLinear(degree_mask(outputs, inputs, strict=True), bias=False) if direct else None
        self._known = [torch.searchsorted(degrees, time, right=False).tolist() for degrees in hidden]
        if self.direct_layer is not None:
            nn.init.zeros_(self.direct_layer.weight)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        features = self.conditional.encode(self.order.flatten(x)).flatten(1)
        hidden = features
        for layer in self.hidden_layers:
            hidden = self.dropout(self.activate(layer(hidden)))
        parameters = self.output_layer(hidden)
        if self.direct_layer is not None:
            parameters = parameters + self.direct_layer(features)
        parameters = parameters.unflatten(1, (self.num_variables, -1))
        return self.conditional.distribution(self.order.unflatten(parameters))

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        features = self._empty(batch_size, self.num_variables * self.conditional.num_features)
        hidden = tuple(self._empty(batch_size, layer.out_features) for layer in self.hidden_layers)
        rows = [
            cut_rows(layer.weight, layer.bias, [*np.diff(known, prepend=0).tolist(), layer.out_features - known[-1]])
            for layer, known in zip(self.hidden_layers, self._known, strict=True)
        ]
        outputs = cut_rows(self.output_layer.weight, self.output_layer.bias, self.conditional.num_parameters)
        return -1, features, hidden, rows, outputs

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        """As `AutoregressiveModel.step`, but touching every weight that a mask lets live just once per example.

        Hidden units are sorted by degree, so those of degree t are neighbours, see a prefix of the layer
        before, and can be computed once x_t is known; no mask is needed.
        """
        t, features, hidden, rows, outputs = state
        f, p = self.conditional.num_features, self.conditional.num_parameters
        if previous is not None:
            features = write_columns(features, self.conditional.encode(previous), t * f)
        t += 1
        below, seen = features, t * f
        layers = []
        for units, known, units_rows in zip(hidden, self._known, rows, strict=True):
            old, new = known[t - 1] if t else 0, known[t]
            if new > old:
                weight, bias = units_rows[t]
                fresh = self.activate(F.linear(below.narrow(1, 0, seen), weight.narrow(1, 0, seen), bias))
                units = write_columns(units, fresh, old)
            below, seen = units, new
            layers.append(units)
        weight, bias = outputs[t]
        parameters = F.linear(below.narrow(1, 0, seen), weight.narrow(1, 0, seen), bias)
        if self.direct_layer is not None:
            weight = self.direct_layer.weight.narrow(0, t * p, p).narrow(1, 0, t * f)
            parameters = parameters + F.linear(features.narrow(1, 0, t * f), weight)
        return self.conditional.distribution(parameters), (t, features, tuple(layers), rows, outputs)


def hidden_degrees(num_variables: int, hidden_sizes: Sequence[int], seed: int) -> list[Tensor]:
    """Degrees of the units of each hidden layer, sorted (MADE, algorithm 1).

    Uniform in [1, n - 1], and from the second layer on at least the least degree of the layer before,
    so that every unit sees something.

    >>> hidden_degrees(4, [5, 3], seed=0)
    [tensor([1, 1, 2, 2, 2]), tensor([1, 3, 3])]
    """
    # RandomState's stream is frozen by NumPy's policy: a saved model finds its masks again.
    generator = np.random.RandomState(seed)
    highest, least = max(num_variables - 1, 1), 1
    layers = []
    for size in hidden_sizes:
        degrees = np.sort(generator.randint(least, highest + 1, size=size))
        least = int(degrees[0])
        layers.append(torch.from_numpy(degrees))
    return layers
