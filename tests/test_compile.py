"""Training with a compiled loss."""

import shutil
from pathlib import Path

import pytest
import torch

import chainrule
from chainrule.conditionals import Bernoulli, Categorical
from chainrule.data.text import load_text
from chainrule.models import FVSBN, RNN


@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_compiled_loss_is_the_loss() -> None:
    x = torch.bernoulli(torch.full((40, 6), 0.5))
    histories = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = FVSBN(event_shape=(6,), conditional=Bernoulli())
        for parameter in model.parameters():
            # At zero some gradients are zero but for rounding, whose sign Adam would follow.
            torch.nn.init.normal_(parameter, std=0.1)
        done = chainrule.fit(model, x[:30], x[30:], max_epochs=2, batch_size=20, compile=compiled, verbose=False)
        histories.append([row[name] for row in done.history for name in ("train_nats", "valid_nats")])
    assert histories[1] == pytest.approx(histories[0], rel=1e-5)
    assert histories[0][0] != histories[0][2]


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    model = FVSBN(event_shape=(2,), conditional=Bernoulli())
    with pytest.raises(ValueError, match=r"compile expects a C\+\+ compiler, .*, found none"):
        chainrule.fit(model, torch.zeros(4, 2), torch.zeros(4, 2), compile=True, device="cpu")


def test_streams_are_not_compiled(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abcab" * 200)
    text = load_text(tmp_path / "a.txt", seed=0, window=8)
    model = RNN(event_shape=(8,), conditional=Categorical(text.levels), hidden_size=4)
    with pytest.raises(ValueError, match="compile expects examples, got a stream"):
        chainrule.fit(model, text.train, text.valid, compile=True)
