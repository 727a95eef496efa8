"""The documentation is true: figures, links, commands and code."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.cli.commands import parse
from chainrule.models import MODULES

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def of_pages(pages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: str(page.relative_to(ROOT)))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def commands(text: str) -> list[str]:
    """The command lines of ``chainrule`` in blocks of shell and output, and in tables."""
    shell = "\n".join(blocks(text, "sh")).replace("\\\n", " ")
    output = "\n".join(blocks(text, "text"))
    printed = re.findall(r"^\$ (.*)$(?!\nchainrule: error)", output, re.M)
    tabled = [code for line in text.splitlines() if line.startswith("|") for code in re.findall(r"`([^`]+)`", line)]
    return [
        line.strip()
        for part in [*shell.splitlines(), *printed, *tabled]
        for line in part.split(";")
        if re.match(r"\s*chainrule [a-z-]+ ", line)
    ]


def test_the_tables_are_those_of_results() -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "tables", "--check"], check=True)


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


def test_the_readme_has_two_commands() -> None:
    found = re.search(r"^<!-- commands -->$(.*?)^<!-- end -->$", README.read_text(), re.M | re.S)
    assert found
    assert [line.split()[:2] for line in found[1].splitlines() if line.startswith("make ")] == [
        ["make", "demo"],
        ["make", "test"],
    ]


def test_the_code_of_the_readme_runs() -> None:
    (code,) = blocks(README.read_text(), "python")
    names: dict[str, object] = {}
    exec(code.replace("max_epochs=20", "max_epochs=1, verbose=False"), names)
    assert tuple(names["samples"].shape) == (64, 1, 8, 8)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", MODULES)
def test_every_model_is_in_the_readme_and_the_lecture_and_has_a_page(name: str) -> None:
    assert f"`{name}`" in README.read_text()
    lecture = "".join(path.read_text() for path in (ROOT / "docs" / "lecture").glob("*.md"))
    assert name == "Ensemble" or f"`{name}`" in lecture
    stem = MODULES[name].rpartition(".")[2]
    assert f".. automodule:: {MODULES[name]}\n" in (ROOT / "docs" / "reference" / "models" / f"{stem}.md").read_text()


def test_the_gallery_has_every_picture_of_results() -> None:
    gallery = (ROOT / "docs" / "gallery.md").read_text()
    for path in (ROOT / "results").rglob("*.png"):
        assert f"](../{path.relative_to(ROOT).as_posix()})" in gallery


@of_pages(PAGES)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)\s]*\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.S)):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@of_pages([page for page in PAGES if commands(page.read_text())])
def test_commands_are_understood(page: Path) -> None:
    for line in commands(page.read_text()):
        words = shlex.split(line.split(" > ")[0], comments=True)[1:]
        if not {"RUN", "FOLDER", "[DATA]", "COMMAND", "..."} & set(words):
            assert parse(words) is not None, line


@of_pages([page for page in PAGES if page.name != "extending.md" and blocks(page.read_text(), "python")])
def test_code_is_python(page: Path) -> None:
    for code in blocks(page.read_text(), "python"):
        ast.parse(code)
