"""Two-sample tests: are old and new values of one distribution?

All but `share_pvalue` are one test. Each value has scores a_i, such as its rank, or 1 if it is in a category. If
old and new values are exchangeable, the scores of the m new ones among N sum to S, with the mean m ā and the covariance

    V = m (N - m) / (N (N - 1)) sum_i (a_i - ā)(a_i - ā)',

whatever the ties, and (S - m ā)' V⁻¹ (S - m ā) is about chi-squared, with the rank of V as degrees of freedom.

References:
    On the asymptotic theory of permutation statistics (Strasser and Weber, 1999), Mathematical Methods of Statistics 8
    A combination of Wilcoxon's and Ansari-Bradley's statistics (Lepage, 1971), https://doi.org/10.1093/biomet/58.1.213
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, fisher_exact, rankdata

from chainrule.compare.table import Values

EXPECTED = 5
"""Values of which fewer are expected in a sample are too rare for a chi-squared distribution."""


def scores_pvalue(old: Values, new: Values) -> float:
    """The p-value of scores ``(n, k)`` and ``(m, k)`` of old and new values; 1 if no score tells values apart."""
    scores = np.concatenate([old, new])
    count, size = len(scores), len(new)
    if not scores.size or not 0 < size < count:
        return 1.0
    centred = scores - scores.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    centred = centred[:, spread > 0] / spread[spread > 0]
    if not centred.size:
        return 1.0
    covariance = size * (count - size) / (count * (count - 1)) * centred.T @ centred
    distance = centred[len(old) :].sum(axis=0)
    rank = np.linalg.matrix_rank(covariance, hermitian=True)
    statistic = distance @ np.linalg.pinv(covariance, hermitian=True) @ distance
    return float(chi2.sf(statistic, rank))


def numbers_pvalue(old: Values, new: Values) -> float:
    """The p-value of numbers ``(n,)`` and ``(m,)``, which may be infinite.

    The scores are the rank, which tells of a shift; its distance from the middle rank, which tells of a change of the
    spread; and the indicator of the commonest value, if it is frequent.

    >>> round(numbers_pvalue(np.arange(50.0), np.arange(50.0) + 0.5), 3)
    0.985
    >>> numbers_pvalue(np.arange(50.0), np.arange(50.0) + 20) < 1e-4
    True
    """
    values = np.concatenate([old, new])
    if not len(old) or not len(new):
        return 1.0
    ranks = rankdata(values)
    scores = [ranks, np.abs(ranks - (len(values) + 1) / 2)]
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    if _expected(counts, old, new).max() >= EXPECTED:
        scores.append(places == counts.argmax())
    both = np.column_stack(scores).astype(np.float64)
    return scores_pvalue(both[: len(old)], both[len(old) :])


def categories_pvalue(old: Values, new: Values) -> float:
    """The p-value of categories ``(n,)`` and ``(m,)``, as codes; those too rare for the test are left out.

    Of the others it is that of Pearson's chi-squared test, but for a factor of (N - 1) / N.

    >>> categories_pvalue(np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], [80, 20])) < 1e-4
    True
    """
    there = [values[~is_rare(values, old, new)] for values in (old, new)]
    codes = np.unique(np.concatenate(there))
    return scores_pvalue(*((values[:, None] == codes[1:]).astype(np.float64) for values in there))


def is_rare(values: Values, old: Values, new: Values) -> NDArray[np.bool_]:
    """True for categories of which fewer than `EXPECTED` are expected in the smaller of two samples ``(N,)``."""
    codes, counts = np.unique(np.concatenate([old, new]), return_counts=True)
    return np.isin(values, codes[_expected(counts, old, new) < EXPECTED])


def share_pvalue(old: NDArray[np.bool_], new: NDArray[np.bool_]) -> float:
    """Fisher's exact p-value of the share of true among booleans ``(n,)`` and ``(m,)``.

    >>> share_pvalue(np.zeros(400, bool), np.arange(100) < 4) < 0.01
    True
    """
    table = [[int(values.sum()), int((~values).sum())] for values in (old, new)]
    return float(fisher_exact(table).pvalue)


def stranger_share(old: Values, new: Values) -> float:
    """The probability that a new number is greater than an old one; ties count half. 0.5 if they have one distribution.

    >>> stranger_share(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([old, new]))[len(old) :]
    return float((ranks.mean() - (len(new) + 1) / 2) / len(old))


def _expected(counts: NDArray[np.int64], old: Values, new: Values) -> Values:
    """The numbers of values that are expected in the smaller of two samples, of ``counts`` in both together."""
    return np.asarray(counts, np.float64) * (min(len(old), len(new)) / max(1, len(old) + len(new)))
