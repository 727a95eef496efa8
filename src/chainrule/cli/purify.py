"""``chainrule purify``: PixelDefend, from files to files."""

from __future__ import annotations

from pathlib import Path

import torch

from chainrule import plots
from chainrule.cli.opening import opened_likelihood, say, source_of
from chainrule.cli.parser import Options, UsageError
from chainrule.data.write import ARRAYS, check_new_folder, check_suffix, numbered, write_images, write_levels
from chainrule.tasks.purify import purify, purify_improbable

SHOWN = 16
"""Examples of a picture by default."""


def run_purify(options: Options) -> None:
    """Purify examples, and write them as images, as an array, or as a picture beside the originals."""
    out, epsilon = options["out"], options["epsilon"]
    if out.suffix:
        check_suffix(out, (*plots.FORMATS, *ARRAYS))
    else:
        check_new_folder(out)
    run, model = opened_likelihood(options)
    levels = len(run.kind.levels_of(model, "purify"))
    if not out.suffix and len(model.event_shape) != 3:
        expected = f"a file {' '.join(ARRAYS)} of examples {model.event_shape}"
        raise UsageError(f"--out expects {expected}, got the folder {out}")
    pictured = out.suffix.lower() in plots.FORMATS
    source = source_of(run, options, SHOWN if options["n"] is None and pictured else options["n"])
    given = run.kind.given(source, model)
    model = given.likelihood
    x = source.first(given.examples)
    files = None if out.suffix else _files(out, given.names, len(x))
    context = None if given.context is None else given.context[: len(x)]
    if options["threshold"] is None:
        options.refuse("calibration", expects="--threshold, a p-value by which it chooses")
        chosen = torch.ones(len(x), dtype=torch.bool)
        purified = purify(model, x, epsilon, context=context).cpu()
    else:
        calibration, threshold = run.calibration(options["calibration"]), options["threshold"]
        purified, chosen = purify_improbable(
            model, x, epsilon, calibration=calibration, threshold=threshold, context=context
        )
    if pictured:
        plots.side_by_side({"given": x, "purified": purified}, out, levels=levels)
    elif files is None:
        write_levels(purified, out, levels)
    else:
        write_images(purified, files, levels)
    moved = (purified != x).flatten(1).double().mean(1)[chosen]
    share = f", {moved.mean():.1%} of their values changed" if len(moved) else ""
    stayed = int((moved == 0).sum())
    kept = f"; {stayed} stay as they were, since nothing more probable was found" if stayed else ""
    say([f"purified {int(chosen.sum())} of {len(x)} examples{share}{kept}; wrote {out}"])


def _files(out: Path, names: list[str] | None, count: int) -> list[Path]:
    """A file in the folder ``out`` for each name, or for each of ``count`` examples without names."""
    if names is None:
        return numbered(out, count, ".png")
    files = [out / Path(name).with_suffix(".png") for name in names]
    if len(set(files)) < len(files):
        twice = next(file for file in files if files.count(file) > 1)
        raise UsageError(f"--out expects files whose names differ in more than the suffix, got {twice.name} twice")
    return files
