"""The record of the data that a run was fitted on, by which it is found that they changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule import hashes
from chainrule.data.dataset import Dataset
from chainrule.data.read.frames import NAME

FINGERPRINT, FRAMES = "fingerprint", "frames_fingerprint"


def record_of(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """The provenance of a data set, and the fingerprint of its file, folder or frame; named sets have none.

    Frames beside recordings have a fingerprint of their own.

    Args:
        dataset: The data set.
        folder: The run folder, which does not count where it is in the folder of the data.
    """
    record = dataset.provenance
    if "path" in record:
        paths = {FINGERPRINT: record["path"]} | ({FRAMES: record["frames"]} if "frames" in record else {})
        return record | {name: hashes.fingerprint(Path(path), folder.resolve()) for name, path in paths.items()}
    if dataset.name != NAME:
        return record
    digest = hashlib.sha256()
    for examples in dataset.splits.values():
        digest.update(examples[:].numpy().tobytes())
    return record | {FINGERPRINT: {"sha256": digest.hexdigest()}}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What changed between two records of data, in words; nothing where the older has no fingerprint.

    >>> changes({"fingerprint": {"bytes": 9}, "splits": {"train": 3}}, {"fingerprint": {"bytes": 7}, "splits": {}})
    ['7 bytes instead of 9', '0 examples instead of 3']
    """
    gone, added = _columns(before) - _columns(now), _columns(now) - _columns(before)
    columns = [f"without the column {name!r}" for name in sorted(gone)]
    columns += [f"with a column {name!r}" for name in sorted(added)]
    examples = ("examples", _examples(before), _examples(now))
    own = _differences(before.get(FINGERPRINT), now.get(FINGERPRINT), [examples], columns)
    frames = _differences(before.get(FRAMES), now.get(FRAMES))
    return [*own, *(f"frames with {change}" for change in frames)]


def _differences(
    old: Any, new: Any, counts: Sequence[tuple[str, Any, Any]] = (), more: Sequence[str] = ()
) -> list[str]:
    """How two fingerprints differ: in their numbers, in ``counts``, before and now, and in ``more``, in words."""
    if not isinstance(old, dict) or old == new or not isinstance(new, dict):
        return []
    counts = [*((name, old.get(name), new.get(name)) for name in ("files", "bytes")), *counts]
    found = [
        f"{ours:,} {name} instead of {theirs:,}"
        for name, theirs, ours in counts
        if ours != theirs and isinstance(ours, int) and isinstance(theirs, int)
    ]
    return [*found, *more] or ["other content of the same size"]


def check_unchanged(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path, advice: str) -> None:
    """Raise ``ValueError`` if data changed since the run in ``folder`` was fitted on them."""
    if found := changes(before, now):
        where = now.get("path", "the frame")
        raise ValueError(
            f"{where} expects to be as it was when {folder} was fitted on it, got {', '.join(found)}: test examples "
            f"may have been trained on; {advice}"
        )


def _examples(record: Mapping[str, Any]) -> int:
    return sum(size for size in record.get("splits", {}).values() if isinstance(size, int))


def _columns(record: Mapping[str, Any]) -> set[str]:
    schema = record.get("schema")
    columns = schema.get("columns") if isinstance(schema, dict) else None
    return set(columns) if isinstance(columns, dict) else set()
