"""The four pictures of the documentation's first page: fits three small runs, in minutes of one core, and plots them.

    python tools/front.py --out docs/pictures

They are small and of one size, so that all stand on one screen: a table with a mistake, images that are completed (the
first rows of a benchmark's picture), a line of text with odd words, and a recording with noise. ``--runs`` names a
folder for the runs; those that are there are not fitted again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import polars
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from chainrule import runs
from chainrule.atomic import write_atomically
from chainrule.data import load
from chainrule.plots.file import INK, MUTED, rendered

ROOT = Path(__file__).resolve().parents[1]

FITS = {
    "flats": "flats.csv --model MADE --max-steps 800",
    "shakespeare": "shakespeare --max-steps 1500",
    "fsdd": "fsdd --model WaveNet --model.residual_channels 32 --model.skip_channels 64 --model.layers 9 "
    "--conditional.components 5 --batch-size 2 --learning-rate 0.003 --warmup 30 --averaging 0.99 "
    "--validate-every 200 --max-steps 600",
}
"""The runs, by the names of their folders, and how they are fitted."""

SIZE, DPI = (4.2, 1.75), 160
"""Inches, and dots per inch."""

WORDS = ("What say you to his", "wifi password, my lord?")
"""A line whose second half Shakespeare can't have written."""

NOISE, SMOOTHED = (0.20, 0.22), 0.02
"""Seconds of noise within a recording, and over which its surprisal is averaged."""


def command(line: str, folder: Path) -> None:
    """Run ``chainrule`` in a folder; its failure is ours."""
    subprocess.run([sys.executable, "-m", "chainrule", *line.split()], cwd=folder, check=True)


def figure_of(axes: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of the common size, with so many axes, one above the other."""
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    return figure, list(figure.subplots(axes, 1, squeeze=False)[:, 0])


def cell(axes: Axes, place: tuple[float, float], word: str, heat: float, colours: ScalarMappable, size: float) -> None:
    """A cell of width and height 1 with a word in it, in the colour of a number."""
    column, row = place
    shade = colours.to_rgba(heat)
    axes.fill_between([column, column + 1], row, row + 1, color=shade, lw=0)
    ink = INK if sum(shade[:3]) > 1.6 else "white"
    axes.text(column + 0.5, row + 0.5, word, ha="center", va="center", color=ink, fontsize=size, family="monospace")


def plain(axes: Axes, width: float, height: float) -> None:
    """Axes of cells, the first row at the top, without a frame."""
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def legend(figure: Figure, axes: Axes, colours: ScalarMappable, words: str) -> None:
    """The scale of the colours, below the axes."""
    bar = figure.colorbar(colours, ax=axes, orientation="horizontal", shrink=0.6, aspect=40)
    bar.set_label(words, fontsize=7, color=MUTED)
    bar.ax.tick_params(labelsize=7, colors=MUTED)


def table(folder: Path) -> bytes:
    """The strangest of new rows, one of which has a misplaced decimal point."""
    command("score flats new.csv --explain 3 --out cells.csv", folder)
    found = polars.read_csv(folder / "cells.csv", infer_schema=False)
    names = polars.read_csv(folder / "new.csv", n_rows=0).columns
    numbers = found["row"].unique(maintain_order=True).to_list()
    colours = ScalarMappable(Normalize(0, 8), "Reds")
    figure, (axes,) = figure_of()
    for record in found.iter_rows(named=True):
        place = names.index(record["column"]), numbers.index(record["row"])
        tail = max(float(record["tail"] or 1), 1e-8)
        cell(axes, place, record["value"], -np.log10(tail), colours, 8)
    plain(axes, len(names), len(numbers))
    axes.set_xticks(np.arange(len(names)) + 0.5, names, fontsize=8, color=INK)
    axes.set_yticks(np.arange(len(numbers)) + 0.5, [f"row {number}" for number in numbers], fontsize=8, color=INK)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    legend(figure, axes, colours, "-log₁₀ of the tail probability, given the other cells")
    return rendered(figure)


def text(folder: Path) -> bytes:
    """The surprisal of each character of a line, given all before it."""
    run = runs.open_run(folder / "shakespeare")
    line = " ".join(WORDS)
    symbols = torch.tensor(list(run.kind.format.vocabulary.encode("\n" + line)), dtype=torch.float32)[None]
    with torch.no_grad():
        bits = (-run.likelihood(symbols).log_prob(symbols)[0, 1:] / np.log(2)).tolist()
    colours = ScalarMappable(Normalize(0, 12), "Oranges")
    figure, (axes,) = figure_of()
    for row, words in enumerate(WORDS):
        begin = sum(len(before) + 1 for before in WORDS[:row])
        for column, character in enumerate(words):
            cell(axes, (column, row), character, bits[begin + column], colours, 11)
    plain(axes, max(map(len, WORDS)), len(WORDS))
    legend(figure, axes, colours, "surprisal of a character given those before it (bits)")
    return rendered(figure)


def sound(folder: Path) -> bytes:
    """A spoken digit with noise in it, and below the surprisal of its samples."""
    run = runs.open_run(folder / "fsdd")
    audio = run.kind.format
    signal = audio.decode(torch.from_numpy(next(load("fsdd").test.each()).astype(np.float32))).astype(np.float64)
    start, end = (round(second * audio.sample_rate) for second in NOISE)
    signal[start:end] += np.random.default_rng(0).normal(0, 0.2, end - start)
    levels = torch.from_numpy(audio.encode(np.clip(signal, -1, 1)).astype(np.float32))[None]
    with torch.no_grad():
        bits = (-run.likelihood(levels).log_prob(levels)[0] / np.log(2)).numpy()
    width = round(SMOOTHED * audio.sample_rate)
    seconds = np.arange(len(signal)) / audio.sample_rate
    figure, (wave, curve) = figure_of(2)
    wave.plot(seconds, signal, color=MUTED, lw=0.5)
    wave.set(yticks=[], xticks=[])
    smooth = np.convolve(bits, np.ones(width) / width, "valid")
    curve.plot(seconds[width // 2 : width // 2 + len(smooth)], smooth, color=INK, lw=0.9)
    curve.set_ylim(0, 1.1 * smooth.max())
    curve.set_ylabel("bits a sample", fontsize=7, color=INK)
    curve.set_xlabel("seconds", fontsize=7, color=INK)
    for axes in (wave, curve):
        axes.set_xlim(0, seconds[-1])
        axes.axvspan(*NOISE, color="#b8483f", alpha=0.25, lw=0)
        axes.tick_params(labelsize=7, colors=MUTED)
        axes.spines[:].set_visible(False)
    return rendered(figure)


def image(folder: Path) -> bytes:
    """Three digits given by their upper half, of those that `make bench-pictures` completed."""
    with Image.open(ROOT / "results" / "benchmark-pictures-completions.png") as picture:
        whole = picture.convert("RGB")
    size = tuple(round(inches * DPI) for inches in SIZE)
    rows = whole.crop((0, 0, whole.width, round(whole.height * 0.4)))
    rows.thumbnail(size)
    sheet = Image.new("RGB", size, "white")
    sheet.paste(rows, ((size[0] - rows.width) // 2, (size[1] - rows.height) // 2))
    content = BytesIO()
    sheet.quantize(64).save(content, format="png", optimize=True)
    return content.getvalue()


PICTURES: dict[str, tuple[str | None, Callable[[Path], bytes]]] = {
    "table": ("flats", table),
    "image": (None, image),
    "text": ("shakespeare", text),
    "sound": ("fsdd", sound),
}
"""The pictures, the runs that they need, and the functions that plot them."""


def main() -> None:
    """Fit what is not fitted, and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "front")
    parser.add_argument("--only", choices=PICTURES, help="one of the pictures")
    options = parser.parse_args()
    folder, out = options.runs.resolve(), options.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, ROOT / "examples" / "tables.py", "--out", folder], check=True)
    for name, (data, plot) in PICTURES.items():
        if options.only in (None, name):
            if data and not (folder / data / "model.safetensors").exists():
                command(f"fit {FITS[data]} --out {data} --seed 0", folder)
            write_atomically(out / f"front-{name}.png", plot(folder))


if __name__ == "__main__":
    main()
