"""Folders of images as strangers have them: what is not as it seems is said, and nothing ends in a traceback."""

from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from PIL import Image

from chainrule.data import load
from chainrule.data.dataset import Dataset
from chainrule.data.read.folders import files_in

RANDOM = np.random.RandomState(0)


def picture() -> Image.Image:
    return Image.fromarray(RANDOM.randint(0, 256, (6, 5, 3)).astype(np.uint8))


def fill(folder: Path, count: int = 6, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture().save(folder / f"{number}{suffix}")
    return folder


def sizes(data: Dataset) -> dict[str, int]:
    return {split: len(data.split(split)) for split in ("train", "valid", "test")}


class TestSplits:
    @pytest.mark.parametrize("names", [("train", "test"), ("Train", "TEST"), ("Training", "Testing")])
    def test_names_in_any_case(self, tmp_path: Path, names: tuple[str, str]) -> None:
        for name, count in zip(names, (20, 5), strict=True):
            for kind in ("cat", "dog"):
                fill(tmp_path / name / kind, count)
        data = load(tmp_path)
        assert sizes(data) == {"train": 36, "valid": 4, "test": 10}
        assert data.provenance["classes"] == ["cat", "dog"]
        assert data.notes == ["folders are classes (cat, dog): --model.num_classes 2 conditions on them"]

    def test_a_folder_around_all_stands_for_what_is_in_it(self, tmp_path: Path) -> None:
        for split in ("train", "test"):
            fill(tmp_path / "archive" / "data" / split / "cat")
            fill(tmp_path / "archive" / "data" / split / "dog")
        (tmp_path / "__MACOSX" / "archive").mkdir(parents=True)
        (tmp_path / "__MACOSX" / "archive" / "0.png").write_bytes(b"\0\5\x16\7")
        data = load(tmp_path)
        assert sizes(data)["test"] == 12
        assert data.provenance["classes"] == ["cat", "dog"]

    def test_splits_below_classes_are_said_to_be_none(self, tmp_path: Path) -> None:
        for kind in ("cat", "dog"):
            fill(tmp_path / kind / "train")
            fill(tmp_path / kind / "test")
        assert (
            "folders named train below others make no splits: train and test must stand on top" in load(tmp_path).notes
        )

    def test_images_beside_the_splits_are_said_to_be_left_out(self, tmp_path: Path) -> None:
        for split in ("train", "test"):
            fill(tmp_path / split)
        fill(tmp_path / "more", 3)
        assert load(tmp_path).notes == ["left out 3 images beside the folders of the splits"]


class TestClasses:
    def test_more_than_a_hundred(self, tmp_path: Path) -> None:
        for number in range(120):
            fill(tmp_path / f"class{number:03d}", 1)
        notes = load(tmp_path).notes
        named = "class000, class001, class002, class003, ..."
        assert notes[0] == f"folders are classes ({named}): --model.num_classes 120 conditions on them"
        assert notes[1].startswith("no images to train on: class")
        assert notes[1].endswith(" and 23 others")  # a tenth each is for validation and for tests

    def test_a_class_without_training(self, tmp_path: Path) -> None:
        for split, kinds in {"train": ("cat", "dog"), "test": ("cat", "emu")}.items():
            for kind in kinds:
                fill(tmp_path / split / kind)
        assert "no images to train on: emu" in load(tmp_path).notes

    def test_images_of_a_split_that_lie_in_no_class(self, tmp_path: Path) -> None:
        fill(tmp_path / "train" / "cat")
        fill(tmp_path / "train" / "dog")
        fill(tmp_path / "test")
        assert load(tmp_path).notes == ["folders are no classes, as test/0.png lies in none"]

    def test_labels_in_a_table_are_said_not_to_be_read(self, tmp_path: Path) -> None:
        (fill(tmp_path) / "labels.csv").write_text("file,label\n0.png,cat\n1.png,dog\n")
        assert load(tmp_path).notes == [
            "left out a file that can't be read as images: 1 .csv",
            "classes are not read from a table: images of one go into a folder of its own",
        ]


class TestOtherFiles:
    def test_hidden_ones_are_passed_over_and_others_said(self, tmp_path: Path) -> None:
        fill(tmp_path)
        for name in (".DS_Store", "._0.png"):
            (tmp_path / name).write_bytes(b"\0\5\x16\7")
        assert load(tmp_path).notes == []
        (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" * 20)
        assert load(tmp_path).notes == ["left out a file that can't be read as images: 1 .db"]

    def test_photographs_of_phones_say_what_to_do(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        photographs = tmp_path / "phone"
        photographs.mkdir()
        (photographs / "IMG_1.HEIC").write_bytes(b"\0\0\0 ftypheic")
        said = refused(capsys, "fit", str(photographs))
        assert "found none; left out a file that can't be read as images: 1 .heic" in said
        assert ".heic images are not read: convert them to .png or .jpg" in said
        assert len(load(fill(photographs)).notes) == 1

    def test_texts_about_pictures_don_t_make_a_folder_of_texts(self, tmp_path: Path) -> None:
        fill(tmp_path)
        for name in ("0", "1", "2", "3", "4", "5", "classes"):
            (tmp_path / f"{name}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
        data = load(tmp_path)
        assert data.format.kind == "image"
        assert data.notes == ["left out 7 files that can't be read as images: 7 .txt"]
        for number in range(20):
            (tmp_path / f"chapter{number}.txt").write_text("It was a dark and stormy night.\n")
        assert load(tmp_path).format.kind == "text"

    def test_a_link_that_leads_up_is_not_followed(self, tmp_path: Path) -> None:
        (fill(tmp_path) / "again").symlink_to(tmp_path)
        assert len(files_in(tmp_path)) == 6
        assert sum(sizes(load(tmp_path)).values()) == 6

    def test_an_empty_folder(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        said = refused(capsys, "plan", str(tmp_path))
        for kind in ("images (.png", "recordings (.wav", "texts (.txt", "tables of the same columns"):
            assert kind in said
        assert said.endswith("found none\n")


class TestOddPictures:
    def test_an_empty_file_says_how_to_leave_it_out(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (fill(tmp_path) / "3.png").write_bytes(b"")
        said = refused(capsys, "fit", str(tmp_path))
        assert "3.png: expected an image, got a file that cannot be read (it is empty)" in said
        assert "--skip-unreadable true leaves out files that can't be decoded" in said
        with pytest.warns(UserWarning, match=r"skipped .*3\.png"):
            assert sum(sizes(load(tmp_path, skip_unreadable=True)).values()) == 5

    def test_an_image_of_one_pixel(self, tmp_path: Path) -> None:
        Image.new("RGB", (1, 1), "red").save(fill(tmp_path) / "0.png")
        data = load(tmp_path)
        assert data.event_shape == (3, 6, 5)
        assert len(data.notes) == 1

    def test_huge_ones_are_scaled_without_a_warning_or_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
        Image.new("L", (40, 40)).save(fill(tmp_path) / "0.png")  # Pillow warns, and warnings are errors in tests
        assert load(tmp_path).event_shape == (3, 6, 5)
        Image.new("L", (60, 60)).save(tmp_path / "0.png")
        said = refused(capsys, "fit", str(tmp_path))
        assert "0.png: expected an image of at most 179 million pixels, got one of more: scale it down" in said

    @pytest.mark.parametrize("suffix", [".gif", ".tif"])
    def test_several_pictures_in_a_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
        for number in range(4):
            picture().save(tmp_path / f"{number}{suffix}", save_all=True, append_images=[picture(), picture()])
        assert "of 4 files with several pictures the first is read" in load(tmp_path).notes
        alone = tmp_path / "alone"
        alone.mkdir()
        (tmp_path / f"0{suffix}").rename(alone / f"stack{suffix}")
        said = refused(capsys, "fit", str(alone))
        assert f"of the several pictures in stack{suffix} only the first is read: save each in a file" in said
