"""The README says what the measured results say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_tables_are_those_of_results() -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "tables.py", "--check"], check=True)


def test_pictures_are_there() -> None:
    text = (ROOT / "README.md").read_text()
    pictures = [line.rpartition("](")[2].removesuffix(")") for line in text.splitlines() if line.startswith("![")]
    assert len(pictures) == 13
    assert all((ROOT / picture).is_file() for picture in pictures)
