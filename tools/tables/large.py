"""The tables of tables larger than memory."""

from typing import Any

from markdown import table


def _found(results: list[dict[str, Any]], name: str = "large") -> dict[str, Any] | None:
    return next((result for result in results if result.get("benchmark") == name), None)


def memory(results: list[dict[str, Any]]) -> str:
    """The memory of each command by the rows of its table; empty where it was not measured."""
    found = _found(results)
    if found is None:
        return ""
    rows = [["fit", f"{own['rows']:,}", own["format"], *_used(own)] for own in found["fit"]]
    rows += [["evaluate", f"{own['rows']:,}", "parquet", *_used(own)] for own in found["evaluate"]]
    rows += [["score", f"{own['rows']:,}", "parquet", *_used(own)] for own in found["score"]]
    return table(["command", "rows of 10 columns", "file", "memory, GB", "CPU seconds"], rows)


def _used(own: dict[str, Any]) -> list[str]:
    return [f"{own['largest_resident_gigabytes']:.2f}", f"{own['cpu_seconds']:.0f}"]


def rates(results: list[dict[str, Any]]) -> str:
    """The rates of reading and training in words; empty where they were not measured."""
    found = _found(results)
    if found is None:
        return ""
    passes, training, score = found["passes"], found["training"], found["score"][-1]
    share = training["file_rows_per_cpu_second"] / training["memory_rows_per_cpu_second"]
    sentences = (
        f"The first reading of {passes['rows']:,} rows took {passes['first_cpu_seconds']:.1f} s of one core, ",
        f"the second {passes['second_cpu_seconds']:.1f} s. A training read ",
        f"{training['file_rows_per_cpu_second']:,.0f} rows/s from the temporary file and ",
        f"{training['memory_rows_per_cpu_second']:,.0f} from memory ({share:.0%}); ",
        f"it waited {training['file_waiting']:.1%} of its time for rows. ",
        f"`score` wrote {score['rows_per_cpu_second']:,.0f} rows/s. ",
        f"The network has layers of {found['hidden_sizes']}, and `fit` took {found['steps']} steps.",
    )
    return "".join(sentences)


def fits(results: list[dict[str, Any]]) -> str:
    """The memory of fits of one minute by the size of their data; empty where it was not measured."""
    found = _found(results, "fit-memory")
    if found is None:
        return ""
    return table(
        ["data", "size", "memory, GB"],
        [[own["data"], _size(own), f"{own['largest_resident_gigabytes']:.2f}"] for own in found["fits"]],
    )


def _size(own: dict[str, Any]) -> str:
    return f"{own['files']:,} files" if "files" in own else f"{own['bytes'] / 1e6:,.0f} MB"
