"""The chapters of the lecture: notebooks as Markdown (MyST), which the documentation and ``chainrule tour`` run.

A chapter is a file ``NUMBER-NAME.md``. Its code stands in blocks ``{code-cell}``, whose options are YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.shipped import shipped_folder
from chainrule.words import suggestion

_FRONT_MATTER = re.compile(r"\A---\n.*?^---\n", re.M | re.S)
_CELL = re.compile(
    r"^```\{code-cell\}[^\n]*\n(?:---\n(?P<options>.*?)^---\n|:(?P<option>.*?\n))?(?P<code>.*?)^```$", re.M | re.S
)
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?://)[^)]*\)")


@dataclass(frozen=True)
class Cell:
    """A part of a chapter.

    Attributes:
        source: Markdown, or the code of a cell.
        is_code: Whether it is code.
        is_answer: Whether it is the answer of an exercise, which is hidden at first.
        caption: What its figure shows, if it plots one.
    """

    source: str
    is_code: bool = False
    is_answer: bool = False
    caption: str = ""


@dataclass(frozen=True)
class Chapter:
    """A chapter of the lecture.

    Attributes:
        number: Its number, from 1.
        name: Its short name, such as ``"nade"``.
        title: Its title.
        path: The Markdown file.
        cells: Its parts, in their sequence.
    """

    number: int
    name: str
    title: str
    path: Path
    cells: tuple[Cell, ...]

    def notebook(self) -> dict[str, Any]:
        """The chapter as the content of a file ``.ipynb``, without outputs."""
        return {
            "cells": [_notebook_cell(i, cell) for i, cell in enumerate(self.cells)],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }


def chapters() -> list[Chapter]:
    """All chapters, in their sequence.

    >>> [chapter.name for chapter in chapters()][:1]
    ['chain-rule']
    """
    folder = shipped_folder("docs") / "lecture"
    return sorted(map(_read, folder.glob("[0-9]*-*.md")), key=lambda chapter: chapter.number)


def chapter_called(which: str) -> Chapter:
    """The chapter with a number or a name.

    Raises:
        ValueError: If there is none.
    """
    found = {name: chapter for chapter in chapters() for name in (str(chapter.number), chapter.name)}
    if which not in found:
        raise ValueError(f"tour expects a chapter ({', '.join(found)}), got {which!r}{suggestion(which, found)}")
    return found[which]


def _read(path: Path) -> Chapter:
    text = _FRONT_MATTER.sub("", path.read_text(encoding="utf-8"))
    number, _, name = path.stem.partition("-")
    title = re.search(r"^# (?:\d+\. )?(.*)$", text, re.M)
    if title is None:
        raise ValueError(f"{path} expects a title, a line that begins with #, and has none")
    return Chapter(int(number), name, title[1], path, tuple(_cells(text)))


def _cells(text: str) -> Iterator[Cell]:
    end = 0
    for match in _CELL.finditer(text):
        if prose := text[end : match.start()].strip():
            yield Cell(_LINK.sub(r"\1", prose))
        options = _options(match["options"] or match["option"] or "")
        caption = options.get("mystnb", {}).get("figure", {}).get("caption", "")
        yield Cell(match["code"].strip(), True, "hide-cell" in options.get("tags", []), " ".join(caption.split()))
        end = match.end()
    if prose := text[end:].strip():
        yield Cell(_LINK.sub(r"\1", prose))


def _options(text: str) -> dict[str, Any]:
    """The options of a cell, written as YAML, or as one line ``:name: value``."""
    import yaml

    return yaml.safe_load(text) or {}


def _notebook_cell(index: int, cell: Cell) -> dict[str, Any]:
    common = {"id": f"cell-{index}", "metadata": {}, "source": cell.source}
    if not cell.is_code:
        return {"cell_type": "markdown", **common}
    if cell.is_answer:
        common["metadata"] = {"jupyter": {"source_hidden": True}, "tags": ["hide-cell"]}
    return {"cell_type": "code", **common, "execution_count": None, "outputs": []}
