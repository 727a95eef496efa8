"""An autoencoder's loss is no likelihood: autoencoders of several codes beside MADE, on binarised 8x8 digits.

Writes ``benchmark-reconstruction.json``. Were exp(-loss) a probability, it would sum to 1 over all 2^64 images. Its sum
is estimated by samples of another distribution q, here MADE:

S = log sum_x exp(-loss(x)) = log E_q exp(-loss(x) - log q(x))

The log of the mean over some samples is too small on average, by Jensen's inequality, so S is at least that. Divided by
its sum, exp(-loss) is a probability, and -log p(x) = loss(x) + S. Epochs are chosen on validation.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Bernoulli
from chainrule.data import load
from chainrule.data.dataset import Dataset
from chainrule.models import MADE, Autoencoder
from chainrule.runs import machine
from chainrule.runs.folder import versions

CODES = (2, 4, 8, 16, 32, 64, 128)
SAMPLES = 4096
TRAINING = {"batch_size": 64, "averaging": 0.99, "max_epochs": 150, "patience": 300}


def shuffled(x: Tensor) -> Tensor:
    """Each example with its pixels in a random sequence of its own: as much ink, and no digit."""
    keys = torch.rand(len(x), x[0].numel(), generator=torch.Generator().manual_seed(0))
    return x.flatten(1).gather(1, keys.argsort(1)).view(x.shape)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    return values.double().mean().item(), values.double().std().item() / len(values) ** 0.5


@torch.no_grad()
def figures(model: Autoencoder, data: Dataset, samples: Tensor, nats: Tensor) -> dict[str, Any]:
    """The loss of test digits, of shuffled ones, and the log of the sum of exp(-loss), from below."""
    test = data.test[:]
    loss, loss_stderr = mean_and_error(model.loss(test))
    log_sum = (nats - model.loss(samples)).double().logsumexp(0).item() - math.log(len(samples))
    return {
        "parameters": model.num_parameters,
        "loss": loss,
        "loss_stderr": loss_stderr,
        "loss_of_shuffled": mean_and_error(model.loss(shuffled(test)))[0],
        "pixels_right": (model.reconstruct(test) == test).double().mean().item(),
        "log_sum_at_least": log_sum,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    out = parser.parse_args().out
    torch.manual_seed(0)
    data = load("digits")
    event = {"event_shape": data.event_shape, "conditional": Bernoulli()}
    made = MADE(**event, hidden_sizes=[1000], direct=True, dropout=0.5)
    fitted = chainrule.fit(made, data.train, data.valid, learning_rate=0.002, weight_decay=0.1, **TRAINING)
    found = chainrule.evaluate(made, data.test)
    samples = chainrule.sample(made, SAMPLES, seed=0)
    nats = -chainrule.tasks.evaluate.log_prob(made, samples)
    rows = []
    for code in CODES:
        model = Autoencoder(**event, hidden_sizes=[256, code])
        fit = chainrule.fit(model, data.train, data.valid, learning_rate=0.002, **TRAINING)
        rows.append({"code": code, "minutes": fit.minutes, "valid_loss": fit.best_nats})
        rows[-1] |= figures(model, data, samples, nats)
        print(json.dumps(rows[-1]))
    report = {
        "benchmark": "reconstruction",
        "dataset": data.description,
        "made": {
            "nats": found.nats,
            "nats_stderr": found.nats_stderr,
            "nats_of_shuffled": chainrule.evaluate(made, shuffled(data.test[:])).nats,
            "parameters": made.num_parameters,
            "minutes": fitted.minutes,
        },
        "samples": SAMPLES,
        "rows": rows,
        "machine": machine(),
        "versions": versions(),
    }
    write_atomically(out / "benchmark-reconstruction.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
