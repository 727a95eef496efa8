"""Explanations of the parts of items: a line for each part that is given those before it, and sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars
from torch import Tensor

from chainrule.data.write import FRAMES, check_suffix, write_frame
from chainrule.tasks.tails import Explanation

SENTENCES = 5
"""Items that are named in the terminal."""

LEAST_SHARE = 0.005
"""A value of a lesser probability is not said to be expected."""

Words = Callable[[Tensor], Sequence[str]]
"""The words for some values."""


def explained_parts(
    item: str, places: Mapping[str, Sequence[Any]], values: Tensor, found: Explanation, words: Words, *, ordered: bool
) -> polars.DataFrame:
    """A line for each of k parts, those of an item by rising tail; items stay in their sequence.

    Args:
        item: The name of the first of ``places``, which says the item of each part.
        places: Columns that say where each part is, ``k`` entries each.
        values: The values of the parts, ``(k,)``.
        found: Their explanation, ``(k,)``.
        words: Gives the words for some values.
        ordered: Give the median and an interval as expected, and not the likeliest values.
    """
    columns: dict[str, Any] = {**places, "value": words(values), "tail": found.tails.numpy()}
    if ordered:
        low, median, high = (words(part) for part in found.quantiles.unbind(1))
        columns |= {"expected": median, "low": low, "high": high}
    else:
        named = [words(part.nan_to_num()) for part in found.likeliest.unbind(1)]
        columns["expected"] = [
            ", ".join(f"{word} ({share:.0%})" for word, share in zip(own, shares, strict=True) if share >= LEAST_SHARE)
            for own, shares in zip(zip(*named, strict=True), found.shares.tolist(), strict=True)
        ]
    frame = polars.DataFrame(columns).with_row_index("place")
    first = frame.group_by(item).agg(polars.col("place").min().alias("first"))
    ranked = frame.join(first, on=item, maintain_order="left").sort("first", "tail", "place")
    return ranked.drop("first", "place")


def rounded(quantiles: Tensor) -> Tensor:
    """Quantiles ``(k, 3)`` in as many digits as mean something: a hundredth of the interval between the outer ones.

    >>> import torch
    >>> rounded(torch.tensor([[119.17428, 129.83011, 139.92023]]).double())
    tensor([[119.2000, 129.8000, 139.9000]], dtype=torch.float64)
    """
    unit = 10 ** ((quantiles[:, -1:] - quantiles[:, :1]).clamp(min=1e-12).log10().floor() - 2)
    return (quantiles / unit).round() * unit


def sentences_of(parts: polars.DataFrame, item: str, where: Callable[[dict[str, Any]], str]) -> list[str]:
    """A sentence for the most unusual part of each of the first items; ``where`` says where a part is."""
    lines = []
    for part in parts.unique(item, keep="first", maintain_order=True).head(SENTENCES).iter_rows(named=True):
        expected = part["expected"]
        if "low" in part:
            expected = f"about {expected} ({part['low']} to {part['high']})"
        lines.append(f"{where(part)} is {part['value']}, expected {expected}; p = {part['tail']:.2g}")
    return lines


def check_table(out: Path | None, *more: str) -> None:
    """Raise ``ValueError``, before any work is done, if explanations can't be written to ``out``.

    Args:
        out: The file, if there is one.
        more: Suffixes beside those of tables.
    """
    if out is not None:
        check_suffix(out, (*FRAMES, *more))


def written(parts: polars.DataFrame, out: Path | None, what: str) -> list[str]:
    """Write the table, if it is asked for, and say so; ``what`` names the parts."""
    if out is None:
        return []
    write_frame(parts, out)
    return [f"wrote {what} to {out}"]
