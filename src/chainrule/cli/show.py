"""``chainrule show``."""

from __future__ import annotations

import shlex
from pathlib import Path

from chainrule.cli.opening import say
from chainrule.cli.parser import Options, UsageError
from chainrule.errors import MissingPackageError
from chainrule.runs.folder import CONFIG, runs_in
from chainrule.runs.opened import open_run, own_classes

LISTED = 8
"""Runs in a folder that an error lists, at most."""


def run_show(options: Options) -> None:
    """Open a page on this machine that shows what runs do."""
    try:
        from chainrule.web.serve import serve
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("starlette", "uvicorn"):
            raise
        raise MissingPackageError(f"show needs the package {package}: pip install 'chainrule[web]'") from None
    if not 0 <= options["port"] < 65536:
        raise UsageError(f"--port expects a number from 0 to 65535, got {options['port']}")
    if not options["host"].strip():
        raise UsageError(f"--host expects an address of this machine, such as 127.0.0.1, got {options['host']!r}")
    for folder in options["runs"]:
        _check_no_parent(folder)
    runs = [open_run(run, device=options["device"], classes=own_classes(options["model"])) for run in options["runs"]]
    serve(runs, options["host"], options["port"], open_browser=not options["no_browser"], say=lambda line: say([line]))


def _check_no_parent(folder: Path) -> None:
    """Raise ``UsageError`` if a folder holds runs and is none itself."""
    if (folder / CONFIG).exists() or not (found := runs_in(folder)):
        return
    first, *others = (shlex.quote(str(run)) for run in found)
    more = f", {len(found) - LISTED} more" if len(found) > LISTED else ""
    rest = f"; it also holds {', '.join(others[: LISTED - 1])}{more}" if others else ""
    count = "a run" if len(found) == 1 else f"{len(found)} runs"
    raise UsageError(f"expected a run, got {folder}, which holds {count}: chainrule show {first}{rest}")
