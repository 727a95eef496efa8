"""The loop of a training: rounds of steps, each with a validation and a checkpoint at its end."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from chainrule.batch import Batch, epoch_seed
from chainrule.devices import seed_everything
from chainrule.errors import TrainingError
from chainrule.training.checkpoints import Checkpoint, Checkpoints
from chainrule.training.history import History
from chainrule.training.limit import TimeLimit
from chainrule.training.loader import Loaders
from chainrule.training.module import MaximumLikelihood
from chainrule.training.optimiser import Optimiser
from chainrule.training.precision import arithmetic
from chainrule.training.processes import is_first_process, mean_of_all, of_first, processes
from chainrule.training.progress import Reporter
from chainrule.training.session import Endings
from chainrule.training.settings import Training

if TYPE_CHECKING:
    from lightning.fabric.strategies.ddp import DDPStrategy


@dataclass(kw_only=True)
class Course:
    """The length of a training.

    Attributes:
        rounds: Rounds, at most.
        patience: Rounds without a better validation NLL after which it ends; None for never.
        limit: The limit in minutes, if there is one.
    """

    rounds: int
    patience: int | None
    limit: TimeLimit | None


@dataclass(kw_only=True)
class Loop:
    """Trains a model, round by round.

    Every round is a function of the seed and its number, so that a training that is resumed sees the same one: the
    number decides the shuffle, and seeds torch for noise (dropout, dynamic binarisation).

    Attributes:
        module: The losses of the model.
        optimiser: Takes the steps.
        loaders: The batches of training and of validation.
        settings: The settings of the training.
        course: How long it lasts.
        history: The rows of the rounds so far.
        checkpoints: Where checkpoints are written.
        reporter: Shows the progress, if it is to be shown.
        strategy: The way in which several processes share their gradients; None where there is one.
    """

    module: MaximumLikelihood
    optimiser: Optimiser
    loaders: Loaders
    settings: Training
    course: Course
    history: History
    checkpoints: Checkpoints
    reporter: Reporter | None
    strategy: DDPStrategy | None
    round: int = field(default=0, init=False)
    done: int = field(default=0, init=False)
    waited: int = field(default=0, init=False)
    stopped: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.device = self.module.model.device
        self._network = self.module if self.strategy is None else self.strategy.setup_module(self.module)
        if self.strategy is not None:
            self.checkpoints = Checkpoints(Path(self.strategy.broadcast(str(self.checkpoints.folder))))
        self.checkpoints.folder.mkdir(parents=True, exist_ok=True)
        self._sum, self._count = 0.0, 0
        self._noise: list[Tensor] = []
        self._endings = Endings()

    def run(self, before: Checkpoint | None) -> None:
        """Train to the end, from a checkpoint on if there is one, and load the weights that validated best.

        Raises:
            TrainingError: If a loss is no longer a finite number.
            ValueError: If the checkpoint of the best weights is missing or damaged.
        """
        if before is not None:
            self._restore(before)
        if self.history.rows:
            self.checkpoints.read("best")
        with self._endings.handled(), self.reporter or contextlib.nullcontext():
            self._follow()
            while self.round < self.course.rounds and not self.stopped:
                self._train()
                self._end_round(self._validate())
                self.round += 1
        self._wait()  # the first process writes
        self.module.load_state_dict(self.checkpoints.read("best").weights)
        self._wait()  # its folder may be a temporary one

    def _wait(self) -> None:
        """Wait for the other processes, if there are any."""
        if self.strategy is not None:
            self.strategy.barrier()

    def _restore(self, before: Checkpoint) -> None:
        """Go on where a checkpoint was written; patience begins anew where a training had ended."""
        self.module.load_state_dict(before.weights)
        if before.trained is not None:
            if self.optimiser.average is not None:
                self.optimiser.average.update()
            self.module.load_state_dict(before.trained)
        self.optimiser.load_state_dict(before.optimiser)
        self.optimiser.steps = before.step
        self.module.carry_on([states.to(self.device) for states in before.carried])
        self.history.rows, self.history.minutes_before = list(before.rows), before.minutes
        self.waited = 0 if before.ended else before.waited
        self.round, self.done = (before.round, before.done) if before.done else (before.round + 1, 0)
        (self._sum, self._count), self._noise = before.losses, before.noise

    def _follow(self) -> None:
        if self.reporter is not None:
            self.reporter.follow(self.optimiser.steps, self.optimiser.schedule.total_steps)

    def _train(self) -> None:
        """Take the steps of the round that are left."""
        limit = self.course.limit
        self._begin_round()
        for batch in self.loaders[0]:
            self._endings.waits = self._alone
            self._step(batch)
            self.done += 1
            if limit is not None:
                self.stopped = bool(of_first(limit.is_reached(self.optimiser.steps), self.device))
            self._follow()
            self._end_if_asked(_states_of_noise)
            if self.stopped:
                break

    @property
    def _alone(self) -> bool:
        """True if one process trains: several would have to agree on the step before which they end."""
        return processes()[1] == 1

    def _end_if_asked(self, noise: Callable[[], list[Tensor]]) -> None:
        """End the training if a signal has asked for it, with a checkpoint that goes on in the middle of the round."""
        if self._endings.asked:
            self._save("last", noise=noise())
            self._endings.end()

    def _begin_round(self) -> None:
        loader, limit, steps = self.loaders[0], self.course.limit, self.optimiser.steps
        loader.set_round(self.round, self.done)
        self.module.train()
        if limit is not None:
            fitting = int(of_first(limit.begin_round(steps, loader.round_steps), self.device))
            self.optimiser.schedule.ends_at(steps + fitting)
        if not self.done:
            self._sum, self._count = 0.0, 0
            seed_everything(epoch_seed(self.settings.seed, self.round) + processes()[0])  # each has noise of its own
        elif self._noise:
            torch.set_rng_state(self._noise[0])
            torch.cuda.set_rng_state_all(self._noise[1 : 1 + torch.cuda.device_count()])  # it may be another machine

    def _step(self, batch: Batch) -> None:
        with arithmetic(self.settings.precision, self.device.type):
            losses = self._network(self._moved(batch))
            mean, count = mean_of_all(losses.detach())
            if not math.isfinite(mean):
                raise self._error(f"the loss became {mean}")
            # Gradients are averaged over the processes, whose parts of a batch may differ in size.
            loss = losses.sum() * (processes()[1] / count)
        self.optimiser.step(loss)
        self._sum, self._count = self._sum + mean * count, self._count + count

    @torch.no_grad()
    def _validate(self) -> float:
        """The mean validation NLL of the weights that would be kept."""
        started, nats, total, noise = time.monotonic(), 0.0, 0, _states_of_noise()
        self.module.eval()
        self._endings.waits = self._alone
        with self.optimiser.averaged(), self.module.other_states():
            for batch in self.loaders[1]:
                with arithmetic(self.settings.precision, self.device.type):
                    mean, count = mean_of_all(self.module.validation_losses(self._moved(batch)))
                if math.isnan(mean):  # it may be infinite, where a value that training never saw has no probability yet
                    raise self._error("the validation loss is no number")
                nats, total = nats + mean * count, total + count
                self._follow()
                if self._endings.asked:
                    break
        self._end_if_asked(lambda: noise)
        self._endings.waits = False
        if self.course.limit is not None:
            self.course.limit.valid_seconds = time.monotonic() - started
        return nats / total

    def _end_round(self, valid_nats: float) -> None:
        """Note what the round came to, and write its checkpoints."""
        better = self.history.add(self.optimiser.steps, self._sum / self._count, valid_nats)
        self.waited = 0 if better else self.waited + 1
        patience = self.course.patience
        self.stopped |= patience is not None and self.waited >= patience
        self.done = 0
        if better:
            self._save("best")
        self._save("last")
        if self.reporter is not None:
            self.reporter.end_round()

    def _save(self, name: str, noise: list[Tensor] | None = None) -> None:
        trained = kept = self.module.state_dict()
        if self.optimiser.average is not None:
            with self.optimiser.averaged():
                kept = {key: value.clone() for key, value in trained.items()}
        checkpoint = Checkpoint(
            round=self.round,
            done=self.done,
            step=self.optimiser.steps,
            round_steps=self.loaders[0].round_steps,
            ended=not self.done and (self.stopped or self.round + 1 >= self.course.rounds),
            minutes=self.history.minutes,
            waited=self.waited,
            rows=self.history.rows,
            losses=(self._sum, self._count),
            weights=kept,
            trained=None if kept is trained else trained,
            optimiser=self.optimiser.state_dict(),
            carried=self.module.carried if processes()[1] == 1 else [],  # several begin their lanes anew
            noise=noise or [],
        )
        if is_first_process():
            checkpoint.write(self.checkpoints.path(name))

    def _moved(self, batch: Batch) -> Batch:
        return batch if self.device.type == "cpu" else batch.map(lambda part: part.to(self.device))

    def _error(self, what: str) -> TrainingError:
        rate = self.settings.learning_rate
        return TrainingError(
            f"{what} at step {self.optimiser.steps}: lower the learning rate (now {rate:g}) or clip gradients"
        )


def _states_of_noise() -> list[Tensor]:
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_available() else ())]
