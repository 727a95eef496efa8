"""Rows that wait in a file: each once an epoch, in an order fixed by seed and epoch, in any number of processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import chainrule
from chainrule.conditionals import Gaussian
from chainrule.data import stored
from chainrule.data.stored import RowFile, StoredExamples
from chainrule.endings import Terminated
from chainrule.models import MADE
from chainrule.training.module import MaximumLikelihood


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "BLOCK_BYTES", 200)
    monkeypatch.setattr(stored, "BUFFER_BLOCKS", 4)


def stored_rows(count: int = 103, columns: int = 3) -> StoredExamples:
    file = RowFile(columns)
    for part in np.array_split(np.arange(count * columns, dtype=np.float32).reshape(count, columns), 4):
        file.append(part)
    return StoredExamples(file)


def test_stored_rows_are_read_in_any_sequence() -> None:
    examples, every = stored_rows(), torch.arange(309.0).reshape(103, 3)
    for some in ([5, 3, 4, 102, 0, 3], slice(2, None, 7), [], 17, -1):
        assert torch.equal(examples[some], every[some])


@pytest.mark.usefixtures("small_blocks")
def test_an_epoch_has_each_row_once_in_an_order_of_its_own() -> None:
    examples = stored_rows()
    sequences = []
    for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0)):
        batches = list(examples.batches(10, seed=seed, epoch=epoch))
        assert [len(batch.x) for batch in batches] == [10] * 10 + [3]
        assert all(torch.equal(batch.x, examples[batch.item]) for batch in batches)
        sequences.append(torch.cat([batch.item for batch in batches]).tolist())
        assert sorted(sequences[-1]) == list(range(103))
    assert sequences[0] == sequences[1]
    assert len({tuple(sequence) for sequence in sequences}) == 3


@pytest.mark.usefixtures("small_blocks")
def test_a_batch_is_known_by_its_number_and_processes_share_it() -> None:
    examples, labels = stored_rows(), torch.arange(103) % 5
    whole = list(examples.batches(10, seed=2, context=labels))
    later = list(examples.batches(10, seed=2, context=labels).between(7, 11))
    assert [batch.item.tolist() for batch in later] == [batch.item.tolist() for batch in whole[7:]]
    halves = [list(examples.batches(10, seed=2, context=labels, part=(rank, 2))) for rank in (0, 1)]
    for batch, *own in zip(whole, *halves, strict=True):
        assert sorted(batch.item.tolist()) == sorted(own[0].item.tolist() + own[1].item.tolist())
        assert batch.context is not None
        assert torch.equal(batch.context, labels[batch.item])


def test_a_validation_and_an_evaluation_read_in_order() -> None:
    examples = stored_rows()
    for batches in (examples.batches(10), examples.in_order(7)):
        assert torch.cat([batch.x for batch in batches]).equal(examples[:])


def test_the_order_is_shuffled_within_and_between_blocks() -> None:
    examples = stored_rows(100_000, 4)
    item = torch.cat([batch.item for batch in examples.batches(1000, seed=0)]).double()
    place = torch.arange(len(item)).double()
    assert abs(torch.corrcoef(torch.stack([item, place]))[0, 1]) < 0.1
    assert (item.diff().abs() == 1).double().mean() < 0.01


@pytest.mark.usefixtures("small_blocks")
def test_a_training_goes_on_in_the_middle_of_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, step = RowFile(3), MaximumLikelihood.forward
    file.append((stored_rows()[:] / 100).sin().numpy())
    calls = 0

    def ending(self: MaximumLikelihood, *arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *arguments)

    def fitted(name: str, **more: Any) -> MADE:
        torch.manual_seed(0)
        model = MADE(event_shape=(3,), conditional=Gaussian(), hidden_sizes=[8])
        settings = {"batch_size": 10, "validate_every": 8, "max_steps": 16, "verbose": False}
        chainrule.fit(model, StoredExamples(file), StoredExamples(file)[:10], out=tmp_path / name, **settings, **more)
        return model

    whole = fitted("whole")
    with monkeypatch.context() as patch:
        patch.setattr(MaximumLikelihood, "forward", ending)
        with pytest.raises(Terminated):
            fitted("parts")
    resumed = fitted("parts", resume=True)
    assert calls == 6
    assert all(torch.equal(one, two) for one, two in zip(whole.parameters(), resumed.parameters(), strict=True))
