"""Matrix products in bfloat16: every model of the zoo keeps its distribution up to their rounding."""

import pytest
import torch
from torch import Tensor
from zoo import CONDITIONALS, MODELS

import chainrule
from chainrule.devices import multiplies_in_half
from chainrule.model import AutoregressiveModel
from chainrule.testing import randomised
from chainrule.testing.subjects import contexts

EVENTS = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)


def one_context(model: AutoregressiveModel, count: int) -> Tensor | None:
    """The same class, or frames, of ``count`` examples, for a model that is conditioned on some."""
    context = contexts(model)[-1]
    return None if context is None else context.expand(count, *context.shape[1:])


@pytest.mark.parametrize("conditional", CONDITIONALS)
@pytest.mark.parametrize("name", MODELS)
def test_log_probabilities_are_single(name: str, conditional: str) -> None:
    torch.manual_seed(0)
    model = randomised(MODELS[name](event_shape=(4,), conditional=CONDITIONALS[conditional])).eval()
    context = one_context(model, 16)
    expected = model.log_prob(EVENTS, context)
    if any(getattr(part, "cell", None) == "lstm" for part in model.modules()) and not multiplies_in_half("cpu"):
        pytest.skip("torch's LSTM fails in bfloat16 on a processor that has no instructions for it")
    with torch.autocast("cpu", torch.bfloat16):
        found = model.log_prob(EVENTS, context)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=0.2)


@pytest.mark.parametrize("name", MODELS)
def test_samples_agree_with_p(name: str) -> None:
    torch.manual_seed(0)
    model = randomised(MODELS[name](event_shape=(4,), conditional=CONDITIONALS["Bernoulli"])).eval()
    context = one_context(model, 4000)
    x = chainrule.sample(model, 4000, seed=0, context=context, precision="bf16-mixed")
    assert x.dtype == torch.float32
    counts = (x @ torch.tensor([8.0, 4.0, 2.0, 1.0])).long().bincount(minlength=16)
    p = model.log_prob(EVENTS, None if context is None else context[:16]).exp()
    assert (counts / 4000 - p).abs().sum() / 2 < 0.06
