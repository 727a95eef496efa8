"""Tables larger than memory: the memory of ``chainrule`` on them, each time in a process of its own, and its speed.

Writes ``benchmark-large.json``. The tables are made here: 10 columns of reals, decimals, integers, categories,
booleans, dates and gaps. Memory is the largest resident memory that the operating system says a process had. Rates are
per second of CPU time, as other work on the machine changes the others.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars

from chainrule.atomic import write_atomically
from chainrule.batch import Batches, BatchSource
from chainrule.data import load
from chainrule.data.examples import ArrayExamples
from chainrule.data.read.large import LargeTable
from chainrule.data.read.open_table import open_table
from chainrule.data.read.table_file import LARGE
from chainrule.data.schema import TableSchema
from chainrule.data.stored import RowFile, StoredExamples
from chainrule.data.write import write_parts
from chainrule.runs import fit_file, machine
from chainrule.runs.folder import versions
from chainrule.training import fit

PART = 250_000
"""Rows that are made at once."""

STEPS = 100
"""Steps that are timed."""

NETWORK = [64, 64]
"""The layers of the network that is fitted: a small one, so that reading and writing show."""


def rows_of(count: int) -> Iterator[polars.DataFrame]:
    """A table of ``count`` rows, some at a time."""
    for start in range(0, count, PART):
        yield part_of(min(PART, count - start), start)


def part_of(count: int, seed: int) -> polars.DataFrame:
    random = np.random.default_rng(seed)
    size = random.normal(size=count)
    towns = np.array(["Aachen", "Bonn", "Celle", "Dresden", "Essen", "Fulda"])
    days = random.integers(0, 20_000, count).astype("timedelta64[D]")
    weight = 70 + 12 * size + 6 * random.normal(size=count)
    frame = {
        "height": (170 + 10 * size).round(1),
        "income": np.exp(10 + 0.5 * size + 0.5 * random.normal(size=count)),
        "age": (40 + 12 * size + 5 * random.normal(size=count)).clip(0, 100).astype(np.int64),
        "visits": random.poisson(3, count),
        "score": random.normal(size=count) + 0.3 * size,
        "town": towns[(random.geometric(0.4, count) - 1).clip(max=5)],
        "member": size + random.normal(size=count) > 0,
        "code": np.char.add("c", random.zipf(1.5, count).clip(max=40).astype(str)),
        "born": polars.Series(np.datetime64("1950-01-01") + days).cast(polars.Date),
        "weight": polars.Series(np.where(random.random(count) < 0.05, np.nan, weight)).fill_nan(None),
    }
    return polars.DataFrame(frame)


def measured(*command: str) -> dict[str, float]:
    """The seconds, the CPU seconds and the largest resident memory of one command."""
    script = (
        "import json, resource, sys; from chainrule.cli import main; status = main(sys.argv[1:]); "
        "used = resource.getrusage(resource.RUSAGE_SELF); "
        "print(json.dumps([used.ru_maxrss, used.ru_utime + used.ru_stime]), file=sys.stderr); sys.exit(status)"
    )
    print("chainrule", *command, file=sys.stderr, flush=True)
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", script, *command], check=True, capture_output=True, text=True)
    kilobytes, cpu = json.loads(done.stderr.splitlines()[-1])
    found = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": cpu,
        "largest_resident_gigabytes": kilobytes * 1024 / 1e9,
    }
    print(found, file=sys.stderr, flush=True)
    return found


def passes(path: Path) -> dict[str, float]:
    """The CPU seconds of the two readings of a large table."""
    table = LargeTable(open_table(path), 0)
    started = time.process_time()
    schema, _ = table.schema(lambda some: load(some.frame).format)
    first = time.process_time() - started
    assert isinstance(schema, TableSchema)
    splits = table.examples(schema)
    return {
        "rows": sum(map(len, splits.values())),
        "first_cpu_seconds": first,
        "second_cpu_seconds": time.process_time() - started - first,
    }


class Timed(BatchSource):
    """Examples, and the seconds that a training waits for their batches."""

    def __init__(self, examples: BatchSource) -> None:
        self.examples, self.seconds, self.rows = examples, 0.0, 0

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, indices: Any) -> Any:
        return self.examples[indices]

    def batches(self, size: int, **more: Any) -> Batches:
        inner = self.examples.batches(size, **more)

        def read(plan: Any) -> Any:
            started = time.process_time()
            batch = inner.read(plan)
            self.seconds += time.process_time() - started
            self.rows += len(batch.x)
            return batch

        return Batches(inner.plans, read)


def training(path: Path, run: Path) -> dict[str, float]:
    """Rows a second of training from memory and from the file of a large table, and the share of time it waits."""
    x = load(path).train[:]
    store = RowFile(x.shape[1])
    store.append(x.numpy())
    found: dict[str, float] = {"rows": len(x)}
    for name, examples in {"memory": ArrayExamples(x.numpy(), (x.shape[1],)), "file": StoredExamples(store)}.items():
        model = fit_file(path, out=run / name, max_steps=1, verbose=False, **{"model.hidden_sizes": NETWORK}).model
        source = Timed(examples)
        started = time.process_time()
        fit(model, source, x[:1000], batch_size=1024, max_steps=STEPS, validate_every=STEPS, verbose=False)
        seconds = time.process_time() - started
        found[f"{name}_rows_per_cpu_second"] = source.rows / seconds
        found[f"{name}_waiting"] = source.seconds / seconds
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--folder", type=Path, help="a folder to keep the tables in (default: a temporary one)")
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--steps", type=int, default=100, help="optimiser steps of each fit (default 100)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        report = measure(options.folder or Path(temporary), options.rows, options.steps)
    report = {"benchmark": "large", "machine": machine(), "versions": versions(), "large_cells": LARGE} | report
    print(json.dumps(report, indent=2))
    write_atomically(options.out / "benchmark-large.json", (json.dumps(report, indent=2) + "\n").encode())


def measure(folder: Path, rows: list[int], steps: int) -> dict[str, Any]:
    """All figures; the tables and the runs are left in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"steps": steps, "hidden_sizes": NETWORK, "fit": [], "evaluate": [], "score": []}
    small = ["--max-steps", str(steps), "--model", "MADE", "--model.hidden_sizes", str(NETWORK)]
    paths = {count: folder / f"rows-{count}.parquet" for count in rows}
    text = folder / f"rows-{rows[-1]}.csv"
    for path, count in [*((path, count) for count, path in paths.items()), (text, rows[-1])]:
        if not path.exists():
            write_parts(rows_of(count), path)
        run = folder / f"run-{path.name}"
        about = {"rows": count, "format": path.suffix[1:], "bytes": path.stat().st_size}
        report["fit"].append(about | measured("fit", str(path), "--out", str(run), *small))
    for count, path in paths.items():
        run = folder / f"run-{path.name}"
        report["evaluate"].append({"rows": count} | measured("evaluate", str(run)))
        scores = folder / f"scores-{count}.parquet"
        found = measured("score", str(run), str(path), "--out", str(scores))
        report["score"].append({"rows": count, "rows_per_cpu_second": count / found["cpu_seconds"]} | found)
    report["passes"] = passes(paths[rows[-1]])
    report["training"] = training(paths[sorted(rows)[len(rows) // 2]], folder / "training")
    return report


if __name__ == "__main__":
    main()
