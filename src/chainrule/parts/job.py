"""A job: what is to be done with every part, as plain values that travel to the workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.hashes import fingerprint, sha256_of
from chainrule.runs.folder import CONFIG, WEIGHTS


@dataclass(frozen=True)
class Job:
    """A command, the run that it uses, and its options.

    Attributes:
        verb: The name of the command, one of `chainrule.parts.verbs.VERBS`.
        run: The run folder, which all workers can read.
        out: The folder for the files of the parts, which all workers can write.
        device: The device of each worker.
        model: The user's own class, as ``module:Class``; None for a model of chainrule's.
        label: The class of all examples, if the user names one.
        suffix: The suffix of the files of the parts.
        options: The options of the command, plain values.
    """

    verb: str
    run: Path
    out: Path
    device: str = "auto"
    model: str | None = None
    label: int | None = None
    suffix: str = ".parquet"
    options: dict[str, Any] = field(default_factory=dict)

    def identity(self, files: Sequence[Path], size: int, samples: int | None) -> dict[str, Any]:
        """All that the parts depend on, as JSON has it: parts of two jobs may be mixed if this is the same.

        Args:
            files: The data.
            size: Items of a part.
            samples: The number of samples, if the items are such.
        """
        named = {name: self.options.get(name) for name in ("background", "observe")}
        runs = [self.run, *([Path(named["background"])] if named["background"] else [])]
        masks = [Path(named["observe"])] if named["observe"] and Path(named["observe"]).is_file() else []
        return {
            "verb": self.verb,
            "runs": [{name: sha256_of(run / name) for name in (WEIGHTS, CONFIG)} for run in runs],
            "data": [{"name": file.name} | fingerprint(file) for file in (*files, *masks)],
            "size": size,
            "samples": samples,
            "model": self.model,
            "class": self.label,
            "options": {name: value for name, value in self.options.items() if name != "background"},
        }

    def seed(self, number: int) -> int:
        """The seed of a part: independent of those of all others, and of who makes it."""
        state = np.random.SeedSequence(self.options["drawing"]["seed"], spawn_key=(number,))
        return int(state.generate_state(1, np.uint64)[0] >> np.uint64(1))
