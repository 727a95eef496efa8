"""Images: pixels of one or three colours, in files of their own or in an array."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.formats import ImageFormat
from chainrule.data.read import images
from chainrule.devices import available_memory, cores_of, multiplies_in_half
from chainrule.kinds.levels import LevelsKind
from chainrule.model import Model
from chainrule.plans import Plan
from chainrule.plans.image import image_plan


class ImageKind(LevelsKind):
    """Images ``(channels, height, width)`` of ``levels`` values a colour."""

    name = "image"
    formats = ImageFormat
    event_dims = 3
    same_as = ("rows",)  # the shape, which is checked too, distinguishes them

    def plan(self, dataset: Dataset, minutes: float, device: str) -> Plan:
        return image_plan(
            count=len(dataset.train),
            event_shape=dataset.event_shape,
            levels=self.format.levels,
            minutes=minutes,
            cores=cores_of(device),
            memory=available_memory(device),
            half=multiplies_in_half(device),
        )

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        own = super().reading(settings, named=named)
        if named:
            return own
        fit, size = self.format.fit, self.format.size
        return own | {
            "size": size and "x".join(map(str, size)),
            "crop": None if fit in ("same", "pad") else fit,
            "pad": fit == "pad" or None,
            **{name: settings.get(name) for name in ("background", "grey")},
        }

    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        return images.read_all(path, model.event_shape, self.format)
