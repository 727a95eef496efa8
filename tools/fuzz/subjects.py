"""The files that are damaged, by family, each with the ways to damage it and the commands that read it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mutations import Mutation, damaged_bytes, damaged_json, damaged_text, damaged_yaml
from ordinary import MATLAB, TINY

GIVEN = "given"
"""The folder, in which a command runs, that holds the damaged file and those beside it."""


@dataclass(frozen=True)
class Subject:
    """A file that is damaged.

    Attributes:
        family: What it is called in the table of results.
        tree: The folder that is copied, below the ordinary files.
        file: The file in it that is damaged.
        damage: How.
        commands: Command lines that read it, as words; ``@table`` stands for the run of that name.
        share: How often it is chosen, beside others.
        must_fail: True if no command may succeed with it, unless the damage changed nothing that counts.
    """

    family: str
    tree: str
    file: str
    damage: Mutation
    commands: tuple[str, ...]
    share: float = 1.0
    must_fail: bool = False


def subjects() -> list[Subject]:
    """All subjects."""
    return [*_runs(), *_tables(), *_arrays(), *_media(), *_texts(), *_named()]


def _runs() -> Iterator[Subject]:
    using = {
        "table": ("evaluate given @files/table/table.csv", "sample given -n 2 --out x.csv", "describe given"),
        "rows": ("evaluate given @files/rows/rows.csv", "sample given -n 2 --out x.csv"),
        "image": ("evaluate given @files/images/png", "sample given -n 2 --out x.npz"),
        "text": ("evaluate given @files/text/text.txt", "sample given -n 1 --length 5"),
        "documents": ("score given @files/text/text.txt", "sample given -n 1"),
        "series": ("evaluate given @files/series/series.csv", "sample given -n 2 --out x.csv"),
        "audio": ("evaluate given @files/sounds/wav", "sample given -n 1 --length 20 --out x.wav"),
    }
    for kind, commands in using.items():
        tree = f"runs/{kind}"
        yield Subject("config", tree, "config.json", damaged_json, commands, 2)
        evaluating = commands[:1]
        yield Subject("weights", tree, "model.safetensors", damaged_bytes, evaluating, 2, must_fail=True)
    scoring = ("score given @files/rows/rows.csv --score pvalue --out x.csv",)
    yield Subject("calibration", "runs/rows", "calibration.safetensors", damaged_bytes, scoring, 4, must_fail=True)
    resuming = (f"fit @files/rows/rows.csv --out given --resume {' '.join(TINY)}",)
    for name in ("last", "best"):
        path = f"checkpoints/{name}.ckpt"
        yield Subject("checkpoint", "runs/interrupted", path, damaged_bytes, resuming, 1.5, must_fail=True)
    yield Subject("config", "runs/interrupted", "plan.json", damaged_json, resuming, 1)


def _tables() -> Iterator[Subject]:
    table = "files/table"
    for name in ("table.csv", "table.tsv", "spaces.data", "table.csv.gz", "utf16.csv"):
        commands = (f"schema given/{name}", f"plan given/{name}")
        if name == "table.csv":
            commands += (f"evaluate @table given/{name}", f"complete @table given/{name} --out x.csv")
        binary = name in ("table.csv.gz", "utf16.csv")
        yield Subject("csv", table, name, damaged_bytes if binary else damaged_text, commands, 1 if binary else 4)
    for name in ("table.parquet", "plain.parquet"):
        commands = (f"schema given/{name}", f"plan given/{name}", f"score @table given/{name} --out x.csv")
        yield Subject("parquet", table, name, damaged_bytes, commands, 6)
    planning = ("plan given/table.csv --schema given/schema.yaml",)
    yield Subject("schema", table, "schema.yaml", damaged_yaml, planning, 8)
    fitting = ("fit --config given/recipe.yaml --out run --max-steps 2 --minutes 0.1 --device cpu",)
    yield Subject("recipe", table, "recipe.yaml", damaged_yaml, fitting, 4)
    commands = ("plan given/series.csv", "plan given/series.csv --series value", "evaluate @series given/series.csv")
    yield Subject("csv", "files/series", "series.csv", damaged_text, commands, 3)
    commands = ("plan given/rows.csv", "evaluate @rows given/rows.csv")
    yield Subject("csv", "files/rows", "rows.csv", damaged_text, commands, 3)


def _arrays() -> Iterator[Subject]:
    for name, share in (("rows.npy", 6), ("rows.npz", 4), ("splits.npz", 4)):
        commands = (f"plan given/{name}", *([f"evaluate @rows given/{name}"] if name[0] == "r" else []))
        yield Subject(name[-3:], "files/rows", name, damaged_bytes, commands, share)
    for name in ("mask.npy", "mask.npz", "mask.csv"):
        completing = (f"complete @rows @files/rows/rows.csv -n 2 --observe given/{name} --out x.csv",)
        damage = damaged_text if name.endswith("csv") else damaged_bytes
        yield Subject("mask", "files/rows", name, damage, completing, 2)
    completing = ("complete @image @files/images/png -n 2 --observe given/mask.png --out x.npz",)
    yield Subject("mask", "files/images", "mask.png", damaged_bytes, completing, 2)


def _media() -> Iterator[Subject]:
    for suffix in ("png", "jpg", "tif", "gif", "webp", "bmp", "ppm", "deflated"):
        tree, file = f"files/images/{suffix}", "3.tif" if suffix == "deflated" else f"3.{suffix}"
        commands = ("plan given", f"evaluate @image given/{file}", "plan given --skip-unreadable")
        yield Subject("tif" if suffix == "deflated" else suffix, tree, file, damaged_bytes, commands, 3)
    for suffix in ("wav", "flac"):
        commands = ("plan given", f"score @audio given/3.{suffix}", "plan given --skip-unreadable")
        yield Subject(suffix, f"files/sounds/{suffix}", f"3.{suffix}", damaged_bytes, commands, 4)


def _texts() -> Iterator[Subject]:
    commands = (
        "plan given/text.txt --window 16",
        "plan given/text.txt --documents",
        "plan given/text.txt --vocabulary bytes --window 16",
        "score @text given/text.txt",
        "evaluate @documents given/text.txt",
    )
    yield Subject("txt", "files/text", "text.txt", damaged_text, commands, 5)


def _named() -> Iterator[Subject]:
    yield Subject("mat", "files/named", MATLAB, damaged_bytes, ("plan silhouettes",), 4, must_fail=True)
    yield Subject("zip", "files/named", "audio/fsdd.zip", damaged_bytes, ("plan fsdd",), 3)


def words_of(command: str, corpus: Path) -> list[str]:
    """The words of a command, with the paths of runs and of ordinary files filled in."""
    runs = {"@" + path.name: str(path) for path in (corpus / "runs").iterdir()}
    return [runs.get(word, word.replace("@files", str(corpus / "files"))) for word in command.split()]
