"""Codecs: the cells of a column as numbers, and numbers as cells of the file's own type and format.

`Codec` is the contract. To add a family of cells, write a codec in a file of its own, and add its kind to `CODECS`.
"""

from chainrule.data.codecs.base import Codec
from chainrule.data.codecs.booleans import Booleans
from chainrule.data.codecs.categories import Categories
from chainrule.data.codecs.numbers import Numbers
from chainrule.data.codecs.times import Times
from chainrule.data.codecs.unmodelled import Constant, Identifiers, Ignored, Unmodelled

CODECS: dict[str, type[Codec]] = {
    "real": Numbers,
    "integer": Numbers,
    "category": Categories,
    "boolean": Booleans,
    "date": Times,
    "time": Times,
    "datetime": Times,
    "duration": Times,
    "text": Categories,
    "identifier": Identifiers,
    "constant": Constant,
    "ignore": Ignored,
}
"""The codec of the columns of each kind."""

__all__ = [
    "CODECS",
    "Booleans",
    "Categories",
    "Codec",
    "Constant",
    "Identifiers",
    "Ignored",
    "Numbers",
    "Times",
    "Unmodelled",
]
