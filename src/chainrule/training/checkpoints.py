"""Checkpoints that are written completely or not at all."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO

from chainrule.atomic import replacing


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes each checkpoint completely or not at all: a full disk or a Ctrl-C leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with replacing(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)


@dataclass(frozen=True)
class Checkpoint:
    """The place in a training that a checkpoint was written at, and the weights.

    Attributes:
        round: The round that had just ended, counted from 0.
        step: The optimiser steps so far.
        round_steps: The steps of a round.
        ended: True if the training ended there.
        minutes: The minutes so far.
        weights: The weights, averaged if the training averages them.
    """

    round: int
    step: int
    round_steps: int
    ended: bool
    minutes: float
    weights: dict[str, Any]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, onto the CPU.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        own = content["round"]
        return Checkpoint(
            content["epoch"], content["global_step"], own["steps"], own["ended"], own["minutes"], content["state_dict"]
        )
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: delete the run folder and fit again") from None
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged or truncated: delete the run folder and fit again") from error


class Keeper(ModelCheckpoint):
    """Keeps the best round in ``best.ckpt`` and the last in ``last.ckpt``, wherever the run folder was moved to.

    Args:
        folder: The folder of both.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder,
            filename="best",
            monitor="valid_nats",
            save_last=True,
            enable_version_counter=False,
            every_n_epochs=1,  # Lightning's epoch is a round
            save_on_train_epoch_end=True,  # after the validation, and after the history has the round's training loss
        )
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file of the checkpoint ``name``, best or last."""
        return self.folder / f"{name}.ckpt"

    def checkpoint(self, name: str) -> Checkpoint:
        """The checkpoint ``name``, best or last; see `read_checkpoint`."""
        return read_checkpoint(self.path(name))

    def last(self) -> Checkpoint | None:
        """The last checkpoint; None if there is none yet."""
        return self.checkpoint("last") if self.path("last").exists() else None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state but not its paths: a run that was moved would otherwise forget its best score."""
        best, last = str(self.path("best")), str(self.path("last"))
        score = state_dict["best_model_score"]
        moved = {"dirpath": str(self.folder), "best_model_path": best, "kth_best_model_path": best}
        super().load_state_dict(state_dict | moved | {"best_k_models": {best: score}, "last_model_path": last})
