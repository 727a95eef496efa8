"""The four pictures of the documentation's first page: fits three small runs, in minutes of one core, and plots them.

    python tools/front.py --out docs/pictures

`front-table.png` and `front-sound.png` are what `chainrule score --explain --out` writes, of a table and of a recording
with a mistake in each; `front-text.png` shows the surprisal of a line of text with one. The fourth, of images, comes
from a benchmark. ``--runs`` names a folder for the runs; those that are there are not fitted again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

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

LINES = ("What say you to his grave request, my lord?", "What say you to his wifi password, my lord?")
"""A line as Shakespeare might have it, and one that he can't have written."""

CLICK_SECONDS, RATE = (0.20, 0.22), 8000


def command(line: str, folder: Path) -> None:
    """Run ``chainrule`` in a folder; its failure is ours."""
    subprocess.run([sys.executable, "-m", "chainrule", *line.split()], cwd=folder, check=True)


def table(folder: Path, out: Path) -> None:
    """The strangest of new rows, one of which has a misplaced decimal point."""
    command(f"score flats new.csv --explain 4 --out {out}", folder)


def sound(folder: Path, out: Path) -> None:
    """A spoken digit, and a burst of noise within."""
    spoken = next(load("fsdd").test.each()).astype(np.float64)
    signal = runs.open_run(folder / "fsdd").kind.format.decode(torch.from_numpy(spoken).float()).astype(np.float64)
    start, end = (round(second * RATE) for second in CLICK_SECONDS)
    signal[start:end] += np.random.default_rng(0).normal(0, 0.2, end - start)
    soundfile.write(folder / "zero.wav", np.clip(signal, -1, 1), RATE)
    command(f"score fsdd zero.wav --explain --out {out}", folder)


def text(folder: Path, out: Path) -> None:
    """The surprisal of each character of two lines, given all before it."""
    run = runs.open_run(folder / "shakespeare")
    vocabulary = run.kind.format.vocabulary
    figure = Figure(figsize=(6.2, 2.5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    norm = Normalize(0, 12)
    for row, line in enumerate(LINES):
        symbols = torch.tensor(list(vocabulary.encode("\n" + line)), dtype=torch.float32)[None]
        with torch.no_grad():
            bits = -run.likelihood(symbols).log_prob(symbols)[0, 1:] / np.log(2)
        for column, (character, surprisal) in enumerate(zip(line, bits.tolist(), strict=True)):
            image = axes.imshow([[surprisal]], cmap="Oranges", norm=norm, extent=(column, column + 1, row + 1, row))
            ink = "white" if surprisal > 9 else INK
            axes.text(column + 0.5, row + 0.5, character, ha="center", va="center", color=ink, family="monospace")
    axes.set(xlim=(0, max(map(len, LINES))), ylim=(len(LINES), 0), aspect="auto", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, orientation="horizontal", shrink=0.5)
    bar.set_label("surprisal of a character given those before it (bits)", fontsize=8, color=MUTED)
    bar.ax.tick_params(labelsize=8, colors=MUTED)
    write_atomically(out, rendered(figure))


def main() -> None:
    """Fit what is not fitted, and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "front")
    parser.add_argument("--only", choices=("table", "text", "sound"), help="one of the pictures")
    options = parser.parse_args()
    folder, out = options.runs.resolve(), options.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, ROOT / "examples" / "tables.py", "--out", folder], check=True)
    pictures = {"table": ("flats", table), "text": ("shakespeare", text), "sound": ("fsdd", sound)}
    for name, (data, plot) in pictures.items():
        if options.only in (None, name):
            if not (folder / data / "model.safetensors").exists():
                command(f"fit {FITS[data]} --out {data} --seed 0", folder)
            plot(folder, out / f"front-{name}.png")


if __name__ == "__main__":
    main()
