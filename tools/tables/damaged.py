"""The table of damaged files."""

from typing import Any

from markdown import table

FAULTS = ("traceback", "crash", "hang", "memory", "believed", "unclear")


def fuzz(results: list[dict[str, Any]]) -> str:
    """The outcomes of damaged files by family; empty where they were not measured."""
    found = next((result for result in results if result.get("benchmark") == "fuzz"), None)
    if found is None:
        return ""
    columns = ("inputs", "refused", "accepted", *FAULTS)
    rows = [[family, *(str(own[column]) for column in columns)] for family, own in found["families"].items()]
    total = [str(sum(own[column] for own in found["families"].values())) for column in columns]
    longest, largest = found["longest_seconds"], found["most_megabytes"]
    words = f"The longest took {longest} s of a core, the largest {largest:,} MB; seed {found['seed']}."
    return table(["file", *columns], [*rows, ["all", *total]]) + f"\n\n{words}"
