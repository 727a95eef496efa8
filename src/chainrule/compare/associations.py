"""The strength with which each pair of columns hangs together."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from chainrule.compare.table import Table, Values

MOST = 60
"""Columns of which pairs are compared, at most."""


def associations(table: Table) -> Values:
    """The association of each pair of columns ``(n, n)``; NaN where a column of the pair does not vary.

    Two columns of numbers have their rank correlation (Spearman), from -1 to 1. Two of categories have Cramer's V, the
    square root of chi^2 / (N (k - 1)) for the smaller number k of categories. A number and a category have the
    correlation ratio of the ranks, the square root of the share of their variance that lies between the categories.
    Both go from 0 to 1. Rows in which one of the two cells is empty are left out.
    """
    count, numeric = len(table.names), table.numeric
    found = np.eye(count)
    for i in range(count):
        for j in range(i):
            a, b = table.values[:, i], table.values[:, j]
            both = ~np.isnan(a) & ~np.isnan(b)
            found[i, j] = found[j, i] = _of_pair(a[both], b[both], bool(numeric[i]), bool(numeric[j]))
    return found


def _of_pair(a: Values, b: Values, number_a: bool, number_b: bool) -> float:
    if len(a) < 2 or (a == a[0]).all() or (b == b[0]).all():
        return float("nan")
    if number_a and number_b:
        return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
    if number_a:
        return correlation_ratio(rankdata(a), b)
    return correlation_ratio(rankdata(b), a) if number_b else cramers_v(a, b)


def correlation_ratio(numbers: Values, groups: Values) -> float:
    """The square root of the share of the variance of ``numbers`` that lies between ``groups``, both ``(N,)``.

    >>> correlation_ratio(np.array([1.0, 1.0, 5.0, 5.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    1.0
    """
    _, which = np.unique(groups, return_inverse=True)
    sizes = np.bincount(which)
    means = np.bincount(which, weights=numbers) / sizes
    between = (sizes * (means - numbers.mean()) ** 2).sum()
    return float(np.sqrt(between / ((numbers - numbers.mean()) ** 2).sum()))


def cramers_v(a: Values, b: Values) -> float:
    """Cramer's V of two columns of categories ``(N,)``.

    >>> cramers_v(np.array([0.0, 0.0, 1.0, 1.0]), np.array([2.0, 2.0, 3.0, 3.0]))
    1.0
    """
    _, rows = np.unique(a, return_inverse=True)
    _, columns = np.unique(b, return_inverse=True)
    height, width = rows.max() + 1, columns.max() + 1
    # chi^2 / N = sum of p_ij^2 / (p_i p_j) - 1, over the cells that occur: their number is small.
    cells, counts = np.unique(rows * width + columns, return_counts=True)
    expected = np.bincount(rows)[cells // width] * np.bincount(columns)[cells % width]
    chi2 = (counts.astype(np.float64) ** 2 / expected).sum() - 1
    return float(np.sqrt(max(chi2, 0.0) / (min(height, width) - 1)))
