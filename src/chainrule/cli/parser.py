"""Which commands and flags there are. Imports nothing slow: help and wrong flags answer at once.

The flags of ``fit`` are the arguments of `chainrule.fit` and of the chosen model's constructor, read
from their source, so they are written down in one place only.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from chainrule import models
from chainrule.signatures import REQUIRED, Argument, arguments_of, convert

FIT = ("training/fit.py", "fit")
FROM_DATA = ("event_shape", "conditional")
"""Constructor arguments that the data decides."""
NOT_SETTINGS = ("out", "resume", "verbose", "train_context", "valid_context")
"""Arguments of `chainrule.fit` that are no settings of a recipe."""


ENSEMBLE = {"members": "int", "orders": "Sequence[str] | None", "variants": "int"}
"""Settings of a fit that make an ensemble, and their types."""


class UsageError(Exception):
    """A command line that says something unknown or impossible."""


class Parser(argparse.ArgumentParser):
    """argparse's, whose errors are one line and suggest the nearest flag."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def parse(self, argv: list[str]) -> dict[str, Any]:
        """Options by name; flags that nobody knows are errors."""
        options, unknown = self.parse_known_args([_dashed(word) for word in argv])
        if unknown:
            flag = unknown[0].partition("=")[0]
            known = [name for action in self._actions for name in action.option_strings]
            raise UsageError(f"unknown argument {flag}{suggestion(flag, known)}")
        return vars(options)


def parse(argv: list[str]) -> dict[str, Any] | None:
    """The options of a command line, ``command`` among them; None where help or the version was printed."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview())
        return None
    if argv[0] == "--version":
        from importlib.metadata import version

        print(f"chainrule {version('chainrule')}")
        return None
    command, rest = argv[0], argv[1:]
    if command not in COMMANDS:
        raise UsageError(f"expected a command ({', '.join(COMMANDS)}), got {command!r}{suggestion(command, COMMANDS)}")
    summary, add_arguments = COMMANDS[command]
    parser = Parser(prog=f"chainrule {command}", description=summary)
    try:
        add_arguments(parser, rest)
        options = parser.parse(rest)
    except SystemExit:  # argparse has printed the help
        return None
    return options | {"command": command}


def suggestion(word: str, choices: Iterable[str]) -> str:
    """A hint at the nearest of ``choices``, or nothing."""
    choices = list(choices)
    folded = {choice.lower(): choice for choice in choices}
    matches = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.5)
    return f", did you mean {folded[matches[0]]}?" if matches else ""


def model_arguments(name: str) -> tuple[Argument, ...]:
    """The arguments of a model's constructor that a user chooses.

    Raises:
        UsageError: If there is no such model.
    """
    if ":" in name:  # the user's own class, whose arguments its constructor will check
        return ()
    if name not in models.MODULES:
        expected = ", ".join(models.MODULES)
        raise UsageError(f"expected a model ({expected}), got {name!r}{suggestion(name, models.MODULES)}")
    file = models.MODULES[name].removeprefix("chainrule.").replace(".", "/") + ".py"
    return tuple(argument for argument in arguments_of(file, name) if argument.name not in FROM_DATA)


def settings_from(options: dict[str, Any], recipe: dict[str, Any]) -> dict[str, Any]:
    """The settings of a fit: the recipe's, overridden by the flags that were given, each of its type.

    Raises:
        UsageError: If the recipe or a flag says something unknown, or there is no model or no data.
        ValueError: If a value is of the wrong type.
    """
    given = recipe | {name: value for name, value in options.items() if value is not None}
    for name in ("model", "data"):
        if name not in given:
            raise UsageError(f"fit expects --{name}, got none")
    if given["model"] == "Ensemble":
        raise UsageError(
            "fit expects the model of the members, got Ensemble; --members, --orders or --variants make one"
        )
    types = {argument.name: argument.annotation for argument in _training_arguments()}
    types |= {f"model.{argument.name}": argument.annotation for argument in model_arguments(str(given["model"]))}
    types |= {"model": "str", "data": "str", "levels": "int | None", "published": "Any", **ENSEMBLE}
    for name in given:
        own = ":" in str(given["model"]) and name.startswith("model.")
        if name not in types and not own:
            raise UsageError(f"unknown setting {name}{suggestion(name, types)}")
    return {name: convert(value, types.get(name, "Any"), name) for name, value in given.items()}


def _training_arguments() -> list[Argument]:
    return [argument for argument in arguments_of(*FIT) if argument.name not in NOT_SETTINGS]


def _fit(parser: Parser, argv: list[str]) -> None:
    parser.add_argument("--model", metavar="NAME", help=f"{', '.join(models.MODULES)}, or package.module:Class")
    parser.add_argument("--data", help="a named data set, a file or a folder; see `chainrule datasets`")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the run folder to write")
    parser.add_argument("--config", type=Path, metavar="RECIPE", help="a YAML file of these settings")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--levels", help="values per variable; images are quantised to so many")
    _json(parser)
    ensemble = parser.add_argument_group("ensemble")
    ensemble.add_argument("--members", metavar="K", help="fit so many models, with a seed each, and average them")
    ensemble.add_argument(
        "--orders", metavar="ORDERS", help="orders of the members, in turn, such as '[raster, column]'"
    )
    ensemble.add_argument("--variants", metavar="K", help="average so many orders (NADE) or masks (MADE) of each model")
    training = parser.add_argument_group("training")
    for argument in _training_arguments():
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


def _dashed(word: str) -> str:
    """``--max_epochs`` as ``--max-epochs``; a model's argument keeps its underscores."""
    if not word.startswith("--") or word.startswith("--model."):
        return word
    flag, equals, value = word.partition("=")
    return flag.replace("_", "-") + equals + value


def _run_folder(parser: Parser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, as `chainrule fit` wrote it")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default auto)")


def _data(parser: Parser) -> None:
    parser.add_argument("--data", help="a named data set, a file or a folder (default: what the run was fitted on)")
    parser.add_argument("--split", default="test", help="train, valid or test (default test)")


def _drawing(parser: Parser) -> None:
    parser.add_argument("--class", type=int, dest="label", help="draw from this class, of a model with num_classes")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same values (default 0)")
    parser.add_argument("--temperature", type=float, default=1.0, help="below 1 sharpens the conditionals (default 1)")
    parser.add_argument("--top-k", type=int, help="draw from the k most probable values only")
    parser.add_argument("--top-p", type=float, help="draw from the most probable values of this total probability only")
    parser.add_argument("--greedy", action="store_true", help="take the most probable value of every variable")


def _json(parser: Parser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON on standard output, and nothing else there")


def _evaluate(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _data(parser)
    parser.add_argument("--batch-size", type=int, default=256, help="examples per pass (default 256)")
    _json(parser)


def _sample(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    parser.add_argument("-n", type=int, default=64, help="how many examples (default 64)")
    parser.add_argument("--out", type=Path, required=True, help="a .png, .pdf, .svg, .npz, .npy or .csv file")
    _drawing(parser)


def _complete(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _data(parser)
    parser.add_argument("-n", type=int, default=8, help="how many examples (default 8)")
    parser.add_argument(
        "--observe", required=True, help="top-half, first-half, a fraction such as 0.25, or a file of a mask"
    )
    parser.add_argument(
        "--particles", type=int, default=16, help="walks per completion, where it can't be exact (default 16)"
    )
    parser.add_argument("--draws", type=int, default=1, help="completions per example (default 1)")
    parser.add_argument("--out", type=Path, required=True, help="a .png, .pdf, .svg, .npz, .npy or .csv file")
    _drawing(parser)


def _conditionals(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _data(parser)
    parser.add_argument("-n", type=int, default=25, help="how many examples (default 25)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="a .png, .pdf or .svg file")


def _describe(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _json(parser)


def _listing(parser: Parser, argv: list[str]) -> None:
    _json(parser)


def _results(parser: Parser, argv: list[str]) -> None:
    parser.add_argument("--folder", type=Path, default=Path("results"), help="where results are (default results)")
    _json(parser)


def _reproduce(parser: Parser, argv: list[str]) -> None:
    parser.add_argument("recipe", help="a recipe's file, or its name below recipes/, such as mnist/made")
    parser.add_argument("--out", type=Path, help="the run folder (default runs/RECIPE)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where to record (default results)")
    _json(parser)


COMMANDS: dict[str, tuple[str, Any]] = {
    "fit": ("Fit a model to data by maximum likelihood.", _fit),
    "evaluate": ("Mean negative log-likelihood of a data set under a fitted model.", _evaluate),
    "sample": ("Draw examples from a fitted model.", _sample),
    "complete": ("Fill in the unknown variables of examples.", _complete),
    "conditionals": ("Draw examples beside the conditional means of their variables.", _conditionals),
    "describe": ("Size and cost of a fitted model.", _describe),
    "models": ("List the models and their arguments.", _listing),
    "datasets": ("List the named data sets.", _listing),
    "results": ("List what the recipes measured.", _results),
    "reproduce": ("Run a recipe, evaluate the test split once, and record the result.", _reproduce),
}


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {summary}" for name, (summary, _) in COMMANDS.items())
    return (
        "chainrule: exact-likelihood autoregressive models, p(x) = prod_t p(x_t | x_<t)\n\n"
        f"usage: chainrule COMMAND ...\n\n{lines}\n\n`chainrule COMMAND --help` says more."
    )
