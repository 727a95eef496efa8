"""Formats, the choices of how data is read, and readers of all that a path holds."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
from PIL import Image

import chainrule.data
from chainrule.data.audio import AudioFormat
from chainrule.data.column import Column
from chainrule.data.formats import Format, ImageFormat, RowsFormat
from chainrule.data.named import NAMED
from chainrule.data.read import images, recordings, rows
from chainrule.data.reading import REASONS
from chainrule.data.schema import TableSchema
from chainrule.data.series import SeriesFormat
from chainrule.data.series import read_all as read_series
from chainrule.data.text import TextFormat
from chainrule.data.text import read_all as read_text
from chainrule.data.vocabulary import Vocabulary

AGE = Column("age", "integer", low=0, high=99)
FORMATS: list[Format] = [
    ImageFormat(256),
    RowsFormat(2),
    TableSchema((AGE, Column("height", "real", missing=True, mean=170.0, std=10.0))),
    SeriesFormat(AGE),
    TextFormat(Vocabulary("hello"), documents=True),
    AudioFormat(8000),
]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.kind)
def test_a_format_comes_back_from_its_plain_values(form: Format) -> None:
    assert type(form).from_config(form.config) == form
    assert form.levels == {"image": 256, "rows": 2, "text": 5, "audio": 256}.get(form.kind, 0)


def test_every_kind_has_a_key_of_its_own() -> None:
    assert [form.kind for form in FORMATS] == ["image", "rows", "table", "series", "text", "audio"]
    assert [form.key for form in FORMATS] == ["image", "rows", "schema", "series", "text", "audio"]


def test_the_provenance_says_the_format(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((10, 4, 4), dtype=np.uint8))
    data = chainrule.data.load(tmp_path / "images.npy")
    assert data.format == ImageFormat(2)
    assert {key: data.provenance[key] for key in ("kind", "image", "levels", "splits")} == {
        "kind": "image",
        "image": {"levels": 2},
        "levels": 2,
        "splits": {"train": 8, "valid": 1, "test": 1},
    }
    assert chainrule.data.load("digits").provenance["kind"] == NAMED["digits"].kind == "image"


def test_the_choices_are_those_of_load() -> None:
    assert list(chainrule.data.READING) == [
        name for name in inspect.signature(chainrule.data.load).parameters if name not in ("spec", "seed")
    ]
    assert set(chainrule.data.READING) == set(REASONS)
    assert set(chainrule.data.READING.values()) == {"int", "bool", "str"}


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"documents": True}, "expected no documents, as digits is no text, got documents=True"),
        ({"window": 3}, "expected no window, as digits is no text and no recordings, got window=3"),
        ({"sample_rate": 8000}, "expected no sample_rate, as digits is no folder of recordings"),
        ({"schema": "infer"}, "expected no schema, as digits is no table"),
        ({"series": "x"}, "series expects the file of a table, got digits"),
    ],
)
def test_a_choice_that_a_reader_does_not_take_is_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        chainrule.data.load("digits", **choices)


def test_choices_that_exclude_each_other(tmp_path: Path) -> None:
    polars.DataFrame({"x": [0.5 * i for i in range(20)]}).write_csv(tmp_path / "t.csv")
    with pytest.raises(ValueError, match="expected no levels with a schema"):
        chainrule.data.load(tmp_path / "t.csv", levels=3, schema="infer")
    with pytest.raises(ValueError, match=r"expected no levels, as .*t\.csv is taken as a series, got levels=3"):
        chainrule.data.load(tmp_path / "t.csv", levels=3, series="x")


def test_all_images_of_a_file_a_folder_and_an_array(tmp_path: Path) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (3, 5, 4)).astype(np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    examples, names = images.read_all(tmp_path, (1, 5, 4), ImageFormat(256))
    assert names == ["0.png", "1.png", "2.png"]
    assert np.array_equal(examples[:].numpy()[:, 0], pixels)
    examples, names = images.read_all(tmp_path / "1.png", (1, 5, 4), ImageFormat(256))
    assert (len(examples), names) == (1, ["1.png"])
    np.save(tmp_path / "a.npy", pixels)
    examples, names = images.read_all(tmp_path / "a.npy", (1, 5, 4), ImageFormat(256))
    assert names is None
    assert np.array_equal(examples[:].numpy()[:, 0], pixels)
    with pytest.raises(ValueError, match=r"expected examples of shape \(1, 4, 4\), got \(1, 5, 4\)"):
        rows.read_all(tmp_path / "a.npy", (1, 4, 4), 256)


def test_all_of_a_text_and_of_a_series(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("hello\n\nhole\n")
    lines, names = read_text(tmp_path / "t.txt", TextFormat(Vocabulary("helo\n"), documents=True))
    assert names is None
    assert lines.num_variables == len("hello\nhole\n")
    stream, _ = read_text(tmp_path / "t.txt", TextFormat(Vocabulary("helo\n"), documents=False), window=4)
    assert (len(stream), stream.num_variables) == (3, 12)
    polars.DataFrame({"age": list(range(20))}).write_csv(tmp_path / "s.csv")
    values, _ = read_series(tmp_path / "s.csv", SeriesFormat(AGE))
    assert torch.equal(values[0], torch.arange(20.0))
    with pytest.raises(ValueError, match="expected an integer from 0 to 9"):
        read_series(tmp_path / "s.csv", SeriesFormat(Column("age", "integer", low=0, high=9)))


def test_all_recordings_of_a_folder_need_there_be_some(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected recordings"):
        recordings.read_all(tmp_path, AudioFormat(8000))
