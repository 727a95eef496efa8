"""Data that changed since a run was fitted on them, and bits of its files that flipped: are they found?"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from endings_forked import TRACEBACK, ran
from PIL import Image

from chainrule.cli import main

FLIPS = 1000

TINY = ["--model", "MADE", "--model.hidden_sizes", "[8]"]
SEQUENCE = ["--model", "RNN", "--model.hidden_size", "8", "--window", "32"]
SHORT = ["--max-steps", "4", "--batch-size", "16", "--device", "cpu"]


# Data, each with the arguments of its fit


def _table(path: Path) -> list[str]:
    chosen = random.Random(0)
    rows = [f"{chosen.gauss(20, 4):.2f},{chosen.choice('abc')},{chosen.randrange(5)}" for _ in range(200)]
    path.write_text("\n".join(["size,group,count", *rows]) + "\n")
    return TINY


def _text(path: Path) -> list[str]:
    path.write_text("the quick brown fox jumps over the lazy dog\n" * 60)
    return SEQUENCE


def _series(path: Path) -> list[str]:
    lines = [f"2024-01-{i // 24 + 1:02}T{i % 24:02}:00,{np.sin(i / 5):.3f}" for i in range(300)]
    path.write_text("\n".join(["time,value", *lines]))
    return ["--series", "value", *SEQUENCE]


def _images(path: Path) -> list[str]:
    path.mkdir()
    for i in range(30):
        pixels = np.random.RandomState(i).randint(0, 255, (4, 4), np.uint8)
        Image.fromarray(pixels).save(path / f"{i}.png")
    return [*TINY, "--levels", "2"]


def _recordings(path: Path) -> list[str]:
    path.mkdir()
    for i in range(12):
        soundfile.write(path / f"{i}.wav", np.sin(np.arange(400 + i) / 4), 8000)
    return [*SEQUENCE, "--levels", "16"]


def _array(path: Path) -> list[str]:
    np.save(path, np.random.RandomState(0).randint(0, 3, (200, 5)).astype(np.uint8))
    return TINY


# Changes of them


def _lines(edit: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Change the lines of a text."""

    def change(path: Path) -> None:
        path.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")

    return change


def _values(edit: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Change an array."""

    def change(path: Path) -> None:
        np.save(path, edit(np.load(path)))

    return change


def _brighter(path: Path) -> None:
    Image.fromarray(np.asarray(Image.open(path / "3.png")) // 2 + 100).save(path / "3.png")


def _louder(path: Path) -> None:
    sound, rate = soundfile.read(path / "3.wav")
    soundfile.write(path / "3.wav", sound * 0.5, rate)


def _with_first(lines: list[str], cell: Callable[[str], str]) -> list[str]:
    """A table whose first column is changed."""
    return [lines[0], *(f"{cell(line.split(',')[0])},{line.partition(',')[2]}" for line in lines[1:])]


Change = tuple[Callable[[Path], list[str]], str, Callable[[Path], object]]

CHANGES: dict[str, Change] = {
    "table: the last row removed": (_table, "x.csv", _lines(lambda lines: lines[:-1])),
    "table: half of the rows removed": (_table, "x.csv", _lines(lambda lines: lines[:101])),
    "table: rows appended": (_table, "x.csv", _lines(lambda lines: [*lines, *lines[1:20]])),
    "table: rows in another sequence": (_table, "x.csv", _lines(lambda lines: [lines[0], *lines[:0:-1]])),
    "table: two rows exchanged": (_table, "x.csv", _lines(lambda lines: [lines[0], lines[2], lines[1], *lines[3:]])),
    "table: a column scaled by 10": (
        _table, "x.csv", _lines(lambda lines: _with_first(lines, lambda cell: f"{10 * float(cell):.2f}")),
    ),
    "table: a column shifted by 1": (
        _table, "x.csv", _lines(lambda lines: _with_first(lines, lambda cell: f"{float(cell) + 1:.2f}")),
    ),
    "table: one digit": (_table, "x.csv", _lines(lambda lines: [*lines[:-1], lines[-1][:-1] + "9"])),
    "table: one cell emptied": (
        _table, "x.csv", _lines(lambda lines: [*lines[:-1], f",{lines[-1].partition(',')[2]}"]),
    ),
    "table: a category renamed": (
        _table, "x.csv", _lines(lambda lines: [line.replace(",a,", ",d,") for line in lines]),
    ),
    "table: a column removed": (_table, "x.csv", _lines(lambda lines: [line.rpartition(",")[0] for line in lines])),
    "table: a column added": (_table, "x.csv", _lines(lambda lines: [f"{line},{len(line)}" for line in lines])),
    "table: a column renamed": (_table, "x.csv", _lines(lambda lines: ["size,team,count", *lines[1:]])),
    "table: another separator": (_table, "x.csv", _lines(lambda lines: [line.replace(",", ";") for line in lines])),
    "array: one row": (_array, "x.npy", _values(lambda x: np.vstack([x[:-1], (x[-1:] + 1) % 3]))),
    "array: columns exchanged": (_array, "x.npy", _values(lambda x: x[:, ::-1])),
    "text: a word replaced": (_text, "x.txt", lambda path: path.write_text(path.read_text().replace("fox", "cat", 1))),
    "text: lines appended": (_text, "x.txt", _lines(lambda lines: [*lines, "and again"])),
    "series: the last value": (_series, "x.csv", _lines(lambda lines: [*lines[:-1], lines[-1][:-1] + "9"])),
    "images: one removed": (_images, "x", lambda path: (path / "3.png").unlink()),
    "images: one renamed": (_images, "x", lambda path: (path / "3.png").rename(path / "99.png")),
    "images: one brighter": (_images, "x", _brighter),
    "recordings: one quieter": (_recordings, "x", _louder),
    "recordings: one added": (_recordings, "x", lambda path: shutil.copy(path / "3.wav", path / "99.wav")),
}  # fmt: skip


def changed(folder: Path) -> list[dict[str, Any]]:
    """Fit data, change them, and resume; the row of each change says what became of it."""
    rows = []
    for i, (name, (make, file, change)) in enumerate(CHANGES.items()):
        place = folder / f"changed-{i}"
        place.mkdir()
        path, out, log = place / file, place / "run", place / "log"
        fit = ["fit", str(path), *make(path), *SHORT, "--out", str(out)]
        first, again = ran(fit, log), ran([*fit, "--resume"], log)
        change(path)
        refused = ran([*fit, "--resume"], log)
        evaluated = ran(["evaluate", str(out)], log)
        rows.append(
            {
                "change": name,
                "unchanged_status": max(first.status, again.status),
                "status": refused.status,
                "evaluate_status": evaluated.status,
                "message": refused.line.partition(", got ")[2].partition(":")[0],
            }
        )
    return rows


def flipped(folder: Path, run: Path, fit: list[str]) -> list[dict[str, Any]]:
    """Flip one bit of a file at a time, `FLIPS` in all, and count the commands that succeed nevertheless.

    Args:
        folder: A folder for copies of the run.
        run: A finished run.
        fit: The command that fitted it, without its folder.
    """
    using = {"model.safetensors": "evaluate", "checkpoints/last.ckpt": "fit", "checkpoints/best.ckpt": "fit"}
    rows = []
    for (name, command), count in zip(using.items(), (FLIPS // 2, FLIPS // 4, FLIPS // 4), strict=True):
        copy = shutil.copytree(run, folder / f"flipped-{Path(name).stem}")
        argv = [command, str(copy)]
        if command == "fit":
            _interrupt(copy)
            argv = [*fit, "--out", str(copy), "--resume"]
        answer = folder / "answer"
        process = os.fork()
        if process == 0:
            status = TRACEBACK
            try:
                answer.write_text(json.dumps(_flips(copy / name, argv, count)))
                status = 0
            finally:
                os._exit(status)
        if os.waitpid(process, 0)[1]:
            raise RuntimeError(f"{command} raised at a flipped bit of {name}")
        rows.append({"file": name, "command": command, "flips": count, **json.loads(answer.read_text())})
    return rows


def _interrupt(run: Path) -> None:
    """Make a finished run one that was killed as it wrote its weights."""
    for name in ("model.safetensors", "calibration.safetensors"):
        (run / name).unlink()
    config = json.loads((run / "config.json").read_text())
    kept = {name: config[name] for name in config if name not in ("training", "calibration", "sha256")}
    (run / "config.json").write_text(json.dumps(kept))


def _flips(path: Path, argv: list[str], count: int) -> dict[str, int]:
    """The flips that were found, and those with which the command succeeded."""
    for descriptor in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    content = path.read_bytes()
    statuses = []
    for bit in random.Random(0).sample(range(8 * len(content)), count):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        statuses.append(main(argv))
    path.write_bytes(content)
    return {"found": statuses.count(2), "believed": statuses.count(0), "bytes": len(content)}
