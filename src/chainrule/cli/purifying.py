"""``chainrule purify``: PixelDefend, from files to files."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from chainrule import plots, runs
from chainrule.atomic import write_atomically
from chainrule.cli.loading import asked_examples, levels_of, load_run, settle_data
from chainrule.cli.parser import UsageError
from chainrule.cli.writing import ARRAYS, PICTURES, check_suffix, write_examples
from chainrule.tasks.purify import purify, purify_improbable

SHOWN = 16
"""Examples of a picture by default."""


def run_purify(options: dict[str, Any]) -> None:
    """``chainrule purify``."""
    settle_data(options)
    out = options["out"]
    if options["n"] is not None and options["n"] < 1:
        raise ValueError(f"n expects at least 1, got {options['n']}")
    if out.suffix:
        check_suffix(out)
    elif out.is_file() or not out.parent.is_dir():
        raise ValueError(f"--out expects a folder in one that exists, or a file {' '.join(ARRAYS)}, got {out}")
    model, config = load_run(options)
    kinds = [kind for kind in ("text", "audio", "series", "schema") if kind in config.get("data", {})]
    if kinds or model.conditional.values is None:
        raise UsageError("purify expects a run on images or on rows of levels, got one on other data")
    if not out.suffix and len(model.event_shape) != 3:
        raise UsageError(
            f"--out expects a file {' '.join(ARRAYS)} of examples {model.event_shape}, got the folder {out}"
        )
    examples, context, names = asked_examples(options, config, model)
    files = None if out.suffix else _files(out, names, options["file"])
    x = examples[: options["n"] or (SHOWN if out.suffix in PICTURES else len(examples))]
    context = None if context is None else context[: len(x)]
    if options["threshold"] is None:
        chosen = torch.ones(len(x), dtype=torch.bool)
        purified = purify(model, x, options["epsilon"], context=context).cpu()
    else:
        calibration = runs.read_calibration(options["run"], options["calibration"])
        purified, chosen = purify_improbable(
            model, x, options["epsilon"], calibration=calibration, threshold=options["threshold"], context=context
        )
    _write(x, purified, out, files, levels_of(model))
    moved = (purified != x).flatten(1).double().mean(1)[chosen]
    share = f", {moved.mean():.1%} of their values changed" if len(moved) else ""
    print(f"purified {int(chosen.sum())} of {len(x)} examples{share}; wrote {out}", file=sys.stderr)


def _write(x: Tensor, purified: Tensor, out: Path, files: Iterator[Path] | None, levels: int) -> None:
    """What was purified, as a picture beside what it was, as an array, or as a file each."""
    if out.suffix in PICTURES:
        plots.side_by_side({"given": x, "purified": purified}, out, levels=levels)
    elif files is None:
        write_examples(purified, out, levels)
    else:
        _write_pictures(purified, files, levels)


def _files(out: Path, names: list[str] | None, given: Path | None) -> Iterator[Path]:
    """The files to write into the folder ``out``, a name each; those that were given are not written over."""
    if names is None:
        return (out / f"{number}.png" for number in itertools.count(1))
    if given is not None and out.resolve() == (given if given.is_dir() else given.parent).resolve():
        raise UsageError(f"--out expects another folder than that of what is purified, got {out}")
    files = [out / Path(name).with_suffix(".png") for name in names]
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise UsageError(f"--out expects files whose names differ in more than the suffix, got {twice.name} twice")
    return iter(files)


def _write_pictures(x: Tensor, files: Iterator[Path], levels: int) -> None:
    """Write images of levels so that they are read as the same levels: black and white, where these are."""
    for image, file in zip(x.double(), files, strict=False):
        spread = (image * 255 / (levels - 1)).round()
        low, high = (image * 256 / levels).ceil(), ((image + 1) * 256 / levels).ceil() - 1
        pixels = torch.minimum(torch.maximum(spread, low), high).numpy().astype(np.uint8)
        picture = Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
        file.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        picture.save(buffer, format="png")
        write_atomically(file, buffer.getvalue())
