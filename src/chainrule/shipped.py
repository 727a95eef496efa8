"""Folders that are shipped with the package: recipes and results."""

from __future__ import annotations

from pathlib import Path


def shipped_folder(name: str) -> Path:
    """The folder ``name``: inside the installed package or, where it runs from a checkout, at the checkout's root."""
    package = Path(__file__).parent
    installed = package / name
    return installed if installed.is_dir() else package.parents[1] / name
