"""Several processes that train one model together, each on its part of every batch."""

from __future__ import annotations

import torch
from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import Tensor, distributed


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


def mean_of_all(losses: Tensor) -> tuple[float, int]:
    """The mean and the number of the ``losses`` ``(B,)`` of all processes; each loss counts once."""
    total = torch.stack([losses.double().sum(), losses.new_tensor(len(losses), dtype=torch.double)])
    if processes()[1] > 1:
        distributed.all_reduce(total)
    return (total[0] / total[1]).item(), int(total[1])
