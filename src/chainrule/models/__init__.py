"""Models, one file per paper. A name is imported when it is first used, so that listing them is quick."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.models.fvsbn import FVSBN as FVSBN
    from chainrule.models.made import MADE as MADE
    from chainrule.models.nade import NADE as NADE

MODULES = {
    "FVSBN": "chainrule.models.fvsbn",
    "NADE": "chainrule.models.nade",
    "MADE": "chainrule.models.made",
}
"""Where each model lives: class name -> module."""

__all__ = ["FVSBN", "MADE", "NADE"]


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)
