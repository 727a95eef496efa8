"""The devices of this machine."""

from __future__ import annotations

import os
from pathlib import Path

import torch

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


def multiplies_in_half(device: str) -> bool:
    """True if ``device`` multiplies matrices in bfloat16 faster than in single precision."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return device == "cpu" and any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def available_memory(device: str) -> int:
    """Bytes that are free on ``device``; on the CPU those that no process uses, and that a container allows."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # no Linux: all that is built in
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return min([free, *(limit - used for limit, used in _container_limits())])


def _container_limits() -> list[tuple[int, int]]:
    """The limit on the memory of this container, and what it uses of it; none without a limit."""
    folder = Path("/sys/fs/cgroup")
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return [(int((folder / limit).read_text()), int((folder / used).read_text()))]
        except (OSError, ValueError):  # not there, or "max"
            continue
    return []
