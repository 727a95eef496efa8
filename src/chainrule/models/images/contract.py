"""The contract of models that read an image pixel by pixel, row after row, and at each pixel colour by colour."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.abilities import RepeatedSteps
from chainrule.compiled import Compiled
from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel
from chainrule.models.images.instructions import ImageInstructions
from chainrule.models.images.patches import Patches
from chainrule.nn.buffers import write_columns
from chainrule.nn.masked_conv import FeaturesAt, MaskedConv2d, Site
from chainrule.nn.masked_program import MaskedInstructions, Sites, instruct_outputs
from chainrule.nn.native.program import Program
from chainrule.nn.outputs import start_output
from chainrule.state import Shared, State


class ImageModel(AutoregressiveModel, RepeatedSteps):
    """An autoregressive model of images ``(channels, height, width)`` in raster order, of pixels or of patches.

    To add one, write `network`, the parallel pass from features to parameters, and `network_start` and `network_step`,
    which compute the same for one variable after the other. Channels of features and of parameters come in groups, one
    a colour, those of the first colour first. To the network a patch is a pixel of one colour.

    Attributes:
        colours: Groups of features; 1 for patches.
        height: Rows of pixels, or of patches.
        width: Columns of pixels, or of patches.
        num_inputs: Features of a pixel, or of a patch.
        num_outputs: Parameters of a pixel, or of a patch.
        step_period: A step costs as much as one this many rows, or columns, away, apart from the first of each. It is
            1 unless a network skips pixels.

    Args:
        event_shape: ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        num_classes: The number of classes that an example can be conditioned on; None for no classes.
        patch_size: Pixels of a side of a patch; see `chainrule.models.images.patches`.

    Raises:
        ValueError: If the event is no image, or a patch too large.
    """

    step_period = 1

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        num_classes: int | None = None,
        patch_size: int = 1,
    ) -> None:
        shape = image_shape(event_shape, type(self).__name__)
        patches = None if patch_size == 1 else Patches(patch_size, shape, conditional)
        order = "raster" if patches is None else patches.order
        super().__init__(event_shape=event_shape, conditional=conditional, order=order, num_classes=num_classes)
        self.patches = patches
        if patches is None:
            self.colours, self.height, self.width = shape
            self.num_inputs = self.colours * conditional.num_features
            self.num_outputs = self.colours * conditional.num_parameters
        else:
            self.colours, (self.height, self.width) = 1, patches.grid
            self.num_inputs, self.num_outputs = patches.num_inputs, patches.num_outputs

    @abstractmethod
    def network(self, features: Tensor, context: Tensor | None) -> Tensor:
        """Parameters ``(B, num_outputs, height, width)`` of all conditionals.

        Args:
            features: The encoded values, ``(B, num_inputs, height, width)``.
            context: Classes ``(B,)``.
        """

    @abstractmethod
    def network_start(self, batch_size: int, context: Tensor | None) -> State:
        """The state of the network before the first variable."""

    @abstractmethod
    def network_step(self, state: State, previous: FeaturesAt | None, site: Site) -> tuple[Tensor, State]:
        """Parameters ``(B, num_outputs / colours)`` of the variable, or patch, at ``site``, and the next state.

        Args:
            state: What `network_start` or the step before returned.
            previous: Features ``(B, num_inputs / colours)`` of the one before, and its site; None at the first.
            site: The place of the variable, or patch.
        """

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        numbers = self.network(self.read(x), context)
        if self.patches is not None:
            return self.conditional.distribution(self.patches.parameters(numbers, x))
        return self.conditional.distribution(numbers.unflatten(1, (self.colours, -1)).movedim(2, -1))

    def _start_of_pixels(self, x: Tensor) -> Tensor:
        """The starting parameters ``(num_outputs,)`` that all pixels, or patches, share, given training images."""
        self.check_shape(x)
        self.conditional.check(x)
        colours = self.conditional.initial_parameters(x.movedim(1, -1).flatten(0, -2))
        return colours.flatten() if self.patches is None else self.patches.tables(colours)

    def read(self, x: Tensor) -> Tensor:
        """The input of the network for images, ``(B, num_inputs, height, width)``."""
        values = x if self.patches is None else self.patches.cut(x)
        return self.conditional.encode(values).movedim(-1, 2).flatten(1, 2)

    def site(self, t: int) -> Site:
        """The site of the variable generated at time t."""
        pixel, colour = divmod(t, self.colours)
        return Site(*divmod(pixel, self.width), colour)

    def step_group(self, t: int) -> Hashable:
        """The place within a pixel or patch, and where in a period that is; the first row and column are apart."""
        row, column, place = self.site(t) if self.patches is None else self.patches.places[t]
        return place, *((i > 0, i % self.step_period) for i in (row, column))

    def instructions(self) -> ImageInstructions:
        """The beginning of a program, for a family that has codes."""
        return ImageInstructions(self.conditional, Sites.of(self.height, self.width, self.colours), self.patches)

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        own = self.network_start(batch_size, context)
        if self.patches is None:
            return Shared(0), own
        return Shared(0), own, None, self.empty(batch_size, self.patches.num_variables)

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        if self.patches is not None:
            return self._step_in_patch(self.patches, state, previous)
        position, own = state
        t = position.value
        before = None if previous is None else (self.conditional.encode(previous), self.site(t - 1))
        parameters, own = self.network_step(own, before, self.site(t))
        return self.conditional.distribution(parameters), (Shared(t + 1), own)

    def _step_in_patch(self, patches: Patches, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        """`step` in patches: the network runs at the first variable of a patch only."""
        position, own, numbers, values = state
        t = position.value
        row, column, place = patches.places[t]
        last_row, last_column, last_place = patches.places[t - 1]
        if previous is not None:
            values = write_columns(values, previous[:, None], last_place)
        if place == 0:
            before = None
            if previous is not None:
                before = self.conditional.encode(values).flatten(1), Site(last_row, last_column, 0)
            numbers, own = self.network_step(own, before, Site(row, column, 0))
            values = torch.zeros_like(values)
        parameters = patches.parameters_at(numbers, values, place)
        return self.conditional.distribution(parameters), (Shared(t + 1), own, numbers, values)


class ImageLayer(nn.Module, ABC):
    """A layer from features of pixels to as many features, which see the pixel itself and those before it."""

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """The output ``(B, k, height, width)`` of ``x`` ``(B, k, height, width)``, given classes ``(B,)``."""

    @abstractmethod
    def start(self, batch_size: int, width: int, context: Tensor | None) -> State:
        """The state before the first pixel of images that are ``width`` wide."""

    @abstractmethod
    def step(self, state: State, x: Tensor, site: Site) -> tuple[Tensor, State]:
        """The output ``(B, k / colours)`` at ``site``, where the input is ``x``, and the next state."""

    def instruct(self, program: Program, x: int, sites: Sites) -> bool:
        """Add the instructions of `step`, which change the units ``x``; False if there are none."""
        return False


class LayeredImageModel(ImageModel, Compiled):
    """A masked kernel, layers one after the other, and two 1x1 layers: table 1 of the PixelRNN paper.

    `features` are the last layer's output, averaged over the pixels.

    Args:
        event_shape: ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        size: Features of a pixel that go from layer to layer.
        first_kernel_size: Width of the first kernel, which does not see a variable itself (mask A).
        layers: The layers.
        head_size: Features of the 1x1 layer before the last.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.
        patch_size: Pixels of a side of a patch.

    Raises:
        ValueError: If the event is no image, there are no layers, or a size can't be divided among the channels.
    """

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        size: int,
        first_kernel_size: int,
        layers: Iterable[ImageLayer],
        head_size: int,
        num_classes: int | None,
        patch_size: int,
    ) -> None:
        super().__init__(
            event_shape=event_shape, conditional=conditional, num_classes=num_classes, patch_size=patch_size
        )
        self.first = MaskedConv2d(self.num_inputs, size, first_kernel_size, colours=self.colours, own=False)
        self.layers: Sequence[ImageLayer] = nn.ModuleList(layers)  # type: ignore[assignment]
        self.head = MaskedConv2d(size, head_size, 1, colours=self.colours)
        self.output = MaskedConv2d(head_size, self.num_outputs, 1, colours=self.colours)

    def network(self, features: Tensor, context: Tensor | None) -> Tensor:
        parameters: Tensor = self.output(self.head(self._hidden(features, context).relu()).relu())
        return parameters

    def _hidden(self, features: Tensor, context: Tensor | None) -> Tensor:
        hidden = self.first(features).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            hidden = layer(hidden, context)
        return hidden

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.check(x)
        return self._hidden(self.read(x), self.check_context(context, len(x))).relu().mean((2, 3))

    def start_at(self, x: Tensor) -> None:
        start_output(self.output.weight, self.output.bias, self._start_of_pixels(x))

    def network_start(self, batch_size: int, context: Tensor | None) -> State:
        first, head, output = (layer.start(batch_size, self.width) for layer in (self.first, self.head, self.output))
        layers = tuple(layer.start(batch_size, self.width, context) for layer in self.layers)
        return first, layers, head, output

    def network_step(self, state: State, previous: FeaturesAt | None, site: Site) -> tuple[Tensor, State]:
        first, layers, head, output = state
        hidden, first = self.first.step(first, previous, site)
        updated = []
        for layer, own in zip(self.layers, layers, strict=True):
            hidden, own = layer.step(own, hidden, site)
            updated.append(own)
        hidden, head = self.head.step(head, (hidden.relu(), site), site)
        parameters, output = self.output.step(output, (hidden.relu(), site), site)
        return parameters, (first, tuple(updated), head, output)

    def program(self) -> Program | None:
        if self.conditional.codes is None:
            return None
        image = self.instructions()
        program, sites = image.program, image.sites
        first = MaskedInstructions(self.first, program, sites)
        hidden = program.units(self.first.out_channels // self.colours)
        image.read(first.place)
        with image.network():
            first.next_row()
        program.begin()
        with image.network():
            first.read(hidden)
            if not all(layer.instruct(program, hidden, sites) for layer in self.layers):
                return None
            numbers = instruct_outputs(program, sites, hidden, self.head, self.output)
        image.choose(numbers)
        return program


def image_shape(event_shape: Sequence[int], model: str) -> tuple[int, int, int]:
    """``event_shape`` as (channels, height, width).

    Raises:
        ValueError: If it is no such shape; ``model`` is the name in the message.
    """
    if len(event_shape) != 3 or min(event_shape) < 1:
        raise ValueError(f"{model} expects images, an event_shape (channels, height, width), got {tuple(event_shape)}")
    channels, height, width = event_shape
    return channels, height, width


def colours_of(event_shape: Sequence[int], model: str, patch_size: int) -> int:
    """The number of groups of features: the channels, or 1 for patches."""
    channels, _, _ = image_shape(event_shape, model)
    return channels if patch_size == 1 else 1


def check_shares(channels: int, **sizes: int | None) -> None:
    """Raise ``ValueError`` where features can't be divided among the channels; a size of None is skipped."""
    for name, size in sizes.items():
        if size is not None and (size < 1 or size % channels):
            expected = "at least 1" if channels == 1 else f"a multiple of {channels}, the image's channels"
            raise ValueError(f"{name} expects {expected}, got {size}")


def check_kernels(**kernels: int) -> None:
    """Raise ``ValueError`` where the width of a kernel is not odd, or so small that it would see nothing."""
    for name, width in kernels.items():
        if width < 3 or width % 2 == 0:
            raise ValueError(f"{name} expects an odd number of at least 3, got {width}")
