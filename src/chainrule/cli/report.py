"""``chainrule report``."""

from __future__ import annotations

from chainrule.cli.opening import check_folder, opened, print_json, say, source_of
from chainrule.cli.parser import Options
from chainrule.runs.report import FIGURES, PAGE, report, write_report
from chainrule.runs.verdict import verdict


def run_report(options: Options) -> None:
    """Write a page and a file of figures that compare samples of a run with real rows."""
    run = opened(options)
    out = options["out"] or options["run"] / "report"
    check_folder(out)
    source = source_of(run, options)
    figures = report(run, source, target=options["target"], seed=options["seed"], say=lambda line: say([line]))
    write_report(figures, out)
    if options["json"]:
        print_json(figures)
    else:
        print("\n".join(verdict(figures)))
    say([f"wrote {out / PAGE} and {out / FIGURES}"])
