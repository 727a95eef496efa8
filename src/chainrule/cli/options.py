"""The one table of the options of commands. Imports nothing slow, so that help and errors come at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SCORES = ("nll", "pvalue", "typicality", "ratio", "complexity")
"""The scores of `chainrule.tasks.anomaly`, which imports torch."""

OBSERVE = (
    "top-half, bottom-half, left-half, right-half, first-half, a fraction such as 0.25, a box of pixels x0,y0,x1,y1, "
    "or a file of a mask"
)

OPTIONS: dict[str, dict[str, Any]] = {
    "run": {"type": Path, "metavar": "RUN", "help": "a run folder, as `chainrule fit` wrote it"},
    "runs": {"type": Path, "nargs": "+", "metavar": "RUN", "help": "run folders, as `chainrule fit` wrote them"},
    "--port": {"type": int, "default": 8000, "help": "the port of the page; 0 for a free one (default 8000)"},
    "--host": {
        "default": "127.0.0.1",
        "help": "the address to listen at; others than this machine need a token, which is printed (default 127.0.0.1)",
    },
    "--no-browser": {"action": "store_true", "help": "open no browser"},
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
