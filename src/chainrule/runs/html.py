"""HTML pages that need no other file: their pictures are in them, and they run no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from string import Template
from typing import Any

from chainrule import plots
from chainrule.card import image_of
from chainrule.plots.tables import REAL, SAMPLED

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 sans-serif; color: #222; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-top: 1px solid #e4e4e4; padding-top: 1.2rem; }
p { max-width: 46rem; }
.verdict { background: #f3f6fa; border-left: 4px solid $real; padding: 0.8rem 1.2rem; }
.note { color: #6b6b6b; font-size: 0.9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; }
th, td { padding: 0.25rem 0.8rem; text-align: right; border-bottom: 1px solid #e4e4e4; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
figure { display: inline-block; vertical-align: top; margin: 0.6rem 1rem 0.6rem 0; width: 20rem; }
figcaption { font-size: 0.85rem; overflow-wrap: anywhere; }
img { max-width: 100%; }
.real { color: $real; font-weight: bold; }
.sampled { color: $sampled; font-weight: bold; }
</style>
</head>
<body>
$body
</body>
</html>
""")


def document(title: str, parts: Iterable[str]) -> str:
    """A page of ``parts``, which are HTML."""
    return PAGE.substitute(title=escape(title), body="\n".join(parts), real=REAL, sampled=SAMPLED)


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; ``kind`` is its class, such as ``note``."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls where it is wide."""
    lines = [f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>"]
    lines += [f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'


def column_figure(column: dict[str, Any], first: str = "real", second: str = "sampled") -> str:
    """The picture of a record of `chainrule.compare.marginals.marginals`, with the names of its two sorts of rows."""
    content = plots.column_picture(column["shares"], labels=column.get("labels"), edges=column.get("edges"))
    caption = [f"<b>{escape(column['name'])}</b>"]
    for name in ("mean", "std", "low", "high"):
        if name in column:
            before, after = (escape(text) for text in column[name])
            caption.append(f'{name} <span class="real">{before}</span> <span class="sampled">{after}</span>')
    image = image_of(content, f"shares of {column['name']} in {first} and in {second} rows")
    return f"<figure><figcaption>{' &nbsp; '.join(caption)}</figcaption>{image}</figure>"
