"""A model's steps as a list of instructions, which a compiled library runs for a whole walk.

Between two small products torch spends 10 to 25 microseconds in Python; here it is a few nanoseconds. A `Program` says
once, for all steps, which products a step makes, of which rows and columns of which weights, between which units. The
units of an example (its features, hidden layers and parameters) lie in one arena; a place in it is a number.

What changes from step to step, such as the columns of a triangular weight, is given as an array with an entry for every
step; what stays, as a number.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from chainrule.codes import Codes
from chainrule.nn.native.structures import InstructionStruct, NgramStruct, ProgramStruct

Integers = NDArray[np.int64]
Places = int | Integers
"""A number, or one for every step ``(n,)``."""

KINDS = (
    "linear",
    "linear by columns",
    "rows",
    "map",
    "add",
    "gated",
    "lstm",
    "gru",
    "lookup",
    "encode",
    "pick",
    "ngrams",
    "choose",
)
FUNCTIONS = ("same", "sigmoid", "relu", "tanh", "zero")
ENCODINGS = ("number", "indicators", "asinh")
DRAWS = ("logit", "logits", "gaussians", "logistics", "bins")

SHORT = 256
"""Columns of a weight whose sums are computed side by side, at most."""

WIDEST = 16
"""Numbers of the widest vector of a processor."""

AHEAD = 8
"""Steps of a weight of triangular shape that are begun together."""


class Program:
    """The instructions of a step: first what the value before changes, then, after `begin`, the next conditional.

    Every weight and bias is read where it lies, in single precision. ``add`` adds to what the units have.

    >>> import torch
    >>> program = Program()
    >>> hidden, logit = program.units(2), program.units(1)
    >>> program.rows(hidden, torch.ones(1, 2), program.value, rows=1)      # h += W x
    >>> program.begin()
    >>> program.linear(logit, torch.ones(1, 2), hidden, torch.zeros(1))    # V h + b
    >>> program.choose(logit, 1, Codes("logit", "number"))
    """

    def __init__(self) -> None:
        self.value = 0
        """The unit that holds the value chosen last."""
        self.size = 1
        self.first = 0
        self.draws = "logits"
        self.drawn = 1
        self.num_parameters = 0
        self.end: int | None = None
        """The value after which all values are the same; None if there is none."""
        self.given: list[tuple[int, int, Callable[..., Tensor | None], bool]] = []
        self._repeat = 1, 0, 0
        self._steps: NDArray[np.bool_] | None = None
        self.placed: list[tuple[InstructionStruct, Integers]] = []
        """The instructions, each with its places ``(steps or 1, 6)``."""
        self.kept: list[Any] = []

    def units(self, count: int) -> int:
        """The place of ``count`` units more, which are zero before the first step."""
        self.size += count
        return self.size - count

    def give(self, count: int, function: Callable[..., Tensor | None], *, keep: bool = False) -> int:
        """The place of units that ``function`` gives, ``(B or 1, count)``, from the ``source`` of a run.

        None gives zeros. A program is kept beside the model, so the function takes the model and does not hold it.

        With ``keep`` the units of the last step are written into what it gave.
        """
        place = self.units(count)
        self.given.append((place, count, function, keep))
        return place

    def begin(self) -> None:
        """The instructions so far need a value before, and those that follow don't."""
        self.first = len(self.placed)

    @contextlib.contextmanager
    def repeated(self, times: int, to_step: int, source_step: int) -> Iterator[None]:
        """Run each instruction that is added within as many times, so many units further each time."""
        self._repeat = times, to_step, source_step
        yield
        self._repeat = 1, 0, 0

    @contextlib.contextmanager
    def only_at(self, steps: NDArray[np.bool_]) -> Iterator[None]:
        """Run each instruction that is added within at some of all steps ``(n,)``; its places are given for these."""
        self._steps = steps
        yield
        self._steps = None

    def linear(
        self, to: Places, weight: Tensor, source: Places, bias: Tensor | None = None, *, add: bool = False,
        rows: Places | None = None, columns: Places | None = None, weight_at: Places = 0, bias_at: Places = 0,
    ) -> None:  # fmt: skip
        """``to = W source + b``, of some rows and columns of ``weight`` ``(rows, columns)``.

        Args:
            to: Units that are written.
            weight: The weight.
            source: Units that are read.
            bias: The bias, of as many numbers as the weight has rows.
            add: True to add to ``to``.
            rows: The number of rows; None for all.
            columns: The number of columns; None for all.
            weight_at: The first of the weight's numbers.
            bias_at: The first of the bias's numbers.
        """
        rows = len(weight) if rows is None else rows
        columns = weight.shape[1] if columns is None else columns
        kind, at = "linear", _constant(weight_at)
        if at is not None and at >= 0 and isinstance(rows, int) and isinstance(columns, int) and columns <= SHORT:
            # Short sums run faster side by side, with the weights of a column together.
            weight = _plain(weight)
            block = weight.as_strided((rows, columns), (weight.stride(0), 1), at + weight.storage_offset())
            kind, weight, weight_at = "linear by columns", F.pad(block.T, (0, -rows % WIDEST)), 0
        self._add(kind, to, source, weight_at, bias_at, rows, columns, weight=weight, bias=bias, add=add)

    def growing(
        self, to: int, weight: Tensor, source: int, bias: Tensor | None, rows: Integers, columns: Integers,
        *, add: bool = False, window: bool = False,
    ) -> Integers:  # fmt: skip
        """`linear` of a triangular weight: at step t its next ``rows[t]`` rows, of its first ``columns[t]`` columns.

        A few steps ahead have most columns in common, which are computed for all of their rows at once.

        Args:
            to: Units that are written: one for each row, or, in a window, for as many as `window_of` says.
            weight: The weight.
            source: Units that are read.
            bias: The bias.
            rows: How many rows each step has, ``(n,)``.
            columns: How many columns are known at each step, ``(n,)``; they never become fewer.
            add: True to add to ``to``.
            window: True if the rows of the steps before are not needed any more.

        Returns:
            The place of the first row of each step, ``(n,)``.
        """
        stride = weight.shape[1]
        first_row = np.cumsum(rows) - rows
        begins = np.arange(len(rows)) // AHEAD * AHEAD  # of the steps that are begun together
        common, begun = columns[begins], np.arange(len(rows)) == begins
        together = np.add.reduceat(rows, np.arange(0, len(rows), AHEAD))[begins // AHEAD]
        places = to + first_row - (first_row[begins] if window else 0)
        self.linear(
            places, weight, source, bias, add=add, rows=together * begun, columns=common,
            weight_at=first_row * stride, bias_at=first_row,
        )  # fmt: skip
        self.linear(
            places, weight, source + common, add=True, rows=rows * (columns > common), columns=columns - common,
            weight_at=first_row * stride + common,
        )  # fmt: skip
        return places

    def rows(
        self, to: Places, weight: Tensor, source: Places, *, rows: Places | None = None, weight_at: Places = 0
    ) -> None:
        """``to += sum_r source_r W_r`` over rows of ``weight``; a row that meets only zeros costs nothing."""
        rows = len(weight) if rows is None else rows
        self._add("rows", to, source, weight_at, 0, rows, weight.shape[1], weight=weight)

    def map(self, to: Places, source: Places, count: Places, function: str) -> None:
        """``to = function(source)`` of ``count`` units; see `FUNCTIONS`."""
        self._add("map", to, source, 0, 0, count, option=FUNCTIONS.index(function))

    def add(self, to: Places, source: Places, count: Places) -> None:
        """``to += source`` of ``count`` units."""
        self._add("add", to, source, 0, 0, count)

    def gated(self, to: Places, source: Places, count: Places) -> None:
        """``to = tanh(a) sigmoid(b)`` of ``2 count`` units a and b."""
        self._add("gated", to, source, 0, 0, count)

    def lstm(self, to: Places, cell: Places, gates: Places, count: int) -> None:
        """The state and the cell of ``count`` units from ``4 count`` gates, in torch's order."""
        self._add("lstm", to, gates, cell, 0, count)

    def gru(self, to: Places, read: Places, seen: Places, count: int) -> None:
        """The state of ``count`` units from what is read and what is seen of the state, ``3 count`` each."""
        self._add("gru", to, read, seen, 0, count)

    def lookup(self, to: Places, table: Tensor, index: int) -> None:
        """``to = table[index]``, of a table ``(rows, count)`` and a unit that holds an index below 2^24."""
        self._add("lookup", to, index, 0, 0, table.shape[1], weight=table)

    def pick(self, to: Places, source: Places, index: int, count: int) -> None:
        """``to = source[index]``, of a table of rows of ``count`` units and a unit that holds an index."""
        self._add("pick", to, source, index, 0, count)

    def encode(self, to: Places, codes: Codes, count: int) -> None:
        """``to`` = the ``count`` features of the value."""
        option, scale = ENCODINGS.index(codes.encoding), codes.factor
        self._add("encode", to, 0, 0, 0, count, option=option, scale=scale)

    def ngrams(self, logits: int, recent: int, count: int, table: NgramStruct, tensors: Sequence[Tensor]) -> None:
        """Mix the conditional of ``count`` ``logits`` with that of n-grams, given the ``recent`` values.

        See `chainrule.nn.kneser_ney`; ``tensors`` are what ``table`` points to.
        """
        self.kept += [table, *tensors]
        self._add("ngrams", logits, recent, 0, 0, count)
        self.placed[-1][0].ngrams = ctypes.addressof(table)

    def choose(self, parameters: Places, count: int, codes: Codes) -> None:
        """Choose the value, by the ``count`` parameters of its conditional."""
        self.draws, self.num_parameters = codes.draws, count
        # Of components: a number for which, where there are several, and one for the value.
        self.drawn = 1 if codes.draws in ("logit", "logits") or count == 2 else 2
        option = DRAWS.index(codes.draws)
        self._add(
            "choose", 0, parameters, 0, 0, count,
            weight=codes.offsets, option=option, scale=codes.least, levels=codes.levels,
        )  # fmt: skip

    @functools.cached_property
    def struct(self) -> ProgramStruct:
        """The program as the library reads it; nothing may be added any more."""
        instructions = (InstructionStruct * len(self.placed))(*(own for own, _ in self.placed))
        self.kept.append(instructions)
        address = ctypes.addressof(instructions)
        return ProgramStruct(address, len(instructions), self.first, self.size, self.value)

    @functools.cached_property
    def products(self) -> float:
        """The products of a step, on average."""
        return sum(own.repeats * float((at[:, 4] * at[:, 5]).mean()) for own, at in self.placed)

    def _add(
        self, kind: str, to: Places, source: Places, weight_at: Places, bias_at: Places, rows: Places,
        columns: Places = 0, *, weight: Tensor | None = None, bias: Tensor | None = None, option: int = 0,
        scale: float = 1.0, add: bool = False, levels: int = 0,
    ) -> None:  # fmt: skip
        numbers: Sequence[Places] = (to, source, weight_at, bias_at, rows, columns)
        places = np.stack(np.broadcast_arrays(*(np.atleast_1d(number) for number in numbers)), axis=1)
        places = np.ascontiguousarray(places, dtype=np.int64)
        if self._steps is not None:
            some, places = places, np.zeros((len(self._steps), 6), dtype=np.int64)  # without rows it is not run
            places[self._steps] = some
        tensors = [None if tensor is None else _plain(tensor) for tensor in (weight, bias)]
        self.kept += tensors
        pointers = [None if tensor is None else tensor.data_ptr() for tensor in tensors]
        stride = 0 if tensors[0] is None else tensors[0].stride(0)
        at = places.ctypes.data, len(places), *self._repeat
        own = InstructionStruct(KINDS.index(kind), option, scale, add, *pointers, stride, *at, levels)
        self.placed.append((own, places))


def window_of(rows: Integers) -> int:
    """The most rows that `Program.growing` has at once, of ``rows`` at each step."""
    return int(np.add.reduceat(rows, np.arange(0, len(rows), AHEAD)).max())


def _constant(places: Places) -> int | None:
    """The one number that ``places`` are at all steps; None if they change."""
    if isinstance(places, int):
        return places
    return int(places[0]) if bool((places == places[0]).all()) else None


def _plain(tensor: Tensor) -> Tensor:
    """``tensor`` in single precision, with its last dimension contiguous; itself if it is so."""
    tensor = tensor.detach().float()
    return tensor if tensor.stride(-1) == 1 else tensor.contiguous()
