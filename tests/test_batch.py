"""Batches of examples of every form: in order, each variable comes once, given all of its past."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import chainrule
import chainrule.data
from chainrule.batch import BatchSource, as_source
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.data.audio import AudioFormat, recordings
from chainrule.data.documents import Documents
from chainrule.data.examples import ArrayExamples
from chainrule.data.recordings import Recordings
from chainrule.data.sequences import Stream
from chainrule.models import MADE, RNN, Ensemble, WaveNet
from chainrule.sequence import history_of
from chainrule.tasks.score import surprisals_in_order

LINES = ["anna", "ben", "zoe", "al", "eve", "bo", "cy", "dee", "eva", "ann", "bea", "cleo"]


def stream() -> Stream:
    return Stream(np.random.RandomState(0).randint(0, 4, 150_000), window=10)


def clips() -> Recordings:
    generator = np.random.default_rng(0)
    return recordings([generator.integers(0, 4, n) for n in (5, 70_000, 61)], list("abc"), 20, AudioFormat(8000, 4))


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(LINES))
    examples = chainrule.data.load(path, documents=True).train
    assert isinstance(examples, Documents)
    return examples


def in_order(source: BatchSource, history: float | None, **more: Any) -> list[tuple[int, list[float]]]:
    """The variables that count of every example, put together from all batches."""
    rows: list[tuple[int, list[float]]] = []
    for batch in source.in_order(4, history=history, **more):
        for i, (item, x) in enumerate(zip(batch.item.tolist(), batch.x, strict=True)):
            values = x.flatten().tolist() if batch.counted is None else x[batch.counted[i]].tolist()
            if batch.continues:
                assert rows[-1][0] == item
                rows[-1][1].extend(values)
            else:
                rows.append((item, values))
    return rows


def test_a_stream_comes_in_order_as_one_example_or_as_windows() -> None:
    examples = stream()
    assert in_order(examples, math.inf) == [(0, examples.symbols.tolist())]
    assert in_order(examples, None) == [(i, examples[i].tolist()) for i in range(len(examples))]


@pytest.mark.parametrize("history", [None, 7, math.inf])
def test_recordings_come_in_order_each_once(history: float | None) -> None:
    examples, classes = clips(), torch.tensor([2, 0, 1])
    assert in_order(examples, history) == [(i, levels.tolist()) for i, levels in enumerate(examples.each())]
    for batch in examples.in_order(4, history=history, context=classes):
        assert batch.context is not None
        assert batch.context.tolist() == classes[batch.item].tolist()


def test_documents_come_in_order_and_what_fills_them_up_does_not_count(documents: Documents) -> None:
    end = documents.vocabulary.end
    rows = in_order(documents, None)
    assert [item for item, _ in rows] == list(range(10))
    for item, values in rows:
        assert values == [*documents.vocabulary.encode(documents.text(item)).tolist(), end]
    assert documents.sizes.tolist() == [len(values) for _, values in rows]
    assert documents.count(end) == 10
    assert documents.count(documents.vocabulary.encode("a")[0]) == sum(documents.text(i).count("a") for i in range(10))


def test_a_subset_is_the_examples_at_its_rows(documents: Documents) -> None:
    rows = np.array([2, 0])
    assert torch.equal(documents.subset(rows)[[0, 1]], documents[rows])
    some = clips().subset(rows)
    assert [x.tolist() for x in some.each()] == [list(clips().each())[row].tolist() for row in rows]
    assert some.names == ["c", "a"]


@pytest.mark.parametrize("form", ["stream", "recordings", "documents", "rows"])
def test_surprisals_evaluation_and_log_prob_agree(form: str, documents: Documents) -> None:
    torch.manual_seed(0)
    examples: Any = {
        "stream": Stream(stream().symbols[:3000], 10),
        "recordings": clips().subset(np.array([0, 2])),
        "documents": documents,
        "rows": np.random.RandomState(0).randint(0, 4, (300, 5)),
    }[form]
    levels = 20 if form == "documents" else 4
    end = documents.vocabulary.end if form == "documents" else None
    model = RNN(event_shape=(5,), conditional=Categorical(levels), hidden_size=8, end_symbol=end)
    scored = [
        (item, torch.cat([nats for _, nats in parts]))
        for item, parts in itertools.groupby(surprisals_in_order(model, examples), lambda part: part[0])
    ]
    log_probs = chainrule.tasks.evaluate.log_prob(model, examples).double()
    evaluation = chainrule.evaluate(model, examples)
    assert [item for item, _ in scored] == list(range(len(log_probs)))
    torch.testing.assert_close(-torch.stack([nats.sum() for _, nats in scored]), log_probs, rtol=1e-5, atol=1e-5)
    assert evaluation.nats == pytest.approx(-log_probs.mean().item())
    assert evaluation.examples == len(log_probs)
    assert evaluation.variables == sum(len(nats) for _, nats in scored)
    source = as_source(examples)
    wholes = in_order(source, history_of(model, ragged=source.ragged))
    for (_, nats), (_, values) in zip(scored, wholes, strict=True):
        x = torch.tensor(values, dtype=torch.float32)[None]
        torch.testing.assert_close(nats, -model(x).log_prob(x)[0].double(), rtol=1e-4, atol=1e-4)


def test_an_ensemble_reads_each_batch_once() -> None:
    class Counting(ArrayExamples):
        reads = 0

        def read(self, positions: Any) -> torch.Tensor:
            self.reads += len(positions)
            return super().read(positions)

    torch.manual_seed(0)
    members = [MADE(event_shape=(5,), conditional=Bernoulli(), hidden_sizes=[4]) for _ in range(2)]
    examples = Counting(np.random.RandomState(0).randint(0, 2, (9, 5)), (5,))
    evaluation = chainrule.evaluate(Ensemble(models=members), examples, batch_size=4)
    assert examples.reads == 9
    alone = [chainrule.evaluate(member, examples).nats for member in members]
    assert evaluation.member_nats == pytest.approx(alone, rel=1e-6)
    assert evaluation.nats <= np.mean(alone)


def test_history_is_what_the_model_looks_back_to() -> None:
    wavenet = WaveNet(event_shape=(6,), conditional=Categorical(4), layers=3, residual_channels=4, kernel_size=2)
    assert history_of(wavenet) == wavenet.receptive_field
    assert history_of(RNN(event_shape=(6,), conditional=Categorical(4))) == math.inf
    made = MADE(event_shape=(6,), conditional=Categorical(4))
    assert history_of(made) is None
    with pytest.raises(ValueError, match="recordings expect a model of sequences of any length .*, got MADE"):
        history_of(made, ragged=True)


def test_what_is_refused() -> None:
    source, classes = as_source(torch.zeros(3, 2)), torch.zeros(2)
    for read in (lambda: source.batches(2, context=classes), lambda: list(source.in_order(2, context=classes))):
        with pytest.raises(ValueError, match="context expects one entry for each of 3 examples, got 2"):
            read()
    with pytest.raises(ValueError, match="batch_size expects at least 1, got 0"):
        chainrule.evaluate(MADE(event_shape=(2,), conditional=Bernoulli()), torch.zeros(3, 2), batch_size=0)
    with pytest.raises(ValueError, match="recordings expect a model of sequences of any length"):
        clips().batches(2)
    with pytest.raises(ValueError, match="devices expects at most 4, the lanes .*, got 5"):
        stream().batches(4, history=math.inf, part=(0, 5))
