"""Text: vocabularies, streams, documents, and the training and evaluation that carry a state through a stream."""

import itertools
import math
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule.conditionals import Categorical
from chainrule.data import Vocabulary
from chainrule.data.documents import Documents
from chainrule.data.read import text as text_file
from chainrule.data.read.text import lines_of, read_symbols, read_text
from chainrule.data.sequences import Stream
from chainrule.data.text import TextFormat
from chainrule.kinds.requests import Completing, Drawing, Source
from chainrule.kinds.text import TextKind
from chainrule.models import MADE, RNN
from chainrule.runs import evaluate_split
from chainrule.sequence import history_of
from chainrule.training import Training
from chainrule.training.module import MaximumLikelihood

LINES = ["anna", "ben", "", "zoë", "al", "eve", "bo", "cy", "dee", "éva", "ann", "bea", "cleo"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lines.txt"
    path.write_bytes("\n".join(LINES).replace("ben\n", "ben\r\n").encode())
    return path


def test_characters_and_bytes() -> None:
    characters, octets = Vocabulary("abc\n"), Vocabulary(None)
    assert (len(characters), len(octets)) == (5, 256)
    assert characters.encode("cab\n").tolist() == [3, 1, 2, 0]
    assert characters.encode("aéz").tolist() == [1, 4, 4], "unseen characters are one symbol"
    assert characters.decode([1, 4]) == "a\ufffd"
    assert octets.encode("é").tolist() == [0xC3, 0xA9]
    assert octets.decode([0xC3, 0xA9, 0xFF]) == "é\ufffd"
    assert (characters.end, octets.end) == (0, 10)
    with pytest.raises(ValueError, match="expected characters of the training text .* got 'z' at character 1"):
        characters.encode("az", strict=True)
    assert Vocabulary(**characters.config).characters == characters.characters
    assert Vocabulary("").encode("x").tolist() == [0]


def test_a_stream_is_cut_once(tmp_path: Path) -> None:
    path = tmp_path / "stream.txt"
    text = "äöüb" * 101
    path.write_text(text)
    raw = path.read_bytes()
    cuts = [int(part * len(raw)) for part in (0.8, 0.9)]
    assert any(raw[cut] & 0xC0 == 0x80 for cut in cuts), "a part would begin within a character"
    data = chainrule.data.load(path, window=10)
    assert isinstance(data.format, TextFormat)
    assert data.levels == 5
    splits = [data.train, data.valid, data.test]
    symbols = np.concatenate([split.symbols for split in splits if isinstance(split, Stream)])
    assert data.format.vocabulary.decode(symbols) == text, "no character is lost or doubled where a part begins"
    assert data.train[1].tolist() == symbols[10:20].tolist()
    assert data.train.num_variables == len(data.train.symbols)  # type: ignore[attr-defined]
    octets = chainrule.data.load(path, window=10, vocabulary="bytes")
    assert octets.levels == 256
    assert bytes(octets.train[0].byte().tolist()) == text.encode()[:10]


def test_documents_are_lines(file: Path) -> None:
    data = chainrule.data.load(file, documents=True, seed=3)
    splits = [data.train, data.valid, data.test]
    texts = [data.format.decode(x) for split in splits for x in split[:]]  # type: ignore[union-attr]
    unknown = [text.replace("\ufffd", "?") for text in texts]
    assert len(texts) == len(LINES) - 1
    assert data.event_shape == (5,)
    assert all(any(len(text) == len(line) for line in LINES) for text in unknown)
    assert isinstance(data.train, Documents)
    seen = sorted(data.train.text(i) for i in range(len(data.train)))
    assert set(seen) <= set(LINES)
    assert len(seen) == 10
    assert data.train.num_variables == sum(map(len, seen)) + 10
    octets = chainrule.data.load(file, documents=True, vocabulary="bytes")
    assert octets.event_shape == (5,)
    assert octets.levels == 256


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_files_are_read_in_chunks(file: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(text_file, "CHUNK", chunk)
    content = file.read_bytes().decode()
    assert "".join(read_text(file)) == content
    vocabulary = Vocabulary(content)
    assert vocabulary.decode(itertools.chain(*read_symbols(file, vocabulary))) == content
    broken = file.with_name("broken.txt")
    for position, what in ((7, b"\xff"), (0, b"\x80"), (len(file.read_bytes()), b"\xc3")):
        raw = file.read_bytes()
        broken.write_bytes(raw[:position] + what + raw[position:])
        with pytest.raises(ValueError, match=rf"expected UTF-8, got an invalid byte at offset {position} "):
            list(read_text(broken))


@given(
    pieces=st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"\r", "é".encode()]), min_size=1),
    chunk=st.integers(1, 9),
)
def test_lines_are_those_between_their_ends(pieces: list[bytes], chunk: int) -> None:
    raw = b"".join(pieces)
    expected = [line.removesuffix(b"\r") for line in raw.removesuffix(b"\n").split(b"\n")]
    with tempfile.NamedTemporaryFile() as file, mock.patch.object(text_file, "CHUNK", chunk):
        file.write(raw)
        file.flush()
        assert [raw[start:stop] for start, stop in lines_of(Path(file.name))] == expected


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "expected text, got an empty file"),
        ("short", {}, "expected a train part of at least 8 characters, the window, got 4"),
        ("a\nb\n", {"documents": True}, "expected at least 3 examples to split"),
        ("text", {"window": 0}, "window expects at least 1, got 0"),
        ("text", {"vocabulary": "words"}, "vocabulary expects characters or bytes, got 'words'"),
        ("text", {"levels": 3}, "expected no levels, as .* is text"),
    ],
)
def test_wrong_text(tmp_path: Path, content: str, options: dict[str, Any], message: str) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        chainrule.data.load(path, **options)
    with pytest.raises(ValueError, match="expected no window, as digits is no text and no recordings, got window=3"):
        chainrule.data.load("digits", window=3)


@pytest.mark.parametrize(
    ("count", "lanes", "window"), [(400, 4, 10), (403, 4, 10), (199, 8, 10), (35, 8, 10), (10, 3, 10)]
)
def test_lanes(count: int, lanes: int, window: int) -> None:
    stream = Stream(np.arange(count), window)
    validation = list(stream.batches(lanes, history=math.inf))
    pieces = [set(row.tolist()) for batch in validation for row in batch.x]
    covered = set().union(*pieces)
    assert sum(map(len, pieces)) == len(covered) > count - len(validation[0].x), "each symbol once"
    training = stream.batches(lanes, seed=1, history=math.inf)
    batches = [batch.x for batch in training]
    assert len(batches) == len(training)
    assert all(x.shape[1] == window for x in batches)
    assert [batch.continues for batch in training] == [False] + [True] * (len(batches) - 1)
    firsts = np.array([x[:, 0].tolist() for x in batches])
    assert (np.diff(firsts, axis=0) == window).all(), "a lane goes on where it was"
    assert firsts.min() >= 0
    assert firsts.max() + window <= count
    assert all(torch.equal(batch.x, x) for batch, x in zip(training, batches, strict=True))
    others = [batch.x for batch in stream.batches(lanes, seed=1, epoch=1, history=math.inf)]
    spare = count - len(batches[0]) * len(batches) * window
    different = not all(torch.equal(one, other) for one, other in zip(batches, others, strict=True))
    assert different == (spare > 1), "an epoch leaves another remainder out, where there is one"
    assert len(batches[0]) == max(1, min(lanes, count // (8 * window))), "no lane is shorter than eight windows"


def test_the_state_is_carried_in_training_and_in_evaluation(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("abcabdabe" * 40)
    data = chainrule.data.load(path, window=8)
    assert isinstance(data.valid, Stream)
    torch.manual_seed(0)
    model = RNN(event_shape=(8,), conditional=Categorical(data.levels), hidden_size=16, cell="gru")
    module = MaximumLikelihood(model, Training())
    windows = list(data.valid.batches(1, history=history_of(model)))
    carried = torch.cat([module.losses(batch) for batch in windows])
    whole = -model(x := torch.from_numpy(data.valid.symbols.astype(np.float32))[None]).log_prob(x)[0]
    assert torch.allclose(carried, whole, atol=1e-5), "windows of one lane are the whole stream"
    done = chainrule.fit(model, data.train, data.valid, max_epochs=2, batch_size=1, verbose=False)
    evaluation, figures = evaluate_split(model, data, "valid")
    assert (evaluation.examples, evaluation.variables) == (1, len(data.valid.symbols))
    assert figures["characters"] == evaluation.variables
    assert figures["nats_per_character"] == pytest.approx(done.best_nats, rel=1e-4)
    assert figures["bits_per_character"] == pytest.approx(figures["nats_per_character"] / math.log(2))
    assert figures["perplexity"] == pytest.approx(math.exp(done.best_nats), rel=1e-4)


def test_a_resumed_stream_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the quick brown fox jumps over the lazy dog\n" * 30)
    data = chainrule.data.load(path, window=16)

    def fitted(out: Path, epochs: int, **more: Any) -> list[float]:
        torch.manual_seed(0)
        model = RNN(event_shape=(16,), conditional=Categorical(data.levels), hidden_size=8, dropout=0.1)
        settings: dict[str, Any] = {"batch_size": 4, "schedule": "constant", "verbose": False} | more
        done = chainrule.fit(model, data.train, data.valid, out=out, max_epochs=epochs, **settings)
        return [row["valid_nats"] for row in done.history]

    whole = fitted(tmp_path / "whole", 4)
    fitted(tmp_path / "part", 2)
    assert fitted(tmp_path / "part", 4, resume=True) == whole


@pytest.mark.parametrize("window", [15, 16])
def test_a_model_of_another_order_reads_windows(tmp_path: Path, window: int) -> None:
    """Its conditionals are not those of a stream: it is trained on what it is evaluated on."""
    path = tmp_path / "text.txt"
    path.write_text("abcdefghijklmnop" * 60)
    data = chainrule.data.load(path, window=window)
    model = RNN(
        event_shape=(window,), conditional=Categorical(data.levels), hidden_size=8, cell="gru", order="reversed"
    )
    done = chainrule.fit(model, data.train, data.valid, max_epochs=2, verbose=False)
    evaluation, _ = chainrule.evaluate_split(model, data, "valid")
    assert done.best_nats == pytest.approx(evaluation.nats, rel=1e-5)
    assert evaluation.examples == len(data.valid)


def test_more_processes_than_lanes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("abcdefgh" * 60)
    data = chainrule.data.load(path, window=8)
    model = RNN(event_shape=(8,), conditional=Categorical(data.levels), hidden_size=4)
    with pytest.raises(ValueError, match="devices expects at most 1, the lanes that the stream is cut into, got 2"):
        chainrule.fit(model, data.train, data.valid, devices=2, strategy="ddp", batch_size=1, verbose=False)


def test_a_file_of_any_name_is_text_where_a_vocabulary_is_given(tmp_path: Path) -> None:
    path = tmp_path / "any.bin"
    path.write_bytes(bytes(range(256)) * 8)
    data = chainrule.data.load(path, vocabulary="bytes", window=16)
    assert isinstance(data.format, TextFormat)
    assert data.format.join(data.train[:2]) == bytes(range(16)) + b"\n\n" + bytes(range(16, 32))
    with pytest.raises(ValueError, match="window expects a stream, got 3 for documents"):
        chainrule.data.load(path, vocabulary="bytes", documents=True, window=3)


def test_other_models_take_text_too(file: Path) -> None:
    data = chainrule.data.load(file, documents=True)
    model = MADE(event_shape=data.event_shape, conditional=Categorical(data.levels), hidden_sizes=[8])
    evaluation, figures = evaluate_split(model, data, "train")
    assert figures["nats_per_character"] * data.train.num_variables == pytest.approx(evaluation.nats * len(data.train))


@pytest.mark.parametrize("order", ["raster", "reversed"], ids=["sequence", "whole examples"])
def test_a_value_that_is_not_drawn_leaves_the_others_their_probabilities(order: str) -> None:
    """p(x) becomes the product of p(x_t | x_<t, x_t is another value): compared with all sequences of length 3."""
    torch.manual_seed(0)
    model = RNN(event_shape=(3,), conditional=Categorical(3), hidden_size=8, cell="gru", order=order)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    every = torch.cartesian_prod(*[torch.arange(2.0)] * 3)
    logits = model(every).logits.detach().log_softmax(-1).double()
    own = logits.gather(-1, every.long()[..., None]).squeeze(-1)
    p = (own - logits[..., :2].logsumexp(-1)).sum(1).exp()
    assert float(p.sum()) == pytest.approx(1)
    count = 4000
    drawn = chainrule.sample(model, count, seed=1, undrawn=2)
    assert (chainrule.sample(model, 100, seed=1) == 2).any(), "else there is nothing to leave out"
    assert (drawn < 2).all()
    found = (drawn[:, None] == every).all(2).sum(0) / count
    assert ((found - p).abs() < 5 * (p * (1 - p) / count).sqrt()).all()
    assert torch.equal(chainrule.sample(model, count, seed=1, undrawn=2), drawn)
    assert (chainrule.sample(model, 50, seed=1, undrawn=2, temperature=2.0) < 2).all()
    assert (chainrule.sample(model, 50, seed=1, undrawn=2, top_k=1) < 2).all()


def test_samples_of_text_have_no_unknown_symbol(tmp_path: Path) -> None:
    vocabulary = Vocabulary("ab\n")
    model = RNN(event_shape=(8,), conditional=Categorical(4), hidden_size=4, cell="gru")
    with torch.no_grad():
        model.start_at(torch.full((100, 8), float(vocabulary.unknown)))  # hardly anything else is probable
    kind = TextKind(TextFormat(vocabulary, documents=False))
    (tmp_path / "start.txt").write_text("ab")
    (tmp_path / "all.txt").write_text("ab\n" * 99)
    source = Source(tmp_path / "start.txt", lambda: pytest.fail("it is read from the file"), "test", {})
    kind.complete(model, Completing(source, tmp_path / "done.txt", Drawing(), draws=20, length=20))
    kind.leave_samples(model, chainrule.data.load(tmp_path / "all.txt", vocabulary=vocabulary), tmp_path)
    for name in ("done.txt", "samples.txt"):
        assert "\ufffd" not in (tmp_path / name).read_text()
