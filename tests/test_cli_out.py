"""Where commands write: suffixes in any case, and folders that must be new."""

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image

import chainrule
from chainrule.cli import main
from chainrule.data.read.layout import FileChoices
from chainrule.parts import files_of
from chainrule.parts.cut import cut

BEGINS = {".PNG": b"\x89PNG", ".JPG": b"\xff\xd8\xff", ".GIF": b"GIF8", ".NPZ": b"PK", ".PDF": b"%PDF"}


class TestSuffixesInCapitals:
    @pytest.mark.parametrize("suffix", [".PNG", ".JPG", ".GIF", ".NPZ", ".PDF", ".NPY", ".CSV"])
    def test_sample(self, digits_run: Path, tmp_path: Path, suffix: str) -> None:
        out = tmp_path / f"x{suffix}"
        assert main(["sample", str(digits_run), "-n", "1", "--seed", "1", "--out", str(out)]) == 0
        expected = chainrule.sample(chainrule.load(digits_run), 1, seed=1).numpy()
        if suffix == ".NPY":
            assert np.array_equal(np.load(out), expected)
        elif suffix == ".CSV":
            assert np.array_equal(np.loadtxt(out, delimiter=",", ndmin=2), expected.reshape(1, -1))
        else:
            assert out.read_bytes().startswith(BEGINS[suffix])
        if suffix == ".PNG":
            with Image.open(out) as image:
                assert image.size == (8, 8)  # the image itself, as by x.png

    @pytest.mark.parametrize(
        ("command", "suffix"),
        [
            (["score"], ".PNG"),
            (["score"], ".NPZ"),
            (["score", "--explain"], ".PNG"),
            (["complete", "--observe", "top-half", "-n", "2"], ".PNG"),
            (["complete", "--observe", "top-half", "-n", "2"], ".NPZ"),
            (["purify", "--epsilon", "1", "-n", "2"], ".PNG"),
            (["conditionals", "-n", "2"], ".PNG"),
        ],
    )
    def test_other_verbs(self, digits_run: Path, tmp_path: Path, command: list[str], suffix: str) -> None:
        out = tmp_path / f"x{suffix}"
        assert main([command[0], str(digits_run), *command[1:], "--out", str(out)]) == 0
        assert out.read_bytes().startswith(BEGINS[suffix])

    def test_figures_of_drift(self, table_run: Path, table: Path, tmp_path: Path) -> None:
        assert (
            main(["drift", str(table_run), str(table), "--against", str(table), "--out", str(tmp_path / "x.JSON")]) == 0
        )
        assert json.loads((tmp_path / "x.JSON").read_text())

    def test_parts_of_an_array(self, tmp_path: Path) -> None:
        with (tmp_path / "X.NPY").open("wb") as file:
            np.save(file, np.arange(20).reshape(5, 4))
        parts = cut(files_of(str(tmp_path / "X.NPY")), 3, FileChoices(), tmp_path)
        assert [part.count for part in parts] == [3, 2]
        (tmp_path / "own").mkdir()
        assert np.array_equal(np.load(parts[1].laid(tmp_path / "own")), np.arange(12, 20).reshape(2, 4))

    def test_a_folder_of_parquet(self, tmp_path: Path) -> None:
        (tmp_path / "A.PARQUET").write_bytes(b"")
        assert files_of(str(tmp_path)) == [tmp_path / "A.PARQUET"]


class TestFolders:
    @pytest.mark.parametrize("command", [["sample", "-n", "2"], ["purify", "--epsilon", "1", "-n", "2"]])
    def test_files_of_another_command_do_not_stay_among_new_ones(
        self, digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
    ) -> None:
        words = [command[0], str(digits_run), *command[1:], "--out", str(tmp_path / "x")]
        assert main(words) == 0
        before = {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()}
        assert sorted(before) == ["1.png", "2.png"]
        capsys.readouterr()
        assert f"expects a new or an empty folder, got {tmp_path / 'x'} with 1.png" in refused(capsys, *words)
        assert {path.name: path.read_bytes() for path in (tmp_path / "x").iterdir()} == before

    def test_an_empty_folder_is_filled(self, digits_run: Path, tmp_path: Path) -> None:
        (tmp_path / ".DS_Store").write_bytes(b"x")
        assert main(["sample", str(digits_run), "-n", "10", "--out", str(tmp_path)]) == 0
        assert sorted(path.name for path in tmp_path.glob("*.png"))[::9] == ["01.png", "10.png"]
