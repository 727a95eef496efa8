"""The devices of this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from chainrule.endings import is_lack_of_memory

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

GPU_CORES = 32
"""A GPU computes small networks as fast as about so many cores; large ones faster."""

Precision = Literal["auto", "32-true", "bf16-mixed", "16-mixed", "64-true"]
"""The arithmetic of a training, by Lightning's names."""

BEST = ("cuda", "mps", "cpu")
"""The devices that ``"auto"`` may name, the best first."""


def check_device(device: str) -> str:
    """The device that ``device`` (``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``) names; ``"auto"`` names the best.

    Raises:
        ValueError: If there is no such device here.
    """
    available = {"auto": True, "cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if not available.get(device, False):
        names = ", ".join(name for name, there in available.items() if there)
        raise ValueError(f"device expects one of those here, {names}; got {device!r}")
    if device == "auto":
        return next(name for name in BEST if available[name])
    return device


def seed_everything(seed: int) -> None:
    """Seed the global generators of all devices in use.

    `torch.manual_seed` does the same, but leaves a note for each device that isn't in use, and prints the stack into
    it, which takes longer than a small model's sample.
    """
    if torch.cuda.is_initialized() or torch.backends.mps.is_available():
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def cores_of(device: str) -> int:
    """The number of processor cores that compute as much as ``device`` does with a small network, about."""
    return torch.get_num_threads() if device == "cpu" else GPU_CORES


def multiplies_in_half(device: str) -> bool:
    """True if ``device`` multiplies matrices in bfloat16 faster than in single precision."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return device == "cpu" and any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def fastest_precision(model: nn.Module, device: str) -> Literal["bf16-mixed", "32-true"]:
    """``"bf16-mixed"`` for a network of image convolutions, if ``device`` `multiplies_in_half`; else ``"32-true"``.

    A PixelCNN then trains much faster. Where most weights are not a convolution's, little is gained.
    """
    convolved = sum(part.weight.numel() for part in model.modules() if isinstance(part, nn.Conv2d))
    most = 2 * convolved > sum(parameter.numel() for parameter in model.parameters())
    single = all(parameter.dtype == torch.float32 for parameter in model.parameters())
    return "bf16-mixed" if most and single and multiplies_in_half(device) else "32-true"


def precision_on(device: str, precision: Precision, model: nn.Module) -> Precision:
    """``precision``, with ``"auto"`` as `fastest_precision` says, and single instead of half where that is imitated.

    A processor without instructions for bfloat16 multiplies in it several times slower than in single precision, and
    an LSTM fails.
    """
    if precision == "auto":
        return fastest_precision(model, device)
    imitated = precision in ("bf16-mixed", "16-mixed") and device == "cpu" and not multiplies_in_half(device)
    return "32-true" if imitated else precision


def available_memory(device: str) -> int:
    """Bytes that are free on ``device``; on the CPU those that a container and the process may still take."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # no Linux: all that is built in
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return min([free, *_free_in_container(Path("/sys/fs/cgroup")), *_free_of_limit(Path("/proc/self"))])


@contextlib.contextmanager
def within_free_memory(what: str) -> Iterator[None]:
    """Refuse to make what takes more memory than is free, before the system ends the process for it.

    While it is made, the process may take no more addresses than that, where the system has such a limit.

    Raises:
        ValueError: If ``what`` does not fit.
    """
    free = available_memory("cpu")
    before = None if resource is None else resource.getrlimit(resource.RLIMIT_AS)
    try:
        if before is not None and Path("/proc/self/statm").exists():
            most = _addresses(Path("/proc/self")) + free
            resource.setrlimit(resource.RLIMIT_AS, (most if before[0] < 0 else min(most, before[0]), before[1]))
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_lack_of_memory(error):
            raise
        raise ValueError(
            f"{what} expects more memory than the {free / 1e9:.2f} GB that are free: choose a smaller model, or one of "
            "fewer variables"
        ) from None
    finally:
        if before is not None:
            resource.setrlimit(resource.RLIMIT_AS, before)


def _addresses(process: Path) -> int:
    """Bytes of addresses that the process in ``/proc`` has taken."""
    return int((process / "statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _free_of_limit(process: Path) -> list[int]:
    """Bytes of addresses that the limit of the process in ``/proc`` leaves, as ``ulimit -v`` sets it; none without."""
    limits = (process / "limits").read_text().splitlines()
    limit = next(line.split()[3] for line in limits if line.startswith("Max address space"))
    if limit == "unlimited":
        return []
    return [max(0, int(limit) - _addresses(process))]


def _free_in_container(folder: Path) -> list[int]:
    """Bytes that the control group in ``folder`` leaves; none without a limit. The cache of files is given up for them.

    Control groups have two versions, whose files have other names.
    """
    second = (folder, "memory.max", "memory.current", "inactive_file")
    first = (folder / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    for place, limit, used, cache in (second, first):
        try:
            statistics = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
            taken = int((place / used).read_text()) - int(statistics[cache])
            return [int((place / limit).read_text()) - taken]
        except (OSError, ValueError, KeyError):  # not there, or "max"
            continue
    return []
