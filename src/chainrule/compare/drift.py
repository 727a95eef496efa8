"""Drift: are new rows like old ones? Tests of likelihoods and of columns, with one rate of false alarms.

Half of the rate is for one test of -log p(x), half for the tests of columns. Each column has up to four:

- values: the ranks of numbers, or the shares of frequent categories;
- gaps: the share of empty cells, if there are some;
- rare: the share of cells whose category is too rare for the test of values;
- given: -log p(cell | the cells before it), which changes where a column goes otherwise with others.

Tests of columns are adjusted by the rule of Benjamini and Hochberg, so that the rate bounds the expected share of
false ones among the columns that are said to have moved, and the share of alarms where nothing has.

References:
    Controlling the false discovery rate (Benjamini and Hochberg, 1995), https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from chainrule.compare.marginals import marginals
from chainrule.compare.pvalues import categories_pvalue, is_rare, numbers_pvalue, share_pvalue, stranger_share
from chainrule.compare.table import Table, Values

LEAST = 20
"""Rows of each sort that the tests need."""

SURE = 1e-10
"""Columns whose p-values are below this are sorted by how much they changed."""


@dataclass(frozen=True)
class ColumnPair:
    """A column in old and in new rows.

    Attributes:
        old: A table of this column only, in old rows.
        new: The same in new rows.
        old_nats: -log p of the cells of old rows that the model was not fitted on, given those before; NaN where there
            is none. None for a column without a model.
        new_nats: The same of new rows.
    """

    old: Table
    new: Table
    old_nats: Values | None = None
    new_nats: Values | None = None

    def given(self, old_nats: Values, new_nats: Values) -> ColumnPair:
        """The pair with the nats of its cells."""
        return replace(self, old_nats=old_nats, new_nats=new_nats)

    def rows(self, chosen: NDArray[np.int64]) -> ColumnPair:
        """The pair with some of the new rows."""
        nats = None if self.new_nats is None else self.new_nats[chosen]
        return replace(self, new=self.new.rows(chosen), new_nats=nats)

    def pvalues(self) -> dict[str, float]:
        """The p-values of the column's tests, by their names in the module's list."""
        old, new = self.old.values[:, 0], self.new.values[:, 0]
        gaps = np.isnan(old), np.isnan(new)
        old, new = old[~gaps[0]], new[~gaps[1]]
        numeric = self.old.categories[0] is None
        found = {"values": numbers_pvalue(old, new) if numeric else categories_pvalue(old, new)}
        if gaps[0].any() or gaps[1].any():
            found["gaps"] = share_pvalue(*gaps)
        if not numeric and len(old) and len(new):
            rare = is_rare(old, old, new), is_rare(new, old, new)
            if rare[0].any() or rare[1].any():
                found["rare"] = share_pvalue(*rare)
        if self.old_nats is not None and self.new_nats is not None:
            found["given"] = numbers_pvalue(*(nats[~np.isnan(nats)] for nats in (self.old_nats, self.new_nats)))
        return found


@dataclass(frozen=True)
class Pair:
    """Old and new rows.

    Attributes:
        old: -log p of old rows that the model was not fitted on ``(n,)``, or of their mean variable.
        new: -log p of new rows ``(m,)``; NaN for a row that can't be compared.
        columns: Their columns; none if they have no columns with names.
    """

    old: Values
    new: Values
    columns: Sequence[ColumnPair] = ()

    def __post_init__(self) -> None:
        for name, nats in {"old": self.old, "new": self.new}.items():
            if len(nats) < LEAST:
                raise ValueError(f"drift expects at least {LEAST} {name} rows, got {len(nats)}: give more of them")

    def chunks(self, count: int) -> Iterator[tuple[NDArray[np.int64], Pair]]:
        """The new rows in ``count`` chunks, one after the other, with their positions.

        Raises:
            ValueError: If a chunk has too few rows.
        """
        if count < 2 or len(self.new) < count * LEAST:
            raise ValueError(
                f"chunks expects 2 to {max(2, len(self.new) // LEAST)} of at least {LEAST} rows each, got {count} of "
                f"{len(self.new)} rows"
            )
        for rows in np.array_split(np.arange(len(self.new)), count):
            yield rows, Pair(self.old, self.new[rows], [column.rows(rows) for column in self.columns])


@dataclass(frozen=True)
class PValues:
    """The p-values of old and new rows.

    Attributes:
        likelihood: That of -log p of rows.
        columns: Those of the tests of each column, adjusted.
    """

    likelihood: float
    columns: Sequence[dict[str, float]]

    @property
    def pvalue(self) -> float:
        """The p-value of all tests together."""
        of_columns = [min(tests.values()) for tests in self.columns]
        return min(1.0, 2 * min(self.likelihood, *of_columns)) if of_columns else self.likelihood

    def moved(self, rate: float) -> list[list[str]]:
        """The names of the tests of each column that find a change.

        The columns have all of the rate where the likelihoods differ at half of it, as in Holm's rule.
        """
        own = rate if self.likelihood <= rate / 2 else rate / 2
        return [[name for name, pvalue in tests.items() if pvalue <= own] for tests in self.columns]


def pvalues_of(pair: Pair) -> PValues:
    """Test old against new rows."""
    raw = [column.pvalues() for column in pair.columns]
    flat = [pvalue for tests in raw for pvalue in tests.values()]
    adjusted = iter(false_discovery_control(flat).tolist() if flat else ())
    new = pair.new[~np.isnan(pair.new)]
    return PValues(numbers_pvalue(pair.old, new), [dict(zip(tests, adjusted, strict=False)) for tests in raw])


def drift_figures(pair: Pair, *, rate: float = 0.05, chunks: int | None = None) -> dict[str, Any]:
    """The figures of drift, as plain values.

    Args:
        pair: Old and new rows.
        rate: The share of false alarms.
        chunks: The number of chunks of new rows to test also; half of the rate is then for them.

    Returns:
        ``pvalue``, ``drift`` (True if the p-value is at most ``rate``), ``rows``, ``likelihood``, ``columns`` (those
        that moved most first) and ``chunks``.

    Raises:
        ValueError: If there are too few rows, or the rate is no share.
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate expects a share of false alarms between 0 and 1, such as 0.05, got {rate:g}")
    whole = pvalues_of(pair)
    parts = [(rows, part, pvalues_of(part)) for rows, part in pair.chunks(chunks)] if chunks is not None else []
    own = rate / 2 if parts else rate
    adjusted = false_discovery_control([test.pvalue for *_, test in parts]).tolist() if parts else []
    pvalue = min(1.0, 2 * min(whole.pvalue, *adjusted)) if parts else whole.pvalue
    return {
        "rate": rate,
        "pvalue": pvalue,
        "drift": pvalue <= rate,
        "rows": {"old": len(pair.old), "new": len(pair.new)},
        "likelihood": _likelihood(pair) | {"pvalue": whole.likelihood},
        "columns": _columns(pair.columns, whole, own),
        "chunks": [
            {"first": int(rows[0]) + 1, "last": int(rows[-1]) + 1, "rows": len(rows)}
            | _likelihood(part)
            | {"pvalue": each, "drift": each <= own, "columns": _named(part.columns, test, own)}
            for (rows, part, test), each in zip(parts, adjusted, strict=True)
        ],
    }


def _likelihood(pair: Pair) -> dict[str, Any]:
    """The mean nats of old and new rows, and how often a new row is stranger than an old one."""
    new = pair.new[~np.isnan(pair.new)]
    return {
        "nats": [float(nats.mean()) if len(nats) else None for nats in (pair.old, new)],
        "stranger": stranger_share(pair.old, new) if len(new) else None,
        "left_out": len(pair.new) - len(new),
    }


def _columns(columns: Sequence[ColumnPair], found: PValues, rate: float) -> list[dict[str, Any]]:
    """A record of each column: its marginals, its adjusted p-values and what moved, sorted by `_place`."""
    records = []
    for column, tests, moved in zip(columns, found.columns, found.moved(rate), strict=True):
        (record,) = marginals(column.old, column.new)
        record |= {"pvalues": tests, "pvalue": min(tests.values()), "moved": moved, "nats": None}
        if column.old_nats is not None and column.new_nats is not None:
            record["nats"] = [_mean(column.old_nats), _mean(column.new_nats)]
        records.append(record)
    return sorted(records, key=_place)


def _place(record: dict[str, Any]) -> tuple[bool, bool, float, float]:
    """The key by which columns are sorted: those that moved, those of them whose own values did, the surest first."""
    moved, difference = record["moved"], record["difference"]
    return not moved, moved == ["given"], max(record["pvalue"], SURE), -(difference or 0)


def _named(columns: Sequence[ColumnPair], found: PValues, rate: float) -> list[str]:
    """The names of the columns that moved, the most moved first."""
    moved = zip(columns, found.columns, found.moved(rate), strict=True)
    pvalues = {column.old.names[0]: min(tests.values()) for column, tests, names in moved if names}
    return sorted(pvalues, key=lambda name: pvalues[name])


def _mean(nats: Values) -> float | None:
    there = nats[~np.isnan(nats)]
    return float(there.mean()) if len(there) else None
