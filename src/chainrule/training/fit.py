"""`fit`: train a model by maximum likelihood, and leave it with the weights that validated best."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule.abilities import counting, loss_unit_of, validation_loss
from chainrule.card import Card, Shown, image_of
from chainrule.devices import check_device, precision_on, seed_everything
from chainrule.endings import ended_by_signals
from chainrule.model import CountedModel, Model
from chainrule.training.budget import budget_of
from chainrule.training.checkpoints import Checkpoint, Checkpoints
from chainrule.training.cost import fitting_loaders, seconds_of_a_step
from chainrule.training.history import History, write_history
from chainrule.training.limit import TimeLimit
from chainrule.training.loader import Data, Loader, Loaders, loaders_of
from chainrule.training.loop import Course, Loop
from chainrule.training.module import MaximumLikelihood
from chainrule.training.optimiser import Optimiser, Schedule
from chainrule.training.processes import check_nodes, is_first_process, joined
from chainrule.training.progress import reporter
from chainrule.training.session import quiet
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
    precision = precision_on(device, training.precision, model)
    if precision != training.precision != "auto":
        warnings.warn(
            f"this processor has no instructions for bfloat16: trained in {precision} instead of {training.precision}",
            stacklevel=2,
        )
    training = replace(training, precision=precision)
    loaders = loaders_of(model, (train, valid), (train_context, valid_context), training)
    seed_everything(training.seed)
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
        course, schedule = _course(model, loaders, training, device, before, history)
        stack.enter_context(quiet())
        stack.enter_context(ended_by_signals())
        strategy = stack.enter_context(joined(training, device, carried=loaders[0].carried))
        module = MaximumLikelihood(model, training).to(device if strategy is None else strategy.root_device)
        if training.precision == "64-true":
            module.double()
        loop = Loop(
            module=module,
            optimiser=Optimiser(model, training, schedule),
            loaders=loaders,
            settings=training,
            course=course,
            history=history,
            checkpoints=checkpoints,
            reporter=reporter(history, label) if verbose and is_first_process() else None,
            strategy=strategy,
        )
        loop.run(before)
    used = str(model.device)
    model.to("cpu", dtype).eval()  # precision may have changed the type
    step, nats = int(history.best["step"]), history.best["valid_nats"]
    if at_start.nats < nats:
        step, nats = 0, at_start.nats
        model.load_state_dict(at_start.weights)
    if (part := counting(model)) is not None:
        part.fit_share(batch.map(lambda part: part.to(model.device)) for batch in loaders[1])
        nats = valid_nats(model, training, loaders[1])
    return Fit(history.rows, step, nats, history.minutes, used)


def _course(
    model: Model, loaders: Loaders, training: Training, device: str, before: Checkpoint | None, history: History
) -> tuple[Course, Schedule]:
    """The length of the training, and its learning rate; rounds get their number of steps."""
    train, valid = loaders
    minutes, seconds, fitting = training.minutes, 0.0, math.inf
    if minutes is not None:
        seconds = seconds_of_a_step(model, train, training, device)
        if training.processes == 1:  # the rounds of several processes must not depend on the clock of each
            fitting = 60 * minutes / max(seconds, 1e-9)
    budget = budget_of(training, train.epoch_steps, fitting)
    train.round_steps = budget.round_steps if before is None else before.round_steps
    rounds, steps, begun = math.ceil(budget.steps / train.round_steps), budget.steps, 0
    # Of a round that is not over the last step may be the budget's, which is then not used up.
    if before is not None and (before.ended or before.step - bool(before.done) >= budget.steps):  # a budget more
        more = max(steps - before.step, 0) if budget.given and before.ended else steps
        rounds, steps = before.round + 1 + math.ceil(more / train.round_steps), before.step + more
        begun = before.step
        minutes = None if minutes is None else minutes + before.minutes
    limit = None
    if minutes is not None:
        valid_seconds = 2 / 3 * seconds * len(valid)  # no gradients, but twice the rows
        limit = TimeLimit(minutes, history, seconds, valid_seconds, 0 if counting(model) is None else AFTERWARDS)
    return Course(rounds=rounds, patience=budget.patience, limit=limit), Schedule(training, steps, begun)


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
