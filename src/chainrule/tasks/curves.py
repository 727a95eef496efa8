"""The distribution of one number, from its density at some places: tail probabilities and quantiles.

Between two places the log-density is a straight line, so that exponential tails are exact, however far out. With
densities f_a and f_b at places of distance w, the mass between them is

w (f_b - f_a) / log(f_b / f_a),

and on a grid with n - 1 values between them, whose probabilities then are a geometric series of ratio
r = (f_b / f_a)^(1/n), it is f_a (r + ... + r^(n-1)). Beyond the outer places the last line goes on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

FLAT = 1e-9
"""A log-density that falls by less than this between two places is constant."""

STEEPEST = 1e5
"""Log-densities are held within so many nats of the greatest."""


@dataclass(frozen=True)
class Curves:
    """B distributions of one number each, up to constant factors.

    Attributes:
        places: ``(B, G)`` ascending, float64; at least two. Some may be equal.
        densities: The log-density at each place; on a grid the log-probability of a value. -inf: there is no density.
        points: The log-probability of each place itself; -inf at places of a density.
        step: The distance of the values on a grid; 0 if there is a density.
    """

    places: Tensor
    densities: Tensor
    points: Tensor
    step: float

    @classmethod
    def of(cls, places: Tensor, log_probs: Tensor, spikes: Tensor, step: float) -> Curves:
        """The curves through log p ``(B, G)`` at ``places`` ``(B, G)``, in any sequence.

        Args:
            places: Values of the variable.
            log_probs: Log p of each, up to a constant of each row.
            spikes: True at values that have a probability of their own, which says nothing about their neighbours.
            step: See `Curves`.
        """
        order = places.argsort(dim=1, stable=True)
        places, logs, spikes = places.gather(1, order), log_probs.gather(1, order), spikes.gather(1, order)
        logs = logs - logs.amax(1, keepdim=True).nan_to_num(neginf=0.0)
        logs = logs.clamp(min=-STEEPEST)
        again = torch.zeros_like(spikes)
        again[:, 1:] = places[:, 1:] == places[:, :-1]
        counted = (spikes if step == 0 else torch.ones_like(spikes)) & ~again
        return cls(places, _between(places, logs, ~spikes), logs.masked_fill(~counted, -math.inf), step)

    def tails(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """P(X <= x) and P(X >= x) of ``x`` ``(B,)``, each of which is one of the row's places."""
        pieces = self._pieces()
        index = 2 * torch.searchsorted(self.places, x.unsqueeze(1)) + 1
        total = pieces.logsumexp(1, keepdim=True)
        below = pieces.logcumsumexp(1).gather(1, index) - total
        above = pieces.flip(1).logcumsumexp(1).flip(1).gather(1, index) - total
        return below.squeeze(1).exp().clamp(max=1.0), above.squeeze(1).exp().clamp(max=1.0)

    def log_total(self) -> Tensor:
        """The log of each row's total probability ``(B,)``, which the constant factors leave open."""
        return self._pieces().logsumexp(1) + (math.log(self.step) if self.step else 0.0)

    def quantiles(self, shares: Tensor) -> Tensor:
        """The quantiles ``(B, S)`` of the probabilities ``shares`` ``(S,)``."""
        cumulative = self._pieces().softmax(1).cumsum(1)
        wanted = (shares.to(cumulative) * cumulative[:, -1:]).contiguous()
        piece = torch.searchsorted(cumulative, wanted).clamp(1, cumulative.shape[1] - 2)
        before, mass = cumulative.gather(1, piece - 1), self._pieces().softmax(1).gather(1, piece)
        first = (piece // 2 - (piece % 2 == 0).long()).clamp(max=self.places.shape[1] - 2)
        start, end = self.places.gather(1, first), self.places.gather(1, first + 1)
        share = ((wanted - before) / mass.clamp(min=1e-300)).clamp(0.0, 1.0)
        rise = self.densities.diff(dim=1).nan_to_num().gather(1, first)
        inside = start + (end - start) * _part_of_line(share, rise)
        if self.step > 0:
            inside = start + ((inside - start) / self.step).round() * self.step
        at_place = self.places.gather(1, piece // 2)
        return torch.where(piece % 2 == 1, at_place, inside)

    def _pieces(self) -> Tensor:
        """Log-masses ``(B, 2G + 1)``: below the first place, of it, between it and the second, and so on."""
        inner = self._segments()
        ends = self._beyond()
        pieces = torch.stack([self.points, torch.cat([inner, ends[:, 1:]], dim=1)], dim=2).flatten(1)
        return torch.cat([ends[:, :1], pieces], dim=1)

    def _segments(self) -> Tensor:
        """The log-mass strictly between each place and the next, ``(B, G - 1)``."""
        width, rise = self.places.diff(dim=1), self.densities.diff(dim=1).nan_to_num()
        greater = torch.maximum(self.densities[:, 1:], self.densities[:, :-1])
        fall = rise.abs()
        if self.step == 0:
            mean = torch.where(fall < FLAT, 1.0, -torch.expm1(-fall) / fall.clamp(min=FLAT))
            return greater + width.log() + mean.log()
        count = (width / self.step).round()
        each = fall / count.clamp(min=1)
        others = (count - 1).clamp(min=0)
        series = torch.where(
            each < FLAT, others, torch.exp(-each) * torch.expm1(-each * others) / torch.expm1(-each.clamp(min=FLAT))
        )
        return greater + series.log()

    def _beyond(self) -> Tensor:
        """The log-mass below the first place and above the last, ``(B, 2)``, where the density falls outwards."""
        ends = []
        for outer, sign in ((0, 1.0), (-1, -1.0)):
            distance = (self.places - self.places[:, [outer]]).abs()
            inner = (distance > 0).to(torch.uint8)
            inner = inner.argmax(1, keepdim=True) if sign > 0 else inner.shape[1] - 1 - inner.flip(1).argmax(1, True)
            fall = (self.densities.gather(1, inner) - self.densities[:, [outer]]) / distance.gather(1, inner)
            log_rate = fall.nan_to_num(nan=0.0).clamp(min=0.0)
            if self.step == 0:
                mass = -log_rate.log()
            else:
                each = log_rate * self.step
                mass = -each - (-torch.expm1(-each)).log()
            ends.append(torch.where(log_rate > 0, self.densities[:, [outer]] + mass, -math.inf))
        return torch.cat(ends, dim=1)


def _between(places: Tensor, logs: Tensor, known: Tensor) -> Tensor:
    """``logs`` ``(B, G)`` where they are ``known``, elsewhere on the line between the known ones beside."""
    index = torch.arange(places.shape[1], device=places.device).expand_as(places)
    last = places.shape[1] - 1
    left = torch.where(known, index, -1).cummax(1).values
    right = torch.where(known, index, last + 1).flip(1).cummin(1).values.flip(1)
    none = (left < 0) & (right > last)
    left, right = (
        torch.where(left < 0, right, left).clamp(max=last),
        torch.where(right > last, left, right).clamp(min=0),
    )
    width = places.gather(1, right) - places.gather(1, left)
    share = torch.where(width > 0, (places - places.gather(1, left)) / width.clamp(min=1e-300), 0.0)
    line = logs.gather(1, left) + share * (logs.gather(1, right) - logs.gather(1, left))
    return line.masked_fill(none, -math.inf)


def _part_of_line(share: Tensor, rise: Tensor) -> Tensor:
    """The part of a segment, from its start, that holds ``share`` of its mass if the log-density rises by ``rise``."""
    flat = rise.abs() < 1e-6
    rise = torch.where(flat, 1.0, rise).clamp(-700, 700)
    # of a rising line from its end, so that nothing overflows
    up = torch.where(rise > 0, rise, -rise)
    outer = torch.where(rise > 0, 1 - share, share)
    part = -torch.log1p(outer * torch.expm1(-up)) / up
    return torch.where(flat, share, torch.where(rise > 0, 1 - part, part))
