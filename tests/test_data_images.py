import numpy as np
import pytest
import torch
from PIL import Image

import chainrule.data

GREY = np.random.RandomState(0).randint(0, 256, (12, 5, 4)).astype(np.uint8)
COLOUR = np.random.RandomState(1).randint(0, 256, (12, 5, 4, 3)).astype(np.uint8)


def write(folder, pixels, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index:03d}{suffix}")


def together(data):
    return torch.cat([data.train[:], data.valid[:], data.test[:]]).numpy()


def same_images(found, expected):
    return sorted(found.reshape(len(found), -1).tolist()) == sorted(expected.reshape(len(expected), -1).tolist())


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif", ".pgm"])
def test_grey_images(tmp_path, suffix):
    write(tmp_path / "grey", GREY, suffix)
    data = chainrule.data.load(tmp_path / "grey")
    assert (data.event_shape, data.levels, data.labels) == ((1, 5, 4), 256, None)
    assert data.provenance["splits"] == {"train": 10, "valid": 1, "test": 1}
    assert same_images(together(data), GREY)
    assert torch.equal(data.train[:], chainrule.data.load(tmp_path / "grey").train[:])


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".ppm"])
def test_colour_images(tmp_path, suffix):
    write(tmp_path, COLOUR, suffix)
    data = chainrule.data.load(tmp_path)
    assert data.event_shape == (3, 5, 4)
    assert same_images(together(data), np.moveaxis(COLOUR, -1, 1))


def test_jpeg_images(tmp_path):
    write(tmp_path, COLOUR, ".jpg")
    write(tmp_path / "more", COLOUR, ".JPEG")
    data = chainrule.data.load(tmp_path)
    assert data.train[:3].shape == (3, 3, 5, 4)
    assert len(together(data)) == 24


@pytest.mark.parametrize("levels", [2, 3, 16, 255])
def test_quantised_images(tmp_path, levels):
    write(tmp_path, GREY)
    data = chainrule.data.load(tmp_path, levels=levels)
    assert data.levels == levels
    assert f"floor(value * {levels} / 256)" in data.description
    assert same_images(together(data), GREY.astype(int) * levels // 256)


def test_two_levels_are_a_threshold_at_128(tmp_path):
    write(tmp_path, GREY)
    assert same_images(together(chainrule.data.load(tmp_path, levels=2)), (GREY >= 128).astype(int))


def test_other_modes_are_converted(tmp_path):
    bits = GREY >= 128
    for index, image in enumerate(bits):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    data = chainrule.data.load(tmp_path)
    assert (data.event_shape, data.levels) == ((1, 5, 4), 2)
    assert same_images(together(data), bits.astype(int))
    palette = Image.fromarray(COLOUR[0]).convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save(tmp_path / "palette.png")
    data = chainrule.data.load(tmp_path)
    assert data.event_shape == (3, 5, 4)
    assert any(
        np.array_equal(image, np.moveaxis(np.asarray(palette.convert("RGB")), -1, 0)) for image in together(data)
    )


def test_classes_are_labels(tmp_path):
    write(tmp_path / "dog", GREY[:6])
    write(tmp_path / "cat", GREY[6:])
    data = chainrule.data.load(tmp_path)
    assert data.provenance["classes"] == ["cat", "dog"]
    for split in ("train", "valid", "test"):
        cats = [any(np.array_equal(image[0], cat) for cat in GREY[6:]) for image in data.split(split)[:].numpy()]
        assert data.labels[split].tolist() == [0 if cat else 1 for cat in cats]


def test_a_test_folder_is_the_test_split(tmp_path):
    write(tmp_path / "train" / "a", GREY[:6])
    write(tmp_path / "train" / "b", GREY[6:10])
    write(tmp_path / "test" / "b", GREY[10:])
    (tmp_path / "train" / ".hidden.png").touch()
    data = chainrule.data.load(tmp_path)
    assert data.provenance["splits"] == {"train": 9, "valid": 1, "test": 2}
    assert np.array_equal(data.test[:].numpy()[:, 0], GREY[10:])
    assert data.labels["test"].tolist() == [1, 1]
    assert same_images(torch.cat([data.train[:], data.valid[:]]).numpy(), GREY[:10])
    write(tmp_path / "valid" / "a", GREY[:3])
    data = chainrule.data.load(tmp_path)
    assert np.array_equal(data.valid[:].numpy()[:, 0], GREY[:3])
    assert "split_seed" not in data.provenance
    assert len(data.labels["valid"]) == 3


def test_images_are_decoded_when_asked_for(tmp_path):
    write(tmp_path, GREY)
    data = chainrule.data.load(tmp_path)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[:-30])
    with pytest.raises(ValueError, match=r"\d\.png: expected an image, got a file that cannot be read"):
        data.train[0]
    with pytest.raises(ValueError, match=r"000\.png: expected an image, got a file that cannot be read"):
        chainrule.data.load(tmp_path)  # small images are decoded before anything else is done


def refuse(folder, message):
    with pytest.raises(ValueError, match=message) as error:
        chainrule.data.load(folder)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_image(tmp_path):
    write(tmp_path, GREY)
    (tmp_path / "z.jpg").write_text("no image")
    refuse(tmp_path, r"z\.jpg: expected an image, got a file that cannot be read")


def test_too_few_images(tmp_path):
    write(tmp_path, GREY[:2])
    refuse(tmp_path, "expected at least 3 examples")
    write(tmp_path / "sub" / "train", GREY[:1])
    write(tmp_path / "sub" / "test", GREY[:1])
    refuse(tmp_path / "sub", "expected at least 2 images to split into train and valid, got 1")
    (tmp_path / "sub" / "valid").mkdir()
    refuse(tmp_path / "sub", r"valid: expected images \(.*\), found none")


def test_too_many_levels(tmp_path):
    write(tmp_path, GREY)
    with pytest.raises(ValueError, match="expected levels from 2 to 256 for images, got levels=300"):
        chainrule.data.load(tmp_path, levels=300)


def test_files_that_cannot_be_decoded_are_skipped_only_if_asked_to(tmp_path):
    write(tmp_path / "a", GREY[:6], ".jpg")
    write(tmp_path / "b", GREY[6:], ".jpg")
    cut = tmp_path / "a" / "003.jpg"
    cut.write_bytes(cut.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"a/003\.jpg: expected an image, got a file that cannot be read"):
        together(chainrule.data.load(tmp_path))
    with pytest.warns(UserWarning, match=r"skipped .*a/003\.jpg: expected an image"):
        data = chainrule.data.load(tmp_path, skip_unreadable=True)
    assert len(together(data)) == 11
    assert data.provenance["skipped"] == ["a/003.jpg"]
    assert sum(int((labels == 0).sum()) for labels in data.labels.values()) == 5


def test_only_images_are_skipped(tmp_path):
    (tmp_path / "x.csv").write_text("0,1\n1,0\n0,0\n1,1\n")
    for spec in ("digits", "names", str(tmp_path / "x.csv")):
        with pytest.raises(ValueError, match=r"expected no skip_unreadable, as .* is no folder of images"):
            chainrule.data.load(spec, skip_unreadable=True)
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}.csv").write_text("0,1\n1,0\n")
    (tmp_path / "x.csv").unlink()
    with pytest.raises(ValueError, match="is a folder of tables"):
        chainrule.data.load(tmp_path, skip_unreadable=True)


def test_one_image_with_another_value_gives_all_of_them_256_levels(tmp_path):
    write(tmp_path, np.where(GREY >= 128, 255, 0).astype(np.uint8))
    assert chainrule.data.load(tmp_path).levels == 2
    write(tmp_path / "z", GREY[:1])
    assert chainrule.data.load(tmp_path).levels == 256
