"""Cards of runs in notebooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.card import image_of
from chainrule.model import Model

PICTURES = {"samples.png": "training data beside samples", "training.png": "losses of training and validation"}
"""The pictures of a run folder that are shown, where it has them, and the words for those who can't see them."""


def facts_of(model: Model) -> dict[str, Any]:
    """The model of a run in two facts."""
    name = f"{type(model).__name__} of {model.num_variables:,} variables, {model.conditional}"
    return {"model": name, "parameters": model.num_parameters}


def pictures_of(folder: Path) -> str:
    """The pictures of a run folder in HTML."""
    found = {folder / name: words for name, words in PICTURES.items() if (folder / name).is_file()}
    return "".join(image_of(path.read_bytes(), words) for path, words in found.items())
