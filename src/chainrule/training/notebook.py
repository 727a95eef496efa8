"""The progress of a training in a notebook: a bar in the output of its cell, which needs no widgets."""

from __future__ import annotations

import sys
import time
from html import escape
from importlib import import_module
from typing import Any

import lightning.pytorch as lightning

from chainrule.training.callbacks import History
from chainrule.training.progress import Reporter

REDRAWN_SECONDS = 0.25
"""The bar is drawn again after this time at the earliest."""


def in_notebook() -> bool:
    """True if this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class Cell(Reporter):
    """A bar over the whole training, with the losses, drawn again in its place."""

    def __init__(self, history: History, label: str) -> None:
        super().__init__(history, label)
        self._output: Any = None
        self._drawn = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._draw()

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: Any) -> None:
        if time.monotonic() - self._drawn > REDRAWN_SECONDS:
            self._follow(trainer, pl_module)
            self._draw()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._follow(trainer, pl_module)
        self._draw()

    def _draw(self) -> None:
        words = f"step {self.step:,} of {self.total:,}  {self._nats()}  {self.history.minutes:.1f} min"
        bar = f'<progress value="{self.step}" max="{self.total}" aria-label="training"></progress>'
        display: Any = import_module("IPython.display")
        html = display.HTML(f"<div>{escape(self.label)}{bar} {escape(words)}</div>")
        if self._output is None:
            self._output = display.display(html, display_id=True)
        else:
            self._output.update(html)
        self._drawn = time.monotonic()
