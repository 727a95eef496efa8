"""The one table of commands and their options. Imports nothing slow, so that help and errors come at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli.fit_options import add_fit, add_plan
from chainrule.cli.parser import Options, Parser, UsageError
from chainrule.endings import Terminated
from chainrule.words import suggestion

SCORES = ("nll", "pvalue", "typicality", "ratio", "complexity")
"""The scores of `chainrule.tasks.anomaly`, which imports torch."""

OBSERVE = (
    "top-half, bottom-half, left-half, right-half, first-half, a fraction such as 0.25, a box of pixels x0,y0,x1,y1, "
    "or a file of a mask"
)
PICTURE = "a .png, .pdf or .svg file"

OPTIONS: dict[str, dict[str, Any]] = {
    "run": {"type": Path, "metavar": "RUN", "help": "a run folder, as `chainrule fit` wrote it"},
    "file": {"type": Path, "nargs": "?", "metavar": "DATA", "help": "the same as --data"},
    "--device": {"default": "auto", "help": "auto, cpu, cuda or mps (default auto)"},
    "--model": {"metavar": "MODULE:CLASS", "help": "your own class, if the run was fitted with it"},
    "--data": {"help": "a file or a folder, all of it; or a named set (default: what the run was fitted on)"},
    "--split": {"default": "test", "help": "of a named set or the run's own data: train, valid or test (default)"},
    "--batch-size": {"type": int, "default": 256, "help": "examples per pass (default 256)"},
    "--json": {"action": "store_true", "help": "print JSON on standard output, and nothing else there"},
    "--out": {"type": Path, "help": "the file to write"},
    "--quote-formulas": {
        "action": "store_true",
        "help": "in a .csv, put a ' before text that a spreadsheet would run as a formula, such as =HYPERLINK(...)",
    },
    "--class": {"dest": "label", "help": "the class to condition on, its name or number, for a model with num_classes"},
    "--engine": {
        "metavar": "NAME",
        "help": "work by parts, into a folder --out, where finished parts are kept: local, in this process, or ray, on "
        "a cluster (default: all at once)",
    },
    "--address": {"help": "of a Ray cluster that is there, such as auto (default: one of this machine's cores)"},
    "--workers": {"type": int, "help": "with --engine ray: workers, a core each (default: all cores but one)"},
    "--part-size": {"type": int, "metavar": "N", "help": "with --engine: items of a part (default of a table 100000)"},
    "-n": {"type": int, "help": "how many examples (default all)"},
    "--seed": {"type": int, "default": 0, "help": "the same seed gives the same values (default 0)"},
    "--temperature": {"type": float, "default": 1.0, "help": "below 1 sharpens the conditionals (default 1)"},
    "--top-k": {"type": int, "help": "draw from the k most probable values only"},
    "--top-p": {"type": float, "help": "draw from the most probable values of this total probability only"},
    "--greedy": {"action": "store_true", "help": "take the most probable value of every variable"},
    "--prompt": {"help": "the beginning of every example of text"},
    "--prompt-file": {"type": Path, "metavar": "FILE", "help": "a file with the beginning of every example of text"},
    "--stop": {"metavar": "TEXT", "help": "of text: end every example before this text"},
    "--where": {
        "metavar": "CONDITIONS",
        "help": "of a table: rows that meet all of them, such as 'sex=Female, age>=60, 10<=income<20'",
    },
    "--frames": {
        "type": Path,
        "metavar": "PATH",
        "help": "of recordings, for a run with frames: a file of frames for one, or a folder with a file for each",
    },
    "--length": {"type": int, "help": "values to draw in a sequence (default: the model's event)"},
    "--precision": {"default": "32-true", "help": "32-true, or bf16-mixed: faster for many examples of a wide model"},
    "--scale": {
        "type": int,
        "metavar": "K",
        "help": "of images: a pixel becomes K x K (default 1; .gif: as fits)",
    },
    "--observe": {"help": OBSERVE},
    "--point": {
        "metavar": "NAME",
        "help": "of a table: fill in one estimate, the mean, median or mode of numbers and the most probable category",
    },
    "--mean": {"action": "store_true", "help": "the same as --point mean"},
    "--quantiles": {"metavar": "SHARES", "help": "of a table: columns with quantiles of filled numbers, 0.05,0.5,0.95"},
    "--particles": {"type": int, "default": 16, "help": "walks of each completion that can't be exact (default 16)"},
    "--draws": {"type": int, "help": "completions of each example (default 1; behind estimates 100, of a series 400)"},
    "--repeats": {"type": int, "default": 8, "help": "estimates, whose spread gives the standard error (default 8)"},
    "--score": {"metavar": "NAME", "help": f"anomaly score: {', '.join(SCORES)} (default nll; of lines pvalue)"},
    "--background": {"type": Path, "metavar": "RUN0", "help": "for the score ratio, the background run"},
    "--calibration": {"default": "valid", "help": "split that p-values compare with: valid or train (default valid)"},
    "--keep": {"metavar": "COLUMNS", "help": "of a table: columns to write beside the scores, as in 'id,time'"},
    "--calibrate": {"metavar": "FILE", "help": "ordinary examples of your own that p-values compare with"},
    "--rate": {"type": float, "help": "say which are anomalous: at most this share of ordinary examples is, 0.01"},
    "--fdr": {"type": float, "help": "say which are anomalous: at most this share of those named is ordinary, 0.05"},
    "--group": {"type": int, "metavar": "N", "help": "for the score typicality, score N neighbours together"},
    "--per": {"help": "score parts: character (of text) or cell (of a table); by default lines and rows"},
    "--explain": {
        "type": int,
        "nargs": "?",
        "const": 20,
        "metavar": "ROWS",
        "help": "say which cells, pixels or characters of the strangest rows (default 20) are unusual, and what was "
        "expected",
    },
    "--color": {"action": "store_true", "help": "print text in colours, as in a terminal, instead of JSON"},
    "--prior": {"default": "train", "help": "p(c): train, the frequencies of its classes, or uniform (default train)"},
    "--epsilon": {
        "type": float,
        "required": True,
        "metavar": "LEVELS",
        "help": "greatest change, such as 16 of 256 levels",
    },
    "--threshold": {"type": float, "metavar": "P", "help": "purify only below this p-value, in (0, 1)"},
    "--attacks": {"default": "[fgsm, pgd, bpda]", "help": "some of fgsm, bim, pgd, deepfool, cw, bpda"},
    "--epsilons": {"default": "[0.1, 0.2, 0.3]", "help": "greatest changes, as shares of the range"},
    "--purify-epsilon": {"type": float, "help": "greatest change by purification (default: the largest epsilon)"},
    "--classifier": {
        "metavar": "FILE.py:NAME",
        "help": "a torch module of images in [0, 1]; also package.module:NAME (default: train a small one)",
    },
    "--target": {"metavar": "COLUMN", "help": "a column to predict, learnt from sampled and from real rows"},
    "--against": {"type": Path, "metavar": "OLD", "help": "old rows (default: the run's own data)"},
    "--time": {"metavar": "COLUMN", "help": "of a table: when rows were taken; tests chunks of time too"},
    "--chunks": {"type": int, "metavar": "N", "help": "chunks of new rows to test too (default with --time 10)"},
    "--ignore": {"metavar": "COLUMNS", "help": "of a table: columns that are not tested, as in 'id,day'"},
    "--check": {"action": "store_true", "help": "exit with status 3 if there is drift"},
    "--folder": {"type": Path, "help": "a folder of results (default: the shipped ones, and those in ./results)"},
    "--results": {"type": Path, "default": Path("results"), "help": "where to record (default results)"},
    "recipe": {"help": "a recipe's file, or the name of one that is shipped, such as mnist/made"},
    "shell": {"metavar": "SHELL", "help": "bash, zsh or fish"},
    "table": {
        "type": Path,
        "metavar": "FILE",
        "help": "the file of a table: .csv, .tsv, .data, .parquet or other text",
    },
    "--encoding": {"metavar": "NAME", "help": "of a text file: latin-1, windows-1252, utf-16, ... (default: utf-8)"},
    "--header": {"choices": ("yes", "no"), "help": "whether the first line names the columns (default: by the cells)"},
}
"""All options except those of ``fit``, which follow from the model, each with its arguments for argparse."""

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
                 ".png .npz .npy .csv. Table, series: .csv .parquet. Text: .txt (default: print), files: a folder. "
                 "Audio: .wav or a folder"),
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
            ("--length", {"help": "values to append to text or a series (default of a series 24)"}),
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
