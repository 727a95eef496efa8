"""Samples of a WaveNet of spoken digits: recordings, how well they are recognised, and continuations.

Writes ``benchmark-listening.json``, a picture, and the folder ``benchmark-listening`` of ``.wav`` files. The run is
that of the recipe fsdd/wavenet. The recogniser is a logistic regression on spectra of real recordings.
"""

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import stft
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

import chainrule
from chainrule import plots
from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.data.audio import AudioFormat
from chainrule.data.named.fsdd import SPEAKERS
from chainrule.data.read.recordings import write_wav
from chainrule.data.recordings import Recordings
from chainrule.runs import folder as run_folder
from chainrule.runs import machine
from chainrule.runs.folder import versions

DRAWN = 48
"""Recordings that are drawn and kept: each digit by several speakers."""
RECOGNISED = 300
"""Recordings that are drawn and recognised, five of each digit and speaker as in the test split."""
CONTINUED = 6
TIMES, BANDS = 12, 16


def described(samples: NDArray[Any]) -> NDArray[Any]:
    """Logarithmic strength of bands of frequencies in so many parts of a recording."""
    _, _, spectrum = stft(samples / max(float(np.abs(samples).max()), 1e-6), 8000, nperseg=256, noverlap=192)
    power = np.log(np.abs(spectrum) ** 2 + 1e-6)
    # Bands as wide as their frequency is high, from 100 Hz on, as the ear's are.
    edges = np.unique(np.round(np.geomspace(3, len(power), BANDS + 1)).astype(int))
    bands = np.stack([power[low:high].mean(0) for low, high in itertools.pairwise(edges)])
    return np.concatenate([part.mean(1) for part in np.array_split(bands, TIMES, axis=1)])


def drawn(model: Any, labels: Tensor, lengths: dict[int, int], seed: int) -> list[Tensor]:
    """A recording of each class of ``labels``, as long as those of its class are in the middle."""
    longest = max(lengths[label] for label in labels.tolist())
    x = chainrule.sample(model, len(labels), seed=seed, context=labels, length=longest)
    return [clip[: lengths[label]] for clip, label in zip(x, labels.tolist(), strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, default=Path("runs/fsdd/wavenet"))
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    model, data = run_folder.load(options.run), load("fsdd")
    train, test, audio = data.train, data.test, data.format
    assert isinstance(train, Recordings)
    assert isinstance(test, Recordings)
    assert isinstance(audio, AudioFormat)
    folder = options.out / "benchmark-listening"
    folder.mkdir(parents=True, exist_ok=True)
    classes, labels = data.provenance["classes"], data.classes("train")
    lengths = {c: int(np.median(train.lengths[labels.numpy() == c])) for c in range(len(classes))}

    def heard(clips: Any) -> NDArray[Any]:
        return np.stack([described(audio.decode(torch.as_tensor(clip.astype("int64")))) for clip in clips])

    recogniser = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    recogniser.fit(heard(train.each()), labels.numpy() // len(SPEAKERS))
    real = float(recogniser.score(heard(test.each()), data.classes("test").numpy() // len(SPEAKERS)))
    started = time.perf_counter()
    own = torch.arange(RECOGNISED) % len(classes)
    clips = drawn(model, own, lengths, seed=1)
    seconds = time.perf_counter() - started
    said = recogniser.predict(heard([clip.numpy() for clip in clips]))
    generated = float((said == own.numpy() // len(SPEAKERS)).mean())
    kept = torch.linspace(0, len(classes) - 1, DRAWN).round().long()
    spoken = drawn(model, kept, lengths, seed=0)
    for clip, label in zip(spoken, kept.tolist(), strict=True):
        write_wav(folder / f"{classes[label]}.wav", [clip], audio)
    picture(train, labels, dict(zip(kept.tolist(), spoken, strict=True)), classes, audio, options.out)
    continued(model, test, data.classes("test"), audio, folder)
    report = {
        "benchmark": "listening",
        "machine": machine(),
        "versions": versions(),
        "minutes_of_training": run_folder.read_config(options.run)["training"]["minutes"],
        "kept": DRAWN,
        "recognised": {"real_test_accuracy": real, "generated_accuracy": generated, "generated": RECOGNISED},
        "seconds_of_drawing": seconds,
        "samples_drawn": RECOGNISED * max(lengths.values()),
    }
    print(json.dumps(report, indent=2))
    write_atomically(options.out / "benchmark-listening.json", (json.dumps(report, indent=2) + "\n").encode())


def picture(
    train: Recordings, labels: Tensor, spoken: dict[int, Tensor], classes: list[str], audio: AudioFormat, out: Path
) -> None:
    """Spectrograms of a drawn recording of each digit beside a real one of the same speaker."""
    shown = [next(label for label in spoken if classes[label].startswith(f"{digit}_")) for digit in range(10)]
    real = [train[int((labels == label).nonzero()[0])] for label in shown]
    plots.spectrograms(
        {
            "recorded": [audio.decode(clip) for clip in real],
            "drawn": [audio.decode(spoken[label]) for label in shown],
        },
        out / "benchmark-listening.png",
        sample_rate=audio.sample_rate,
        titles=[classes[label].replace("_", ", ") for label in shown],
    )


def continued(model: Any, test: Recordings, labels: Tensor, audio: AudioFormat, folder: Path) -> None:
    """Goes on after the first half of some test recordings."""
    for i in range(0, len(test), len(test) // CONTINUED):
        whole = test[i]
        half = len(whole) // 2
        x = chainrule.sample(model, 1, seed=0, context=labels[i : i + 1], prefix=whole[:half], length=len(whole) - half)
        write_wav(folder / f"{test.names[i]}-continued.wav", [x[0]], audio)


if __name__ == "__main__":
    main()
