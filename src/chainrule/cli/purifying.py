"""``chainrule purify``: PixelDefend, from files to files."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from chainrule import plots, recipes
from chainrule.atomic import write_atomically
from chainrule.cli.loading import asked_examples, levels_of, load_run
from chainrule.cli.writing import ARRAYS, PICTURES, check_suffix, write_examples
from chainrule.tasks.purify import purify, purify_improbable

SHOWN = 16
"""Examples of a picture by default."""


def run_purify(options: dict[str, Any]) -> None:
    """``chainrule purify``."""
    out = options["out"]
    if out.suffix:
        check_suffix(out)
    elif out.is_file() or not out.parent.is_dir():
        raise ValueError(f"--out expects a folder in one that exists, or a file {' '.join(ARRAYS)}, got {out}")
    model, config = load_run(options)
    if not out.suffix and len(model.event_shape) != 3:
        raise ValueError(
            f"--out expects a file {' '.join(ARRAYS)} of examples {model.event_shape}, got the folder {out}"
        )
    examples, context, names = asked_examples(options, config, model)
    count = options["n"] or (SHOWN if out.suffix in PICTURES else len(examples))
    if count < 1:
        raise ValueError(f"n expects at least 1, got {options['n']}")
    x = examples[: min(count, len(examples))]
    context = None if context is None else context[: len(x)]
    if options["threshold"] is None:
        chosen = torch.ones(len(x), dtype=torch.bool)
        purified = purify(model, x, options["epsilon"], context=context).cpu()
    else:
        calibration = recipes.read_calibration(options["run"], options["calibration"])
        purified, chosen = purify_improbable(
            model, x, options["epsilon"], calibration=calibration, threshold=options["threshold"], context=context
        )
    _write(x, purified, names, out, levels_of(model))
    moved = (purified != x).flatten(1).double().mean(1)[chosen]
    share = f", {moved.mean():.1%} of their values changed" if len(moved) else ""
    print(f"purified {int(chosen.sum())} of {len(x)} examples{share}; wrote {out}", file=sys.stderr)


def _write(x: Tensor, purified: Tensor, names: list[str] | None, out: Path, levels: int) -> None:
    """What was purified, as a picture beside what it was, as an array, or as a file each."""
    if out.suffix in PICTURES:
        plots.sample_grid(torch.stack([x, purified], dim=1).flatten(0, 1), out, levels=levels)
    elif out.suffix:
        write_examples(purified, out, levels)
    else:
        scale = 255 / (levels - 1)
        for number, image in enumerate(purified):
            pixels = (image * scale).round().numpy().astype(np.uint8)
            picture = Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
            file = out / (f"{number}.png" if names is None else Path(names[number]).with_suffix(".png"))
            file.parent.mkdir(parents=True, exist_ok=True)
            buffer = io.BytesIO()
            picture.save(buffer, format="png")
            write_atomically(file, buffer.getvalue())
