"""Whitening along an order: each real variable becomes what a linear regression on the earlier ones leaves of it.

With y the variables on their curves (`Curve`), phi_s the features of an earlier variable (y_s itself, if it is real),

z_t = (y_t - c_t - sum_{s<t} A_ts phi_s) / s_t,

which can be computed for all t at once, and undone one t after the other. p(x) is p(z) times the product of dz_t/dx_t.

All regressions come from one Cholesky factor of the features' covariance C + ridge diag(C). Each variable has the ridge
with which the likelihood of rows that are left out in turn is greatest; an infinite one leaves it without a regression.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from chainrule.conditionals import Conditional, Curved, Standardised, WithMissing
from chainrule.nn.curves import STRAIGHT, Curve, likeliest_curve
from chainrule.order import Order

RIDGES = (1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0, 3.0, math.inf)
FOLDS = 5
LEAST = 1e-3
"""The least scale of what a regression leaves, relative to the variable's own."""
MAX_FEATURES = 3000
"""With more features than this there are no regressions: their covariance would cost too much."""


class Whitening(nn.Module):
    """The curve and the linear regression of each real variable; nothing is changed until `fit`.

    Args:
        conditional: The family of the variables, which says how they are read and which are real.
        order: The sequence of the variables.
    """

    centre: Tensor
    spread: Tensor
    place: Tensor
    bend: Tensor
    weight: Tensor
    intercept: Tensor
    scale: Tensor
    real: Tensor
    inverse: Tensor

    def __init__(self, conditional: Conditional, order: Order) -> None:
        super().__init__()
        self.conditional = conditional
        n = len(order.permutation)
        self.register_buffer("inverse", order.inverse.clone(), persistent=False)
        real = [_is_plain(conditional.of(i).family) for i in range(n)]
        self.register_buffer("real", torch.tensor(real))
        ones = torch.ones(n)
        starts = {"centre": 0.0, "spread": 1.0, "place": 0.0, "bend": STRAIGHT, "intercept": 0.0, "scale": 1.0}
        for name, start in starts.items():
            self.register_buffer(name, ones * start)
        self.register_buffer("weight", torch.zeros(n, n * conditional.num_features))

    def curve(self, shift: Tensor, index: int | slice = slice(None)) -> Curve:
        """The units of all variables, or of one, given what the regressions predict."""
        return Curve(
            centre=self.centre[index],
            spread=self.spread[index],
            place=self.place[index],
            bend=self.bend[index],
            shift=shift,
            scale=self.scale[index],
            real=self.real[index],
        )

    def read(self, x: Tensor, index: int | slice = slice(None)) -> Tensor:
        """The features ``(..., f)`` of values of all variables, or of one: what the regressions read."""
        conditional = self.conditional if isinstance(index, slice) else self.conditional.of(index)
        features = conditional.encode(x)
        y = self.curve(self.intercept[index], index).y(x)
        first = torch.where(self.real[index], y.masked_fill(x.isnan(), 0.0), features[..., 0])
        return torch.cat([first.unsqueeze(-1), features[..., 1:]], dim=-1)

    def forward(self, x: Tensor) -> Curve:
        """The units of examples ``(B, n)``, which hold what each variable's regression predicts."""
        return self.curve(self.intercept + self.read(x).flatten(1) @ self.weight.T)

    @torch.no_grad()
    def fit(self, x: Tensor, real: Tensor) -> None:
        """Find the curves, and then the regressions, that fit the examples ``x`` ``(N, n)``.

        Args:
            x: The examples; a gap is NaN.
            real: True for the variables ``(n,)`` to whiten, which are real; the others stay as they are.
        """
        given = torch.where(real, x, torch.nan).double()
        centre, spread = given.nanmean(0), (given - given.nanmean(0)).square().nanmean(0).sqrt()
        real = real & (spread > 0)  # not a number where all values are gaps
        self.real.copy_(real)
        self.centre.copy_(torch.where(real, centre, 0.0))
        self.spread.copy_(torch.where(real, spread, 1.0))
        self.place.zero_()
        self.bend.fill_(STRAIGHT)
        place, bend = likeliest_curve(((given - self.centre) / self.spread)[:, real])
        self.place[real], self.bend[real] = place.to(self.place), bend.to(self.bend)
        self._fit_regressions(x)

    def _fit_regressions(self, x: Tensor) -> None:
        """Set the weights, the intercepts, and the scales of what the regressions leave."""
        n, f = len(self.real), self.conditional.num_features
        along = self.inverse.argsort()
        read, missing = self.read(x).double()[:, along], x.isnan()[:, along]
        targets = [int(t) for t in self.real[along].nonzero()]
        weight = read.new_zeros(n, n * f)
        if targets and n * f <= MAX_FEATURES and len(x) > FOLDS:
            # A gap of the variable that is predicted counts as its mean.
            y = read[..., 0].masked_fill(missing, torch.nan)
            filled = torch.cat([torch.where(missing, y.nanmean(0), y).unsqueeze(-1), read[..., 1:]], dim=-1).flatten(1)
            found = _best_regressions(filled - filled.mean(0), [t * f for t in targets])
            for t, own in zip(targets, found, strict=True):
                weight[t, : len(own)] = own
        left = (read[..., 0] - read.flatten(1) @ weight.T).masked_fill(missing, torch.nan)[:, self.inverse]
        intercept = left.nanmean(0)
        scale = (left - intercept).square().nanmean(0).sqrt()
        self.intercept.copy_(torch.where(self.real, intercept, 0.0))
        self.scale.copy_(torch.where(self.real, scale.clamp(min=LEAST), 1.0))
        self.weight.copy_(weight.unflatten(1, (n, f))[self.inverse][:, self.inverse].flatten(1))


def _is_plain(family: Conditional) -> bool:
    """True for densities of all real numbers without curves and atoms of their own; they may be missing."""
    while isinstance(family, Standardised | WithMissing):
        family = family.conditional
    return family.support is constraints.real and family.atoms is None and not isinstance(family, Curved)


def _best_regressions(features: Tensor, targets: list[int]) -> list[Tensor]:
    """The coefficients of each target, a column of centred ``features`` ``(N, F)``, on all columns before it."""
    folds = torch.arange(len(features), device=features.device) % FOLDS
    grams = torch.stack([own.T @ own for own in (features[folds == fold] for fold in range(FOLDS))])
    total = grams.sum(0)
    scores = torch.stack(
        [torch.stack([_held_out(total - gram, gram, targets, ridge) for ridge in RIDGES]) for gram in grams]
    ).sum(0)
    gains = len(features) / 2 * (scores[-1] / scores).log()
    gains[:-1] -= 1 + math.log(len(features))  # noise is left alone, as it is by `likeliest_curve`
    best = gains.argmax(0).tolist()
    factors = {ridge: _factor(total, RIDGES[ridge]) for ridge in set(best)}
    return [_coefficients(factors[ridge], target) for ridge, target in zip(best, targets, strict=True)]


def _held_out(train: Tensor, held: Tensor, targets: list[int], ridge: float) -> Tensor:
    """The sum of squares that the regressions of one part of the rows leave of each target in the other."""
    factor = _factor(train, ridge)
    losses = []
    for target in targets:
        own = torch.cat([-_coefficients(factor, target), held.new_ones(1)])
        losses.append(own @ held[: target + 1, : target + 1] @ own)
    return torch.stack(losses)


def _factor(gram: Tensor, ridge: float) -> Tensor | None:
    """The Cholesky factor of a Gram matrix whose diagonal is raised; None if the ridge is infinite."""
    if math.isinf(ridge):
        return None
    diagonal = gram.diagonal()
    raised = diagonal * ridge + diagonal.max().clamp(min=1e-30) * 1e-9
    return torch.linalg.cholesky(gram + torch.diag(raised))


def _coefficients(factor: Tensor | None, target: int) -> Tensor:
    """The coefficients ``(target,)`` of the regression of column ``target`` on those before it."""
    if factor is None or target == 0:
        return torch.zeros(target, dtype=torch.float64)
    own = factor[:target, :target]
    return torch.linalg.solve_triangular(own.T, factor[target, :target, None], upper=True).squeeze(-1)
