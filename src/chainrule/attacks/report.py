"""A report on attacks: a table for the terminal, and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from chainrule import plots
from chainrule.attacks.evaluation import Attacked, Defence
from chainrule.plots.panels import Label

SHOWN = 10
"""Images in the picture."""


def table(attacks: Sequence[Attacked]) -> list[str]:
    """The lines of a table with a row for each attack."""
    scores = list(attacks[0].auc)
    columns = f"{'attack':14} {'accuracy':>9} {'purified':>9} {'adaptive':>9} {'L-inf':>6} {'nats':>8}"
    rows = [
        f"{done.name:14} {done.accuracy:9.1%} {done.purified_accuracy:9.1%} {done.adaptive_accuracy:9.1%} "
        f"{done.linf:6.2f} {done.nats:8.1f}  " + "  ".join(f"{done.auc[score]:.3f}" for score in scores)
        for done in attacks
    ]
    return [f"{columns}  AUC of {', '.join(scores)}", *rows]


def plot_attacks(
    folder: Path, defence: Defence, attacks: Sequence[Attacked], *, rows: Sequence[int], classes: Sequence[str]
) -> None:
    """Plot the strongest of each attack into ``folder``.

    ``log-likelihoods.png`` has histograms of log p of clean, attacked and purified images. ``examples.png`` has images,
    each with the class that the classifier gives it below, in red where it is wrong.

    Args:
        folder: Where the pictures are written.
        defence: What was attacked.
        attacks: The attacks.
        rows: The row that each of the defence's images has in the data, ``(B,)``, from 0; people count from 1.
        classes: The name of each class.
    """
    strongest = {done.attack: done for done in sorted(attacks, key=lambda done: done.epsilon or 0)}
    log_probs = {"clean": defence.log_probs, "purified": defence.log_prob(defence.purified)}
    log_probs |= {done.name: done.log_probs for done in strongest.values()}
    bits = {name: -found.double() / (math.log(2) * defence.x[0].numel()) for name, found in log_probs.items()}
    plots.histograms(bits, folder / "log-likelihoods.png", x_label="-log p(x), bits per dimension")
    columns = {"clean": defence.x, "purified": defence.purified}
    for done in strongest.values():
        columns |= {done.name: done.images, f"{done.attack}, pur.": done.purified}
    shown = torch.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).round().long()
    truth = defence.labels[shown].tolist()
    columns = {name: images[shown] for name, images in columns.items()}
    plots.side_by_side(
        columns,
        folder / "examples.png",
        levels=defence.levels,
        rows=[f"image {rows[i] + 1}\n{classes[true]}" for i, true in zip(shown.tolist(), truth, strict=True)],
        labels={
            name: [
                Label(classes[seen], marked=seen != true)
                for seen, true in zip(defence.predicted(images).tolist(), truth, strict=True)
            ]
            for name, images in columns.items()
        },
    )
