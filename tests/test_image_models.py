"""Image models against an independent, naive reading of their papers, and the cost of their steps."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution
from zoo import IMAGE_CONDITIONALS, IMAGE_MODELS, fits

import chainrule
from chainrule.conditionals import Bernoulli, Categorical, DiscretizedLogisticMixture
from chainrule.models import GatedPixelCNN, PixelCNN, PixelCNNPlusPlus, PixelRNN
from chainrule.models.images.contract import ImageModel
from chainrule.nn.masked_conv import MaskedConv2d, RowsAbove
from chainrule.nn.pixel_lstm import DiagonalLSTM, RowLSTM
from chainrule.testing import causal, gradients_flow, randomised, step_equals_forward, uses_its_past
from chainrule.walk import walk

SHAPES = [(1, 3, 4), (3, 4, 3)]


def subject(build: Callable[..., ImageModel], shape: tuple[int, ...], scale: float = 1.0, **arguments: Any) -> Any:
    arguments = {"conditional": Categorical(3)} | arguments
    return randomised(build(event_shape=shape, **arguments), scale=scale).double().eval()


def images(model: ImageModel, count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(3, (count, *model.event_shape), generator=generator).double()


def whole_kernel(layer: MaskedConv2d, mask: str, in_colours: Tensor, out_colours: Tensor) -> Tensor:
    """The k x k kernel of the paper with its mask A or B, the masked weights zeroed one by one."""
    k, rows, columns = 2 * layer.reach + 1, *layer.kernel_size
    kernel = torch.zeros(layer.out_channels, layer.in_channels, k, k, dtype=torch.double)
    for row in range(rows):
        for column in range(columns):
            above, beside = row - (rows - 1), column - layer.reach
            for after in range(layer.out_channels):
                for before in range(layer.in_channels):
                    own, other = int(out_colours[after]), int(in_colours[before])
                    lives = above < 0 or beside < 0
                    if above == 0 and beside == 0:
                        lives = other < own or (other == own and mask == "B")
                    if lives:
                        place = (after, before, layer.reach + above, layer.reach + beside)
                        kernel[place] = layer.weight[after, before, row, column]
    return kernel


def by_hand(layer: MaskedConv2d, x: Tensor, mask: str = "B") -> Tensor:
    """The masked convolution by a whole kernel."""
    inputs, outputs = (torch.arange(size) * layer.colours // size for size in (layer.in_channels, layer.out_channels))
    return F.conv2d(x, whole_kernel(layer, mask, inputs, outputs), layer.bias, padding=layer.reach)


def one_hot(x: Tensor) -> Tensor:
    """Channels of what is read of three values: for every colour whether it is 1, and whether it is 2."""
    return torch.stack([(x == value).double() for value in (1, 2)], dim=2).flatten(1, 2)


def log_prob(model: ImageModel, parameters: Tensor, x: Tensor) -> Tensor:
    """Log p(x) from ``(B, colours * 3, height, width)``."""
    logits = parameters.unflatten(1, (model.colours, 3)).log_softmax(2)
    return logits.gather(2, x.long()[:, :, None]).flatten(1).sum(1)


@pytest.mark.parametrize("shape", SHAPES)
def test_pixel_cnn_is_the_table_of_the_paper(shape: tuple[int, ...]) -> None:
    model = subject(PixelCNN, shape, hidden_size=6, num_blocks=2, first_kernel_size=5, head_size=9, num_classes=2)
    x, classes = images(model), torch.tensor([0, 1, 1, 0])
    hidden = by_hand(model.first, one_hot(x), "A")
    for block in model.layers:
        inner = by_hand(block.conv, by_hand(block.narrow, hidden.clamp(min=0)).clamp(min=0))
        inner = inner + block.class_bias.bias[classes][:, :, None, None]
        hidden = hidden + by_hand(block.widen, inner.clamp(min=0))
    parameters = by_hand(model.output, by_hand(model.head, hidden.clamp(min=0)).clamp(min=0))
    assert torch.allclose(model.log_prob(x, classes), log_prob(model, parameters, x))
    assert torch.allclose(model.features(x, classes), hidden.clamp(min=0).mean((2, 3)))


def gate(x: Tensor, colours: int) -> Tensor:
    parts = [share.tensor_split(2, dim=1) for share in x.tensor_split(colours, dim=1)]
    return torch.cat([torch.tanh(a) * torch.sigmoid(b) for a, b in parts], dim=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_gated_pixel_cnn_is_the_figure_of_the_paper(shape: tuple[int, ...]) -> None:
    """Its vertical stack by whole kernels over an image that is moved down by a row, as the paper suggests."""
    model = subject(GatedPixelCNN, shape, hidden_size=6, num_layers=3, first_kernel_size=5, num_classes=2)
    x, classes = images(model), torch.tensor([1, 0, 1, 1])
    vertical = horizontal = one_hot(x)
    for layer in model.layers:
        rows, columns = layer.vertical.kernel_size
        kernel = F.pad(layer.vertical.weight, (0, 0, 0, columns - rows - (columns // 2 - layer.vertical.above)))
        kernel = kernel if not layer.first else F.pad(layer.vertical.weight, (0, 0, 0, columns - rows))
        above = F.conv2d(vertical, kernel, layer.vertical.bias, padding=columns // 2)
        both = by_hand(layer.horizontal, horizontal, "A" if layer is model.layers[0] else "B")[:, :, :, : shape[2]]
        both = both + F.conv2d(above, layer.down.weight, layer.down.bias)
        both = both + layer.class_bias.bias[classes][:, :, None, None]
        hidden = by_hand(layer.out, gate(both, model.colours))
        horizontal = hidden if layer.first else horizontal + hidden
        if not layer.last:
            vertical = gate(above + layer.vertical_class_bias.bias[classes][:, :, None, None], 1)
    parameters = by_hand(model.output, by_hand(model.head, horizontal.clamp(min=0)).clamp(min=0))
    assert torch.allclose(model.log_prob(x, classes), log_prob(model, parameters, x))
    assert torch.allclose(model.features(x, classes), horizontal.clamp(min=0).mean((2, 3)))


def lstm(gates: Tensor, cell: Tensor, colours: int) -> tuple[Tensor, Tensor]:
    """h and c ``(B, k)`` from the gates of one pixel, i, f, g and o of each colour."""
    parts = [share.tensor_split(4, dim=1) for share in gates.tensor_split(colours, dim=1)]
    i, f, g, o = (torch.cat([part[gate] for part in parts], dim=1) for gate in range(4))
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def rows_by_hand(layer: RowLSTM, x: Tensor, bias: Tensor) -> Tensor:
    gates = by_hand(layer.input_to_state, x)[:, :, :, : x.shape[3]] + bias[:, :, None, None]
    states, (reach, width) = torch.zeros(len(x), layer.hidden_size, *x.shape[2:], dtype=torch.double), (1, x.shape[3])
    cells = torch.zeros_like(states)
    for row in range(x.shape[2]):
        for column in range(width):
            own, cell = gates[:, :, row, column], torch.zeros(len(x), layer.hidden_size, dtype=torch.double)
            if row:
                cell = cells[:, :, row - 1, column]
                for tap in range(-reach, reach + 1):
                    if 0 <= column + tap < width:
                        weight = layer.state_to_state.weight[:, :, reach + tap]
                        own = own + states[:, :, row - 1, column + tap] @ weight.T
            states[:, :, row, column], cells[:, :, row, column] = lstm(own, cell, layer.colours)
    return states


def diagonals_by_hand(layer: DiagonalLSTM, x: Tensor, bias: Tensor, step: int) -> Tensor:
    """From the left (``step`` 1) or from the right (-1)."""
    gates = by_hand(layer.input_to_state, x) + bias[:, :, None, None]
    width, size = x.shape[3], layer.hidden_size
    states = torch.zeros(len(x), size, *x.shape[2:], dtype=torch.double)
    nothing = torch.zeros(len(x), size, dtype=torch.double)
    for row in range(x.shape[2]):
        cell = nothing
        for column in range(width)[::step]:
            beside = states[:, :, row, column - step] if 0 <= column - step < width else nothing
            above = states[:, :, row - 1, column] if row else nothing
            own = gates[:, :, row, column] + torch.cat([beside, above], dim=1) @ layer.state_to_state.weight.T
            states[:, :, row, column], cell = lstm(own, cell, layer.colours)
    return states


@pytest.mark.parametrize("cell", ["diagonal", "row"])
@pytest.mark.parametrize("shape", SHAPES)
def test_pixel_rnn_is_the_table_of_the_paper(shape: tuple[int, ...], cell: str) -> None:
    model = subject(PixelRNN, shape, hidden_size=6, num_layers=2, first_kernel_size=5, num_classes=2, cell=cell)
    x, classes = images(model), torch.tensor([0, 1, 1, 0])
    hidden = by_hand(model.first, one_hot(x), "A")
    for layer in model.layers:
        bias = layer.class_bias.bias[classes]
        if cell == "row":
            states = rows_by_hand(layer.lstm, hidden, bias)
        else:
            states = diagonals_by_hand(layer.lstm.left, hidden, bias, 1)
            states[:, :, 1:] += diagonals_by_hand(layer.lstm.right, hidden, bias, -1)[:, :, :-1]
        hidden = hidden + by_hand(layer.widen, states)
    parameters = by_hand(model.output, by_hand(model.head, hidden.clamp(min=0)).clamp(min=0))
    assert torch.allclose(model.log_prob(x, classes), log_prob(model, parameters, x))
    assert torch.allclose(model.features(x, classes), hidden.clamp(min=0).mean((2, 3)))


def bin_probability(x: Tensor, mean: Tensor, scale: Tensor, levels: int) -> Tensor:
    """P(x) of logistics cut into bins, from their distribution function."""
    half, centre = 1 / (levels - 1), 2 * x / (levels - 1) - 1
    upper = torch.where(x == levels - 1, 1.0, torch.sigmoid((centre + half - mean) / scale))
    return upper - torch.where(x == 0, 0.0, torch.sigmoid((centre - half - mean) / scale))


def elus(x: Tensor) -> Tensor:
    return torch.cat([torch.where(part > 0, part, part.exp() - 1) for part in (x, -x)], dim=1)


def above_by_hand(layer: RowsAbove, x: Tensor) -> Tensor:
    """Row by row: the kernel's lowest row lies on the row itself, or, for a first layer, on the one above."""
    rows, columns = layer.kernel_size
    down = F.pad(x, (columns // 2, columns // 2, rows - 1 if layer.own_row else rows, 0))
    return F.conv2d(down, layer.weight, layer.bias)[:, :, : x.shape[2]]


def blocks_by_hand(model: Any, blocks: Any, u: Tensor, v: Tensor, bias: Any) -> tuple[Tensor, Tensor]:
    """A resolution: blocks, the half resolution, and blocks that read what the first ones gave, the last one first."""

    def stream(net: Any, x: Tensor, skips: list[Tensor], conv: Callable[..., Tensor]) -> Tensor:
        hidden = conv(net.first, elus(x))
        if skips:
            hidden = hidden + F.conv2d(elus(torch.cat(skips, dim=1)), net.skip.weight, net.skip.bias)
        a, b = (conv(net.second, elus(hidden)) + bias(net.class_bias)).tensor_split(2, dim=1)
        return x + a * torch.sigmoid(b)

    kept = []
    for block in blocks.before:
        u = stream(block.u, u, [], above_by_hand)
        v = stream(block.v, v, [u], by_hand)
        kept.append((u, v))
    if len(blocks.after):
        small_u, small_v = above_by_hand(blocks.halve_u, u)[..., ::2, ::2], by_hand(blocks.halve_v, v)[..., ::2, ::2]
        smaller = blocks_by_hand(model, blocks.inner, small_u, small_v, bias)
        whole = []
        for x, double, like in zip(smaller, (blocks.double_u, blocks.double_v), (u, v), strict=True):
            out = torch.zeros_like(like)
            for corner in range(4):
                row, column = divmod(corner, 2)
                weight, offset = double.weight[corner::4], double.bias[corner::4]
                part = F.conv2d(x, weight, offset)
                place = out[:, :, row::2, column::2]
                place.copy_(part[:, :, : place.shape[2], : place.shape[3]])
            whole.append(out)
        u, v = whole
        for block, (skip_u, skip_v) in zip(blocks.after, kept[::-1], strict=True):
            u = stream(block.u, u, [skip_u], above_by_hand)
            v = stream(block.v, v, [u, skip_v], by_hand)
    return u, v


@pytest.mark.parametrize("shape", [(1, 4, 6), (1, 5, 3)])
def test_pixel_cnn_plus_plus_is_two_streams_with_shortcuts(shape: tuple[int, ...]) -> None:
    model = subject(PixelCNNPlusPlus, shape, 0.5, hidden_size=4, num_blocks=2, num_resolutions=2, num_classes=2)
    x, classes = images(model), torch.tensor([0, 1, 1, 0])
    with torch.no_grad():
        features = torch.cat([one_hot(x), torch.ones_like(x)], dim=1)
        u, v = above_by_hand(model.above, features), by_hand(model.beside, features, "A")
        _, v = blocks_by_hand(model, model.blocks, u, v, lambda layer: layer.bias[classes][:, :, None, None])
        parameters = F.conv2d(elus(v), model.output.weight, model.output.bias)
        assert torch.allclose(model.log_prob(x, classes), log_prob(model, parameters, x))
        assert torch.allclose(model.features(x, classes), v.mean((2, 3)))


BRANCHED = [(1, 1, 1), (1, 1, 5), (1, 5, 1), (2, 3, 3), (3, 4, 2), (4, 2, 3)]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        (name, shape)
        for name in IMAGE_MODELS
        for shape in BRANCHED
        if "patches" not in name or (shape[0] < 4 and max(shape[1:]) > 1)
    ],
)
def test_states_can_be_branched(name: str, shape: tuple[int, ...]) -> None:
    """Items of the batch are dropped and repeated after every variable; those that are left have their own p."""
    sizes = {"hidden_size": 12, "head_size": 12} if "PlusPlus" not in name else {"hidden_size": 4}
    build = IMAGE_MODELS[name]
    conditional = Bernoulli() if "patches" in name else DiscretizedLogisticMixture(3, 2)
    model = build.func(**build.keywords | sizes | {"event_shape": shape, "conditional": conditional})
    model = randomised(model, scale=0.5).double().eval()
    context = None if model.num_classes is None else torch.ones(6)
    generator, total = torch.Generator().manual_seed(0), torch.zeros(6, dtype=torch.double)

    def choose(t: int, distribution: Distribution) -> Tensor:
        value = distribution.sample()
        total.add_(distribution.log_prob(value))
        return value

    def select(t: int) -> Tensor:
        kept = torch.randint(6, (6,), generator=generator)
        total.copy_(total[kept])
        return kept

    with torch.inference_mode():
        x = walk(model, 6, choose, context, select=select)
        assert torch.allclose(model.log_prob(x, context), total)
        assert model.log_prob(x[:0], None if context is None else context[:0]).shape == (0,)


@pytest.mark.parametrize("levels", [3, 256])
def test_colours_of_pixel_cnn_plus_plus_are_one_joint_mixture(levels: int) -> None:
    """p(r, g, b) = sum_i pi_i p_i(r) p_i(g given r) p_i(b given r and g), from the numbers of the network."""
    mixture = DiscretizedLogisticMixture(levels, components=3)
    model = subject(PixelCNNPlusPlus, (3, 3, 4), 0.3, conditional=mixture, hidden_size=6, num_blocks=1, num_classes=2)
    x, classes = torch.randint(levels, (4, 3, 3, 4), generator=torch.Generator().manual_seed(0)), torch.arange(4) % 2
    x = x.double()
    numbers = model.network(model.read(x), classes).unflatten(1, (-1, 3))
    pi, means, scales, c = numbers[:, 0].softmax(1), numbers[:, 1:4], numbers[:, 4:7].exp(), numbers[:, 7:].tanh()
    r, g, _ = (2 * x / (levels - 1) - 1)[:, :, None].unbind(1)
    means = [means[:, 0], means[:, 1] + c[:, 0] * r, means[:, 2] + c[:, 1] * r + c[:, 2] * g]
    joint = pi
    for colour, mean in enumerate(means):
        joint = joint * bin_probability(x[:, colour, None], mean, scales[:, colour], levels)
    assert torch.allclose(model.log_prob(x, classes), joint.sum(1).log().flatten(1).sum(1))


@pytest.mark.parametrize("shape", [(1, 5, 4), (1, 4, 7), (3, 3, 2)])
def test_three_resolutions_of_pixel_cnn_plus_plus(shape: tuple[int, ...]) -> None:
    """Odd sizes, halved twice: the laws that a deep network keeps, on it."""
    model = PixelCNNPlusPlus(
        event_shape=shape, conditional=DiscretizedLogisticMixture(2, 2), hidden_size=5, num_blocks=2, num_resolutions=3
    )
    model = randomised(model, scale=0.5)
    for law in (causal, uses_its_past, step_equals_forward, gradients_flow):
        assert law(model) == "passed"


@pytest.mark.parametrize(
    ("name", "conditional"),
    [pair for pair in itertools.product(IMAGE_MODELS, IMAGE_CONDITIONALS) if fits(*pair, (1, 9, 7))],
)
def test_a_sample_costs_no_more_than_two_passes(name: str, conditional: str) -> None:
    shape = (3, 9, 7) if fits(name, conditional, (3, 9, 7)) else (1, 9, 7)
    model = IMAGE_MODELS[name](event_shape=shape, conditional=IMAGE_CONDITIONALS[conditional])
    description = chainrule.describe(model)
    assert description.log_prob_operations is not None
    assert description.sample_operations is not None
    assert 0 < description.sample_operations <= 2 * description.log_prob_operations


@pytest.mark.parametrize(
    "build", [partial(PixelCNN, num_blocks=1), partial(GatedPixelCNN, num_layers=1), partial(PixelRNN, num_layers=1)]
)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"event_shape": (12,)}, r"expects images, an event_shape \(channels, height, width\), got \(12,\)"),
        ({"event_shape": (0, 4, 4)}, r"event_shape.* got \(0, 4, 4\)"),
        ({"hidden_size": 0}, "hidden_size expects at least 1, got 0"),
        ({"head_size": 0}, "head_size expects at least 1, got 0"),
        ({"num_blocks": 0, "num_layers": 0}, r"num_(blocks|layers) expects at least 1, got 0"),
        ({"first_kernel_size": 4}, "first_kernel_size expects an odd number of at least 3, got 4"),
        ({"first_kernel_size": 1}, "first_kernel_size expects an odd number of at least 3, got 1"),
        (
            {"event_shape": (3, 4, 4), "hidden_size": 4},
            "hidden_size expects a multiple of 3, the image's channels, got 4",
        ),
        ({"event_shape": (3, 4, 4), "head_size": 8}, "head_size expects a multiple of 3, the image's channels, got 8"),
        ({"dropout": 1.0}, r"dropout expects a probability in \[0, 1\), got 1"),
    ],
)
def test_wrong_arguments(build: Any, arguments: dict[str, Any], message: str) -> None:
    if "dropout" in arguments and build.func is PixelRNN:
        arguments, message = {"cell": "column"}, "cell expects 'diagonal' or 'row', got 'column'"
    known = build.func.__init__.__kwdefaults__.keys() | {"event_shape", "conditional"}
    own = {name: value for name, value in arguments.items() if name in known}
    with pytest.raises(ValueError, match=message):
        build(**{"event_shape": (1, 4, 4), "conditional": Bernoulli(), "hidden_size": 6} | own)


def test_pixel_cnn_plus_plus_says_what_it_expects() -> None:
    with pytest.raises(ValueError, match="expects a DiscretizedLogisticMixture for 3 channels, got Bernoulli"):
        PixelCNNPlusPlus(event_shape=(3, 4, 4), conditional=Bernoulli())
    with pytest.raises(ValueError, match="num_resolutions expects at least 1, got 0"):
        PixelCNNPlusPlus(event_shape=(1, 4, 4), conditional=Bernoulli(), num_resolutions=0)


@pytest.mark.parametrize("build", [PixelCNN, GatedPixelCNN, PixelRNN, PixelCNNPlusPlus])
def test_completes_what_is_below_exactly(build: Any) -> None:
    model = subject(build, (1, 4, 4), hidden_size=6)
    x, observed = images(model), torch.zeros(1, 4, 4, dtype=torch.bool)
    observed[:, :2] = True
    done = chainrule.completion(model, x, observed, seed=0)
    assert done.exact
    assert torch.equal(done.x[..., :2, :], x[..., :2, :])
    with pytest.raises(ValueError, match=r"expects examples of shape \(B, 1, 4, 4\), got \(4, 1, 4, 5\)"):
        model.log_prob(F.pad(x, (0, 1)))
