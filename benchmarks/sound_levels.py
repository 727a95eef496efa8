"""Recordings as 256 mu-law levels and as 65,536 linear ones: the same network, the same steps, the spoken digits.

Writes ``benchmark-sound-levels.json``. Both are also given in bits of a 16-bit sample: a mu-law level is one of the w
integers that it stands for, of which each has a probability of 1 / w.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import chainrule
from chainrule.atomic import write_atomically
from chainrule.data.audio import LINEAR, AudioFormat
from chainrule.runs import machine
from chainrule.runs.folder import WEIGHTS, versions
from chainrule.runs.opened import open_run

SETTINGS: dict[str, Any] = {
    "model": "WaveNet",
    "model.layers": 9,
    "model.residual_channels": 32,
    "model.skip_channels": 64,
    "conditional": "DiscretizedLogisticMixture",
    "conditional.components": 5,
    "window": 2048,
    "batch_size": 1,
    "learning_rate": 3e-3,
    "warmup": 30,
    "gradient_clip": 1.0,
    "averaging": 0.99,
    "validation_size": 60,
    "seed": 0,
}


def coarse_bits(levels: np.ndarray, audio: AudioFormat) -> float:
    """The mean of log2 w over samples, w being the number of 16-bit integers of their level."""
    widths = np.bincount(audio.encode(np.arange(-(2**15), 2**15) / 2**15), minlength=audio.levels)
    return float(np.log2(widths[levels]).mean())


def measured(levels: int, folder: Path, steps: int) -> dict[str, Any]:
    """The figures of a run with so many levels on the test part; it is fitted if it is not there yet."""
    if not (folder / WEIGHTS).exists():
        chainrule.fit("fsdd", out=folder, levels=levels, max_steps=steps, **SETTINGS)
    run = open_run(folder)
    data = run.dataset()
    found = chainrule.evaluate(run.likelihood, data.test)
    samples = np.concatenate(list(data.test.each()))
    more = 0.0 if levels == LINEAR else coarse_bits(samples, data.format)
    return {
        "levels": levels,
        "bits_per_sample": found.bits_per_dim,
        "bits_per_sample_of_16_bits": found.bits_per_dim + more,
        "samples": found.variables,
        "parameters": run.model.num_parameters,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="the folder of the two runs")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--out", type=Path, default=Path("results/benchmark-sound-levels.json"))
    arguments = parser.parse_args()
    rows = [measured(levels, arguments.runs / f"fsdd-{levels}", arguments.steps) for levels in (256, LINEAR)]
    report = {
        "benchmark": "sound-levels",
        "dataset": "fsdd",
        "split": "test",
        "steps": arguments.steps,
        "settings": SETTINGS,
        "machine": machine(),
        "versions": versions(),
        "rows": rows,
    }
    write_atomically(arguments.out, (json.dumps(report, indent=2) + "\n").encode())
    print(json.dumps(rows, indent=2))
