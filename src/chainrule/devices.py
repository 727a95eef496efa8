"""The devices of this machine."""

from __future__ import annotations

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
