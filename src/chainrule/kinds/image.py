"""Images: pixels of one or three colours, in files of their own or in an array."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from chainrule import plots
from chainrule.abilities import components_of
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.formats import ImageFormat
from chainrule.data.read import images
from chainrule.data.write import SINGLE, check_new_folder, check_suffix, numbered, write_images
from chainrule.devices import available_memory, cores_of, multiplies_in_half
from chainrule.kinds.levels import LevelsKind
from chainrule.model import AutoregressiveModel, Model
from chainrule.plans import Plan
from chainrule.plans.image import image_plan

GROWTH = ".gif"
"""The suffix of an animation of samples as they grow."""


class ImageKind(LevelsKind):
    """Images ``(channels, height, width)`` of ``levels`` values a colour."""

    name = "image"
    formats = ImageFormat
    event_dims = 3
    same_as = ("rows",)  # the shape, which is checked too, distinguishes them
    files = "a file of a picture, or a folder for a file each"

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

    def check_out(self, path: Path) -> None:
        """Raise ``ValueError``, before any work is done, where samples can't be written to ``path``."""
        if path.suffix:
            check_suffix(path, tuple(dict.fromkeys((*self.suffixes, *SINGLE, GROWTH))))
        else:
            check_new_folder(path)

    def write(self, x: Tensor, path: Path) -> str:
        """Write images.

        A folder gets a file for each, pixel by pixel as they are, and so does a file of one image. A picture of more
        is a sheet of all.

        Raises:
            ValueError: If there are several, and the file is of a format that has one image.
        """
        if path.suffix == "":
            write_images(x, numbered(path, len(x), ".png"), self.format.levels)
        elif len(x) == 1 and path.suffix.lower() in SINGLE:
            write_images(x, [path], self.format.levels)
        elif path.suffix.lower() not in self.suffixes:
            sheets = ", ".join(self.suffixes)
            raise ValueError(f"--out expects a folder, or a file ending in {sheets}, for {len(x)} images, got {path}")
        else:
            return super().write(x, path)
        return f"{len(x)} images"

    def enlarged(self, x: Tensor, scale: int) -> Tensor:
        return x.repeat_interleave(scale, -1).repeat_interleave(scale, -2)

    def write_growth(self, x: Tensor, model: AutoregressiveModel, path: Path, scale: int | None) -> str:
        if len(components_of(model)) > 1:
            raise ValueError(
                f"--out {path} expects a model of one order, in which pixels appear, got a mixture of several"
            )
        permutation = model.order.permutation.cpu()
        frames = plots.sample_growth(x, permutation, path, levels=self.format.levels, scale=scale)
        return f"{len(x)} images as they grow, in {frames} frames,"

    def read(self, path: Path, model: Model, settings: Mapping[str, Any]) -> tuple[Examples, list[str] | None]:
        return images.read_all(path, model.event_shape, self.format)
