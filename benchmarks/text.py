"""Text: speed of a 3 x 512 LSTM as shares of what the machine can do, and general compressors.

Writes ``benchmark-text.json``. Times are the least of several, taken in turns in one process.
"""

import argparse
import bz2
import json
import lzma
import math
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from measuring import seconds, train_step
from torch import Tensor

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Categorical
from chainrule.data import load
from chainrule.data.text import TextFormat
from chainrule.models import RNN
from chainrule.runs import machine
from chainrule.runs.folder import versions

LANES, WINDOW = 64, 128
CHARACTERS = 200
"""Characters of every sample that is timed."""
PRECISIONS: tuple[Literal["32-true", "bf16-mixed"], ...] = ("32-true", "bf16-mixed")


def rates(weights: int) -> dict[str, float]:
    """The peak rates of this machine: matrix products, and reading ``weights`` numbers by products with a vector."""
    a = torch.randn(2048, 2048)
    b, matrices, vector = a.bfloat16(), torch.randn(weights // (2048 * 512), 2048, 512), torch.randn(512)
    single, half, read = seconds(
        lambda: a @ a, lambda: b @ b, lambda: [matrix @ vector for matrix in matrices], repeats=25
    )
    return {
        "float32_gflops": 2 * 2048**3 / single / 1e9,
        "bfloat16_gflops": 2 * 2048**3 / half / 1e9,
        "read_gigabytes_per_second": matrices.numel() * 4 / read / 1e9,
    }


def training(model: RNN, x: Tensor) -> dict[str, float]:
    """Characters per second of an optimiser step on 64 windows of 128, in both precisions."""

    def loss(enabled: bool) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            return -model.log_prob(x).mean()

    steps = [train_step(model.train(), lambda enabled=enabled: loss(enabled), fused=True) for enabled in (False, True)]
    single, half = seconds(*steps, repeats=5)
    return {"float32": x.numel() / single, "bfloat16": x.numel() / half}


def sampling(model: RNN) -> dict[str, dict[str, float]]:
    """Characters per second of one stream and of 64 at once, in the precisions that `chainrule.sample` has."""
    model.eval()
    ways = [(precision, lanes) for precision in PRECISIONS for lanes in (1, LANES)]
    times = seconds(
        *(
            partial(chainrule.sample, model, lanes, length=CHARACTERS, seed=0, precision=precision)
            for precision, lanes in ways
        ),
        repeats=9,
    )
    rates: dict[str, dict[str, float]] = {precision: {} for precision in PRECISIONS}
    for (precision, lanes), elapsed in zip(ways, times, strict=True):
        rates[precision][str(lanes)] = lanes * CHARACTERS / elapsed
    return rates


def speed() -> dict[str, Any]:
    """Speed of the 3 x 512 LSTM on Shakespeare's characters, and its shares of the machine's rates."""
    data = load("shakespeare", window=WINDOW)
    torch.manual_seed(0)
    model = RNN(event_shape=(WINDOW,), conditional=Categorical(data.levels), hidden_size=512, num_layers=3, cell="lstm")
    drawn = sampling(model)
    trained = training(model, data.train[:LANES])
    weights = sum(parameter.numel() for parameter in model.parameters())
    limits = rates(weights)
    one = max(own["1"] for own in drawn.values())
    # A step reads every weight once: what bounds one stream is that, what bounds 64 are products.
    floors = {
        "1": limits["read_gigabytes_per_second"] * 1e9 / (4 * weights),
        str(LANES): limits["float32_gflops"] * 1e9 / (2 * weights),
    }
    return {
        "parameters": model.num_parameters,
        "rates": limits,
        "train_characters_per_second": trained,
        # Forward and backward: three products of two operations each per weight and character.
        "train_share_of_matrix_products": {
            name: 6 * weights * rate / limits[f"{name}_gflops"] / 1e9 for name, rate in trained.items()
        },
        "sample_characters_per_second": drawn,
        "float32_floor_characters_per_second": floors,
        "float32_share_of_floor": {lanes: drawn["32-true"][lanes] / floor for lanes, floor in floors.items()},
        "float32_floor_64_over_1": floors[str(LANES)] / floors["1"],
        "sample_64_over_fastest_1": {precision: own[str(LANES)] / one for precision, own in drawn.items()},
    }


def compressors() -> list[dict[str, Any]]:
    """Bits per character of general compressors on the test parts of the named streams."""
    rows = []
    for name in ("shakespeare", "wikitext2"):
        data = load(name)
        assert isinstance(data.format, TextFormat)
        text = data.format.vocabulary.decode(data.test.symbols)  # type: ignore[attr-defined]
        raw = text.encode()
        for compressor, packed in {
            "xz -9e": lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME),
            "bzip2 -9": bz2.compress(raw, 9),
        }.items():
            bits = 8 * len(packed) / len(text)
            rows.append(
                {
                    "data": name,
                    "compressor": compressor,
                    "bits_per_character": bits,
                    "nats_per_character": bits * math.log(2),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    out = parser.parse_args().out
    report = {"benchmark": "text", "machine": machine(), "versions": versions(), "compressors": compressors()}
    report["speed"] = speed()
    print(json.dumps(report["speed"], indent=2), flush=True)
    write_atomically(out / "benchmark-text.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
