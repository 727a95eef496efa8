"""WaveNet on text: documents that end, and a stream of characters."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

import chainrule
from chainrule.cli import main
from chainrule.conditionals import Categorical
from chainrule.data.documents import PAST
from chainrule.models import WaveNet
from chainrule.models.rnn import RNN
from chainrule.sequence import history_of
from chainrule.training import Training
from chainrule.training.module import MaximumLikelihood

END = 2


def wavenet() -> WaveNet:
    torch.manual_seed(0)
    return WaveNet(
        event_shape=(8,), conditional=Categorical(4), layers=3, residual_channels=5, skip_channels=6, end_symbol=END
    )


def test_after_the_end_there_is_only_the_end() -> None:
    model = wavenet()
    x = torch.tensor([[0.0, 1, END, END, END], [0.0, 1, 3, 1, 1]])
    log_probs = model(x).log_prob(x)
    assert (log_probs[0, 3:] == 0).all()
    assert (log_probs[1] < 0).all()
    assert model.log_prob(torch.tensor([[0.0, END, 1.0]])).item() == -math.inf
    assert model.log_prob(x[:1, :3]).item() == pytest.approx(model.log_prob(x[:1]).item(), rel=1e-5)


def test_a_carried_state_knows_the_end() -> None:
    model = wavenet()
    x = torch.tensor([[0.0, 1, END, END, END, END], [0.0, 1, 3, 1, END, END]])
    whole, state, previous, parts = model(x).logits, model.start(2), None, []
    for values in x.split(2, dim=1):
        distribution, state = model.advance(state, previous, values)
        parts.append(distribution.logits)
        previous = values[:, -1]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


def test_samples_end_and_stay_ended() -> None:
    x = chainrule.sample(wavenet(), 200, seed=0)
    ends = (x == END).long().cumsum(1) > 0
    assert (x[ends] == END).all()
    assert 0 < ends[:, -1].sum() <= 200


def test_features_are_those_up_to_the_end() -> None:
    model = wavenet()
    short = model.features(torch.tensor([[0.0, 1, END]]))
    torch.testing.assert_close(model.features(torch.tensor([[0.0, 1, END, END, END]])), short)


def test_the_start_counts_values_up_to_the_end() -> None:
    x = torch.tensor([[0.0, 1, 0, 3, END, END, END, END]])
    model, network = wavenet(), RNN(event_shape=(8,), conditional=Categorical(4), hidden_size=4, end_symbol=END)
    model.start_at(x)
    network.start_at(x)
    torch.testing.assert_close(model.output[-1].bias, network.output.bias)  # type: ignore[union-attr]


def test_wrong_ends_are_refused() -> None:
    with pytest.raises(ValueError, match="end_symbol expects a value of .*, got 4"):
        WaveNet(event_shape=(8,), conditional=Categorical(4), end_symbol=4)


@pytest.mark.parametrize("documents", [True, False])
def test_commands_fit_text(tmp_path: Path, capsys: pytest.CaptureFixture[str], documents: bool) -> None:
    file, run = tmp_path / "names.txt", tmp_path / "run"
    file.write_text("\n".join(["ann", "bob", "carla", "dan", "eve"] * 400) + "\n")
    model = ["--model", "WaveNet", "--model.layers", "3", "--model.residual_channels", "8", "--max-steps", "20"]
    assert main(["fit", str(file), *model, *["--documents"] * documents, "--out", str(run)]) in (0, None)
    assert main(["evaluate", str(run)]) in (0, None)
    assert main(["score", str(run), str(file), "-n", "2"]) in (0, None)
    assert main(["sample", str(run), "-n", "5", "--out", str(tmp_path / "new.txt"), "--length", "30"]) in (0, None)
    assert len((tmp_path / "new.txt").read_text()) > 5


def test_pieces_of_long_documents_have_the_conditionals_of_whole_ones(tmp_path: Path) -> None:
    """The losses of training add up to -log p of the documents, as the past of a piece is longer than WaveNet's."""
    path = tmp_path / "long.txt"
    path.write_text("".join("abcab"[i % 3 :] * (3 + 700 * (i % 4)) + "\n" for i in range(20)))
    data = chainrule.data.load(path, documents=True)
    torch.manual_seed(0)
    end = data.format.vocabulary.end
    shape, family = data.event_shape, Categorical(data.levels)
    model = WaveNet(event_shape=shape, conditional=family, layers=4, residual_channels=8, end_symbol=end)
    assert history_of(model) < PAST
    module = MaximumLikelihood(model.eval(), Training())
    with torch.no_grad():
        batches = list(data.train.batches(3, seed=0, history=history_of(model)))
        trained = sum(float(module.losses(batch).sum()) for batch in batches)
        assert sum(len(batch.x) for batch in batches) > len(data.train), "some are read in pieces"
        whole = sum(float(-model.log_prob(data.train[[i]])) for i in range(len(data.train)))
    assert trained == pytest.approx(whole, rel=1e-5)
