"""The plan for text: n-grams counted in seconds, mixed with an LSTM that is as large as the minutes allow.

- The n-grams are given 8 symbols, and 6 or fewer of a long text, whose tables would be large.
- The LSTM is the largest that reads the text, or the first million symbols of a long one, `PASSES` times in the time,
  with at most `WEIGHTS_PER_SYMBOL` weights from state to state for each symbol of the text. The more often it reads
  the text, the more it is kept from learning it by heart: dropout grows with the passes.
- A step reads 16 lanes of 64 symbols, or fewer of a short text, so that a pass has about 40 steps; of documents, about
  as many symbols, whole documents at once.
- The rate falls to zero along a cosine over the steps that fit. The validation part, or its first 100,000 symbols or
  fewer, is read at most 12 times, and so that it takes at most a tenth of the time.
"""

from __future__ import annotations

import math

from chainrule.plans.plan import Plan, Settings

SIZES = {512: 0.002, 384: 0.003, 256: 0.004, 128: 0.004}
"""Units of the LSTM, and the learning rate of each."""

PASSES, MOST_PASSES = 4, 30
WEIGHTS_PER_SYMBOL = 3.4
LEAST_SIZE = 128

LEAST_VALIDATED, MOST_VALIDATED = 5_000, 100_000
"""Symbols of the validation part that are read each time: about as many as take a fiftieth of the minutes."""

SINGLE_PRECISION = 1.6
"""CPU time of a symbol in single precision, relative to bfloat16 where the processor has it."""


def text_plan(
    *,
    symbols: int,
    valid_symbols: int,
    vocabulary: int,
    minutes: float,
    document_length: float | None = None,
    longest_window: int | None = None,
    cores: int = 1,
    half: bool = True,
) -> Plan:
    """The plan for a text.

    Args:
        symbols: Symbols of the training part.
        valid_symbols: Symbols of the validation part.
        vocabulary: Different symbols.
        minutes: Wall clock of the training.
        document_length: Symbols of a document, or of a piece of one, on average, its end included; None for one stream.
        longest_window: Symbols of a window of a stream, at most, where a part is short; None for no limit.
        cores: Cores of the processor.
        half: True if the processor multiplies in bfloat16.
    """
    microseconds = 60e6 * minutes * (1 + 0.5 * (min(cores, 4) - 1))
    largest = max(math.sqrt(WEIGHTS_PER_SYMBOL * symbols / 4), LEAST_SIZE)
    sizes = [size for size in SIZES if size <= largest]
    fits = [size for size in sizes if microseconds / _cost(size, vocabulary, half) >= PASSES * min(symbols, 1e6)]
    size = fits[0] if fits else LEAST_SIZE
    passes = min(0.85 * microseconds / _cost(size, vocabulary, half) / symbols, MOST_PASSES)
    window = 64 if symbols > 20_000 else 32
    window = window if longest_window is None else min(window, longest_window)
    lanes = max(4, min(16, symbols // (40 * window)))
    batch = lanes if document_length is None else max(8, round(lanes * window / document_length))
    of_a_step = lanes * window if document_length is None else batch * document_length
    steps = max(1, round(passes * symbols / of_a_step))
    validation = int(min(MOST_VALIDATED, max(LEAST_VALIDATED, 0.02 * microseconds / _reading(size, vocabulary, half))))
    reading = min(valid_symbols, validation) * _reading(size, vocabulary, half)
    checks = int(min(12, max(2, 0.1 * microseconds / reading)))
    settings: Settings = {
        "model": "RNN",
        "model.cell": "lstm",
        "model.hidden_size": size,
        "model.dropout": 0.0 if passes < 3 else 0.1 if passes < 6 else 0.2 if passes < 10 else 0.3,
        "batch_size": batch,
        "learning_rate": SIZES[size],
        "schedule": "cosine",
        "gradient_clip": 1.0,
        "weight_decay": 0.01,
        "precision": "bf16-mixed" if half else "32-true",
        "max_steps": steps,
        "validate_every": max(1, steps // checks),
        "patience": 3 * max(1, steps // checks),
        "validation_size": max(1, round(validation / (window if document_length is None else document_length))),
    }
    order = next((order for most, order in ((2e6, 8), (2e7, 6), (5e7, 4)) if symbols <= most), None)
    if order is not None:
        settings["model.ngram_order"] = order
    if document_length is None:
        settings["window"] = window
    counted = f"n-grams of {order} symbols and " if order is not None else ""
    return Plan(settings, reasons=(f"{counted}an LSTM of {size} units that reads the text about {passes:.2g} times",))


def _reading(size: int, vocabulary: int, half: bool) -> float:
    """Microseconds of a symbol in a validation, on one core."""
    return 0.35 * _cost(size, vocabulary, half) + 4 + 0.07 * vocabulary


def _cost(size: int, vocabulary: int, half: bool) -> float:
    """Microseconds of a symbol in a step of an LSTM, on one core of a server, as measured."""
    return (4 + 1.8e-4 * size * (size + 0.25 * vocabulary)) * (1 if half else SINGLE_PRECISION)
