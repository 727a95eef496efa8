"""The one table of commands. Imports nothing slow, so that help and errors come at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chainrule.cli.fit_options import add_fit, add_plan
from chainrule.cli.options import OPTIONS
from chainrule.cli.parser import Options, Parser, UsageError
from chainrule.endings import Terminated
from chainrule.words import suggestion

PICTURE = "a .png, .pdf or .svg file"

Use = str | tuple[str, dict[str, Any]]
"""An option that a command takes: its name, and what differs for this command."""

RUN: tuple[Use, ...] = ("run", "--device", "--model")
DATA: tuple[Use, ...] = ("file", "--data", "--split")
PARTS: tuple[Use, ...] = ("--engine", "--address", "--workers", "--part-size")
DRAWING: tuple[Use, ...] = ("--class", "--seed", "--temperature", "--top-k", "--top-p", "--greedy")


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        summary: One sentence that says what it does.
        run: The function that does it, as ``module:function`` below `chainrule.cli`.
        options: The options that it takes; or a function that adds them to a parser, given the command line.
    """

    summary: str
    run: str
    options: tuple[Use, ...] | Callable[[Parser, list[str]], None]


def _out(help: str, **more: Any) -> Use:
    return ("--out", {"help": help} | more)


def _count(help: str, default: int) -> Use:
    return ("-n", {"default": default, "help": f"{help} (default {default})"})


COMMANDS: dict[str, Command] = {
    "fit": Command("Fit what suits a file best, or a model of your choice.", "fit:run_fit", add_fit),
    "plan": Command("Say what fit would do with a file, and what it would cost.", "fit:run_plan", add_plan),
    "evaluate": Command(
        "Mean negative log-likelihood of data under a fitted model.",
        "evaluate:run_evaluate",
        (
            *RUN, *DATA, "--class", "--frames", "--batch-size", "--json",
            _out("with --engine: a folder for the figures of each part"), *PARTS,
        ),
    ),
    "sample": Command(
        "Draw examples from a fitted model.",
        "sample:run_sample",
        (
            *RUN,
            ("-n", {"help": "how many examples (default 64; audio, series: 8; text that is printed: 1)"}),
            _out("the file to write. Images: a folder, a .png of all, a .gif of how they grow, .npz .npy .csv. Levels: "
                 ".png .npz .npy .csv. Table, series: .csv .parquet. Text: .txt (default: print), of files also a "
                 "folder. Audio: .wav or a folder"),
            "--scale",
            "--prompt", "--prompt-file", "--stop", "--where",
            ("--particles", {"default": 64, "help": "with --where: walks of a row that can't be exact (default 64)"}),
            ("--frames", {"help": "for a run with frames: a file of them, all of whose samples are drawn"}),
            "--length", "--precision", *DRAWING, "--quote-formulas", *PARTS,
        ),
    ),
    "score": Command(
        "Score how strange each image, row, line, recording or value is to a fitted model.",
        "score:run_score",
        (
            *RUN, ("file", {"help": "the same as --data; - for lines on standard input, as they come"}),
            "--data", "--split", "--keep", "--score", "--rate", "--fdr", "--calibration", "--calibrate", "--per",
            "--background", "--group", "-n", "--explain",
            _out("scores: .csv .parquet (text, audio: default print). Surprise of each pixel of images, each value of "
                 "levels: .png .pdf .svg .npz .npy"),
            "--class", "--frames", "--color", "--json", "--quote-formulas", *PARTS,
        ),
    ),
    "report": Command(
        "Compare sampled rows of a table with real ones: a page, and its figures as JSON.",
        "report:run_report",
        (
            *RUN, *DATA, "--target", ("--seed", {"help": "of the samples and all random choices (default 0)"}),
            _out("a folder for report.html and report.json (default RUN/report)"), "--json",
        ),
    ),
    "drift": Command(
        "Test whether new data are like those that a run was fitted on, and say what moved.",
        "drift:run_drift",
        (
            *RUN, *DATA, "--against", ("--rate", {"default": 0.05, "help": "share of false alarms (default 0.05)"}),
            "--time", "--chunks", "--ignore", "--class", "--check",
            ("--seed", {"help": "of the choice of rows of large files (default 0)"}),
            _out("a .html page, or a .json of its figures"), "--json",
        ),
    ),
    "purify": Command(
        "PixelDefend: move images, within a small distance, to where a model finds them probable.",
        "purify:run_purify",
        (
            *RUN, *DATA, "--epsilon", "--threshold", "--calibration",
            ("-n", {"help": "how many examples (default all; in a picture 16)"}), "--class",
            _out("a folder of .png files, a .npz, .npy or .csv, or a .png of both", required=True),
        ),
    ),
    "attack-eval": Command(
        "Accuracy of a classifier under attack, and how a fitted model detects and mends attacks.",
        "attack_eval:run_attack_eval",
        (
            *RUN, "--data", "--split", _count("how many images", 200), "--attacks", "--epsilons", "--purify-epsilon",
            ("--threshold", {"default": 0.05, "help": "adaptive: purify below this p-value (default 0.05)"}),
            "--classifier", ("--background", {"help": "for the score ratio; see `chainrule score`"}), "--calibration",
            ("--seed", {"help": "of the classifier and the attacks (default 0)"}),
            _out("a folder for the report and pictures"), "--json",
        ),
    ),
    "complete": Command(
        "Fill in the unknown variables of examples.",
        "complete:run_complete",
        (
            *RUN,
            ("file", {"help": "what is known. Table: rows with empty cells. Text, series: the beginning"}),
            "--data", "--split", ("-n", {"help": "how many examples (default 8; of a file all)"}), "--observe",
            "--point", "--mean", "--quantiles", "--particles", "--draws",
            ("--length", {"help": "values to append to text, recordings or a series (default of a series 24)"}),
            "--frames",
            _out("the same files as sample writes", required=True), *DRAWING, "--quote-formulas", *PARTS,
        ),
    ),
    "marginal": Command(
        "Log-probability of the known part of examples, whatever the rest.",
        "marginal:run_marginal",
        (
            *RUN, *DATA, _count("how many examples", 8), ("--observe", {"required": True}),
            ("--particles", {"default": 64, "help": "walks of each estimate, where it can't be exact (default 64)"}),
            "--repeats", "--class", "--seed", "--json",
        ),
    ),
    "classify": Command(
        "Classes of examples by Bayes' rule, from a model with num_classes.",
        "classify:run_classify",
        (
            *RUN, *DATA, "--prior",
            _out(".npz, .npy, .csv: p(c | x) of all examples; .png, .pdf, .svg: p(c | x_<t) of the first n"),
            _count("examples in the picture, and, if they have no classes, in the list", 4), "--batch-size", "--json",
        ),
    ),
    "represent": Command(
        "Features of examples from a model's hidden layers.",
        "represent:run_represent",
        (*RUN, *DATA, "--class", "--batch-size",
         _out("a .npz (with the classes, if any), .npy or .csv file", required=True)),
    ),
    "conditionals": Command(
        "Plot examples beside the conditional means of their variables.",
        "conditionals:run_conditionals",
        (*RUN, *DATA, _count("how many examples", 25), "--class",
         ("--seed", {"help": "seed of the samples (default 0)"}), _out(PICTURE, required=True)),
    ),
    "describe": Command(
        "Size and cost of a fitted model.",
        "describe:run_describe",
        (*RUN, _out(f"of images, {PICTURE} of what a pixel depends on"), "--json"),
    ),
    "show": Command(
        "Open a page in the browser that shows fitted models at work.",
        "show:run_show",
        ("runs", "--device", "--model", "--port", "--host", "--no-browser"),
    ),
    "schema": Command(
        "Infer the kinds of a table's columns.",
        "schema:run_schema",
        ("table", "--encoding", "--header", _out("write it, to edit and give to fit --schema", metavar="YAML")),
    ),
    "models": Command("List the models and their arguments.", "listings:list_models", ("--json",)),
    "datasets": Command("List the named data sets.", "listings:list_datasets", ("--json",)),
    "results": Command("List what the recipes measured.", "listings:list_results", ("--folder", "--json")),
    "reproduce": Command(
        "Run a recipe, evaluate the test split once, and record the result.",
        "fit:run_reproduce",
        ("recipe", _out("the run folder (default runs/RECIPE)"), "--results", "--json"),
    ),
    "completion": Command(
        "Print a script that completes commands and options in a shell.", "completion:run_completion", ("shell",)
    ),
}  # fmt: skip


def parse(argv: list[str]) -> tuple[Command, Options] | None:
    """The command and the options of a command line; None if help or the version was printed.

    Raises:
        UsageError: If there is no such command or option, or a value is of the wrong type.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(_overview())
        return None
    if argv[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"chainrule {version('chainrule')}")
        return None
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        raise UsageError(f"expected a command ({', '.join(COMMANDS)}), got {name!r}{suggestion(name, COMMANDS)}")
    try:
        options = parser_of(name, rest).parse(rest)
    except Terminated:
        raise
    except SystemExit:  # argparse has printed the help
        return None
    return COMMANDS[name], options


def parser_of(name: str, argv: list[str]) -> Parser:
    """The parser of the command ``name``; ``argv`` may name a model, whose arguments are then options."""
    command = COMMANDS[name]
    parser = Parser(prog=f"chainrule {name}", description=command.summary)
    if callable(command.options):
        command.options(parser, argv)
        return parser
    for use in command.options:
        option, more = (use, {}) if isinstance(use, str) else use
        parser.add_argument(option, **OPTIONS[option] | more)
    return parser


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items())
    return (
        "chainrule: exact-likelihood autoregressive models, p(x) = prod_t p(x_t | x_<t)\n\n"
        f"usage: chainrule COMMAND ...\n\n{lines}\n\n`chainrule COMMAND --help` says more."
    )
