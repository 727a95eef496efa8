"""The ordinary files and runs that are damaged: small, and one of each format."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars
import scipy.io
import soundfile
import yaml
from PIL import Image

MATLAB = "silhouettes/caltech101_silhouettes_28_split1.mat"
"""The file of a named set, which has a SHA-256 that chainrule knows."""

ROWS = 60
IMAGES, SIDE = 12, 6
TINY = ["--max-steps", "4", "--batch-size", "16", "--device", "cpu"]

FITS: dict[str, list[str]] = {
    "table": ["files/table/table.csv", "--model", "MADE", "--model.hidden_sizes", "[8]"],
    "rows": ["files/rows/rows.csv", "--model", "MADE", "--model.hidden_sizes", "[8]"],
    "image": ["files/images/png", "--model", "MADE", "--model.hidden_sizes", "[8]"],
    "text": ["files/text/text.txt", "--window", "16", "--model", "RNN", "--model.hidden_size", "8"],
    "documents": ["files/text/text.txt", "--documents", "--model", "RNN", "--model.hidden_size", "8"],
    "series": ["files/series/series.csv", "--series", "value", "--window", "8"],
    "audio": ["files/sounds/wav", "--window", "64", "--levels", "16", "--model", "RNN", "--model.hidden_size", "8"],
}
"""The command lines of ``fit`` that make the runs, by kind of data, without their folders."""


def write_files(folder: Path) -> None:
    """Write the files, in a folder each where a command reads a folder, below ``folder``."""
    random = np.random.default_rng(0)
    for name, write in WRITERS.items():
        (folder / name).mkdir(parents=True)
        write(folder / name, random)


def _tables(folder: Path, random: np.random.Generator) -> None:
    start = datetime(2024, 1, 1)
    frame = polars.DataFrame(
        {
            "name": [f"row, {i}" if i % 7 == 0 else f'the "{i}"' for i in range(ROWS)],
            "colour": random.choice(["red", "green", "dark blue"], ROWS),
            "price": [None if i % 11 == 0 else f"${1000 + 7 * i:,}.50" for i in range(ROWS)],
            "size": random.normal(20, 4, ROWS).round(2),
            "count": random.poisson(3, ROWS),
            "paid": random.choice(["yes", "no"], ROWS),
            "day": [(start + timedelta(days=3 * i)).strftime("%d.%m.%Y") for i in range(ROWS)],
            "at": [start + timedelta(minutes=17 * i) for i in range(ROWS)],
        }
    )
    text = frame.write_csv()
    (folder / "table.csv").write_text(text)
    (folder / "table.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (folder / "utf16.csv").write_bytes(text.encode("utf-16"))
    (folder / "table.tsv").write_text(frame.select("colour", "size", "count").write_csv(separator="\t"))
    spaced = frame.select("size", "count").write_csv(separator=" ")
    (folder / "spaces.data").write_text(spaced)
    typed = frame.with_columns(
        polars.col("colour").cast(polars.Categorical),
        polars.Series("born", [date(2000, 1, 1) + timedelta(days=i) for i in range(ROWS)]),
        polars.Series("took", [timedelta(seconds=i) for i in range(ROWS)]),
        polars.Series("list", [[i, i + 1] for i in range(ROWS)]),
        polars.col("count").cast(polars.Int16),
    )
    typed.write_parquet(folder / "table.parquet")
    typed.write_parquet(folder / "plain.parquet", compression="uncompressed", row_group_size=20)
    columns = {"colour": "category", "size": {"kind": "real", "missing": True}, "name": "ignore", "count": "integer"}
    (folder / "schema.yaml").write_text(yaml.safe_dump({"columns": columns}, sort_keys=False))
    recipe = {"data": "given/table.csv", "model": "MADE", "model.hidden_sizes": [8], "batch_size": 16, "max_steps": 4}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"learning_rate": 0.01, "seed": 1}))


def _rows(folder: Path, random: np.random.Generator) -> None:
    rows = random.integers(0, 3, (ROWS, 5), dtype=np.uint8)
    np.savetxt(folder / "rows.csv", rows, fmt="%d", delimiter=",")
    np.save(folder / "rows.npy", rows)
    np.savez_compressed(folder / "rows.npz", rows=rows)
    np.savez(folder / "splits.npz", train=rows[:40], valid=rows[40:50], test=rows[50:].astype(float))
    known = np.array([1, 1, 0, 0, 1], dtype=np.uint8)
    np.save(folder / "mask.npy", known)
    np.savez(folder / "mask.npz", mask=known)
    (folder / "mask.csv").write_text("1,1,0,0,1\n")


def _images(folder: Path, random: np.random.Generator) -> None:
    colours = random.integers(0, 256, (IMAGES, SIDE, SIDE, 3), dtype=np.uint8)
    for suffix in ("png", "jpg", "tif", "gif", "webp", "bmp", "ppm"):
        (folder / suffix).mkdir()
        for i, pixels in enumerate(colours):
            Image.fromarray(pixels).save(folder / suffix / f"{i}.{suffix}")
    (folder / "deflated").mkdir()
    for i, pixels in enumerate(colours):
        Image.fromarray(pixels).save(folder / "deflated" / f"{i}.tif", compression="tiff_deflate")
    Image.fromarray((colours[0, :, :, 0] > 127).astype(np.uint8) * 255).save(folder / "mask.png")


def _sounds(folder: Path, random: np.random.Generator) -> None:
    for suffix in ("wav", "flac"):
        (folder / suffix).mkdir()
        for i in range(IMAGES):
            samples = np.sin(np.arange(400 + i) / (3 + i)) * 0.5 + random.normal(0, 0.01, 400 + i)
            soundfile.write(folder / suffix / f"{i}.{suffix}", samples, 8000)


def _texts(folder: Path, random: np.random.Generator) -> None:
    words = ["the", "chain", "rule", "zählt", "alle", "p(x)", "“quoted”", "数"]
    lines = [" ".join(random.choice(words, 6)) for _ in range(ROWS)]
    (folder / "text.txt").write_text("\n".join(lines) + "\n")


def _series(folder: Path, random: np.random.Generator) -> None:
    start = datetime(2024, 1, 1)
    values = np.sin(np.arange(2 * ROWS) / 5) + random.normal(0, 0.1, 2 * ROWS)
    lines = [f"{start + timedelta(hours=i)},{value:.3f}" for i, value in enumerate(values)]
    (folder / "series.csv").write_text("\n".join(["time,value", *lines]) + "\n")


def _named(folder: Path, random: np.random.Generator) -> None:
    """Files of named sets, as `chainrule.data.named` looks for them."""
    content = {}
    for part, count in (("train", 4100), ("val", 2264), ("test", 2307)):
        content[f"{part}_data"] = np.repeat(random.integers(0, 2, (count, 1), dtype=np.uint8), 784, axis=1)
        content[f"{part}_labels"] = np.tile(np.arange(1, 102, dtype=np.uint16), 23)[:count, None]
    (folder / "silhouettes").mkdir()
    scipy.io.savemat(folder / MATLAB, content)
    (folder / "audio").mkdir()
    with zipfile.ZipFile(folder / "audio" / "fsdd.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for take in range(12):
            buffer = io.BytesIO()
            soundfile.write(buffer, np.sin(np.arange(200 + take) / 4), 8000, format="WAV")
            archive.writestr(f"recordings/{take % 10}_theo_{take}.wav", buffer.getvalue())


WRITERS: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "table": _tables,
    "rows": _rows,
    "images": _images,
    "sounds": _sounds,
    "text": _texts,
    "series": _series,
    "named": _named,
}


def interrupt(run: Path) -> None:
    """Make a finished run one whose training was interrupted after its last checkpoint."""
    for name in ("model.safetensors", "calibration.safetensors"):
        (run / name).unlink()
    config = json.loads((run / "config.json").read_text())
    for key in ("training", "calibration"):
        del config[key]
    (run / "config.json").write_text(json.dumps(config))
