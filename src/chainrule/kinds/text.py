"""Text: one long stream of characters or bytes, or documents, one a line or a file."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from chainrule.atomic import write_atomically
from chainrule.conditionals import Categorical, Conditional
from chainrule.data.dataset import Dataset
from chainrule.data.documents import TRAINED, Documents
from chainrule.data.examples import Examples, chosen
from chainrule.data.read.text import read_text
from chainrule.data.text import TextFormat, plain_of, read_all
from chainrule.data.write import numbered
from chainrule.devices import cores_of, multiplies_in_half
from chainrule.kinds.calibration import EXAMPLES, SYMBOLS, VALUES
from chainrule.kinds.families import family_of_levels, refuse_arguments
from chainrule.kinds.items import Items, figures_per
from chainrule.kinds.lines import Part, scored_lines, scored_stream, split_lines
from chainrule.kinds.requests import Completing, Source, one_class
from chainrule.kinds.sequence import SequenceKind, check_file_or_folder
from chainrule.kinds.text_explain import explain_lines
from chainrule.kinds.text_items import UNKNOWN, items_of, print_symbols
from chainrule.kinds.text_print import printing
from chainrule.model import AutoregressiveModel, Model
from chainrule.plans import Plan
from chainrule.plans.text import text_plan
from chainrule.sequence import SequenceModel, reads_streams
from chainrule.tasks.evaluate import Evaluation
from chainrule.tasks.independent import independent_nats
from chainrule.tasks.sample import sample

LINES = 1024
"""Lines whose scores are given at once."""


class TextKind(SequenceKind):
    """Text in a vocabulary of characters or bytes."""

    name = "text"
    formats = TextFormat
    usual_score = "pvalue"
    files = "a .txt file"
    suffixes = (".txt",)
    samples_file = "samples.txt"
    prints_samples = True
    prints_scores = True
    has_parts = ("line", "character")
    completes_with = ("n", "draws", "length")
    reads_lines = True
    format: TextFormat

    def plan(self, dataset: Dataset, minutes: float, device: str) -> Plan:
        mean = dataset.train.num_variables / len(dataset.train)
        return text_plan(
            symbols=dataset.train.num_variables,
            valid_symbols=dataset.valid.num_variables,
            vocabulary=len(self.format.vocabulary),
            minutes=minutes,
            document_length=min(TRAINED, mean) if self.format.documents else None,
            longest_window=None if self.format.documents else dataset.event_shape[0],
            cores=cores_of(device),
            half=multiplies_in_half(device),
        )

    def conditional(self, family: str | None, arguments: Mapping[str, Any]) -> Conditional:
        levels = len(self.format.vocabulary)
        if family is not None:
            return family_of_levels(family, arguments, levels)
        refuse_arguments(arguments)
        return Categorical(levels, encoding="one_hot")

    def model_arguments(self, model: type[Model]) -> dict[str, Any]:
        if not self.format.documents:
            return {}
        ends = "end_symbol" in inspect.signature(model).parameters
        if issubclass(model, SequenceModel) and not ends:
            raise ValueError(f"documents expect a model that can end them (RNN, WaveNet), got {model.__name__}")
        return {"end_symbol": self.format.vocabulary.end} if ends else {}

    def check_model(self, model: Model) -> None:
        super().check_model(model)
        if not self.format.documents and model.config.get("end_symbol") is not None:
            raise ValueError("text that is one stream expects a model without end_symbol, got one that ends documents")

    def independent_nats(self, dataset: Dataset, model: Model) -> float:
        train, valid = dataset.train, dataset.valid
        if reads_streams(model) and not self.format.documents:
            train, valid = train.single(), valid.single()
        size = max(1, VALUES // dataset.event_shape[0])
        return independent_nats(train, valid, len(self.format.vocabulary), batch_size=min(1024, size))

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        encoding = None if named else settings.get("encoding")
        return {
            "vocabulary": self.format.vocabulary,
            "documents": self.format.documents or None,
            "per_file": self.format.per_file or None,
            "window": settings.get("window"),
            "encoding": encoding,
        }

    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        return read_all(path, self.format, model.num_variables, settings.get("encoding"))

    @property
    def undrawn(self) -> int | None:
        return self.format.vocabulary.unknown

    def prefix(self, prompt: str | None) -> Tensor | None:
        if not prompt:
            return None
        if self.format.documents and self.format.vocabulary.end_character in prompt:
            expected = "no NUL" if self.format.per_file else "one line"
            raise ValueError(f"--prompt expects {expected}, as the model was fitted on documents, got {prompt!r}")
        return torch.from_numpy(self.format.vocabulary.encode(prompt, strict=True)).float()

    def read_prompt(self, path: Path, settings: Mapping[str, Any]) -> str:
        """The content of a file; for documents that are lines without the end of its line."""
        with plain_of(path, self.format, settings.get("encoding")) as plain:
            if self.format.vocabulary.characters is None:
                text = plain.path.read_bytes().decode(errors="surrogateescape")
            else:
                text = "".join(read_text(plain.path))
        return text.rstrip("\r\n") if self.format.documents and not self.format.per_file else text

    def _beginnings(self, path: Path, settings: Mapping[str, Any]) -> list[str]:
        """The texts that `complete` continues: those of all files, the lines of one, or all of it."""
        if self.format.per_file:
            with plain_of(path, self.format, settings.get("encoding")) as plain:
                raw = plain.path.read_bytes()
                return [raw[slice(*span)].decode(errors="surrogateescape") for span in plain.spans]
        text = self.read_prompt(path, settings)
        return [line for line in text.splitlines() if line] if self.format.documents else [text]

    def check_out(self, path: Path) -> None:
        if self.format.per_file:
            check_file_or_folder(path, ".txt")
        else:
            super().check_out(path)

    def write(self, x: Tensor | Sequence[Tensor], path: Path) -> str:
        if path.suffix:
            write_atomically(path, self.format.join(row.cpu() for row in x) + b"\n")
        else:
            path.mkdir(exist_ok=True)
            for file, row in zip(numbered(path, len(x), ".txt"), x, strict=True):
                write_atomically(file, self.format.join([row.cpu()]))
        return f"{len(x)} texts"

    def print(self, x: Tensor | Sequence[Tensor]) -> None:
        """Print texts on standard output."""
        print((self.format.join(row.cpu() for row in x) + b"\n").decode(errors="replace"), end="")

    def printer(self, prompt: str, stop: str | None = None) -> AbstractContextManager[Callable[[Tensor], None]]:
        """Print the prompt, and then each symbol as it is drawn, until a document ends, or any text at ``stop``."""
        return printing(self.format, prompt, stop)

    def stopped(self, x: Tensor, known: int, stop: str | None) -> Sequence[Tensor]:
        if not stop:
            return list(x)
        symbols = self.format.vocabulary.encode(stop, strict=True)
        return [row[: _first(row[known:].long().numpy(), symbols, known)] for row in x.cpu()]

    def leave_samples(self, model: AutoregressiveModel, dataset: Dataset, folder: Path) -> None:
        context = None if model.num_classes is None else torch.arange(self.num_samples) % model.num_classes
        length = self.sample_length(model)
        x = sample(model, self.num_samples, seed=0, context=context, length=length, undrawn=self.undrawn)
        write_atomically(folder / self.samples_file, self.format.join(x.cpu()))

    def complete(self, model: AutoregressiveModel, request: Completing) -> list[str]:
        path = request.source.path
        if path is None:
            raise ValueError(
                "complete expects a FILE of beginnings, as the run was fitted on text: its text, or each of its lines "
                "if the run was fitted on lines, is continued"
            )
        if request.out.suffix.lower() != ".txt":
            raise ValueError(f"--out expects a file ending in .txt, got {request.out}")
        beginnings = self._beginnings(path, request.source.settings)[: request.source.limit]
        draws = request.draws or 1
        context = one_class(model, request.source.label, draws)
        completed = []
        for beginning in beginnings:
            known = torch.from_numpy(self.format.vocabulary.encode(beginning, strict=True)).float()
            length = request.length
            if length is None and self.format.documents:
                length = max(1, model.num_variables - len(known))
            settings = request.drawing.settings() | {"length": length, "undrawn": self.undrawn}
            completed.append(self.format.join(sample(model, draws, prefix=known, context=context, **settings).cpu()))
        separator = b"\n" if self.format.documents and not self.format.per_file else b"\n\n"
        write_atomically(request.out, separator.join(completed) + b"\n")
        return [f"wrote {draws} x {len(beginnings)} completions to {request.out}; exact: what is known comes first"]

    @property
    def unit(self) -> str:
        return self.format.vocabulary.unit

    def figures(self, evaluation: Evaluation, examples: Examples | None) -> dict[str, Any]:
        figures, unknown = figures_per(self.unit, evaluation, perplexity=True), self.format.vocabulary.unknown
        if unknown is not None and examples is not None:
            figures["unknown_characters"] = examples.count(unknown)
        return figures

    def summary(self, evaluation: Evaluation, figures: Mapping[str, Any]) -> list[str]:
        unit = self.unit
        each = f"{figures[f'nats_per_{unit}']:.4f} nats or {figures[f'bits_per_{unit}']:.4f} bits per {unit}"
        lines = [f"{evaluation.nats:.4f} nats per example; {each}, perplexity {figures['perplexity']:.4f}"]
        unknown = figures.get("unknown_characters")
        return lines + ([UNKNOWN.format(unknown)] if unknown else [])

    def items(self, model: AutoregressiveModel, source: Source) -> Iterator[Items]:
        # Lines that come in over time are scored at once, others many together.
        size = LINES if source.stream is None else 1
        for parts in _batched(itertools.islice(self.lines(model, source), source.limit), size):
            yield items_of(self.format.vocabulary, parts)

    def lines(self, model: AutoregressiveModel, source: Source) -> Iterator[Part]:
        """The lines of a file, or of a split, with -log p of their symbols, one after the other.

        Raises:
            ValueError: If the model reads no sequences.
        """
        if not reads_streams(model):
            raise ValueError("score expects the run of one model of sequences, such as RNN, that was fitted on text")
        if source.stream is not None:
            return scored_stream(model, self.format, source.stream)
        if source.path is None:
            return split_lines(model, self.format, source.load().split(source.split))
        return scored_lines(model, self.format, source.path, source.settings.get("encoding"))

    def printed(self, row: dict[str, Any]) -> dict[str, Any]:
        return {("length" if name == "symbols" else name): value for name, value in row.items()}

    def score_parts(self, model: AutoregressiveModel, source: Source, per: str | None, out: Path | None) -> list[str]:
        if out is not None:
            raise ValueError("score expects no --out with --per character or --color, which print")
        lines = itertools.islice(self.lines(model, source), source.limit)
        count, nats, unknown = print_symbols(self.format.vocabulary, lines, coloured=per == "color")
        return [self.total(count, nats), *([UNKNOWN.format(unknown)] if unknown else [])]

    def explain(self, model: AutoregressiveModel, source: Source, rows: int, out: Path | None) -> list[str]:
        if source.path is None:
            raise ValueError("--explain expects a file of text as DATA, as the run was fitted on text")
        lines = itertools.islice(self.lines(model, source), source.limit)
        assert isinstance(model, SequenceModel)  # as lines has found
        with plain_of(source.path, self.format, source.settings.get("encoding")) as plain:
            return explain_lines(model, self.format, lines, plain.path, rows, out)

    def calibration_log_probs(self, model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor:
        ways = self.calibration_ways(model, dataset, split)
        return self.example_log_probs(model, dataset, split, per_variable=False) if ways is None else ways[:, -1]

    def calibration_ways(self, model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor | None:
        if not reads_streams(model):
            return None
        examples = dataset.split(split)
        if self.format.documents:
            rows = chosen(len(examples), EXAMPLES)
            rows = rows[: 1 + int(examples.sizes[rows].cumsum().searchsorted(SYMBOLS))]
            some = examples.subset(rows)
            assert isinstance(some, Documents)
            examples = some
        lines = split_lines(model, self.format, examples, SYMBOLS)
        return torch.tensor([line.ways for line in lines], dtype=torch.float64)


def _first(values: NDArray[Any], symbols: NDArray[Any], known: int) -> int:
    """Where ``symbols`` first come in ``values``, plus ``known``; the end if they don't."""
    windows = np.lib.stride_tricks.sliding_window_view(values, min(len(symbols), len(values)))
    found = np.flatnonzero((windows == symbols).all(1)) if len(symbols) <= len(values) else np.zeros(0, int)
    return known + (int(found[0]) if len(found) else len(values))


def _batched(parts: Iterator[Part], size: int) -> Iterator[list[Part]]:
    while batch := list(itertools.islice(parts, size)):
        yield batch
