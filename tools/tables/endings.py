"""The tables of ends that nobody wants, of changed data and of flipped bits."""

from typing import Any

from markdown import table

SIGNALS = ("SIGTERM", "SIGHUP", "SIGINT", "SIGKILL")


def signals(results: list[dict[str, Any]]) -> str:
    """The exit status of each command at each moment, by signal; empty where they were not measured."""
    found = _report(results)
    groups: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in (*found.get("signals", ()), *found.get("commands", ())):
        groups.setdefault((row["command"], row["moment"]), {})[row["signal"]] = row
    rows = []
    for (command, moment), own in groups.items():
        left = " or ".join(sorted({row["left"] for row in own.values()}))
        again = f"{sum(row['same'] for row in own.values())} of {len(own)}"
        rows.append([command, moment, *(str(own[name]["status"]) for name in SIGNALS), left, again])
    return table(["command", "signal comes", *SIGNALS, "what is left", "ends as without a signal, again"], rows)


def ends(results: list[dict[str, Any]]) -> str:
    """How many fits that were ended went on to the same weights; empty where they were not measured."""
    found = _report(results)
    words = {
        "crashes": "kill -9 before, in and after writes, syncs, renames and steps, evenly over all of a fit",
        "kills": "kill -9 after a random time",
        "disks": "disks that are too small by every size, and then grow",
    }
    rows = []
    for part, what in words.items():
        if not (ended := found.get(part)):
            continue
        left = ", ".join(f"{sum(row['left'] == name for row in ended)} {name}" for name in _names(ended))
        rows.append([what, str(len(ended)), left, str(sum(row["same"] for row in ended))])
    return table(["a fit is ended by", "fits", "what is left", "same weights and files by `--resume`"], rows)


def changed(results: list[dict[str, Any]]) -> str:
    """The message on each change of the data; empty where they were not measured."""
    rows = [
        [row["change"], "yes" if row["status"] == row["evaluate_status"] == 2 else "**no**", row["message"]]
        for row in _report(results).get("changed", ())
    ]
    return table(["what changed", "refused", "the message says"], rows)


def flips(results: list[dict[str, Any]]) -> str:
    """The flipped bits that were found; empty where they were not measured."""
    rows = [
        [f"`{row['file']}`", f"{row['bytes']:,}", f"`{row['command']}`", *map(str, (row["flips"], row["found"]))]
        for row in _report(results).get("flipped", ())
    ]
    return table(["file", "bytes", "read by", "bits flipped, one at a time", "found"], rows)


def _report(results: list[dict[str, Any]]) -> dict[str, Any]:
    return next((result for result in results if result.get("benchmark") == "endings"), {})


def _names(ended: list[dict[str, Any]]) -> list[str]:
    """What is left, in the order in which a fit leaves it."""
    return list(dict.fromkeys(row["left"] for row in ended))
