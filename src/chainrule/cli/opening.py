"""The run and the data that a command line names."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from chainrule.cli.parser import Options, UsageError
from chainrule.data import NAMES
from chainrule.data.write import formulas_quoted
from chainrule.kinds.requests import Drawing, Source
from chainrule.model import AutoregressiveModel
from chainrule.runs.opened import OpenRun, open_run, own_classes
from chainrule.words import suggestion

WIDTH = 80
"""Characters of a text that a line of the terminal shows, at most."""


def opened(options: dict[str, Any]) -> OpenRun:
    """The run that was asked for, whose model may have no likelihood."""
    return open_run(options["run"], device=options["device"], classes=_own_classes(options["model"]))


def opened_likelihood(options: dict[str, Any]) -> tuple[OpenRun, AutoregressiveModel]:
    """The run that was asked for, and its model, which must have a likelihood."""
    run = opened(options)
    model = run.likelihood
    if options.get("frames") is not None and not run.kind.takes_frames:
        raise UsageError(f"--frames expects a run on recordings, got one on data of the kind {run.kind.name}")
    if options.get("label") is not None:
        if model.num_classes is None:
            raise UsageError(f"--class expects a model with num_classes, got one without, in {options['run']}")
        options["label"] = _class(options["label"], model.num_classes, run.class_names)
    return run, model


def _class(word: str, count: int, names: Sequence[str]) -> int:
    """The number of a class, from its name or its number."""
    if word in names:
        return names.index(word)
    if not word.isdecimal() or int(word) >= count:
        named = f"one of {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}, or " if names else ""
        raise UsageError(
            f"--class expects {named}a number from 0 to {count - 1}, got {word!r}{suggestion(word, names)}"
        )
    return int(word)


def background_of(run: OpenRun, options: dict[str, Any]) -> tuple[OpenRun, AutoregressiveModel]:
    """The run that ``--background`` names, and its model."""
    other = open_run(options["background"], device=options["device"], classes=_own_classes(options["model"]))
    return other, run.check_background(other)


def _own_classes(name: str | None) -> dict[str, type]:
    """The user's own class that ``--model`` names, by its name."""
    if name is not None and ":" not in name:
        raise UsageError(f"--model expects package.module:Class, your own class, got {name!r}")
    return own_classes(name)


def source_of(run: OpenRun, options: Options, limit: int | None = None) -> Source:
    """The data that was asked for: all of a file or folder, or a split of a named set or of the run's own data."""
    if options.get("file") is not None and options["data"] is not None:
        raise UsageError(f"expected DATA or --data, got both: {options['file']} and {options['data']}")
    given = options["data"] if options.get("file") is None else str(options["file"])
    named = given is None or given in NAMES
    path = None if named else Path(given).expanduser()
    if path is not None:
        if not path.exists() and path.name == given and not (path.suffix or "*" in given):
            raise UsageError(f"expected a file, a folder or a named set, got {given!r}{suggestion(given, NAMES)}")
        options.refuse("split", expects=f"a named set or the run's own data, got {given}, all of which is read")
    frames = options.get("frames")
    if frames is not None and path is None:
        raise UsageError(f"--frames expects DATA, the recordings that they stand beside, got {given or 'none'}")
    return Source(
        path=path,
        load=lambda: run.dataset(given if named else None),
        split=options["split"],
        settings=run.settings if path is None else run.settings | {"frames": frames},
        classes=run.class_names,
        class_counts=run.class_counts,
        label=options.get("label"),
        limit=limit,
    )


def names_of(words: str | None) -> tuple[str, ...]:
    """The names of columns in ``a, b``."""
    return tuple(name.strip() for name in (words or "").split(",") if name.strip())


def drawing_of(options: dict[str, Any]) -> Drawing:
    """The settings with which values are drawn."""
    return Drawing(**{name: options[name] for name in ("seed", "temperature", "top_k", "top_p", "greedy")})


def quoting_formulas(command: Callable[[Options], None]) -> Callable[[Options], None]:
    """A command that heeds ``--quote-formulas``."""

    @wraps(command)
    def run(options: Options) -> None:
        with formulas_quoted(options["quote_formulas"]):
            command(options)

    return run


def say(lines: Iterable[str]) -> None:
    """Print lines on standard error."""
    for line in lines:
        print(line, file=sys.stderr)


def print_json(values: dict[str, Any]) -> None:
    """Print one JSON object on standard output, with null for what JSON has no number for."""
    print(json.dumps(json.loads(json.dumps(values), parse_constant=lambda _: None)))


def print_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Print a line of names and values for each row."""
    for row in rows:
        print("  ".join(f"{name} {_shown(each)}" for name, each in row.items()))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        text = value if value.isprintable() else repr(value)[1:-1]
        return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.4f}"


def check_folder(path: Path | None) -> None:
    """Raise ``UsageError`` unless ``path`` is a folder, or can be one in a folder that exists."""
    if path is not None and (path.suffix or path.is_file() or not path.parent.is_dir()):
        raise UsageError(f"--out expects a folder in one that exists, got {path}")
