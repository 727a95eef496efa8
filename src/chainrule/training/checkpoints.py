"""Checkpoints that are written completely or not at all."""

from __future__ import annotations

import pickle
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


class Keeper(ModelCheckpoint):
    """Keeps the best epoch in ``best.ckpt`` and the last in ``last.ckpt``, wherever the run folder was moved to.

    Args:
        folder: The folder of both.
        validate_every: Epochs from one validation, after which the epoch is kept, to the next.
    """

    def __init__(self, folder: Path, validate_every: int) -> None:
        super().__init__(
            folder,
            filename="best",
            monitor="valid_nats",
            save_last=True,
            enable_version_counter=False,
            every_n_epochs=validate_every,
            save_on_train_epoch_end=True,  # after the validation, and after the history has the epoch's training loss
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state but not its paths: a run that was moved would otherwise forget its best score."""
        assert self.dirpath is not None
        best = str(Path(self.dirpath) / "best.ckpt")
        score = state_dict["best_model_score"]
        moved = {"dirpath": self.dirpath, "best_model_path": best, "kth_best_model_path": best}
        last = str(Path(self.dirpath) / "last.ckpt")
        super().load_state_dict(state_dict | moved | {"best_k_models": {best: score}, "last_model_path": last})


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read the epoch and the weights of a checkpoint, on the CPU.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return {"epoch": checkpoint["epoch"], "state_dict": checkpoint["state_dict"]}
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: delete the run folder and fit again") from None
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged or truncated: delete the run folder and fit again") from error
