"""How the images of a folder become examples of one shape: their size, channels and levels."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import ImageColor

from chainrule.data.formats import ImageFormat
from chainrule.data.read.image_file import Header, decode, is_grey, is_transparent
from chainrule.words import suggestion

CROPS = ("centre", "random", "none")

LARGE, REDUCED = 128 * 128, 64 * 64
"""Images of one size with more pixels than `LARGE`, and images of different sizes, are scaled to at most `REDUCED`."""


def size_of(words: str | None) -> tuple[int, int] | None:
    """Width and height, from words such as ``32`` and ``32x48``."""
    if words is None:
        return None
    sides = str(words).lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 0 < int(side) <= 4096 for side in sides):
        raise ValueError(f"size expects a side, as 32, or width and height, as 32x48, got {words!r}")
    return int(sides[0]), int(sides[-1])


def fit_of(crop: str | None, pad: bool) -> str | None:
    """The `ImageFormat.fit` that the choices name; None for the usual one."""
    if crop is None:
        return "pad" if pad else None
    if crop not in CROPS:
        raise ValueError(f"crop expects {', '.join(CROPS)}, got {crop!r}{suggestion(crop, CROPS)}")
    if pad:
        raise ValueError(f"expected one of crop and pad, got both, crop={crop}")
    return crop


def prepared(
    paths: Sequence[Path],
    headers: Sequence[Header],
    size: tuple[int, int] | None,
    fit: str | None,
    background: str | None,
    grey: bool,
) -> tuple[tuple[int, int, int], ImageFormat, list[str]]:
    """The shape of an example, how files become examples of it, and what a person should know about that."""
    clear = next((path for path, own in zip(paths, headers, strict=True) if own.alpha and is_transparent(path)), None)
    sizes = [header.size for header in headers]
    chosen = size or _usual_size(sizes)
    form = ImageFormat(256, background=_colour(background))
    notes = []
    if any(own != chosen for own in sizes):
        form = replace(form, size=chosen, fit=fit or ("pad" if clear is not None and background is None else "centre"))
        notes.append(_scaled(sizes, chosen, form.fit, named=size is not None))
    if clear is not None:
        named = background or "white"
        more = "" if background else ": --background names another colour"
        notes.append(f"transparent parts, as of {clear.name}, are laid on {named}{more}")
    animated = sum(header.animated for header in headers)
    rounded = sum(header.rounded for header in headers)
    turned = sum(header.turned for header in headers)
    notes += [f"{turned} images are turned upright, as their EXIF says"] * (turned > 0)
    notes += [f"of {animated} files with several pictures the first is read"] * (animated > 0)
    notes += [f"{rounded} images of 16 bits a colour are read as of 8"] * (rounded > 0)
    colour = not grey and any(own.colour and not is_grey(path) for path, own in zip(paths, headers, strict=True))
    if not (colour or grey) and any(header.colour for header in headers):
        notes.append("all colours are grey: images have one channel")
    return (3 if colour else 1, chosen[1], chosen[0]), form, notes


def _usual_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The size that all have, or the median width and height, with no more pixels than can be modelled soon."""
    same = len(set(sizes)) == 1
    width, height = (statistics.median(side) for side in zip(*sizes, strict=True))
    if same and width * height <= LARGE:
        return sizes[0]
    factor = min(1.0, math.sqrt(REDUCED / (width * height)))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _scaled(sizes: Sequence[tuple[int, int]], chosen: tuple[int, int], fit: str, *, named: bool) -> str:
    low, high = ("x".join(map(str, side)) for side in (min(sizes), max(sizes)))
    found = low if low == high else f"{low} to {high}"
    alike = all(width * chosen[1] == height * chosen[0] for width, height in sizes)
    how = {
        "centre": "and cut in their centre",
        "random": "and cut at random places in training",
        "none": "whole, so that proportions change",
        "pad": "and padded with background",
    }[fit]
    more = "" if named else ": --size, --crop and --pad choose otherwise"
    return f"images of {found} are scaled to {'x'.join(map(str, chosen))}{'' if alike else ' ' + how}{more}"


def _colour(name: str | None) -> tuple[int, int, int]:
    try:
        found = ImageColor.getrgb(name or "white")
    except ValueError:
        near = suggestion(str(name), ImageColor.colormap)
        raise ValueError(f"background expects a colour, such as white or #ff8800, got {name!r}{near}") from None
    return found[0], found[1], found[2]


def with_levels(
    form: ImageFormat, levels: int | None, paths: Sequence[Path], headers: Sequence[Header], shape: tuple[int, int, int]
) -> ImageFormat:
    """The format with ``levels``, or with the usual ones: two where all images together have two grey values."""
    deep = all(header.deep for header in headers)
    if levels is not None:
        if levels > 65536 or (levels > 256 and not deep):
            most = "65536 for grey images of 16 bits" if deep else "256 for images"
            raise ValueError(f"expected levels from 2 to {most}, got levels={levels}")
        return replace(form, levels=levels)
    if shape[0] > 1 or any(header.deep for header in headers):
        return form
    found = _two_values(paths, headers, form)
    return form if found is None else replace(form, levels=2, threshold=sum(found) / 2)


def _two_values(paths: Sequence[Path], headers: Sequence[Header], form: ImageFormat) -> tuple[int, int] | None:
    """The two grey values of all pixels of all files; None if there are others."""
    values: set[int] = set()
    for path, header in zip(paths, headers, strict=True):
        width, height = header.size
        own = ImageFormat(256, background=form.background)
        values.update(np.unique(decode(path, (1, height, width), own)).tolist())
        if len(values) > 2:
            return None
    return (min(values), max(values)) if len(values) == 2 else None
