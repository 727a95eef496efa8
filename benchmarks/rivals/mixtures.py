"""A mixture of products by the EM algorithm: of Bernoullis, categoricals and Gaussians, one for each variable.

Levels and categories of few values have smoothed frequencies in each component, reals a Gaussian, and integers of many
values the probability of the unit interval under a Gaussian, whose ends reach to infinity. A gap is a value of its own.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import torch
from common import Clock, Data
from torch import Tensor

FEW = 32
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
ITERATIONS = 60
TOLERANCE = 1e-4
FLOOR = 1e-3
"""The least variance, in units of the column's."""
SMOOTHING = (1.0, 10.0)
"""The weights of the frequencies and the variances of all rows in those of a component, in rows, that are tried."""


@dataclass
class Rows:
    """Rows of a split, float32.

    Attributes:
        frequencies: One-hot values of variables of few values, and of whether a number is missing.
        numbers: Standardised numbers ``(N, d)``, 0 where missing.
        present: 1 where a number is there.
    """

    frequencies: Tensor
    numbers: Tensor
    present: Tensor

    def __getitem__(self, rows: Any) -> Rows:
        return Rows(self.frequencies[rows], self.numbers[rows], self.present[rows])


class Encoding:
    """How columns become `Rows`, and the units of numbers."""

    def __init__(self, data: Data) -> None:
        self.data, self.listed = data, data.kind in ("rows", "image") and len(data.values) <= FEW
        train = self._values("train")
        columns = data.about.get("columns") or self._levels()
        self.few = [i for i, column in enumerate(columns) if is_few(column)]
        self.many = [i for i in range(len(columns)) if i not in set(self.few)]
        self.lows = torch.tensor([columns[i].get("low", 0) for i in self.few])
        self.sizes = torch.tensor([size(columns[i]) + columns[i]["missing"] for i in self.few])
        self.gappy = torch.tensor([columns[i]["missing"] for i in self.many], dtype=torch.bool)
        self.integer = torch.tensor([columns[i]["kind"] == "integer" for i in self.many], dtype=torch.bool)
        ends = [(columns[i].get("low", 0), columns[i].get("high", 0)) for i in self.many]
        self.ends = torch.tensor(ends).reshape(-1, 2)
        numbers = train[:, self.many]
        self.mean = numbers.nanmean(0)
        self.std = ((numbers - self.mean) ** 2).nanmean(0).sqrt().clamp(min=1e-6)

    def _values(self, split: str) -> Tensor:
        """The values of a split, float64; places in the list of levels if these are few."""
        return self.data.symbols(split).double() if self.listed else torch.from_numpy(self.data.arrays[split]).double()

    def _levels(self) -> list[dict[str, Any]]:
        """Levels as integers of the range that occurs: in all variables if there are few, or of an image, else each."""
        values = torch.cat([self._values(split) for split in ("train", "valid", "test")])
        low, high = values.amin(0), values.amax(0)
        if self.listed or self.data.kind == "image":
            low, high = low.min().expand_as(low), high.max().expand_as(high)
        return [
            {"kind": "integer", "low": int(a), "high": max(int(b), int(a) + 1), "missing": False}
            for a, b in zip(low, high, strict=True)
        ]

    def __call__(self, split: str) -> Rows:
        x = self._values(split)
        codes = x[:, self.few] - self.lows
        codes = torch.where(codes.isnan(), self.sizes - 1.0, codes).long()
        offsets = self.sizes.cumsum(0) - self.sizes
        hot = torch.zeros(len(x), int(self.sizes.sum()))
        hot.scatter_(1, codes + offsets, 1.0)
        numbers = (x[:, self.many] - self.mean) / self.std
        present = (~numbers.isnan()).float()
        gaps = present[:, self.gappy]
        return Rows(torch.cat([hot, gaps, 1 - gaps], dim=1), numbers.nan_to_num(0.0).float(), present)


def is_few(column: dict[str, Any]) -> bool:
    return column["kind"] in ("category", "boolean") or (column["kind"] == "integer" and size(column) <= FEW)


def size(column: dict[str, Any]) -> int:
    if column["kind"] == "category":
        return len(column["categories"])
    return column["high"] - column["low"] + 1 if column["kind"] == "integer" else 2


class Mixture:
    """Components and their weights, which begin at random rows."""

    def __init__(self, encoding: Encoding, rows: Rows, components: int, smoothing: float) -> None:
        self.encoding, self.smoothing = encoding, smoothing
        generator = torch.Generator().manual_seed(components)
        frequencies = (rows.frequencies.sum(0) + 1e-2) / (len(rows.frequencies) + 1)
        self.marginal = frequencies
        chosen = rows[torch.randperm(len(rows.numbers), generator=generator)[:components]]
        share = 0.0 if components == 1 else 0.3
        self.logs = (frequencies * (1 - share) + share * chosen.frequencies).log()
        self.means = chosen.numbers if components > 1 else torch.zeros(1, rows.numbers.shape[1])
        self.variances = torch.ones_like(self.means)
        self.weights = torch.full((len(self.means),), 1 / len(self.means)).log()

    def joint(self, rows: Rows) -> Tensor:
        """The log of the weight times the density of each component ``(N, K)``, of standardised numbers."""
        precision = 1 / self.variances
        squares = rows.numbers**2 @ precision.T - 2 * rows.numbers @ (self.means * precision).T
        constants = self.means**2 * precision + self.variances.log() + math.log(2 * math.pi)
        return self.weights + rows.frequencies @ self.logs.T - (squares + rows.present @ constants.T) / 2

    def nats(self, rows: Rows) -> float:
        """Mean NLL in the file's units; integers as the probability of the unit interval."""
        encoding, integer = self.encoding, self.encoding.integer
        total = 0.0
        for part in torch.arange(len(rows.numbers)).split(max(1, 2**24 // max(1, self.means.numel()))):
            own = rows[part]
            reals = Rows(own.frequencies, own.numbers * ~integer, own.present * ~integer)
            units = own.present[:, ~integer] @ encoding.std[~integer].log().float()
            joint = self.joint(reals).double() - units[:, None]
            if integer.any():
                joint = joint + self._intervals(own)
            total -= joint.logsumexp(1).sum().item()
        return total / len(rows.numbers)

    def _intervals(self, rows: Rows) -> Tensor:
        """The log of the probability of the unit intervals about the integers of each row, ``(N, K)``."""
        which = self.encoding.integer
        std, ends = self.encoding.std[which], self.encoding.ends[which]
        x = rows.numbers[:, which] * std + self.encoding.mean[which]
        edges = []
        for end, side in ((ends[:, 0], -0.5), (ends[:, 1], 0.5)):
            edge = (x + side - self.encoding.mean[which]) / std
            edges.append(torch.where((x - end).abs() < 0.25, math.copysign(torch.inf, side), edge)[:, None])
        scale = self.variances[:, which].sqrt()
        low, high = (torch.special.ndtr((edge - self.means[:, which]) / scale) for edge in edges)
        return ((high - low).clamp(min=1e-12).log() * rows.present[:, None, which]).sum(2)

    def fit(self, rows: Rows, clock: Clock) -> None:
        before = -math.inf
        for _ in range(ITERATIONS):
            joint = self.joint(rows)
            mean = float(joint.logsumexp(1).double().mean())
            if clock.share > 1 or mean - before < TOLERANCE * abs(mean):
                return
            before = mean
            parts = (joint - joint.logsumexp(1, keepdim=True)).exp()
            counts = parts.sum(0)[:, None]
            self.weights = ((counts[:, 0] + 1) / (len(parts) + len(counts))).log()
            self.logs = (
                (parts.T @ rows.frequencies + self.smoothing * self.marginal) / (counts + self.smoothing)
            ).log()
            present = parts.T @ rows.present + self.smoothing
            self.means = parts.T @ rows.numbers / present
            squares = parts.T @ rows.numbers**2 / present - self.means**2
            self.variances = (squares + self.smoothing / present).clamp(min=FLOOR)


def products(data: Data, clock: Clock) -> dict[str, Any]:
    """The number of components and the smoothing are chosen by validation, as far as the time goes."""
    encoding = Encoding(data)
    train, valid, test = (encoding(split) for split in ("train", "valid", "test"))
    best, chosen = math.inf, None
    for smoothing, components in itertools.product(SMOOTHING, SIZES):
        if components > len(train.numbers) or clock.share > 1:
            continue
        mixture = Mixture(encoding, train, components, smoothing)
        mixture.fit(train, clock)
        found = mixture.nats(valid)
        if found < best:
            best, chosen = found, mixture
    return {
        "valid_nats": best,
        "nats": chosen.nats(test),
        "components": len(chosen.means),
        "smoothing": chosen.smoothing,
    }
