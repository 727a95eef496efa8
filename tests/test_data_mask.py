import numpy as np
import pytest
import torch
from PIL import Image

from chainrule.data import read_mask

pytestmark = pytest.mark.quick

MASK = np.random.RandomState(0).randint(0, 2, (4, 3))


def write(path, mask):
    if path.suffix == ".npy":
        np.save(path, mask)
    elif path.suffix == ".npz":
        np.savez(path, mask)
    elif path.suffix == ".png":
        Image.fromarray((mask * 255).astype(np.uint8)).save(path)
    else:
        np.savetxt(path, mask, fmt="%d", delimiter=",")
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".png", ".csv", ".data"])
@pytest.mark.parametrize("event_shape", [(1, 4, 3), (3, 4, 3), (4, 3)])
def test_every_format(tmp_path, suffix, event_shape):
    mask = read_mask(write(tmp_path / f"mask{suffix}", MASK), event_shape)
    assert mask.dtype == torch.bool
    assert tuple(mask.shape) == event_shape
    assert np.array_equal(mask.numpy(), np.broadcast_to(MASK, event_shape))


@pytest.mark.parametrize("shape", [(12,), (1, 12), (12, 1), (1, 4, 3), (1, 1, 4, 3)])
def test_shapes_that_name_the_same_mask(tmp_path, shape):
    path = write(tmp_path / "mask.npy", MASK.reshape(shape).astype(bool))
    assert np.array_equal(read_mask(path, (1, 4, 3))[0].numpy(), MASK)


def test_a_mask_of_a_table(tmp_path):
    (tmp_path / "mask.csv").write_text("age,sex,job\n1,0,1\n")
    assert read_mask(str(tmp_path / "mask.csv"), (3,)).tolist() == [True, False, True]


def test_each_channel_of_its_own(tmp_path):
    channels = np.stack([MASK, 1 - MASK, MASK * 0])
    assert np.array_equal(read_mask(write(tmp_path / "mask.npy", channels), (3, 4, 3)).numpy(), channels)


def test_a_1_bit_image(tmp_path):
    Image.fromarray(MASK.astype(bool)).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png", (1, 4, 3))[0].numpy(), MASK)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (MASK * 2, "expected a mask of 0 and 1, got the value 2"),
        (MASK - 0.5, r"got the value -?0\.5"),
        (np.where(MASK, np.nan, 0), "got the value nan"),
        (MASK.T, r"expected a mask of the event's shape \(1, 4, 3\), got \(3, 4\)"),
        (MASK[:2], r"got \(2, 3\)"),
        (np.array([["a"]]), "values of type <U1"),
    ],
)
def test_other_values_and_shapes(tmp_path, mask, message):
    with pytest.raises(ValueError, match=message):
        read_mask(write(tmp_path / "mask.npy", mask), (1, 4, 3))


def test_grey_images_are_refused(tmp_path):
    Image.fromarray(np.full((4, 3), 90, dtype=np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match="got the value 90"):
        read_mask(tmp_path / "mask.png", (1, 4, 3))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a mask file, found no"):
        read_mask(tmp_path / "mask.npy", (3,))
    (tmp_path / "mask.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="that cannot be read"):
        read_mask(tmp_path / "mask.npy", (3,))
    np.savez(tmp_path / "mask.npz", a=MASK, b=MASK)
    with pytest.raises(ValueError, match="expected one array, or the arrays train, valid and test, got a, b"):
        read_mask(tmp_path / "mask.npz", (4, 3))
    (tmp_path / "mask.txt").touch()
    with pytest.raises(ValueError, match=r"expected a mask file \.npy"):
        read_mask(tmp_path / "mask.txt", (3,))
