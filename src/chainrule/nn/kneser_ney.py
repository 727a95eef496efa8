"""The probabilities of the next symbol given the last few, counted in the training text.

p_n(x | c) = (N_n(c, x) - D(N_n(c, x)) + B_n(c) p_{n-1}(x | c')) / N_n(c)

with c the last n symbols, c' the last n - 1, D a discount and B_n(c) the sum of all discounts in c, so that what the
seen symbols give up goes to the shorter context; p_{-1} is uniform. N_n is a count of the text for the longest n and
for contexts that begin with the beginning of a text. For others it is the number of different symbols seen before
(c, x): a symbol that follows one word only is unlikely elsewhere, however frequent it is.

References:
    Improved backing-off for m-gram language modeling (Kneser and Ney, 1995), https://doi.org/10.1109/ICASSP.1995.479394
    An empirical study of smoothing techniques for language modeling (Chen and Goodman, 1999): three discounts,
    https://doi.org/10.1006/csla.1999.0128
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chainrule.nn.native.program import Program
from chainrule.nn.native.structures import NgramStruct

BUFFERS = ("contexts", "starts", "backoffs", "symbols", "probs", "levels")

# Shape legend: C contexts of all lengths, E pairs of a context and a symbol after it, n = order, K symbols.


class KneserNey(nn.Module):
    """Interpolated Kneser-Ney probabilities with three discounts; uniform until `count` has read a text.

    A context is found by a hash of its symbols. Two contexts with the same hash would share a row: the probabilities
    remain normalised.

    Args:
        order: The number of last symbols that a probability is given, at most.
        num_values: The number K of symbols.

    Raises:
        ValueError: If ``order`` is below 1.
    """

    contexts: Tensor
    starts: Tensor
    backoffs: Tensor
    symbols: Tensor
    probs: Tensor
    levels: Tensor

    def __init__(self, order: int, num_values: int) -> None:
        super().__init__()
        if order < 1:
            raise ValueError(f"ngram_order expects at least 1, got {order}")
        self.order, self.num_values = order, num_values
        self.bits = num_values.bit_length()
        self._set(np.zeros(0, np.int64), np.zeros(1, np.int64), *[np.zeros(0)] * 3, np.zeros(order + 2, np.int64))

    @property
    def counted(self) -> bool:
        """True if a text has been counted."""
        return len(self.contexts) > 0

    def count(self, sequences: Iterable[Tensor]) -> None:
        """Set the probabilities from sequences ``(k,)`` of symbols, each of which begins anew.

        Raises:
            ValueError: If there are no symbols.
        """
        beginning, nowhere = np.zeros(self.order, np.int64), np.full(self.order, -1)
        texts = [sequence.cpu().numpy() + 1 for sequence in sequences]
        if sum(map(len, texts)) == 0:
            raise ValueError("count expects at least one symbol, got none")
        codes = np.concatenate([part for text in texts for part in (beginning, text)])
        # The length of the longest context of each place, with one mark of the beginning.
        depths = [np.minimum(np.arange(len(text)) + 1, self.order) for text in texts]
        depth = np.concatenate([part for own in depths for part in (nowhere, own)])
        levels: list[tuple[NDArray[Any], ...]] = []
        # Every different pair of a level is counted once in the level below, by one place where it occurs.
        places = np.zeros(0, np.int64)
        for length in range(self.order, -1, -1):
            places = np.concatenate([places, np.flatnonzero(depth == length)])
            level, places = self._level(codes, places, length)
            levels.insert(0, level)
        contexts, lengths, backoffs, symbols, probs = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        starts = np.concatenate([[0], lengths.cumsum()])
        ends = np.cumsum([0, *(len(level[0]) for level in levels)])
        self._set(contexts, starts, backoffs, symbols, probs, ends)

    def forward(self, past: Tensor) -> Tensor:
        """Log-probabilities ``(B, k, K)`` in nats of the next symbols.

        Args:
            past: Symbols ``(B, order + k - 1)``: those before the first of the k, and those in between; -1 before the
                beginning.
        """
        windows = (past + 1).unfold(1, self.order, 1)
        flat = windows.reshape(-1, self.order).flip(1)  # the last symbol first
        probs = torch.full((len(flat), self.num_values), 1 / self.num_values).to(self.probs)
        hashes = torch.zeros_like(flat[:, 0])
        for length in range(self.order + 1):
            if length:
                hashes = _mixed(hashes, flat[:, length - 1])
            probs = self._interpolated(probs, hashes >> self.bits, length)
        return probs.log().unflatten(0, windows.shape[:2])

    def instruct(self, program: Program, logits: int, share: float, recent: int) -> None:
        """Add the mixture of the conditional of ``logits`` with that of n-grams, whose weight is ``share``.

        ``recent`` are the units of the last symbols, -1 before the beginning.
        """
        tensors = [getattr(self, name) for name in BUFFERS]
        logs = math.log1p(-share) if share < 1 else -math.inf, math.log(share) if share else -math.inf
        table = NgramStruct(*(tensor.data_ptr() for tensor in tensors), self.order, self.bits, *logs)
        program.ngrams(logits, recent, self.num_values, table, tensors)

    def _interpolated(self, shorter: Tensor, keys: Tensor, length: int) -> Tensor:
        """The probabilities ``(T, K)`` given ``length`` symbols, from those given one less."""
        start, stop = self._ends[length : length + 2]
        if start == stop:
            return shorter
        known = self.contexts[start:stop]
        places = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
        rows = (known[places] == keys).nonzero().squeeze(1)
        contexts = places[rows] + start
        first, counts = self.starts[contexts], self.starts[contexts + 1] - self.starts[contexts]
        before = counts.cumsum(0) - counts
        total: Any = counts.sum().item()  # an int, but int() can't be exported
        shifts = (first - before).repeat_interleave(counts, output_size=total)
        entries = torch.arange(total, device=keys.device) + shifts
        cells = rows.repeat_interleave(counts, output_size=total) * self.num_values + self.symbols[entries]
        probs = shorter.index_copy(0, rows, shorter[rows] * self.backoffs[contexts].unsqueeze(1))
        return probs.view(-1).index_add_(0, cells, self.probs[entries]).view_as(shorter)

    def _level(
        self, codes: NDArray[np.int64], places: NDArray[np.int64], length: int
    ) -> tuple[tuple[NDArray[Any], ...], NDArray[np.int64]]:
        """The rows of the contexts of one length, and a place of each different pair."""
        hashes = torch.zeros(len(places), dtype=torch.long)
        for back in range(1, length + 1):
            hashes = _mixed(hashes, torch.from_numpy(codes[places - back]))
        keys = ((hashes >> self.bits) << self.bits).numpy() | (codes[places] - 1)
        pairs, which, counts = np.unique(keys, return_index=True, return_counts=True)
        discounts = _discounts(counts)[np.minimum(counts, 3) - 1]
        contexts, starts, lengths = np.unique(pairs >> self.bits, return_index=True, return_counts=True)
        totals = np.add.reduceat(counts, starts)
        probs = (counts - discounts) / np.repeat(totals, lengths)
        backoffs = np.add.reduceat(discounts, starts) / totals
        return (contexts, lengths, backoffs, pairs & (2**self.bits - 1), probs), places[which]

    def _set(self, *arrays: NDArray[Any]) -> None:
        like = getattr(self, "probs", torch.zeros(()))
        for name, array in zip(BUFFERS, arrays, strict=True):
            tensor = torch.from_numpy(array).to(like.device)
            self.register_buffer(name, tensor.to(like.dtype) if name in ("backoffs", "probs") else tensor.long())
        self._ends = self.levels.tolist()

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any) -> None:
        """Load tables of any size: a model that is built anew has counted nothing."""
        for name in BUFFERS:
            if prefix + name in state_dict:
                setattr(self, name, getattr(self, name).new_empty(state_dict[prefix + name].shape))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._ends = self.levels.tolist()  # as numbers, which an exported graph can hold
        if not self._fits():
            args[-1].append(f"{prefix}levels, starts and symbols expect numbers of rows of n-grams, got others")

    def _fits(self) -> bool:
        """True if no table names a row that another does not have: compiled walks read and write what they name."""
        sizes = {"levels": self.order + 2, "starts": len(self.contexts) + 1, "backoffs": len(self.contexts)}
        sizes["probs"] = len(self.symbols)
        if any(getattr(self, name).shape != (size,) for name, size in sizes.items()):
            return False
        places = (self.levels, len(self.contexts)), (self.starts, len(self.symbols))
        return bool(((self.symbols >= 0) & (self.symbols < self.num_values)).all()) and all(
            part[0] == 0 and part[-1] == end and bool((part.diff() >= 0).all()) for part, end in places
        )


def best_share(probabilities: Tensor) -> float:
    """The share of the second in the mixture of two, from their probabilities ``(2, N)`` of the same values.

    Raises:
        ValueError: If there are no values that a mixture is uncertain of.
    """
    uncertain = ((probabilities > 0) & (probabilities < 1)).any(0)  # neither after an end, nor impossible
    first, second = probabilities[:, uncertain]
    if len(first) == 0:
        raise ValueError("best_share expects at least one value, got none")
    share = 0.5
    for _ in range(50):
        share = (share * second / (share * second + (1 - share) * first)).mean().item()
    return share


def _mixed(hashes: Tensor, codes: Tensor) -> Tensor:
    """The hashes of contexts with one symbol more; products wrap around (constants of splitmix64)."""
    hashes = (hashes + codes + 1) * -7046029254386353131
    hashes = (hashes ^ (hashes >> 30)) * -4658895280553007687
    return hashes ^ (hashes >> 27)


def _discounts(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The discounts of the counts 1, 2 and 3 or more, from how many pairs have the counts 1 to 4."""
    n1, n2, n3, n4 = (np.count_nonzero(counts == count) + 0.5 for count in (1, 2, 3, 4))
    share = n1 / (n1 + 2 * n2)
    raw = np.array([1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3])
    return np.clip(raw, [0.1, 0.2, 0.3], [0.9, 1.9, 2.9])
