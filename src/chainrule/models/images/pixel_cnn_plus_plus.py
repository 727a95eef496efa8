"""PixelCNN++: two streams of gated residual blocks over several resolutions, and mixtures of discretised logistics.

Blocks follow each other at every resolution. Between two resolutions the image is halved and later doubled again; the
blocks after the doubling also read the outputs of the blocks before the halving (shortcuts). The stream u has read the
rows above a pixel, the stream v also what is to its left; each block of v reads u:

x' = x + a sigmoid(b),  (a, b) = W_2 * e(W_1 * e(x) + W_s e(skip)),  e(x) = elu([x, -x])

The network sees whole pixels. Colours of one pixel depend on each other as in the paper: component i of a colour's
mixture has the mean mu_i + sum_h c_(i,h) x_h over the colours h before it, and the weight pi_i prod_h p_i(x_h).

References:
    PixelCNN++: improving the PixelCNN with discretized logistic mixture likelihood and other modifications
    (Salimans, Karpathy, Chen and Kingma, 2017), https://arxiv.org/abs/1701.05517
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.conditionals import Conditional, DiscretizedLogisticMixture
from chainrule.conditionals.base import at_least_single
from chainrule.conditionals.logistic_mixture import LogisticBins
from chainrule.conditionals.starting import clusters
from chainrule.models.images.contract import ImageModel, image_shape
from chainrule.nn.checks import check_counts, check_dropout
from chainrule.nn.masked_conv import FeaturesAt, MaskedConv2d, RowsAbove, Site
from chainrule.nn.outputs import start_output
from chainrule.nn.resolutions import Resolution, concat_elu
from chainrule.state import Shared, State


class PixelCNNPlusPlus(ImageModel):
    """The PixelCNN++, for images of any size, with one or several channels.

    It differs from the authors': kernels of v are 3 wide in the row above, the first one of u is 5 wide; doubling takes
    2 x 2 transposed kernels, which don't overlap; no blocks follow those of the lowest resolution; weights are not
    normalised.

    `features` are the output of the last block of v, averaged over the pixels.

    Args:
        event_shape: ``(channels, height, width)``.
        conditional: The family of p(x_t | x_<t); with more than one channel a `DiscretizedLogisticMixture`.
        hidden_size: Features of each stream.
        num_blocks: Blocks at every resolution before it is halved, and as many after, except at the lowest.
        num_resolutions: The number of resolutions, each half as high and wide as the one before.
        dropout: Probability with which a feature within a block is dropped in training.
        num_classes: The number of classes that an example can be conditioned on, by a bias in every block.
        patch_size: Pixels of a side of the square patches that are read, and given a joint distribution, at once.

    Raises:
        ValueError: If the event is no image, a size is below 1, or the conditional does not fit the channels.

    >>> from chainrule.conditionals import Bernoulli
    >>> model = PixelCNNPlusPlus(event_shape=(1, 5, 4), conditional=Bernoulli(), hidden_size=4, num_blocks=1)
    >>> model.log_prob(torch.zeros(3, 1, 5, 4)).shape
    torch.Size([3])
    """

    growth = "constant in n"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_size: int = 64,
        num_blocks: int = 3,
        num_resolutions: int = 2,
        dropout: float = 0.0,
        num_classes: int | None = None,
        patch_size: int = 1,
    ) -> None:
        super().__init__(
            event_shape=event_shape, conditional=conditional, num_classes=num_classes, patch_size=patch_size
        )
        check_counts(hidden_size=hidden_size, num_blocks=num_blocks, num_resolutions=num_resolutions)
        check_dropout(dropout)
        self.joint = self._joint()
        self.step_period = 2 ** (num_resolutions - 1)
        inputs = self.num_inputs + 1  # and a one, by which it knows where the image ends
        self.above = RowsAbove(inputs, hidden_size, 5, own_row=False)
        self.beside = MaskedConv2d(inputs, hidden_size, 3, own=False)
        self.blocks = Resolution(hidden_size, num_blocks, num_resolutions, dropout, num_classes)
        if self.joint is not None:
            self.num_outputs = self._num_joint_outputs(self.joint)
        self.output = nn.Conv2d(2 * hidden_size, self.num_outputs, 1)

    @classmethod
    def usual_conditional(cls, event_shape: Sequence[int], usual: Conditional) -> Conditional:
        """The ``usual`` family of one colour; of several a mixture of logistics over the same levels."""
        colours, _, _ = image_shape(event_shape, cls.__name__)
        if colours == 1 or usual.values is None:
            return usual
        return DiscretizedLogisticMixture(len(usual.values))

    def _joint(self) -> DiscretizedLogisticMixture | None:
        """The mixture whose components several colours share, or None for one colour."""
        if self.colours == 1:
            return None
        if not isinstance(self.conditional, DiscretizedLogisticMixture):
            raise ValueError(
                f"PixelCNNPlusPlus expects a DiscretizedLogisticMixture for {self.colours} channels, "
                f"got {self.conditional}"
            )
        return self.conditional

    def _num_joint_outputs(self, joint: DiscretizedLogisticMixture) -> int:
        """The size of all components: a logit, and a mean, a log-scale and coefficients for each colour."""
        pairs = self.colours * (self.colours - 1) // 2
        return joint.components * (1 + 2 * self.colours + pairs)

    def start_at(self, x: Tensor) -> None:
        """`Model.start_at`; of several channels, the mixture of `clusters` of the pixels."""
        own = self._start_of_pixels(x) if self.joint is None else self._start_of_joint(self.joint, x)
        start_output(self.output.weight, self.output.bias, own)

    def _start_of_joint(self, joint: DiscretizedLogisticMixture, x: Tensor) -> Tensor:
        """The numbers ``(num_outputs,)`` of components that stand at clusters of the pixels, without coefficients."""
        self.check_shape(x)
        self.conditional.check(x)
        pixels = x.movedim(1, -1).flatten(0, -2)
        shares, means, deviations = clusters(joint.on_line(pixels), joint.components)
        numbers = torch.cat([shares.log().unsqueeze(0), means.T, joint.log_scales(deviations).T]).flatten()
        return F.pad(numbers, (0, self.num_outputs - len(numbers)))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        if self.joint is None:
            return super().forward(x, context)
        numbers = self.network(self.read(x), context).movedim(1, -1)
        colours = [self._colour(numbers, x[:, :colour].movedim(1, -1)) for colour in range(self.colours)]
        return self.conditional.distribution(torch.stack(colours, dim=1))

    def _colour(self, numbers: Tensor, before: Tensor) -> Tensor:
        """Parameters ``(..., 3 * components)`` of a colour, given those ``(..., k)`` before it at the same pixels."""
        assert self.joint is not None
        logits, *rest = numbers.unflatten(-1, (-1, self.joint.components)).unbind(-2)
        means, log_scales = rest[: self.colours], rest[self.colours : 2 * self.colours]
        coefficients = iter(rest[2 * self.colours :])
        half = (self.joint.categories - 1) / 2
        colour, mean = before.shape[-1], means[0]
        for later in range(colour + 1):
            mean = means[later]
            for earlier in range(later):
                mean = mean + next(coefficients).tanh() * (before[..., earlier, None] / half - 1)
            if later < colour:  # what its value says of the components
                alone = LogisticBins(torch.cat([logits, mean, log_scales[later]], dim=-1), self.joint.categories)
                logits = logits + alone.component_log_probs(before[..., later])
        return torch.cat([logits, mean, log_scales[colour]], dim=-1)

    def network(self, features: Tensor, context: Tensor | None) -> Tensor:
        numbers: Tensor = self.output(concat_elu(self._hidden(features, context)))
        return at_least_single(numbers)

    def _hidden(self, features: Tensor, context: Tensor | None) -> Tensor:
        features = F.pad(features, (0, 0, 0, 0, 0, 1), value=1.0)
        u = self.above(features).contiguous(memory_format=torch.channels_last)
        v = self.beside(features).contiguous(memory_format=torch.channels_last)
        hidden: Tensor = self.blocks(u, v, context)[1]
        return hidden

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.check(x)
        return self._hidden(self.read(x), self.check_context(context, len(x))).mean((2, 3))

    def network_start(self, batch_size: int, context: Tensor | None) -> State:
        row = self.empty(batch_size, self.above.in_channels, 1, self.width)
        streams = self.above.start(batch_size, self.width), self.beside.start(batch_size, self.width)
        return row, *streams, self.blocks.start(batch_size, self.width, context)

    def network_step(self, state: State, previous: FeaturesAt | None, site: Site) -> tuple[Tensor, State]:
        """The numbers ``(B, k)`` of all colours of the pixel at ``site``, after the features of the pixel before."""
        row, above, beside, blocks = state
        if previous is not None:
            features, last_site = previous
            features, last = F.pad(features, (0, 1), value=1.0), last_site.column
            previous = features, last_site
            row = torch.cat([row[..., :last], features[:, :, None, None], row[..., last + 1 :]], dim=3)
        if site.column == 0:
            u, above = self.above.step(above, row)
            _, blocks = self.blocks.step_row(blocks, u, site.row)
        v, beside = self.beside.step(beside, previous, site)
        v, blocks = self.blocks.step(blocks, v, site)
        numbers = F.linear(concat_elu(v), self.output.weight.flatten(1), self.output.bias)
        return at_least_single(numbers), (row, above, beside, blocks)

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        if self.joint is None:
            return super().start(batch_size, context)
        return Shared(0), self.network_start(batch_size, context), None, ()

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        """`AutoregressiveModel.step`; the network runs at the first colour of a pixel only."""
        if self.joint is None:
            return super().step(state, previous)
        position, own, numbers, before = state
        t = position.value
        site = self.site(t)
        before = before if previous is None else (*before, previous)
        if site.colour == 0:
            pixel = None
            if before:
                features = self.conditional.encode(torch.stack(before, dim=1)).flatten(1)
                pixel = features, self.site(t - 1)._replace(colour=0)
            numbers, own = self.network_step(own, pixel, site)
            before = ()
        values = torch.stack(before, dim=-1) if before else numbers.new_zeros(len(numbers), 0)
        return self.conditional.distribution(self._colour(numbers, values)), (Shared(t + 1), own, numbers, before)
