"""Folders of images as people have them: turned, transparent, of two values, of 16 bits and of different sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import refused
from PIL import Image

from chainrule.cli import main
from chainrule.conditionals import Bernoulli
from chainrule.data import load
from chainrule.data.formats import ImageFormat
from chainrule.kinds import kind_of
from chainrule.kinds.observed import observed_variables
from chainrule.models import FVSBN

RANDOM = np.random.RandomState(0)
GREY = RANDOM.randint(0, 256, (12, 6, 4)).astype(np.uint8)
COLOUR = RANDOM.randint(0, 256, (12, 6, 4, 3)).astype(np.uint8)


def folder_of(folder: Path, pictures: Any, suffix: str = ".png", **options: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(pictures):
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(folder / f"{index:03d}{suffix}", **options)
    return folder


def all_of(data: Any) -> np.ndarray:
    return np.concatenate([data.split(name)[:].numpy() for name in ("train", "valid", "test")])


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return sorted(found.reshape(len(found), -1).tolist()) == sorted(expected.reshape(len(expected), -1).tolist())


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_the_orientation_of_a_camera_is_applied(tmp_path: Path, suffix: str) -> None:
    """A picture that is dark above, and lies on its side in the file."""
    upright = np.where(np.arange(16)[:, None] < 8, 10, 240).repeat(8, 1).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    more = {"compression": "tiff_lzw"} if suffix == ".tif" else {}
    data = load(folder_of(tmp_path, [np.rot90(upright)] * 5, suffix, exif=exif, **more), levels=256)
    assert data.event_shape[1:] == (16, 8)
    x = all_of(data)
    assert x[:, :, :6].max() < 60
    assert x[:, :, 10:].min() > 190
    said = [note for note in data.notes if "turned upright" in note]
    assert len(said) == (suffix != ".tif")  # Pillow turns a TIFF before anyone looks


def test_a_picture_that_would_be_read_wrongly_is_refused(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    folder_of(tmp_path, GREY, ".tif", exif=exif)
    with pytest.raises(ValueError, match=r"000\.tif: expected a TIFF that lies upright or is compressed"):
        load(tmp_path)


def test_two_grey_values_are_two_levels(tmp_path: Path) -> None:
    bits = GREY >= 128
    for name, pictures in {"one bit": bits, "others": np.where(bits, 90, 17).astype(np.uint8)}.items():
        for suffix in (".png", ".tif"):
            data = load(folder_of(tmp_path / f"{name}{suffix}", pictures, suffix))
            assert (data.levels, data.event_shape) == (2, (1, 6, 4))
            assert same(all_of(data), bits.astype(int))
    assert "grey above 53.5 is 1" in data.description
    form = data.format
    assert isinstance(form, ImageFormat)
    assert ImageFormat.from_config(form.config) == form


def test_opaque_parts_are_dropped_and_transparent_ones_laid_on_a_colour(tmp_path: Path) -> None:
    opaque = np.concatenate([COLOUR, np.full((12, 6, 4, 1), 255, np.uint8)], axis=-1)
    data = load(folder_of(tmp_path / "opaque", opaque))
    assert data.event_shape == (3, 6, 4)
    assert not data.notes
    assert same(all_of(data), np.moveaxis(COLOUR, -1, 1))
    clear = opaque.copy()
    clear[:, :2, :, 3] = 0
    folder = folder_of(tmp_path / "clear", clear)
    data = load(folder)
    assert (all_of(data)[:, :, :2] == 255).all()
    (note,) = data.notes
    assert note == "transparent parts, as of 000.png, are laid on white: --background names another colour"
    assert (all_of(load(folder, background="#ff0000"))[:, :, :2] == np.array([255, 0, 0])[None, :, None, None]).all()
    with pytest.raises(ValueError, match=r"background expects a colour, .* got 'whit', did you mean white"):
        load(folder, background="whit")


def test_palettes_with_a_transparent_colour_and_grey_with_alpha(tmp_path: Path) -> None:
    folder_of(tmp_path, GREY)
    Image.fromarray(np.zeros((6, 4), np.uint8)).save(tmp_path / "y.png", transparency=0)
    Image.fromarray(np.zeros((6, 4, 2), np.uint8), "LA").save(tmp_path / "z.png")
    data = load(tmp_path)
    assert data.event_shape == (1, 6, 4)
    assert sum(bool((x == 255).all()) for x in all_of(data)) == 2


def test_sixteen_bits_are_scaled_or_kept(tmp_path: Path) -> None:
    deep = RANDOM.randint(0, 65536, (12, 6, 4)).astype(np.uint16)
    folder_of(tmp_path, deep)
    assert same(all_of(load(tmp_path)), deep // 256)
    assert same(all_of(load(tmp_path, levels=65536)), deep)
    assert same(all_of(load(tmp_path, levels=1000)), deep.astype(int) * 1000 // 65536)
    folder_of(tmp_path / "more", GREY)
    assert same(all_of(load(tmp_path)), np.concatenate([deep // 256, GREY.astype(int)]))
    with pytest.raises(ValueError, match="levels from 2 to 256 for images, got levels=1000"):
        load(tmp_path, levels=1000)


def test_different_sizes_are_made_to_fit_and_that_is_said(tmp_path: Path) -> None:
    folder_of(tmp_path / "a", GREY)
    folder_of(tmp_path / "b", [picture.T.copy() for picture in GREY[:4]])
    data = load(tmp_path)
    assert data.event_shape == (1, 6, 4)
    note, classes = data.notes
    assert classes.startswith("folders are classes (a, b)")
    assert note == (
        "images of 4x6 to 6x4 are scaled to 4x6 and cut in their centre: --size, --crop and --pad choose otherwise"
    )
    assert data.labels is not None
    assert load(tmp_path, size="8x5").event_shape == (1, 5, 8)
    assert load(tmp_path, size="8").event_shape == (1, 8, 8)
    assert all_of(load(tmp_path, size="12x12", crop="none")).shape == (16, 1, 12, 12)
    for choice in ("0", "8x8x8", "-3", "big", ""):
        with pytest.raises(ValueError, match="size expects a side"):
            load(tmp_path, size=choice)
    with pytest.raises(ValueError, match="crop expects centre, random, none, got 'center', did you mean centre"):
        load(tmp_path, crop="center")
    with pytest.raises(ValueError, match="one of crop and pad"):
        load(tmp_path, crop="none", pad=True)


def test_padding_keeps_proportions(tmp_path: Path) -> None:
    folder_of(tmp_path, [np.full((4, 8), 200, np.uint8)] * 5)
    x = all_of(load(tmp_path, size="8", pad=True, background="black"))
    assert (x[:, 0, 2:6] == x.max()).all()
    assert (x[:, 0, [0, 1, 6, 7]] == x.min()).all()
    assert x.min() < x.max()


def test_random_cuts_differ_in_training_only(tmp_path: Path) -> None:
    ramp = np.arange(40, dtype=np.uint8)[None].repeat(8, 0)
    data = load(folder_of(tmp_path, [ramp] * 10), size="8", crop="random")
    assert len({float(data.train[0].mean()) for _ in range(20)}) > 5
    assert len({float(data.valid[0].mean()) for _ in range(5)}) == 1


def test_photographs_are_reduced_and_small_sets_of_one_size_are_not(tmp_path: Path) -> None:
    large = [np.asarray(Image.fromarray(COLOUR[0]).resize((640, 480)))] * 4
    data = load(folder_of(tmp_path / "large", large, ".jpg"))
    assert data.event_shape == (3, 55, 74)
    assert "images of 640x480 are scaled to 74x55" in data.notes[0]
    small = RANDOM.randint(0, 256, (5, 100, 100)).astype(np.uint8)
    assert load(folder_of(tmp_path / "small", small)).event_shape == (1, 100, 100)


def test_colours_can_be_taken_as_grey(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path, COLOUR), grey=True)
    assert data.event_shape == (1, 6, 4)
    assert same(all_of(data), np.stack([np.asarray(Image.fromarray(own).convert("L")) for own in COLOUR]))


def test_printers_colours(tmp_path: Path) -> None:
    folder_of(tmp_path, [Image.fromarray(own).convert("CMYK") for own in COLOUR], ".tif")
    assert np.abs(np.sort(all_of(load(tmp_path)), axis=None) - np.sort(COLOUR, axis=None)).max() <= 2


def test_animations_give_their_first_picture_and_say_so(tmp_path: Path) -> None:
    for index in range(4):
        first, *others = (Image.fromarray(own) for own in GREY[index : index + 3])
        first.save(tmp_path / f"{index}.gif", save_all=True, append_images=others)
    data = load(tmp_path)
    assert list(data.notes) == ["of 4 files with several pictures the first is read"]
    assert same(all_of(data), GREY[:4])


def test_files_without_a_suffix_are_seen(tmp_path: Path) -> None:
    folder_of(tmp_path, GREY)
    for path in tmp_path.iterdir():
        path.rename(path.with_suffix(""))
    (tmp_path / "README").write_text("no image")
    assert same(all_of(load(tmp_path)), GREY)


def test_what_a_run_is_shown_is_made_to_fit_as_its_data_were(tmp_path: Path) -> None:
    data = load(folder_of(tmp_path / "icons", GREY), size="8", pad=True)
    kind = kind_of(data)
    again = type(kind)(ImageFormat.from_config(data.format.config))
    reading = again.reading({}, named=False)
    assert {name: value for name, value in reading.items() if value is not None} == {"size": "8x8", "pad": True}
    assert again.format.fit == "pad"
    with pytest.raises(ValueError, match=r"image\.fit expects same, centre"):
        ImageFormat.from_config(data.format.config | {"fit": "squeeze"})


class TestWriting:
    x = torch.from_numpy(COLOUR[:3]).movedim(-1, 1).float()

    def test_a_folder_gets_a_file_for_each_image_which_reads_back(self, tmp_path: Path) -> None:
        kind = kind_of(load(folder_of(tmp_path / "in", COLOUR)))
        kind.check_out(tmp_path / "out")
        assert kind.write(self.x, tmp_path / "out") == "3 images"
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.png", "2.png", "3.png"]
        assert same(all_of(load(tmp_path / "out")), self.x.numpy())
        for wrong in (tmp_path / "in" / "000.png" / "x", tmp_path / "none" / "out"):
            with pytest.raises(ValueError, match="expects a folder in one that exists, got"):
                kind.check_out(wrong)

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp"])
    def test_one_image_is_written_as_it_is(self, tmp_path: Path, suffix: str) -> None:
        kind = kind_of(load(folder_of(tmp_path / "in", COLOUR)))
        kind.check_out(tmp_path / f"x{suffix}")
        kind.write(self.x[:1], tmp_path / f"x{suffix}")
        with Image.open(tmp_path / f"x{suffix}") as image:
            assert image.size == (4, 6)

    def test_a_file_of_one_image_does_not_hold_several(self, tmp_path: Path) -> None:
        kind = kind_of(load(folder_of(tmp_path / "in", COLOUR)))
        with pytest.raises(ValueError, match=r"a folder, or a file ending in \.png, .* for 3 images, got .*x\.jpg"):
            kind.write(self.x, tmp_path / "x.jpg")

    def test_sixteen_bits_are_kept(self, tmp_path: Path) -> None:
        deep = RANDOM.randint(0, 65536, (5, 1, 6, 4)).astype(np.uint16)
        data = load(folder_of(tmp_path / "in", deep[:, 0]), levels=65536)
        kind_of(data).write(torch.from_numpy(deep.astype(np.float32)), tmp_path / "out")
        assert same(all_of(load(tmp_path / "out", levels=65536)), deep)


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("left-half", (slice(None), slice(0, 2))),
        ("right-half", (slice(None), slice(2, 4))),
        ("top-half", (slice(0, 3), slice(None))),
        ("bottom-half", (slice(3, 6), slice(None))),
        ("1,2,3,6", (slice(2, 6), slice(1, 3))),
    ],
)
def test_parts_of_an_image_are_known(words: str, known: tuple[slice, slice]) -> None:
    model = FVSBN(event_shape=(3, 6, 4), conditional=Bernoulli())
    expected = torch.zeros(3, 6, 4, dtype=torch.bool)
    expected[(slice(None), *known)] = True
    assert torch.equal(observed_variables(words, model), expected)


@pytest.mark.parametrize("words", ["3,2,1,6", "0,0,5,6", "0,0,a,6", "0,0,0,6", "left"])
def test_no_part_of_an_image(words: str) -> None:
    with pytest.raises(ValueError, match="--observe expects"):
        observed_variables(words, FVSBN(event_shape=(3, 6, 4), conditional=Bernoulli()))


def test_a_class_has_the_name_of_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, low in {"cat": 0, "dog": 128}.items():
        folder_of(tmp_path / "pets" / name, RANDOM.randint(low, low + 128, (20, 3, 3)).astype(np.uint8))
    data, run = str(tmp_path / "pets"), str(tmp_path / "run")
    model = ["--model", "MADE", "--model.hidden_sizes", "[8]", "--model.num_classes", "2", "--levels", "2"]
    assert main(["fit", data, *model, "--max-epochs", "100", "--learning-rate", "0.05", "--out", run]) == 0
    assert main(["sample", run, "--class", "dog", "-n", "300", "--out", str(tmp_path / "dogs.npy")]) == 0
    assert main(["sample", run, "--class", "0", "-n", "300", "--out", str(tmp_path / "cats.npy")]) == 0
    assert np.load(tmp_path / "dogs.npy").mean() > np.load(tmp_path / "cats.npy").mean() + 0.2
    capsys.readouterr()
    message = refused(capsys, "sample", run, "--class", "dig", "--out", str(tmp_path / "x.png"))
    assert "--class expects one of cat, dog, or a number from 0 to 1, got 'dig', did you mean dog?" in message
    # each image has the class of its folder
    assert main(["score", run, data, "--out", str(tmp_path / "scores.csv")]) == 0
