"""Recordings: linear predictors and FLAC on the spoken digits, and the speed of a WaveNet.

Writes ``benchmark-audio.json``. Times are the least of several, taken in turns in one process. What a rival takes on
another such machine is in ../shared/targets.md.
"""

import argparse
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from measuring import Recompute, rates, seconds, train_step
from numpy.typing import NDArray
from torch import Tensor

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Categorical
from chainrule.data import load
from chainrule.data.recordings import Recordings
from chainrule.models import WaveNet
from chainrule.runs import machine
from chainrule.runs.folder import versions

ORDERS = (1, 16)
STREAMS = (1, 16, 64)
SAMPLES = 1000
"""Samples of every stream that are drawn while it is timed."""
STEPS = 3
"""Steps of the default that are timed."""

MODELS = {
    "2 x 10 layers, 64 residual and 128 skip channels": partial(WaveNet, blocks=2),
    "2 x 10 layers of 32 channels": partial(WaveNet, blocks=2, residual_channels=32, skip_channels=32),
}

RIVALS = {  # ../shared/targets.md, of 2 x 10 layers of 32 channels
    "sample_samples_per_second": {"1": 729, "16": 2100},
    "recompute_samples_per_second": {"1": 74},
    "train_samples_per_second": 88_500,
}


def windows(recordings: Recordings, order: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The samples before each sample, ``(N, order)``, and the sample; before a recording there is silence."""
    pasts, values = [], []
    for levels in recordings.each():
        padded = np.concatenate([np.full(order, recordings.silence), levels.astype(np.float64)])
        pasts.append(np.lib.stride_tricks.sliding_window_view(padded, order)[:-1])
        values.append(levels.astype(np.float64))
    return np.concatenate(pasts), np.concatenate(values)


def linear_bits(train: Recordings, test: Recordings, order: int, levels: int) -> float:
    """Bits per sample of a linear predictor by least squares, whose error has the frequencies of training.

    The prediction is rounded to a level, and errors are counted modulo the number of levels, plus one each: these are
    probabilities.
    """
    past, value = windows(train, order)
    design = np.column_stack([past, np.ones(len(past))])
    weights = np.linalg.solve(design.T @ design, design.T @ value)

    def errors(recordings: Recordings) -> NDArray[np.int64]:
        past, value = windows(recordings, order)
        predicted = np.clip(np.round(past @ weights[:-1] + weights[-1]), 0, levels - 1)
        return (value - predicted).astype(np.int64) % levels

    counts = np.bincount(errors(train), minlength=levels) + 1.0
    return float(-np.log2(counts / counts.sum())[errors(test)].mean())


def flac_bits(recordings: Recordings, levels: int, together: bool) -> float:
    """Bits per sample of FLAC at its highest compression, of a file each, or of all in one file."""
    subtype, shift, kind = ("PCM_16", 2**15, np.int16) if levels > 256 else ("PCM_S8", 2**7, np.int16)
    parts = [(levels_of.astype(np.int64) - shift).astype(kind) for levels_of in recordings.each()]
    parts = [np.concatenate(parts)] if together else parts
    total = 0
    for part in parts:
        buffer = io.BytesIO()
        scaled = part if levels > 256 else part * 256  # soundfile takes the upper bits
        soundfile.write(buffer, scaled, 8000, format="FLAC", subtype=subtype, compression_level=1.0)
        total += len(buffer.getvalue())
    return 8 * total / recordings.num_variables


def baselines() -> dict[str, Any]:
    """Bits per sample on the test split of the spoken digits, without a network."""
    eight, sixteen = load("fsdd"), load("fsdd", levels=65_536)
    parts = [part for data in (eight, sixteen) for part in (data.train, data.test)]
    train, test, _, test_16 = (part for part in parts if isinstance(part, Recordings))
    return {
        "dataset": eight.description,
        "samples": test.num_variables,
        "linear_predictor_bits": {str(order): linear_bits(train, test, order, 256) for order in ORDERS},
        "flac_8_bit": {"files": flac_bits(test, 256, False), "one_file": flac_bits(test, 256, True)},
        "flac_16_bit": {"files": flac_bits(test_16, 65_536, False), "one_file": flac_bits(test_16, 65_536, True)},
    }


def recompute(model: WaveNet, streams: int) -> None:
    """A few steps of the default, a pass over the receptive field each."""
    state, previous = Recompute.start(Recompute(model), streams), None
    for _ in range(STEPS):
        _, state = Recompute.step(Recompute(model), state, previous)
        previous = torch.zeros(streams)


def sampling(model: WaveNet, repeats: int) -> dict[str, Any]:
    """Samples per second by steps, through `chainrule.sample`, and by recomputing."""
    by_steps, by_default = {}, {}
    for streams in STREAMS:
        draw = partial(chainrule.sample, model, streams, length=SAMPLES, seed=0)
        with torch.inference_mode():
            steps, defaults = seconds(draw, partial(recompute, model, streams), repeats=repeats)
        by_steps[str(streams)] = streams * SAMPLES / steps
        by_default[str(streams)] = streams * STEPS / defaults
    return {
        "sample_samples_per_second": by_steps,
        "recompute_samples_per_second": by_default,
        "speedup_over_recompute": {name: by_steps[name] / by_default[name] for name in by_steps},
    }


def training(model: WaveNet, x: Tensor, repeats: int) -> dict[str, float]:
    """Samples per second of an optimiser step, in both precisions, and compiled in bfloat16."""

    def loss(losses: Any, mixed: bool) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            return losses(x).mean()

    step = partial(train_step, model.train(), fused=True)
    steps = {name: step(partial(loss, model.loss, name == "bfloat16")) for name in ("float32", "bfloat16")}
    steps["bfloat16, compiled"] = step(partial(loss, torch.compile(model.loss, dynamic=False), True))
    return {name: x.numel() / time for name, time in zip(steps, seconds(*steps.values(), repeats=repeats), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    x = torch.randint(256, (8, 8192)).float()
    rows = []
    for name, build in MODELS.items():
        model = build(event_shape=(2047,), conditional=Categorical(256)).eval()
        row: dict[str, Any] = {
            "model": name,
            "parameters": model.num_parameters,
            "receptive_field": model.receptive_field,
        }
        row |= sampling(model, options.repeats)
        trained = training(model, x, options.repeats)
        # An optimiser step takes the products of a pass three times.
        gigaflops = 3 * chainrule.describe(model).log_prob_operations / 2047 * max(trained.values()) / 1e9
        rows.append(row | {"train_samples_per_second": trained, "train_gflops": gigaflops})
        print(json.dumps(rows[-1], indent=2), flush=True)
    report = {"benchmark": "audio", "machine": machine(), "rates": rates(), "versions": versions(), "rows": rows}
    report |= {"rival": RIVALS, "baselines": baselines()}
    print(json.dumps(report["baselines"], indent=2))
    write_atomically(options.out / "benchmark-audio.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
