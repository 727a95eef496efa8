"""Recordings: sounds of any lengths, whose samples are levels."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.conditionals import Categorical, Conditional, DiscretizedLogisticMixture
from chainrule.data.audio import LINEAR, AudioFormat
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.read.recordings import read_all, write_wav
from chainrule.data.read.sound_frames import read_frames
from chainrule.data.recordings import Recordings
from chainrule.data.write import numbered
from chainrule.kinds.audio_explain import explain_recordings
from chainrule.kinds.families import family_of_levels, refuse_arguments
from chainrule.kinds.items import Items, figures_per
from chainrule.kinds.observed import observed_share
from chainrule.kinds.readable import ReadableKind
from chainrule.kinds.requests import Completing, Source
from chainrule.kinds.sequence import (
    SequenceKind,
    check_file_or_folder,
    compressed_per_symbol,
    require_sequence_model,
)
from chainrule.model import AutoregressiveModel, Model
from chainrule.plans import Plan
from chainrule.plans.audio import audio_plan
from chainrule.sequence import SequenceModel
from chainrule.tasks.evaluate import Evaluation, log_prob
from chainrule.tasks.independent import independent_nats
from chainrule.tasks.sample import sample

BATCH = 64
"""Recordings whose scores are given at once."""


class AudioKind(SequenceKind):
    """Recordings at one sample rate."""

    name = "audio"
    formats = AudioFormat
    files = "a .wav file, or a folder for a file each"
    suffixes = ("", ".wav")
    samples_file = "samples.wav"
    num_samples = 8
    has_ensembles = False
    completes_with = ("n", "observe", "draws", "length")
    prints_scores = True
    separable = True
    takes_frames = True
    format: AudioFormat

    def plan(self, dataset: Dataset, minutes: float, device: str) -> Plan:
        return audio_plan(dataset.train.num_variables, self.format.sample_rate, minutes)

    def conditional(self, family: str | None, arguments: Mapping[str, Any]) -> Conditional:
        levels = self.format.levels
        if family is not None:
            return family_of_levels(family, arguments, levels)
        refuse_arguments(arguments)
        return DiscretizedLogisticMixture(levels) if levels == LINEAR else Categorical(levels, encoding="one_hot")

    def model_arguments(self, model: type[Model]) -> dict[str, Any]:
        require_sequence_model(model, "recordings")
        frames = self.format.frames
        if frames is None:
            return {}
        if "frame_size" not in inspect.signature(model).parameters:
            raise ValueError(f"frames expect a model that is conditioned on them (WaveNet), got {model.__name__}")
        return {"frame_size": frames.size, "hop": frames.hop}

    def independent_nats(self, dataset: Dataset, model: Model) -> float:
        return independent_nats(dataset.train.single(), dataset.valid.single(), self.format.levels)

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        reading = {"levels": self.format.levels, "window": settings.get("window")}
        own = {name: getattr(self.format, name) for name in ("sample_rate", "channel")}
        own["trim_silence"] = settings.get("trim_silence")
        return reading | ({} if named else own)

    def check_like(self, other: ReadableKind, where: str) -> None:
        super().check_like(other, where)
        if replace(other.format, channel=self.format.channel) != self.format:
            expected, got = (
                f"{form.sample_rate} Hz, {form.words}{' with frames' if form.frames else ''}"
                for form in (self.format, other.format)
            )
            raise ValueError(f"--data expects recordings, {expected}, as the run was fitted on, got {got}")

    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        frames = settings.get("frames")
        trim_silence = bool(settings.get("trim_silence"))
        return read_all(path, self.format, trim_silence, None if frames is None else Path(frames).expanduser())

    def sampling_context(self, n: int, classes: Tensor | None, frames: Path | None) -> tuple[Tensor | None, int | None]:
        form = self.format.frames
        if form is None or frames is None:
            if (form is None) != (frames is None):
                expected = "no --frames" if form is None else f"--frames, a file of frames of {form.size} numbers"
                raise ValueError(f"sample expects {expected}, as the run's model is conditioned so, got {frames}")
            return super().sampling_context(n, classes, None)
        read = read_frames(frames)
        if read.shape[1] != form.size:
            raise ValueError(f"{frames}: expected frames of {form.size} numbers, got {read.shape[1]}")
        context = torch.from_numpy(form.encode(read))
        return context.expand(n, *context.shape), len(context) * form.hop

    def check_out(self, path: Path) -> None:
        check_file_or_folder(path, ".wav")

    def write(self, x: Tensor, path: Path) -> str:
        if path.suffix.lower() == ".wav":
            write_wav(path, x, self.format)
        else:
            path.mkdir(exist_ok=True)
            for file, clip in zip(numbered(path, len(x), ".wav"), x, strict=True):
                write_wav(file, [clip], self.format)
        return f"{len(x)} recordings of {x.shape[1] / self.format.sample_rate:.2f} s"

    def leave_samples(self, model: AutoregressiveModel, dataset: Dataset, folder: Path) -> None:
        path, count = folder / self.samples_file, self.num_samples
        valid = dataset.valid
        assert isinstance(valid, Recordings)
        if valid.frames is None:
            context = None if model.num_classes is None else torch.arange(count) % model.num_classes
            write_wav(path, sample(model, count, seed=0, context=context).cpu(), self.format)
            return
        clips = []
        for i, length in enumerate(valid.lengths[:count].tolist()):
            length = min(model.num_variables, length)
            clips.append(sample(model, 1, seed=i, context=valid.frames.of(i), length=length)[0].cpu())
        write_wav(path, clips, self.format)

    def complete(self, model: AutoregressiveModel, request: Completing) -> list[str]:
        if request.observe is None and request.length is None:
            raise ValueError(
                "complete expects --observe, first-half or a fraction, of recordings, or --length, the number of "
                "samples to append"
            )
        if request.length is not None and self.format.frames is not None:
            raise ValueError("complete expects no --length with frames, which end where each recording does")
        if request.out.suffix:
            raise ValueError(
                f"complete expects a folder as --out, as the run was fitted on recordings, got {request.out}"
            )
        share = observed_share(request.observe or "1", "first-half or a fraction, of recordings")
        self.check_out(request.out)
        given = self.given(request.source, model)
        recordings, draws = given.examples, request.draws or 1
        assert isinstance(recordings, Recordings)
        count = request.source.count(recordings)
        for i in range(count):
            whole = recordings[i]
            known = round(share * len(whole))
            length = len(whole) - known if request.length is None else request.length
            completed = torch.stack([whole] * draws)
            if known < len(whole) or request.length is not None:
                context = None if given.context is None else given.context[i].expand(draws)
                if recordings.frames is not None:
                    context = recordings.frames.of(i).expand(draws, -1, -1)
                settings = request.drawing.settings() | {"prefix": whole[:known], "length": length}
                completed = sample(model, draws, context=context, **settings).cpu()
            name = Path(given.names[i] if given.names else "recording")
            stem = f"{i + 1}-{name.with_suffix('').as_posix().replace('/', '-')}"
            request.out.mkdir(exist_ok=True)
            write_wav(request.out / f"{stem}.wav", [whole], self.format)
            for draw, x in enumerate(completed, 1):
                write_wav(request.out / f"{stem}-completed-{draw}.wav", [x], self.format)
        return [
            f"wrote {draws} x {count} completions, and the {count} recordings, to {request.out}; "
            "exact: what is known comes first"
        ]

    @property
    def unit(self) -> str:
        return "sample"

    def figures(self, evaluation: Evaluation, examples: Examples | None) -> dict[str, Any]:
        return figures_per(self.unit, evaluation)

    def summary(self, evaluation: Evaluation, figures: Mapping[str, Any]) -> list[str]:
        each = f"{figures['nats_per_sample']:.4f} nats or {figures['bits_per_sample']:.4f} bits per sample"
        return [f"{evaluation} per recording; {each}"]

    def items(self, model: AutoregressiveModel, source: Source) -> Iterator[Items]:
        given = self.given(source, model)
        count = source.count(given.examples)
        names, each = given.names or [], given.examples.each()
        for start in range(0, count, BATCH):
            rows = np.arange(start, min(start + BATCH, count))
            context = None if given.context is None else given.context[torch.from_numpy(rows)]
            lengths = torch.from_numpy(given.examples.sizes[rows])
            clips = list(itertools.islice(each, len(rows)))
            log_probs = log_prob(model, given.examples.subset(rows), context=context).double() / lengths
            yield Items(
                names={
                    "file": names[start : start + len(rows)],
                    "samples": lengths.tolist(),
                    "bits_per_sample": (-log_probs / math.log(2)).tolist(),
                },
                log_probs=log_probs,
                sizes=lengths,
                compressed=lambda clips=clips: compressed_per_symbol(clips, self.format.levels),  # type: ignore[misc]
            )

    def explain(self, model: AutoregressiveModel, source: Source, rows: int, out: Path | None) -> list[str]:
        given = self.given(source, model)
        return explain_recordings(model, given, source.count(given.examples), source.load(), rows, out)

    def calibration_log_probs(self, model: AutoregressiveModel, dataset: Dataset, split: str) -> Tensor:
        return self.example_log_probs(model, dataset, split, per_variable=True)

    def reach(self, model: Model) -> list[str]:
        field = model.receptive_field if isinstance(model, SequenceModel) else None
        if field is None:
            return []
        milliseconds = 1e3 * field / self.format.sample_rate
        digits = f"{milliseconds:,.0f}" if milliseconds >= 10 else f"{milliseconds:.2g}"
        return [f"receptive field: {field:,} samples, {digits} ms"]

    def about(self, model: Model, receptive_field: int | None) -> tuple[list[str], dict[str, Any]]:
        if receptive_field is None:
            return [], {}
        return self.reach(model), {"receptive_field_seconds": receptive_field / self.format.sample_rate}
