import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import chainrule.data
from chainrule.data.dataset import split_rows
from chainrule.data.examples import ArrayExamples, DynamicExamples

ARRAY = np.arange(40, dtype=np.uint8).reshape(10, 4)


@pytest.mark.parametrize(
    ("indices", "rows"),
    [
        ([3, 1], [3, 1]),
        (slice(2, 8, 2), [2, 4, 6]),
        (range(4), [0, 1, 2, 3]),
        (torch.tensor([9, -1]), [9, 9]),
        (torch.arange(10) > 7, [8, 9]),
        (np.array([5]), [5]),
        ([], []),
        (slice(-2, None), [8, 9]),
    ],
)
def test_indices_of_every_kind(indices, rows):
    batch = ArrayExamples(ARRAY, (2, 2))[indices]
    assert batch.dtype == torch.float32
    assert batch.shape == (len(rows), 2, 2)
    assert torch.equal(batch, torch.from_numpy(ARRAY[rows].astype(np.float32)).reshape(-1, 2, 2))


@pytest.mark.parametrize("index", [3, -7, np.int64(3), torch.tensor(3)])
def test_one_index_gives_one_example(index):
    assert ArrayExamples(ARRAY, (4,))[index].tolist() == [12, 13, 14, 15]


@pytest.mark.parametrize("indices", [10, -11, [0, 10], [0.5], [[1]], torch.ones(3, dtype=torch.bool)])
def test_wrong_indices(indices):
    with pytest.raises(IndexError, match="expect"):
        ArrayExamples(ARRAY, (4,))[indices]


def test_iteration_ends():
    assert len(list(ArrayExamples(ARRAY, (4,), rows=np.array([2, 7])))) == 2


def test_works_with_a_data_loader():
    loader = torch.utils.data.DataLoader(ArrayExamples(ARRAY, (4,)), batch_size=4)
    assert [tuple(batch.shape) for batch in loader] == [(4, 4), (4, 4), (2, 4)]


@given(count=st.integers(3, 500), seed=st.integers(0, 2**32 - 1))
def test_splits_are_disjoint_complete_and_fixed_by_the_seed(count, seed):
    rows = split_rows(count, seed, "rows")
    assert sorted(np.concatenate(list(rows.values()))) == list(range(count))
    assert min(map(len, rows.values())) >= 1
    assert len(rows["valid"]) == len(rows["test"]) == max(1, count // 10)
    again = split_rows(count, seed, "rows")
    assert all(np.array_equal(rows[split], again[split]) for split in rows)


def test_dynamic_draws_follow_torch_and_change():
    examples = DynamicExamples(np.full((2, 400), 128, dtype=np.uint8), (400,))
    torch.manual_seed(0)
    first, second = examples[:], examples[:]
    torch.manual_seed(0)
    assert torch.equal(first, examples[:])
    assert not torch.equal(first, second)
    assert set(first.unique().tolist()) == {0, 1}
    certain = DynamicExamples(np.array([[0, 255]], dtype=np.uint8), (2,))
    assert certain[0].tolist() == [0, 1]


def test_a_memory_mapped_array_is_pickled_by_its_path(tmp_path):
    path = tmp_path / "large.npy"
    np.save(path, np.arange(100_000).reshape(-1, 10) % 2)
    examples = ArrayExamples(np.load(path, mmap_mode="r"), (10,))
    content = pickle.dumps(examples)
    assert len(content) < 2_000
    copy = pickle.loads(content)
    assert isinstance(copy.array, np.memmap)
    assert torch.equal(copy[:5], examples[:5])


def test_split_names():
    data = chainrule.data.load("digits")
    assert data.split("valid") is data.valid
    with pytest.raises(ValueError, match="expects train, valid or test, got 'tets', did you mean test"):
        data.split("tets")


def test_names_are_listed_without_heavy_imports():
    code = (
        "import sys, chainrule.data as data; data.NAMES;"
        "heavy = {'torch', 'numpy', 'polars', 'sklearn', 'scipy', 'PIL', 'pooch'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("spec", "message"),
    [("mnits", "did you mean mnist"), ("nltc", "did you mean nltcs"), ("zzz", "got 'zzz'$")],
)
def test_unknown_names_suggest_the_nearest(spec, message):
    with pytest.raises(ValueError, match=message):
        chainrule.data.load(spec)


@pytest.mark.parametrize("levels", [1, 0, -3, True])
def test_too_few_levels(levels):
    with pytest.raises(ValueError, match="levels expects an integer of at least 2"):
        chainrule.data.load("digits", levels=levels)
