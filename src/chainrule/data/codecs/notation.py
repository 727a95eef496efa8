"""Numbers as people write them: decimal commas, thousands separators, currencies, percent, units and parentheses."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import polars

SPACES = "\u00a0\u202f "
"""Spaces that separate thousands."""

CELL = rf"^([-+−]?)([^\d\s.,'+−-]*\s?)([-+−]?)([.,]?\d(?:[\d.,'{SPACES}]*\d)?[.,]?)(\s?[^\d\s.,'+-][^\d\s]*)?$"
"""A sign, a prefix, a sign, the digits, and a suffix."""

PREFIX = re.compile(r"^([A-Z]{0,3}[$€£¥₹₩₽₺₴₫₪฿₦₱¢]|USD|EUR|GBP|JPY|CHF|CAD|AUD|CNY|INR|SEK|NOK|DKK|PLN|R|Rs|kr)?\s?$")
"""Currencies. Other words before a number, as in ``A12``, make it a code."""

SUFFIX = re.compile(r"^\s?[^\W\d_]{0,10}[%‰°²³$€£¥₹/]?[^\W\d_]{0,4}$")
"""Percent, currencies and units."""

MARKS = ((".", ""), (".", ","), (",", ""), (",", "."), (".", " "), (",", " "))
"""Decimal marks and separators of thousands that are tried where cells disagree."""

WRAPPED = r"^([^\d()]*)\(([^()]+)\)([^\d()]*)$"
"""A number in parentheses, around or behind its prefix: accounts write negative numbers so."""

GROUPED = r"^\d{{1,3}}(?:{0}\d{{3}})+(?:{1}\d*)?$"


@dataclass(frozen=True)
class Notation:
    """The way in which numbers are written.

    Attributes:
        decimal: The decimal mark.
        thousands: The separator of thousands; empty for none.
        prefix: Text before the digits, such as ``$``.
        suffix: Text behind them, such as ``%``.
        parentheses: Where negative numbers have parentheses, as in accounts: ``outside`` of the prefix and the suffix,
            as ``($5)``, or ``inside``, as ``$(5)``; empty if they have a minus.
    """

    decimal: str = "."
    thousands: str = ""
    prefix: str = ""
    suffix: str = ""
    parentheses: str = ""

    @property
    def plain(self) -> bool:
        """True if numbers are written as programs write them."""
        return self == Notation()

    def strip(self, cells: polars.Series) -> polars.Series:
        """Cells of text as numbers that `polars` reads; those in another notation stay unreadable."""
        if self.parentheses:
            cells = _unwrapped(cells)
        if self.prefix:
            cells = cells.str.replace(rf"^([-+]?){re.escape(self.prefix.strip())}\s*", "${1}")
        if self.suffix:
            cells = cells.str.replace(rf"\s*{re.escape(self.suffix.strip())}$", "")
        cells = cells.str.replace("^\u2212", "-")
        if self.thousands:
            bare = cells.str.replace(r"^[-+]", "")
            grouped = bare.str.contains(GROUPED.format(re.escape(self.thousands), re.escape(self.decimal)))
            joined = cells.str.replace_all(self.thousands, "", literal=True)
            cells = polars.select(polars.when(grouped).then(joined).otherwise(cells)).to_series()
        if self.decimal != ".":
            cells = cells.str.replace_all(".", "?", literal=True).str.replace(self.decimal, ".", literal=True)
        return cells

    def dress(self, numbers: polars.Series) -> polars.Series:
        """Numbers as `polars` writes them in this notation."""
        if self.plain:
            return numbers
        parts = numbers.str.extract_groups(r"^(-?)(\d+)(\.\d+)?$").struct.unnest()
        sign, whole, rest = (polars.col(name) for name in parts.columns)
        if self.thousands:
            groups = whole.str.reverse().str.replace_all(r"(\d{3})", "${1}|").str.strip_chars_end("|")
            whole = groups.str.reverse().str.replace_all("|", self.thousands, literal=True)
        rest = rest.fill_null("").str.replace(".", self.decimal, literal=True)
        prefix, suffix = polars.lit(self.prefix), polars.lit(self.suffix)
        written = polars.concat_str(prefix, whole, rest, suffix)
        negative = {
            "inside": polars.concat_str(prefix, polars.lit("("), whole, rest, polars.lit(")"), suffix),
            "outside": polars.concat_str(polars.lit("("), written, polars.lit(")")),
        }.get(self.parentheses, polars.concat_str(sign, written))
        written = polars.when(sign == "-").then(negative).otherwise(written)
        return parts.select(written.alias("")).to_series()


def find_notation(there: polars.Series) -> Notation | None:
    """The notation in which all cells of text, without gaps, are numbers; None if there is none."""
    if _has_parentheses(there):
        found = None if there.str.contains("^[-\u2212]").any() else find_notation(_unwrapped(there))
        return None if found is None else replace(found, parentheses=_place(there))
    parts = there.str.extract_groups(CELL).struct.unnest()
    first, prefix, second, digits, suffix = (parts[name] for name in parts.columns)
    if digits.null_count():
        return None
    prefix, suffix = prefix.fill_null(""), suffix.fill_null("")
    if prefix.n_unique() > 1 or suffix.n_unique() > 1 or bool(((first != "") & (second != "")).any()):
        return None
    before, after = str(prefix[0]), str(suffix[0])
    if not (PREFIX.match(before) and SUFFIX.match(after)):
        return None
    marks = _marks(digits)
    notation = None if marks is None else Notation(*marks, before, after)
    if notation is None or notation.strip(there).cast(polars.Float64, strict=False).null_count():
        return None
    return notation


def find_most_common(there: polars.Series) -> Notation:
    """The notation of most cells, some of which are no numbers in any."""
    if _has_parentheses(there):
        return replace(find_most_common(_unwrapped(there)), parentheses=_place(there))
    if 2 * there.cast(polars.Float64, strict=False).count() >= len(there):
        return Notation()
    parts = there.str.extract_groups(CELL).struct.unnest()
    parts.columns = ["first", "prefix", "second", "digits", "suffix"]
    around = parts.drop_nulls("digits").select(polars.col("prefix", "suffix").fill_null(""))
    if len(around) == 0:
        return Notation()
    prefix, suffix, _ = around.group_by("prefix", "suffix").len("cells").sort("cells", descending=True).row(0)
    if not (PREFIX.match(prefix) and SUFFIX.match(suffix)):
        return Notation()
    candidates = [Notation(*marks, prefix, suffix) for marks in MARKS]
    return max(candidates, key=lambda own: own.strip(there).cast(polars.Float64, strict=False).count())


def _has_parentheses(there: polars.Series) -> bool:
    """True if some cells are numbers in parentheses, and not all: ``(1)``, ``(2)`` and ``(3)`` are labels."""
    wrapped = there.str.contains(WRAPPED) & there.str.contains(r"\d")
    return bool(wrapped.any()) and bool(there.filter(~wrapped).str.contains(r"\d").any())


def _unwrapped(cells: polars.Series) -> polars.Series:
    """Cells with a minus for the parentheses around a number: ``$(5)`` and ``($5)`` become ``-$5``."""
    return cells.str.replace(WRAPPED, "-${1}${2}${3}")


def _place(there: polars.Series) -> str:
    """The place of parentheses: ``inside`` of a prefix or a suffix, or ``outside``."""
    inside = there.str.contains(r"^[^(]+\(|\)[^)]+$").any()
    return "inside" if inside else "outside"


def _marks(digits: polars.Series) -> tuple[str, str] | None:
    """The decimal mark and the separator of thousands of unsigned numbers; None if they disagree."""
    comma, dot = digits.str.contains(",", literal=True), digits.str.contains(".", literal=True)
    space = next((mark for mark in (*SPACES, "'") if digits.str.contains(mark, literal=True).any()), "")
    both = digits.filter(comma & dot)
    if len(both):
        last = both.str.extract(r"([.,])\d*$").unique()
        if len(last) != 1 or space:
            return None
        return (".", ",") if last[0] == "." else (",", ".")
    if comma.any() and not space and not dot.any():
        grouped = digits.filter(comma).str.contains(r"^[1-9]\d{0,2}(?:,\d{3})+$").all()
        return (".", ",") if grouped else (",", "")
    if dot.any() and not space and not comma.any() and digits.str.count_matches(".", literal=True).max() > 1:  # type: ignore[operator]
        return (",", ".")
    if comma.any() and dot.any():  # in different cells: 1,234 and 0.5
        grouped = digits.filter(comma).str.contains(r"^[1-9]\d{0,2}(?:,\d{3})+$").all()
        return (".", ",") if grouped and not space else None
    return ("," if comma.any() else ".", space)
