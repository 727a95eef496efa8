"""n-grams: the textbook's formula, word for word, and their mixture with a network."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor

import chainrule
from chainrule.batch import Batch
from chainrule.conditionals import Categorical, Gaussian
from chainrule.models import RNN
from chainrule.nn.kneser_ney import KneserNey
from chainrule.testing import compiled_equals_step, randomised

START = -1
TEXTS = [[0, 1, 0, 2, 0, 1, 1, 0, 1, 0, 2], [2, 2], [0, 1, 2, 0, 1, 0, 2, 1, 1, 1, 0, 1, 2], [1, 0, 2]]


def discounts(counts: Counter[tuple[int, ...]]) -> list[float]:
    n1, n2, n3, n4 = (sum(count == n for count in counts.values()) + 0.5 for n in (1, 2, 3, 4))
    share = n1 / (n1 + 2 * n2)
    raw = (1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3)
    limits = ((0.1, 0.9), (0.2, 1.9), (0.3, 2.9))
    return [min(max(value, low), high) for value, (low, high) in zip(raw, limits, strict=True)]


def counted(order: int) -> list[Counter[tuple[int, ...]]]:
    """N_n(c, x) by its definition: of the text, or of the symbols that stand before."""
    raw: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(order + 1)]
    for text in TEXTS:
        marked = [START, *text]
        for end in range(1, len(marked)):
            for n in range(min(order, end) + 1):
                raw[n][tuple(marked[end - n : end + 1])] += 1
    below = [Counter(longer[1:] for longer in raw[n + 1]) for n in range(order)]
    for n in range(order):
        for gram in raw[n]:
            if gram[0] == START:
                below[n][gram] = raw[n][gram]
    return [*below, raw[order]]


def probability(counts: list[Counter[tuple[int, ...]]], context: tuple[int, ...], symbol: int, size: int) -> float:
    """The formula of the module, for one symbol."""
    result = 1 / size
    for n, level in enumerate(counts):
        c = context[len(context) - n :]
        after = {gram[-1]: count for gram, count in level.items() if gram[:-1] == c} if n <= len(context) else {}
        if after:
            d = discounts(level)
            given = {x: d[min(count, 3) - 1] for x, count in after.items()}
            kept = after[symbol] - given[symbol] if symbol in after else 0.0
            result = (kept + sum(given.values()) * result) / sum(after.values())
    return result


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_formula(order: int) -> None:
    model = KneserNey(order, 4).double()  # the symbol 3 is never seen
    model.count([torch.tensor(text) for text in TEXTS])
    counts = counted(order)
    x = torch.tensor([0, 1, 0, 2, 0, 1, 3, 1, 0, 2, 2, 1])
    log_probs = model(torch.cat([torch.full((order,), -1), x[:-1]])[None])
    assert log_probs.exp().sum(-1).allclose(torch.ones(1, len(x), dtype=torch.double))
    for t in range(len(x)):
        context = (START, *x[:t].tolist())
        for symbol in range(4):
            expected = probability(counts, context, symbol, 4)
            assert log_probs[0, t, symbol].exp().item() == pytest.approx(expected), (t, symbol)


def test_before_a_text_all_is_equally_probable() -> None:
    model = KneserNey(3, 5)
    assert not model.counted
    assert model(torch.zeros(2, 4, dtype=torch.long)).exp().allclose(torch.full((2, 2, 5), 0.2))


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="ngram_order expects at least 1, got 0"):
        KneserNey(0, 3)
    for nothing in ([], [torch.zeros(0, dtype=torch.long)]):
        with pytest.raises(ValueError, match="at least one symbol, got none"):
            KneserNey(2, 3).count(nothing)
    with pytest.raises(ValueError, match="values can be listed"):
        RNN(event_shape=(4,), conditional=Gaussian(), ngram_order=2)
    with pytest.raises(ValueError, match=r"ngram_share expects a number from 0 to 1, got 1\.5"):
        RNN(event_shape=(4,), conditional=Categorical(3), ngram_order=2, ngram_share=1.5)
    with pytest.raises(ValueError, match="an ngram_order, got None"):
        RNN(event_shape=(4,), conditional=Categorical(3)).count([(torch.zeros(1, 4), None)])
    with pytest.raises(ValueError, match="have counted"):
        RNN(event_shape=(4,), conditional=Categorical(3), ngram_order=2).fit_share([batch(torch.zeros(1, 4))])


def mixture(**arguments: Any) -> RNN:
    arguments = {"event_shape": (6,), "hidden_size": 5, "cell": "lstm", "ngram_order": 3} | arguments
    model = randomised(RNN(conditional=Categorical(3), **arguments)).double()
    assert isinstance(model, RNN)
    return model


def batch(x: Tensor, *, continues: bool = False) -> Batch:
    return Batch(x, None, torch.arange(len(x)), continues=continues)


def examples(count: int, length: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 3, (count, length), generator=generator).double()


def test_the_mixture_of_both() -> None:
    model = mixture(ngram_share=0.3)
    x = examples(8)
    network = model.eval()(x).logits
    model.count([(examples(30), None)])
    assert model.ngram is not None
    past = torch.cat([torch.full((8, 3), -1), x.long()[:, :-1]], dim=1)
    assert model(x).logits.exp().allclose(0.7 * network.exp() + 0.3 * model.ngram(past).exp())
    assert torch.equal(model.train()(x).logits, network), "a network in training does not hide behind its n-grams"


def test_documents_sum_to_one_and_count_to_their_end() -> None:
    model = mixture(end_symbol=2).eval()
    x = examples(30)
    ended = torch.where((x == 2).cumsum(1) > 0, 2.0, x)[(x == 2).any(1)]
    model.count([(ended, None)])
    total = 0.0
    for length in range(12):
        strings = torch.tensor(list(itertools.product([0.0, 1.0], repeat=length)), dtype=torch.double)
        strings = torch.cat([strings.reshape(2**length, length), torch.full((2**length, 1), 2.0)], dim=1)
        with torch.no_grad():
            total += model.log_prob(strings).exp().sum().item()
    assert 0.9 < total < 1 + 1e-9
    other = mixture(end_symbol=2)
    other.load_state_dict(model.state_dict())
    other.count([(torch.cat([ended, torch.full((len(ended), 4), 2.0)], dim=1), None)])
    assert torch.equal(model.log_prob(ended), other.eval().log_prob(ended)), "the padding does not count"


@pytest.mark.parametrize("width", [12, 3])
def test_the_best_share_is_found(width: int) -> None:
    """From whole examples, or window by window, whose states are carried."""
    model = mixture()
    model.count([(examples(40), None)])
    valid = examples(25, 12)
    model.fit_share([batch(x, continues=i > 0) for i, x in enumerate(valid.split(width, dim=1))])
    best = float(model.share)
    assert 0 < best < 1
    totals = []
    for share in (best - 0.01, best, best + 0.01):
        model.share.fill_(share)
        totals.append(model.eval().log_prob(valid).sum().item())
    assert totals[1] == max(totals)
    with pytest.raises(ValueError, match="at least one value, got none"):
        model.fit_share([])


def test_a_copy_counts_no_more() -> None:
    model = mixture(event_shape=(4,)).eval()
    model.count([(examples(50), None)])
    copy = type(model)(**model.config).double().eval()
    copy.load_state_dict(model.state_dict())
    assert torch.equal(copy.log_prob(examples(5)), model.log_prob(examples(5)))


@pytest.mark.parametrize("name", ["starts", "symbols", "levels", "backoffs", "probs"])
def test_damaged_tables_are_refused(name: str) -> None:
    model = mixture(event_shape=(4,)).eval()
    model.count([(examples(50), None)])
    weights = model.state_dict()
    table = weights[f"ngram.{name}"]
    weights[f"ngram.{name}"] = table[1:] if table.is_floating_point() else table + 10**7
    with pytest.raises(RuntimeError, match="expect numbers of rows of n-grams"):
        type(model)(**model.config).load_state_dict(weights)


@pytest.mark.parametrize(("order", "end_symbol", "share"), [(3, None, 0.3), (2, 1, 0.7), (5, None, 1.0), (1, 0, 0.0)])
def test_compiled_walks_mix_in_the_ngrams(order: int, end_symbol: int | None, share: float) -> None:
    model = mixture(ngram_order=order, ngram_share=share, end_symbol=end_symbol).float().eval()
    model.count([(examples(50).float(), None)])
    assert compiled_equals_step(model) == "passed"


def test_ngrams_of_a_compiled_walk_are_given_the_prefix() -> None:
    model = mixture(ngram_share=1.0).float().eval()
    model.count([(examples(50).float(), None)])
    prefix = torch.tensor([0.0, 1.0, 2.0])
    draws = [chainrule.sample(model, 20, seed=0, prefix=prefix, watch=watch) for watch in (None, lambda values: None)]
    assert torch.equal(*draws)


def test_what_was_counted_last_is_what_a_compiled_walk_knows() -> None:
    model = mixture(ngram_share=1.0).float().eval()
    for value in (1.0, 2.0):
        model.count([(torch.full((50, 6), value), None)])
        drawn = chainrule.sample(model, 20, seed=0)
        assert float((drawn == value).float().mean()) > 0.9
    model.share.fill_(0.0)
    assert not torch.equal(drawn, chainrule.sample(model, 20, seed=0))
