"""The versions that pyproject.toml claims, and those that are tested."""

import itertools
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parent.parent
TOOLS = ("bench", "browser", "cluster", "docs", "package")
"""Extras that `make oldest` does not install."""


def claimed() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [lines for name, lines in project["optional-dependencies"].items() if name not in TOOLS]
    lines = [*project["dependencies"], *itertools.chain(*extras)]
    return [requirement for requirement in map(Requirement, lines) if requirement.name != "chainrule"]


def pinned(file: str) -> dict[str, Version]:
    lines = [line for line in (ROOT / file).read_text().splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, _, version in (line.partition("==") for line in lines)}


def test_the_oldest_claimed_version_of_each_is_tested() -> None:
    oldest = pinned("constraints-oldest.txt")
    for requirement in claimed():
        (claim,) = requirement.specifier
        assert claim.operator == ">="
        assert oldest[canonicalize_name(requirement.name)] == Version(claim.version), requirement.name


def test_ci_runs_with_versions_that_are_claimed() -> None:
    versions = pinned("constraints.txt")
    for requirement in claimed():
        name = canonicalize_name(requirement.name)
        assert name not in versions or requirement.specifier.contains(versions[name]), requirement.name
