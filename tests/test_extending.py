"""docs/extending.md is true: its steps are followed in a copy of the tree, and what they add is used."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```python\n# ((?:src|tests)/\S+\.py)(?:, (in (\w+)|among the imports))?\n(.*?)^```$", re.M | re.S)


def follow(page: str, tree: Path) -> list[str]:
    """Write the files and insert the lines that ``page`` asks for, and return their paths."""
    paths = []
    for path, place, name, text in BLOCK.findall(page):
        file = tree / path
        if not place:
            assert not file.exists(), f"{path} is there already"
            file.write_text(text)
        else:
            opening = rf"^{name}\b.*[\[{{(]$" if name else r"^from __future__ .*$|(?=^from )"
            before = file.read_text()
            found = re.search(opening, before, re.M)
            assert found, f"{path} has no place {place!r}"
            end = found.end()
            file.write_text(f"{before[:end]}\n{text.rstrip()}\n{before[end:].removeprefix(chr(10))}")
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree to which everything of the page was added."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    (copy / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "zoo.py", copy / "tests")
    assert len(follow((ROOT / "docs" / "extending.md").read_text(), copy)) >= 18
    return copy


def run(tree: Path, *words: str) -> str:
    """The output of a Python process that imports the copy."""
    settings = os.environ | {"PYTHONPATH": f"{tree / 'src'}{os.pathsep}{tree / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *words], cwd=tree, env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_model_and_the_conditional_keep_the_laws(tree: Path) -> None:
    script = """
import zoo
from chainrule.testing import check_model
added = [name for name in zoo.ZOO if ("MeanPast" in name or name.startswith("FVSBN, Binomial")) and "(4,)" in name]
assert any("MeanPast, Binomial" in name for name in added), added
for name in added:
    check_model(zoo.ZOO[name]())
print(len(added))
"""
    assert int(run(tree, "-c", script)) >= 5


def test_the_set_is_fitted_with_the_model(tree: Path) -> None:
    words = "fit --model MeanPast --data parity --max-epochs 1 --model.hidden_size 4 --out fitted"
    run(tree, "-m", "chainrule", *words.split())
    assert "nats" in run(tree, "-m", "chainrule", "evaluate", "fitted")
    assert "parity" in run(tree, "-m", "chainrule", "datasets")


def test_the_format_is_read(tree: Path) -> None:
    (tree / "rows.json").write_text(str([[0, i % 3] for i in range(10)]))
    script = "from chainrule.data import load; data = load('rows.json'); print(data.levels, data.event_shape)"
    assert run(tree, "-c", script).strip() == "3 (2,)"


def test_the_kind_takes_all_verbs(tree: Path) -> None:
    (tree / "genes.dna").write_text("ACGT\nACGA\nTCGA\nACGG\nTCGT\n" * 8)
    (tree / "new.dna").write_text("ACGT\nGGGG\n")
    commands = (
        "fit --model MADE --model.hidden_sizes [8] --data genes.dna --max-epochs 3 --out genes",
        "evaluate genes new.dna",
        "sample genes -n 3 --out drawn.dna",
        "score genes new.dna --out scores.csv",
        "complete genes new.dna --observe 0.5 --out completed.npz",
        "represent genes --out features.npz",
    )
    script = "import sys; from chainrule.cli import main; sys.exit(any(main(words.split()) for words in sys.argv[1:]))"
    run(tree, "-c", script, *commands)
    assert re.fullmatch(r"([ACGT]{4}\n){3}", (tree / "drawn.dna").read_text())
    assert len((tree / "scores.csv").read_text().splitlines()) == 3


def test_the_task_is_a_command(tree: Path) -> None:
    run(tree, "-m", "chainrule", *["fit", "--model", "Table", "--data", "parity", "--out", "table"])
    assert "nats" in run(tree, "-m", "chainrule", "entropy", "table", "-n", "64")


def test_the_task_is_a_name_of_the_package(tree: Path) -> None:
    script = """
import chainrule
from chainrule.conditionals import Bernoulli
from chainrule.models import Table
model = Table(event_shape=(3,), conditional=Bernoulli())
nats, error = chainrule.entropy(model)
assert abs(nats - 3 * 0.6931) < 1e-3, nats  # a table without counts is uniform
"""
    run(tree, "-c", script)
