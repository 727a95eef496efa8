"""What the benchmarks of speed measure by: times taken in turns, operations, and the rates of this machine."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.utils.flop_counter import FlopCounterMode

from chainrule.model import AutoregressiveModel

TURN = 0.02


class Recompute(AutoregressiveModel):
    """A model's parallel pass with the contract's default step."""

    def __init__(self, model: AutoregressiveModel) -> None:
        super().__init__(event_shape=model.event_shape, conditional=model.conditional)
        self.model = model

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        return self.model(x, context)


def seconds(*actions: Callable[[], Any], repeats: int = 5, warm: bool = True) -> list[float]:
    """The least time of each action, taken in turns so that a busy moment hits all of them.

    In its turn a quick one is taken several times in a row, for `TURN` seconds, so that it finds its own cache.
    """
    best = [float("inf")] * len(actions)
    for repeat in range(repeats + warm):
        for index, action in enumerate(actions):
            begin = time.perf_counter()
            while True:
                start = time.perf_counter()
                action()
                now = time.perf_counter()
                if repeat >= warm:
                    best[index] = min(best[index], now - start)
                if now - begin >= TURN:
                    break
    return best


def train_step(network: nn.Module, loss: Callable[[], Tensor], *, fused: bool) -> Callable[[], None]:
    optimizer = torch.optim.Adam(network.parameters(), fused=fused)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def operations(action: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        action()
    return counter.get_total_flops()


def rates() -> dict[str, float]:
    """The peak rates of this machine, of one thread and of all, to tell how far above the floor a figure is."""
    known: dict[str, float] = {}
    a, small, near = torch.randn(2000, 2000), torch.zeros(64), torch.randn(2**15)
    threads = torch.get_num_threads()
    for name, count in (("_of_one_thread", 1), ("", threads)):
        torch.set_num_threads(count)
        product, sigmoid = seconds(lambda: a @ a, lambda: [torch.sigmoid(near) for _ in range(100)], repeats=9)
        known[f"matrix_product_gflops{name}"] = 2 * 2000**3 / product / 1e9
        # Numbers that stay in a core's cache, on which torch takes one thread: others would have their own.
        known[f"sigmoid_billions_per_second{name}"] = count * 100 * len(near) / sigmoid / 1e9
    add, random = seconds(lambda: [small + small for _ in range(1000)], lambda: torch.rand(2**16), repeats=9)
    return known | {"eager_add_microseconds": add * 1e3, "random_millions_per_second": 2**16 / random / 1e6}


def read_rate(size: int) -> float:
    """Bytes a second of reading ``size`` bytes again and again, with one thread."""
    numbers, threads = torch.ones(max(size // 4, 256)), torch.get_num_threads()
    torch.set_num_threads(1)
    times = max(1, 2**24 // max(size, 1))
    (best,) = seconds(lambda: [numbers.sum() for _ in range(times)], repeats=5)
    torch.set_num_threads(threads)
    return size * times / best
