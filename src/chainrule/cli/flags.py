"""Which commands and flags there are. Imports nothing slow: help and wrong flags answer at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.cli.fit_flags import add_fit
from chainrule.cli.parser import Parser, UsageError, suggestion

SCORES = ("nll", "pvalue", "typicality", "ratio", "complexity")
"""Those of `chainrule.tasks.anomaly`, which imports torch."""

OBSERVE = "top-half, bottom-half, first-half, a fraction such as 0.25, or a file of a mask"


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


def _run_folder(parser: Parser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder, as `chainrule fit` wrote it")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default auto)")


def _data(parser: Parser) -> None:
    parser.add_argument("--data", help="a named data set, a file or a folder (default: what the run was fitted on)")
    parser.add_argument("--split", default="test", help="train, valid or test (default test)")


def _all_of(parser: Parser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        nargs="?",
        metavar="DATA",
        help="a file or a folder, all of it; a named set (but text), its --split",
    )


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
    parser.add_argument("-n", type=int, help="how many examples (default 64; of text 1, of audio 8)")
    parser.add_argument(
        "--out",
        type=Path,
        help=(
            "a .png, .pdf, .svg, .npz, .npy or .csv file; of a table .csv or .parquet; of text .txt, or none to print; "
            "of audio .wav or a folder"
        ),
    )
    parser.add_argument("--prompt", help="of text, how every example begins")
    parser.add_argument(
        "--length", type=int, help="of text and audio, how many symbols to draw (default: the model's event)"
    )
    parser.add_argument(
        "--precision",
        default="32-true",
        help="32-true, or bf16-mixed: faster for many examples of a wide model",
    )
    _drawing(parser)


def _score(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _all_of(parser)
    _data(parser)
    parser.add_argument("--score", metavar="NAME", help=f"how strange each is, into a table: {', '.join(SCORES)}")
    parser.add_argument("--background", type=Path, metavar="RUN0", help="of ratio, the run that it is compared with")
    parser.add_argument(
        "--calibration", default="train", help="what pvalue and typicality compare with: train or valid (default train)"
    )
    parser.add_argument("--group", type=int, metavar="N", help="of typicality, score N neighbours at a time")
    parser.add_argument("-n", type=int, help="how many examples (default 16; with --score all)")
    parser.add_argument(
        "--out", type=Path, help="a .png, .pdf, .svg, .npz, .npy or .csv file; of a table or scores .csv or .parquet"
    )
    parser.add_argument("--class", type=int, dest="label", help="given this class, of a model with num_classes")
    parser.add_argument(
        "--per", help="of text, what a line of JSON is of: line or character (default line); of a table row or cell"
    )
    parser.add_argument("--color", action="store_true", help="the text in colours, as in a terminal, instead of JSON")
    _json(parser)


def _purify(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _all_of(parser)
    _data(parser)
    parser.add_argument(
        "--epsilon", type=float, required=True, metavar="LEVELS", help="the greatest change of a value, of 256 say 16"
    )
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="purify only examples whose p-value is below this, in (0, 1)"
    )
    parser.add_argument(
        "--calibration", default="train", help="what p-values compare with: train or valid (default train)"
    )
    parser.add_argument("-n", type=int, help="how many examples (default all; in a picture 16)")
    parser.add_argument("--class", type=int, dest="label", help="given this class, of a model with num_classes")
    parser.add_argument(
        "--out", type=Path, required=True, help="a folder of .png files, a .npz, .npy or .csv, or a .png of both"
    )


def _attack_eval(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _data(parser)
    parser.add_argument("-n", type=int, default=200, help="how many images (default 200)")
    parser.add_argument("--attacks", default="[fgsm, pgd, bpda]", help="some of fgsm, bim, pgd, deepfool, cw, bpda")
    parser.add_argument("--epsilons", default="[0.1, 0.2, 0.3]", help="greatest changes, as shares of the range")
    parser.add_argument("--purify-epsilon", type=float, help="how far purification may go (default: the largest)")
    parser.add_argument(
        "--threshold", type=float, default=0.05, metavar="P", help="adaptive: purify below this p-value (default 0.05)"
    )
    parser.add_argument(
        "--classifier",
        metavar="package.module:name",
        help="a torch module of images in [0, 1] (default: a small one, trained on the same data)",
    )
    parser.add_argument("--background", type=Path, metavar="RUN0", help="for the score ratio: see score")
    parser.add_argument("--calibration", default="train", help="what p-values compare with: train or valid")
    parser.add_argument("--seed", type=int, default=0, help="of the classifier and the attacks (default 0)")
    parser.add_argument("--out", type=Path, help="a folder for the report and pictures")
    _json(parser)


def _complete(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="of a table, rows with empty cells")
    _data(parser)
    parser.add_argument("-n", type=int, default=8, help="how many examples (default 8)")
    parser.add_argument("--observe", help=OBSERVE)
    parser.add_argument("--mean", action="store_true", help="of a table, the mean or most frequent value of the draws")
    parser.add_argument(
        "--particles", type=int, default=16, help="walks per completion, where it can't be exact (default 16)"
    )
    parser.add_argument("--draws", type=int, help="completions per example (default 1; with --mean or of a series 100)")
    parser.add_argument("--length", type=int, help="of a time series, how many values to forecast (default 24)")
    parser.add_argument("--out", type=Path, required=True, help="as that of sample")
    _drawing(parser)


def _classify(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _data(parser)
    parser.add_argument(
        "--prior", default="train", help="p(c): train, how often each class is trained on, or uniform (default train)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help=".npz, .npy, .csv: p(c | x) of all examples; .png, .pdf, .svg: p(c | x_<t) of the first n",
    )
    parser.add_argument("-n", type=int, default=4, help="examples in the picture (default 4)")
    parser.add_argument("--batch-size", type=int, default=256, help="examples per pass (default 256)")
    _json(parser)


def _represent(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _data(parser)
    parser.add_argument("--out", type=Path, required=True, help="a .npz (with the classes, if any), .npy or .csv file")
    parser.add_argument("--batch-size", type=int, default=256, help="examples per pass (default 256)")


def _marginal(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _data(parser)
    parser.add_argument("-n", type=int, default=8, help="how many examples (default 8)")
    parser.add_argument("--observe", required=True, help=OBSERVE)
    parser.add_argument(
        "--particles", type=int, default=64, help="walks of each estimate, where it can't be exact (default 64)"
    )
    parser.add_argument("--repeats", type=int, default=8, help="estimates that the standard error is of (default 8)")
    parser.add_argument("--class", type=int, dest="label", help="given this class, of a model with num_classes")
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same estimate (default 0)")
    _json(parser)


def _conditionals(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    _data(parser)
    parser.add_argument("-n", type=int, default=25, help="how many examples (default 25)")
    parser.add_argument("--class", type=int, dest="label", help="given this class, of a model with num_classes")
    parser.add_argument("--seed", type=int, default=0, help="seed of the samples (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="a .png, .pdf or .svg file")


def _describe(parser: Parser, argv: list[str]) -> None:
    _run_folder(parser)
    parser.add_argument("--out", type=Path, help="of images, a .png, .pdf or .svg of what a pixel depends on")
    _json(parser)


def _schema(parser: Parser, argv: list[str]) -> None:
    parser.add_argument(
        "data", type=Path, metavar="FILE", help="a .csv, .data or .parquet file whose columns have names"
    )
    parser.add_argument("--out", type=Path, metavar="YAML", help="write it, to edit and give to fit --schema")


def _listing(parser: Parser, argv: list[str]) -> None:
    _json(parser)


def _results(parser: Parser, argv: list[str]) -> None:
    parser.add_argument(
        "--folder",
        type=Path,
        help="a folder of results (default: those shipped with chainrule, and those of `reproduce` in ./results)",
    )
    _json(parser)


def _reproduce(parser: Parser, argv: list[str]) -> None:
    parser.add_argument("recipe", help="a recipe's file, or the name of one that is shipped, such as mnist/made")
    parser.add_argument("--out", type=Path, help="the run folder (default runs/RECIPE)")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where to record (default results)")
    _json(parser)


COMMANDS: dict[str, tuple[str, Any]] = {
    "fit": ("Fit a model to data by maximum likelihood.", add_fit),
    "evaluate": ("Mean negative log-likelihood of a data set under a fitted model.", _evaluate),
    "sample": ("Draw examples from a fitted model.", _sample),
    "score": ("How surprising each variable is to a fitted model, or (--score) how strange each example.", _score),
    "purify": ("PixelDefend: move images, within a small distance, to where a model finds them probable.", _purify),
    "attack-eval": ("What attacks do to a classifier, and what a fitted model tells and mends of them.", _attack_eval),
    "complete": ("Fill in the unknown variables of examples.", _complete),
    "marginal": ("How probable the known part of examples is, whatever the rest.", _marginal),
    "classify": ("Classes of examples by Bayes' rule, from a model with num_classes.", _classify),
    "represent": ("Features of examples from a model's hidden layers.", _represent),
    "conditionals": ("Draw examples beside the conditional means of their variables.", _conditionals),
    "describe": ("Size and cost of a fitted model.", _describe),
    "schema": ("What the columns of a table are taken as.", _schema),
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
