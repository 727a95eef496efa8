"""The options of ``chainrule fit``. Imports nothing slow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule import models
from chainrule.cli.parser import Parser
from chainrule.settings import FAMILIES, model_arguments, training_arguments
from chainrule.signatures import REQUIRED, Argument
from chainrule.yaml_file import read_yaml

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "data": {
        "--levels": ("K", "values per variable; images and recordings are quantised to this many"),
        "--validation-size": ("N", "examples by which the weights to keep are chosen, at most (windows of a stream)"),
        "--skip-unreadable": ("BOOL", "true: leave out files that can't be decoded"),
    },
    "conditional": {
        "--conditional": ("FAMILY", f"{', '.join(FAMILIES)} (default: by the data)"),
        "--conditional.components": ("K", "components of a mixture (default 10)"),
        "--conditional.min_scale": ("S", "least scale of a real family (default 0.001)"),
        "--conditional.encoding": ("HOW", "how categories are read: one_hot or scalar"),
    },
    "text": {
        "--documents": ("BOOL", "true: every line is an example; else one stream"),
        "--per-file": ("BOOL", "true: every file of a folder or a pattern is an example"),
        "--vocabulary": ("KIND", "characters (those of the training part) or bytes"),
        "--window": ("N", "symbols of an example of a stream (default 128); samples of a chunk (default 4096)"),
    },
    "images": {
        "--size": ("WxH", "width and height of images, or the side of squares (default: their own, said where scaled)"),
        "--crop": ("HOW", "of images of another shape: centre, random (in training), or none, which squeezes them"),
        "--pad": ("BOOL", "true: images of another shape get a border"),
        "--background": ("COLOUR", "under transparent parts: white (the default), black, '#ff8800', ..."),
        "--grey": ("BOOL", "true: take colour images as grey"),
    },
    "audio": {
        "--sample-rate": ("HZ", "resample recordings to this rate; by default all must have one"),
        "--channel": ("NAME", "of recordings with several: left, right, or mono, their mean (default)"),
        "--trim-silence": ("BOOL", "true: leave out silence at the ends of recordings"),
        "--frames": (
            "PATH",
            "condition a WaveNet on frames (F, k): .npy .npz .csv beside a recording; a folder of them",
        ),
        "--frame-hop": ("N", "samples of a frame (default: the number with which all frames fit)"),
    },
    "table": {
        "--schema": ("FILE", "the kinds of its columns: a file by `chainrule schema`, or infer"),
        "--series": ("COLUMN", "take this column as one long sequence, a time series"),
        "--group": ("COLUMN", "with --series: this column tells several series apart; each is an example"),
        "--encoding": (
            "NAME",
            "of a text file: latin-1, windows-1252, utf-16, ... (default: by its first bytes, or utf-8)",
        ),
        "--header": ("YES|NO", "whether its first line names the columns (default: by the cells below it)"),
    },
    "ensemble": {
        "--members": ("K", "fit this many models, each with a seed, and average them"),
        "--orders": ("ORDERS", "orders of the members, in turn, such as '[raster, column]'"),
        "--variants": ("K", "average this many orders (NADE) or masks (MADE) of each model"),
    },
}
"""Settings of the data, the conditional and ensembles by group, each with its metavariable and help."""


def add_fit(parser: Parser, argv: list[str]) -> None:
    """Add the options of ``fit``, those of the model that ``argv`` names included."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder to write (default runs/NAME)")
    parser.add_argument("--config", type=Path, metavar="RECIPE", help="a YAML file of all settings, instead of a plan")
    parser.add_argument("--resume", action="store_true", help="go on with a run; with --minutes, with a finished one")
    parser.add_argument(
        "--changed-data", action="store_true", help="with --resume: go on though the data changed; the run records it"
    )
    add_plan(parser, argv)


def add_plan(parser: Parser, argv: list[str]) -> None:
    """Add the options of ``plan``: all settings of a fit."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="a file, a folder or a named data set")
    parser.add_argument("--data", help="the same as FILE")
    parser.add_argument("--model", metavar="NAME", help=f"{', '.join(models.MODULES)}, or package.module:Class")
    parser.add_argument("--json", action="store_true", help="print JSON on standard output, and nothing else there")
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option, (metavar, help) in options.items():
            group.add_argument(option, metavar=metavar, help=help)
            if metavar == "BOOL":
                parser.switches.add(option)
    training = parser.add_argument_group("training")
    for argument in training_arguments():
        _add(training, argument, argument.name.replace("_", "-"))
    name = _value_of("--model", argv)
    if name is not None and ":" not in name:
        group = parser.add_argument_group(f"model {name}")
        for argument in model_arguments(name):
            _add(group, argument, f"model.{argument.name}")
        return
    # Arguments of the model that is planned, which the plan checks, or of the user's own, whose constructor does.
    for flag in dict.fromkeys(word.partition("=")[0] for word in argv if word.startswith("--model.")):
        parser.add_argument(flag)


def _add(group: Any, argument: Argument, flag: str) -> None:
    default = "required" if argument.default is REQUIRED else f"default {argument.default}"
    text = f"{argument.help} ({default})".replace("%", "%%").replace("``", "")
    group.add_argument(f"--{flag}", metavar=argument.name.upper(), help=text)


def _value_of(flag: str, argv: list[str]) -> str | None:
    """The value of ``flag`` in an unparsed command line, or in its recipe."""
    for index, word in enumerate(argv):
        if word == flag and index + 1 < len(argv):
            return argv[index + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    if flag == "--model" and (path := _value_of("--config", argv)) is not None:
        try:
            recipe = read_yaml(Path(path))
        except (OSError, ValueError):
            return None  # reported when the recipe is read, as is a name of no model
        model = str(recipe.get("model")) if isinstance(recipe, dict) else ""
        return model if ":" in model or model in models.MODULES else None
    return None
