"""Frames beside recordings: rows of numbers, such as pitch or a mel spectrogram, each of which stands for some samples.

The frame of sample t is number floor(t / hop), counted from 0; a frame is repeated for all of its samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.data.formats import checked

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FrameFormat:
    """Frames, and how their numbers are standardised for a model.

    Attributes:
        hop: Samples of a frame.
        mean: The mean of each number in training, ``(k,)``.
        deviation: Its standard deviation.
    """

    hop: int
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, arrays: Sequence[Array], hop: int) -> FrameFormat:
        """The format of the training frames ``arrays``, each ``(F, k)``."""
        every = np.concatenate(arrays)
        deviation = every.std(axis=0)
        return cls(hop, tuple(every.mean(axis=0).tolist()), tuple(np.where(deviation > 0, deviation, 1.0).tolist()))

    @classmethod
    def from_config(cls, config: Any) -> FrameFormat:
        """The format that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        types = {"hop": "int", "mean": "Sequence[float]", "deviation": "Sequence[float]"}
        own = checked(config, "audio.frames", types)
        if own["hop"] < 1 or len(own["mean"]) != len(own["deviation"]) or not own["mean"]:
            raise ValueError(f"audio.frames expects a hop of at least 1, and as many means as deviations, got {config}")
        return cls(own["hop"], tuple(own["mean"]), tuple(own["deviation"]))

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes."""
        return asdict(self) | {"mean": list(self.mean), "deviation": list(self.deviation)}

    @property
    def size(self) -> int:
        """The numbers of a frame."""
        return len(self.mean)

    def encode(self, frames: Array) -> NDArray[np.float32]:
        """Frames ``(F, k)`` as a model reads them: less the mean, in standard deviations."""
        return ((frames - np.array(self.mean)) / np.array(self.deviation)).astype(np.float32)


class Frames:
    """The frames of several recordings, as a model reads them.

    Args:
        arrays: Those of each recording, ``(F, k)``.
        hop: Samples of a frame.
    """

    def __init__(self, arrays: Sequence[NDArray[np.float32]], hop: int) -> None:
        self.arrays, self.hop = list(arrays), hop

    @property
    def size(self) -> int:
        """The numbers of a frame."""
        return int(self.arrays[0].shape[1])

    def subset(self, rows: NDArray[np.int64]) -> Frames:
        """The frames of the recordings ``rows``."""
        return Frames([self.arrays[row] for row in rows], self.hop)

    def of(self, recording: int) -> Tensor:
        """All frames of a recording, ``(1, F, k)``."""
        return torch.from_numpy(self.arrays[recording])[None]

    def span(self, recording: int, begin: int, samples: int) -> Tensor:
        """The frames ``(ceil(samples / hop), k)`` of the samples from ``begin`` on, a multiple of the hop.

        The last frame goes on after its end.

        >>> frames = Frames([np.float32([[1], [2], [3]])], hop=10)
        >>> frames.span(0, begin=10, samples=35).flatten().tolist()
        [2.0, 3.0, 3.0, 3.0]
        """
        array = self.arrays[recording]
        places = begin // self.hop + np.arange(-(-samples // self.hop))
        return torch.from_numpy(array[np.minimum(places, len(array) - 1)])
