"""Drift of a table: its new rows beside old ones, by their likelihood and column by column."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray

from chainrule.abilities import components_of
from chainrule.compare.drift import ColumnPair, Pair, drift_figures
from chainrule.compare.table import Values, tables
from chainrule.data.codecs import Categories, Constant, Times
from chainrule.data.codecs.categories import as_texts
from chainrule.data.column import Column
from chainrule.data.read.column_types import with_type
from chainrule.data.read.layout import FileChoices
from chainrule.data.read.table import chunks_of
from chainrule.data.schema import TableSchema
from chainrule.kinds.requests import Drifting, Source, one_class
from chainrule.model import AutoregressiveModel
from chainrule.tasks.score import surprisals
from chainrule.words import suggestion

ROWS = 10_000
"""Rows of each sort that are compared, at most, chosen at random."""

CHUNK = 4096
"""Rows that are scored at once."""

OTHERS = "(all others)"
"""Category of the values that have no code of their own."""


@dataclass(frozen=True)
class Rows:
    """Some rows of a table.

    Attributes:
        x: Their variables ``(N, n)``, as the model has them.
        constants: The cells of columns that had one value in training, as text.
        numbers: The numbers of the rows in their file, from 1 on ``(N,)``.
        times: The times at which they were taken, if a column says so.
        unknown: Columns of the file that the run does not know.
    """

    x: NDArray[np.float32]
    constants: polars.DataFrame
    numbers: NDArray[np.int64]
    times: polars.Series | None = None
    unknown: tuple[str, ...] = ()

    def some(self, seed: int) -> Rows:
        """At most `ROWS` of the rows, chosen at random, in their sequence."""
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self.x))[:ROWS])
        times = None if self.times is None else self.times.gather(chosen)
        constants = self.constants.select(polars.all().gather(chosen))
        return replace(self, x=self.x[chosen], constants=constants, numbers=self.numbers[chosen], times=times)


def table_drift(schema: TableSchema, model: AutoregressiveModel, request: Drifting) -> dict[str, Any]:
    """The figures of `chainrule.compare.drift.drift_figures`, and what was compared.

    Old values are those of all rows that the run was fitted on. Likelihoods, and columns with rare categories, are
    compared with the rows that were held out, because training decided what is probable and what is rare.

    Raises:
        ValueError: If there are too few rows, times go back, or there is no such column.
    """
    _check_names(schema, request)
    request.say("reading the rows")
    new = _read(schema, request.new, request.time)
    count = len(new.x)
    new = new.some(request.seed)
    if request.old is not None:
        every = held_out = _read(schema, request.old, None).some(request.seed)
    else:
        splits = request.new.load().splits
        kept = [name for name in splits if request.new.path is not None or name != request.new.split]
        every, held_out = (
            _of_splits(schema, [splits[name].bounded()[:].numpy() for name in names]).some(request.seed)
            for names in (kept, request.held_out)
        )
    moments = _moments(schema, every, new) | ({request.time} if request.time is not None else set())
    left_out = moments | set(request.ignore)
    request.say(f"scoring {len(new.x):,} new and {len(held_out.x):,} old rows")
    held_out = _blind(schema, held_out, every, left_out, request.seed)
    new = _blind(schema, new, every, left_out, request.seed + 1)
    pair = _pair(schema, model, (every, held_out, new), left_out, request)
    figures = drift_figures(pair, rate=request.rate, chunks=request.chunks)
    for chunk in figures["chunks"]:
        ends = chunk["first"] - 1, chunk["last"] - 1
        chunk["first"], chunk["last"] = (int(new.numbers[end]) for end in ends)
        chunk["times"] = None if new.times is None else [str(new.times[end]) for end in ends]
    figures["rows"] = {"old": len(every.x), "held_out": len(held_out.x), "new": count, "compared": len(new.x)}
    return figures | {"not_tested": sorted(left_out), "moments": sorted(moments), "unknown": list(new.unknown)}


def _check_names(schema: TableSchema, request: Drifting) -> None:
    names = [column.name for column in schema.columns]
    for flag, given in {"--ignore": request.ignore, "--time": (request.time,)}.items():
        for name in given:
            if name is not None and name not in names:
                raise ValueError(f"{flag} expects a column ({', '.join(names[:5])}, ...), got {name!r}"
                                 f"{suggestion(name, names)}")  # fmt: skip
    if all(column.name in (*request.ignore, request.time) for column in schema.used):
        raise ValueError("--ignore and --time expect to leave a column to test, got all of them")


def _read(schema: TableSchema, source: Source, time: str | None) -> Rows:
    """All rows of a source.

    Raises:
        ValueError: If a cell can't be read, or the times of the column ``time`` go back.
    """
    if source.path is None:
        x = source.load().split(source.split).bounded()[:].numpy()
        rows = _of_splits(schema, [x])
        return rows if time is None else replace(rows, times=_ascending(schema.decode(x)[time]))
    parts, times, first = [], [], 1
    for chunk in chunks_of(source.path, schema, choices=FileChoices.of(source.settings)):
        try:
            x = schema.encode(chunk, source.path.name, gaps=True, unseen=True)
        except ValueError as error:
            raise ValueError(f"{error}{f' (rows are counted from {first} on)' if first > 1 else ''}") from None
        parts.append((x, _constants(schema, chunk)))
        times += [] if time is None else [_column(chunk, time, source)]
        first += len(chunk)
    known = {column.name for column in schema.columns}
    return Rows(
        np.concatenate([x for x, _ in parts]),
        polars.concat([constants for _, constants in parts]),
        np.arange(1, first),
        _ascending(polars.concat(times)) if times else None,
        tuple(name for name in chunk.columns if name not in known),
    )


def _of_splits(schema: TableSchema, parts: Sequence[NDArray[np.float32]]) -> Rows:
    """Rows of the run's own data, whose constant columns have their value."""
    x = np.concatenate(parts)
    values = {own.name: own.codec.value for own in schema.columns if isinstance(own.codec, Constant)}
    constants = [polars.Series(name, [value] * len(x), dtype=polars.String) for name, value in values.items()]
    return Rows(x, polars.DataFrame(constants), np.arange(1, len(x) + 1))


def _constants(schema: TableSchema, frame: polars.DataFrame) -> polars.DataFrame:
    """The cells of columns that had one value in training, as text; the same number is the same text."""
    columns = []
    for own in schema.columns:
        if not isinstance(own.codec, Constant):
            continue
        cells = frame[own.name] if own.name in frame.columns else polars.Series([None]).new_from_index(0, len(frame))
        texts = as_texts(own.codec.present(cells)).str.strip_chars()
        columns.append(_with_number(texts, own.codec.value).alias(own.name))
    return polars.DataFrame(columns)


def _with_number(texts: polars.Series, value: str | None) -> polars.Series:
    """Text in which the number that ``value`` is, if it is one, is always written in the same way."""
    number = polars.Series([value], dtype=polars.String).cast(polars.Float64, strict=False)
    if number.null_count():
        return texts
    same = texts.cast(polars.Float64, strict=False) == number[0]
    return polars.select(polars.when(same).then(polars.lit(value)).otherwise(texts)).to_series()


def _column(frame: polars.DataFrame, name: str, source: Source) -> polars.Series:
    if name not in frame.columns:
        raise ValueError(f"{source.path}: expected the column {name!r} of --time, got none of this name"
                         f"{suggestion(name, frame.columns)}")  # fmt: skip
    return frame[name]


def _ascending(cells: polars.Series) -> polars.Series:
    """Cells as times or numbers, none of which is less than the one before.

    Raises:
        ValueError: If one is, or is empty, or is no time and no number; its row is named.
    """
    times = with_type(cells) if cells.dtype == polars.String else cells
    if not (times.dtype.is_temporal() or times.dtype.is_numeric()):
        raise ValueError(f"--time expects a column of times or numbers, got {cells.name!r} ({cells[0]!r}, ...)")
    if times.null_count():
        row = int(times.is_null().arg_max() or 0)
        raise ValueError(f"--time expects a time in each row, got an empty cell of {cells.name!r} in row {row + 1}")
    back = (times < times.shift(1)).fill_null(False)
    if back.any():
        row = int(back.arg_max() or 0)
        raise ValueError(
            f"--time expects times that never go back, got {times[row]} in row {row + 1} after {times[row - 1]}: "
            f"sort the rows by {cells.name}"
        )
    return times


def _moments(schema: TableSchema, old: Rows, new: Rows) -> set[str]:
    """Columns of dates that all come after the old ones: they say when rows were taken, and not what they are like."""
    found = set()
    for column, before, after in zip(schema.used, old.x.T, new.x.T, strict=True):
        if isinstance(column.codec, Times) and column.codec.since and np.nanmin(after) > np.nanmax(before):
            found.add(column.name)
    return found


def _blind(schema: TableSchema, rows: Rows, old: Rows, left_out: Collection[str], seed: int) -> Rows:
    """The rows with random old values in the columns that are not tested, so that these tell old from new no more.

    If the other columns have not changed, old and new rows are then exchangeable, whatever the model has learnt.
    """
    x, random = rows.x.copy(), np.random.default_rng(seed)
    for index, column in enumerate(schema.used):
        if column.name in left_out:
            x[:, index] = random.choice(old.x[:, index], len(x))
    return replace(rows, x=x)


def _pair(
    schema: TableSchema,
    model: AutoregressiveModel,
    rows: tuple[Rows, Rows, Rows],
    left_out: Collection[str],
    request: Drifting,
) -> Pair:
    """All old, held-out old and new rows as they are tested."""
    every, held_out, new = rows
    tested = np.array([column.name not in left_out for column in schema.used])
    nats = [_cell_nats(schema, model, own.x, request.new.label) for own in (held_out, new)]
    coded = tables({"old": _frame(schema, every), "held_out": _frame(schema, held_out), "new": _frame(schema, new)})
    columns = []
    for index, name in enumerate(coded["new"].names):
        if name in left_out:
            continue
        own = schema.used[index] if index < len(schema.used) else None
        rare = own is not None and isinstance(own.codec, Categories) and bool(own.codec.rare)
        before, after = (coded[sort].columns(np.array([index])) for sort in ("held_out" if rare else "old", "new"))
        pair = ColumnPair(before, after)
        columns.append(pair if own is None else pair.given(*(cells[:, index] for cells in nats)))
    return Pair(_row_nats(nats[0][:, tested]), _row_nats(nats[1][:, tested]), columns)


def _frame(schema: TableSchema, rows: Rows) -> polars.DataFrame:
    """The cells of the variables, in the file's types, and those of constant columns."""
    columns = [_cells(column, values) for column, values in zip(schema.used, rows.x.T, strict=True)]
    return polars.DataFrame([*columns, *rows.constants])


def _cells(column: Column, values: NDArray[np.float32]) -> polars.Series:
    """The cells of a column; categories without a code of their own become `OTHERS`."""
    numbers = values.astype(np.float64)
    if not isinstance(column.codec, Categories):
        return column.codec.write(np.where(np.isinf(numbers), np.nan, numbers)).rename(column.name)
    names = polars.Series([*column.codec.categories, OTHERS])
    codes = polars.Series(np.minimum(numbers, len(names) - 1)).fill_nan(None).cast(polars.Int64)
    return names.gather(codes).rename(column.name)


def _cell_nats(schema: TableSchema, model: AutoregressiveModel, x: NDArray[np.float32], label: int | None) -> Values:
    """-log p(cell | the cells before it) ``(N, n)``, the mean over the orders of a mixture.

    A value that training did not have is infinite; a cell from an empty one on, where training had none, is NaN.
    """
    unmissing = ~np.array([column.missing for column in schema.used])
    stand_in = np.array([column.low if column.family == "integer" else 0 for column in schema.used], np.float32)
    unseen, empty = np.isinf(x), np.isnan(x) & unmissing
    known = torch.from_numpy(np.where(unseen | empty, stand_in, x))
    components = components_of(model)
    total = np.zeros(x.shape)
    for component in components:
        parts = [surprisals(component, part, one_class(model, label, len(part))).double().cpu()
                 for part in known.split(CHUNK)]  # fmt: skip
        order = component.order.permutation.cpu().numpy()
        after = np.zeros_like(empty)
        after[:, order] = (unseen | empty)[:, order].cumsum(axis=1) > 0
        total += np.where(after, np.nan, torch.cat(parts).numpy())
    return np.where(unseen, np.inf, total / len(components))


def _row_nats(cells: Values) -> Values:
    """-log p of rows, infinite where a cell's is; NaN for other rows with a cell that has none."""
    unseen = np.max(np.isinf(cells), axis=1)
    return np.where(unseen, np.inf, np.where(unseen[:, None], 0.0, cells).sum(axis=1))
