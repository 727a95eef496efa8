"""`fit`: train a model by maximum likelihood, and leave it with the weights that validated best."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from chainrule.abilities import loss_unit_of, validation_loss
from chainrule.data.audio import Recordings
from chainrule.data.text import Stream
from chainrule.devices import check_device
from chainrule.model import CountedModel, Model
from chainrule.sequence import frame_size_of, reads_streams, sequence_model
from chainrule.training.callbacks import History, SeededEpochs, TimeLimit, write_history
from chainrule.training.checkpoints import AtomicCheckpoints, Keeper, read_checkpoint
from chainrule.training.module import Batch, Data, MaximumLikelihood, loader
from chainrule.training.processes import is_first_process
from chainrule.training.recordings import RecordingLikelihood, recording_loader
from chainrule.training.session import interruptible, quiet
from chainrule.training.streams import StreamLikelihood, check_lanes, stream_loader

EXAMPLES, PIECES = 128, 8
"""What an optimiser step reads by default, of examples and of recordings."""


@dataclass(frozen=True)
class Fit:
    """What a training did.

    Attributes:
        history: ``epoch``, ``train_nats``, ``valid_nats`` and ``minutes`` of every epoch; of a model without a
            likelihood the losses, in its ``loss_unit``.
        best_epoch: The epoch whose weights the model now has.
        best_nats: Its mean validation NLL, in nats, or loss.
        minutes: How long the training took.
        device: Where it ran.
    """

    history: list[dict[str, float]]
    best_epoch: int
    best_nats: float
    minutes: float
    device: str


def fit(
    model: Model,
    train: Data,
    valid: Data,
    *,
    train_context: Tensor | None = None,
    valid_context: Tensor | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    max_epochs: int = 50,
    max_minutes: float | None = None,
    batch_size: int | None = None,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: Literal["constant", "cosine", "linear"] = "cosine",
    warmup: int = 0,
    gradient_clip: float | None = None,
    averaging: float | None = None,
    patience: int | None = None,
    validate_every: int = 1,
    perturb: float = 0.0,
    device: str = "auto",
    devices: int = 1,
    strategy: str = "auto",
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"] = "32-true",
    compile: bool = False,
    resume: bool = False,
    verbose: bool = True,
) -> Fit:
    """Maximise the mean log p(x) of the training examples, and keep the weights that validate best.

    The model is trained in place. Batches, dropout and other noise depend on the seed and the epoch
    only, so a training that was interrupted and resumed ends where an uninterrupted one does. A model that is
    fitted by counting (`Table`, `BayesNet`) reads the examples once, and needs none of the settings.

    A `SequenceModel` reads a `Stream` in ``batch_size`` lanes, whose states it carries from window to window (truncated
    back-propagation); losses are then per symbol.

    Args:
        model: Any model of the contract.
        train: Examples ``(N, *event_shape)``, as a tensor or as a data set indexed by lists.
        valid: Examples on which the epoch to keep is chosen.
        train_context: Classes ``(N,)`` of the training examples, for a model with ``num_classes``.
        valid_context: Classes of the validation examples.
        out: Folder for checkpoints and ``metrics.csv``; a temporary one if None.
        seed: Seed of the shuffling and of all noise in training.
        max_epochs: Passes over the training examples, at most.
        max_minutes: Minutes of training, at most.
        batch_size: Examples per optimiser step (128 by default); of a stream, lanes; of recordings, pieces (8).
        learning_rate: The highest learning rate of AdamW.
        weight_decay: Decoupled weight decay of the weights.
        schedule: How the learning rate falls over ``max_epochs``.
        warmup: Optimiser steps during which it rises first.
        gradient_clip: Largest norm of a gradient; None for no limit.
        averaging: Decay of an exponential moving average of the weights, such as 0.999, which is then
            what is validated and kept; None for no averaging.
        patience: Validations without a better validation NLL after which training ends; None for never.
        validate_every: Epochs from one validation to the next, where validating costs more than training.
        perturb: Share of the values of training that are replaced at random, such as 0.1: what is learnt of the
            examples' meaning is lost before what all data of their kind have in common, so that this is the background
            model of a likelihood ratio (`chainrule score --score ratio`; Ren et al. 2019).
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        devices: Processes that train together, each on its part of every batch.
        strategy: Lightning's name of how they do, such as ``"ddp"``.
        precision: Lightning's name of the arithmetic.
        compile: Compile the training loss first, which takes a minute, and a C++ compiler: models with gates then train
            up to twice as fast, others no faster.
        resume: Go on from the last checkpoint in ``out``, if there is one.
        verbose: Show progress: a bar in a terminal, a line per epoch elsewhere.

    Raises:
        ValueError: If there are no examples or a setting is out of range.
        TrainingError: If the loss is no longer a finite number.
        KeyboardInterrupt: On Ctrl-C; the last checkpoint stays in ``out``.
    """
    accelerator = {"cuda": "gpu"}.get(device := check_device(device), device)
    for name, count in {"train": len(train), "valid": len(valid)}.items():  # type: ignore[arg-type]
        if count < 1:
            raise ValueError(f"{name} expects at least one example, got none")
    check_settings(
        at_least={
            "seed": (seed, 0),
            "max_epochs": (max_epochs, 1),
            "batch_size": (batch_size, 1),
            "warmup": (warmup, 0),
            "weight_decay": (weight_decay, 0),
            "patience": (patience, 1),
            "validate_every": (validate_every, 1),
            "devices": (devices, 1),
        },
        positive={"learning_rate": learning_rate, "max_minutes": max_minutes, "gradient_clip": gradient_clip},
        schedule=schedule,
        averaging=averaging,
        perturb=perturb,
    )
    if max_epochs % validate_every:
        raise ValueError(f"validate_every expects a divisor of max_epochs, {max_epochs}, got {validate_every}")
    if compile:
        check_compiler(model, train, device)
    dtype = model.dtype
    torch.manual_seed(seed)
    batch_size = batch_size or (PIECES if isinstance(train, Recordings) else EXAMPLES)
    contexts = train_context, valid_context
    kind, train_loader, valid_loader = _batches(model, train, valid, contexts, batch_size, seed)
    if kind is StreamLikelihood:
        check_lanes(devices, train_loader, valid_loader)
        if devices > 1 and strategy in ("auto", "ddp"):
            strategy = "ddp_find_unused_parameters_true"  # only the first window of an epoch uses the first state
    if isinstance(model, CountedModel):
        if perturb:
            raise ValueError(f"perturb expects a model that is trained, got {type(model).__name__}, which counts")
        return _count(model, train_loader, valid_loader, out)
    module = kind(
        model,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        schedule=schedule,
        warmup=warmup,
        total_steps=max_epochs * len(train_loader),
        compile=compile,
        perturb=perturb,
    )
    with contextlib.ExitStack() as stack:
        folder = Path(out if out is not None else stack.enter_context(tempfile.TemporaryDirectory()))
        last = folder / "checkpoints" / "last.ckpt"
        last.parent.mkdir(parents=True, exist_ok=True)
        in_terminal = verbose and sys.stderr.isatty()
        written = folder / "metrics.csv" if out is not None and is_first_process() else None
        history = History(written, verbose and not in_terminal and is_first_process(), loss_unit_of(model))
        keeper = Keeper(last.parent, validate_every)
        # History comes before the keeper, so that a checkpoint holds the epoch that it belongs to.
        callbacks: list[lightning.Callback] = [SeededEpochs(seed), history, keeper]
        if averaging is not None:
            # Lightning's EMAWeightAveraging averages tensor by tensor, with copies: three times slower.
            callbacks.append(WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(averaging), use_buffers=False))
        if patience is not None:
            callbacks.append(EarlyStopping("valid_nats", patience=patience))
        if max_minutes is not None:
            callbacks.append(TimeLimit(max_minutes, history))
        if in_terminal:
            callbacks.append(RichProgressBar())
        stack.enter_context(quiet())
        trainer = lightning.Trainer(
            accelerator=accelerator,
            devices=devices,
            strategy=strategy,
            precision=precision,
            max_epochs=max_epochs,
            check_val_every_n_epoch=validate_every,
            gradient_clip_val=gradient_clip,
            callbacks=callbacks,
            plugins=[AtomicCheckpoints()],
            logger=False,
            enable_model_summary=False,
            enable_progress_bar=in_terminal,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            default_root_dir=folder,
        )
        resumed = resume and last.exists()
        if resumed:
            # Lightning prefetches the first batch of a resumed epoch before it tells the sampler which epoch it is.
            train_loader.sampler.set_epoch(read_checkpoint(last)["epoch"] + 1)  # type: ignore[attr-defined]
            read_checkpoint(last.parent / "best.ckpt")
        with interruptible():
            trainer.fit(module, train_loader, valid_loader, ckpt_path=last if resumed else None, weights_only=True)
        # The first process may have a temporary folder of its own: it waits until all have read its file.
        module.load_state_dict(read_checkpoint(Path(str(keeper.best_model_path)))["state_dict"])
        trainer.strategy.barrier()
    model.to(dtype).eval()  # precision may have changed it
    row = min(history.rows, key=lambda row: row["valid_nats"])
    return Fit(history.rows, int(row["epoch"]), row["valid_nats"], history.minutes, str(trainer.strategy.root_device))


def _batches(
    model: Model, train: Data, valid: Data, contexts: tuple[Tensor | None, Tensor | None], batch_size: int, seed: int
) -> tuple[type[MaximumLikelihood], DataLoader[Any], DataLoader[Any]]:
    """What is minimised, and the batches of training and of validation, as the kind of the data asks."""
    if isinstance(train, Recordings) and isinstance(valid, Recordings):
        history = sequence_model(model).receptive_field
        if frame_size_of(model) is not None:
            raise ValueError(
                "recordings expect a model of classes or of none, got one of frames, which pieces don't have"
            )
        return (
            RecordingLikelihood,
            recording_loader(train, contexts[0], batch_size, history, seed),
            recording_loader(valid, contexts[1], batch_size, history),
        )
    if isinstance(train, Stream) and isinstance(valid, Stream) and reads_streams(model):
        return StreamLikelihood, stream_loader(train, batch_size, seed), stream_loader(valid, batch_size)
    return MaximumLikelihood, loader(train, contexts[0], batch_size, seed), loader(valid, contexts[1], 2 * batch_size)


def _count(model: CountedModel, train: DataLoader[Batch], valid: DataLoader[Batch], out: str | Path | None) -> Fit:
    """Fit by counting: one reading of the examples, and no settings."""
    started = time.monotonic()
    with torch.no_grad():
        model.count((x.to(model.device), context) for x, context in train)
        losses = [
            [validation_loss(model, x.to(model.device), context).double() for x, context in batches]
            for batches in (train, valid)
        ]
    train_nats, valid_nats = (torch.cat(parts).mean().item() for parts in losses)
    minutes = (time.monotonic() - started) / 60
    row = {"epoch": 0, "train_nats": train_nats, "valid_nats": valid_nats, "minutes": minutes}
    if out is not None and is_first_process():
        Path(out).mkdir(parents=True, exist_ok=True)
        write_history([row], Path(out) / "metrics.csv", loss_unit_of(model))
    model.eval()
    return Fit([row], 0, valid_nats, minutes, str(model.device))


def check_compiler(model: Model, train: Data, device: str) -> None:
    """Raise ``ValueError`` where a loss can't be compiled."""
    if isinstance(train, Stream) and reads_streams(model):
        raise ValueError("compile expects examples, got a stream, whose states go from window to window")
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if device != "cuda" and not shutil.which(compiler):
        raise ValueError(f"compile expects a C++ compiler, {compiler}, found none: install it, name another by CXX")


def check_settings(
    at_least: Mapping[str, tuple[float | None, float]],
    positive: Mapping[str, float | None],
    schedule: str,
    averaging: float | None,
    perturb: float,
) -> None:
    """Raise ``ValueError``, saying expected and got, where a setting of `fit` is out of range; None is not set."""
    for name, (number, least) in at_least.items():
        if number is not None and not number >= least:
            raise ValueError(f"{name} expects at least {least}, got {number}")
    for name, size in positive.items():
        if size is not None and not 0 < size < math.inf:
            raise ValueError(f"{name} expects a positive number, got {size}")
    if schedule not in ("constant", "cosine", "linear"):
        raise ValueError(f"schedule expects 'constant', 'cosine' or 'linear', got {schedule!r}")
    if averaging is not None and not 0 < averaging < 1:
        raise ValueError(f"averaging expects a decay between 0 and 1, got {averaging}")
    if not 0 <= perturb < 1:
        raise ValueError(f"perturb expects a share in [0, 1), got {perturb}")
