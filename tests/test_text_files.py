"""Texts as people have them: of any suffix, encoding, line end and number of files; what is no text is refused."""

import gzip
from pathlib import Path
from typing import Any

import pytest

import chainrule
from chainrule.data import Dataset
from chainrule.data.documents import Documents
from chainrule.data.text import load_text
from chainrule.data.vocabulary import Vocabulary

pytestmark = pytest.mark.quick

LINES = ["Grüße aus Köln", "déjà vu", "naïve façade", "señor Muñoz", "plain words", "more plain words"]
TEXT = "".join(f"{line}\n" for line in LINES * 5)


def seen(data: Dataset) -> set[str]:
    """The lines of documents."""
    found = set()
    for examples in (data.train, data.valid, data.test):
        assert isinstance(examples, Documents)
        found |= {examples.text(i) for i in range(len(examples))}
    return found


@pytest.mark.parametrize("name", ["some.log", "script.py", "README", "notes.md", "rows.jsonl", "a.b.c"])
def test_any_suffix_is_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(TEXT)
    data = chainrule.data.load(path, window=8)
    assert data.headline.startswith(f"{name}: text in UTF-8, 30 lines, {len(TEXT)} characters, one stream")
    assert data.notes == ("it is read as one stream; with --documents each line is an example of its own",)
    assert not chainrule.data.load(path, window=8, documents=False).notes, "whoever chose need not be told"


def test_a_table_stays_a_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + "".join(f"{i % 3},{i}.5\n" for i in range(40)))
    assert chainrule.data.load(path).format.kind == "table"
    colours = tmp_path / "colours.log"
    colours.write_text("".join(f"\x1b[32mINFO\x1b[0m line {i}\n" for i in range(90)))
    assert chainrule.data.load(colours).format.kind == "text", "logs have colours"


@pytest.mark.parametrize(
    ("encoding", "raw", "choices"),
    [
        ("UTF-8", TEXT.encode("utf-8-sig"), {}),
        ("UTF-16", TEXT.encode("utf-16"), {}),
        ("UTF-32", TEXT.encode("utf-32"), {}),
        ("ISO8859-1", TEXT.encode("latin-1"), {"encoding": "latin-1"}),
        ("UTF-16-LE", TEXT.encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("UTF-8", TEXT.replace("\n", "\r").encode(), {}),
        ("UTF-8", TEXT.replace("\n", "\r\n").encode(), {}),
    ],
)
@pytest.mark.parametrize("name", ["some.txt", "some.log"])
def test_encodings_and_line_ends(tmp_path: Path, name: str, encoding: str, raw: bytes, choices: Any) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    data = chainrule.data.load(path, documents=True, **choices)
    assert seen(data) == set(LINES)
    assert f": text in {encoding}, 30 lines, {len(TEXT)} characters, each line an example" in data.headline
    assert not list(tmp_path.glob("chainrule-*"))


def test_returns_at_line_ends_are_no_characters(tmp_path: Path) -> None:
    path = tmp_path / "windows.txt"
    path.write_bytes((TEXT * 20).replace("\n", "\r\n").encode())
    text = chainrule.data.load(path).format
    assert "\r" not in text.vocabulary.characters
    path.write_bytes((TEXT * 20).encode())
    assert chainrule.data.load(path).format == text
    path.write_bytes((TEXT * 20).replace("\n", "\r\n").encode("utf-16"))
    assert chainrule.data.load(path).format == text, "where a return is two bytes, too"


def test_a_packed_log_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "dpkg.log.2.gz"
    path.write_bytes(gzip.compress(TEXT.encode("latin-1")))
    assert seen(chainrule.data.load(path, documents=True, encoding="latin-1")) == set(LINES)
    path.write_bytes(gzip.compress(TEXT.encode())[:-20])
    with pytest.raises(ValueError, match="expected a file compressed by gzip, got a damaged one"):
        chainrule.data.load(path, documents=True)


@pytest.mark.parametrize(
    ("raw", "choices", "message"),
    [
        (b"", {}, "got an empty file"),
        (b"\x7fELF\0\0\1\2" * 40, {}, "got a file without a suffix that is no text"),
        (b"\x7fELF\0\0\1\2" * 40, {"documents": True}, "got a binary file: --vocabulary bytes takes any file"),
        (TEXT.encode("latin-1"), {}, r"got an invalid byte at offset 2 .* may be --encoding latin-1, .* is 'ü'"),
        (TEXT.encode(), {"encoding": "utf-7x"}, "encoding expects the name of one, such as utf-8, latin-1"),
        (TEXT.encode("latin-1"), {"encoding": "utf-8"}, "got an invalid byte at offset 2"),
        (TEXT.encode("utf-16-le"), {}, "got what may be --encoding utf-16-le"),
        (TEXT.encode("utf-16"), {"vocabulary": "bytes", "encoding": "utf-16"}, "encoding expects a vocabulary of char"),
        (b"one line", {"documents": True}, "expected at least 3 examples to split into train, valid and test, got 1"),
        (b"one line", {}, "lower the window, or give a longer text"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, raw: bytes, choices: Any, message: str) -> None:
    path = tmp_path / "some"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=message):
        chainrule.data.load(path, **choices)


def test_a_wrong_byte_in_another_encoding_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    path.write_bytes(TEXT.encode("shift_jis", "ignore") + b"\n\x80\n")
    with pytest.raises(ValueError, match=r"some.log: line 32: expected text in SHIFT_JIS, got the byte 0x80"):
        load_text(path, encoding="shift_jis")


def test_several_files_are_one_text(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (folder / "old").mkdir(parents=True)
    (folder / "a.log").write_text(TEXT.removesuffix("\n"))
    (folder / "b.log").write_bytes(TEXT.encode("utf-16"))
    (folder / "old" / "c").write_text("the last file\n")
    (folder / ".hidden").write_text("hidden\n")
    whole = chainrule.data.load(folder, documents=True)
    assert seen(whole) == {*LINES, "the last file"}
    assert "text in UTF-8 and UTF-16, 3 files, 61 lines" in whole.headline
    stream = chainrule.data.load(folder / "*.log", window=8)
    symbols = stream.provenance["characters_of_splits"]
    assert sum(symbols.values()) == 2 * len(TEXT), "each file ends with the end of a line"
    (folder / "program").write_bytes(b"\0\1\2" * 9)
    again = chainrule.data.load(folder, documents=True)
    assert again.notes == ("left out, as they are no text: 1 files (program)",)
    assert chainrule.data.load(folder, window=8).format.kind == "text", "without any choice, too"
    with pytest.raises(FileNotFoundError, match=r"expected files with names like .*\*.out, found none"):
        chainrule.data.load(folder / "*.out")


def test_a_long_line_pads_none_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{'x' * (2 + i % 9)}\n" for i in range(2000)) + "y" * 5000 + "\n")
    data = chainrule.data.load(path, documents=True)
    splits = [data.train, data.valid, data.test]
    (long,) = [split for split in splits if split.sizes.max() == 5001]
    assert isinstance(long, Documents)
    for seed in (None, 0):
        batches = list(long.batches(16, seed=seed, history=float("inf")))
        read = sum(batch.x.numel() for batch in batches)
        assert read < 1.3 * long.num_variables, "hardly any padding"
        seen = [item for batch in batches for item in batch.item.tolist()]
        assert sorted({*seen}) == list(range(len(long)))
        assert len(seen) == len(long) + (seed == 0), "training reads the long one in two pieces"
        assert sum(int(batch.counted.sum()) for batch in batches) == long.num_variables
    lengths = [[batch.x.shape for batch in long.batches(16, seed=1, epoch=e, history=float("inf"))] for e in (0, 1, 0)]
    assert len(lengths[0]) == len(lengths[1]), "every epoch has as many batches"
    assert lengths[0] == lengths[2] != lengths[1], "the shuffle is that of the seed and the epoch"
    parts = [[b.item.tolist() for b in long.batches(16, seed=1, history=float("inf"), part=(r, 2))] for r in (0, 1)]
    whole = [b.item.tolist() for b in long.batches(16, seed=1, history=float("inf"))]
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == [sorted(each) for each in whole]


def test_a_short_text_has_a_short_window(tmp_path: Path) -> None:
    path = tmp_path / "TODO"
    path.write_text("a note of one line, which is longer than most lines are, and yet a text like any other\n")
    data = chainrule.data.load(path)
    assert data.event_shape == (9,), "the length of its validation part"
    planned = chainrule.plan(path, minutes=0.1)
    assert planned.settings["window"] == 9


def test_every_symbol_of_a_long_document_is_trained_on_once(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    texts = ["ab" * 4096, "é" + "x" * 4095, "y" * 9000, *(f"{i}" for i in range(30))]
    path.write_text("".join(f"{text}\n" for text in texts))
    data = chainrule.data.load(path, documents=True, vocabulary=Vocabulary(path.read_text()))
    for split in (data.train, data.valid, data.test):
        assert isinstance(split, Documents)
        read: dict[int, list[str]] = {}
        end = split.vocabulary.end
        for batch in split.batches(4, seed=3, history=float("inf")):
            assert batch.counted is not None
            for item, row, counted in zip(batch.item.tolist(), batch.x.long(), batch.counted, strict=True):
                last = int(counted.nonzero()[-1])
                assert last == len(row) - 1 or row[last] == end, "only what has ended is padded"
                past = int(counted.nonzero()[0])
                assert past in (0, 256)
                assert split.vocabulary.decode(row[:past].tolist()) in split.text(item)
                read.setdefault(item, []).append(split.vocabulary.decode(row[counted].tolist()))
        for item, pieces in read.items():
            assert "".join(sorted(pieces, key=lambda piece: "\n" in piece)) == split.text(item) + "\n"


SCRIPTS = {f"part{i % 4}/script{i}.py": f"def f{i}(x):\n    return x + {i}\n" for i in range(40)}


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of scripts, one of them without an end of its last line, one empty, and one in UTF-16."""
    folder = tmp_path / "scripts"
    for name, text in SCRIPTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "part0/script0.py").write_text("no end")
    (folder / "part1/script1.py").write_bytes("first\r\nsecond\r\n".encode("utf-16"))
    (folder / "empty.py").touch()
    return folder


def test_each_file_of_a_folder_is_a_document(scripts: Path) -> None:
    data = chainrule.data.load(scripts, per_file=True)
    assert "text in UTF-8 and UTF-16, 40 files" in data.headline
    assert data.headline.endswith("each file an example")
    found = {}
    for split in (data.train, data.valid, data.test):
        assert isinstance(split, Documents)
        found |= {name: split.text(i) for i, name in enumerate(split.names)}
    changed = {"part0/script0.py": "no end", "part1/script1.py": "first\nsecond\n"}
    assert found == SCRIPTS | changed, "as they are in the files, line ends included"
    assert data.format.vocabulary.decode([data.format.vocabulary.end]) == "\0"
    again = chainrule.data.load(scripts / "part*" / "*.py", per_file=True)
    assert again.format == data.format
    assert type(data.format).from_config(data.format.config) == data.format
    stream = chainrule.data.load(scripts, window=8)
    assert stream.notes[-1].endswith("with --documents each line is an example of its own, with --per-file each file")


def test_files_that_cant_be_documents_are_refused(scripts: Path) -> None:
    with pytest.raises(ValueError, match="files as documents: expected at least 3 examples"):
        chainrule.data.load(scripts / "part0/script0.py", per_file=True)
    with pytest.raises(ValueError, match="window expects a stream, got 8 for documents"):
        chainrule.data.load(scripts, per_file=True, window=8)
    with pytest.raises(ValueError, match="per_file expects documents"):
        chainrule.data.load(scripts, per_file=True, documents=False)
    (scripts / "part3/late.py").write_text("x" * 2**17 + "\0")
    with pytest.raises(ValueError, match=r"part3/late.py: expected text, as each file is an example, got a NUL"):
        chainrule.data.load(scripts, per_file=True)
