"""A report on attacks: a table for the terminal, and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from chainrule import plots
from chainrule.attacks.evaluation import Attacked, Defence

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


def plot_attacks(folder: Path, defence: Defence, attacks: Sequence[Attacked]) -> None:
    """Plot the strongest of each attack into ``folder``.

    ``log-likelihoods.png`` has histograms of log p of clean, attacked and purified images, ``examples.png`` has images.
    """
    strongest = {done.attack: done for done in sorted(attacks, key=lambda done: done.epsilon or 0)}
    log_probs = {"clean": defence.log_probs, "purified": defence.log_prob(defence.purified)}
    log_probs |= {done.name: done.log_probs for done in strongest.values()}
    bits = {name: -found.double() / (math.log(2) * defence.x[0].numel()) for name, found in log_probs.items()}
    plots.histograms(bits, folder / "log-likelihoods.png", x_label="-log p(x), bits per dimension")
    columns = {"clean": defence.x, "purified": defence.purified}
    for done in strongest.values():
        columns |= {done.name: done.images, f"{done.attack}, pur.": done.purified}
    shown = {name: images[:SHOWN] for name, images in columns.items()}
    plots.side_by_side(shown, folder / "examples.png", levels=defence.levels)
