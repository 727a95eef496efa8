"""Orders: named ones by hand, and a bijection for any."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chainrule.order import Order

pytestmark = pytest.mark.quick

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


@pytest.mark.parametrize(
    ("spec", "shape", "expected"),
    [
        ("raster", (3,), [0, 1, 2]),
        ("reversed", (3,), [2, 1, 0]),
        ("raster", (1,), [0]),
        ("raster", (2, 2), [0, 1, 2, 3]),
        ("raster", (3, 1, 2), [0, 2, 4, 1, 3, 5]),  # a pixel's channels one after the other
        ("reversed", (3, 1, 2), [5, 3, 1, 4, 2, 0]),
        ("column", (2, 2), [0, 2, 1, 3]),
        ("column", (2, 2, 2), [0, 4, 2, 6, 1, 5, 3, 7]),
        ("diagonal", (3, 3), [0, 1, 3, 2, 4, 6, 5, 7, 8]),
        ("diagonal", (2, 2, 2), [0, 4, 1, 5, 2, 6, 3, 7]),
        ([2, 0, 1], (3,), [2, 0, 1]),
        ((3, 1, 0, 2), (2, 2), [3, 1, 0, 2]),
    ],
)
def test_orders_by_hand(spec: object, shape: tuple[int, ...], expected: list[int]) -> None:
    assert Order(spec, shape).permutation.tolist() == expected


@given(shape=SHAPES, name=st.sampled_from(["raster", "reversed", "random", "random:3", "column", "diagonal"]))
def test_flatten_and_unflatten_are_inverse(shape: tuple[int, ...], name: str) -> None:
    if len(shape) == 1 and name in ("column", "diagonal"):
        name = "raster"
    order, n = Order(name, shape), math.prod(shape)
    x = torch.arange(2 * n).view(2, *shape)
    sequence = order.flatten(x)
    assert sequence.shape == (2, n)
    assert sequence[0].tolist() == [x[0].flatten()[i] for i in order.permutation]
    assert order.unflatten(sequence).equal(x)
    assert order.permutation[order.inverse].tolist() == list(range(n))


def test_trailing_dimensions_stay() -> None:
    order = Order("random:2", (2, 3))
    x = torch.randn(4, 2, 3, 5)
    assert order.flatten(x).shape == (4, 6, 5)
    assert order.flatten(x)[..., 2].equal(order.flatten(x[..., 2]))
    assert order.unflatten(order.flatten(x)).equal(x)


def test_random_orders_come_from_their_seed() -> None:
    assert Order("random", (50,)).permutation.equal(Order("random:0", (50,)).permutation)
    assert not Order("random:1", (50,)).permutation.equal(Order("random:2", (50,)).permutation)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Order("random:9", (50,))
    assert torch.get_rng_state().equal(before)


def test_the_identity_copies_nothing() -> None:
    x = torch.randn(2, 2, 3)
    assert Order("raster", (2, 3)).flatten(x).data_ptr() == x.data_ptr()
    assert Order([0, 1, 2], (3,)).is_identity
    assert not Order("raster", (2, 1, 2)).is_identity


@pytest.mark.parametrize(
    ("spec", "shape", "message"),
    [
        ("spiral", (4,), "order expects raster, .*got 'spiral'"),
        ("random:x", (4,), "order expects .*got 'random:x'"),
        ("random:-1", (4,), "order expects .*got 'random:-1'"),
        ("raster:1", (4,), "order expects .*got 'raster:1'"),
        ("column", (4,), r"expects an image event .*got the event shape \(4,\)"),
        ("diagonal", (4,), "expects an image event"),
        ([0, 1], (3,), r"expects a permutation of 0 to 2, got 2 indices: \[0, 1\]"),
        ([0, 1, 1], (3,), r"expects a permutation of 0 to 2, got 3 indices: \[0, 1, 1\]"),
        ([1, 2, 3], (3,), "expects a permutation of 0 to 2"),
        (list(range(1, 21)), (20,), r"\[1, 2, 3, 4, 5, 6, 7, 8, \.\.\.\]"),
    ],
)
def test_invalid_orders_say_expected_and_got(spec: object, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Order(spec, shape)
