"""One image file: its header, and its pixels as levels of one size."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps

from chainrule.data.formats import ImageFormat
from chainrule.foreign import UndecodableError, decoding

SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif", ".jp2", ".j2k", ".tga", ".ico",
    ".pgm", ".ppm", ".pbm", ".pnm",
)  # fmt: skip

UNREAD = (".heic", ".heif", ".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".psd", ".svg", ".exr", ".jxl")
"""Suffixes of images in formats that Pillow does not read."""

CONVERT = "convert them to .png or .jpg"

SIGNATURES = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"II*\0",
    b"MM\0*",
    b"\0\0\0\x0cjP",
    b"\0\0\1\0",
    b"BM",
    *(f"P{number}\n".encode() for number in range(1, 7)),
)
"""First bytes of images, by which a file without a suffix is known for one."""

CONTAINERS = ((b"RIFF", b"WEBP"), (b"ftyp", b"avif"))
"""Bytes at the places 0 to 3 and 8 to 11, or 4 to 7 and 8 to 11, of other images."""

ORIENTATION, TURNED = 0x0112, (5, 6, 7, 8)
"""The EXIF tag of the orientation, and its values that exchange width and height."""

DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Modes of grey images of 16 bits."""


MOST = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""Pillow opens images of at most so many pixels, and warns of half as many."""


@dataclass(frozen=True)
class Header:
    """The header of an image file.

    Attributes:
        size: Width and height, as the image is looked at.
        colour: True if it has colours.
        turned: True if its pixels do not lie as it is looked at, as its EXIF says.
        alpha: True if parts of it may be transparent.
        deep: True for grey of 16 bits.
        rounded: True for colours of 16 bits, which are read as 8.
        animated: True if it has several pictures, of which the first counts.
    """

    size: tuple[int, int]
    colour: bool
    turned: bool
    alpha: bool
    deep: bool
    rounded: bool
    animated: bool


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """The image of a file, whose pixels are not read yet; errors name the file."""
    with decoding(path, "an image"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image = Image.open(path)
        except Image.DecompressionBombError:
            most = f"{MOST / 1e6:.0f} million pixels"
            raise UndecodableError(
                f"{path}: expected an image of at most {most}, got one of more: scale it down"
            ) from None
        with image:
            yield image


def read_header(path: Path) -> Header:
    """The header of a file.

    Raises:
        ValueError: If it cannot be read, or its pixels are real numbers.
    """
    with _opened(path) as image:
        mode, (width, height) = image.mode, image.size
        scrambled = _is_scrambled(image)
        wide = any("32" in str(tile[3]) for tile in image.tile)  # 16 bits may have the mode I, too
        palette = image.getpalette() if mode == "P" else None
        # Pillow drops the low bits of 48-bit colour without a word; only the tile tells.
        rounded = mode not in DEEP and any(";16" in str(tile) for tile in image.tile)
        orientation = _orientation(image)
        header = Header(
            size=(height, width) if orientation in TURNED else (width, height),
            turned=orientation in range(2, 9),
            colour=mode not in ("1", "L", "LA", "La", *DEEP) and (palette is None or _has_colours(palette)),
            alpha="transparency" in image.info or mode in ("LA", "PA", "RGBA", "RGBa", "La"),
            deep=mode in DEEP,
            rounded=rounded,
            animated=bool(getattr(image, "is_animated", False)),
        )
    if mode == "F" or (mode == "I" and wide):
        got = "real numbers" if mode == "F" else "of 32 bits"
        raise ValueError(f"{path}: expected pixels of 8 or 16 bits, got {got}: convert them")
    if scrambled:
        raise ValueError(f"{path}: expected a TIFF that lies upright or is compressed, got another: save it anew")
    return header


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that the size does not show yet. That of a PNG after its pixels is not looked for."""
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):  # Pillow turns TIFFs itself
        return 1
    return int(image.getexif().get(ORIENTATION, 1))


def _is_scrambled(image: Image.Image) -> bool:
    """True for a TIFF without compression that lies on its side, whose rows Pillow (13.0) takes for columns."""
    raw = image.format == "TIFF" and image.info.get("compression") == "raw"
    return raw and int(image.getexif().get(ORIENTATION, 1)) in TURNED


def _has_colours(palette: list[int]) -> bool:
    colours = np.array(palette).reshape(-1, 3)
    return bool((colours != colours[:, :1]).any())


def looks_like_image(path: Path) -> bool:
    """True if a file begins as images do."""
    with path.open("rb") as file:
        head = file.read(16)
    return head.startswith(SIGNATURES) or any(
        head[8:12] == kind and container in (head[:4], head[4:8]) for container, kind in CONTAINERS
    )


def is_transparent(path: Path) -> bool:
    """True if some pixel of the file is not opaque.

    Raises:
        ValueError: If it cannot be decoded.
    """
    with _opened(path) as image:
        low, _ = image.convert("RGBA").getchannel("A").getextrema()
    return bool(float(low) < 255)  # type: ignore[arg-type]  # one channel has two numbers


def decode(path: Path, shape: tuple[int, ...], form: ImageFormat, *, anywhere: bool = False) -> NDArray[Any]:
    """The levels of one file, ``(channels, height, width)``.

    The image is turned as its EXIF data say, laid on the background where it is transparent, taken as grey or in sRGB,
    and made to fit. A value v of D becomes the level floor(v levels / D), or, with a threshold, 1 above it.

    Args:
        path: The file.
        shape: ``(1, height, width)`` or ``(3, height, width)``.
        form: Says how.
        anywhere: True to cut it at a random place, by torch's global generator, where the format says so.

    Raises:
        ValueError: If the file cannot be decoded, or has another size and may not be scaled.
    """
    channels, height, width = shape
    with _opened(path) as image:
        deep = image.mode in DEEP
        picture = _deep(image) if deep else _flat(image, channels, form.background)
    if picture.size != (width, height):
        if form.fit == "same":
            got = "x".join(map(str, picture.size))
            raise ValueError(f"{path}: expected an image of {width}x{height}, as all others, got {got}")
        picture = _fitted(picture, (width, height), form, anywhere)
    pixels = np.asarray(picture)
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    if deep:
        planes = planes.clip(0, 65535).repeat(channels, 0)
    if form.threshold is not None:
        return (planes > form.threshold).astype(np.uint8)
    levels = np.floor(planes.astype(np.float64) * form.levels / (65536 if deep else 256))
    return levels.astype(np.uint8 if form.levels <= 256 else np.uint16)


def _upright(image: Image.Image) -> Image.Image:
    return image if image.format == "TIFF" else ImageOps.exif_transpose(image)


def _deep(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(_upright(image)).astype(np.float32))


def _flat(image: Image.Image, channels: int, background: tuple[int, int, int]) -> Image.Image:
    """The image upright, without transparency, grey or in sRGB."""
    upright = _upright(image)
    if "transparency" in upright.info or "A" in upright.getbands() or "a" in upright.getbands():
        upright = upright.convert("RGBA")
        ground = Image.new("RGBA", upright.size, (*background, 255))
        upright = Image.alpha_composite(ground, upright)
    return upright.convert("L") if channels == 1 else _in_srgb(upright)


def _in_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode == "CMYK" and profile:
        # A profile that is damaged, or of other colours, is as none.
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
            assert converted is not None  # it would be if the image itself were changed
            return converted
    return image.convert("RGB")


def is_grey(path: Path) -> bool:
    """True if the colours of a file are all grey.

    Raises:
        ValueError: If it cannot be decoded.
    """
    with _opened(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    return bool((pixels == pixels[..., :1]).all())


def _fitted(image: Image.Image, size: tuple[int, int], form: ImageFormat, anywhere: bool) -> Image.Image:
    """The image, of another size than ``size`` (width and height), made to fit."""
    smooth = Image.Resampling.LANCZOS
    if form.fit == "none":
        return image.resize(size, smooth)
    if form.fit == "pad":
        inside = ImageOps.contain(image, size, smooth)
        padded = Image.new(image.mode, size, form.background if image.mode == "RGB" else _grey(form.background, image))
        padded.paste(inside, ((size[0] - inside.width) // 2, (size[1] - inside.height) // 2))
        return padded
    place = tuple(torch.rand(2).tolist()) if anywhere and form.fit == "random" else (0.5, 0.5)
    return ImageOps.fit(image, size, smooth, centering=place)


def _grey(colour: tuple[int, int, int], image: Image.Image) -> float:
    """A colour as the grey of an 8-bit image or of a deep one."""
    grey = int(np.asarray(Image.new("RGB", (1, 1), colour).convert("L")).item())
    return grey if image.mode == "L" else grey * 257.0
