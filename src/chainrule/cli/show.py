"""``chainrule show``."""

from __future__ import annotations

from chainrule.cli.opening import say
from chainrule.cli.parser import Options, UsageError
from chainrule.errors import MissingPackageError
from chainrule.runs.opened import open_run, own_classes


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
    runs = [open_run(run, device=options["device"], classes=own_classes(options["model"])) for run in options["runs"]]
    serve(runs, options["host"], options["port"], open_browser=not options["no_browser"], say=lambda line: say([line]))
