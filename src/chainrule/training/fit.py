"""`fit`: train a model by maximum likelihood, and leave it with the weights that validated best."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar, WeightAveraging
from torch.optim.swa_utils import get_ema_multi_avg_fn

from chainrule.model import AutoregressiveModel
from chainrule.training.callbacks import History, SeededEpochs, TimeLimit
from chainrule.training.module import Data, MaximumLikelihood, loader


@dataclass(frozen=True)
class Fit:
    """What a training did.

    Attributes:
        history: ``epoch``, ``train_nats``, ``valid_nats`` and ``minutes`` of every epoch.
        best_epoch: The epoch whose weights the model now has.
        best_nats: Its mean validation NLL, in nats.
        minutes: How long the training took.
    """

    history: list[dict[str, float]]
    best_epoch: int
    best_nats: float
    minutes: float


def fit(
    model: AutoregressiveModel,
    train: Data,
    valid: Data,
    *,
    out: str | Path | None = None,
    seed: int = 0,
    max_epochs: int = 50,
    max_minutes: float | None = None,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    schedule: Literal["constant", "cosine", "linear"] = "cosine",
    warmup: int = 0,
    gradient_clip: float | None = None,
    averaging: float | None = None,
    patience: int | None = None,
    device: str = "auto",
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "64-true"] = "32-true",
    resume: bool = False,
    verbose: bool = True,
) -> Fit:
    """Maximise the mean log p(x) of the training examples, and keep the weights that validate best.

    The model is trained in place. Batches, dropout and other noise depend on the seed and the epoch
    only, so a training that was interrupted and resumed ends where an uninterrupted one does.

    Args:
        model: Any model of the contract.
        train: Examples ``(N, *event_shape)``, as a tensor or as a data set indexed by lists.
        valid: Examples on which the epoch to keep is chosen.
        out: Folder for checkpoints and ``metrics.csv``; a temporary one if None.
        seed: Seed of the shuffling and of all noise in training.
        max_epochs: Passes over the training examples, at most.
        max_minutes: Minutes of training, at most.
        batch_size: Examples per optimiser step.
        learning_rate: The highest learning rate of AdamW.
        weight_decay: Decoupled weight decay of the weights.
        schedule: How the learning rate falls over ``max_epochs``.
        warmup: Optimiser steps during which it rises first.
        gradient_clip: Largest norm of a gradient; None for no limit.
        averaging: Decay of an exponential moving average of the weights, such as 0.999, which is then
            what is validated and kept; None for no averaging.
        patience: Epochs without a better validation NLL after which training ends; None for never.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        precision: Lightning's name of the arithmetic.
        resume: Go on from the last checkpoint in ``out``, if there is one.
        verbose: Show progress: a bar in a terminal, a line per epoch elsewhere.

    Raises:
        ValueError: If there are no examples or a setting is out of range.
        TrainingError: If the loss is no longer a finite number.
        KeyboardInterrupt: On Ctrl-C; the last checkpoint stays in ``out``.
    """
    check_settings(len(train), len(valid), max_epochs, batch_size, learning_rate, schedule, averaging)  # type: ignore[arg-type]
    torch.manual_seed(seed)
    train_loader, valid_loader = loader(train, batch_size, seed), loader(valid, 2 * batch_size)
    module = MaximumLikelihood(
        model,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        schedule=schedule,
        warmup=warmup,
        total_steps=max_epochs * len(train_loader),
    )
    with contextlib.ExitStack() as stack:
        folder = Path(out if out is not None else stack.enter_context(tempfile.TemporaryDirectory()))
        checkpoints = folder / "checkpoints"
        checkpoints.mkdir(parents=True, exist_ok=True)
        history = History(folder / "metrics.csv" if out is not None else None, verbose and not sys.stderr.isatty())
        keeper = ModelCheckpoint(
            checkpoints, filename="best", monitor="valid_nats", save_last=True, enable_version_counter=False
        )
        # History comes before the keeper, so that a checkpoint holds the epoch that it belongs to.
        callbacks: list[lightning.Callback] = [SeededEpochs(seed), history, keeper]
        if averaging is not None:
            # Lightning's EMAWeightAveraging averages tensor by tensor, with copies: three times slower.
            callbacks.append(WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(averaging), use_buffers=False))
        if patience is not None:
            callbacks.append(EarlyStopping("valid_nats", patience=patience))
        if max_minutes is not None:
            callbacks.append(TimeLimit(max_minutes, history))
        if verbose and sys.stderr.isatty():
            callbacks.append(RichProgressBar())
        stack.enter_context(_quiet())
        trainer = lightning.Trainer(
            accelerator="gpu" if device == "cuda" else device,
            devices=1,
            precision=precision,
            max_epochs=max_epochs,
            gradient_clip_val=gradient_clip,
            callbacks=callbacks,
            logger=False,
            enable_model_summary=False,
            enable_progress_bar=verbose and sys.stderr.isatty(),
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            default_root_dir=folder,
        )
        last = checkpoints / "last.ckpt" if resume and (checkpoints / "last.ckpt").exists() else None
        if last is not None:
            # Lightning prefetches the first batch of a resumed epoch before it tells the sampler which epoch it is.
            epoch = torch.load(last, map_location="cpu", weights_only=True, mmap=True)["epoch"]
            train_loader.sampler.set_epoch(epoch + 1)  # type: ignore[attr-defined]
        with _interruptible():
            trainer.fit(module, train_loader, valid_loader, ckpt_path=last, weights_only=True)
        best = torch.load(keeper.best_model_path, map_location="cpu", weights_only=True)
    module.load_state_dict(best["state_dict"])
    model.eval()
    row = min(history.rows, key=lambda row: row["valid_nats"])
    return Fit(history.rows, int(row["epoch"]), row["valid_nats"], history.minutes)


def check_settings(
    train: int,
    valid: int,
    max_epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: str,
    averaging: float | None,
) -> None:
    """Raise ``ValueError``, saying expected and got, where a setting of `fit` is out of range."""
    for name, count in {"train": train, "valid": valid}.items():
        if count < 1:
            raise ValueError(f"{name} expects at least one example, got none")
    for name, number in {"max_epochs": max_epochs, "batch_size": batch_size}.items():
        if number < 1:
            raise ValueError(f"{name} expects at least 1, got {number}")
    if not learning_rate > 0:
        raise ValueError(f"learning_rate expects a positive number, got {learning_rate}")
    if schedule not in ("constant", "cosine", "linear"):
        raise ValueError(f"schedule expects 'constant', 'cosine' or 'linear', got {schedule!r}")
    if averaging is not None and not 0 < averaging < 1:
        raise ValueError(f"averaging expects a decay between 0 and 1, got {averaging}")


class _Interrupt(Exception):  # noqa: N818
    """Ctrl-C, in a form that Lightning passes on instead of ending the process itself."""


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Turn SIGINT into a KeyboardInterrupt that leaves Lightning cleanly."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _Interrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except _Interrupt:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice, which is not about this training, off the screen."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            warnings.filterwarnings("ignore", message=".*weights_only.*|.*litlogger.*|.*LeafSpec.*|.*num_workers.*")
            yield
    finally:
        logger.setLevel(level)
