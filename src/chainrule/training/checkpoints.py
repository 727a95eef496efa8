"""Checkpoints that are whole or not there."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins import TorchCheckpointIO


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes beside the checkpoint and then replaces it: a full disk or a Ctrl-C leaves the one before."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        temporary = Path(f"{path}.tmp")
        try:
            super().save_checkpoint(checkpoint, temporary, storage_options)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def resumed_epoch(path: Path) -> int:
    """The epoch that follows the checkpoint at ``path``.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        return int(torch.load(path, map_location="cpu", weights_only=True, mmap=True)["epoch"]) + 1
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is damaged or truncated: delete it and fit again") from error
