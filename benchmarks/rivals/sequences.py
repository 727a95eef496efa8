"""A transformer in the manner of nanoGPT and a recurrent network in that of makemore, written for this benchmark.

Both give p(x_t | x_<t) of symbols. A stream or recordings are read in windows; documents, rows of levels and small
images are examples of their own, which begin with a symbol that stands for nothing else.
"""

from __future__ import annotations

from typing import Any

import torch
from common import Clock, Data, fit, rounds
from torch import Tensor, nn
from torch.nn import functional as F

VALID = 20_000
"""Symbols of the validation part by which weights are chosen, at most."""
WINDOW = {"text": 64, "audio": 128}
EVALUATED = 64


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.attention, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.attention(self.before_attention(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(*parts, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.before_mlp(x))))


class Transformer(nn.Module):
    """nanoGPT's network: layers before the norms, no biases, the embedding is the last layer's matrix as well."""

    def __init__(self, symbols: int, length: int, layers: int = 4, heads: int = 4, width: int = 128) -> None:
        super().__init__()
        self.symbols, self.places = nn.Embedding(symbols, width), nn.Embedding(length, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)), nn.LayerNorm(width, bias=False))
        for name, weight in self.named_parameters():
            if weight.dim() > 1:
                ends_branch = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * layers) ** 0.5 if ends_branch else 0.02)

    def forward(self, before: Tensor) -> Tensor:
        x = self.symbols(before) + self.places(torch.arange(before.shape[1]))
        return F.linear(self.blocks(x), self.symbols.weight)


class Recurrent(nn.Module):
    """makemore's network: an embedding, one recurrent layer and a linear one."""

    def __init__(self, symbols: int, cell: str, width: int = 256, embedding: int = 64) -> None:
        super().__init__()
        self.symbols = nn.Embedding(symbols, embedding)
        self.cell = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](embedding, width, batch_first=True)
        self.out = nn.Linear(width, symbols)

    def forward(self, before: Tensor) -> Tensor:
        return self.out(self.cell(self.symbols(before))[0])


def transformer(data: Data, clock: Clock) -> dict[str, Any]:
    """nanoGPT's recipe for a CPU: 4 layers of 128 with 4 heads, windows of 64, batches of 12, 2,000 steps.

    Recordings have windows of 128. Examples are read whole, and as long as the time allows.
    """
    settings = {"rate": 1e-3, "weight_decay": 0.1}
    if _is_stream(data):
        length = WINDOW[data.kind]
        module = Transformer(len(data.values) + 1, length)
        return _stream(module, data, clock, length, 12, steps=2000, **settings)
    length = _examples(data, "train")[0].shape[1]
    return _of_examples(Transformer(len(data.values) + 1, length), data, clock, 32, **settings)


def lstm(data: Data, clock: Clock) -> dict[str, Any]:
    """One LSTM layer of 256, windows of 64, batches of 32."""
    return _recurrent("lstm", data, clock)


def gru(data: Data, clock: Clock) -> dict[str, Any]:
    """One GRU layer of 256, windows of 64 (of recordings 128), batches of 32."""
    return _recurrent("gru", data, clock)


def _recurrent(cell: str, data: Data, clock: Clock) -> dict[str, Any]:
    module = Recurrent(len(data.values) + 1, cell)
    if _is_stream(data):
        return _stream(module, data, clock, WINDOW[data.kind], 32, rate=2e-3)
    return _of_examples(module, data, clock, 32, rate=2e-3)


def _is_stream(data: Data) -> bool:
    return data.kind == "audio" or (data.kind == "text" and "end" not in data.about)


def _stream(module: nn.Module, data: Data, clock: Clock, window: int, size: int, **settings: Any) -> dict[str, Any]:
    """Fits windows from random places. Every symbol of the test part has half a window before it, or all of it."""
    train, valid, test = (data.symbols(split) for split in ("train", "valid", "test"))
    before = train[-1:]

    def loss() -> Tensor:
        starts = torch.randint(len(train) - window, (size,))
        x = train[starts[:, None] + torch.arange(window + 1)]
        return F.cross_entropy(module(x[:, :-1]).transpose(1, 2), x[:, 1:])

    def nats(symbols: Tensor) -> float:
        whole = torch.cat([before, symbols])
        return _carried(module, whole) if isinstance(module, Recurrent) else _halves(module, whole, window)

    found = fit(module, loss, lambda: nats(valid[:VALID]), clock, **settings)
    with torch.inference_mode():
        return found | {"nats": nats(test)}


def _carried(module: Recurrent, whole: Tensor) -> float:
    """Mean NLL of all symbols after the first, with one state."""
    total, state = 0.0, None
    for start in range(0, len(whole) - 1, 4096):
        x = whole[start : start + 4097]
        hidden, state = module.cell(module.symbols(x[None, :-1]), state)
        total += F.cross_entropy(module.out(hidden[0]), x[1:], reduction="sum").item()
    return total / (len(whole) - 1)


def _halves(module: nn.Module, whole: Tensor, window: int) -> float:
    """The same, from windows that overlap by half; the first half of a window counts in the first only."""
    half, count = window // 2, len(whole) - 1
    starts = torch.arange(0, max(count - window, 0) + half, half).clamp(max=max(count - window, 0)).unique()
    total, done = 0.0, 0
    for part in starts.split(EVALUATED):
        x = whole[part[:, None] + torch.arange(min(window, count) + 1)]
        nats = F.cross_entropy(module(x[:, :-1]).transpose(1, 2), x[:, 1:], reduction="none")
        for start, row in zip(part.tolist(), nats, strict=True):
            total += row[done - start :].sum().item()
            done = start + len(row)
    return total / count


def _examples(data: Data, split: str) -> tuple[Tensor, Tensor | None]:
    return data.documents(split) if data.kind == "text" else (data.symbols(split), None)


def _of_examples(module: nn.Module, data: Data, clock: Clock, size: int, **settings: Any) -> dict[str, Any]:
    """Fits whole examples, each after a symbol of its own; nats per example, and per character of a document."""
    start = len(data.values)
    parts = {split: _examples(data, split) for split in ("train", "valid", "test")}

    def nats(x: Tensor, counted: Tensor | None) -> Tensor:
        before = F.pad(x[:, :-1], (1, 0), value=start)
        found = F.cross_entropy(module(before).transpose(1, 2), x, reduction="none")
        return (found if counted is None else found * counted).sum(1)

    def mean(split: str, most: int | None = None) -> float:
        x, counted = parts[split]
        x, counted = x[:most], None if counted is None else counted[:most]
        if counted is None:
            return rounds(lambda rows: nats(rows, None), x, EVALUATED)
        both = torch.cat([x, counted.long()], dim=1)
        width = x.shape[1]
        total = rounds(lambda rows: nats(rows[:, :width], rows[:, width:]), both, EVALUATED) * len(x)
        return total / int(counted.sum())

    def loss() -> Tensor:
        x, counted = parts["train"]
        rows = torch.randint(len(x), (size,))
        own = None if counted is None else counted[rows]
        return nats(x[rows], own).sum() / (size * x.shape[1] if own is None else own.sum())

    least = max(1, VALID // parts["valid"][0].shape[1])
    found = fit(module, loss, lambda: mean("valid", least), clock, **settings)
    return found | {"nats": mean("test")}
