"""Memory of ``chainrule score`` on a large file, in a process of its own.

Writes ``benchmark-memory.json``. A small network scores documents, one a line; the largest resident memory is what the
operating system says of the process.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from chainrule.atomic import write_atomically
from chainrule.runs import machine
from chainrule.runs.folder import versions


def memory(size: int) -> dict[str, Any]:
    """The largest resident memory of ``chainrule score`` on ``size`` bytes of lines, by a small network."""
    with tempfile.TemporaryDirectory() as folder:
        path, run = Path(folder, "large.txt"), Path(folder, "run")
        line = b"the quick brown fox jumps over the lazy dog, again and again and again and again\n"
        Path(folder, "small.txt").write_bytes(line * 200)
        small = ["--model.hidden_size", "8", "--model.cell", "gru", "--max_epochs", "1", "--documents", "true"]
        command = [sys.executable, "-m", "chainrule"]
        data = ["--data", f"{folder}/small.txt", "--out", str(run)]
        subprocess.run([*command, "fit", "--model", "RNN", *small, *data], check=True, capture_output=True)
        with path.open("wb") as file:
            for _ in range(size // (1000 * len(line))):
                file.write(line * 1000)
        size, started = path.stat().st_size, time.perf_counter()
        script = (
            "import resource, sys; from chainrule.cli import main; status = main(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(status)"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, "score", str(run), str(path)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        elapsed = time.perf_counter() - started
        return {
            "bytes": size,
            "seconds": elapsed,
            "characters_per_second": size / elapsed,
            "largest_resident_gigabytes": int(done.stderr.split()[-1]) * 1024 / 1e9,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--bytes", type=int, default=10**9, help="the file that is scored (default 1 GB)")
    options = parser.parse_args()
    report = {"benchmark": "memory", "machine": machine(), "versions": versions()} | memory(options.bytes)
    print(json.dumps(report, indent=2))
    write_atomically(options.out / "benchmark-memory.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
