"""Models that share their weights: orders of an order-agnostic NADE, masks of a MADE."""

import itertools

import pytest
import torch

from chainrule.conditionals import Bernoulli, Categorical
from chainrule.models import MADE, NADE
from chainrule.order import Order
from chainrule.testing import randomised

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("layers", [1, 2])
def test_the_order_agnostic_loss_is_unbiased(layers: int) -> None:
    """Its mean is that of -log p(x) over all orders, and it is what the parallel pass of each order says."""
    conditional = Categorical(3)
    nade = NADE(event_shape=(3,), conditional=conditional, hidden_size=6, num_layers=layers, order_agnostic=True)
    model = randomised(nade, scale=2.0).eval()
    x = torch.tensor([[0.0, 2.0, 1.0]])
    orders = [model.reordered(order) for order in itertools.permutations(range(3))]
    expected = -torch.cat([order.log_prob(x) for order in orders if order is not None]).mean().item()
    torch.manual_seed(0)
    losses = model.loss(x.expand(60_000, -1)).detach()
    assert losses.mean().item() == pytest.approx(expected, abs=4 * losses.std().item() / 60_000**0.5)


def test_the_loss_of_many_masks_is_one_of_theirs() -> None:
    made = MADE(event_shape=(4,), conditional=Bernoulli(), hidden_sizes=[9], num_masks=3, order_agnostic=True)
    model = randomised(made)
    x = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    torch.manual_seed(0)
    losses = {round(model.loss(x).item(), 5) for _ in range(60)}
    assert losses == {round(-model.variant(i).log_prob(x).item(), 5) for i in range(3)}
    assert len(losses) == 3
    assert model.variant(1).order.permutation.tolist() == Order("random:1", (4,)).permutation.tolist()
    with pytest.raises(ValueError, match=r"one of its 3 variants \(num_masks\), got 3"):
        model.variant(3)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_variant_is_the_model_of_its_configuration(index: int) -> None:
    for model in (
        MADE(
            event_shape=(5,),
            conditional=Bernoulli(),
            hidden_sizes=[9, 8],
            num_masks=3,
            order_agnostic=True,
            direct=True,
        ),
        NADE(event_shape=(5,), conditional=Bernoulli(), hidden_size=4, order_agnostic=True, order="reversed"),
    ):
        view = randomised(model).variant(index)
        copy = type(view)(**view.config)
        copy.load_state_dict(view.state_dict())
        x = torch.bernoulli(torch.full((9, 5), 0.5))
        assert torch.equal(copy.log_prob(x), view.log_prob(x))
