"""Several processes that train one model together, each on its part of every batch."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, distributed

from chainrule.training.settings import Training

if TYPE_CHECKING:
    from lightning.fabric.strategies.ddp import DDPStrategy

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
    if processes()[1] > 1:
        return processes()[0] == 0
    names = (RANKS[0], "LOCAL_RANK", *RANKS[1:])
    return next((int(os.environ[name]) for name in names if name in os.environ), 0) == 0


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
    total, count = losses.double().sum(), len(losses)
    if processes()[1] > 1:
        both = torch.stack([total, total.new_tensor(count)])
        distributed.all_reduce(both)
        total, count = both[0], int(both[1])
    return total.item() / count, count


def of_first(number: float, device: torch.device) -> float:
    """The ``number`` of the first process, in all of them."""
    if processes()[1] == 1:
        return number
    told = torch.tensor(number, dtype=torch.double, device=device)
    distributed.broadcast(told, 0)
    return told.item()


@contextlib.contextmanager
def joined(training: Training, device: str, *, carried: bool) -> Iterator[DDPStrategy | None]:
    """Start the processes that train together, each of which gets Lightning's way to do so; None for one alone.

    If this process fails, those that it started end.

    Args:
        training: The settings of the training.
        device: The kind of device on which each of them trains.
        carried: True if states are carried from batch to batch.
    """
    if training.processes == 1 and training.strategy == "auto":
        yield None
        return
    from lightning.fabric import Fabric  # it takes three seconds, which a training by one process is spared

    name = "ddp" if training.strategy == "auto" else training.strategy
    if carried and name == "ddp":
        name = "ddp_find_unused_parameters_true"  # only the first window of an epoch uses the first state
    accelerator = {"cuda": "gpu"}.get(device, device)
    fabric = Fabric(accelerator=accelerator, devices=training.devices, num_nodes=training.nodes, strategy=name)
    strategy = cast("DDPStrategy", fabric.strategy)
    try:
        fabric.launch()
        yield strategy
    except BaseException:
        for process in getattr(strategy.launcher, "procs", ()):  # they would wait for this one
            process.send_signal(signal.SIGTERM)
        raise
