"""Runs programs: prepares what ``walk.cpp`` reads, and random numbers."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from chainrule.codes import Drawing
from chainrule.nn.native.library import library
from chainrule.nn.native.program import Program
from chainrule.nn.native.structures import ChoiceStruct, GivenStruct, ParticlesStruct, WalkStruct

CACHE = 1 << 19
"""Bytes of the arenas of a chunk of examples, so that they stay in the cache of a core."""

ALONE = 2**24
"""Products that take a thread longer than another takes to start."""

LANES = 64
"""Examples of a chunk at most."""


class Weights(NamedTuple):
    """The weights of P particles of each of B examples, which a walk changes; see `chainrule.tasks.particles`.

    Attributes:
        log_weights: ``(B, P)``, in double precision, as all that follows.
        log_evidence: ``(B,)``: of the particles before they were resampled last.
        least_size: The smallest effective sample size so far, ``(B,)``.
        dead: True where no particle survived, ``(B,)``.
        offsets: Uniform random numbers of systematic resampling, ``(n, B)``.
    """

    log_weights: Tensor
    log_evidence: Tensor
    least_size: Tensor
    dead: Tensor
    offsets: Tensor

    @classmethod
    def begin(cls, offsets: Tensor, count: int) -> Weights:
        """Equal weights of ``count`` particles for each example."""
        zeros = torch.zeros_like(offsets[0])
        return cls(zeros[:, None].repeat(1, count), zeros, torch.full_like(zeros, count), zeros.bool(), offsets)

    @property
    def struct(self) -> ParticlesStruct:
        """The weights as the library reads them."""
        parts = (self.log_weights, self.log_evidence, self.least_size, self.dead, self.offsets)
        return ParticlesStruct(self.log_weights.shape[1], *(part.data_ptr() for part in parts), len(self.dead))


def run(
    program: Program,
    batch: int,
    steps: int,
    source: Sequence[Any] = (),
    drawing: Drawing | None = None,
    *,
    begin: int = 0,
    previous: Tensor | None = None,
    known: Tensor | None = None,
    flags: Tensor | None = None,
    weights: Weights | None = None,
    parameters: Tensor | None = None,
    log_probs: Tensor | None = None,
) -> Tensor:
    """Walk ``steps`` steps, with random numbers of torch's own generator. There must be a `library`.

    Args:
        program: The program.
        batch: The number of examples.
        steps: The number of steps.
        source: What the functions of `give` take: the model, and the context or the state.
        drawing: How values are drawn; None for `Drawing()`.
        begin: The number of steps before the first.
        previous: The values ``(B,)`` of the step before the first; None if there is none.
        known: Values ``(B, k)`` of the first k steps, which are not chosen, or of all steps, if there are ``flags``.
        flags: True where a value is known, ``(E, steps)``, for each example or for all of them.
        weights: The weights of particles, if examples are those of B / P others, all of whose particles have the same
            known values.
        parameters: Filled with the parameters ``(steps, B, num_parameters)`` of all conditionals.
        log_probs: Filled with the log-probabilities ``(steps, B)`` of all values.

    Returns:
        Values ``(B, steps)``.
    """
    compiled = library()
    assert compiled is not None
    drawing = drawing or Drawing()
    values = torch.empty(batch, steps, dtype=torch.float32)  # whatever the default is
    if known is not None and known.shape[1]:
        values[:, : known.shape[1]] = known
        flags = torch.arange(steps)[None] < known.shape[1] if flags is None else flags.contiguous()
    row, drawn = np.arange(steps), steps  # of the random numbers of a step that has some
    if flags is not None:
        chosen = ~flags.numpy().all(0)
        row, drawn = np.cumsum(chosen) - 1, int(chosen.sum())
    plain = drawing.plain and program.draws == "logit"
    uniforms = torch.rand(
        (drawn, program.drawn, batch) if drawn else 0, dtype=torch.float32 if plain else torch.float64
    )
    sources = [function(*source) for _, _, function, _ in program.given]
    tensors = [_numbers(tensor, batch, given[1]) for tensor, given in zip(sources, program.given, strict=True)]
    before = torch.full((batch,), torch.nan, dtype=torch.float32) if previous is None else previous.float().contiguous()
    given = (GivenStruct * (len(tensors) + 1))(
        GivenStruct(before.data_ptr(), program.value, 1, False),
        *(
            GivenStruct(numbers.data_ptr(), place, size, keep)
            for numbers, (place, size, _, keep) in zip(tensors, program.given, strict=True)
        ),
    )
    walk = WalkStruct(
        batch=batch, begin=begin, steps=steps, lanes=_lanes(program), threads=_threads(program, batch, steps),
        has_previous=previous is not None,
        choice=ChoiceStruct(
            drawing.temperature, drawing.top_k, drawing.top_p, drawing.undrawn, drawing.greedy, drawing.plain
        ),
        values=values.data_ptr(), known=None if flags is None else flags.data_ptr(),
        rowed=flags is not None and len(flags) > 1, row=row.ctypes.data,
        uniforms=uniforms.data_ptr() if plain else None, precise=None if plain else uniforms.data_ptr(),
        drawn=program.drawn,
        given=ctypes.addressof(given), num_given=len(given),
        parameters=None if parameters is None else parameters.data_ptr(), num_parameters=program.num_parameters,
        log_probs=None if log_probs is None else log_probs.data_ptr(),
        end=torch.nan if program.end is None else program.end,
        particles=ParticlesStruct(count=1) if weights is None else weights.struct,
    )  # fmt: skip
    if compiled.chainrule_walk(ctypes.byref(program.struct), ctypes.byref(walk)):
        raise MemoryError(f"a walk of {batch} examples, each of {4 * program.size:,} bytes, finds too little memory")
    for tensor, numbers, (_, _, _, keep) in zip(sources, tensors, program.given, strict=True):
        if keep and tensor is not None and tensor.data_ptr() != numbers.data_ptr():
            tensor.copy_(numbers)
    return values


def _threads(program: Program, batch: int, steps: int) -> int:
    """Threads that are worth their start."""
    return max(1, min(torch.get_num_threads(), int(program.products * steps * batch / ALONE)))


def _lanes(program: Program) -> int:
    """Examples of a chunk, whose arenas stay in the cache: a multiple of every vector's width."""
    return max(16, min(LANES, CACHE // (4 * program.size) // 16 * 16))


def _numbers(tensor: Tensor | None, batch: int, count: int) -> Tensor:
    """Numbers ``(B, count)`` of examples, where they lie if they are contiguous and in single precision."""
    if tensor is None:
        return torch.zeros(batch, count, dtype=torch.float32)
    return tensor.detach().float().expand(batch, count).contiguous()
