"""The plan for text: what fits into the time, for texts of any size."""

from __future__ import annotations

import pytest

from chainrule.conditionals import Categorical
from chainrule.models import RNN
from chainrule.plans.text import text_plan

SYMBOLS = [100, 4_000, 40_000, 90_000, 1_000_000, 9_000_000, 90_000_000]


@pytest.mark.parametrize("symbols", SYMBOLS)
@pytest.mark.parametrize("minutes", [0.05, 3.0, 60.0])
@pytest.mark.parametrize("document_length", [None, 8.0, 500.0])
def test_a_plan_is_a_fit(symbols: int, minutes: float, document_length: float | None) -> None:
    plan = text_plan(
        symbols=symbols,
        valid_symbols=symbols // 8,
        vocabulary=80,
        minutes=minutes,
        document_length=document_length,
        cores=2,
    ).settings
    arguments = {name.removeprefix("model."): value for name, value in plan.items() if name.startswith("model.")}
    model = RNN(event_shape=(8,), conditional=Categorical(80), **arguments)
    assert 128 <= model.net.layers[0].hidden_size <= 512
    assert plan["batch_size"] >= 1
    assert 1 <= plan["validate_every"] <= plan["max_steps"]
    assert ("window" in plan) == (document_length is None)
    read = plan["max_steps"] * plan["batch_size"] * (plan.get("window") or document_length)
    assert read <= 31 * symbols + 20_000, "nobody reads a text a hundred times"


def test_more_time_buys_a_larger_network() -> None:
    sizes = [
        text_plan(symbols=1_000_000, valid_symbols=100_000, vocabulary=65, minutes=minutes).settings[
            "model.hidden_size"
        ]
        for minutes in (0.5, 1, 3, 10, 30)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_a_longer_text_has_shorter_ngrams() -> None:
    orders = [
        text_plan(symbols=symbols, valid_symbols=1000, vocabulary=65, minutes=3).settings.get("model.ngram_order")
        for symbols in (1_000_000, 10_000_000, 40_000_000, 100_000_000)
    ]
    assert orders == [8, 6, 4, None]


def test_what_is_learned_by_heart_is_dropped() -> None:
    dropouts = [
        text_plan(symbols=symbols, valid_symbols=symbols // 8, vocabulary=65, minutes=3).settings["model.dropout"]
        for symbols in (40_000, 9_000_000)
    ]
    assert dropouts == [0.3, 0.0]
