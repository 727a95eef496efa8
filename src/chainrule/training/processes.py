"""Several processes that train one model together, each on its part of every batch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import Tensor, distributed

RANKS = ("RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables of the environment in which those who start processes on several machines number them."""


def processes() -> tuple[int, int]:
    """The index of this process, and the number of those that train together."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def is_first_process() -> bool:
    """True in the one process that writes files and prints.

    The others that train with it, which ``--devices`` or ``torchrun`` started, run the same program beside it.
    """
    return not rank_zero_only.rank  # type: ignore[attr-defined]


def is_alone(settings: Mapping[str, Any]) -> bool:
    """True if by these settings of a training no other process trains with this one."""
    return bool(settings.get("devices", 1) * settings.get("nodes", 1) == 1)


def check_nodes(nodes: int) -> None:
    """Raise ``ValueError`` if several machines are to train together, and nothing says which of them this one is.

    Each of them would take itself for the first.
    """
    if nodes > 1 and not any(name in os.environ for name in RANKS):
        raise ValueError(
            f"nodes {nodes} expects the same command on each machine under torchrun or srun, which number the "
            f"processes by {' or '.join(RANKS)}, got none of these in the environment"
        )


def mean_of_all(losses: Tensor) -> tuple[float, int]:
    """The mean and the number of the ``losses`` ``(B,)`` of all processes; each loss counts once."""
    total = torch.stack([losses.double().sum(), losses.new_tensor(len(losses), dtype=torch.double)])
    if processes()[1] > 1:
        distributed.all_reduce(total)
    return (total[0] / total[1]).item(), int(total[1])
