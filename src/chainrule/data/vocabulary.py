"""Vocabularies: the symbols of a text and their numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "\ufffd"
"""The character that stands for every character which the training text lacks."""

END_OF_LINE, END_OF_FILE = "\n", "\0"
"""The characters that end a line, and a file whose lines belong together: no text has a NUL."""

KINDS = ("characters", "bytes")


class Vocabulary:
    """The symbols of a text: the characters of the training text and `UNKNOWN`, or the 256 bytes.

    Args:
        characters: Every character, in any sequence; None for bytes.
        end: The character that ends a document.

    >>> vocabulary = Vocabulary("hello")
    >>> vocabulary.encode("hole").tolist()
    [1, 3, 2, 0]
    >>> vocabulary.decode([1, 0, 2, 2, 3])
    'hello'
    """

    def __init__(self, characters: Iterable[str] | None, end: str = END_OF_LINE) -> None:
        known = None if characters is None else sorted(set(characters) - {UNKNOWN})
        self.characters = None if known is None else "".join([*known, UNKNOWN])
        self.end_character = end
        points = [ord(character) for character in self.characters or ()]
        self._points = np.array(points, dtype="<u4")
        self._known = self._points[:-1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and (
            (self.characters, self.end_character) == (other.characters, other.end_character)
        )

    def __hash__(self) -> int:
        return hash(self.characters)

    def __len__(self) -> int:
        return 256 if self.characters is None else len(self.characters)

    @property
    def kind(self) -> str:
        """``"characters"`` or ``"bytes"``."""
        return "bytes" if self.characters is None else "characters"

    @property
    def unit(self) -> str:
        """The word for one symbol."""
        return self.kind.removesuffix("s")

    @property
    def end(self) -> int:
        """The symbol that ends a document.

        Raises:
            ValueError: If the text has none.
        """
        return int(self.encode(self.end_character, strict=True)[0])

    @property
    def unknown(self) -> int | None:
        """The symbol of characters that the vocabulary lacks; None of bytes, which lack nothing."""
        return None if self.characters is None else len(self.characters) - 1

    def encode(self, text: str, *, strict: bool = False) -> NDArray[np.int64]:
        """The symbols of ``text``.

        Args:
            text: Characters; as bytes they are UTF-8.
            strict: Refuse a character that the vocabulary lacks; else it becomes `UNKNOWN`.

        Raises:
            ValueError: If a character is not in the vocabulary.
        """
        symbols = self.symbols(self.points(text))
        if strict and self.unknown is not None and (symbols == self.unknown).any():
            at = int(np.argmax(symbols == self.unknown))
            raise ValueError(
                f"expected characters of the training text ({self.summary}), got {text[at]!r} at character {at}"
            )
        return symbols

    def points(self, text: str) -> NDArray[np.integer[Any]]:
        """``text`` as numbers, one for each symbol: the code points of its characters, or its bytes in UTF-8."""
        if self.characters is None:
            return np.frombuffer(text.encode(errors="surrogateescape"), np.uint8)
        return np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), np.uint32)

    def text(self, points: NDArray[Any]) -> str:
        """The text of `points`; bytes that are no UTF-8 become `UNKNOWN`."""
        if self.characters is None:
            return points.astype(np.uint8).tobytes().decode(errors="replace")
        return points.astype("<u4").tobytes().decode("utf-32-le", errors="surrogatepass")

    def symbols(self, points: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """The symbols of `points`; a character that the vocabulary lacks becomes `UNKNOWN`."""
        if self.characters is None:
            return points.astype(np.int64)
        unknown = len(self._known)
        places = np.searchsorted(self._known, points)
        found = np.append(self._known, 0)[places] == points if unknown else np.zeros(len(points), bool)
        return np.where(found & (places < unknown), places, unknown).astype(np.int64)

    def decode(self, symbols: Iterable[int]) -> str:
        """The text that ``symbols`` spell; bytes that are no UTF-8 become `UNKNOWN`."""
        numbers = np.asarray(symbols if isinstance(symbols, np.ndarray) else list(symbols), dtype=np.int64)
        return self.text(self.points_of(numbers))

    def points_of(self, symbols: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
        """The points of a text with these symbols."""
        return symbols if self.characters is None else self._points[symbols]

    @property
    def summary(self) -> str:
        """The known characters, shortened."""
        text = (self.characters or "")[:-1]
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        return f"{len(text)} characters {shown!r}"

    @property
    def config(self) -> dict[str, Any]:
        """Plain values that build an equal vocabulary."""
        return {"characters": self.characters}
