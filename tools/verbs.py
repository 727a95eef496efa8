"""Runs every command of an installed chainrule once, on small files: what `make package` does with the wheel.

    build/package/bin/python tools/verbs.py

Each must end with the status 0 and leave the file that it says. What needs an extra that is not installed must be
refused by a line that names the extra. The package must be the installed one, never the checkout.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import chainrule
from chainrule.cli.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]

FIT = "--max-steps 30 --batch-size 64"

EXAMPLES = {
    "plan": ["plan flats.csv"],
    "fit": [
        f"fit flats.csv --out flats {FIT}",
        f"fit digits --model NADE --model.hidden_size 16 --model.num_classes 10 --out digits {FIT}",
        f"fit lines.txt --out text {FIT}",
    ],
    "evaluate": ["evaluate flats", "evaluate flats new.csv", "evaluate text"],
    "sample": [
        "sample flats -n 20 --out rows.csv",
        "sample digits -n 16 --out samples.png",
        "sample text -n 1 --length 50 --out drawn.txt",
    ],
    "score": ["score flats new.csv --out scores.csv", "score flats new.csv --explain 3 --out cells.png"],
    "complete": ["complete flats gaps.csv --out filled.csv", "complete digits --observe top-half --out completed.png"],
    "report": ["report flats --out report"],
    "drift": ["drift flats new.csv --out drift.html"],
    "purify": ["purify digits -n 4 --epsilon 1 --out purified"],
    "attack-eval": ["attack-eval digits -n 10 --attacks [fgsm] --epsilons [1.0] --out attacked"],
    "marginal": ["marginal digits -n 2 --class 3 --observe bottom-half --particles 8"],
    "classify": ["classify digits"],
    "represent": ["represent digits --out features.npz"],
    "conditionals": ["conditionals digits --class 3 --out conditionals.png"],
    "describe": ["describe digits"],
    "schema": ["schema flats.csv --out flats.yaml"],
    "models": ["models"],
    "datasets": ["datasets"],
    "results": ["results"],
    "reproduce": ["reproduce recipe.yaml --out small --results results"],
    "completion": ["completion bash"],
}
"""What is run of each command."""

PAGES = ("show", "tour")
"""Commands that open a page and stay: only their help is asked for."""

NEEDS = {"attack-eval": ("art", "chainrule[attacks]")}
"""The package that a command needs, and the extra that brings it."""


def write_files(folder: Path) -> None:
    """The tables of the guides, lines of text, and a recipe."""
    subprocess.run([sys.executable, ROOT / "examples" / "tables.py", "--out", folder], check=True)
    text = (ROOT / "LICENSE").read_text().splitlines()
    (folder / "lines.txt").write_text("\n".join(text * 20) + "\n")
    (folder / "recipe.yaml").write_text("model: FVSBN\ndata: digits\nmax_steps: 20\n")


def run(line: str, folder: Path, status: int = 0) -> str:
    """What a command line prints; it must end with the ``status``, without a traceback, and leave its ``--out``."""
    command = [sys.executable, "-m", "chainrule", *line.split()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != status or "Traceback" in done.stderr:
        raise SystemExit(f"chainrule {line}: status {done.returncode}, expected {status}\n{done.stdout}{done.stderr}")
    out = re.search(r"--out (\S+)", line)
    if status == 0 and out and not (folder / out[1]).exists():
        raise SystemExit(f"chainrule {line}: there is no {out[1]}")
    print(f"chainrule {line}", flush=True)
    return done.stdout + done.stderr


def main() -> None:
    """Run all of them, in the sequence of `EXAMPLES`, which makes the runs that later ones read."""
    package = Path(chainrule.__file__).resolve()
    if package.is_relative_to(ROOT / "src"):
        raise SystemExit(f"expected an installed chainrule, got the checkout {package.parent}")
    unknown = set(COMMANDS) - set(EXAMPLES) - set(PAGES)
    if unknown:
        raise SystemExit(f"{Path(__file__).name} has no example of {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_files(folder)
        for verb, lines in EXAMPLES.items():
            needed, extra = NEEDS.get(verb, (None, ""))
            for line in lines:
                if needed is None or find_spec(needed):
                    run(line, folder)
                elif extra not in run(line, folder, status=2):
                    raise SystemExit(f"chainrule {line}: expected a line that names {extra}")
        for verb in PAGES:
            if verb in COMMANDS:
                run(f"{verb} --help", folder)
    print(f"every command ran, from {package.parent}")


if __name__ == "__main__":
    main()
