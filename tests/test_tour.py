"""The lecture as a tour: every chapter has its parts, and `chainrule tour` lists, runs and writes them."""

import ast
import json
import re
from pathlib import Path

import pytest
from command_line import refused, shell

from chainrule.cli import main
from chainrule.cli.tour import _plain
from chainrule.lecture import Chapter, chapters
from chainrule.shipped import results_beside_published

pytestmark = pytest.mark.quick

of_chapters = pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.name)


def options(chapter: Chapter) -> list[str]:
    """The options of the code cells of a chapter, as they stand in its file."""
    cells = re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", chapter.path.read_text(), re.M | re.S)
    return [cell.partition("---\n")[2].partition("---\n")[0] for cell in cells]


def test_the_chapters_are_numbered_and_in_the_index() -> None:
    found = chapters()
    assert [chapter.number for chapter in found] == list(range(1, len(found) + 1))
    index = (found[0].path.parent / "index.md").read_text()
    assert re.findall(r"^\d+-[a-z-]+$", index, re.M) == [chapter.path.stem for chapter in found]


@of_chapters
def test_a_chapter_has_a_claim_a_check_figures_with_captions_results_and_an_answer(chapter: Chapter) -> None:
    prose = "\n".join(cell.source for cell in chapter.cells if not cell.is_code)
    code = [cell for cell in chapter.cells if cell.is_code]
    assert f"# {chapter.number}. {chapter.title}" in prose
    assert "**The claim.**" in prose
    assert "## Exercise" in prose
    assert "## Commands" in prose
    assert any("assert " in cell.source for cell in code if not cell.is_answer)
    assert any("results_beside_published(" in cell.source or "read_text()" in cell.source for cell in code)
    assert [cell.is_answer for cell in code].count(True) == 1
    for cell, written in zip(code, options(chapter), strict=True):
        plots = "plt.show()" in cell.source
        assert plots == bool(cell.caption)
        assert plots == ("alt:" in written)
        if plots:
            assert "xlabel=" in cell.source or "set_xlabel" in cell.source
            assert "ylabel=" in cell.source or "set_yticklabels" in cell.source or "set_yticks" in cell.source


@of_chapters
def test_code_is_python_and_prints_what_it_shows(chapter: Chapter) -> None:
    """The terminal shows no value of a last line, as a notebook would."""
    for cell in chapter.cells:
        if cell.is_code:
            last = ast.parse(cell.source).body[-1]
            assert not isinstance(last, ast.Expr) or isinstance(last.value, ast.Call), cell.source
            assert max(map(len, cell.source.splitlines())) <= 96  # else the page has to be scrolled


def test_lists_chapters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tour"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(chapters()) + 1
    assert lines[3].split()[:2] == ["4", "nade"]


def test_an_unknown_chapter_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean nade?" in refused(capsys, "tour", "nad")


def test_figures_that_would_go_into_a_file_are_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "figures"
    taken.touch()
    assert main(["tour", "1", "--out", str(taken)]) == 2
    assert f"--out expects a folder, for the chapter's figures or its notebook, got the file {taken}" in (
        capsys.readouterr().err
    )


def test_runs_a_chapter_in_the_terminal_and_saves_its_figures(tmp_path: Path) -> None:
    done = shell("tour", "1", "--out", "figures", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "both agree on all 569 rows" in done.stdout
    assert "The answer: chainrule tour 1 --answers" in done.stdout
    assert "p(x) = prod_(t=1)^n p(x_t | x_1, ..., x_(t-1))" in done.stdout
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"1-chain-rule-1.png", "1-chain-rule-2.png"}


@of_chapters
def test_formulas_in_the_terminal_have_nothing_of_tex_left(chapter: Chapter) -> None:
    shown = "\n".join(_plain(cell.source) for cell in chapter.cells if not cell.is_code)
    formulas = re.findall(r"^```text\n(.*?)\n```$|(?<!`)`([^`\n]+)`", shown, re.M)
    for formula in (each for each in map("".join, formulas) if not each.startswith("chainrule ")):
        assert not re.search(r"\\|\b(q?quad|frac|neq|top)\b|sqrt\{", formula), formula


def test_a_fraction_in_the_terminal_is_a_quotient() -> None:
    assert _plain(r"$\frac{1 + \#\{i\}}{1 + e^{-a}} \neq 2$") == "`(1 + #{i}) / (1 + e^(-a)) != 2`"


def test_writes_a_notebook_and_leaves_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert main(["tour", "nade", "--notebook", "--out", str(tmp_path)]) == 0
    path = tmp_path / "4-nade.ipynb"
    written = json.loads(path.read_text())
    kinds = [cell["cell_type"] for cell in written["cells"]]
    assert (written["nbformat"], kinds[:2]) == (4, ["markdown", "code"])
    assert "](../" not in path.read_text()  # links that lead out of the documentation would lead nowhere
    assert "Jupyter is not installed" in capsys.readouterr().out
    path.write_text("changed by the student")
    assert main(["tour", "nade", "--notebook", "--out", str(tmp_path)]) == 0
    assert path.read_text() == "changed by the student"


def test_a_notebook_is_opened_where_jupyter_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[list[str]] = []
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    monkeypatch.setattr("subprocess.run", lambda command, check: opened.append(command))
    assert main(["tour", "1", "--notebook", "--out", str(tmp_path)]) == 0
    assert opened == [["/bin/jupyter-lab", str(tmp_path / "1-chain-rule.ipynb")]]


def test_results_stand_beside_published_ones_by_their_unit() -> None:
    text = results_beside_published("names/*", "mnist/made")
    assert [line.split()[0] for line in text.splitlines()] == ["nats", "names/lstm", "nats", "mnist/made"]
    with pytest.raises(ValueError, match="expected a recipe or a pattern of recipes, got 'mnist/mad'"):
        results_beside_published("mnist/mad")
