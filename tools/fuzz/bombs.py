"""Files that lie about their size, or grow when they are read: each is written, and given to a command."""

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

Bomb = tuple[Callable[[Path], None], str]
"""Writes a folder; and the command line that reads it, as in `subjects`."""

HUGE = 60_000


def bombs() -> dict[str, Bomb]:
    """All of them by name; the folder to write is ``given``."""
    return {
        "npz of 4 MB that holds 4 GB": (_npz_of_zeros, "plan given/x.npz"),
        "npz whose header says 4 GB": (_npz_that_lies, "plan given/x.npz"),
        "npz with ../ names": (_npz_with_names, "plan given/x.npz"),
        "npy whose header says 2**60 rows": (_npy_that_lies, "plan given/x.npy"),
        "png of 60,000 x 60,000": (_png(HUGE, HUGE), "plan given"),
        "png of 12,000 x 12,000": (_png(12_000, 12_000), "plan given"),
        "png of 60,000 x 60,000, evaluated": (_png(HUGE, HUGE), "evaluate @image given/x.png"),
        "gif of 65,535 x 65,535": (_gif, "plan given"),
        "csv.gz of 4 MB that holds 4 GB": (_gzip_of_text, "plan given/x.csv.gz"),
        "csv of one line of 300 MB": (_long_line, "plan given/x.csv"),
        "csv of a million columns": (_many_columns, "plan given/x.csv"),
        "parquet of 10**9 equal rows": (_parquet_of_equals, "plan given/x.parquet"),
        "parquet whose footer says 4 GB": (_parquet_footer, "plan given/x.parquet"),
        "safetensors whose header says 2**62 bytes": (
            _safetensors(2**62, b"{}"),
            "evaluate given @files/rows/rows.csv",
        ),
        "safetensors whose tensor says 2**40 bytes": (
            _safetensors(None, _tensor(2**40)),
            "evaluate given @files/rows/rows.csv",
        ),
        "config with a layer of 10**9": (_config([10**9]), "evaluate given @files/rows/rows.csv"),
        "config with layers of 40,000": (_config([40_000, 40_000]), "evaluate given @files/rows/rows.csv"),
        "config of 10**5 nested lists": (_nested_config, "evaluate given @files/rows/rows.csv"),
        "schema of 10**9 aliases": (_aliases, "plan @files/table/table.csv --schema given/x.yaml"),
        "recipe of 10**9 aliases": (_aliases, "fit --config given/x.yaml --out run"),
        "recipe of 10**5 nested lists": (_nested_yaml, "fit --config given/x.yaml --out run"),
        "wav whose header says 4 GB": (_wav, "plan given"),
        "flac that says 2**36 samples": (_flac, "plan given"),
        "zip with ../ names": (_zip_with_names, "plan fsdd"),
        "zip of 4 MB that holds 4 GB": (_zip_of_recordings, "plan fsdd"),
        "text of 10**7 empty lines": (_empty_lines, "plan given/x.txt --documents"),
        "checkpoint that runs a command": (_pickle, "fit @files/rows/rows.csv --out given --resume"),
    }


def _zip_of_zeros(name: str, head: bytes, size: int) -> bytes:
    """A zip file with one member of about 4 GB, in a thousandth of its size: ``head`` and zeros, ``size`` bytes in all.

    Its checksum is wrong, which a reader finds out when it has read all of it.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, start + block * (size // 2**24 + 1) + packer.flush())
    content = bytearray(buffer.getvalue())
    for signature, method, length in ((b"PK\3\4", 8, 22), (b"PK\1\2", 10, 24)):
        place = content.rindex(signature)
        struct.pack_into("<H", content, place + method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<I", content, place + length, size)
    return bytes(content)


def _npy_head(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _npz_of_zeros(folder: Path) -> None:
    head, rows = _npy_head((2**22 - 1, 2**10)), (2**22 - 1) * 2**10
    (folder / "x.npz").write_bytes(_zip_of_zeros("x.npy", head, len(head) + rows))


def _npz_that_lies(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.npz", "w") as file:
        file.writestr("x.npy", _npy_head((2**22, 2**10)) + bytes(100))


def _npz_with_names(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.npz", "w") as file:
        file.writestr("../../evil.npy", _npy_head((10, 10)) + bytes(100))


def _npy_that_lies(folder: Path) -> None:
    (folder / "x.npy").write_bytes(_npy_head((2**60, 2)) + bytes(100))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(width: int, height: int) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        packer = zlib.compressobj(1)
        rows = b"".join(packer.compress(bytes(1 + width * 3)) for _ in range(height // 100)) + packer.flush()
        head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        content = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
        for name in ("x", "y", "z"):
            (folder / f"{name}.png").write_bytes(content)

    return write


def _gif(folder: Path) -> None:
    head = b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + bytes(6)
    for name in ("x", "y", "z"):
        (folder / f"{name}.gif").write_bytes(
            head + b"," + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0) + b"\x02\x02\x44\x01\0;"
        )


def _gzip_of_text(folder: Path) -> None:
    block = gzip.compress(b"1,2,3,4,5,6\n" * 2**20, mtime=0)
    (folder / "x.csv.gz").write_bytes(block * 340)


def _long_line(folder: Path) -> None:
    with (folder / "x.csv").open("wb") as file:
        file.write(b"a,b\n1,2\n")
        for _ in range(300):
            file.write(b"x" * 10**6)


def _many_columns(folder: Path) -> None:
    line = ",".join(map(str, range(10**6)))
    (folder / "x.csv").write_text("\n".join([line] * 3))


def _parquet_of_equals(folder: Path) -> None:
    import polars

    polars.select(x=polars.repeat(0.5, 10**7, dtype=polars.Float64)).write_parquet(folder / "part")
    many = polars.concat([polars.scan_parquet(folder / "part")] * 100)
    many.sink_parquet(folder / "x.parquet", row_group_size=10**7)
    (folder / "part").unlink()


def _parquet_footer(folder: Path) -> None:
    (folder / "x.parquet").write_bytes(b"PAR1" + bytes(100) + struct.pack("<I", 2**32 - 16) + b"PAR1")


def _tensor(size: int) -> bytes:
    return json.dumps({"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()


def _safetensors(size: int | None, head: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        content = struct.pack("<Q", len(head) if size is None else size) + head
        (folder / "model.safetensors").write_bytes(content)

    return write


def _config(sizes: list[int]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config["model"]["arguments"]["hidden_sizes"] = sizes
        (folder / "config.json").write_text(json.dumps(config))

    return write


def _nested_config(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 10**5 + "]" * 10**5)


def _aliases(folder: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    lines += ["columns: {size: *a8}", "data: *a8", "model: *a8"]
    (folder / "x.yaml").write_text("\n".join(lines))


def _nested_yaml(folder: Path) -> None:
    (folder / "x.yaml").write_text("data: " + "[" * 10**5 + "]" * 10**5)


def _wav(folder: Path) -> None:
    head = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16)
    content = b"RIFF" + struct.pack("<I", 2**32 - 1) + b"WAVEfmt " + struct.pack("<I", 16) + head
    for name in ("x", "y", "z"):
        (folder / f"{name}.wav").write_bytes(content + b"data" + struct.pack("<I", 2**32 - 40) + bytes(1000))


def _flac(folder: Path) -> None:
    info = (
        bytes.fromhex("1000 1000 000000 000000") + (8000 << 44 | 15 << 36 | (2**36 - 1)).to_bytes(8, "big") + bytes(16)
    )
    for name in ("x", "y", "z"):
        (folder / f"{name}.flac").write_bytes(b"fLaC" + b"\x80\0\0\x22" + info + bytes(1000))


def _zip_with_names(folder: Path) -> None:
    (folder / "audio").mkdir()
    with zipfile.ZipFile(folder / "audio" / "fsdd.zip", "w") as file:
        for take in range(12):
            file.writestr(f"../../../0_theo_{take}.wav", b"no sound")


def _zip_of_recordings(folder: Path) -> None:
    (folder / "audio").mkdir()
    (folder / "audio" / "fsdd.zip").write_bytes(_zip_of_zeros("0_theo_0.wav", b"RIFF", 2**32 - 1))


def _empty_lines(folder: Path) -> None:
    (folder / "x.txt").write_bytes(b"\n" * 10**7)


class _Command:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("touch executed",)


def _pickle(folder: Path) -> None:
    import torch

    torch.save({"state_dict": _Command(), "epoch": 0}, folder / "checkpoints" / "last.ckpt")
