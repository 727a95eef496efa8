"""Memory of ``chainrule fit`` on texts and folders of images of growing size, each for one minute.

Writes ``benchmark-fit-memory.json``. The texts are words drawn at random, the images discs of random places and
shades, 16x16 pixels in a file each. Memory is the largest resident memory that the operating system says a process had.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from large import measured
from PIL import Image

from chainrule.atomic import write_atomically
from chainrule.runs import machine
from chainrule.runs.folder import versions

WORDS = 20_000
"""Words that a text is drawn from."""

SIDE = 16
"""Pixels of a side of an image."""


def write_text(path: Path, size: int) -> None:
    """About ``size`` bytes of words, of which few are common, as in a language; a line has 12."""
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"aaabcdeeeefghiiilmnnooprrssttuy", "S1")
    words = np.array([b"".join(random.choice(letters, length)) for length in random.integers(2, 9, WORDS)])
    written = 0
    with path.open("wb") as file:
        while written < size:
            lines = words[random.zipf(1.2, (10_000, 12)).clip(max=WORDS) - 1]
            written += file.write(b"\n".join(b" ".join(line) for line in lines.tolist()) + b"\n")


def write_images(folder: Path, count: int) -> None:
    """``count`` grey images of a disc."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    folder.mkdir()
    for number in range(count):
        across, down, radius = random.uniform((3, 3, 2), (13, 13, 6))
        shade = random.integers(64, 256)
        disc = shade * ((x - across) ** 2 + (y - down) ** 2 < radius**2) + random.integers(0, 8, (SIDE, SIDE))
        Image.fromarray(disc.clip(max=255).astype(np.uint8)).save(folder / f"{number:06d}.png")


def measure(folder: Path, texts: list[int], images: list[int]) -> list[dict[str, Any]]:
    found = []
    for size in texts:
        path = folder / f"{size}.txt"
        write_text(path, size)
        used = measured("fit", str(path), "--minutes", "1", "--out", str(folder / f"run-{path.name}"))
        found.append({"data": "text", "bytes": path.stat().st_size} | used)
        path.unlink()
    for count in images:
        path = folder / f"{count}-images"
        write_images(path, count)
        used = measured("fit", str(path), "--minutes", "1", "--out", str(folder / f"run-{path.name}"))
        found.append({"data": "images", "files": count} | used)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--bytes", type=int, nargs="+", default=[10**7, 10**8, 10**9])
    parser.add_argument("--images", type=int, nargs="+", default=[500, 5_000, 50_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fits = measure(Path(folder), options.bytes, options.images)
    report = {"benchmark": "fit-memory", "machine": machine(), "versions": versions(), "fits": fits}
    print(json.dumps(report, indent=2))
    write_atomically(options.out / "benchmark-fit-memory.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
