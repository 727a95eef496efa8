"""Pictures of odd forms: each is read as a person would look at it, or refused in a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.cli import main
from chainrule.data import load

RANDOM = np.random.RandomState(0)
GLYPHS = [np.where(RANDOM.random_sample((6, 5)) < 0.4, 0, 255).astype(np.uint8) for _ in range(10)]


def put(folder: Path, images: list[Image.Image], suffix: str, **more: object) -> Path:
    folder.mkdir(exist_ok=True)
    for number, image in enumerate(images):
        image.save(folder / f"{number}{suffix}", **more)
    return folder


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA", "P"])
def test_two_grey_values_in_any_mode_are_two_levels(tmp_path: Path, mode: str) -> None:
    data = load(put(tmp_path / "x", [Image.fromarray(glyph).convert(mode) for glyph in GLYPHS], ".png"))
    assert (data.levels, data.event_shape) == (2, (1, 6, 5))


def test_grey_that_is_stored_as_colours_has_one_channel(tmp_path: Path) -> None:
    grey = [Image.fromarray(RANDOM.randint(0, 256, (6, 5)).astype(np.uint8)) for _ in range(10)]
    data = load(put(tmp_path / "x", [image.convert("RGB") for image in grey], ".png"))
    assert (data.levels, data.event_shape) == (256, (1, 6, 5))
    assert "all colours are grey: images have one channel" in data.notes
    one = np.array(grey[0].convert("RGB"))
    one[0, 0] = 255, 0, 0
    Image.fromarray(one).save(tmp_path / "x" / "red.png")
    assert load(tmp_path / "x").event_shape == (3, 6, 5)


def test_grey_of_16_bits_says_that_it_is_cut(tmp_path: Path) -> None:
    images = [Image.fromarray(RANDOM.randint(0, 65536, (6, 5)).astype(np.uint16)) for _ in range(10)]
    data = load(put(tmp_path / "x", images, ".png"))
    assert "grey of 16 bits is cut to 8: --levels 65536 keeps it" in data.notes
    assert "floor(value * 256 / 65536)" in data.description
    assert not load(tmp_path / "x", levels=65536).notes


def test_32_bits_are_refused(tmp_path: Path) -> None:
    images = [Image.fromarray(RANDOM.randint(0, 10**6, (32, 32)).astype(np.int32)) for _ in range(4)]
    with pytest.raises(ValueError, match=r"0.tif: expected pixels of 8 or 16 bits, got of 32 bits: convert them"):
        load(put(tmp_path / "x", images, ".tif"))


@pytest.mark.parametrize("kind", ["webp", "avif", "bmp", "ppm", "ico", "png"])
def test_images_without_a_suffix_are_known_by_their_bytes(tmp_path: Path, kind: str) -> None:
    images = [Image.fromarray(RANDOM.randint(0, 256, (16, 16, 3)).astype(np.uint8)) for _ in range(5)]
    data = load(put(tmp_path / "x", images, "", format=kind))
    assert data.format.kind == "image"
    assert sum(len(data.split(split)) for split in ("train", "valid", "test")) == 5


def test_a_damaged_profile_of_colours_is_left_out(tmp_path: Path) -> None:
    images = [Image.fromarray(RANDOM.randint(0, 256, (8, 8, 4)).astype(np.uint8), "CMYK") for _ in range(5)]
    data = load(put(tmp_path / "x", images, ".jpg", icc_profile=b"no profile"))
    assert data.event_shape == (3, 8, 8)


def test_other_names_of_the_validation_part(tmp_path: Path) -> None:
    images = [Image.fromarray(RANDOM.randint(0, 256, (6, 5)).astype(np.uint8)) for _ in range(4)]
    for split in ("train", "val"):
        put(tmp_path / split, images, ".png")
    with pytest.raises(ValueError, match="expected a folder test beside train and val, found none"):
        load(tmp_path)
    put(tmp_path / "test", images[:1], ".png")
    data = load(tmp_path)
    assert [len(data.split(split)) for split in ("train", "valid", "test")] == [4, 4, 1]


def test_a_wrong_number_of_classes_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("cat", "dog", "eel"):
        put(tmp_path / name, [Image.fromarray(glyph) for glyph in GLYPHS], ".png")
    for count in (2, 7):
        fit = [
            "--model",
            "FVSBN",
            "--model.num_classes",
            str(count),
            "--max-steps",
            "1",
            "--out",
            str(tmp_path / "run"),
        ]
        assert main(["fit", str(tmp_path), *fit]) == 2
        expected = f"--model.num_classes expects 3, as the data have the classes cat, dog, eel, got {count}"
        assert expected in capsys.readouterr().err


def test_a_picture_beside_folders_of_classes_is_named(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        put(tmp_path / name, [Image.fromarray(glyph) for glyph in GLYPHS], ".png")
    assert load(tmp_path).labels is not None
    Image.fromarray(GLYPHS[0]).save(tmp_path / "logo.png")
    data = load(tmp_path)
    assert data.labels is None
    assert "folders are no classes, as logo.png lies in none" in data.notes


def test_a_mask_of_a_picture_is_black_and_white(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = put(tmp_path / "x", [Image.fromarray(glyph) for glyph in GLYPHS], ".png")
    run = tmp_path / "run"
    assert main(["fit", str(folder), "--model", "FVSBN", "--max-steps", "1", "--out", str(run)]) == 0
    mask = np.full((6, 5), 255, np.uint8)
    mask[2, 2] = 128
    Image.fromarray(mask).save(tmp_path / "mask.png")
    complete = ["complete", str(run), str(folder), "--observe", str(tmp_path / "mask.png")]
    assert main([*complete, "--out", str(tmp_path / "c.png")]) == 2
    assert "expected a mask of black and white, got the value 128" in capsys.readouterr().err
    (folder / "0.png").rename(tmp_path / "photo")
    assert main(["score", str(run), str(tmp_path / "photo"), "--out", str(tmp_path / "s.csv")]) == 0
    assert main(["sample", str(run), "-n", "0", "--out", str(tmp_path / "s.png")]) == 2
    assert "-n expects at least 1 example, got 0" in capsys.readouterr().err
