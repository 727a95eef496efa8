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

ROWS, FEWER, MANY = "rows.parquet", "fewer.parquet", "many.parquet"
"""The table, its first rows, and ten times as many rows."""

NETWORK = ["--model", "MADE", "--model.hidden_sizes", "[64, 64]", "--max-steps", "100"]
"""The network: a small one, so that reading and writing show."""

RAY = ("--engine", "ray", "--workers")

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
        run: The run folder.
        data: The table.
        out: Where it writes.
        flags: Its further flags.
    """

    def __init__(self, run: Path, data: Path, out: Path, *flags: str) -> None:
        self.out, self.started = out, time.monotonic()
        self.first_seconds: float | None = None
        words = ["score", str(run), str(data), "--out", str(out), *flags]
        self.process = subprocess.Popen([sys.executable, "-m", "chainrule", *words], stdout=subprocess.DEVNULL)

    def records(self) -> list[dict[str, Any]]:
        """The records of the parts that are there."""
        journal = self.out / NAME
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [json.loads(line) for line in lines[1:] if line.endswith("}")]

    def wait(self, kill: Callable[["Command"], int] | None = None, after: int = 0) -> dict[str, Any]:
        """Wait for the end; ``kill`` says which process to kill as soon as ``after`` parts are there."""
        driver, spent = [], 0.0
        while self.process.poll() is None:
            time.sleep(0.2)
            spent = _cpu_seconds(self.process.pid) or spent
            records = self.records()
            if records and self.out.is_dir():
                driver.append((len(records), spent))
                self.first_seconds = self.first_seconds or time.monotonic() - self.started
            if kill is not None and len(records) >= after:
                os.kill(kill(self), signal.SIGKILL)
                kill = None
        seconds = time.monotonic() - self.started
        report = {"status": self.process.returncode, "seconds": seconds, "cpu_seconds": spent}
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
        if driver and driver[-1][0] > driver[0][0]:
            report["driver_cpu_seconds_per_part"] = (driver[-1][1] - driver[0][1]) / (driver[-1][0] - driver[0][0])
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


class Measured:
    """Scores of the table, made in several ways, each of which must give the same.

    Args:
        work: The folder with the run and the data.
        data: The file of the table in it.
    """

    def __init__(self, work: Path, data: str = ROWS) -> None:
        self.work, self.data, self.found = work, data, dict[str, dict[str, Any]]()

    def run(self, name: str, *flags: str, out: str = "", data: str = "", **kill: Any) -> None:
        """Score the table, or ``data``, in one way, compare, and keep the report under ``name``."""
        folder = self.work / f"{Path(data or self.data).stem}-{out or name.replace(' ', '-')}"
        whole = polars.read_parquet(self._whole)
        report = Command(self.work / "run", self.work / (data or self.data), folder, *flags).wait(**kill)
        files = sorted(folder.glob("part-*.parquet"))
        if report["status"] == 0:
            scores = polars.read_parquet(files)
            report |= {"rows_per_second": len(scores) / report["seconds"], "rows": len(scores)}
            report["identical"] = scores.equals(whole[: len(scores)])
        self.found[name] = report | {"parts": len(files)}
        print(name, {key: value for key, value in report.items() if key != "part_cpu_seconds"}, flush=True)

    @property
    def _whole(self) -> Path:
        """The scores of all rows."""
        return self.work / f"whole-{self.data}"

    def whole(self, rows: int) -> None:
        """Score all rows at once; the seconds of CPU are those of the whole command."""
        plain = Command(self.work / "run", self.work / self.data, self._whole).wait()
        per_second = {"rows_per_second": rows / plain["seconds"], "rows_per_cpu_second": rows / plain["cpu_seconds"]}
        self.found["local, all at once"] = plain | per_second

    def rates(self, rows: int) -> None:
        """Score all rows at once, by parts, and on one and two workers."""
        self.whole(rows)
        self.run("local by parts", "--engine", "local")
        self.run("local, larger parts", "--engine", "local", "--part-size", str(LARGER))
        self.run("ray, 1 worker", *RAY, "1")
        self.run("ray, 2 workers", *RAY, "2")
        self.run("ray, small parts", *RAY, "2", "--part-size", str(SMALLER))

    def kills(self, rows: int) -> None:
        """Score the first rows, and kill a worker, or the driver, half way."""
        polars.read_parquet(self.work / ROWS).head(rows).write_parquet(self.work / FEWER)
        killed = {"data": FEWER, "out": "killed"}
        flags = [*RAY, "2", "--part-size", str(rows // 10)]
        self.run("ray, a worker killed", *flags, data=FEWER, kill=_last_worker, after=5)
        self.run("ray, the driver killed", *flags, **killed, kill=lambda command: command.process.pid, after=5)
        kept = {path: path.stat().st_mtime_ns for path in (self.work / f"{Path(FEWER).stem}-killed").glob("part-*")}
        self.run("ray, gone on", *flags, **killed)
        same = sum(path.stat().st_mtime_ns == time for path, time in kept.items())
        self.found["ray, gone on"]["parts_kept"] = same

    def many(self, rows: int) -> None:
        """Score all rows at once, and on one and two workers, of which one is killed half way."""
        self.whole(rows)
        self.run("ray, 1 worker", *RAY, "1")
        self.run("ray, 2 workers", *RAY, "2")
        self.run("ray, a worker killed", *RAY, "2", kill=_last_worker, after=rows // PART // 2)


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


def report(found: dict[str, Any], work: Path, rows: int) -> dict[str, Any]:
    """All that was measured, and what follows from it."""
    measured = rates(found, work, rows)
    own = found["ray, 1 worker"]["part_cpu_seconds"][1:]
    cluster = Cluster(1, own, measured["dispatch_seconds"], measured["open_seconds"])
    return {
        "benchmark": "scale",
        "rows": rows,
        "columns": len(polars.read_parquet_schema(work / ROWS)),
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--work", type=Path, default=Path("scale"), help="a folder for the data and the scores")
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    out, work, rows = arguments.out, arguments.work, arguments.rows
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    table(work / ROWS, rows)
    fit = ["fit", str(work / ROWS), "--out", str(work / "run"), *NETWORK]
    subprocess.run([sys.executable, "-m", "chainrule", *fit], check=True, stdout=subprocess.DEVNULL)
    measured = Measured(work)
    measured.rates(rows)
    measured.kills(rows // 4)
    table(work / MANY, 10 * rows)
    many = Measured(work, MANY)
    many.many(10 * rows)
    found = report(measured.found, work, rows) | {"many": {"rows": 10 * rows, "runs": many.found}}
    write_atomically(out / "benchmark-scale.json", (json.dumps(found, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
