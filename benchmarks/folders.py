"""Folders of images as people have them: ``chainrule fit FOLDER`` with nothing else, and the time to read many files.

Writes ``benchmark-folders.json``. The folders come from Debian's adwaita-icon-theme, from matplotlib and from
``CHAINRULE_DATA``.
"""

import argparse
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from default_sets import SHARED, glyphs
from PIL import Image

from chainrule import evaluate
from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.runs import fit_file, machine
from chainrule.runs.folder import versions

ICONS = Path("/usr/share/icons/Adwaita")
FILES = 10_000
"""Small files that are read for the time that it takes."""

TURNED = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""How a camera that writes each orientation of EXIF has turned the pixels."""

ORIENTATION = 0x0112
"""The tag of EXIF."""


def icons(folder: Path) -> None:
    """Icons of four sizes, with transparent parts."""
    folder.mkdir()
    for size in (16, 24, 32, 48):
        for file in sorted((ICONS / f"{size}x{size}" / "legacy").glob("*.png")):
            shutil.copyfile(file, folder / f"{size}-{file.name}")


def photographs(folder: Path) -> None:
    """Photographs as a phone keeps them: the pixels of half of them lie on a side or upside down, and EXIF says so."""
    folder.mkdir()
    with zipfile.ZipFile(SHARED / "images/cifar10-jpeg.zip") as archive:
        names = sorted(name for name in archive.namelist() if "train/" in name and name.endswith(".jpg"))
        for i, name in enumerate(names[:: len(names) // 4000]):
            orientation = [1, 6, 1, 8, 1, 3][i % 6]
            image, exif = Image.open(BytesIO(archive.read(name))), Image.Exif()
            exif[ORIENTATION] = orientation
            turn = TURNED[orientation]
            turned = image if turn is None else image.transpose(turn)
            turned.save(folder / f"IMG_{i:04}.JPG", "JPEG", quality=95, exif=exif)


def classes(folder: Path) -> None:
    """A folder for each of ten classes of photographs."""
    with zipfile.ZipFile(SHARED / "images/cifar10-jpeg.zip") as archive:
        for name in archive.namelist():
            path = Path(name)
            if path.parts[0] == "train" and path.suffix == ".jpg" and int(path.stem) < 500:
                target = folder.joinpath(*path.parts[1:])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))


def files(folder: Path) -> None:
    """`FILES` grey images of 28x28 pixels."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(FILES):
        Image.fromarray(random.integers(0, 256, (28, 28), np.uint8)).save(folder / f"{number}.png")


FOLDERS: dict[str, Callable[[Path], None]] = {
    "glyphs": glyphs,
    "icons": icons,
    "photographs": photographs,
    "classes": classes,
}


def fitted(name: str, work: Path, pictures: Path | None) -> dict[str, Any]:
    """The figures of a fit of the folder with its defaults."""
    folder, run = work / name, work / f"run-{name}"
    FOLDERS[name](folder)
    found = fit_file(folder, out=run)
    dataset, model = load(folder), found.model
    context = None if model.num_classes is None else dataset.classes("test")
    if pictures is not None:
        shutil.copyfile(run / "samples.png", pictures / f"{name}.png")
    training = json.loads((run / "config.json").read_text())["training"]
    return {
        "name": name,
        "about": FOLDERS[name].__doc__,
        "images": sum(len(part) for part in dataset.splits.values()),
        "shape": list(dataset.event_shape),
        "levels": dataset.levels,
        "notes": list(dataset.notes),
        "model": type(model).__name__,
        "test_bits_per_dim": evaluate(model, dataset.test, context=context).bits_per_dim,
        "independent_bits_per_dim": training["independent_valid_nats"] / model.num_variables / np.log(2),
        "minutes": training["minutes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--pictures", type=Path, help="a folder to leave the samples of each fit in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        files(work / "files")
        started = time.perf_counter()
        load(work / "files")
        reading = {"files": FILES, "seconds": time.perf_counter() - started}
        fits = [fitted(name, work, options.pictures) for name in FOLDERS]
    report = {"benchmark": "folders", "machine": machine(), "versions": versions(), "reading": reading, "fits": fits}
    print(json.dumps(report, indent=2))
    write_atomically(options.out / "benchmark-folders.json", (json.dumps(report, indent=2) + "\n").encode())


if __name__ == "__main__":
    main()
