"""Named sets of official archives, read from archives of the same form that are made here."""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import chainrule.data
from chainrule.data.named import cifar, files, idx, omniglot

RANDOM = np.random.RandomState(0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(files.VARIABLE, str(tmp_path))
    return tmp_path


def put(path: Path, content: bytes) -> str:
    """Write a file, and return its MD5."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def idx_of(values: np.ndarray) -> bytes:
    header = b"\0\0\x08" + bytes([values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(header + values.tobytes(), compresslevel=0)


def check(data: chainrule.data.Dataset, images: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> None:
    for split, expected in images.items():
        assert np.array_equal(data.split(split)[:].numpy().astype(np.uint8).squeeze(1), expected)
        assert data.labels is not None
        assert data.labels[split].tolist() == labels[split].tolist()


@pytest.mark.parametrize("name", ["fashion-mnist", "kmnist"])
def test_sets_of_idx_files(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    train, test = RANDOM.randint(0, 256, (10_020, 28, 28), np.uint8), RANDOM.randint(0, 256, (7, 28, 28), np.uint8)
    own, others = RANDOM.randint(0, 10, 10_020).astype(np.uint8), RANDOM.randint(0, 10, 7).astype(np.uint8)
    content = dict(zip(idx.GZIPPED[name][1], (train, own, test, others), strict=True))
    checksums = {part: put(folder / name / f"{part}-ubyte.gz", idx_of(values)) for part, values in content.items()}
    url, _, classes = idx.GZIPPED[name]
    monkeypatch.setitem(idx.GZIPPED, name, (url, checksums, classes))
    data = chainrule.data.load(name)
    images = {"train": train[:20], "valid": train[20:], "test": test}
    labels = {"train": own[:20], "valid": own[20:], "test": others}
    check(data, images, labels)
    assert data.origin["classes"] == classes
    assert len(classes) == 10
    halved = chainrule.data.load(name, levels=2)
    check(halved, {split: part // 128 for split, part in images.items()}, labels)
    assert "quantised to 2 levels" in halved.description


def test_emnist_stands_upright_and_its_letters_begin_with_a(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = RANDOM.randint(0, 256, (12, 28, 28), np.uint8), RANDOM.randint(0, 256, (5, 28, 28), np.uint8)
    own, others = np.arange(1, 13, dtype=np.uint8), np.full(5, 26, np.uint8)
    parts = {"train-images-idx3": train, "train-labels-idx1": own, "test-images-idx3": test, "test-labels-idx1": others}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for part, values in parts.items():
            archive.writestr(f"gzip/emnist-letters-{part}-ubyte.gz", idx_of(values))
    monkeypatch.setattr(idx, "EMNIST_MD5", put(folder / "emnist" / "gzip.zip", buffer.getvalue()))
    upright = train.swapaxes(1, 2)
    images = {"train": upright[:7], "valid": upright[7:], "test": test.swapaxes(1, 2)}
    labels = {"train": own[:7] - 1, "valid": own[7:] - 1, "test": others - 1}
    check(chainrule.data.load("emnist-letters"), images, labels)
    with pytest.raises(ValueError, match=r"gzip.zip: expected a zip file that holds gzip/emnist-digits-train-images"):
        chainrule.data.load("emnist-digits")


@pytest.mark.parametrize(("name", "labels"), [("cifar10", 1), ("cifar100", 2)])
def test_cifar(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, labels: int) -> None:
    file, _, train_files, test_file, class_file, count = cifar.ARCHIVES[name]
    assert count == labels
    monkeypatch.setattr(cifar, "NUM_VALID", 3)
    rows = RANDOM.randint(0, 10, (len(train_files) * 4 + 2, labels + 3072)).astype(np.uint8)
    parts = dict(zip([*train_files, test_file], [*np.split(rows[:-2], len(train_files)), rows[-2:]], strict=True))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        texts = {part: values.tobytes() for part, values in parts.items()} | {class_file: b"apple\nfish\n\n"}
        for part, content in texts.items():
            member = tarfile.TarInfo(part)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    md5 = put(folder / "images" / file, buffer.getvalue())
    monkeypatch.setitem(cifar.ARCHIVES, name, (file, md5, train_files, test_file, class_file, labels))
    data = chainrule.data.load(name)
    assert data.event_shape == (3, 32, 32)
    assert data.origin["classes"] == ["apple", "fish"]
    assert [len(data.split(split)) for split in ("train", "valid", "test")] == [len(rows) - 5, 3, 2]
    assert np.array_equal(data.test[:].numpy().reshape(2, -1), rows[-2:, labels:])
    assert data.labels is not None
    assert data.labels["valid"].tolist() == rows[-5:-2, labels - 1].tolist()  # the fine class comes last


def test_omniglot(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = np.full((105, 105), True)
    drawing[30:60, 45:90] = False  # ink is black
    png = io.BytesIO()
    Image.fromarray(drawing).save(png, "PNG")
    for part, characters in (("images_background", 3), ("images_evaluation", 1)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for character in range(characters):
                for number in range(20):
                    archive.writestr(f"{part}/Greek/character{character:02d}/{number:04d}.png", png.getvalue())
        monkeypatch.setitem(omniglot.CHECKSUMS, part, put(folder / "omniglot" / f"{part}.zip", buffer.getvalue()))
    data = chainrule.data.load("omniglot")
    assert [len(data.split(split)) for split in ("train", "valid", "test")] == [54, 6, 20]
    assert data.levels == 2
    inner = data.test[:][:, 0, 9:15, 13:23]
    assert inner.min() == 1
    assert data.test[:].sum() == pytest.approx(20 * 30 * 45 * (28 / 105) ** 2, rel=0.05)
    with pytest.raises(ValueError, match="omniglot has 2 levels, got levels=4"):
        chainrule.data.load("omniglot", levels=4)


@pytest.mark.parametrize("name", ["fashion-mnist", "emnist-digits", "omniglot", "cifar10"])
def test_another_file_is_refused_by_its_checksum(folder: Path, name: str) -> None:
    for path in (
        "fashion-mnist/train-images-idx3-ubyte.gz",
        "emnist/gzip.zip",
        "omniglot/images_background.zip",
        "images/cifar-10-binary.tar.gz",
    ):
        put(folder / path, b"an error page")
    with pytest.raises(ValueError, match=r"expected the file of https?://.* with the MD5 \w{32}, got \w{32}: copy it"):
        chainrule.data.load(name)


def test_what_is_missing_and_where_to_put_it(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cifar-100-binary.tar.gz .*put https://www.cs.toronto.edu/.* there"):
        chainrule.data.load("cifar100")
