"""Damages files of every format that chainrule reads, and looks for commands that do not end in one clear line.

Run it as ``python tools/fuzz``, with ``-n 10000`` for more. The same seed makes the same inputs; ``--only 17`` makes
input 17 again, leaves it in ``--keep``, and shows what the command wrote. The exit status is 1 if there are faults.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pool
from bombs import bombs
from ordinary import FITS, MATLAB, TINY, interrupt, write_files
from subjects import GIVEN, Subject, subjects, words_of
from verdict import FAULTS, Input, verdict

from chainrule.data.named import silhouettes
from chainrule.hashes import sha256_of

RUNS_OF_BOMBS = {"safetensors": "rows", "config": "rows", "checkpoint": "interrupted"}
"""The runs that bombs change, by the first word of their names."""


def main() -> int:
    """Make the inputs, run them, print the faults and a table, and write the figures."""
    options = _options()
    pool.import_all()
    base = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        corpus = base / "corpus"
        _in_a_process(lambda: write_files(corpus / "files"))
        silhouettes.HASH = sha256_of(corpus / "files/named" / MATLAB)
        _fit_runs(corpus, options.workers)
        started = time.monotonic()
        found = _found(options, base, corpus)
        report = _report(found, options, time.monotonic() - started)
    finally:
        shutil.rmtree(base)
    if options.out is not None:
        (options.out / "benchmark-fuzz.json").write_text(json.dumps(report, indent=2) + "\n")
    _print(report)
    return 1 if report["faults"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tools/fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("-n", type=int, default=2000, help="damaged files, beside the bombs (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the damage (default 0)")
    parser.add_argument("--workers", type=int, default=2, help="processes at a time (default 2)")
    parser.add_argument("--family", help="inputs of this family only")
    parser.add_argument("--only", type=int, help="the number of the only input to make")
    parser.add_argument("--no-bombs", action="store_true", help="leave out the bombs")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the inputs with faults")
    parser.add_argument("--out", type=Path, help="the folder of results to write benchmark-fuzz.json into")
    return parser.parse_args()


def _in_a_process(action: object) -> None:
    """Run ``action`` in a process of its own: a fork would find the threads that it starts gone, and wait for ever."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(process, 0)[1]:
        raise RuntimeError("the ordinary files could not be written")


def _fit_runs(corpus: Path, workers: int) -> None:
    """Fit the runs, all into ``corpus/runs``."""

    def commands() -> Iterator[tuple[int, list[str], Path]]:
        for number, (name, words) in enumerate([*FITS.items(), ("interrupted", FITS["rows"])]):
            folder = corpus / "fits" / name
            folder.mkdir(parents=True)
            words = [str(corpus / word) if word.startswith("files/") else word for word in words]
            yield number, ["fit", *words, *TINY, "--out", str(corpus / "runs" / name)], folder

    for _, outcome in pool.outcomes(commands(), workers):
        if outcome.status != 0:
            raise RuntimeError(f"an ordinary run could not be fitted: {outcome.error}")
    interrupt(corpus / "runs" / "interrupted")


def _found(options: argparse.Namespace, base: Path, corpus: Path) -> list[tuple[Input, pool.Outcome]]:
    """All inputs with their outcomes; says each fault as it is found."""
    inputs: dict[int, Input] = {}

    def commands() -> Iterator[tuple[int, list[str], Path]]:
        for number, made in enumerate(_inputs(options, base, corpus)):
            inputs[number] = made
            yield number, made.argv, made.folder

    found = []
    for number, outcome in pool.outcomes(commands(), options.workers):
        made = inputs.pop(number)
        found.append((made, outcome))
        fault = verdict(made, outcome)
        if fault is not None or options.only is not None:
            print(f"{fault or outcome.status}: {made.family} {made.number}: {' '.join(made.argv)}")
            print(f"    {made.damage}; {outcome.seconds:.1f} s, {outcome.megabytes} MB")
            print("    " + "\n    ".join(outcome.error.strip().splitlines()[-12:]), flush=True)
            if options.keep is not None:
                shutil.copytree(made.folder, options.keep / made.family / str(made.number), dirs_exist_ok=True)
        shutil.rmtree(made.folder)
    return found


def _inputs(options: argparse.Namespace, base: Path, corpus: Path) -> Iterator[Input]:
    """The damaged files, and then the bombs, in a folder each."""
    chosen = [subject for subject in subjects() if options.family in (None, subject.family)]
    for number in range(options.n) if options.only is None else [options.only]:
        if chosen:
            random = Random(f"{options.seed} {number}")
            subject = random.choices(chosen, [subject.share for subject in chosen])[0]
            yield _damaged(subject, random, number, base, corpus)
    if options.no_bombs or options.only is not None or options.family not in (None, "bomb"):
        return
    for number, (name, (write, command)) in enumerate(bombs().items()):
        folder = base / f"bomb-{number}"
        run = RUNS_OF_BOMBS.get(name.split()[0])
        if run is None:
            (folder / GIVEN).mkdir(parents=True)
        else:
            shutil.copytree(corpus / "runs" / run, folder / GIVEN)
        _in_a_process(lambda write=write, folder=folder: write(folder / GIVEN))
        yield Input("bomb", number, words_of(command, corpus), folder, name, must_fail=run is not None)


def _damaged(subject: Subject, random: Random, number: int, base: Path, corpus: Path) -> Input:
    folder = base / str(number)
    shutil.copytree(corpus / subject.tree, folder / GIVEN)
    file = folder / GIVEN / subject.file
    before = file.read_bytes()
    after = subject.damage(before, random)
    file.write_bytes(after)
    command = random.choice(subject.commands)
    must_fail = subject.must_fail and after != before
    return Input(subject.family, number, words_of(command, corpus), folder, subject.file, must_fail=must_fail)


def _report(found: list[tuple[Input, pool.Outcome]], options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    families: dict[str, Counter[str]] = defaultdict(Counter)
    for made, outcome in found:
        counts = families[made.family]
        counts["inputs"] += 1
        counts["refused"] += outcome.status in (1, 2)
        counts["accepted"] += outcome.status == 0
        if fault := verdict(made, outcome):
            counts[fault] += 1
    table = {
        family: {name: counts[name] for name in ("inputs", "refused", "accepted", *FAULTS)}
        for family, counts in sorted(families.items())
    }
    return {
        "benchmark": "fuzz",
        "seed": options.seed,
        "seconds": round(seconds, 1),
        "longest_seconds": round(max((outcome.seconds for _, outcome in found), default=0), 1),
        "most_megabytes": max((outcome.megabytes for _, outcome in found), default=0),
        "inputs": len(found),
        "faults": sum(counts[fault] for counts in families.values() for fault in FAULTS),
        "families": table,
    }


def _print(report: dict[str, Any]) -> None:
    columns = ("inputs", "refused", "accepted", *FAULTS)
    print(f"{'':12}" + "".join(f"{column:>10}" for column in columns))
    for family, counts in report["families"].items():
        print(f"{family:12}" + "".join(f"{counts[column] or '-':>10}" for column in columns))
    print(f"{report['faults']} faults in {report['inputs']} inputs, {report['seconds']} s")


if __name__ == "__main__":
    sys.exit(main())
