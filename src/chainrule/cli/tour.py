"""``chainrule tour``: list the chapters of the lecture, or run one here, or write it as a notebook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.atomic import write_atomically
from chainrule.cli.parser import UsageError
from chainrule.lecture import Cell, Chapter, chapter_called, chapters

if TYPE_CHECKING:
    from rich.console import Console

JUPYTER = ("jupyter-lab", "jupyter-notebook")
"""The programs that open a notebook, the first that is there."""

SIGNS = {
    r"\\(?:dots|ldots|cdots)": "...",
    r"\\mid": "|",
    r"\\prod": "prod",
    r"\\sum": "sum",
    r"\\top\b": "T",
    r"\\sqrt\{([^{}]*)\}": r"sqrt(\1)",
    r"\\(log|exp|tanh|max|min|sqrt)": r"\1",
    r"\\(?:cdot|times|odot)": "*",
    r"\\(?:leq|le)\b": "<=",
    r"\\(?:geq|ge)\b": ">=",
    r"\\approx": "~",
    r"\\(?:text|mathrm|mathbf)\{([^}]*)\}": r"\1",
    r"([_^])\{([^{}]?|<\w)\}": r"\1\2",
    r"([_^])\{([^{}]*)\}": r"\1(\2)",
    r"\\frac\{((?:\\[{}]|[^{}])*)\}\{((?:\\[{}]|[^{}])*)\}": r"(\1) / (\2)",
    r"\\neq?\b": "!=",
    r"\\#": "#",
    r"\\(?:left|right|,|;|q?quad|!)": "",
    r"\\\{": "{",
    r"\\\}": "}",
    r"\\([a-zA-Z]+)": r"\1",
}
"""Words for TeX in a terminal: pattern and replacement, in this sequence."""


def run_tour(options: dict[str, Any]) -> None:
    """List the chapters, or show one."""
    if options["chapter"] is None:
        list_chapters()
        return
    chapter, out = chapter_called(options["chapter"]), Path(options["out"])
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out expects a folder, for the chapter's figures or its notebook, got the file {out}")
    if options["notebook"]:
        write_notebook(chapter, out)
    else:
        run_chapter(chapter, out, answers=options["answers"])


def list_chapters() -> None:
    """Print number, name and title of every chapter."""
    found = chapters()
    width = max(len(chapter.name) for chapter in found)
    for chapter in found:
        print(f"{chapter.number:2}  {chapter.name:{width}}  {chapter.title}")
    print("`chainrule tour 1` runs a chapter in the terminal and saves its figures; with --notebook it is for Jupyter")


def write_notebook(chapter: Chapter, out: Path) -> None:
    """Write the chapter as a notebook into the folder ``out``, and open it where Jupyter is installed."""
    path = out / f"{chapter.path.stem}.ipynb"
    if path.exists():
        print(f"{path} is there already, and stays as it is")
    else:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(chapter.notebook(), indent=1).encode())
        print(f"wrote {path}")
    program = next(filter(None, map(shutil.which, JUPYTER)), None)
    if program is None:
        print("Jupyter is not installed: pip install jupyterlab, or open the file in an editor that runs notebooks")
        return
    subprocess.run([program, str(path)], check=False)


def run_chapter(chapter: Chapter, out: Path, *, answers: bool) -> None:
    """Print the chapter, run its code, and save its figures into the folder ``out``.

    The answers of exercises are left out unless asked for.
    """
    import matplotlib as mpl
    from rich.console import Console

    mpl.use("Agg")
    from matplotlib import pyplot

    console = Console(highlight=False, soft_wrap=False)
    names: dict[str, Any] = {"__name__": "__main__"}
    number = 0
    for cell in chapter.cells:
        if cell.is_answer and not answers:
            console.print(f"[dim]The answer: chainrule tour {chapter.number} --answers[/dim]\n")
            continue
        _show(console, cell)
        if not cell.is_code:
            continue
        exec(compile(cell.source, f"<{chapter.path.name}>", "exec"), names)
        for figure in map(pyplot.figure, pyplot.get_fignums()):
            number += 1
            out.mkdir(parents=True, exist_ok=True)
            path = out / f"{chapter.path.stem}-{number}.png"
            figure.savefig(path, dpi=150, bbox_inches="tight", facecolor="white")
            print(f"figure: {path}" + (f"  {_plain(cell.caption)}" if cell.caption else ""))
        pyplot.close("all")
        print()


def _show(console: Console, cell: Cell) -> None:
    from rich.markdown import Markdown
    from rich.syntax import Syntax

    if cell.is_code:
        console.print(Syntax(cell.source, "python", theme="ansi_light", background_color="default", word_wrap=True))
    else:
        console.print(Markdown(_plain(cell.source)))
    print()


def _plain(markdown: str) -> str:
    """Markdown whose formulas are code, in plainer signs than TeX's."""
    blocks = re.sub(
        r"\$\$(.*?)\$\$", lambda match: f"\n```text\n{_signs(match[1].strip())}\n```\n", markdown, flags=re.S
    )
    return re.sub(r"\$([^$]+)\$", lambda match: f"`{_signs(match[1])}`", blocks)


def _signs(tex: str) -> str:
    for pattern, replacement in SIGNS.items():
        tex = re.sub(pattern, replacement, tex)
    return " ".join(tex.split())
