"""The plans for tables, and for rows of levels: a small network many times, or a larger one once.

What limits a table of some hundred rows is data, not computation. So a small network is regularised by dropout, trained
for several orders of the columns, and the probabilities of whole rows are averaged, which brings more than any other
choice. As rows become many, the network grows and the members become fewer, so that they fit into the minutes.

Numbers have families of their own (`chainrule.data.shape`): atoms, and a mixture on a curve. Where columns are nearly
collinear, a table of few rows is better whitened (`chainrule.models.WhitenedMADE`): what a regression leaves of a
smooth column is close to one bell, for which one logistic is enough, and each further component is one more way to
learn noise by heart. The validation part says which it is. It can't, where numbers repeat: a density is then the
likelier the narrower its spikes, and cells have a probability. Nor can it where rows are very few: it then tells a
network from regressions, but not when to stop training beyond these.

Categories come first in the order: given its category, a number often has one bell where it had several.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.plans.plan import Plan, Settings

TINY, FEW, SOME, MANY, HUGE = 80, 500, 5_000, 50_000, 200_000
"""Training rows up to which a table is tiny, small, of middle size, large, and not yet huge."""

VALIDATED = 100_000
"""Rows that more than ten times as many training rows are validated on: more would take longer than they tell."""

NETWORK: Settings = {"model": "MADE", "model.embedding_size": 16}
"""A network of the numbers' own families; `REGRESSIONS` are of densities, which they whiten."""

REGRESSIONS: Settings = {"model": "WhitenedMADE", "conditional": "LogisticMixture"}

TINY_FORMS: tuple[Settings, ...] = (NETWORK, {**REGRESSIONS, "conditional.components": 1, "max_steps": 1})
"""Models that are tried on a tiny table with real columns. Its few validation rows can't tell whether training improved
the regressions or learnt rows by heart, so they stay as they are in closed form: one step hardly changes them."""

SMALL_FORMS: tuple[Settings, ...] = (
    NETWORK,
    {**NETWORK, "model.hidden_sizes": [256, 256]},
    {**REGRESSIONS, "conditional.components": 1},
    {**REGRESSIONS, "conditional.components": 3},
)
"""Models that are tried on a small table with real columns."""

FORMS: tuple[Settings, ...] = (
    {**NETWORK, "model.hidden_sizes": [256, 256]},
    {**NETWORK, "model.hidden_sizes": [500, 500], "model.dropout": 0.5},
    {**REGRESSIONS, "conditional.components": 1},
)
"""Models that are tried on a table of middle size with real columns."""

NUMBERS = ("real", "rough", "integer")
"""The kinds of columns of numbers."""

MOST = 8
"""Members, at most."""

WIDE = 400
"""Levels of more columns than this are learnt by one network: members would take too long."""


def table_plan(rows: int, kinds: Sequence[str], minutes: float) -> Plan:
    """The plan for a table of real numbers, integers and categories.

    Args:
        rows: The number of training rows.
        kinds: The kind of each column that is a variable: ``real``; ``rough``, if it is real but repeats its values;
            ``integer``; or another.
        minutes: The minutes of the fit.

    >>> plan = table_plan(340, ["real", "real", "category"], 3.0)
    >>> plan.settings["model"], plan.settings["members"], plan.settings["orders"][0]
    ('MADE', 8, [2, 0, 1])
    """
    whitened = "real" in kinds and "rough" not in kinds
    settings: Settings = {"model": "MADE", "model.direct": True, **_network(rows), **_training(rows)}
    members = _members(rows, minutes)
    orders = [_categories_first(kinds, seed) for seed in range(members)]
    settings |= {"members": members, "orders": orders} if members > 1 else {"model.order": orders[0]}
    settings |= {"validation_size": VALIDATED} if rows > 10 * VALIDATED else {}
    candidates: tuple[Settings, ...] = (NETWORK, {**NETWORK, "model.dropout": 0.5}, {"model.dropout": 0.5})
    if {"real", "rough"} & set(kinds):
        forms = TINY_FORMS if rows <= TINY else SMALL_FORMS if rows <= FEW else FORMS
        candidates = tuple(form for form in forms if whitened or form["model"] != REGRESSIONS["model"])
    return Plan(settings, candidates if rows <= SOME else (), (_size(rows), *_reasons(kinds)))


def rows_plan(rows: int, columns: int, levels: int, minutes: float) -> Plan:
    """The plan for rows of levels, such as binary data.

    Args:
        rows: The number of training rows.
        columns: The number of variables of a row.
        levels: The number of values of a variable.
        minutes: The minutes of the fit.

    >>> plan = rows_plan(400, 180, 2, 3.0)
    >>> [candidate.get("model", plan.settings["model"]) for candidate in plan.candidates]
    ['MADE', 'NADE', 'FVSBN']
    """
    settings: Settings = {"model": "MADE", **_training(rows), "weight_decay": 0.1}
    settings |= {"averaging": 0.999} if rows > SOME else {}
    members = _members(rows, minutes) if columns <= WIDE else 1
    settings |= {"members": members, "orders": ["random"]} if members > 1 else {}
    made: Settings = {"model.hidden_sizes": [500], "model.direct": True, "model.dropout": 0.5}
    if rows > SOME:
        return Plan(settings | made, reasons=(_size(rows),))
    size: Settings = {"model.hidden_size": 500, "model.dropout": 0.8}
    if rows > FEW:
        size = {"model.hidden_size": 200, "model.dropout": 0.5, "weight_decay": 0.02}
    nade: Settings = {"model": "NADE", "model.activation": "relu", **size}
    regressions: Settings = {"model": "FVSBN", "model.dropout": 0.5, "weight_decay": 1.0}
    candidates = (made, nade, regressions) if levels == 2 else (made, nade)
    return Plan(settings, candidates, (_size(rows),))


def _network(rows: int) -> Settings:
    if rows <= SOME:
        return {"model.hidden_sizes": [64], "model.dropout": 0.3}
    return {"model.hidden_sizes": [256, 256], "model.embedding_size": 16, "model.dropout": 0.1}


def _training(rows: int) -> Settings:
    """The steps and their size: about 20 epochs of many rows, and as many steps as ever help of few."""
    batch = 64 if rows <= SOME else 256 if rows <= HUGE else 1024
    steps = 800 if rows <= FEW else 5000 if rows <= SOME else max(4000, 20 * rows // batch)
    return {
        "batch_size": batch,
        "learning_rate": 3e-3 if rows <= FEW else 2e-3,
        "schedule": "linear",
        "averaging": 0.99,
        "max_steps": steps,
        "validate_every": max(20, steps // 50),
        "patience": max(200, steps // 5),
    }


def _members(rows: int, minutes: float) -> int:
    """The number of members, at most; `fit` has fewer where they would not all fit into the minutes."""
    most = MOST if rows <= SOME else 4 if rows <= MANY else 1
    return min(most, max(1, int(minutes * (8 if rows <= SOME else 1))))


def _categories_first(kinds: Sequence[str], seed: int) -> list[int]:
    """Categories before numbers; each in the table's order for the seed 0, else in a random one."""
    columns = list(range(len(kinds)))
    if seed > 0:
        columns = np.random.RandomState(seed).permutation(len(kinds)).tolist()
    return sorted(columns, key=lambda column: kinds[column] in NUMBERS)


def _size(rows: int) -> str:
    return f"{rows} rows " + (
        "are few: a small network with dropout" if rows <= SOME else "are many: a larger network, trained longer"
    )


def _reasons(kinds: Sequence[str]) -> tuple[str, ...]:
    numbers = sum(kind in NUMBERS for kind in kinds)
    if not numbers:
        return ()
    return (f"{numbers} of {len(kinds)} columns are numbers: each on a curve of its own, which makes it a bell",)
