"""Gated PixelCNN: a stack of convolutions for the rows above and one for the pixels to the left, with gates.

v' = tanh(a) sigmoid(b), (a, b) = W_v * v;   h' = h + W_o tanh(c) sigmoid(d), (c, d) = W_h * h + W_(v->h) (a, b)

The vertical stack v sees whole rows above, the horizontal stack h the row of the pixel up to it and, through v, all
rows above: together everything that comes before, without the blind spot of `PixelCNN`.

References:
    Conditional image generation with PixelCNN decoders (van den Oord et al., 2016),
    https://arxiv.org/abs/1606.05328
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from chainrule.compiled import Compiled
from chainrule.conditionals import Conditional
from chainrule.models.images.contract import ImageModel, check_kernels, check_shares
from chainrule.nn.buffers import write_columns
from chainrule.nn.checks import check_counts, check_dropout
from chainrule.nn.class_bias import ClassBias, plus
from chainrule.nn.masked_conv import FeaturesAt, MaskedConv2d, RowsAbove, Site
from chainrule.nn.masked_program import MaskedInstructions, RowInstructions, Sites, instruct_outputs
from chainrule.nn.native.program import Program
from chainrule.nn.outputs import start_output
from chainrule.state import State


class GatedPixelCNN(ImageModel, Compiled):
    """The gated PixelCNN of the paper's figure 2, for images of any size and number of channels.

    `features` are the horizontal stack's output, averaged over the pixels.

    Args:
        event_shape: ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t).
        hidden_size: The paper's p: features of each stack.
        num_layers: Layers of the stacks.
        first_kernel_size: Width of the kernels of the first layer, which sees no pixel itself.
        kernel_size: Width of the kernels of the other layers.
        head_size: Features of the 1x1 layer before the last; by default p.
        dropout: Probability with which a gated feature of the horizontal stack is dropped in training.
        num_classes: The number of classes that an example can be conditioned on, by a bias in every gate.
        patch_size: Pixels of a side of the square patches that are read, and given a joint distribution, at once.

    Raises:
        ValueError: If the event is no image, a size is below 1 or can't be divided among the channels, or a kernel is
            even.

    >>> import torch
    >>> from chainrule.conditionals import Bernoulli
    >>> model = GatedPixelCNN(event_shape=(1, 5, 4), conditional=Bernoulli(), hidden_size=4, num_layers=2)
    >>> model.log_prob(torch.zeros(3, 1, 5, 4)).shape
    torch.Size([3])
    """

    growth = "constant in n"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_size: int = 48,
        num_layers: int = 10,
        first_kernel_size: int = 7,
        kernel_size: int = 3,
        head_size: int | None = None,
        dropout: float = 0.0,
        num_classes: int | None = None,
        patch_size: int = 1,
    ) -> None:
        super().__init__(
            event_shape=event_shape, conditional=conditional, num_classes=num_classes, patch_size=patch_size
        )
        check_counts(num_layers=num_layers)
        check_shares(self.colours, hidden_size=hidden_size, head_size=head_size)
        check_kernels(first_kernel_size=first_kernel_size, kernel_size=kernel_size)
        check_dropout(dropout)
        head = hidden_size if head_size is None else head_size
        self.layers: Sequence[GatedLayer] = nn.ModuleList(  # type: ignore[assignment]
            GatedLayer(
                hidden_size if layer else self.num_inputs,
                hidden_size,
                kernel_size if layer else first_kernel_size,
                self.colours,
                first=layer == 0,
                last=layer == num_layers - 1,
                dropout=dropout,
                num_classes=num_classes,
            )
            for layer in range(num_layers)
        )
        self.head = MaskedConv2d(hidden_size, head, 1, colours=self.colours)
        self.output = MaskedConv2d(head, self.num_outputs, 1, colours=self.colours)

    def network(self, features: Tensor, context: Tensor | None) -> Tensor:
        parameters: Tensor = self.output(self.head(self._hidden(features, context).relu()).relu())
        return parameters

    def _hidden(self, features: Tensor, context: Tensor | None) -> Tensor:
        vertical = horizontal = features
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal, context)
        return horizontal

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.check(x)
        return self._hidden(self.read(x), self.check_context(context, len(x))).relu().mean((2, 3))

    def start_at(self, x: Tensor) -> None:
        start_output(self.output.weight, self.output.bias, self._start_of_pixels(x))

    def network_start(self, batch_size: int, context: Tensor | None) -> State:
        row = self.empty(batch_size, self.layers[0].in_channels * self.width)
        layers = tuple(layer.start(batch_size, self.width, context) for layer in self.layers)
        return row, layers, *(layer.start(batch_size, self.width) for layer in (self.head, self.output))

    def network_step(self, state: State, previous: FeaturesAt | None, site: Site) -> tuple[Tensor, State]:
        row, layers, head, output = state
        if previous is not None:
            values, (_, column, colour) = previous
            share = values.shape[1]
            row = write_columns(row, values, (column * self.colours + colour) * share)
        if site.begins_row:
            vertical, layers_of_row = row.unflatten(1, (1, self.width, -1)).permute(0, 3, 1, 2), []
            for layer, own in zip(self.layers, layers, strict=True):
                vertical, own = layer.step_row(own, vertical)
                layers_of_row.append(own)
            layers = layers_of_row
        written, updated = previous, []
        for layer, own in zip(self.layers, layers, strict=True):
            hidden, own = layer.step(own, written, site)
            written = hidden, site
            updated.append(own)
        hidden, head = self.head.step(head, (hidden.relu(), site), site)
        parameters, output = self.output.step(output, (hidden.relu(), site), site)
        return parameters, (row, tuple(updated), head, output)

    def program(self) -> Program | None:
        if self.conditional.codes is None:
            return None
        image = self.instructions()
        program, sites = image.program, image.sites
        first = MaskedInstructions(self.layers[0].horizontal, program, sites)
        row, share = program.units(self.num_inputs * self.width), self.num_inputs // self.colours
        image.read(row + (sites.column * self.colours + sites.colour) * share)
        image.read(first.place)
        with image.network():
            first.next_row()
        program.begin()
        with image.network():
            downs = []
            for layer in self.layers:
                row, down = layer.instruct_row(program, row, sites)
                downs.append(down)
            hidden = program.units(self.layers[0].out.out_channels // self.colours)
            for layer, down in zip(self.layers, downs, strict=True):
                horizontal = first if layer.first else MaskedInstructions(layer.horizontal, program, sites)
                layer.instruct(program, horizontal, hidden, down, sites)
            numbers = instruct_outputs(program, sites, hidden, self.head, self.output)
        image.choose(numbers)
        return program


class GatedLayer(nn.Module):
    """One layer of both stacks.

    Args:
        in_channels: Features of a pixel that come in.
        hidden_size: Features of each stack that go out.
        kernel_size: Width of the kernels.
        colours: Groups of features of the horizontal stack.
        first: True if it reads the image itself, and so must not see a pixel's own row (vertical) or value
            (horizontal), nor add it to its output.
        last: True if no layer follows that would read its vertical output.
        dropout: Probability with which a gated feature of the horizontal stack is dropped in training.
        num_classes: Classes, each of which adds a bias to both gates.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_size: int,
        kernel_size: int,
        colours: int,
        *,
        first: bool,
        last: bool,
        dropout: float,
        num_classes: int | None,
    ) -> None:
        super().__init__()
        self.in_channels, self.colours, self.first, self.last = in_channels, colours, first, last
        self.vertical = RowsAbove(in_channels, 2 * hidden_size, kernel_size, own_row=not first)
        self.down = nn.Conv2d(2 * hidden_size, 2 * hidden_size, 1)
        self.horizontal = MaskedConv2d(
            in_channels, 2 * hidden_size, kernel_size, colours=colours, own=not first, above=False
        )
        self.out = MaskedConv2d(hidden_size, hidden_size, 1, colours=colours)
        self.dropout = nn.Dropout(dropout)
        self.vertical_class_bias = ClassBias(None if last else num_classes, 2 * hidden_size)
        self.class_bias = ClassBias(num_classes, 2 * hidden_size)

    def forward(self, vertical: Tensor, horizontal: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both stacks ``(B, hidden_size, height, width)`` of the next layer."""
        above = self.vertical(vertical)
        both = plus(self.horizontal(horizontal) + self.down(above), self.class_bias(context))
        hidden = self.out(self.dropout(gated(both, self.colours)))
        hidden = hidden if self.first else horizontal + hidden
        return self._vertical(above, self.vertical_class_bias(context)), hidden

    def _vertical(self, above: Tensor, class_bias: Tensor | None) -> Tensor:
        return above if self.last else gated(plus(above, class_bias), 1)

    def start(self, batch_size: int, width: int, context: Tensor | None) -> State:
        """The state before the first pixel of images that are ``width`` wide."""
        biases = self.vertical_class_bias(context), self.class_bias(context)
        horizontal, out = (layer.start(batch_size, width) for layer in (self.horizontal, self.out))
        return self.vertical.start(batch_size, width), None, horizontal, out, biases

    def step_row(self, state: State, row: Tensor) -> tuple[Tensor, State]:
        """The vertical stack of a row ``(B, hidden_size, 1, width)``, and the state for the pixels of the row.

        Args:
            state: What `start` or the last step of the row before returned.
            row: The vertical stack of the layer before at this row, or, for the first layer, the image's row above.
        """
        rows, _, horizontal, out, biases = state
        above, rows = self.vertical.step(rows, row)
        # What the vertical stack adds to the gate of each colour, for every pixel of the row.
        down = plus(self.down(above), biases[1]).squeeze(2).unflatten(1, (self.colours, -1)).permute(0, 3, 1, 2)
        return self._vertical(above, biases[0]), (rows, down.contiguous(), horizontal, out, biases)

    def step(self, state: State, written: FeaturesAt | None, site: Site) -> tuple[Tensor, State]:
        """The horizontal stack ``(B, hidden_size / colours)`` at ``site``, and the next state."""
        rows, down, horizontal, out, biases = state
        both, horizontal = self.horizontal.step(horizontal, written, site)
        hidden, out = self.out.step(out, (gated(both + down[:, site.column, site.colour], 1), site), site)
        if not self.first:
            assert written is not None
            hidden = written[0] + hidden
        return hidden, (rows, down, horizontal, out, biases)

    def instruct_row(self, program: Program, row: int, sites: Sites) -> tuple[int, int]:
        """Add the instructions of `step_row`, and return the units of the vertical stack, and of what it adds.

        Args:
            program: The program.
            row: Units ``(width, in_channels)``.
            sites: The places of all variables.
        """
        width, size = sites.width, self.down.out_channels
        begins, layer = sites.begins, RowInstructions(self.vertical, program, sites)
        above, down, vertical = (program.units(width * count) for count in (size, size, size // 2))
        layer.step(above, row)
        with program.repeated(width, size, size):
            program.linear(down, self.down.weight.flatten(1), above, self.down.bias, rows=begins * size)
        for bias, to in ((self.class_bias, down), (self.vertical_class_bias, above)):
            if bias.size:
                given = program.give(size, lambda _, context, bias=bias: bias(context))
                with program.repeated(width, size, 0):
                    program.add(to, given, begins * size)
        if not self.last:
            with program.repeated(width, size // 2, size):
                program.gated(vertical, above, begins * (size // 2))
        return vertical, down

    def instruct(self, program: Program, horizontal: MaskedInstructions, hidden: int, down: int, sites: Sites) -> None:
        """Add the instructions of `step`, which change the units ``hidden``.

        Args:
            program: The program.
            horizontal: The instructions of the horizontal stack; the first layer's have been given the image.
            hidden: The horizontal stack.
            down: What the vertical stack adds, ``(width, colours, k)``.
            sites: The places of all variables.
        """
        size = self.out.out_channels // self.colours
        both, between = program.units(2 * size), program.units(size)
        if self.first:
            horizontal.read(both)
        else:
            horizontal.step(both, hidden)
        program.add(both, down + (sites.column * self.colours + sites.colour) * 2 * size, 2 * size)
        program.gated(between, both, size)
        MaskedInstructions(self.out, program, sites).step(hidden, between, add=not self.first)


def gated(x: Tensor, colours: int) -> Tensor:
    """tanh(a) sigmoid(b), where each colour's share of ``x`` ``(B, 2k, ...)`` is (a, b)."""
    if colours == 1:
        a, b = x.chunk(2, dim=1)
        return a.tanh() * b.sigmoid()
    a, b = x.unflatten(1, (colours, 2, -1)).unbind(2)
    return (a.tanh() * b.sigmoid()).flatten(1, 2)
