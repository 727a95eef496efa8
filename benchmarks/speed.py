"""Speed of every model beside the floor of this machine and beside rivals, in one process.

Writes ``benchmark-speed.json``: seconds of ``sample(1)``, ``sample(64)``, ``sample(1024)`` and of a completion of the
right halves of 4 digits by 16 particles each, examples a second of ``log_prob`` and of training, the best of several
times, taken in turns; for most the floor, and how far above it we are. Networks of image convolutions train in bfloat16
where the processor has it, as they do in `chainrule.fit`; all else, the floor and the rivals too, is in single
precision. The floor adds

- the products: every weight that is not masked, once for each variable that uses it (three times in training), at the
  rate of a large matrix product; or, of one example, reading the weights, if longer, at the rate of reading as many
  bytes again and again;
- the values of sigmoid, tanh and exp, at the rate of torch's sigmoid on numbers that stay in the cache;
- in a sample a random number for each variable, at the rate of torch, which draws them on one thread.

One example runs on one thread, and has the rates of one. ``--rivals FOLDER`` is a checkout of pytorch-generative
(https://github.com/EugenHotaj/pytorch-generative), whose models are measured beside ours, with their own loss and Adam;
a sample that would take minutes is one pass times the number of passes. MADE with mixtures is measured beside zuko's
MAF, where zuko is installed.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measuring import rates, read_rate, seconds, train_step
from rival_models import Rival, pytorch_generative, zuko_flow
from torch import Tensor

import chainrule
from chainrule.atomic import write_atomically
from chainrule.conditionals import Bernoulli, Categorical, GaussianMixture
from chainrule.data import load
from chainrule.devices import fastest_precision
from chainrule.model import AutoregressiveModel
from chainrule.models import FVSBN, MADE, MLP, NADE, RNN, BayesNet, GatedPixelCNN, PixelCNN, Table, WaveNet
from chainrule.runs import machine
from chainrule.runs.folder import versions

BITS, IMAGE, LEVELS = {"event_shape": (784,)}, {"event_shape": (1, 28, 28)}, Categorical(256, "scalar")
MIXTURES = {"event_shape": (11,), "conditional": GaussianMixture(10), "hidden_sizes": [64, 64]}


@dataclass
class Subject:
    """A model that is measured.

    Attributes:
        build: Builds it.
        functions: Values of sigmoid, tanh and exp for each variable.
        reuses: How often a sample uses each weight: once, or for every variable.
        counts: How many examples are drawn at once.
        rows: Examples whose likelihood is computed at once.
        batch: Examples of a training step; 0 if it is not trained by steps.
        unused: Weights that a step does not multiply by, as those of a one-hot input.
        more: Products of an example, in a sample, for which weights are used again.
        floored: False where the floor says little: what is looked up in tables needs no products.
    """

    build: Callable[[], AutoregressiveModel]
    functions: float
    reuses: int = 1
    counts: Sequence[int] = (1, 64, 1024)
    rows: int = 1024
    batch: int = 256
    unused: int = 0
    more: int = 0
    floored: bool = True

    def products(self, model: AutoregressiveModel) -> int:
        """The products of an example."""
        return (model.num_parameters - self.unused) * self.reuses + self.more


def subjects() -> dict[str, Subject]:
    bits = BITS | {"conditional": Bernoulli()}
    image = IMAGE | {"conditional": Bernoulli()}
    lstm = {"event_shape": (100,), "conditional": Categorical(65), "hidden_size": 512, "num_layers": 3, "cell": "lstm"}
    wavenet = {"event_shape": (2000,), "conditional": LEVELS, "residual_channels": 64, "skip_channels": 128}
    return {
        "FVSBN": Subject(lambda: FVSBN(**bits), 1),
        "NADE 500": Subject(lambda: NADE(**bits, hidden_size=500), 501),
        "DeepNADE 2 x 500": Subject(
            lambda: NADE(**bits, hidden_size=500, num_layers=2, order_agnostic=True),
            1001,
            counts=(1, 64),
            more=783 * 500**2,
        ),
        "MADE 500": Subject(lambda: MADE(**bits, hidden_sizes=[500]), 1),
        "MLP 16": Subject(lambda: MLP(**bits), 17),
        "BayesNet, 3 parents": Subject(lambda: BayesNet(**bits, structure="previous:3"), 1, batch=0, floored=False),
        "PixelCNN 15 x 16": Subject(
            lambda: PixelCNN(**image, hidden_size=16), 1, reuses=784, counts=(1, 64, 256), rows=64, batch=64
        ),
        "GatedPixelCNN 10 x 32": Subject(
            lambda: GatedPixelCNN(**image, hidden_size=32), 1 + 10 * 128, reuses=784, counts=(1, 64), rows=64, batch=64
        ),
        "PixelCNN 5 x 32, patches of 2 x 2": Subject(
            lambda: PixelCNN(**image, hidden_size=32, num_blocks=5, kernel_size=5, patch_size=2),
            196 / 784,
            reuses=196,
            rows=64,
            batch=64,
        ),
        "LSTM 3 x 512, 100 characters": Subject(
            lambda: RNN(**lstm), 3 * 5 * 512 + 65, reuses=100, counts=(1, 64), rows=64, batch=32, unused=65 * 2048
        ),
        "WaveNet 2 x 10 x 64, 2,000 samples": Subject(
            lambda: WaveNet(**wavenet, layers=10, blocks=2),
            20 * 128 + 256,
            reuses=2000,
            counts=(1, 64),
            rows=4,
            batch=0,
        ),
        "Table of 12 bits": Subject(
            lambda: Table(event_shape=(12,), conditional=Bernoulli()), 1, batch=0, floored=False
        ),
        "MADE-MoG 64-64, 11 reals": Subject(lambda: MADE(**MIXTURES), 21, counts=(1, 64, 1024, 100_000), rows=100_000),
    }


def floor(
    subject: Subject, model: AutoregressiveModel, count: int, known: dict[str, float], drawn: int = 1
) -> dict[str, float]:
    """The least seconds that ``count`` examples take, and their parts."""
    threads = "_of_one_thread" if count == 1 else ""
    products, variables = subject.products(model), model.num_variables
    reading = 4 * products / read_rate(4 * model.num_parameters) if count == 1 else 0.0
    products = 2 * products * count / (1e9 * known[f"matrix_product_gflops{threads}"])
    functions = subject.functions * variables * count / (1e9 * known[f"sigmoid_billions_per_second{threads}"])
    random = drawn * variables * count / (1e6 * known["random_millions_per_second"])
    return {
        "floor_seconds": max(products, reading) + functions + random,
        "products_seconds": products,
        "reading_seconds": reading,
        "functions_seconds": functions,
        "random_seconds": random,
    }


def examples(model: AutoregressiveModel, count: int) -> Tensor:
    """Binarised digits for a model of as many bits, and samples of the model itself for another."""
    if model.num_variables == 784:
        return load("mnist").test[:count].reshape(count, *model.event_shape)
    return chainrule.sample(model, count, seed=0)


def measure(name: str, subject: Subject, known: dict[str, float], rival: Rival | None, quick: bool) -> dict[str, Any]:
    """The figures of one model, and of its rival."""
    torch.manual_seed(0)
    model = subject.build().eval()
    row: dict[str, Any] = {"model": name, "parameters": model.num_parameters, "sample": {}}
    repeats = 2 if quick else 7
    with torch.inference_mode():
        for count in subject.counts:
            actions = [lambda count=count: chainrule.sample(model, count, seed=0)]
            if rival is not None:
                actions.append(lambda count=count: rival.sample(count))
            ours, *theirs = seconds(*actions, repeats=repeats)
            row["sample"][str(count)] = {"seconds": ours}
            if subject.floored:
                bound = floor(subject, model, count, known)
                row["sample"][str(count)] |= {"times_floor": ours / bound["floor_seconds"]} | bound
            if rival is not None:
                row["sample"][str(count)] |= {"rival_seconds": theirs[0] * rival.passes}
        if model.num_variables == 784:
            halves, known_half = examples(model, 4), (torch.arange(784) % 28 < 14).reshape(model.event_shape)
            complete = lambda: chainrule.complete(model, halves, known_half, particles=16, seed=0)  # noqa: E731
            row["complete_4_by_16_seconds"] = seconds(complete, repeats=repeats)[0]
        (stepped,) = seconds(lambda: chainrule.sample(model, 64, seed=0, watch=lambda _: None), repeats=1, warm=False)
        row["steps_in_python_64_seconds"] = stepped
        x = examples(model, subject.rows)
        actions = [lambda: model.log_prob(x)]
        if rival is not None:
            actions.append(lambda: rival.loss(x))
        ours, *theirs = seconds(*actions, repeats=repeats)
        row["log_prob_per_second"] = len(x) / ours
        if subject.floored:
            row["log_prob_times_floor"] = ours / floor(subject, model, len(x), known, drawn=0)["floor_seconds"]
        if theirs:
            row["rival_log_prob_per_second"] = len(x) / theirs[0]
    if subject.batch:
        row |= measure_training(subject, model, rival, known, quick)
    return row


def measure_training(
    subject: Subject,
    model: AutoregressiveModel,
    rival: Rival | None,
    known: dict[str, float],
    quick: bool,
) -> dict[str, Any]:
    x = examples(model, subject.batch)
    precision = fastest_precision(model, "cpu")  # as `chainrule.fit` does by default
    half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed")
    steps = [train_step(model.train(), half(lambda: model.loss(x).mean()), fused=True)]
    if rival is not None:
        steps.append(train_step(rival.network, lambda: rival.loss(x), fused=False))
    ours, *theirs = seconds(*steps, repeats=3 if quick else 9)
    bound = 3 * 2 * (subject.products(model) - subject.more) * len(x) / (1e9 * known["matrix_product_gflops"])
    row: dict[str, Any] = {"train_per_second": len(x) / ours, "train_times_floor": ours / bound}
    row |= {"train_precision": precision}
    if theirs:
        row |= {"rival_train_per_second": len(x) / theirs[0], "train_speedup": theirs[0] / ours}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--rivals", type=Path, help="a checkout of pytorch-generative")
    parser.add_argument("--only", nargs="+", help="the names of some models")
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    arguments = parser.parse_args()
    known = rates()
    rivals = zuko_flow() | ({} if arguments.rivals is None else pytorch_generative(arguments.rivals))
    rows = []
    for name, subject in subjects().items():
        if arguments.only is None or name in arguments.only:
            rows.append(measure(name, subject, known, rivals.get(name), arguments.quick))
            print(json.dumps(rows[-1], indent=2), flush=True)
    report = {"benchmark": "speed", "machine": machine(), "rates": known, "versions": versions(), "rows": rows}
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_atomically(arguments.out / "benchmark-speed.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
