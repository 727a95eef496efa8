"""Checkpoints that are written completely or not at all, and whose damage is found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO

from chainrule.atomic import replacing
from chainrule.hashes import sha256_of

MARK = b"sha256:"
"""The beginning of the comment at the end of a checkpoint; its SHA-256 follows."""

COMMENT = len(MARK) + 64

NO_COMMENT = b"PK\5\6", 22
"""The record at the end of a ZIP archive without a comment, and its length."""


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes each checkpoint completely or not at all: a full disk or a Ctrl-C leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with replacing(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)
            _seal(temporary)

    def load_checkpoint(self, path: Any, *arguments: Any, **settings: Any) -> dict[str, Any]:
        _check_seal(Path(path))
        content: dict[str, Any] = super().load_checkpoint(path, *arguments, **settings)
        return content


def _seal(path: Path) -> None:
    """Append the SHA-256 of a checkpoint to it, as the comment of the ZIP archive that it is."""
    with path.open("r+b") as file:
        file.seek(-2, 2)
        file.write(COMMENT.to_bytes(2, "little"))
    digest = sha256_of(path)
    with path.open("ab") as file:
        file.write(MARK + digest.encode())


def _check_seal(path: Path) -> None:
    """Raise ``ValueError`` if a checkpoint differs from what `_seal` saw; older ones have no seal."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - COMMENT))
        end = file.read()
    signature, length = NO_COMMENT
    unsealed = end[-length:].startswith(signature) and end.endswith(b"\0\0")
    if not unsealed and end != MARK + sha256_of(path, size - len(end)).encode():
        raise ValueError(f"{path} is damaged or truncated (other SHA-256): delete the run folder and fit again")


@dataclass(frozen=True)
class Checkpoint:
    """The place in a training that a checkpoint was written at, and the weights.

    Attributes:
        round: The round that had just ended, counted from 0; or the one that it is within.
        done: The steps of that round so far; 0 if it had ended.
        step: The optimiser steps so far.
        round_steps: The steps of a round.
        ended: True if the training ended there.
        minutes: The minutes so far.
        weights: The weights, averaged if the training averages them.
    """

    round: int
    done: int
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
        _check_seal(path)
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        own = content["round"]
        return Checkpoint(
            round=content["epoch"],
            done=own.get("done", 0),
            step=content["global_step"],
            round_steps=own["steps"],
            ended=own["ended"],
            minutes=own["minutes"],
            weights=content["state_dict"],
        )
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: delete the run folder and fit again") from None
    except Exception as error:  # a damaged file makes torch raise anything
        raise ValueError(f"{path} is damaged or truncated: delete the run folder and fit again") from error


class Checkpoints:
    """The checkpoints of a training: the best round in ``best.ckpt`` and the last in ``last.ckpt``.

    Args:
        folder: The folder of both. A run that is moved elsewhere goes on there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def callbacks(self) -> list[ModelCheckpoint]:
        """The callbacks that write them; the last comes last, as it also keeps the score of the best."""
        return [_Keeper(self.folder, "best", "valid_nats"), _Keeper(self.folder, "last", None)]

    def path(self, name: str) -> Path:
        """The file of the checkpoint ``name``, best or last."""
        return self.folder / f"{name}.ckpt"

    def read(self, name: str) -> Checkpoint:
        """The checkpoint ``name``, best or last; see `read_checkpoint`."""
        return read_checkpoint(self.path(name))

    def last(self) -> Checkpoint | None:
        """The last checkpoint; None if there is none yet."""
        return self.read("last") if self.path("last").exists() else None


class _Keeper(ModelCheckpoint):
    """Keeps the round with the lowest ``monitor`` so far in one file; without a monitor the last round."""

    def __init__(self, folder: Path, name: str, monitor: str | None) -> None:
        super().__init__(
            folder,
            filename=name,
            monitor=monitor,
            enable_version_counter=False,
            every_n_epochs=1,  # Lightning's epoch is a round
            save_on_train_epoch_end=True,  # after the validation, and after the history has the round's training loss
        )
        self.path = str(folder / f"{name}.ckpt")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state but not its paths: a run that was moved would otherwise forget its best score."""
        score = state_dict["best_model_score"]
        if score is None:  # within the first round
            return
        best = {"best_model_path": self.path, "kth_best_model_path": self.path, "best_k_models": {self.path: score}}
        super().load_state_dict(state_dict | {"dirpath": self.dirpath} | (best if self.monitor else {}))
