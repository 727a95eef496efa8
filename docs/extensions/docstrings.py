"""Turns docstrings of the source into pages: formulas stand by themselves, and nothing is said twice."""

import re
from typing import Any

from sphinx.application import Sphinx

FORMULA = re.compile(r"(?:log )?\S+(?: \| \S+)? = ")
"""The beginning of a paragraph that is a formula, such as ``p(x_t | x_<t) = ...``."""


def set_formulas_apart(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Show each paragraph that is one line with a formula as code, and so leave its signs as they are."""
    result: list[str] = []
    for i, line in enumerate(lines):
        alone = not any(other.strip() for other in (*lines[max(i - 1, 0) : i], *lines[i + 1 : i + 2]))
        if alone and FORMULA.match(line):
            result += [".. code-block:: none", "", f"    {line}"]
        else:
            result.append(line)
    lines[:] = result


def keep_first_sentences(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from taking what precedes a colon in an attribute's first line for its type."""
    if what in ("attribute", "data", "property") and lines:
        lines.insert(0, "\\ ")


def skip_fields(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a named tuple, which its class lists."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Run before napoleon, whose priority is 500."""
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("autodoc-process-docstring", set_formulas_apart, priority=400)
    app.connect("autodoc-process-docstring", keep_first_sentences, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
