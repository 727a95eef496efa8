"""The plans for tables, and for rows of levels: a small network many times, or a larger one once.

What limits a table of some hundred rows is data, not computation. So a small network is regularised by dropout, trained
for several orders of the columns, and the probabilities of whole rows are averaged, which brings more than any other
choice. As rows become many, the network grows and the members become fewer, so that they fit into the minutes.

Real columns are whitened (`chainrule.models.WhitenedMADE`). What a regression leaves of a smooth column is close to one
bell, for which one logistic is enough, and each further component is one more way to learn noise by heart. Columns
whose values repeat, such as amounts that often are zero, need several. The validation part says which it is.
"""

from __future__ import annotations

from chainrule.plans.plan import Plan, Settings

FEW, SOME, MANY = 500, 5_000, 20_000
"""Training rows up to which a table is small, of middle size, and large."""

COMPONENTS = (1, 3, 10)
"""Logistics of a real column that are tried on a table of middle size or less."""

WIDE = 400
"""Levels of more columns than this are learnt by one network: members would take too long."""


def table_plan(rows: int, columns: int, reals: int, minutes: float) -> Plan:
    """The plan for a table of real numbers, integers and categories.

    Args:
        rows: The number of training rows.
        columns: The number of columns that are variables.
        reals: How many of them are real.
        minutes: The minutes of the fit.

    >>> plan = table_plan(340, 10, 10, 3.0)
    >>> plan.settings["model"], plan.settings["conditional.components"], plan.settings["members"]
    ('WhitenedMADE', 1, 8)
    """
    settings: Settings = {
        "model": "WhitenedMADE" if reals else "MADE",
        "model.direct": True,
        **_network(rows),
        **_training(rows),
        **_members(rows, minutes),
    }
    candidates: tuple[Settings, ...] = ({"model.dropout": 0.3}, {"model.dropout": 0.5})
    if reals:
        settings |= {"conditional": "LogisticMixture", "conditional.components": 1 if rows <= SOME else 10}
        candidates = tuple({"conditional.components": components} for components in COMPONENTS)
    return Plan(settings, candidates if rows <= SOME else (), (_size(rows), *_reasons(columns, reals)))


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
    settings |= _members(rows, minutes) if columns <= WIDE else {}
    made: Settings = {"model.hidden_sizes": [500], "model.direct": True, "model.dropout": 0.5}
    if rows > SOME:
        return Plan(settings | made, reasons=(_size(rows),))
    nade: Settings = {"model": "NADE", "model.hidden_size": 500, "model.activation": "relu", "model.dropout": 0.8}
    regressions: Settings = {"model": "FVSBN", "model.dropout": 0.5, "weight_decay": 1.0}
    candidates = (made, nade, regressions) if levels == 2 else (made, nade)
    return Plan(settings, candidates, (_size(rows), f"the best of {len(candidates)} models on validation is kept"))


def _network(rows: int) -> Settings:
    if rows <= SOME:
        return {"model.hidden_sizes": [64], "model.dropout": 0.3}
    return {"model.hidden_sizes": [256, 256], "model.dropout": 0.1}


def _training(rows: int) -> Settings:
    """The steps and their size: about 20 epochs of many rows, and as many steps as ever help of few."""
    batch = 64 if rows <= SOME else 256
    steps = 800 if rows <= FEW else 2000 if rows <= SOME else max(4000, 20 * rows // batch)
    return {
        "batch_size": batch,
        "learning_rate": 3e-3 if rows <= FEW else 2e-3,
        "schedule": "linear",
        "averaging": 0.99 if rows <= SOME else 0.999,
        "max_steps": steps,
        "validate_every": max(20, steps // 50),
        "patience": max(200, steps // 4),
    }


def _members(rows: int, minutes: float) -> Settings:
    """Members in random orders: 8, or fewer where each would need more than its share of the minutes."""
    most = 8 if rows <= SOME else 4 if rows <= MANY else 1
    count = min(most, max(1, int(minutes * (8 if rows <= SOME else 1))))
    return {"members": count, "orders": ["random"]} if count > 1 else {}


def _size(rows: int) -> str:
    return f"{rows} rows " + (
        "are few: a small network with dropout" if rows <= SOME else "are many: a larger network, trained longer"
    )


def _reasons(columns: int, reals: int) -> tuple[str, ...]:
    if not reals:
        return ()
    return (f"{reals} of {columns} columns are real: regressions on the earlier columns come first",)
