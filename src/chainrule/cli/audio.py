"""Commands on recordings: draw, go on with, and score them."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule.cli.loading import asked_examples, dataset_of, fraction_of, one_class
from chainrule.cli.parser import UsageError
from chainrule.data.audio import AudioFormat
from chainrule.data.dataset import Dataset
from chainrule.data.read.recordings import write_wav
from chainrule.data.sequences import Recordings
from chainrule.model import AutoregressiveModel
from chainrule.sequence import sequence_model
from chainrule.tasks.sample import sample
from chainrule.tasks.score import stream_surprisals


def audio_format(config: dict[str, Any]) -> AudioFormat | None:
    """How the samples that a run was fitted on became levels; None if they were no recordings."""
    audio = config.get("data", {}).get("audio")
    return None if audio is None else AudioFormat(**audio)


def sample_audio(
    options: dict[str, Any], model: AutoregressiveModel, audio: AudioFormat, drawing: dict[str, Any]
) -> None:
    """``chainrule sample`` of a model of recordings."""
    if options["out"] is None:
        raise UsageError("sample expects --out, a .wav file, or a folder for a file each")
    if options["prompt"] is not None:
        raise UsageError("--prompt expects a model of text, got one that was fitted on recordings; see complete")
    n = 8 if options["n"] is None else options["n"]
    _check_out(options["out"])
    x = sample(model, n, length=options["length"], context=one_class(options, model, n), **drawing).cpu()
    if options["out"].suffix == ".wav":
        write_wav(options["out"], x, audio)
    else:
        options["out"].mkdir(exist_ok=True)
        for i, clip in enumerate(x):
            write_wav(options["out"] / f"{i}.wav", [clip], audio)
    print(f"wrote {n} recordings of {x.shape[1] / audio.sample_rate:.2f} s to {options['out']}", file=sys.stderr)


def complete_audio(options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any]) -> None:
    """``chainrule complete`` of a model of recordings: goes on where the observed beginning of each ends."""
    examples, dataset = _recordings(options, model, config)
    if options["out"].suffix:
        raise UsageError(
            f"complete expects a folder as --out, as the run was fitted on recordings, got {options['out']}"
        )
    share = fraction_of(options["observe"], "first-half or a fraction, of recordings")
    _check_out(options["out"])
    drawing = {name: options[name] for name in ("seed", "temperature", "top_k", "top_p", "greedy")}
    for i, levels in enumerate(examples.each()):
        if i == options["n"]:
            break
        whole = torch.from_numpy(levels.astype("float32"))
        known = round(share * len(whole))
        draws = torch.stack([whole] * options["draws"])
        if known < len(whole):
            context = _class(options, model, dataset, i)
            draws = sample(
                model,
                options["draws"],
                prefix=whole[:known],
                length=len(whole) - known,
                context=context,
                **drawing,
            )
        assert dataset.audio is not None
        stem = f"{i}-{Path(examples.names[i]).with_suffix('').as_posix().replace('/', '-')}"
        options["out"].mkdir(exist_ok=True)
        write_wav(options["out"] / f"{stem}.wav", [whole], dataset.audio)
        for draw, x in enumerate(draws):
            write_wav(options["out"] / f"{stem}-completed-{draw}.wav", [x], dataset.audio)
    count = min(options["n"], len(examples))
    print(
        f"wrote {options['draws']} x {count} completions, and the {count} recordings, to {options['out']}; "
        "exact: what is known comes first",
        file=sys.stderr,
    )


def score_audio(options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any]) -> None:
    """``chainrule score`` of a model of recordings: a line of JSON for each."""
    if options["out"] is not None:
        raise UsageError("score expects no --out (but with --score), as the run was fitted on recordings")
    examples, classes, _ = asked_examples(options, config, model)
    assert isinstance(examples, Recordings)
    for i, levels in enumerate(examples.each()):
        if i == options["n"]:
            break
        context = None if classes is None else classes[i : i + 1]
        nats = next(stream_surprisals(sequence_model(model), [levels], context)).sum().item()
        bits = nats / len(levels) / math.log(2)
        row = {
            "name": examples.names[i],
            "samples": len(levels),
            "nats": round(nats, 3),
            "bits_per_sample": round(bits, 4),
        }
        print(json.dumps(row))


def _class(options: dict[str, Any], model: AutoregressiveModel, dataset: Dataset, index: int) -> Tensor | None:
    """The class of a recording, for each of its completions: that of ``--class`` where it is given, else its own."""
    if options["label"] is not None:
        return one_class(options, model, options["draws"])
    return None if model.num_classes is None else dataset.classes(options["split"])[index].expand(options["draws"])


def _recordings(
    options: dict[str, Any], model: AutoregressiveModel, config: dict[str, Any]
) -> tuple[Recordings, Dataset]:
    """The recordings of the split that was asked for."""
    dataset = dataset_of(options["data"], config, model)
    examples = dataset.split(options["split"])
    if not isinstance(examples, Recordings):
        raise UsageError(f"--data expects recordings, as the run was fitted on such, got {dataset.name}")
    if options["n"] < 1:
        raise ValueError(f"n expects at least 1, got {options['n']}")
    return examples, dataset


def _check_out(path: Path) -> None:
    """Refuse, before any work is done, what can't be written."""
    if path.suffix not in ("", ".wav"):
        raise ValueError(f"--out expects a .wav file or a folder, got {path}")
    if not path.parent.is_dir():
        raise ValueError(f"--out expects to be in a folder that exists, got {path}")
    if path.suffix == "" and path.is_file():
        raise ValueError(f"--out expects a folder, got the file {path}")
