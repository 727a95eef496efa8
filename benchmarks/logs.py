"""Logs: does the default score of ``chainrule score`` find lines of a log that were changed?

A fifth of the lines of a log are held out, at random. A default fit of the others scores the held-out lines, of which
half were changed in one way: *one character* is another one, *a word* (such as INFO) is FATAL, or the line is
*cut off* at a place between its first quarter and its end. The figure is the area under the ROC curve of the score, on
changed against unchanged lines that the change could be made to; beside it that of the mean of -log p, ``--score nll``,
and the share of the unchanged lines whose p-value is at most 0.05.

The logs are that of this machine's package manager, which nobody made for this, and that of a service, drawn by a seed.
"""

from __future__ import annotations

import argparse
import datetime
import random
import shutil
import string
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars
from defaults import commanded
from sklearn.metrics import roc_auc_score
from stored import Report

from chainrule.runs import machine
from chainrule.runs.folder import versions

HELD_OUT = 5
RATE = 0.05
SERVICE_LINES = 6000

MESSAGES = {
    "INFO": (
        "http: {verb} {path} 200 in {ms} ms",
        "auth: user {user} logged in from 10.0.{near}.{far}",
        "jobs: job {job} finished in {seconds:.2f} s",
    ),
    "DEBUG": ("cache: hit rate {share:.3f}, {ms} entries", "db: query took {ms} ms, {job} rows"),
    "WARNING": ("http: client 10.0.{near}.{far} closed the connection", "disk: 91% of /var is in use"),
    "ERROR": ("jobs: job {job} failed: timeout after 30 s", "http: {verb} {path} 500 in {ms} ms"),
}
SHARES = {"INFO": 70, "DEBUG": 20, "WARNING": 8, "ERROR": 2}
VERBS, USERS = ("GET", "POST"), ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
PATHS = ("/", "/login", "/api/v1/items", "/api/v1/orders", "/static/app.js", "/health")


class Log(NamedTuple):
    """A log, and a word of most of its lines that stands for an ordinary state."""

    lines: Callable[[], list[str]]
    word: str


def service_lines() -> list[str]:
    """The log of a service, as programs write them."""
    drawn, time, lines = random.Random(0), datetime.datetime(2026, 3, 1, 8), list[str]()
    for _ in range(SERVICE_LINES):
        time += datetime.timedelta(milliseconds=drawn.expovariate(1 / 900))
        (level,) = drawn.choices(list(SHARES), list(SHARES.values()))
        message = drawn.choice(MESSAGES[level]).format(
            verb=drawn.choice(VERBS), path=drawn.choice(PATHS), user=drawn.choice(USERS), ms=drawn.randint(1, 400),
            near=drawn.randint(0, 3), far=drawn.randint(1, 254), job=drawn.randint(1000, 9999),
            seconds=9 * drawn.random(), share=drawn.random(),
        )  # fmt: skip
        lines.append(f"{time:%Y-%m-%d %H:%M:%S},{time.microsecond // 1000:03d} {level} {message}")
    return lines


LOGS = {
    "dpkg.log": Log(lambda: Path("/var/log/dpkg.log").read_text().splitlines(), "status"),
    "a service": Log(service_lines, "INFO"),
}
FORMS: dict[str, tuple[str, ...]] = {"one stream": (), "each line": ("--documents",)}


def one_character(line: str, word: str, drawn: random.Random) -> str:
    """The line with another printable character in one place."""
    place = drawn.randrange(len(line))
    others = (string.ascii_letters + string.digits + string.punctuation).replace(line[place], "")
    return line[:place] + drawn.choice(others) + line[place + 1 :]


def a_word(line: str, word: str, drawn: random.Random) -> str:
    """The line with FATAL in place of its word."""
    return line.replace(word, "FATAL", 1)


def cut_off(line: str, word: str, drawn: random.Random) -> str:
    """The beginning of the line."""
    return line[: drawn.randrange(len(line) // 4, len(line))]


CHANGES = {"one character": one_character, "a word": a_word, "cut off": cut_off}


def measured(options: argparse.Namespace, name: str, seed: int, form: str) -> dict[str, Any]:
    """The figures of each change, for a run on one log."""
    log, folder = LOGS[name], options.work / name.replace(" ", "-") / form.replace(" ", "-") / str(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = [line for line in log.lines() if line.strip()]
    held = np.zeros(len(lines), dtype=bool)
    held[np.random.RandomState(seed).permutation(len(lines))[: len(lines) // HELD_OUT]] = True
    path, run = folder / "some.log", folder / "run"
    path.write_text("".join(f"{line}\n" for line, out in zip(lines, held, strict=True) if not out))
    within = ["--minutes", str(options.minutes), "--seed", str(seed)]
    _, fit = commanded(["fit", str(path), *FORMS[form], *within, "--out", str(run), "--json"])
    ordinary = [line for line, out in zip(lines, held, strict=True) if out]
    figures = {change: scored(folder, run, ordinary, log.word, change, seed) for change in CHANGES}
    about = {"machine": machine() | {"threads": 1}, "versions": versions(), "minutes": options.minutes, "seed": seed}
    return {"lines": len(lines), "held_out": len(ordinary), "changes": figures, "fit": fit} | about


def scored(folder: Path, run: Path, ordinary: list[str], word: str, change: str, seed: int) -> dict[str, float]:
    """How well changed lines are told from unchanged ones."""
    drawn = random.Random(seed)
    able = np.array([change != "a word" or word in line for line in ordinary])
    changed = np.zeros(len(ordinary), dtype=bool)
    changed[drawn.sample(np.flatnonzero(able).tolist(), int(able.sum()) // 2)] = True
    path, out = folder / f"{change.replace(' ', '-')}.log", folder / "scores.parquet"
    with path.open("w") as file:
        for line, other in zip(ordinary, changed, strict=True):
            file.write((CHANGES[change](line, word, drawn) if other else line) + "\n")
    commanded(["score", str(run), str(path), "--out", str(out)])
    table = polars.read_parquet(out)
    alarms = (table["pvalue"].to_numpy() <= RATE)[~changed].mean()
    return {
        "auc": float(roc_auc_score(changed[able], table["score"].to_numpy()[able])),
        "auc_of_mean": float(roc_auc_score(changed[able], -table["log_prob"].to_numpy()[able])),
        "alarms": float(alarms),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/logs"), help="where logs and runs are")
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--minutes", type=float, default=3.0, help="minutes of each fit (default 3, as of fit)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="measure anew what was measured")
    options = parser.parse_args()
    cells = [(name, seed, form) for form in FORMS for name in LOGS for seed in range(options.seeds)]
    Report("logs", options.out).fill(cells, partial(measured, options), again=options.again)


if __name__ == "__main__":
    main()
