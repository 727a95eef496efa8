"""The growth of the cost of a likelihood and of a sample with the number of variables n, and with that of examples.

Writes ``benchmark-growth.json``, ``benchmark-growth.png`` and ``benchmark-growth-batch.png``: seconds for 16 examples
of independent fair bits, and the operations of their matrix products, of a pass and of steps in Python, as torch's FLOP
counter counts them; and seconds for 1 to 4,096 examples of 784 bits.
"""

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from measuring import operations, seconds

import chainrule
from chainrule import plots
from chainrule.atomic import write_atomically
from chainrule.conditionals import Bernoulli
from chainrule.models import FVSBN, MADE, NADE
from chainrule.runs import machine
from chainrule.runs.folder import versions

BATCH = 16
SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
MODELS = {"FVSBN": (FVSBN, {}), "NADE 500": (NADE, {"hidden_size": 500}), "MADE 500": (MADE, {"hidden_sizes": [500]})}


def measure(name: str, n: int) -> dict[str, Any]:
    model_class, arguments = MODELS[name]
    model = model_class(event_shape=(n,), conditional=Bernoulli(), **arguments).eval()
    x = torch.bernoulli(torch.full((BATCH, n), 0.5))
    with torch.inference_mode():
        likelihood, sampling = seconds(
            lambda: model.log_prob(x), lambda: chainrule.sample(model, BATCH, seed=0), repeats=3
        )
        return {
            "model": name,
            "n": n,
            "parameters": model.num_parameters,
            "log_prob_seconds": likelihood,
            "sample_seconds": sampling,
            "log_prob_operations": operations(lambda: model(x)),
            "sample_operations": operations(lambda: chainrule.sample(model, BATCH, seed=0, watch=lambda _: None)),
        }


def measure_batches(name: str) -> list[dict[str, Any]]:
    model_class, arguments = MODELS[name]
    model = model_class(event_shape=(784,), conditional=Bernoulli(), **arguments).eval()
    rows = []
    with torch.inference_mode():
        for count in BATCHES:
            x = torch.bernoulli(torch.full((count, 784), 0.5))
            likelihood, sampling = seconds(
                lambda x=x: model.log_prob(x), lambda count=count: chainrule.sample(model, count, seed=0), repeats=3
            )
            rows.append({"model": name, "batch": count, "log_prob_seconds": likelihood, "sample_seconds": sampling})
    return rows


def slope(rows: list[dict[str, Any]], key: str) -> float:
    """The exponent of n in the cost, fitted by least squares in logarithms over the three largest n."""
    xs, ys = [math.log(row["n"]) for row in rows[-3:]], [math.log(row[key]) for row in rows[-3:]]
    x_mean, y_mean = sum(xs) / len(xs), sum(ys) / len(ys)
    products = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True))
    return products / sum((x - x_mean) ** 2 for x in xs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    out = parser.parse_args().out
    torch.manual_seed(0)
    rows = {name: [measure(name, n) for n in SIZES] for name in MODELS}
    batches = {name: measure_batches(name) for name in MODELS}
    keys = ("log_prob_seconds", "sample_seconds", "log_prob_operations", "sample_operations")
    exponents = {name: {key: slope(rows[name], key) for key in keys} for name in MODELS}
    report = {
        "benchmark": "growth",
        "batch": BATCH,
        "machine": machine(),
        "versions": versions(),
        "exponents": exponents,
        "rows": [row for model_rows in rows.values() for row in model_rows],
        "batches": [row for model_rows in batches.values() for row in model_rows],
    }
    print(json.dumps(exponents, indent=2))
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "benchmark-growth.json", (json.dumps(report, indent=2) + "\n").encode())
    draw(rows, SIZES, out / "benchmark-growth.png", "number of variables n", f"seconds for {BATCH} examples")
    draw(batches, BATCHES, out / "benchmark-growth-batch.png", "examples at once", "seconds for examples of 784 bits")


def draw(rows: dict[str, list[dict[str, Any]]], xs: Sequence[int], path: Path, x_label: str, y_label: str) -> None:
    series = {
        f"{name}: {verb}": (xs, [row[f"{verb}_seconds"] for row in rows[name]])
        for name in MODELS
        for verb in ("log_prob", "sample")
    }
    plots.lines(series, path, x_label=x_label, y_label=y_label, log=True)


if __name__ == "__main__":
    main()
