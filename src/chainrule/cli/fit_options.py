"""The flags of ``chainrule fit``. Imports nothing slow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule import models
from chainrule.cli.parser import Parser
from chainrule.cli.settings import FAMILIES, model_arguments, training_arguments
from chainrule.signatures import REQUIRED, Argument


def add_fit(parser: Parser, argv: list[str]) -> None:
    """Add them, those of the model that ``argv`` names among them."""
    parser.add_argument("--model", metavar="NAME", help=f"{', '.join(models.MODULES)}, or package.module:Class")
    parser.add_argument("--data", help="a named data set, a file or a folder; see `chainrule datasets`")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the run folder to write")
    parser.add_argument("--config", type=Path, metavar="RECIPE", help="a YAML file of these settings")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--levels", help="values per variable; images and recordings are quantised to so many")
    parser.add_argument("--skip-unreadable", metavar="BOOL", help="true: leave out files that can't be decoded")
    parser.add_argument("--json", action="store_true", help="print JSON on standard output, and nothing else there")
    conditional = parser.add_argument_group("conditional")
    conditional.add_argument("--conditional", metavar="FAMILY", help=f"{', '.join(FAMILIES)} (default: by the data)")
    conditional.add_argument("--conditional.components", metavar="K", help="of a mixture (default 10)")
    conditional.add_argument("--conditional.min_scale", metavar="S", help="least scale of a real one (default 0.001)")
    conditional.add_argument("--conditional.encoding", metavar="HOW", help="how categories are read: one_hot or scalar")
    text = parser.add_argument_group("text")
    text.add_argument("--documents", metavar="BOOL", help="true: every line is an example; else one stream")
    text.add_argument("--vocabulary", metavar="KIND", help="characters (those of the training part) or bytes")
    text.add_argument(
        "--window",
        metavar="N",
        help="symbols of an example of a stream (default 128); of recordings, samples of a piece (default 4096)",
    )
    audio = parser.add_argument_group("audio")
    audio.add_argument("--sample-rate", metavar="HZ", help="resample recordings of other rates; else all must have one")
    audio.add_argument("--trim-silence", metavar="BOOL", help="true: leave out silence at the ends of recordings")
    table = parser.add_argument_group("table")
    table.add_argument(
        "--schema", metavar="FILE", help="what its columns are: as `chainrule schema` wrote it, or infer"
    )
    table.add_argument("--series", metavar="COLUMN", help="take this column as one long sequence, a time series")
    ensemble = parser.add_argument_group("ensemble")
    ensemble.add_argument("--members", metavar="K", help="fit so many models, with a seed each, and average them")
    ensemble.add_argument(
        "--orders", metavar="ORDERS", help="orders of the members, in turn, such as '[raster, column]'"
    )
    ensemble.add_argument("--variants", metavar="K", help="average so many orders (NADE) or masks (MADE) of each model")
    training = parser.add_argument_group("training")
    for argument in training_arguments():
        _add(training, argument, argument.name.replace("_", "-"))
    name = _value_of("--model", argv)
    if name is None:
        return
    group = parser.add_argument_group(f"model {name}")
    for argument in model_arguments(name):
        _add(group, argument, f"model.{argument.name}")
    if ":" in name:
        for word in argv:
            if word.startswith("--model."):
                group.add_argument(word.partition("=")[0])


def _add(group: Any, argument: Argument, flag: str) -> None:
    default = "required" if argument.default is REQUIRED else f"default {argument.default}"
    text = f"{argument.help} ({default})".replace("%", "%%").replace("``", "")
    group.add_argument(f"--{flag}", metavar=argument.name.upper(), help=text)


def _value_of(flag: str, argv: list[str]) -> str | None:
    """The value of ``flag`` in an unparsed command line, or what its recipe says."""
    for index, word in enumerate(argv):
        if word == flag and index + 1 < len(argv):
            return argv[index + 1]
        if word.startswith(f"{flag}="):
            return word.partition("=")[2]
    if flag == "--model" and (path := _value_of("--config", argv)) is not None:
        import yaml

        try:
            recipe = yaml.safe_load(Path(path).read_text())
        except (OSError, yaml.YAMLError):
            return None  # reported when the recipe is read
        return str(recipe["model"]) if isinstance(recipe, dict) and "model" in recipe else None
    return None
