"""The first examples of a data set as notebooks show them: rows as a table, images as a picture, a text as text."""

from __future__ import annotations

from functools import singledispatch
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from chainrule.card import image_of
from chainrule.data.examples import Examples
from chainrule.data.formats import ImageFormat
from chainrule.data.schema import TableSchema
from chainrule.data.text import TextFormat

COUNT = 8
"""Examples that are shown."""

SYMBOLS, SMALLEST = 300, 56
"""Characters of a text, and the height in pixels that small images are enlarged to."""


@singledispatch
def preview(format: Any, examples: Examples) -> str:
    """The first of ``examples``, which have this format, in HTML; nothing where numbers would be all there is."""
    return ""


@preview.register
def _(format: TableSchema, examples: Examples) -> str:
    html: str = format.decode(examples[:COUNT].numpy())._repr_html_()
    return html


@preview.register
def _(format: TextFormat, examples: Examples) -> str:
    shown = COUNT if format.documents else 1
    text = "\n".join(format.decode(x) for x in examples[:shown])
    return f'<pre style="white-space:pre-wrap">{escape(text[:SYMBOLS])}</pre>'


@preview.register
def _(format: ImageFormat, examples: Examples) -> str:
    levels = (examples[:COUNT].numpy() * (255 / (format.levels - 1))).round().astype(np.uint8)
    count, channels, height, width = levels.shape
    if channels not in (1, 3):
        return ""
    factor = max(1, -(-SMALLEST // height))
    strip = levels.transpose(2, 0, 3, 1).reshape(height, count * width, channels).repeat(factor, 0).repeat(factor, 1)
    content = BytesIO()
    Image.fromarray(strip[..., 0] if channels == 1 else strip).save(content, format="png")
    return image_of(content.getvalue(), f"the first {count} images")
