"""MADE on whitened variables: what a curve and a linear regression leave of each real variable.

p(x) = p_MADE(z) prod_t |dz_t / dx_t|,    z_t = (y_t - c_t - sum_{s<t} A_ts phi_s) / s_t.

The curves y and the regressions are fitted in closed form before training (`start_at`), so that training begins at a
joint Gaussian of curved variables, and the network, whose inputs are then uncorrelated, has only to learn the rest.
On tables of a few hundred rows of reals this is worth more than anything else: of columns that are nearly
collinear, a network alone learns the regression slowly and the noise fast.

References:
    MADE: masked autoencoder for distribution estimation (Germain et al., 2015), https://arxiv.org/abs/1502.03509
    Gaussianization (Chen and Gopinath, 2000): curves and linear maps in turn,
    https://papers.nips.cc/paper/1856-gaussianization
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.conditionals import Conditional
from chainrule.conditionals.units import InUnits
from chainrule.models.made import MADE
from chainrule.models.whitening import Whitening
from chainrule.nn.buffers import write_columns
from chainrule.nn.curves import Curve
from chainrule.order import OrderSpec
from chainrule.state import Shared, State

TIE = 1e-3
"""Nats by which a variable may be less likely whitened than as it is, and still be whitened."""


class WhitenedMADE(MADE):
    """A `MADE` of the variables that a curve and a linear regression leave of the real ones.

    Variables that are not real stay as they are, and regressions read them too. `features` are the units of the last
    hidden layer.

    Args:
        event_shape: Shape of one example, ``(n,)``.
        conditional: The family of p(x_t | x_<t).
        hidden_sizes: Units of each hidden layer, at least one layer.
        activation: ``"relu"`` or ``"sigmoid"``.
        direct: True if outputs also see earlier variables directly.
        dropout: Probability with which a hidden unit is dropped in training.
        mask_seed: Seed of the degrees.
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: If ``event_shape`` is not ``(n,)``, or an argument is none of those that `MADE` expects.
    """

    growth = MADE.growth + ", and n^2 for the regressions"

    real: Tensor

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_sizes: Sequence[int] = (64,),
        activation: Literal["relu", "sigmoid"] = "relu",
        direct: bool = True,
        dropout: float = 0.0,
        mask_seed: int = 0,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        super().__init__(
            event_shape=event_shape,
            conditional=conditional,
            hidden_sizes=hidden_sizes,
            activation=activation,
            direct=direct,
            dropout=dropout,
            mask_seed=mask_seed,
            order=order,
            num_classes=num_classes,
        )
        if len(self.event_shape) != 1:
            raise ValueError(f"WhitenedMADE expects an event_shape (n,), a row of a table, got {self.event_shape}")
        self.whitening = Whitening(conditional, self.order)
        self.register_buffer("real", self.whitening.real.clone(), persistent=False)

    def start_at(self, x: Tensor) -> None:
        """Fit the curves and the regressions to ``x``, and start at the frequencies of what they leave.

        A variable that is likelier as it is, such as one with a few values that repeat, is not whitened.
        """
        x = self.check(x)
        apart = self._log_probs_at_start(x, torch.zeros_like(self.real))
        whitened = self._log_probs_at_start(x, self.real)
        real = self.real & (whitened > apart - TIE)
        if bool((self._log_probs_at_start(x, real) - apart).sum() < -TIE):
            real = torch.zeros_like(real)
        self.whitening.fit(x, real)
        super().start_at(self.whitening(x).z(x))

    def _log_probs_at_start(self, x: Tensor, real: Tensor) -> Tensor:
        """The mean log-probability ``(n,)`` of each variable if the variables ``real`` are whitened."""
        self.whitening.fit(x, real)
        curve = self.whitening(x)
        z = curve.z(x)
        parameters = self.conditional.initial_parameters(z).to(z).expand(len(z), -1, -1)
        return InUnits(self.conditional.distribution(parameters), curve).log_prob(x).mean(0)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        curve = self.whitening(x)
        return InUnits(super().forward(curve.z(x), context), curve)

    def _variable(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, InUnits)
        assert isinstance(distribution.units, Curve)
        inner = super()._variable(distribution.base, index)
        if not self.real[index]:
            return inner
        return InUnits(inner, self.whitening.curve(distribution.units.shift[:, index], index))

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.check(x)
        return super().features(self.whitening(x).z(x), context)

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        f = self.conditional.num_features
        weight = self.order.along(self.order.along(self.whitening.weight, 1, f), 0)
        read = self.empty(batch_size, self.num_variables * f)
        shift = self.empty(batch_size)
        return super().start(batch_size, context), Shared((-1, weight)), read, shift

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        """`MADE.step` of the whitened variables, and the regression of the next one on all known values."""
        inner, shared, read, shift = state
        t, weight = shared.value
        f = self.conditional.num_features
        if previous is not None:
            index = int(self.order.permutation[t])
            read = write_columns(read, self.whitening.read(previous, index), t * f)
            previous = self.whitening.curve(shift, index).z(previous)
        t += 1
        index = int(self.order.permutation[t])
        shift = self.whitening.intercept[index] + read.narrow(1, 0, t * f) @ weight[t].narrow(0, 0, t * f)
        distribution, inner = super().step(inner, previous)
        return InUnits(distribution, self.whitening.curve(shift, index)), (inner, Shared((t, weight)), read, shift)
