"""``chainrule describe``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from chainrule import plots
from chainrule.cli.opening import opened, print_json
from chainrule.cli.parser import UsageError
from chainrule.data.write import check_suffix
from chainrule.model import AutoregressiveModel
from chainrule.tasks.describe import describe
from chainrule.tasks.receptive_field import receptive_field
from chainrule.tasks.sample import sample


def run_describe(options: dict[str, Any]) -> None:
    """Print the size and the cost of a model, and the description by its kind of data."""
    run = opened(options)
    if options["out"]:
        _plot_receptive_field(run.likelihood, options["out"])
    description = describe(run.model)
    lines, values = run.kind.about(run.model, description.receptive_field)
    if options["json"]:
        print_json(description.as_dict() | {"receptive_field_seconds": None} | values)
        return
    print("\n".join([str(description), *lines]))


def _plot_receptive_field(model: AutoregressiveModel, path: Path) -> None:
    """Plot which pixels the pixel in the middle depends on, at samples of the model."""
    check_suffix(path, plots.FORMATS)
    if len(model.event_shape) != 3:
        raise UsageError(f"--out expects a model of images, got one of examples of shape {model.event_shape}")
    _, height, width = model.event_shape
    context = None if model.num_classes is None else torch.zeros(4, dtype=torch.long)
    x = sample(model, 4, seed=0, context=context)
    middle = height // 2 * width + width // 2
    t = int((model.order.permutation == middle).nonzero())
    field = receptive_field(model, x, t, context=context)
    plots.receptive_fields({type(model).__name__: field}, (height // 2, width // 2), path)
