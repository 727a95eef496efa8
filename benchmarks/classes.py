"""Classification by Bayes' rule and features of hidden layers, on statically binarised MNIST.

Writes ``benchmark-classes.json`` and ``benchmark-classes.png``. Class-conditional FVSBN and MADE stand beside logistic
regression on the pixels; a linear probe on features of models that never saw a class stands beside the same probe on
the pixels and on as many principal components. What has to be chosen is chosen on the validation split.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from torch import Tensor

import chainrule
from chainrule import plots
from chainrule.atomic import write_atomically
from chainrule.conditionals import Bernoulli
from chainrule.data import load
from chainrule.data.dataset import Dataset
from chainrule.models import FVSBN, MADE, NADE, Autoencoder
from chainrule.runs import machine
from chainrule.runs.folder import versions
from chainrule.tasks.classify import class_prior, classify, classify_progressively

FEATURES = 500
STRENGTHS = (0.001, 0.01, 0.1)
"""Inverse weights of the probe's L2 penalty, to choose from."""
SPLITS = ("train", "valid", "test")


def classifiers(data: Dataset, out: Path) -> list[dict[str, Any]]:
    """Accuracy of Bayes' rule with class-conditional models; draws the picture of the better one on validation."""
    event = {"event_shape": data.event_shape, "conditional": Bernoulli(), "num_classes": 10}
    fits = {
        "FVSBN": (FVSBN(**event), {"max_epochs": 10, "learning_rate": 0.01, "weight_decay": 0.03}),
        "MADE": (
            MADE(**event, hidden_sizes=[1000], direct=True, dropout=0.5),
            {"max_epochs": 20, "learning_rate": 0.002},
        ),
    }
    contexts = {f"{split}_context": data.classes(split) for split in ("train", "valid")}
    prior = class_prior(data.classes("train"), 10)
    rows = []
    for name, (model, settings) in fits.items():
        settings = {"batch_size": 200, "averaging": 0.998} | settings
        fitted = chainrule.fit(model, data.train, data.valid, **contexts, **settings)
        row: dict[str, Any] = {"model": name, "minutes": fitted.minutes, "settings": settings | model.config}
        for split in ("valid", "test"):
            log_probs = classify(model, data.split(split), prior=prior)
            classes = data.classes(split)
            row |= {
                f"{split}_accuracy": (log_probs.argmax(1) == classes).double().mean().item(),
                f"{split}_nats": -log_probs.gather(1, classes[:, None]).mean().item(),
            }
        rows.append(row)
        print(json.dumps(row, default=str))
    x = data.test[:6]
    progress = classify_progressively(model, x, prior=prior).exp()
    plots.progressive_classes(x, progress, out / "benchmark-classes.png", labels=data.classes("test"))
    return rows


def features(data: Dataset) -> dict[str, dict[str, Tensor]]:
    """Features of every split: pixels, principal components, and hidden layers of models fitted without classes."""
    event = {"event_shape": data.event_shape, "conditional": Bernoulli()}
    pixels = {split: data.split(split)[:].flatten(1) for split in SPLITS}
    pca = PCA(FEATURES, random_state=0).fit(pixels["train"].numpy())
    found = {
        "pixels": pixels,
        "PCA": {split: torch.from_numpy(pca.transform(pixels[split].numpy())) for split in SPLITS},
    }
    models = {
        "MADE": MADE(**event, hidden_sizes=[FEATURES]),
        "NADE": NADE(**event, hidden_size=FEATURES, activation="relu"),
        "NADE, untrained": NADE(**event, hidden_size=FEATURES, activation="relu"),
        "NADE, order-agnostic": NADE(**event, hidden_size=FEATURES, activation="relu", order_agnostic=True),
        "Autoencoder": Autoencoder(**event, hidden_sizes=[FEATURES]),
    }
    for name, model in models.items():
        if "untrained" not in name:
            chainrule.fit(model, data.train, data.valid, max_epochs=8, batch_size=200, averaging=0.998)
        found[name] = {split: chainrule.represent(model, data.split(split)) for split in SPLITS}
    return found


def probe(name: str, parts: dict[str, Tensor], data: Dataset) -> dict[str, Any]:
    """Accuracy of logistic regression on standardised features, its strength chosen on validation."""
    mean, spread = parts["train"].mean(0), parts["train"].std(0).clamp(min=1e-3)
    arrays = {split: ((parts[split] - mean) / spread).numpy().astype(np.float32) for split in SPLITS}
    started, best = time.perf_counter(), (-1.0, 0.0, None)
    for strength in STRENGTHS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 100 iterations are enough to compare
            regression = LogisticRegression(C=strength, max_iter=100).fit(arrays["train"], data.classes("train"))
        accuracy = regression.score(arrays["valid"], data.classes("valid"))
        best = max(best, (accuracy, strength, regression), key=lambda found: found[0])
    row = {
        "features": name,
        "size": int(mean.numel()),
        "strength": best[1],
        "valid_accuracy": best[0],
        "test_accuracy": best[2].score(arrays["test"], data.classes("test")),
        "seconds": time.perf_counter() - started,
    }
    print(json.dumps(row))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    out = parser.parse_args().out
    torch.manual_seed(0)
    data = load("mnist")
    report = {
        "benchmark": "classes",
        "dataset": data.description,
        "seed": 0,
        "machine": machine(),
        "versions": versions(),
        "classifiers": classifiers(data, out),
        "probes": [probe(name, parts, data) for name, parts in features(data).items()],
    }
    write_atomically(out / "benchmark-classes.json", (json.dumps(report, indent=2, default=str) + "\n").encode())


if __name__ == "__main__":
    main()
