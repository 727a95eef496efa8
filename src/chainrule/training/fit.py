"""`fit`: train a model by maximum likelihood, and leave it with the weights that validated best."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, RichProgressBar, WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import Dataset

from chainrule.abilities import loss_unit_of, validation_loss
from chainrule.batch import as_source
from chainrule.devices import check_device
from chainrule.model import CountedModel, Model
from chainrule.training.callbacks import History, SeededEpochs, TimeLimit, write_history
from chainrule.training.checkpoints import AtomicCheckpoints, Keeper, read_checkpoint
from chainrule.training.loader import Loader
from chainrule.training.module import MaximumLikelihood
from chainrule.training.processes import is_first_process
from chainrule.training.session import interruptible, quiet
from chainrule.training.settings import Training
from chainrule.training.start import start_at_frequencies

Data = Dataset[Any] | Tensor
"""Examples ``(N, *event_shape)``: a tensor, a split of a data set, or any data set that gives a batch for a list."""


@dataclass(frozen=True)
class Fit:
    """The course of a training, and its best epoch.

    Attributes:
        history: ``epoch``, ``train_nats``, ``valid_nats`` and ``minutes`` of every epoch that was validated. A model
            without a likelihood has its losses there, in its ``loss_unit``.
        best_epoch: The epoch whose weights the model now has.
        best_nats: Its mean validation NLL, in nats, or loss.
        minutes: The duration of the training.
        device: The device that it ran on.
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
    resume: bool = False,
    verbose: bool = True,
    **settings: Any,
) -> Fit:
    """Maximise the mean log p(x) of the training examples, and keep the weights that validate best.

    The model is trained in place. Batches, dropout and other noise depend on the seed and the epoch
    only, so a training that was interrupted and resumed ends where an uninterrupted one does. A model that is
    fitted by counting (`Table`, `BayesNet`) reads the examples once, and needs none of the settings.

    A `SequenceModel` reads a stream in ``batch_size`` lanes, whose states it carries from window to window (truncated
    back-propagation), and recordings in chunks with their history; losses are then per variable.

    Args:
        model: Any model of the contract.
        train: Examples ``(N, *event_shape)``, as a tensor or as a data set indexed by lists.
        valid: Examples on which the epoch to keep is chosen.
        train_context: Classes ``(N,)`` of the training examples, for a model with ``num_classes``.
        valid_context: Classes of the validation examples.
        out: Folder for checkpoints and ``metrics.csv``; a temporary one if None.
        resume: Go on from the last checkpoint in ``out``, if there is one.
        verbose: Show progress: a bar in a terminal, a line per epoch elsewhere.
        **settings: Settings of the training by name, such as ``max_epochs=20``; `Training` documents them all.

    Raises:
        ValueError: If a setting is unknown or out of range, or there are no examples that the model can read.
        TrainingError: If the loss is no longer a finite number.
        KeyboardInterrupt: On Ctrl-C; the last checkpoint stays in ``out``.
    """
    training = Training.of(settings)
    device = check_device(training.device)
    train_loader, valid_loader = _loaders(model, (train, valid), (train_context, valid_context), training)
    torch.manual_seed(training.seed)
    if training.compile:
        _check_compiler(train_loader, device)
    if isinstance(model, CountedModel):
        if training.perturb:
            raise ValueError(f"perturb expects a model that is trained, got {type(model).__name__}, which counts")
        return _count(model, train_loader, valid_loader, out)
    dtype = model.dtype
    module = MaximumLikelihood(model, training, total_steps=training.max_epochs * len(train_loader))
    with contextlib.ExitStack() as stack:
        folder = Path(out if out is not None else stack.enter_context(tempfile.TemporaryDirectory()))
        written = folder / "metrics.csv" if out is not None and is_first_process() else None
        history = History(written, verbose=verbose, unit=loss_unit_of(model))
        keeper = Keeper(folder / "checkpoints", training.validate_every)
        stack.enter_context(quiet())
        trainer = _trainer(training, device, train_loader, history, keeper)
        _run(trainer, module, keeper, train_loader, valid_loader, resume)
    model.to(dtype).eval()  # precision may have changed it
    row = min(history.rows, key=lambda row: row["valid_nats"])
    return Fit(history.rows, int(row["epoch"]), row["valid_nats"], history.minutes, str(trainer.strategy.root_device))


def _loaders(
    model: Model, examples: tuple[Data, Data], contexts: tuple[Tensor | None, Tensor | None], training: Training
) -> tuple[Loader, Loader]:
    """The batches of training and of validation.

    Raises:
        ValueError: If there are no examples, or the model cannot read them.
    """
    train, valid = map(as_source, examples)
    for name, source in {"train": train, "valid": valid}.items():
        if len(source) < 1:
            raise ValueError(f"{name} expects at least one example, got none")
    size = training.batch_size or train.usual_batch_size
    return (
        Loader(model, train, contexts[0], size, training.seed, training.devices),
        Loader(model, valid, contexts[1], size, None, training.devices),
    )


def _trainer(training: Training, device: str, loader: Loader, history: History, keeper: Keeper) -> lightning.Trainer:
    """Lightning's trainer of these settings, for the batches of training of ``loader``."""
    # History comes before the keeper, so that a checkpoint holds the epoch that it belongs to.
    callbacks: list[lightning.Callback] = [SeededEpochs(training.seed, loader), history, keeper]
    if training.averaging is not None:
        # Lightning's EMAWeightAveraging averages tensor by tensor, with copies: three times slower.
        average = get_ema_multi_avg_fn(training.averaging)
        callbacks.append(WeightAveraging(multi_avg_fn=average, use_buffers=False))
    if training.patience is not None:
        callbacks.append(EarlyStopping("valid_nats", patience=training.patience))
    if training.max_minutes is not None:
        callbacks.append(TimeLimit(training.max_minutes, history))
    if history.bar:
        callbacks.append(RichProgressBar())
    strategy = training.strategy
    if loader.carried and training.devices > 1 and strategy in ("auto", "ddp"):
        strategy = "ddp_find_unused_parameters_true"  # only the first window of an epoch uses the first state
    return lightning.Trainer(
        accelerator={"cuda": "gpu"}.get(device, device),
        devices=training.devices,
        strategy=strategy,
        precision=training.precision,
        max_epochs=training.max_epochs,
        check_val_every_n_epoch=training.validate_every,
        gradient_clip_val=training.gradient_clip,
        callbacks=callbacks,
        plugins=[AtomicCheckpoints()],
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=history.bar,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=Path(str(keeper.dirpath)).parent,
    )


def _run(
    trainer: lightning.Trainer,
    module: MaximumLikelihood,
    keeper: Keeper,
    train_loader: Loader,
    valid_loader: Loader,
    resume: bool,
) -> None:
    """Train, from the last checkpoint on if ``resume`` is set, and load the weights that validated best."""
    folder = Path(str(keeper.dirpath))
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / "last.ckpt"
    resumed = resume and last.exists()
    if resumed:
        # Lightning prefetches the first batch of a resumed epoch before it says which epoch it is.
        train_loader.set_epoch(read_checkpoint(last)["epoch"] + 1)
        read_checkpoint(folder / "best.ckpt")
    else:
        start_at_frequencies(module.model, train_loader)
    with interruptible():
        trainer.fit(module, train_loader, valid_loader, ckpt_path=last if resumed else None, weights_only=True)
    module.load_state_dict(read_checkpoint(Path(str(keeper.best_model_path)))["state_dict"])
    # The first process may have a temporary folder of its own: it waits until all have read its file.
    trainer.strategy.barrier()


def _count(model: CountedModel, train: Loader, valid: Loader, out: str | Path | None) -> Fit:
    """Fit by counting: one reading of the examples, and no settings."""
    started = time.monotonic()
    with torch.no_grad():
        model.count((batch.x.to(model.device), batch.context) for batch in train)
        losses = [
            [validation_loss(model, batch.x.to(model.device), batch.context).double() for batch in loader]
            for loader in (train, valid)
        ]
    train_nats, valid_nats = (torch.cat(parts).mean().item() for parts in losses)
    minutes = (time.monotonic() - started) / 60
    row = {"epoch": 0, "train_nats": train_nats, "valid_nats": valid_nats, "minutes": minutes}
    if out is not None and is_first_process():
        Path(out).mkdir(parents=True, exist_ok=True)
        write_history([row], Path(out) / "metrics.csv", loss_unit_of(model))
    model.eval()
    return Fit([row], 0, valid_nats, minutes, str(model.device))


def _check_compiler(train: Loader, device: str) -> None:
    """Raise ``ValueError`` where a loss can't be compiled."""
    if train.carried:
        raise ValueError("compile expects examples, got a stream, whose states go from window to window")
    compiler = os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")
    if device != "cuda" and not shutil.which(compiler):
        raise ValueError(f"compile expects a C++ compiler, {compiler}, found none: install it, name another by CXX")
