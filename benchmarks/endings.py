"""Ends that nobody wants: signals, crashes, kills, a second fit, a full disk, changed data and flipped bits.

What is left, and does ``--resume`` end in the same weights, bit for bit? Each command is a process of its own. Run it
as ``python benchmarks/endings.py``; ``--only signals,kills`` measures these anew, and what else is in
``benchmark-endings.json`` stays.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from endings_changes import changed, flipped
from endings_forked import Ended, Events, ended, import_all, ran, signalled, started

from chainrule.atomic import write_atomically
from chainrule.runs import machine
from chainrule.runs.folder import versions

CRASHES, KILLS, DISKS = 60, 40, 20

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL)

MODEL = ["--model", "MADE", "--model.hidden_sizes", "[32]", "--model.dropout", "0.2", "--device", "cpu"]
FIT = [*MODEL, "--max-epochs", "5", "--batch-size", "64", "--json"]

FIT_MOMENTS = {
    "reading": ("chainrule.runs.planned.load_data", 1),
    "before the first step": ("chainrule.training.start.start_at_frequencies", 1),
    "in a step": ("chainrule.training.module.MaximumLikelihood.forward", 50),
    "in a validation": ("chainrule.training.module.MaximumLikelihood.other_states", 3),
    "writing a checkpoint": ("chainrule.training.checkpoints.Checkpoint.write", 4),
    "calibrating": ("chainrule.tasks.calibration.Calibration.of", 1),
    "sampling": ("chainrule.kinds.levels.LevelsKind.leave_samples", 1),
}
"""Functions of a fit, and the calls of them that a signal comes before."""

MOMENTS = {
    "evaluate": {"computing": "chainrule.cli.evaluate.evaluate"},
    "sample": {"opening the run": "chainrule.runs.opened.load", "writing": "os.replace"},
    "score": {"opening the run": "chainrule.runs.opened.load", "writing": "os.replace"},
    "complete": {"opening the run": "chainrule.runs.opened.load", "writing": "os.replace"},
    "plan": {"reading": "chainrule.runs.planned.load_data"},
}

NEW_MOUNTS = 0x00020000
"""CLONE_NEWNS: this process gets mounts of its own, which end with it."""


class Bench:
    """A data set, a fit of it that nothing ends, and a folder for those that something ends."""

    def __init__(self, folder: Path) -> None:
        rows = np.random.RandomState(0).randint(0, 2, (2000, 10)).astype(np.uint8)
        rows[:, 9] = rows[:, 0]
        self.folder, self.data, self.log = folder, folder / "rows.npy", folder / "log"
        np.save(self.data, rows)
        self.whole = folder / "whole"
        started = time.monotonic()
        first = self.fit(self.whole)
        self.seconds = time.monotonic() - started
        if first.status != 0:
            raise RuntimeError(f"the fit failed: {first.error}")

    def fit(self, out: Path, *more: str, prepare: Callable[[], object] | None = None) -> Ended:
        """Fit the data into ``out``."""
        return ran(["fit", str(self.data), *FIT, "--out", str(out), *more], self.log, prepare)

    def is_whole(self, out: Path) -> bool:
        """True if a run has all that one has that nothing ended, and the same weights."""
        names = {path.relative_to(self.whole) for path in self.whole.rglob("*")}
        same = (out / "model.safetensors").exists() and _content(out) == _content(self.whole)
        return same and names == {path.relative_to(out) for path in out.rglob("*")}

    def resumed(self, out: Path) -> bool:
        """True if a fit that was ended goes on by ``--resume``, and ends as one that nothing ended."""
        done = self.fit(out, "--resume")
        return done.status == 0 and self.is_whole(out)


def _content(out: Path) -> bytes:
    return (out / "model.safetensors").read_bytes()


def _ended_row(bench: Bench, out: Path, first: Ended) -> dict[str, Any]:
    """What is left of a fit, and whether it goes on."""
    left = "last checkpoint" if (out / "checkpoints/last.ckpt").exists() else "no checkpoint"
    left = "weights" if (out / "model.safetensors").exists() else left if out.exists() else "nothing"
    one_line = first.status < 0 or first.line.startswith("chainrule: ")
    return {"status": first.status, "one_line": one_line, "left": left, "same": bench.resumed(out)}


def signals(bench: Bench) -> list[dict[str, Any]]:
    """Each signal at each moment of each command."""
    rows = []
    for moment, (place, call) in FIT_MOMENTS.items():
        for number in SIGNALS:
            out = bench.folder / "signals" / f"{moment}-{number.name}"
            first = bench.fit(out, prepare=signalled(place, number, call))
            rows.append({"command": "fit", "moment": moment, "signal": number.name, **_ended_row(bench, out, first)})
    return rows


def commands(bench: Bench) -> list[dict[str, Any]]:
    """Each signal at moments of other commands, over a file that was there before."""
    given = {
        "evaluate": [str(bench.whole), str(bench.data)],
        "sample": [str(bench.whole), "-n", "5"],
        "score": [str(bench.whole), str(bench.data)],
        "complete": [str(bench.whole), str(bench.data), "-n", "5", "--observe", "0.5"],
        "plan": [str(bench.data), *MODEL],
    }
    return [
        {"command": command, "moment": moment, "signal": number.name}
        | _command_row(bench, [command, *given[command]], signalled(place, number))
        for command, moments in MOMENTS.items()
        for moment, place in moments.items()
        for number in SIGNALS
    ]


def _command_row(bench: Bench, argv: list[str], prepare: Callable[[], object]) -> dict[str, Any]:
    """What is left of a command's output, and whether it can be run again."""
    folder = bench.folder / "outputs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    out = folder / ("x.csv" if argv[0] == "score" else "x.npz")
    if "writing" in MOMENTS[argv[0]]:
        out.write_bytes(b"before")
        argv = [*argv, "--out", str(out)]
    first = ran(argv, bench.log, prepare)
    left = "nothing" if not out.exists() else "the file before" if out.read_bytes() == b"before" else "another file"
    again = ran(argv, bench.log)
    orphans = [path.name for path in folder.iterdir() if path != out]
    one_line = first.status < 0 or first.line.startswith("chainrule: ")
    return {"status": first.status, "one_line": one_line, "left": left, "same": again.status == 0 and not orphans}


def crashes(bench: Bench) -> list[dict[str, Any]]:
    """kill -9 before, in and after writes, syncs, renames and steps of a fit, evenly over all of them."""
    log = bench.folder / "events"
    bench.fit(bench.folder / "counted", prepare=Events(None, log))
    events = log.read_text().splitlines()
    rows = []
    for number in np.linspace(0, len(events) - 1, CRASHES).round().astype(int).tolist():
        out = bench.folder / "crashes" / str(number)
        first = bench.fit(out, prepare=Events(number))
        rows.append({"event": events[number], **_ended_row(bench, out, first)})
    return rows


def kills(bench: Bench) -> list[dict[str, Any]]:
    """kill -9 after a random time."""
    chosen, rows = random.Random(0), []
    for i in range(KILLS):
        out, share = bench.folder / "kills" / str(i), chosen.uniform(0.1, 1)
        process = started(["fit", str(bench.data), *FIT, "--out", str(out)], bench.log)
        time.sleep(share * bench.seconds)
        os.kill(process, signal.SIGKILL)
        rows.append({"share": round(share, 3), **_ended_row(bench, out, ended(process, bench.log))})
    return rows


def second(bench: Bench) -> dict[str, Any]:
    """A second fit into a folder while the first one trains."""
    out = bench.folder / "second"
    first_log = bench.folder / "first-log"
    process = started(["fit", str(bench.data), *FIT, "--out", str(out)], first_log)
    while not (out / "config.json").exists():
        time.sleep(0.01)
    refused = [bench.fit(out, *more) for more in ([], ["--resume"])]
    first = ended(process, first_log)
    return {
        "statuses": [end.status for end in refused],
        "message": refused[0].line.replace(str(bench.folder), ""),
        "first_status": first.status,
        "same": bench.is_whole(out),
    }


def disks(bench: Bench) -> list[dict[str, Any]]:
    """Fits onto small disks, and on when there is more space; in a process that mounts them for itself."""
    needed = sum(path.stat().st_size for path in bench.whole.rglob("*") if path.is_file()) // 1024
    rows = []
    for kilobytes in np.linspace(4, needed, DISKS + 1).round().astype(int).tolist()[:-1]:
        place, answer = bench.folder / "disk", bench.folder / "answer"
        place.mkdir(exist_ok=True)
        process = os.fork()
        if process == 0:
            try:
                answer.write_text(json.dumps(_on_a_disk(bench, place, kilobytes)))
            finally:
                os._exit(0)
        os.waitpid(process, 0)
        rows.append(json.loads(answer.read_text()))
        answer.unlink()
    return rows


def _on_a_disk(bench: Bench, place: Path, kilobytes: int) -> dict[str, Any]:
    if ctypes.CDLL(None).unshare(NEW_MOUNTS) != 0:
        raise PermissionError("a small disk expects the right to mount one: run this as root")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k"]
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run([*mount, "tmpfs", str(place)], check=True)
    first = bench.fit(place / "run")
    half = [path.name for path in place.rglob(".*")]
    subprocess.run(["mount", "-o", "remount,size=100m", str(place)], check=True)
    row = _ended_row(bench, place / "run", first)
    return {"kilobytes": kilobytes, "half_files": half, "message": first.line.replace(str(place), ""), **row}


PARTS: dict[str, Callable[[Bench], Any]] = {
    "signals": signals,
    "commands": commands,
    "crashes": crashes,
    "kills": kills,
    "second": second,
    "disks": disks,
    "changed": lambda bench: changed(bench.folder),
    "flipped": lambda bench: flipped(bench.folder, bench.whole, ["fit", str(bench.data), *FIT]),
}


def main() -> int:
    """Measure, and write the report; the status is 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"), help="the folder of benchmark-endings.json")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to measure (default: all)")
    options = parser.parse_args()
    import_all()
    path = options.out / "benchmark-endings.json"
    report = json.loads(path.read_text()) if path.exists() else {"benchmark": "endings"}
    with tempfile.TemporaryDirectory(prefix="endings-") as folder:
        bench = Bench(Path(folder))
        for name in options.only.split(","):
            began = time.monotonic()
            report[name] = PARTS[name](bench)
            print(name, f"{time.monotonic() - began:.0f} s", json.dumps(report[name])[:300], flush=True)
            report |= {"machine": machine(), "versions": versions()}
            write_atomically(path, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
