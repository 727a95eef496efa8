"""Recordings as examples: sequences of samples, each one of a number of levels, whatever their lengths.

A sample y in [-1, 1] becomes one of mu + 1 levels by the mu-law (the continuous form of ITU-T G.711),

f(y) = sign(y) log(1 + mu |y|) / log(1 + mu),    x = floor(mu (f(y) + 1) / 2 + 1/2),

or, with 65,536 levels, the level of its 16-bit integer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from chainrule.data.dataset import Dataset
from chainrule.data.formats import checked
from chainrule.data.frames import FrameFormat, Frames
from chainrule.data.recordings import Recordings
from chainrule.words import suggestion

LINEAR = 65_536
"""Levels of 16-bit samples, which are taken as they are."""

WINDOW = 4096
"""Samples that count in a training chunk; also the length of a sample by default."""


CHANNELS = {"mono": slice(None), "left": slice(0, 1), "right": slice(1, 2)}
"""The channels of a file whose mean is taken."""

ENCODED = 2**20
"""Samples that become levels at once."""


@dataclass(frozen=True)
class AudioFormat:
    """Recordings, whose samples become levels.

    Attributes:
        sample_rate: Samples a second.
        levels: The number of levels; 65,536 are 16-bit integers, fewer are spread by the mu-law.
        channel: The channel of files that have several: ``left``, ``right``, or ``mono``, the mean of all.
        frames: The format of the frames that recordings are conditioned on; None for none.

    >>> AudioFormat(8000).encode(np.array([-1.0, 0.0, 1.0])).tolist()
    [0, 128, 255]
    """

    kind: ClassVar[str] = "audio"
    key: ClassVar[str] = "audio"

    sample_rate: int
    levels: int = 256
    channel: str = "mono"
    frames: FrameFormat | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.levels <= LINEAR:
            raise ValueError(f"levels expects 2 to {LINEAR:,} for recordings, got {self.levels}")
        if self.sample_rate < 1:
            raise ValueError(f"sample_rate expects at least 1, got {self.sample_rate}")
        if self.channel not in CHANNELS:
            near = suggestion(self.channel, CHANNELS)
            raise ValueError(f"channel expects {', '.join(CHANNELS)}, got {self.channel!r}{near}")

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that `from_config` takes: the rate, the levels, and what is not as usual."""
        channel = {} if self.channel == "mono" else {"channel": self.channel}
        frames = {} if self.frames is None else {"frames": self.frames.config}
        return {"sample_rate": self.sample_rate, "levels": self.levels} | channel | frames

    @classmethod
    def from_config(cls, config: Any) -> AudioFormat:
        """The format that `config` describes.

        Raises:
            ValueError: If it describes none.
        """
        given = config.keys() if isinstance(config, dict) else ()
        types = {"sample_rate": "int", "levels": "int"}
        types |= {name: kind for name, kind in {"channel": "str", "frames": "dict"}.items() if name in given}
        own = dict(checked(config, cls.kind, types))
        if "frames" in own:
            own["frames"] = FrameFormat.from_config(own["frames"])
        return cls(**own)

    @property
    def words(self) -> str:
        """The coding of samples as levels, in words."""
        return "16-bit samples" if self.levels == LINEAR else f"mu-law with {self.levels} levels"

    def encode(self, samples: NDArray[Any]) -> NDArray[np.uint16]:
        """The levels of samples in [-1, 1]; samples outside are clipped."""
        parts = [self._encode(samples[i : i + ENCODED]) for i in range(0, len(samples), ENCODED)]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint16)

    def _encode(self, samples: NDArray[Any]) -> NDArray[np.uint16]:
        samples = np.clip(samples.astype(np.float64), -1.0, 1.0)
        if self.levels == LINEAR:
            return (np.clip(np.round(samples * 2**15), -(2**15), 2**15 - 1) + 2**15).astype(np.uint16)
        mu = self.levels - 1
        companded = np.sign(samples) * np.log1p(mu * np.abs(samples)) / np.log1p(mu)
        return np.floor((companded + 1) / 2 * mu + 0.5).astype(np.uint16)

    def decode(self, x: Tensor) -> NDArray[np.float32]:
        """Samples in [-1, 1]: the centre of each mu-law level."""
        levels = x.cpu().double().numpy()
        if self.levels == LINEAR:
            return ((levels - 2**15) / 2**15).astype(np.float32)
        mu = self.levels - 1
        companded = 2 * levels / mu - 1
        return (np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(mu)) / mu).astype(np.float32)


def recordings(
    arrays: Sequence[NDArray[np.integer[Any]]],
    names: Sequence[str],
    window: int,
    audio: AudioFormat,
    before: int | Sequence[int] = 0,
    offsets: int | Sequence[int] = 0,
    frames: Frames | None = None,
) -> Recordings:
    """The levels ``arrays`` of recordings as examples; see `Recordings`."""
    ends = np.cumsum([len(array) for array in arrays]).astype(np.int64)
    smallest = np.min_scalar_type(audio.levels - 1)
    levels = np.concatenate(arrays).astype(smallest)
    return Recordings(levels, ends, names, window, int(audio.encode(np.zeros(1))[0]), before, offsets, frames)


def dataset(
    name: str,
    description: str,
    splits: dict[str, Recordings],
    audio: AudioFormat,
    origin: dict[str, Any],
    labels: dict[str, Tensor] | None,
    classes: Sequence[str],
    notes: Sequence[str] = (),
) -> Dataset:
    """Recordings of three splits as a data set.

    Args:
        name: The data set's name.
        description: One line.
        splits: The recordings of each split.
        audio: The format of the samples.
        origin: Plain values that say where they come from.
        labels: The class of each recording, per split, if there are classes.
        classes: The names of the classes.
        notes: What became of parts of them, a line each.
    """
    samples = {split: examples.num_variables for split, examples in splits.items()}
    named = {"classes": list(classes)} if classes else {}
    origin = origin | {"samples_of_splits": samples} | named
    return Dataset(name, f"{description}, {audio.words}", audio, splits, origin, labels, notes)


def check_window(window: int | None) -> int:
    """The given window, or the default.

    Raises:
        ValueError: If it is below 1.
    """
    if window is not None and window < 1:
        raise ValueError(f"window expects at least 1, got {window}")
    return WINDOW if window is None else window
