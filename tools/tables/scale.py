"""Tables of work by parts on a cluster."""

import math
from typing import Any

from markdown import table

UNITS = ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def runs(results: list[dict[str, Any]]) -> str:
    """What was measured here."""
    report = _report(results)
    return _runs(report["runs"], report["rows"])


def many(results: list[dict[str, Any]]) -> str:
    """What was measured on ten times as many rows; empty where it was not."""
    report = _report(results).get("many")
    return _runs(report["runs"], report["rows"]) if report else ""


def _runs(runs: dict[str, dict[str, Any]], whole: int) -> str:
    """Ways of scoring a table of ``whole`` rows."""
    rows = []
    for name, own in runs.items():
        kept = f"; {own['parts_kept']} parts were kept" if "parts_kept" in own else ""
        if own["status"] != 0:
            outcome = f"{own['parts']} of 10 parts are there"
        elif "identical" in own:
            outcome = ("the same scores" if own["identical"] else "other scores") + kept
        else:
            outcome = "the scores that others compare with"
        rows.append(
            [
                name,
                f"{own['rows_per_second']:,.0f}" if own.get("rows", whole) == whole and own["status"] == 0 else "",
                f"{own['rows_per_cpu_second']:,.0f}" if "rows_per_cpu_second" in own else "",
                f"{own['first_part_seconds']:.0f} s" if "first_part_seconds" in own and not kept else "",
                f"{own['megabytes']:,} MB" if "megabytes" in own else "",
                outcome,
            ]
        )
    head = ["way", "rows/s of the clock", "rows per CPU second", "first part after", "memory", "outcome"]
    return table(head, rows)


def compared(results: list[dict[str, Any]]) -> str:
    """The simulation beside what was measured."""
    rows = [
        [
            str(own["workers"]),
            f"{own['simulated']:.1f} s",
            f"{own['measured']:.1f} s",
            f"{own['simulated'] / own['measured'] - 1:+.0%}",
        ]
        for own in _report(results)["compared"]
    ]
    return table(["workers", "simulated, from the parts of one process", "measured on Ray", "difference"], rows)


def jobs(results: list[dict[str, Any]]) -> str:
    """What large jobs cost."""
    report = _report(results)
    facts = {
        "workers, a core each": lambda job: f"{job['workers']:,}",
        "hours": lambda job: f"{job['hours']:g}",
        "core hours": lambda job: f"{job['core_hours']:,.0f}",
        "rows of a part; parts": lambda job: f"{job['part_rows']:,}; {job['parts']:,}",
        "read by workers": lambda job: f"{_bytes(job['bytes_read'])}, {_bytes(job['read_bytes_per_second'])}/s",
        "written by workers": lambda job: _bytes(job["bytes_written"]),
        "weights, once to each worker": lambda job: _bytes(job["bytes_of_weights"]),
        "memory of a worker": lambda job: _bytes(job["worker_bytes"]),
        "time of the driver": lambda job: f"{job['driver_hours']:.2g} hours",
    }
    rows = [[name, *(words(job) for job in report["jobs"])] for name, words in facts.items()]
    return table(["", *(f"10^{round(math.log10(job['rows']))} rows" for job in report["jobs"])], rows)


def simulated(results: list[dict[str, Any]]) -> str:
    """The time of 10^9 rows on 1 to 1,000 workers."""
    rows = [
        [
            f"{own['workers']:,}",
            *(f"{own[name]['seconds'] / 60:,.1f}" for name in ("plain", "slow", "failing")),
            f"{own['plain']['busy']:.0%}",
            str(int(own["failing"]["lost"])),
        ]
        for own in _report(results)["simulated"]
    ]
    return table(["workers", "minutes", "with stragglers", "and failures", "busy", "parts lost"], rows)


def words(results: list[dict[str, Any]]) -> str:
    """The rates that the tables follow from, in a sentence."""
    report = _report(results)
    own, cores = report["measured"], report["cores"]
    per_part = own["part_rows"] * own["seconds_per_row"]
    return (
        f"A worker takes {1e6 * own['seconds_per_row']:.0f} microseconds of CPU for a row of {report['columns']} "
        f"columns, and {per_part:.1f} s for a part of {own['part_rows']:,} rows; the driver takes "
        f"{1e3 * own['dispatch_seconds']:.0f} ms for one. A row is {own['read_bytes_per_row']:.0f} bytes of Parquet, "
        f"its score {own['written_bytes_per_row']:.0f}. Measured on {report['rows']:,} rows and {cores} "
        f"core{'s' if cores > 1 else ''}, which other programs shared. By these figures one driver can feed "
        f"{report['most_workers']:,} workers with parts of the default size."
    )


def _report(results: list[dict[str, Any]]) -> dict[str, Any]:
    (report,) = [result for result in results if result.get("benchmark") == "scale"]
    return report


def _bytes(count: float) -> str:
    for size, unit in UNITS:
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"
