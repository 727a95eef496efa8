"""``chainrule report``: a page and a file of figures."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars
import pytest
from command_line import FAST, refused
from test_compare import people

from chainrule.cli import main
from chainrule.plots import association_picture, column_picture
from chainrule.runs.page import page
from chainrule.runs.verdict import NOT_HELD_OUT, WARNING, verdict

NAME = "size <b>&amp; $x$"
"""A column's name that is HTML and mathematics, if it is not escaped."""

PNG = b"\x89PNG"


class Tags(HTMLParser):
    """Checks that tags are closed as they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    people(0)[:300].rename({"size": NAME}).write_csv(folder / "people.csv")
    arguments = ["--model", "MADE", "--model.hidden_sizes", "[16]", "--data", str(folder / "people.csv")]
    assert main(["fit", *arguments, *FAST, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def figures(run: Path) -> dict[str, Any]:
    assert main(["report", str(run), "--target", "colour"]) == 0
    found: dict[str, Any] = json.loads((run / "report" / "report.json").read_text())
    return found


def test_the_figures_are_complete(figures: dict[str, Any]) -> None:
    assert figures["rows"] == {"train": 240, "held_out": 30, "sampled": 240}
    assert {column["name"] for column in figures["columns"]} == {"colour", NAME, "pay", "tall"}
    assert figures["usefulness"]["target"] == "colour"
    assert 0 <= figures["two_sample"]["train"]["score"] <= 1
    assert figures["imputation"]["cells"] > 0
    nats = figures["likelihood"]["nats"]
    assert sum(column["nats"] for column in figures["columns"]) == pytest.approx(nats, rel=1e-4)
    assert {"seed", "minutes", "machine", "versions", "date"} <= figures.keys()


def test_the_page_needs_no_other_file_and_escapes_names(run: Path, figures: dict[str, Any]) -> None:
    text = (run / "report" / "report.html").read_text()
    assert text == page(figures)  # from the figures alone
    tags = Tags()
    tags.feed(text)
    assert not tags.open
    assert "script" not in tags.seen
    assert not re.search(r'(?:src|href)="(?!data:image/png;base64,)', text)
    assert NAME not in text
    assert "size &lt;b&gt;&amp;amp; $x$" in text
    for sentence in verdict(figures):
        assert sentence.split("size")[0] in text


def test_the_same_seed_gives_the_same_figures(run: Path, figures: dict[str, Any], tmp_path: Path) -> None:
    assert main(["report", str(run), "--target", "colour", "--out", str(tmp_path / "again")]) == 0
    again = json.loads((tmp_path / "again" / "report.json").read_text())
    for name in ("two_sample", "columns", "pairs", "usefulness", "privacy", "imputation", "likelihood"):
        assert again[name] == figures[name], name


def test_the_rows_of_a_file_are_held_out(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people(4)[:123].rename({"size": NAME}).write_csv(tmp_path / "new.csv")
    out = str(tmp_path / "out")
    assert main(["report", str(run), str(tmp_path / "new.csv"), "--out", out, "--json"]) == 0
    printed, lines = capsys.readouterr()
    found = json.loads(printed)
    assert found["rows"]["held_out"] == found["likelihood"]["rows"] == 123
    assert found["usefulness"] is None
    assert "sampling 240 rows" in lines


def test_few_rows_are_no_proof(figures: dict[str, Any]) -> None:
    """A small held-out part has few rows to be close to, which is no sign of copies; nor do few rows tell much."""
    privacy = figures["privacy"] | {"closer": 0.6, "closer_stderr": 0.11, "copies": [0.02, 0.0], "copies_stderr": 0.02}
    tests = figures["two_sample"] | {"train": figures["two_sample"]["train"] | {"luck": 0.2}}
    found = verdict(figures | {"privacy": privacy, "two_sample": tests})
    assert WARNING not in found
    assert "There are too few rows to be sure." in found[0]


def test_memorised_rows_are_said(figures: dict[str, Any]) -> None:
    assert WARNING not in verdict(figures)
    assert NOT_HELD_OUT not in verdict(figures)
    known = figures["privacy"] | {"copies": [0.0, 0.8]}
    assert verdict(figures | {"privacy": known})[0] == NOT_HELD_OUT
    copied = figures["privacy"] | {"closer": 0.9, "closer_stderr": 0.01, "copies": [0.4, 0.0]}
    assert WARNING in verdict(figures | {"privacy": copied})


def test_what_is_refused(
    run: Path, digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], table_run: Path
) -> None:
    assert "expects a column (colour, " in refused(capsys, "report", str(run), "--target", "color")
    assert "a table with kinds of columns, got one on data of the kind image" in refused(
        capsys, "report", str(digits_run)
    )
    assert "got one on data of the kind rows" in refused(capsys, "report", str(table_run))
    (tmp_path / "empty.csv").write_text("")
    assert "empty.csv" in refused(capsys, "report", str(run), str(tmp_path / "empty.csv"))
    polars.DataFrame({"a": [0.5] * 9, "b": ["x"] * 9}).write_csv(tmp_path / "other.csv")
    assert "got none of them" in refused(capsys, "report", str(run), str(tmp_path / "other.csv"))
    people(0)[1:3].rename({"size": NAME}).write_csv(tmp_path / "two.csv")
    assert "at least 3 rows that were held out, got 2" in refused(capsys, "report", str(run), str(tmp_path / "two.csv"))
    assert "--out expects a folder" in refused(capsys, "report", str(run), "--out", str(tmp_path / "page.html"))


def test_pictures_of_columns_and_pairs() -> None:
    assert column_picture([[0.5, 0.5], [1, 0]], labels=["$a", "b" * 50]).startswith(PNG)
    assert column_picture([[0.5, 0.5], [1, 0]], edges=["0", "1", "2"]).startswith(PNG)
    assert association_picture(["a", "b"], [[1, 0.5], [0.5, 1]], [[1, float("nan")], [0, 1]]).startswith(PNG)
    with pytest.raises(ValueError, match="expects labels or edges"):
        column_picture([[0.5, 0.5], [1, 0]], labels=["a"])
    with pytest.raises(ValueError, match=r"sampled expects associations \(1, 1\), got \(2, 2\)"):
        association_picture(["a"], [[1]], [[1, 0], [0, 1]])
