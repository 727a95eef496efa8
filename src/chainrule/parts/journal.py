"""The journal of a folder of parts: what they are parts of, and which are there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from chainrule.hashes import sha256_of

NAME = "_parts.jsonl"
"""Its file. Readers of folders of Parquet files pass over names that begin with an underscore."""


class Journal:
    """Lines of JSON: first what the parts depend on, then one for each part that is there.

    A line is on the disk before the next part begins, and a line that was cut off by a kill does not count.

    Args:
        folder: The folder of the parts.
        identity: What they depend on; see `chainrule.parts.job.Job.identity`.

    Raises:
        ValueError: If the folder has parts of something else.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder, self.path = folder, folder / NAME
        lines = _whole_lines(self.path)
        head = json.loads(json.dumps({"job": identity}))
        if lines:
            _check_same(lines[0].get("job", {}), head["job"], folder)
        elif others := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
            raise ValueError(f"--out expects a new folder or one with parts of this job, got {folder} with {others[0]}")
        self.records = {line["part"]: line for line in lines[1:] if self._is_there(line)}
        # It is written anew, so that a line that was cut off does not spoil the next one.
        with self.path.open("w") as file:
            file.writelines(json.dumps(line) + "\n" for line in [head, *self.records.values()])
            _to_disk(file.fileno(), file)

    def add(self, record: dict[str, Any]) -> None:
        """Write the record of a part that is there now."""
        self.records[record["part"]] = record
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")
            _to_disk(file.fileno(), file)

    def _is_there(self, record: dict[str, Any]) -> bool:
        file = self.folder / str(record.get("file"))
        return "part" in record and file.is_file() and sha256_of(file) == record.get("sha256")


def _to_disk(descriptor: int, file: Any) -> None:
    file.flush()
    os.fsync(descriptor)


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal; those from a damaged one on don't count."""
    found: list[dict[str, Any]] = []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            value = json.loads(line)
        except ValueError:
            break
        if not isinstance(value, dict):
            break
        found.append(value)
    return found


def _check_same(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    if differing := [name for name in now if before.get(name) != now[name]]:
        raise ValueError(
            f"{folder} expects to go on with its own job, got one with another {', '.join(differing)}: "
            "choose another --out, or remove that folder"
        )
