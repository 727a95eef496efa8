"""Cards: what a terminal and a notebook show of an object, in a few facts instead of all that it holds."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any


@dataclass(frozen=True)
class Card:
    """A title, and facts by their names. A fact that is None is left out.

    >>> print(Card("Completion", {"method": "exact", "examples": 1000, "temperature": None}))
    Completion
      method    exact
      examples  1,000
    """

    title: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lines(self) -> dict[str, str]:
        """The facts in words."""
        return {name: in_words(value) for name, value in self.facts.items() if value is not None}

    def __str__(self) -> str:
        width = max(map(len, self.lines), default=0)
        return "\n".join([self.title, *(f"  {name:{width}}  {words}" for name, words in self.lines.items())])

    def html(self, below: str = "") -> str:
        """The card as HTML without scripts and colours of its own, so that it suits light and dark notebooks.

        Args:
            below: HTML that stands below the facts, such as a picture.
        """
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
            f'<td style="text-align:left">{escape(words)}</td></tr>'
            for name, words in self.lines.items()
        )
        table = f"<table>{rows}</table>" if rows else ""
        return f"<div><strong>{escape(self.title)}</strong>{table}{below}</div>"


class Shown(ABC):
    """An object that terminals show as a few lines, and notebooks as a card."""

    @abstractmethod
    def _card(self) -> Card:
        """The facts that are shown."""

    def _below(self) -> str:
        """HTML that notebooks show below the facts."""
        return ""

    def __repr__(self) -> str:
        return str(self._card())

    def _repr_html_(self) -> str:
        return self._card().html(self._below())


def in_words(value: Any) -> str:
    """A fact in words: numbers rounded to what is worth reading, and lists with commas.

    >>> in_words(1234567), in_words(17.48661), in_words((1, 8, 8)), in_words(["a", "b"])
    ('1,234,567', '17.487', '1 x 8 x 8', 'a, b')
    """
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, tuple) and value and all(isinstance(size, int) for size in value):
        return " x ".join(map(str, value))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def image_of(content: bytes, words: str) -> str:
    """The picture of a ``.png`` file in HTML, with words for those who can't see it."""
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
