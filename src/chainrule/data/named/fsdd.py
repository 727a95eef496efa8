"""The Free Spoken Digit Dataset: digits that six speakers say, recorded at 8 kHz.

A recording ``{digit}_{speaker}_{take}.wav`` has the class of its digit and its speaker. Takes 0 to 4 are the official
test split; takes 5 to 9 are the validation split here.

References:
    Free Spoken Digit Dataset (Jackson et al., 2018), https://github.com/Jakobovski/free-spoken-digit-dataset
"""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath

import torch

from chainrule.data.audio import AudioFormat, check_window, dataset, recordings
from chainrule.data.dataset import Dataset
from chainrule.data.named import files
from chainrule.data.read.memory import check_fits
from chainrule.data.read.sound_file import decode
from chainrule.foreign import decoding

URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
SAMPLE_RATE = 8000
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
CLASSES = tuple(f"{digit}_{speaker}" for digit in range(10) for speaker in SPEAKERS)
"""Digit and speaker of each class."""
TAKES = {"test": range(5), "valid": range(5, 10), "train": range(10, 50)}


def load(name: str, description: str, *, levels: int | None = None, window: int | None = None) -> Dataset:
    """Train 2 400, valid 300, test 300 recordings, with 60 classes."""
    window = check_window(window)
    audio = AudioFormat(SAMPLE_RATE, levels or 256)
    path = files.find("audio/fsdd.zip", URL, None)
    found: dict[str, list[tuple[str, int, bytes]]] = {split: [] for split in ("train", "valid", "test")}
    with decoding(path, "a zip of files {digit}_{speaker}_{take}.wav"), zipfile.ZipFile(path) as archive:
        check_fits(path, "recordings", sum(member.file_size for member in archive.infolist()))
        for file in sorted(archive.namelist()):
            if file.endswith(".wav"):
                stem = PurePosixPath(file).stem
                split = next(split for split, takes in TAKES.items() if int(stem.split("_")[2]) in takes)
                label = CLASSES.index(stem.rpartition("_")[0])
                found[split].append((stem, label, archive.read(file)))
    splits, labels = {}, {}
    for split, content in found.items():
        decoded = [decode(io.BytesIO(raw), f"{path}: {stem}") for stem, _, raw in content]
        if any(rate != SAMPLE_RATE for _, rate in decoded):
            raise ValueError(f"{path}: expected recordings at {SAMPLE_RATE} Hz, got others")
        arrays = [audio.encode(samples) for samples, _ in decoded]
        splits[split] = recordings(arrays, [stem for stem, *_ in content], window, audio)
        labels[split] = torch.tensor([label for _, label, _ in content])
    return dataset(name, description, splits, audio, {"name": name}, labels, CLASSES)
