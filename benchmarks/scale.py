"""Work by parts, measured: ``chainrule score`` of a large table here, and on Ray with 1 and 2 workers.

Writes ``benchmark-scale.json``: rows a second; whether the scores are the same, also where a worker or the driver was
killed half way; what 10^9 and 10^12 rows cost by these rates; and a simulation of 1 to 1,000 workers.

Each command runs in a process of its own. Where other programs share the cores, seconds of the clock say little: so
costs are seconds of CPU, which the journal of the parts has, and seconds of the clock stand beside them.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
from scale_model import Cluster, cost, curve, most_workers, simulate

from chainrule.atomic import write_atomically
from chainrule.parts.journal import NAME
from chainrule.runs import machine
from chainrule.runs.folder import WEIGHTS, versions

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
PART, LARGER, SMALLER = 100_000, 500_000, 2_000
"""Rows of a part: by default; to see how memory grows; and to see what a part costs the driver."""

JOBS = ((10**9, 1.0), (10**12, 24.0))
"""Rows, and the hours that they may take."""


def table(path: Path, rows: int) -> None:
    """Write a table of ten columns: numbers, counts, categories and booleans that depend on each other."""
    random = np.random.RandomState(0)
    z = random.normal(size=(rows, 3))
    numbers = {f"x{i}": (z[:, i % 3] + 0.5 * random.normal(size=rows)).round(3) for i in range(5)}
    groups = np.array(list("abcdef"))[(z[:, 0] > 0).astype(int) * 3 + random.randint(0, 3, rows)]
    others = {"k": random.randint(0, 50, rows), "c": groups, "b": z[:, 1] > 0.3, "m": random.poisson(np.exp(z[:, 2]))}
    polars.DataFrame(numbers | others | {"y": (z @ [1, 2, 3]).round(2)}).write_parquet(path)


class Command:
    """``chainrule score`` in a process of its own.

    Args:
        work: The folder with the run and the data.
        out: Where it writes.
        flags: Its further flags.
    """

    def __init__(self, work: Path, out: Path, *flags: str) -> None:
        self.out, self.started = out, time.monotonic()
        self.first_seconds = self.driver = None
        words = ["score", str(work / "run"), str(work / "rows.parquet"), "--out", str(out), *flags]
        self.process = subprocess.Popen([sys.executable, "-m", "chainrule", *words], stderr=subprocess.PIPE, text=True)

    def records(self) -> list[dict[str, Any]]:
        """The records of the parts that are there."""
        journal = self.out / NAME
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [json.loads(line) for line in lines[1:] if line.endswith("}")]

    def wait(self, kill: Callable[["Command"], int] | None = None, after: int = 0) -> dict[str, Any]:
        """Wait for the end; ``kill`` says which process to kill as soon as ``after`` parts are there."""
        driver = []
        while self.process.poll() is None:
            time.sleep(0.2)
            records = self.records()
            if records and self.out.is_dir():
                driver.append((len(records), _cpu_seconds(self.process.pid)))
                self.first_seconds = self.first_seconds or time.monotonic() - self.started
            if kill is not None and len(records) >= after:
                os.kill(kill(self), signal.SIGKILL)
                kill = None
        report = {"status": self.process.returncode, "seconds": time.monotonic() - self.started}
        if records := self.records() if self.out.is_dir() else []:
            own = [record["cpu_seconds"] for record in records]
            by_worker: dict[str, float] = {}
            for record in records:
                by_worker[record["worker"]] = by_worker.get(record["worker"], 0.0) + record["cpu_seconds"]
            report |= {
                "part_cpu_seconds": own,
                "rows_per_cpu_second": sum(record["items"] for record in records) / sum(own),
                "worker_cpu_seconds": sorted(by_worker.values(), reverse=True),
                "megabytes": max(record["megabytes"] for record in records),
                "first_part_seconds": self.first_seconds,
                "written_bytes": sum(record["bytes"] for record in records),
            }
        seen = [each for each in driver if each[1] is not None]
        if len(seen) > 1 and seen[-1][0] > seen[0][0]:
            report["driver_cpu_seconds_per_part"] = (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0])
        return report


def _cpu_seconds(process: int) -> float | None:
    """Seconds of CPU of a process so far; None if it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _last_worker(command: Command) -> int:
    found = re.search(r"process (\d+)", command.records()[-1]["worker"])
    assert found is not None
    return int(found[1])


def measure(work: Path, rows: int) -> dict[str, Any]:
    """Score the table in every way; each must give the same scores."""
    parts = rows // PART
    plain = Command(work, work / "whole.parquet").wait()
    whole = polars.read_parquet(work / "whole.parquet")
    found = {"local, all at once": plain | {"rows_per_second": rows / plain["seconds"]}}

    def run(name: str, *flags: str, out: str = "", **kill: Any) -> None:
        folder = work / (out or name.replace(" ", "-"))
        report = Command(work, folder, "--engine", *flags).wait(**kill)
        files = sorted(folder.glob("part-*.parquet"))
        found[name] = report | {"rows_per_second": rows / report["seconds"], "parts": len(files)}
        if report["status"] == 0:
            found[name]["identical"] = polars.read_parquet(files).equals(whole)
        print(name, {key: value for key, value in found[name].items() if key != "part_cpu_seconds"}, flush=True)

    two = ("ray", "--workers", "2")
    run("local by parts", "local")
    run("local, larger parts", "local", "--part-size", str(LARGER))
    run("ray, 1 worker", "ray", "--workers", "1")
    run("ray, 2 workers", *two)
    run("ray, small parts", *two, "--part-size", str(SMALLER))
    run("ray, a worker killed", *two, kill=_last_worker, after=parts // 2)
    run("ray, the driver killed", *two, out="killed", kill=lambda command: command.process.pid, after=parts // 2)
    kept = {path: path.stat().st_mtime_ns for path in (work / "killed").glob("part-*")}
    run("ray, gone on", *two, out="killed")
    found["ray, gone on"]["parts_kept"] = sum(path.stat().st_mtime_ns == time for path, time in kept.items())
    return found


def rates(found: dict[str, Any], work: Path, rows: int) -> dict[str, Any]:
    """The figures that costs follow from: those of Ray with one worker, and of the files."""
    one, local, larger = (found[name] for name in ("ray, 1 worker", "local by parts", "local, larger parts"))
    run_bytes = sum((work / "run" / name).stat().st_size for name in (WEIGHTS, "config.json"))
    return {
        "seconds_per_row": 1 / one["rows_per_cpu_second"],
        "local_seconds_per_row": 1 / local["rows_per_cpu_second"],
        "dispatch_seconds": found["ray, small parts"]["driver_cpu_seconds_per_part"],
        "open_seconds": max(0.1, one["part_cpu_seconds"][0] - float(np.median(one["part_cpu_seconds"]))),
        "part_rows": PART,
        "read_bytes_per_row": (work / "rows.parquet").stat().st_size / rows,
        "written_bytes_per_row": one["written_bytes"] / rows,
        "memory_bytes_per_row": (larger["megabytes"] - local["megabytes"]) * 2**20 / (LARGER - PART),
        "worker_bytes": one["megabytes"] * 2**20,
        "run_bytes": run_bytes,
    }


def compared(found: dict[str, Any], measured: dict[str, Any]) -> list[dict[str, float]]:
    """The simulation, fed with the parts of the local engine, beside the workers of Ray: seconds of CPU to the end."""
    local = found["local by parts"]["part_cpu_seconds"]
    return [
        {
            "workers": workers,
            "simulated": simulate(Cluster(workers, local[1:], 0.0, measured["open_seconds"]), len(local))["seconds"],
            "measured": max(found[name]["worker_cpu_seconds"]),
        }
        for workers, name in ((1, "ray, 1 worker"), (2, "ray, 2 workers"))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--work", type=Path, default=Path("scale"), help="a folder for the data and the scores")
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    out, work, rows = arguments.out, arguments.work, arguments.rows
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    table(work / "rows.parquet", rows)
    fit = ["fit", str(work / "rows.parquet"), "--out", str(work / "run"), "--max-steps", "300"]
    subprocess.run([sys.executable, "-m", "chainrule", *fit], check=True, stdout=subprocess.DEVNULL)
    found = measure(work, rows)
    measured = rates(found, work, rows)
    own = found["ray, 1 worker"]["part_cpu_seconds"][1:]
    cluster = Cluster(1, own, measured["dispatch_seconds"], measured["open_seconds"])
    report = {
        "benchmark": "scale",
        "rows": rows,
        "columns": 10,
        "cores": len(os.sched_getaffinity(0)),
        "runs": found,
        "measured": measured,
        "compared": compared(found, measured),
        "jobs": [cost(measured, *job) for job in JOBS],
        "most_workers": most_workers(measured),
        "simulated": curve(cluster, 10_000, SIZES),
        "machine": machine(),
        "versions": versions(),
    }
    write_atomically(out / "benchmark-scale.json", (json.dumps(report, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
