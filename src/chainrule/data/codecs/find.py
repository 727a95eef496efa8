"""Finds the kind and the codec of a column from its cells, or says which cells are in the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars

from chainrule.data.codecs.base import GAPS, Codec, dtype_name, without_gaps, words_of_gaps
from chainrule.data.codecs.booleans import find_booleans, most_common_pair
from chainrule.data.codecs.categories import find_categories
from chainrule.data.codecs.notation import find_most_common
from chainrule.data.codecs.numbers import CODE, NOTATION, Numbers, find_numbers
from chainrule.data.codecs.time_formats import find_time_format
from chainrule.data.codecs.times import DTYPES, find_times, kind_of
from chainrule.data.codecs.unmodelled import LEAST, Constant, Ignored, find_identifiers

MOST_NUMBERS = 0.5
"""A column of text more than this share of which is numbers, or times, is meant as such."""

TWO_LETTERS = r"^[A-Z]{2}$"
CODES = 5
"""NA is a value, Namibia, in a column of at least so many other codes of two letters and nothing else."""

SHORT = r"^\p{L}{1,4}$"
"""NA may be a value in a column of such words, as Namibia's code, or none of what the others name."""

DECLARED = "as the schema says"

COMPOUND = "a list, a structure, binary data or objects: left out, as no model of rows reads it"

NEARLY_ALL = 0.9
"""A column of which more cells than this are dates or amounts is one of them."""

DATE = r"^(\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/]\d{1,2}[-/]\d{4})([ T]\d{1,2}:.*)?$"
AMOUNT = r"^(?:[$€£¥₹]\s?\d[\d.,]*|\d[\d.,]*\s?[$€£¥₹])$"

Found = tuple[str, Codec, str]
"""A kind, its codec, and a note."""


@dataclass(frozen=True)
class Whole:
    """The facts about all cells of a column, where only some of them are at hand.

    Attributes:
        count: The number of all cells.
        differ: True if none is empty and no two are the same.
    """

    count: int
    differ: bool


def find_codec(cells: polars.Series, rows: np.ndarray[Any, Any], *, text: bool, whole: Whole | None = None) -> Found:
    """The kind of a column, its codec, and a note on what becomes of it.

    Args:
        cells: All cells, with gaps.
        rows: The training rows, which say what is frequent.
        text: True for the cells of a text file.
        whole: What is known of all cells, where ``cells`` are some of them.

    Raises:
        ValueError: If most cells are numbers or times and some are not; the first of them is named.
    """
    if cells.dtype.is_nested() or cells.dtype in (polars.Binary, polars.Object):
        return "ignore", Ignored(), COMPOUND
    gaps, note = _gaps(cells)
    plain = _plain(cells, gaps)
    there = plain.drop_nulls()
    gap = _gap(cells, plain)
    if (constant := _constant(there, cells.dtype, text=text)) is not None:
        doubt = _perhaps_a_value(cells, there, gaps)
        return "constant", replace(constant, gap=gap), "; ".join(filter(None, (constant.note, doubt)))
    kind, codec = _modelled(there, plain, rows, text=text)
    count = len(cells) if whole is None else whole.count
    if count >= LEAST and kind in ("integer", "category") and _all_differ(cells, there, whole):
        counts = kind == "category" or _counts(there, codec)
        found = find_identifiers(there, cells.name, count, text=text) if counts else None
        if found is None and isinstance(codec, Numbers) and there.dtype == polars.String and codec.notation.plain:
            found = find_identifiers(there.cast(polars.Int64), cells.name, count, text=text)
            found = None if found is None else replace(found, dtype="Int64" if text else "String")
        if found is not None:
            return "identifier", found, found.note
    if gaps is not None or gap:
        codec = replace(codec, gap=gap, gaps=gaps)
    doubts = (_perhaps_a_value(cells, there, gaps), _nearly_booleans(plain)) if kind == "category" else ()
    notes = (note, *doubts, _spaces(cells, kind), codec.note)
    return kind, codec, "; ".join(filter(None, notes))


def find_codec_of_kind(
    cells: polars.Series,
    rows: np.ndarray[Any, Any],
    kind: str,
    given: dict[str, Any],
    *,
    text: bool,
    whole: Whole | None = None,
) -> Codec:
    """The codec of a column whose kind a person says; ``given`` are values of the codec that they wrote too.

    Raises:
        ValueError: If a cell is nothing of this kind; it is named.
    """
    gaps = given["gaps"] if "gaps" in given else _gaps(cells)[0]
    plain = _plain(cells, gaps)
    there = plain.drop_nulls()
    codec: Codec | None
    if kind == "constant":
        value = there.cast(polars.String)[0] if len(there) else None
        codec = Constant(dtype="String" if text else dtype_name(cells.dtype), value=value)
    elif kind == "ignore":
        codec = Ignored()
    elif len(there) == 0:
        raise ValueError(f"expects values, as the schema says {kind}, got empty cells only")
    elif kind in ("real", "integer"):
        codec = find_numbers(there, text=text, codes=True, given=given)
    elif kind == "boolean":
        codec = find_booleans(there, text=text, numbers=True, given=given.get("true_false"))
    elif kind in DTYPES:
        found = find_times(there, text=text, format=given.get("format"))
        codec = found if found is not None and kind_of(found) == kind else None
    elif kind == "identifier":
        codec = find_identifiers(there, "id", len(there) if whole is None else whole.count, text=text)
    else:
        codec = find_categories(there, plain.gather(rows).drop_nulls(), text=text)
    if codec is None:
        raise ValueError(_stray(plain, kind, given))
    return replace(codec, gap=_gap(cells, plain), gaps=gaps)


def _modelled(
    there: polars.Series, plain: polars.Series, rows: np.ndarray[Any, Any], *, text: bool
) -> tuple[str, Codec]:
    """The kind and the codec of the cells of a variable."""
    dtype = there.dtype
    if dtype.is_temporal():
        times = find_times(there, text=text)
        assert times is not None
        return kind_of(times), times
    if dtype in (polars.Categorical, polars.Enum):
        return "category", find_categories(there, plain.gather(rows).drop_nulls(), text=text)
    booleans = find_booleans(there, text=text)
    if booleans is not None:
        return "boolean", booleans
    numbers = None if _are_compact_dates(there) else find_numbers(there, text=text)
    if numbers is not None:
        return ("integer" if numbers.decimals == 0 else "real"), numbers
    times = find_times(there, text=text) if dtype == polars.String else None
    if times is not None:
        return kind_of(times), times
    if dtype.is_float():
        raise ValueError(f"expects finite numbers, got {there.filter(there.is_infinite())[0]}")
    if not there.str.contains(CODE).any():
        _refuse_strays(plain)
        _refuse_mixtures(there)
    return "category", find_categories(there, plain.gather(rows).drop_nulls(), text=text)


def _are_compact_dates(there: polars.Series) -> bool:
    """True for text such as 20260131 in all cells, which would be numbers too."""
    if there.dtype != polars.String or not there.head(100).str.contains(r"^(19|20)\d{6}$").all():
        return False
    found = find_time_format(there)
    return found is not None and found[0] == "date"


def _refuse_strays(plain: polars.Series) -> None:
    """Raise ``ValueError`` if most cells are numbers or times, and some are not."""
    there = plain.drop_nulls()
    notation = find_most_common(there)
    numbers = notation.strip(there).cast(polars.Float64, strict=False)
    finite = numbers.is_finite().fill_null(False)
    if not finite.all() and float(finite.mean() or 0.0) > MOST_NUMBERS:  # type: ignore[arg-type]
        raise ValueError(_names(plain, there.filter(~finite), "numbers"))
    if not there.head(100).str.contains(r"\d.*\d").any():
        return
    for start in there.head(3):
        found = find_time_format(polars.Series([start]))
        if found is not None:
            times = find_times(polars.Series([start]), text=True, format=found[1].format)
            readable = None if times is None else times.typed(there).is_not_null()
            if readable is not None and float(readable.mean() or 0.0) > MOST_NUMBERS:  # type: ignore[arg-type]
                raise ValueError(_names(plain, there.filter(~readable), f"{found[0]}s as {found[1].format}"))


def _refuse_mixtures(there: polars.Series) -> None:
    """Raise ``ValueError`` if nearly all cells are dates, or amounts, that are written in several ways."""
    for pattern, expected in ((DATE, "dates in one format"), (AMOUNT, "amounts in one currency")):
        if float(there.str.contains(pattern).mean() or 0.0) > NEARLY_ALL:  # type: ignore[arg-type]
            ways = polars.DataFrame({"cell": there, "way": there.str.replace_all(r"[\d.,]+", "9")})
            examples = ways.unique("way", maintain_order=True)["cell"].head(2).to_list()
            raise ValueError(
                f"expects {expected}, got {' and '.join(map(repr, examples))}: write them in one way, or write a "
                "--schema with kind: category"
            )


def _stray(plain: polars.Series, kind: str, given: dict[str, Any]) -> str:
    """The message that says which cell is nothing of a kind."""
    there = plain.drop_nulls()
    if there.dtype != polars.String:
        return f"expects a {kind}, as the schema says, got {there.dtype}"
    wrong = there
    if kind in ("real", "integer"):
        notation = {key: given[key] for key in NOTATION if key in given}
        wrong = there.filter(Numbers(**notation).typed(there).is_finite().fill_null(False).not_())
    elif kind == "boolean":
        own = given.get("true_false") or most_common_pair(there)[0]
        wrong = there.filter(there.str.to_lowercase().is_in([word.lower() for word in own]).not_())
    elif (pattern := given.get("format")) is not None and (own := find_times(there.head(1), text=True, format=pattern)):
        wrong = there.filter(own.typed(there).is_null())
    return _names(
        plain,
        wrong if len(wrong) else there,
        {"real": "numbers", "integer": "numbers"}.get(kind, f"{kind}s"),
        DECLARED,
    )


def _names(cells: polars.Series, strays: polars.Series, expected: str, why: str = "as most of its cells are") -> str:
    """The message that names the first ``strays`` of ``cells``, and says what to do about them."""
    words = strays.unique(maintain_order=True).head(3).to_list()
    quoted, first = [repr(word[:30]) for word in words], int((cells == words[0]).arg_true()[0]) + 1
    where = f"in {len(strays):,} cells, the first in row {first:,}" if len(strays) > 1 else f"in row {first:,}"
    them, schema = "them" if len(strays) > 1 else "it", "" if why == DECLARED else "a --schema with "
    return (
        f"expects {expected}, {why}, got {', '.join(quoted)} {where}: correct {them}, or write {schema}"
        f"gaps: [{', '.join(quoted)}] for empty cells, or {'' if why == DECLARED else 'with '}kind: category"
    )


def _nearly_booleans(plain: polars.Series) -> str:
    """A note on a column of two words that would be booleans, but for a few cells."""
    there = plain.drop_nulls()
    if there.dtype != polars.String or there.head(1000).n_unique() > 8:
        return ""
    pair, share = most_common_pair(there)
    if share <= NEARLY_ALL:
        return ""
    stray = there.filter(there.str.to_lowercase().is_in(pair).not_())[0]
    row = int((plain == stray).arg_true()[0]) + 1
    return f"a category, and not {' or '.join(pair)}, as row {row:,} has {stray[:30]!r}"


def _constant(there: polars.Series, dtype: polars.DataType, *, text: bool) -> Constant | None:
    """The codec of a column of one value, or of none."""
    if len(there) and there.n_unique() > 1:
        return None
    name = "String" if text else dtype_name(dtype)
    if len(there) == 0:
        return Constant(dtype=name)
    if isinstance(dtype, polars.Enum):
        name = "Categorical"
    if text and (numbers := find_numbers(there.head(1), text=True)) is not None and numbers.notation.plain:
        name = numbers.dtype
    first = there.head(1)
    times = find_times(first, text=False) if dtype.is_temporal() else None
    value = first.cast(polars.String)[0] if times is None else times.words(times.read(first).to_numpy())[0]
    return Constant(dtype=name, value=value)


def _all_differ(cells: polars.Series, there: polars.Series, whole: Whole | None) -> bool:
    if whole is not None:
        return whole.differ
    return len(there) == len(cells) and there.n_unique() == len(there)


def _counts(there: polars.Series, codec: Codec) -> bool:
    return isinstance(codec, Numbers) and there.dtype.is_integer()


def _gaps(cells: polars.Series) -> tuple[tuple[str, ...] | None, str]:
    """The words for an empty cell, where they are not the usual ones, and a note."""
    if cells.dtype in (polars.Categorical, polars.Enum):  # its empty cells are null, so that NA is a value
        return (() if words_of_gaps(cells.cast(polars.String), None) else None), ""
    if cells.dtype != polars.String:
        return None, ""
    stripped = cells.str.strip_chars()
    if stripped.is_in(["NA"]).any():
        others = without_gaps(stripped, GAPS).drop_nulls().unique()
        if len(others) >= CODES and others.str.contains(TWO_LETTERS).all():
            return tuple(gap for gap in GAPS if gap.upper() != "NA"), "NA is read as a value, a code of two letters"
    if stripped.is_in(["-", ".", "?"]).any():
        others = without_gaps(stripped, GAPS).drop_nulls().unique()
        if len(others) and others.str.contains(r"^[^\w\s]$").all():
            return tuple(gap for gap in GAPS if gap not in ("-", ".", "?")), "-, . and ? are read as values"
    return None, ""


def _perhaps_a_value(cells: polars.Series, there: polars.Series, gaps: tuple[str, ...] | None) -> str:
    """A note where NA is read as an empty cell, and may be meant as one of the short words of the column."""
    words = words_of_gaps(cells, gaps) if cells.dtype == polars.String else []
    if "NA" not in words or len(there) == 0 or not there.str.contains(SHORT).all():
        return ""
    others = ", ".join(repr(word) for word in words if word != "NA")
    return f"NA is read as an empty cell; if it is a value, like Namibia's code, write a --schema with gaps: [{others}]"


def _gap(cells: polars.Series, plain: polars.Series) -> str:
    """The most frequent word for an empty cell."""
    if cells.dtype != polars.String or plain.null_count() == 0:
        return ""
    words = cells.filter(plain.is_null()).fill_null("").str.strip_chars().alias("").value_counts(sort=True)
    return str(words.to_series()[0])


def _plain(cells: polars.Series, gaps: tuple[str, ...] | None) -> polars.Series:
    if cells.dtype == polars.String:
        return without_gaps(cells, gaps)
    return cells.fill_nan(None) if cells.dtype.is_float() else cells


def _spaces(cells: polars.Series, kind: str) -> str:
    if kind == "category" and cells.dtype == polars.String and cells.str.contains(r"^\s+\S|\S\s+$").any():
        return "spaces around its values are left out"
    return ""
