"""The lecture's running example in one minute: MADE and NADE learn scikit-learn's 8x8 digits.

Run it with ``make demo``, or ``python examples/digits.py --out FOLDER``.
"""

import argparse
import time
from pathlib import Path

import torch

import chainrule
from chainrule import plots
from chainrule.conditionals import Bernoulli
from chainrule.data import load
from chainrule.models import MADE, NADE
from chainrule.tasks.independent import independent_nats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="where the pictures and models go")
    parser.add_argument("--epochs", type=int, default=60, help="passes over the 1 439 training digits")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    digits = load("digits")
    print(f"{digits.description}: {len(digits.train)} training examples of shape {digits.event_shape}\n")
    settings = {"event_shape": digits.event_shape, "conditional": Bernoulli()}
    torch.manual_seed(0)
    models = {
        "MADE": MADE(**settings, hidden_sizes=[512], dropout=0.3),
        "NADE": NADE(**settings, hidden_size=256),
    }
    nats = {"independent pixels": f"{independent_nats(digits.train, digits.test, digits.levels):6.2f}"}
    for name, model in models.items():
        print(chainrule.describe(model))
        training = {"max_epochs": arguments.epochs, "batch_size": 64, "learning_rate": 5e-3, "averaging": 0.99}
        fitted = chainrule.fit(model, digits.train, digits.valid, out=out / name, verbose=False, **training)
        chainrule.save(model, out / name)
        plots.training_curve(fitted.history, out / f"{name}_training.png")
        result = chainrule.evaluate(model, digits.test)
        nats[name] = f"{result.nats:6.2f} +- {result.nats_stderr:.2f}"
        print(f"  trained for {60 * fitted.minutes:.0f} s, best after {fitted.best_step} of {fitted.steps} steps\n")

    print("Negative log-likelihood of the test digits, nats per image (lower is better)")
    for name, number in nats.items():
        print(f"  {name:20s}{number}")

    nade = models["NADE"]
    samples = chainrule.sample(nade, 64, seed=0)
    plots.sample_grid(samples, out / "samples.png", title="NADE: samples")
    with torch.no_grad():
        expectations = nade(samples).mean
    plots.conditionals_figure(samples[:25], expectations[:25], out / "conditionals.png")
    truth = digits.test[list(range(8))]
    observed = torch.zeros(digits.event_shape)
    observed[:, :4] = 1
    completed = torch.stack([chainrule.complete(nade, truth, observed, seed=seed) for seed in range(4)])
    plots.completions(truth, observed, completed, out / "completions.png")

    print(f"\nDone in {time.monotonic() - began:.0f} s. Look at:")
    for picture in sorted(out.glob("*.png")):
        print(f"  {picture}")
    print(f"The models are in {out / 'MADE'} and {out / 'NADE'}: try  chainrule evaluate {out / 'NADE'} --data digits")


if __name__ == "__main__":
    main()
