"""The progress of a training in a notebook: a bar in the output of its cell, which needs no widgets."""

from __future__ import annotations

import sys
import time
from html import escape
from importlib import import_module
from typing import Any

from chainrule.training.history import History
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

    def follow(self, step: int, total: int) -> None:
        super().follow(step, total)
        if time.monotonic() - self._last > REDRAWN_SECONDS:
            self.show()

    def end_round(self) -> None:
        self.show()

    def show(self) -> None:
        self._last = time.monotonic()
        words = f"step {self.step:,} of {self.total:,}  {self._nats()}  {self.history.minutes:.1f} min"
        bar = f'<progress value="{self.step}" max="{self.total}" aria-label="training"></progress>'
        display: Any = import_module("IPython.display")
        html = display.HTML(f"<div>{escape(self.label)}{bar} {escape(words)}</div>")
        if self._output is None:
            self._output = display.display(html, display_id=True)
        else:
            self._output.update(html)
