"""log_prob as a graph: exported, and compiled whole; the values are checked in eager mode only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from chainrule import models
from chainrule.conditionals import (
    Bernoulli,
    Categorical,
    Columns,
    DiscretizedLogisticMixture,
    Gaussian,
    GaussianMixture,
    LogisticMixture,
    Standardised,
    WithMissing,
)
from chainrule.model import AutoregressiveModel
from chainrule.testing import randomised
from chainrule.testing.probes import random_events
from chainrule.testing.subjects import random_context

BITS, LETTERS = Bernoulli(), Categorical(3)
COLUMNS = Columns([BITS, Standardised(WithMissing(GaussianMixture(2)), 1.0, 2.0), LETTERS, LogisticMixture(2)])
ROW, IMAGE = {"event_shape": (5,), "conditional": BITS}, {"event_shape": (1, 3, 3), "conditional": BITS}
TEXT = {"event_shape": (5,), "conditional": LETTERS, "hidden_size": 4}
LETTERS_IN_A_ROW = torch.tensor([[0.0, 1, 2, 0, 1], [1, 1, 0, 2, 2], [2, 0, 1, 2, 0]])
WAVES = {"layers": 2, "residual_channels": 4, "skip_channels": 4}


def counted(model: models.RNN) -> models.RNN:
    """A model whose n-grams have counted some texts."""
    model.count([(LETTERS_IN_A_ROW, None)])
    return model


MODELS: dict[str, Callable[[], AutoregressiveModel]] = {
    "FVSBN": partial(models.FVSBN, **ROW, num_classes=2),
    "FVSBN Gaussian": partial(models.FVSBN, event_shape=(3,), conditional=Gaussian()),
    "FVSBN columns": partial(models.FVSBN, event_shape=(4,), conditional=COLUMNS),
    "MLP": partial(models.MLP, **ROW, hidden_size=4),
    "NADE": partial(models.NADE, **ROW, hidden_size=4),
    "NADE any order": partial(models.NADE, **ROW, hidden_size=4, num_layers=2, order_agnostic=True),
    "MADE": partial(models.MADE, **ROW, hidden_sizes=[6], direct=True, num_masks=2, order="random"),
    "RNN": partial(models.RNN, **TEXT, num_classes=2),
    "RNN documents": partial(models.RNN, **TEXT, cell="gru", end_symbol=2),
    "RNN LSTM": partial(models.RNN, **TEXT, cell="lstm", num_layers=2),
    "RNN with n-grams": lambda: counted(models.RNN(**TEXT, cell="lstm", ngram_order=2, ngram_share=0.7)),
    "WaveNet": partial(models.WaveNet, event_shape=(5,), conditional=LETTERS, **WAVES),
    "WaveNet frames": partial(models.WaveNet, **ROW, **WAVES, frame_size=2, hop=2),
    "PixelCNN": partial(models.PixelCNN, **IMAGE, hidden_size=4, num_blocks=1, num_classes=2),
    "PixelCNN patches": partial(models.PixelCNN, **IMAGE, hidden_size=4, num_blocks=1, patch_size=2),
    "GatedPixelCNN": partial(models.GatedPixelCNN, **IMAGE, hidden_size=4, num_layers=2),
    "PixelCNNPlusPlus": partial(
        models.PixelCNNPlusPlus,
        event_shape=(3, 2, 2),
        conditional=DiscretizedLogisticMixture(4, 2),
        hidden_size=4,
        num_blocks=1,
    ),
    "PixelRNN": partial(models.PixelRNN, event_shape=(1, 2, 2), conditional=BITS, hidden_size=4, num_layers=1),
    "PixelRNN row": partial(models.PixelRNN, **IMAGE, hidden_size=4, num_layers=1, cell="row"),
    "Table": partial(models.Table, event_shape=(4,), conditional=BITS),
    "BayesNet": partial(models.BayesNet, event_shape=(4,), conditional=BITS, structure="previous:2"),
    "Ensemble": lambda: models.Ensemble(models=[models.MADE(**ROW, hidden_sizes=[6], num_masks=2)], variants=2),
}


class LogProb(nn.Module):
    """log_prob as the forward pass of a module, which is what torch exports."""

    def __init__(self, model: AutoregressiveModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.model.log_prob(x, context)


def given(name: str) -> tuple[AutoregressiveModel, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """A model, and two batches of arguments of its log_prob."""
    torch.manual_seed(0)
    model = randomised(MODELS[name]()).eval()
    batches = []
    for _ in range(2):
        x = random_events(model, 3)[:3]
        context = random_context(model, 3)
        batches.append((x,) if context is None else (x, context))
    return model, *batches


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize("name", MODELS)
def test_log_prob_can_be_exported(name: str) -> None:
    model, first, second = given(name)
    with torch.no_grad():
        program = torch.export.export(LogProb(model), first).module()
        for batch in (first, second):
            torch.testing.assert_close(program(*batch), model.log_prob(*batch), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize("name", MODELS)
def test_log_prob_compiles_as_one_graph(name: str) -> None:
    model, first, second = given(name)
    torch.compiler.reset()
    compiled = torch.compile(model.log_prob, fullgraph=True, backend="eager")
    for batch in (first, second):
        torch.testing.assert_close(compiled(*batch), model.log_prob(*batch), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize("name", ["NADE", "RNN", "RNN LSTM", "PixelCNN"])
def test_the_graph_has_the_same_gradient(name: str) -> None:
    model, batch, _ = given(name)
    torch.compiler.reset()
    gradients = []
    for function in (torch.compile(model.log_prob, fullgraph=True, backend="aot_eager"), model.log_prob):
        model.zero_grad()
        function(*batch).sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore")  # torch's own
def test_values_are_checked_in_eager_mode_only() -> None:
    model = models.FVSBN(**ROW, num_classes=2)
    x, labels = torch.full((2, 5), 0.5), torch.tensor([0, 1])
    with pytest.raises(ValueError, match="expects values 0 or 1, got 0.5"):
        model.log_prob(x, labels)
    torch.compiler.reset()
    compiled = torch.compile(model.log_prob, fullgraph=True, backend="eager")
    assert compiled(x, labels).isfinite().all()
    with pytest.raises(Exception, match="expects examples of shape"):
        compiled(x[:, :4], labels)
