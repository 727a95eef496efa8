"""The variables that each model of the zoo sees, by the definition of its layers: nothing is computed with weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import torch
from torch import Tensor

from chainrule.model import AutoregressiveModel
from chainrule.models import MADE, BayesNet, PixelCNN, PixelRNN, WaveNet
from chainrule.models.images.patches import Patches
from chainrule.nn.pixel_lstm import RowLSTM


def receptive_field(model: AutoregressiveModel) -> Tensor | None:
    """The variables that each conditional sees, through edges, live weights or image layers; None for all of the
    past."""
    if isinstance(model, BayesNet):
        edges = torch.zeros(model.num_variables, model.num_variables, dtype=torch.bool)
        for child, parents in enumerate(model.parents):
            edges[child, parents] = True
        return model.order.along(model.order.along(edges, 0), 1)
    if isinstance(model, PixelCNN | PixelRNN):
        seen = kernels_see(model) if isinstance(model, PixelCNN) else lstms_see(model)
        return seen if model.patches is None else within_patches(model.patches, seen)
    if isinstance(model, WaveNet):  # a band: from the definition of the taps
        ago = torch.arange(model.num_variables)[:, None] - torch.arange(model.num_variables)
        return (ago >= 1) & (ago <= 1 + sum(layer.dilation * (layer.kernel_size - 1) for layer in model.net.layers))
    if not isinstance(model, MADE):
        return None  # all of the past, also for an ensemble of these MADEs
    n = model.num_variables
    paths = torch.eye(n * model.embedding.num_features, dtype=torch.float64)
    for layer in [*model.hidden_layers, model.output_layer]:
        paths = layer.mask.double() @ paths
    if model.direct_layer is not None:
        paths = paths + model.direct_layer.mask
    inputs = (paths > 0).unflatten(1, (n, -1)).any(2)
    seen = torch.stack([inputs[own].any(0) for own in model.spread.rows])  # by position in the event
    return model.order.along(model.order.along(seen, 0), 1)


def kernels_see(model: PixelCNN) -> Tensor:
    """By the definition of the masks, layer after layer: which variable reaches which, both along the order."""
    sites = list(itertools.product(range(model.height), range(model.width), range(model.colours)))
    paths = masked_kernel(sites, model.first.reach, own=False)
    for block in model.layers:
        paths = masked_kernel(sites, block.conv.reach, own=True) @ paths
    return paths > 0


def within_patches(patches: Patches, seen: Tensor) -> Tensor:
    """The variables that each variable sees, if patches see ``seen``: also those before it in its own patch."""
    of = torch.tensor([row * patches.grid[1] + column for row, column, _ in patches.places])
    return seen[of][:, of] | (of[:, None] == of).tril(-1)


def masked_kernel(sites: list[tuple[int, ...]], reach: int, own: bool) -> Tensor:
    """Ones where a masked kernel at a site sees another of ``sites``, else zeros, ``(n, n)``."""

    def sees(here: tuple[int, ...], there: tuple[int, ...]) -> bool:
        (row, column, colour), (above, beside, other) = here, there
        if abs(beside - column) > reach or row - above > reach:
            return False
        before = above < row or (above == row and beside < column)
        return before or (there[:2] == here[:2] and (other < colour or (own and other == colour)))

    return torch.tensor([[float(sees(here, there)) for there in sites] for here in sites])


def lstms_see(model: PixelRNN) -> Tensor:
    """By the definition of the layers, pixel after pixel: which variable reaches which, both along the order."""
    height, width, colours = model.height, model.width, model.colours
    nothing = torch.zeros(height * width * colours, dtype=torch.bool)
    sites = list(itertools.product(range(height), range(width), range(colours)))
    seen = dict(zip(sites, masked_kernel(sites, model.first.reach, own=False) > 0, strict=True))

    def of(states: dict[tuple[int, ...], Tensor], row: int, columns: Iterable[int]) -> Tensor:
        """The variables that the states of whole pixels have seen; none beyond the edges."""
        inside = [column for column in columns if row >= 0 and 0 <= column < width]
        return sum((states[row, column, colour] for column in inside for colour in range(colours)), nothing)

    for layer in model.layers:
        states: dict[tuple[int, ...], Tensor] = {}
        right: dict[tuple[int, ...], Tensor] = {}
        for row, column, colour in sites:
            own = sum((seen[row, column, other] for other in range(colour + 1)), nothing)
            if isinstance(layer.lstm, RowLSTM):
                reach = layer.lstm.input_to_state.reach
                around = range(column - reach, column + reach + 1)
                states[row, column, colour] = own + of(seen, row, around[:reach]) + of(states, row - 1, around)
            else:
                left = of(states, row, [column - 1]) + of(states, row - 1, [column])
                states[row, column, colour] = own + left
        if not isinstance(layer.lstm, RowLSTM):
            for row, column, colour in sites:  # from the right: all of the rows above from this column on, moved down
                above = [of(seen, earlier, range(column, width)) for earlier in range(row)]
                right[row, column, colour] = sum(above, nothing)
        seen = {
            (row, column, colour): seen[row, column, colour]
            + sum(
                (states[row, column, other] + right.get((row, column, other), nothing) for other in range(colour + 1)),
                nothing,
            )
            for row, column, colour in sites
        }
    return torch.stack([seen[site] for site in sites])
