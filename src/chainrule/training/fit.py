"""`fit`: train a model by maximum likelihood, and leave it with the weights that validated best."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from chainrule.abilities import counting, loss_unit_of, validation_loss
from chainrule.card import Card, Shown, image_of
from chainrule.devices import check_device, fastest_precision
from chainrule.model import CountedModel, Model
from chainrule.training.budget import budget_of
from chainrule.training.callbacks import History, Patience, SeededRounds, TimeLimit, write_history
from chainrule.training.checkpoints import AtomicCheckpoints, Checkpoint, Checkpoints
from chainrule.training.cost import fitting_loaders, seconds_of_a_step
from chainrule.training.loader import Data, Loader, Loaders, loaders_of
from chainrule.training.module import MaximumLikelihood
from chainrule.training.processes import check_nodes, is_first_process
from chainrule.training.progress import reporter
from chainrule.training.session import Endings, interruptible, quiet
from chainrule.training.settings import Training
from chainrule.training.start import Start, start, valid_nats

AFTERWARDS = 4
"""The time that finding the share of a counted part takes, in validations."""


@dataclass(frozen=True, repr=False)
class Fit(Shown):
    """The course of a training, and its best step.

    Attributes:
        history: ``step``, ``train_nats``, ``valid_nats`` and ``minutes`` of every validation. A model without a
            likelihood has its losses there, in its ``loss_unit``.
        best_step: The number of optimiser steps after which the model had the weights that it now has.
        best_nats: Its mean validation NLL then, in nats, or loss.
        minutes: The duration of the training.
        device: The device that it ran on.
    """

    history: list[dict[str, float]]
    best_step: int
    best_nats: float
    minutes: float
    device: str

    @property
    def steps(self) -> int:
        """The number of optimiser steps."""
        return int(self.history[-1]["step"])

    def _card(self) -> Card:
        facts = {"best validation": self.best_nats, "after steps": self.best_step, "of steps": self.steps}
        return Card("Fit", facts | {"minutes": self.minutes, "device": self.device})

    def _below(self) -> str:
        from chainrule import plots

        return image_of(plots.training_picture(self.history), "losses of training and validation, step by step")


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
    label: str = "",
    **settings: Any,
) -> Fit:
    """Maximise the mean log p(x) of the training examples, and keep the weights that validate best.

    The model is trained in place. Batches, dropout and other noise depend on the seed and the step
    only, so a training that was interrupted and resumed ends where an uninterrupted one does. A model that is
    fitted by counting (`Table`, `BayesNet`) reads the examples once, and needs none of the settings.

    A `SequenceModel` reads a stream in ``batch_size`` lanes, whose states it carries from window to window (truncated
    back-propagation), and recordings in chunks with their history; losses are then per variable.

    A step that would not fit into memory gets fewer rows, with a warning.

    Args:
        model: Any model of the contract.
        train: Examples ``(N, *event_shape)``, as a tensor or as a data set indexed by lists.
        valid: Examples by which the weights to keep are chosen.
        train_context: Classes ``(N,)`` of the training examples, for a model with ``num_classes``.
        valid_context: Classes of the validation examples.
        out: Folder for checkpoints and ``metrics.csv``; a temporary one if None.
        resume: Go on from the last checkpoint in ``out``, if there is one. A training that had ended then has up to
            ``max_steps`` steps in all, or as many as a new one where none are given, and ``minutes`` more.
        verbose: Show progress: a bar in a terminal, a line every few seconds elsewhere.
        label: The beginning of each of these lines.
        **settings: Settings of the training by name, such as ``max_epochs=20``; `Training` documents them all.

    Raises:
        ValueError: If a setting is unknown or out of range, there are no examples that the model can read, or the
            memory is too small for one of them.
        TrainingError: If the loss is no longer a finite number.
        KeyboardInterrupt: On Ctrl-C; the last checkpoint stays in ``out``.
        SystemExit: On SIGTERM and SIGHUP, with the status 128 + the signal's number; likewise.
    """
    started = time.monotonic()
    training = Training.of(settings)
    check_nodes(training.nodes)
    device = check_device(training.device)
    if training.precision == "auto":
        training = replace(training, precision=fastest_precision(model, device))
    loaders = loaders_of(model, (train, valid), (train_context, valid_context), training)
    torch.manual_seed(training.seed)
    if training.compile:
        _check_compiler(loaders[0], device)
    if isinstance(model, CountedModel):
        return _counted(model, training, loaders, out)
    loaders, training = fitting_loaders(model, loaders, training, device)
    dtype = model.dtype
    with contextlib.ExitStack() as stack:
        folder = Path(out if out is not None else stack.enter_context(tempfile.TemporaryDirectory()))
        written = folder / "metrics.csv" if out is not None and is_first_process() else None
        history = History(written, loss_unit_of(model), started)
        checkpoints = Checkpoints(folder / "checkpoints")
        before = checkpoints.last() if resume else None
        start(model, loaders[0])
        at_start = Start.of(model.to(device), training, loaders[1])
        module, rounds, callbacks = _planned(model, loaders, training, device, before, history)
        if verbose and is_first_process():
            callbacks.append(reporter(history, label))
        stack.enter_context(quiet())
        callbacks += [*_averaging(training), Endings(checkpoints.path("last"))]  # it saves what all others left
        trainer = _trainer(training, device, loaders[0], [*callbacks, *checkpoints.callbacks()], rounds)
        _run(trainer, module, checkpoints, loaders, resumed=before is not None)
    model.to(dtype).eval()  # precision may have changed it
    step, nats = int(history.best["step"]), history.best["valid_nats"]
    if at_start.nats < nats:
        step, nats = 0, at_start.nats
        model.load_state_dict(at_start.weights)
    if (part := counting(model)) is not None:
        part.fit_share(batch.map(lambda part: part.to(model.device)) for batch in loaders[1])
        nats = valid_nats(model, training, loaders[1])
    return Fit(history.rows, step, nats, history.minutes, str(trainer.strategy.root_device))


def _planned(
    model: Model, loaders: Loaders, training: Training, device: str, before: Checkpoint | None, history: History
) -> tuple[MaximumLikelihood, int, list[lightning.Callback]]:
    """The module that trains ``model``, the number of rounds, and the callbacks that begin and end them."""
    train, valid = loaders
    minutes, seconds, fitting = training.minutes, 0.0, math.inf
    if minutes is not None:
        seconds = seconds_of_a_step(model, train, training, device)
        if training.processes == 1:  # the rounds of several processes must not depend on the clock of each
            fitting = 60 * minutes / max(seconds, 1e-9)
    budget = budget_of(training, train.epoch_steps, fitting)
    train.round_steps = budget.round_steps if before is None else before.round_steps
    rounds, steps, begun = math.ceil(budget.steps / train.round_steps), budget.steps, 0
    if before is not None and (before.ended or before.step >= budget.steps):  # it gets a budget more
        more = max(steps - before.step, 0) if budget.given and before.ended else steps
        rounds, steps = before.round + 1 + math.ceil(more / train.round_steps), before.step + more
        begun = before.step
        minutes = None if minutes is None else minutes + before.minutes
    module = MaximumLikelihood(model, training, total_steps=steps, begun=begun)
    callbacks: list[lightning.Callback] = [SeededRounds(training.seed, train)]
    if minutes is not None:
        valid_seconds = 2 / 3 * seconds * len(valid)  # no gradients, but twice the rows
        later = 0 if counting(model) is None else AFTERWARDS
        callbacks.append(TimeLimit(minutes, history, seconds, valid_seconds, later))
    if budget.patience is not None:
        callbacks.append(Patience(budget.patience))
    return module, rounds, [*callbacks, history]


def _averaging(training: Training) -> list[lightning.Callback]:
    """The callback that averages the weights, if they are to be averaged."""
    if training.averaging is None:
        return []
    # Lightning's EMAWeightAveraging averages tensor by tensor, with copies: three times slower.
    return [WeightAveraging(multi_avg_fn=get_ema_multi_avg_fn(training.averaging), use_buffers=False)]


def _trainer(
    training: Training, device: str, loader: Loader, callbacks: list[lightning.Callback], rounds: int
) -> lightning.Trainer:
    """Lightning's trainer of these settings, for the batches of training of ``loader``; its epochs are rounds."""
    strategy, precision = training.strategy, training.precision
    assert precision != "auto"  # `fit` has chosen
    if loader.carried and training.processes > 1 and strategy in ("auto", "ddp"):
        strategy = "ddp_find_unused_parameters_true"  # only the first window of an epoch uses the first state
    return lightning.Trainer(
        accelerator={"cuda": "gpu"}.get(device, device),
        devices=training.devices,
        num_nodes=training.nodes,
        strategy=strategy,
        precision=precision,
        max_epochs=rounds,
        gradient_clip_val=training.gradient_clip,
        callbacks=callbacks,
        plugins=[AtomicCheckpoints()],
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _run(
    trainer: lightning.Trainer, module: MaximumLikelihood, checkpoints: Checkpoints, loaders: Loaders, *, resumed: bool
) -> None:
    """Train, from the last checkpoint on if ``resumed``, and load the weights that validated best."""
    train, valid = loaders
    if resumed:
        # Lightning prefetches the first batch of a resumed round before it says which round it is.
        last = checkpoints.read("last")
        train.set_round(last.round if last.done else last.round + 1, last.done)
        if last.round or not last.done:
            checkpoints.read("best")
    checkpoints.folder.mkdir(parents=True, exist_ok=True)
    with interruptible():
        try:
            path = checkpoints.path("last") if resumed else None
            trainer.fit(module, train, valid, ckpt_path=path, weights_only=True)
        except BaseException:
            if trainer.strategy.launcher is not None:  # the processes that it started would wait for this one
                trainer.strategy.launcher.kill(signal.SIGTERM)
            raise
    module.load_state_dict(checkpoints.read("best").weights)
    # The first process may have a temporary folder of its own: it waits until all have read its file.
    trainer.strategy.barrier()


def _counted(model: CountedModel, training: Training, loaders: Loaders, out: str | Path | None) -> Fit:
    """Fit by counting: one reading of the examples, and no settings."""
    if training.perturb:
        raise ValueError(f"perturb expects a model that is trained, got {type(model).__name__}, which counts")
    started = time.monotonic()
    train, valid = loaders
    with torch.no_grad():
        model.count((batch.x.to(model.device), batch.context) for batch in train)
        losses = [
            [validation_loss(model, batch.x.to(model.device), batch.context).double() for batch in loader]
            for loader in (train, valid)
        ]
    train_nats, valid_nats = (torch.cat(parts).mean().item() for parts in losses)
    minutes = (time.monotonic() - started) / 60
    row = {"step": 0, "train_nats": train_nats, "valid_nats": valid_nats, "minutes": minutes}
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
