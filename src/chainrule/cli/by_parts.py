"""Commands that work by parts: ``--engine local`` in this process, ``--engine ray`` on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.cli.opening import opened_likelihood, say
from chainrule.cli.parser import Options, UsageError
from chainrule.data import NAMES
from chainrule.data.read.layout import FileChoices
from chainrule.kinds import Kind
from chainrule.model import AutoregressiveModel
from chainrule.parts import Job, Work, conduct, engine_of, files_of
from chainrule.runs import OpenRun

Records = list[dict[str, Any]]
"""The records of all parts, in sequence."""


def is_by_parts(options: Options) -> bool:
    """True if the command is to work by parts.

    Raises:
        UsageError: If an option of such work is given without ``--engine``.
    """
    if options["engine"] is None:
        options.refuse("address", "workers", "part_size", expects="--engine, local or ray, which works by parts")
    return options["engine"] is not None


@dataclass(frozen=True)
class ByParts:
    """A command that works by parts.

    Attributes:
        verb: The name of the command.
        options: Its options.
        run: The run.
        model: Its model.
        out: The folder of the parts.
    """

    verb: str
    options: Options
    run: OpenRun
    model: AutoregressiveModel
    out: Path

    @classmethod
    def of(cls, verb: str, options: Options, *, needs_all: tuple[str, ...] = ()) -> ByParts:
        """Open the run.

        Raises:
            UsageError: If ``--out`` is no folder, or an option is given that needs all items at once.
        """
        options.refuse(*needs_all, expects="no --engine, for it needs all items at once")
        if options["out"] is None or options["out"].suffix or options["out"].is_file():
            raise UsageError(f"--engine expects --out, a folder for the parts, got {options['out'] or 'none'}")
        return cls(verb, options, *opened_likelihood(options), options["out"])

    @property
    def kind(self) -> Kind:
        """The kind of data that the run is for."""
        return self.run.kind

    @property
    def data(self) -> str:
        """The data as they are named; empty if they are not."""
        file = self.options["file"]
        return (self.options["data"] or "") if file is None else str(file)

    @property
    def files(self) -> str:
        """The files of the parts, in words."""
        return f"{self.out / 'part-*'}{self.suffix}"

    @property
    def suffix(self) -> str:
        """The suffix of the files of the parts.

        Raises:
            UsageError: If samples of the run's kind have none.
        """
        suffix = ".parquet" if self.verb in ("score", "evaluate") else self.kind.part_suffix
        if not suffix:
            raise UsageError(f"{self.verb} --engine expects a run on a table, rows or images, got {self.kind.name}")
        return suffix

    def of_data(self, **values: Any) -> Records:
        """Work on the data that are named, with these plain values as the options of the parts."""
        given = self.data
        if given in ("", "-", *NAMES):
            raise UsageError(f"--engine expects DATA, a file or a folder, got {given or 'none'}")
        if not self.kind.separable:
            raise UsageError(
                f"--engine expects a run on a table, rows, images or recordings, got {self.kind.name}, of which no "
                "part stands by itself"
            )
        self.options.refuse("split", expects=f"a named set, got {given}, all of which is read")
        choices = FileChoices.of(self.run.settings, self.kind.columns)
        return self._conducted(Work(self._size, files_of(given), choices), values)

    def of_samples(self, count: int, **values: Any) -> Records:
        """Draw ``count`` samples, with these plain values as the options of the parts."""
        return self._conducted(Work(self._size, samples=count), values)

    @property
    def _size(self) -> int:
        size: int | None = self.options["part_size"]
        return self.kind.part_size(self.model) if size is None else size

    def _conducted(self, work: Work, values: dict[str, Any]) -> Records:
        options = self.options
        job = Job(
            verb=self.verb,
            run=options["run"].resolve(),
            out=self.out.resolve(),
            device=options["device"],
            model=options["model"],
            label=options["label"],
            suffix=self.suffix,
            options=values,
        )
        engine = engine_of(options["engine"], options["address"], options["workers"])
        return conduct(job, work, engine, lambda line: say([line]))
