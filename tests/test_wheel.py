"""The wheel, built and installed into a folder of its own, from another directory than the checkout."""

import json
import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from chainrule.cli.commands import COMMANDS, parse
from chainrule.yaml_file import read_yaml

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], check=True)
    return target


def chainrule(installed: Path, directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-m", "chainrule", *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_has_the_whole_package(installed: Path) -> None:
    source, package = ROOT / "src" / "chainrule", installed / "chainrule"
    modules = {path.relative_to(source) for path in source.rglob("*.py")}
    assert modules == {path.relative_to(package) for path in package.rglob("*.py")}
    assert (package / "py.typed").is_file()
    page = {path.relative_to(source) for path in (source / "web" / "static").rglob("*") if path.is_file()}
    assert len(page) > 5
    assert page == {path.relative_to(package) for path in (package / "web" / "static").rglob("*") if path.is_file()}
    report = ROOT / "results" / "benchmark-attacks" / "report.json"
    for folder, expected in {
        "recipes": (ROOT / "recipes").glob("*/*.yaml"),
        "results": [*(ROOT / "results").glob("*.json"), report],
        "docs": (ROOT / "docs" / "lecture").glob("[0-9]*.md"),
    }.items():
        shipped = {path.relative_to(package / folder) for path in (package / folder).rglob("*") if path.is_file()}
        assert shipped == {path.relative_to(ROOT / folder) for path in expected}


def test_lists_from_another_directory(installed: Path, tmp_path: Path) -> None:
    results = chainrule(installed, tmp_path, "results", "--json")
    assert "mnist/made" in {row["recipe"] for row in json.loads(results.stdout)}
    datasets = chainrule(installed, tmp_path, "datasets")
    assert "digits" in datasets.stdout
    tour = chainrule(installed, tmp_path, "tour")
    assert "chain-rule" in tour.stdout
    assert (results.returncode, datasets.returncode, tour.returncode) == (0, 0, 0)


def test_knows_the_recipes_from_another_directory(installed: Path, tmp_path: Path) -> None:
    assert "mnist/made" in chainrule(installed, tmp_path, "reproduce", "--help").stdout
    unknown = chainrule(installed, tmp_path, "reproduce", "mnist/mad")
    assert unknown.returncode == 2
    assert "did you mean mnist/made?" in unknown.stderr


def test_make_package_runs_every_command() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "verbs.py"))
    assert set(COMMANDS) <= set(tool["EXAMPLES"]) | set(tool["PAGES"])
    for verb, lines in tool["EXAMPLES"].items():
        for line in lines:
            assert line.split()[0] == verb
            assert parse(line.split()) is not None


def test_who_cites_names_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = read_yaml(ROOT / "CITATION.cff")
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert citation["title"].startswith(project["name"])
