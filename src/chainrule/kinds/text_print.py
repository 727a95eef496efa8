"""Text on the terminal: symbol by symbol as it is drawn, and in colours."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from chainrule.data.text import TextFormat

COLOURS = (231, 230, 229, 228, 222, 216, 210, 203, 197)
"""xterm's colours from white to red, one a nat."""


class EndedError(Exception):
    """A text is complete, although more symbols could be drawn."""


class Printer:
    """Prints a prompt and each symbol as it is drawn; the prompt with the first, as the drawing may be refused.

    Args:
        text: The format of the text.
        prompt: The beginning.
        stop: The text at which it ends, which is not printed; None for none.
    """

    def __init__(self, text: TextFormat, prompt: str, stop: str | None = None) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        if text.vocabulary.characters is None:
            prompt = self.decoder.decode(prompt.encode(errors="surrogateescape"))  # it may end within a character
        self.text, self.prompt, self.stop, self.held = text, prompt, stop, ""

    def __call__(self, values: Tensor) -> None:
        """Print the only one of ``values`` ``(1,)``.

        Raises:
            EndedError: If the text is complete.
        """
        print(self.prompt, end="", flush=True)
        self.prompt = ""
        vocabulary, symbol = self.text.vocabulary, int(values[0])
        if self.text.documents and symbol == vocabulary.end:
            self.flush()
            raise EndedError
        as_bytes = vocabulary.characters is None
        self.held += self.decoder.decode(bytes([symbol])) if as_bytes else vocabulary.decode([symbol])
        if self.stop is None:
            self.flush()
            return
        if self.stop in self.held:
            self.held = self.held.partition(self.stop)[0]
            self.flush()
            raise EndedError
        sizes = range(min(len(self.held), len(self.stop) - 1), -1, -1)
        kept = next(size for size in sizes if self.held.endswith(self.stop[:size]))
        self.flush(len(self.held) - kept)

    def flush(self, count: int | None = None) -> None:
        """Print the first ``count`` characters of what is held back, by default all."""
        count = len(self.held) if count is None else count
        print(self.held[:count], end="", flush=True)
        self.held = self.held[count:]


@contextmanager
def printing(text: TextFormat, prompt: str, stop: str | None = None) -> Iterator[Callable[[Tensor], None]]:
    """A `Printer`; the drawing in its block ends where the text does."""
    printer = Printer(text, prompt, stop)
    try:
        yield printer
        printer.flush()
    except EndedError:
        pass
    print()


def coloured(symbol: str, nats: float) -> str:
    """``symbol`` on a background whose colour says how surprising it is."""
    colour = COLOURS[min(int(nats), len(COLOURS) - 1)]
    return f"\x1b[30;48;5;{colour}m{symbol.removesuffix(chr(10))}\x1b[0m" + ("\n" if symbol == "\n" else "")
