"""Parquet files that are damaged: polars may end its stream, or the process, without an error. Found by tools/fuzz."""

import contextlib
import mmap

import numpy as np
import polars
import pytest

from chainrule.data.read import parquet_pages
from chainrule.data.read.parquet_pages import check_pages
from chainrule.data.read.table import read_frame

pytestmark = pytest.mark.quick


@pytest.fixture
def parquet(tmp_path):
    """A Parquet file, and one whose reader fails in a thread: a page header is damaged."""
    frame = polars.DataFrame({"a": np.arange(60) / 2, "b": [str(i) for i in range(60)]})
    frame.write_parquet(tmp_path / "a.parquet", compression="uncompressed", row_group_size=20)
    return tmp_path / "a.parquet"


def test_a_reader_that_fails_in_a_thread(parquet, capfd):
    content = bytearray(parquet.read_bytes())
    content[10] ^= 64  # in the header of the first page
    parquet.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.parquet: expected a Parquet file, got a file that cannot be read"):
        read_frame(parquet)
    assert capfd.readouterr().err == "", "polars prints a panic where it happens"


@pytest.mark.parametrize("place", [*range(4, 24)])
def test_a_page_that_lies_is_not_read(parquet, place):
    """Rust ends the process where it can't have the memory that a page asks for."""
    content = parquet.read_bytes()
    for bit in range(8):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        parquet.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            read_frame(parquet)


def test_rows_that_a_reader_leaves_out_are_missed(parquet, monkeypatch):
    whole = polars.LazyFrame.collect_batches
    monkeypatch.setattr(polars.LazyFrame, "collect_batches", lambda self, **settings: iter([*whole(self)][:-1]))
    with pytest.raises(ValueError, match="it ends after 40 of 60 rows"):
        read_frame(parquet)


@pytest.mark.parametrize("compression", ["zstd", "snappy", "uncompressed"])
def test_all_pages_are_found(tmp_path, compression):
    path = tmp_path / "a.parquet"
    words = polars.Series(["abc"[i % 3] * 9 for i in range(5000)]).cast(polars.Categorical)
    frame = polars.DataFrame({"a": np.arange(5000) / 7, "b": words, "c": [[i, i] for i in range(5000)]})
    frame.write_parquet(path, compression=compression, row_group_size=2000, data_page_size=4000)
    check_pages(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        chunks = list(parquet_pages._chunks(content))
        counted = [
            sum((header.get(5) or header.get(8) or {1: 0})[1] for header in parquet_pages._pages(content, chunk))
            for chunk in chunks
        ]
    assert counted == [chunk[parquet_pages.VALUES] for chunk in chunks]
    assert sum(counted) == 4 * 5000


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + bytes(20) + b"PAR1", b"PAR1" + b"\x1c" * 90 + b"P\0\0\0PAR1"])
def test_what_cannot_be_followed_is_left_to_polars(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    check_pages(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet: expected a Parquet file"):
        read_frame(tmp_path / "a.parquet")
