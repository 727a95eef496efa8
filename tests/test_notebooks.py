"""The example notebooks run from the first cell to the last, and show cards, pictures and a bar of progress."""

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need the packages nbclient and ipykernel")
nbclient = pytest.importorskip("nbclient", reason="notebooks need the packages nbclient and ipykernel")
pytest.importorskip("ipykernel", reason="notebooks need the packages nbclient and ipykernel")

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def executed(name: str, folder: Path) -> list[Any]:
    """The outputs of all cells of a notebook; a cell that fails raises."""
    book = nbformat.read(EXAMPLES / name, as_version=4)
    nbformat.validate(book)
    assert not any(cell.get("outputs") for cell in book.cells), "outputs are not kept: they would grow old"
    client = nbclient.NotebookClient(book, timeout=60, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return [output for cell in book.cells for output in cell.get("outputs", ())]


def html_of(outputs: list[Any]) -> str:
    return "".join(output["data"].get("text/html", "") for output in outputs if "data" in output)


def test_the_table(tmp_path: Path) -> None:
    outputs = executed("table.ipynb", tmp_path)
    html = html_of(outputs)
    for part in ("Evaluation", "cultivar", "validation NLL", "plan: ", "<progress"):
        assert part in html
    assert "right: color_intensity" in "".join(output.get("text", "") for output in outputs)
    assert list(tmp_path.iterdir()) == []


def test_the_digits(tmp_path: Path) -> None:
    outputs = executed("digits.ipynb", tmp_path)
    html = html_of(outputs)
    done = '<progress value="690" max="690"'
    for part in ("MADE of 64 variables", "Completion", "sequential Monte Carlo", "Fit", done):
        assert part in html
    pictures = [output for output in outputs if "data" in output and "image/png" in output["data"]]
    assert len(pictures) == 3
    assert all(output["output_type"] != "stream" for output in outputs), "nothing is printed, and nobody warns"
