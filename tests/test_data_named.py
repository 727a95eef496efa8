import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import chainrule.data
from chainrule.data.named import NAMED, files, mnist

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def data_folder(monkeypatch):
    """The folder of real files, or a skip that says so."""
    folder = Path(os.environ.get(files.VARIABLE, SHARED))
    if not folder.is_dir():
        pytest.skip(f"needs the data sets: set {files.VARIABLE}, or put them in {SHARED}")
    monkeypatch.setenv(files.VARIABLE, str(folder))
    return folder


def check(data, counts):
    """The promises that every data set keeps."""
    assert chainrule.data.NAMES.get(data.name, data.description) == data.description
    assert data.format.kind == NAMED[data.name].kind
    for split, count in zip(("train", "valid", "test"), counts, strict=True):
        examples = data.split(split)
        assert len(examples) == count == data.provenance["splits"][split]
        batch = examples[:7]
        assert batch.shape == (7, *data.event_shape)
        assert batch.dtype == torch.float32
        assert torch.equal(batch, batch.round())
        assert 0 <= batch.min() <= batch.max() < data.levels
        if data.labels:
            assert data.labels[split].shape == (count,)
            assert data.labels[split].dtype == torch.int64


@pytest.mark.parametrize(("name", "levels"), [("digits", 2), ("digits-17", 17)])
def test_digits(name, levels):
    data = chainrule.data.load(name)
    check(data, (1439, 179, 179))
    assert data.levels == levels
    assert data.event_shape == (1, 8, 8)
    assert data.train[:].max() == levels - 1
    with pytest.raises(ValueError, match=f"{name} has {levels} levels, got levels=5"):
        chainrule.data.load(name, levels=5)


def test_digits_are_split_the_same_way_in_both_versions():
    binary, grey = chainrule.data.load("digits"), chainrule.data.load("digits-17")
    assert torch.equal(binary.test[:], (grey.test[:] >= 8).float())
    assert torch.equal(binary.labels["test"], grey.labels["test"])
    assert torch.equal(binary.train[:], chainrule.data.load("digits", seed=5).train[:])


def test_mnist_static_is_one_fixed_draw(data_folder):
    data = chainrule.data.load("mnist")
    check(data, (50_000, 10_000, 10_000))
    again = chainrule.data.load("mnist")
    rows = slice(0, 2_000)
    assert torch.equal(data.train[rows], again.train[rows])
    assert torch.equal(data.test[rows], again.test[rows])
    # The draw itself, frozen: results on other machines are compared with it.
    assert [int(data.split(split)[:1000].sum()) for split in ("train", "valid", "test")] == FROZEN
    assert data.labels["train"][:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


FROZEN = [100_476, 99_923, 95_906]


def test_mnist_dynamic_changes_in_train_only(data_folder):
    data = chainrule.data.load("mnist-dynamic")
    check(data, (50_000, 10_000, 10_000))
    rows = slice(0, 100)
    assert not torch.equal(data.train[rows], data.train[rows])
    assert [int(data.split(split)[:1000].sum()) for split in ("valid", "test")] == FROZEN[1:]


def test_mnist_threshold_and_grey(data_folder):
    threshold, grey = chainrule.data.load("mnist-threshold"), chainrule.data.load("mnist-grey")
    check(threshold, (50_000, 10_000, 10_000))
    check(grey, (50_000, 10_000, 10_000))
    assert torch.equal(threshold.valid[:50], (grey.valid[:50] >= 128).float())
    assert grey.train[:50].max() == 255
    coarse = chainrule.data.load("mnist-grey", levels=4)
    assert coarse.levels == 4
    assert "4 levels" in coarse.description
    assert torch.equal(coarse.test[:50], (grey.test[:50] * 4 / 256).floor())


@pytest.mark.parametrize(
    ("name", "levels", "message"), [("mnist", 4, "mnist-grey takes other levels"), ("mnist-grey", 257, "2 to 256")]
)
def test_mnist_levels(name, levels, message):
    with pytest.raises(ValueError, match=message):
        chainrule.data.load(name, levels=levels)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"wrong", mtime=0), "MD5 6bbc9ace898e44ae57da46a324031adb, got"),
        (b"no gzip", "expected a gzip file, got a file that cannot be read"),
    ],
    ids=["another", "damaged"],
)
def test_mnist_of_another_content(tmp_path, monkeypatch, content, message):
    monkeypatch.setenv(files.VARIABLE, str(tmp_path))
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        chainrule.data.load("mnist")


def test_binarise_keeps_the_probabilities():
    grey = np.full((200, 784), 64, dtype=np.uint8)
    (drawn,) = mnist.binarise([grey])
    assert abs(drawn.mean() - 64 / 255) < 0.01
    one, two = mnist.binarise([grey[:120], grey[120:]])
    assert np.array_equal(np.concatenate([one, two]), drawn)
    assert not np.array_equal(mnist.binarise([grey], seed=1)[0], drawn)


def test_larochelle_says_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv(files.VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"mnist/binarized_mnist_train\.amat .*put http://www\.cs\.toronto"):
        chainrule.data.load("mnist-larochelle")


def test_larochelle_reads_the_files(tmp_path, monkeypatch):
    monkeypatch.setenv(files.VARIABLE, str(tmp_path))
    monkeypatch.setattr(mnist, "AMAT_COUNTS", {"train": 20, "valid": 9, "test": 8})
    (tmp_path / "mnist").mkdir()
    bits = np.random.RandomState(0).randint(0, 2, (20, 784))
    for split, count in mnist.AMAT_COUNTS.items():
        np.savetxt(tmp_path / "mnist" / f"binarized_mnist_{split}.amat", bits[:count], fmt="%d")
    data = chainrule.data.load("mnist-larochelle")
    check(data, (20, 9, 8))
    assert data.labels is None
    assert torch.equal(data.train[:].flatten(1), torch.from_numpy(bits).float())


@pytest.mark.parametrize(("text", "message"), [("0 1 2", "other characters"), ("0 1 1", r"1568 values\), got 3")])
def test_amat_of_another_content(tmp_path, text, message):
    path = tmp_path / "a.amat"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        mnist.read_amat(path, 2)


def test_damaged_silhouettes_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    (tmp_path / "silhouettes").mkdir()
    path = tmp_path / "silhouettes" / "caltech101_silhouettes_28_split1.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(ValueError, match=r"split1\.mat: expected the file of .* with the SHA-256 .*, got another"):
        chainrule.data.load("silhouettes")


def test_silhouettes_stand_upright_and_objects_are_one(data_folder):
    data = chainrule.data.load("silhouettes")
    check(data, (4_100, 2_264, 2_307))
    assert data.provenance["inverted"]
    images = data.train[:]
    assert images[:, 0, 0, :].mean() < 0.2 < 0.6 < images[:, 0, 14, 14].mean()
    # Things stand on the ground: below the middle there is more of them than above, which columns would not show.
    assert images[:, 0, 14:].mean() > images[:, 0, :14].mean() + 0.01


COUNTS = {
    "nltcs": (16_181, 2_157, 3_236),
    "plants": (17_412, 2_321, 3_482),
    "jester": (9_000, 1_000, 4_116),
    "dna": (1_600, 400, 1_186),
    "mushrooms": (2_000, 500, 5_624),
}


@pytest.mark.parametrize("name", COUNTS)
def test_binary_tables(data_folder, name):
    data = chainrule.data.load(name)
    check(data, COUNTS[name])
    assert data.event_shape == (int(data.description.split()[-2]),)
    expected = np.loadtxt(data_folder / "tabular" / name / f"{name}.valid.data", delimiter=",")
    assert np.array_equal(data.valid[:].numpy(), expected)


def test_a_table_of_another_width(tmp_path, monkeypatch):
    monkeypatch.setenv(files.VARIABLE, str(tmp_path))
    (tmp_path / "tabular" / "nltcs").mkdir(parents=True)
    (tmp_path / "tabular" / "nltcs" / "nltcs.train.data").write_text("0,1\n1,1\n")
    with pytest.raises(ValueError, match="expected 16 columns, got 2"):
        chainrule.data.load("nltcs")


@pytest.mark.parametrize(
    ("name", "levels", "variables"),
    [
        ("shakespeare", 66, {"train": 1_003_854, "valid": 111_540, "test": 111_540}),
        ("names", 28, {}),
        ("wikitext2", None, {}),
    ],
)
def test_texts(data_folder, name, levels, variables):
    data = chainrule.data.load(name)
    assert levels in (None, data.levels)
    assert {split: data.split(split).num_variables for split in variables} == variables
    assert (data.test is data.valid) == (name == "shakespeare"), "published on the part that is validated on"
    if name == "names":
        assert [len(data.split(split)) for split in ("train", "valid", "test")] == [25_627, 3_203, 3_203]
        assert data.event_shape == (16,)
