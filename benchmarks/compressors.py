"""Bits per dimension of lossless image compressors, on the test images of the recipes with many levels.

Writes ``benchmark-compressors.json``. Each image is a file of its own, with its header; or all of them are tiles of one
large image, which costs one header and lets a compressor learn from all. JPEG XL needs the extra ``bench``.
"""

import argparse
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, features

from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.runs import machine

COMPRESSORS: dict[str, dict[str, Any]] = {
    "PNG": {"format": "PNG", "optimize": True},
    "WebP lossless": {"format": "WEBP", "lossless": True, "quality": 100, "method": 6},
    "JPEG XL lossless": {"format": "JXL", "lossless": True, "effort": 9},
}


def available() -> dict[str, dict[str, Any]]:
    """The compressors that are installed."""
    try:
        import pillow_jxl  # noqa: F401  (registers the format)
    except ImportError:
        return {name: settings for name, settings in COMPRESSORS.items() if settings["format"] != "JXL"}
    return COMPRESSORS


def size(pixels: NDArray[np.uint8], settings: dict[str, Any]) -> int:
    """Bytes of a compressed image ``(height, width)`` or ``(height, width, 3)``, which must come back as it was."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, **settings)
    with Image.open(file) as image:
        if not np.array_equal(np.asarray(image.convert("L" if pixels.ndim == 2 else "RGB")), pixels):
            raise RuntimeError(f"{settings} is not lossless")
    return len(file.getvalue())


def tiles(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images ``(N, height, width, ...)`` as tiles of one, as square as it goes; what is left over is black."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    blank = np.zeros((rows * columns - len(images), *images.shape[1:]), dtype=np.uint8)
    grid = np.concatenate([images, blank]).reshape(rows, columns, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in grid], axis=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", default=["mnist-grey", "data/cifar10-jpeg"])
    parser.add_argument("--out", type=Path, default=Path("results"))
    options = parser.parse_args()
    rows = []
    for spec in options.data:
        data = load(spec)
        images = np.moveaxis(data.test[:].numpy().astype(np.uint8), 1, -1)
        images = images[..., 0] if images.shape[-1] == 1 else images
        for name, settings in available().items():
            row = {"data": data.name, "dataset": data.description, "images": len(images), "compressor": name}
            row |= {
                "files_bits_per_dim": 8 * sum(size(image, settings) for image in images) / images.size,
                "tiles_bits_per_dim": 8 * size(tiles(images), settings) / images.size,
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    versions = {"pillow": PIL.__version__, "webp": features.version("webp")}
    report = {"benchmark": "compressors", "machine": machine(), "versions": versions, "rows": rows}
    write_atomically(options.out / "benchmark-compressors.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
