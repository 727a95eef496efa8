"""Files that are damaged, lie about their size, or grow when they are read: one line says so. Found by tools/fuzz."""

import io
import json
import os
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import polars
import pytest
import soundfile
from command_line import refused
from PIL import Image

import chainrule.cli
from chainrule.data.audio import AudioFormat
from chainrule.data.formats import ImageFormat
from chainrule.data.read import memory
from chainrule.data.read.image_file import decode
from chainrule.data.read.sounds import samples_of
from chainrule.data.read.table import read_frame
from chainrule.data.shape import Shape
from chainrule.data.write import formulas_quoted, write_frame
from chainrule.devices import available_memory
from chainrule.foreign import UndecodableError, decoding, each_decoded, stderr_held_back
from chainrule.yaml_file import read_yaml

pytestmark = pytest.mark.quick

OLD = Path(__file__).parent / "data" / "runs_of_0.1"


class PanicException(BaseException):
    """As Rust raises it."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("tag"), "KeyError: 'tag'"),
        (struct.error("unpack requires 4 bytes"), "unpack requires 4 bytes"),
        (MemoryError(), "it takes more memory than is free"),
        (RecursionError(), "it is nested too deeply"),
        (OSError("first line\nsecond"), "first line"),
        (AssertionError(), "AssertionError"),
        (PanicException("index out of bounds"), "index out of bounds"),
    ],
)
def test_whatever_a_reader_raises_becomes_one_line(error, reason):
    with pytest.raises(UndecodableError) as caught, decoding("a.png", "an image"):
        raise error
    assert str(caught.value) == (
        f"a.png: expected an image, got a file that cannot be read ({reason}): copy or export it again"
    )


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1), ValueError("a.png: expected 2, got 3")])
def test_the_end_of_the_process_and_errors_of_ours_pass(error):
    with pytest.raises(type(error)) as caught, decoding("a.png", "an image"):
        raise error
    assert caught.value is error


def test_errors_of_the_user_of_items_are_none_of_the_reader():
    items = each_decoded("a.parquet", "a table", lambda: iter([1, 2]))
    with pytest.raises(ZeroDivisionError):
        [item / 0 for item in items]
    with pytest.raises(UndecodableError):
        list(each_decoded("a.parquet", "a table", lambda: (1 / 0 for _ in range(2))))


def test_an_image_whose_decoder_raises_anything(tmp_path, monkeypatch):
    Image.new("L", (2, 2)).save(tmp_path / "a.tif")

    def convert(self, mode):
        raise KeyError(262)

    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(
        ValueError, match=r"a\.tif: expected an image, got a file that cannot be read \(KeyError: 262\)"
    ):
        decode(tmp_path / "a.tif", (1, 2, 2), ImageFormat(256))


def test_a_lone_quote_at_the_end_of_a_table(tmp_path):
    (tmp_path / "a.csv").write_text('a,b\n1,2\n3,"')
    with pytest.raises(ValueError, match=r"a\.csv: line 3: expected a quoted cell to end"):
        read_frame(tmp_path / "a.csv")


@pytest.mark.parametrize("text", ["a: &a [1]\nb: *a\n", "[" * 5000, "day: 2024-02-30\n", "!!binary x\n"])
def test_yaml_that_grows_or_can_not_be(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"a\.yaml"):
        read_yaml(tmp_path / "a.yaml")


def test_a_schema_is_named_where_it_is_wrong(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text("columns: {age: number}\n")
    error = refused(capsys, "plan", str(OLD / "data" / "table.csv"), "--schema", str(tmp_path / "a.yaml"))
    assert f"{tmp_path / 'a.yaml'}: column 'age' expects a kind" in error


def test_a_config_of_nested_lists(tmp_path, capsys):
    shutil.copytree(OLD / "table", tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text("[" * 10**5 + "]" * 10**5)
    assert "it is no JSON" in refused(capsys, "describe", str(tmp_path / "run"))


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda device: 10_000)


def test_arrays_that_unpack_to_more_than_memory(tmp_path, capsys, little_memory):
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros((100, 200), np.uint8))
    assert "array 'a' to fit into memory" in refused(capsys, "plan", str(tmp_path / "a.npz"))


def test_tables_of_more_rows_than_memory(tmp_path, capsys, little_memory):
    polars.DataFrame({"a": np.arange(5000) / 2}).write_parquet(tmp_path / "a.parquet")
    assert "its cells to fit into memory" in refused(capsys, "plan", str(tmp_path / "a.parquet"))


def test_zip_names_lead_nowhere(tmp_path, capsys):
    folder = tmp_path / "inner"
    folder.mkdir()
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((20, 2), np.uint8))
    with zipfile.ZipFile(folder / "a.npz", "w") as file:
        file.writestr("../evil.npy", buffer.getvalue())
    refused_or_not = chainrule.cli.main(["plan", str(folder / "a.npz")])
    assert refused_or_not in (0, 2)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.npz", "inner"]


def test_memory_is_what_the_process_may_take():
    import resource

    limits = resource.getrlimit(resource.RLIMIT_AS)
    free = available_memory("cpu")
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    try:
        resource.setrlimit(resource.RLIMIT_AS, (taken + 10**8, limits[1]))
        assert 0 < available_memory("cpu") <= 10**8 < free
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def test_formulas_are_quoted_and_numbers_are_not(tmp_path):
    cells = ['=HYPERLINK("x")', "+1+1", "@x", "-a", "-5", "-1,234.50 €", "-2e-5", "-$5", "", None]
    frame = polars.DataFrame({"=a": cells, "n": [-1] * len(cells)})
    write_frame(frame, tmp_path / "plain.csv")
    with formulas_quoted():
        write_frame(frame, tmp_path / "quoted.csv")
    plain, quoted = (polars.read_csv(tmp_path / f"{name}.csv") for name in ("plain", "quoted"))
    assert plain.columns == ["=a", "n"]
    assert quoted.columns == ["'=a", "n"]
    assert quoted["'=a"].to_list() == ["'" + cell if i < 4 else cell for i, cell in enumerate(cells)]
    assert quoted["n"].to_list() == plain["n"].to_list()


def test_samples_with_quoted_formulas(tmp_path):
    shutil.copytree(OLD / "table", tmp_path / "run")
    config = (tmp_path / "run" / "config.json").read_text()
    categories = next(
        column["categories"]
        for column in json.loads(config)["data"]["schema"]["columns"].values()
        if column.get("categories")
    )
    for category in categories:
        config = config.replace(json.dumps(category), json.dumps(f"={category}"))
    (tmp_path / "run" / "config.json").write_text(config)
    out = tmp_path / "a.csv"
    assert chainrule.cli.main(["sample", str(tmp_path / "run"), "-n", "9", "--out", str(out), "--quote-formulas"]) == 0
    assert f"'={categories[0]}" in out.read_text()
    assert f",={categories[0]}" not in out.read_text()


def test_standard_error_is_held_back_only_where_a_reader_fails(capfd):
    with stderr_held_back(), stderr_held_back():
        os.write(2, b"a warning")
    assert capfd.readouterr().err == "a warning"

    def fail():
        with stderr_held_back():
            os.write(2, b"a panic")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("dato: table.csv", "got none"),
        ("data: table.csv\nmodel: [MADE]", "expected a model"),
        ("data: table.csv\nmodel: MADE\nmodel.hidden_sizes: [a]", "hidden_sizes expects a list of integers"),
        ("data: nowhere.csv\nmodel: MADE", "found no nowhere.csv"),
        (f"data: {OLD / 'data' / 'rows.csv'}\nmodel: MADE\nlearning_rate: -1", "learning_rate expects a positive"),
    ],
)
def test_a_recipe_is_named_where_it_is_wrong(tmp_path, capsys, settings, words):
    (tmp_path / "a.yaml").write_text(settings)
    error = refused(capsys, "fit", "--config", str(tmp_path / "a.yaml"), "--out", str(tmp_path / "run"))
    assert words in error
    assert f"the settings are those of {tmp_path / 'a.yaml'}" in error


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"settings": [], "given": []}',
        '{"settings": {}, "given": 0.5}',
        '{"settings": {}, "given": [[]]}',
        '{"settings": {"seed": "x"}, "given": []}',
        '{"settings": {"data": "x"}, "given": []}',
        '{"settings": {"model": "MADE"}, "given": []}',
        '{"settings": {"data": "x", "model": "x"}, "given": []}',
    ],
)
def test_a_damaged_plan_is_refused(tmp_path, capsys, text):
    data = str(OLD / "data" / "rows.csv")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "plan.json").write_text(text)
    error = refused(capsys, "fit", data, "--out", str(tmp_path / "run"), "--resume")
    assert "plan.json" in error or "model expects one of Table" in error


@pytest.mark.parametrize(
    ("key", "value"),
    [("step", [1]), ("step", 0), ("x", 1), ("knots", [None]), ("cells", 2), ("origin", 10**400)],
)
def test_a_damaged_shape_of_a_column_is_refused(key, value):
    shape = Shape(step=1.0, cells=True)
    assert Shape.from_config(shape.config) == shape
    with pytest.raises(ValueError, match="shape"):
        Shape.from_config(shape.config | {key: value})


@pytest.mark.parametrize("rate", [2_000_000_000, 1])
def test_a_recording_of_an_absurd_rate(tmp_path, monkeypatch, rate):
    """Resampled, it has no samples, or more than memory holds."""
    monkeypatch.setattr(memory, "available_memory", lambda device: 10**7)
    soundfile.write(tmp_path / "a.wav", np.zeros(1000), rate)
    with pytest.raises(ValueError, match=r"a\.wav: expected (a recording of at least|its samples at 8000)"):
        samples_of(tmp_path / "a.wav", AudioFormat(8000), trim_silence=False)


def test_one_amount_without_its_currency(tmp_path, capsys):
    cells = [f"${1000 + i}.50" for i in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["price,n", *(f"{cell},{i}" for i, cell in enumerate(cells)), "26.76,3"]))
    assert "amounts in one currency, got '$1000.50' and '26.76'" in refused(capsys, "plan", str(tmp_path / "a.csv"))


def test_a_long_value_of_a_damaged_file_is_cut(tmp_path, capsys):
    shutil.copytree(OLD / "table", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["model"]["class"] = "x" * 100_000
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    error = refused(capsys, "describe", str(tmp_path / "run"))
    assert len(error) < 2000
    assert "expected a model of chainrule" in error
    assert " ... " in error
