"""WaveNet: causal, dilated convolutions over a sequence, such as the samples of a recording.

In every layer, with taps of x one dilation apart, and conditioned on a class or on frames h,

z = tanh(W_f * x + V_f h) . sigmoid(W_g * x + V_g h),    skip = U z,    x' = x + R z,

and the conditionals come from the skips of all layers: O_2 relu(O_1 relu(sum of skips)).

References:
    WaveNet: a generative model for raw audio (van den Oord et al., 2016), https://arxiv.org/abs/1609.03499
    Fast WaveNet generation algorithm (Le Paine et al., 2016), https://arxiv.org/abs/1611.09482
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.choices import Choose
from chainrule.compiled import Compiled, compiled_draw
from chainrule.conditionals import Conditional
from chainrule.conditionals.certain import certain_parameters
from chainrule.nn.checks import check_counts, check_frames
from chainrule.nn.class_bias import ClassBias
from chainrule.nn.dilated import DilatedLayers
from chainrule.nn.ends import has_ended, up_to_end
from chainrule.nn.native.program import Program
from chainrule.nn.outputs import start_output
from chainrule.order import OrderSpec
from chainrule.sequence import SequenceModel
from chainrule.state import Shared, State


class WaveNet(SequenceModel, Compiled):
    """Dilated convolutions over any number of variables; the parameters do not grow with it.

    A conditional sees the last ``receptive_field`` variables; before the beginning of a sequence it reads zeros.

    `features` are the sum of the skips, averaged over the variables.

    Args:
        event_shape: Shape of one example. A sequence ``(n,)`` in raster order may also be shorter or longer.
        conditional: The family of p(x_t | x_<t): a `Categorical` for mu-law samples, a `DiscretizedLogisticMixture` for
            linear ones.
        residual_channels: Numbers that a layer hands to the next, and units of its gates.
        skip_channels: Numbers that a layer hands to the output.
        layers: Layers of a block, of dilations 1, k, k^2, ... for kernels of size k.
        blocks: The number of blocks.
        kernel_size: Taps of a convolution.
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on (global conditioning).
        frame_size: Numbers of a frame, to condition on a sequence of frames ``(B, F, frame_size)`` instead (local
            conditioning). Features that do not change along an example are frames that repeat.
        hop: Variables that each frame stands for: the conditional of x_t reads frame floor(t / hop).
        end_symbol: The value that ends an example: all after it have this value, with probability 1.

    Raises:
        ValueError: If a size is below 1, a kernel has one tap only, both classes and frames are asked for, or
            ``end_symbol`` is no value.

    >>> from chainrule.conditionals import Categorical
    >>> model = WaveNet(event_shape=(8000,), conditional=Categorical(256), layers=10, blocks=2)
    >>> model.receptive_field
    2047
    >>> model.log_prob(torch.full((3, 5000), 128.0)).shape
    torch.Size([3])
    """

    growth = "constant in n"

    _at_end: Tensor

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        residual_channels: int = 64,
        skip_channels: int = 128,
        layers: int = 10,
        blocks: int = 1,
        kernel_size: int = 2,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
        frame_size: int | None = None,
        hop: int = 1,
        end_symbol: int | None = None,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order, num_classes=num_classes)
        check_counts(
            residual_channels=residual_channels, skip_channels=skip_channels, layers=layers, blocks=blocks, hop=hop
        )
        if kernel_size < 2:
            raise ValueError(f"kernel_size expects at least 2, got {kernel_size}")
        if frame_size is not None:
            check_counts(frame_size=frame_size)
            if num_classes is not None:
                raise ValueError("frame_size expects no num_classes, got both: a class may be a part of every frame")
        self.frame_size, self.hop, self.end_symbol = frame_size, hop, end_symbol
        self.register_buffer("_at_end", certain_parameters(conditional, end_symbol), persistent=False)
        self.input = nn.Linear(conditional.num_features + 1, residual_channels)
        self.net = DilatedLayers(residual_channels, skip_channels, layers, blocks, kernel_size)
        gates = len(self.net.layers) * 2 * residual_channels
        self.class_gates = ClassBias(num_classes, gates)
        self.frame_gates = None if frame_size is None else nn.Linear(frame_size, gates, bias=False)
        self.output = nn.Sequential(
            nn.ReLU(),
            nn.Linear(skip_channels, skip_channels),
            nn.ReLU(),
            nn.Linear(skip_channels, conditional.num_parameters),
        )

    @property
    def receptive_field(self) -> int:
        return self.net.reach + 1

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        sequence = x if self.any_length else self.order.flatten(x)
        skips, ended, _ = self._pass(self.start(len(x), context), None, sequence)
        parameters = self._write(skips, ended)
        return self.conditional.distribution(parameters if self.any_length else self.order.unflatten(parameters))

    def start_at(self, x: Tensor) -> None:
        if self.end_symbol is not None and x.dim() > 1:
            self.check_shape(x)
            sequence = x if self.any_length else self.order.flatten(x)
            x = sequence[up_to_end(sequence, self.end_symbol)]
        last = self.output[-1]
        assert isinstance(last, nn.Linear)
        start_output(last.weight, last.bias, self._start_of_all(x))

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        gates = self.class_gates(context)
        if self.frame_gates is not None:
            gates = self.frame_gates(context)
        condition = None
        if gates is not None:
            condition = gates.view(batch_size, -1, len(self.net.layers), 2 * self.net.channels)
        ended = None
        if self.end_symbol is not None:
            ended = torch.zeros(batch_size, dtype=torch.bool, device=self.device)
        return (Shared(0), self.empty(batch_size, self.net.reach, self.net.channels)), condition, ended

    def advance(self, state: State, previous: Tensor | None, x: Tensor) -> tuple[Distribution, State]:
        skips, ended, state = self._pass(state, previous, x)
        return self.conditional.distribution(self._write(skips, ended)), state

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        layers, condition, ended = state
        if ended is not None and previous is not None:
            ended = ended | (previous == self.end_symbol)
        read = self.empty(len(layers[1]), self.input.in_features) if previous is None else self._encode(previous)
        own = None if condition is None else condition[:, self._frame(layers[0].value, condition.shape[1])]
        skips, layers = self.net.step(self.input(read), layers, own)
        return self.conditional.distribution(self._write(skips, ended)), (layers, condition, ended)

    def draw(
        self, state: State, previous: Tensor | None, steps: int, choose: Choose | None = None
    ) -> tuple[Tensor, State]:
        layers, condition, ended = state
        first, parts = layers[0].value, []
        if condition is not None:
            self._frame(first + steps - 1, condition.shape[1])
        for t, count in self._runs(first, steps):
            own = None if condition is None else condition[:, self._frame(t, condition.shape[1])].unsqueeze(1)
            values = compiled_draw(self, (layers, own, ended), previous, count, choose, begin=t)
            if values is None:
                return super().draw(state, previous, steps, choose)
            parts.append(values)
            ended, previous = has_ended(ended, previous, values, self.end_symbol), values[:, -1]
        return torch.cat(parts, dim=1), ((Shared(first + steps), layers[1]), condition, ended)

    def _runs(self, first: int, steps: int) -> list[tuple[int, int]]:
        """The first step and the number of those that read the same frame, of ``steps`` from ``first`` on."""
        if self.frame_gates is None:
            return [(first, steps)]
        starts = [first, *range((first // self.hop + 1) * self.hop, first + steps, self.hop)]
        return list(zip(starts, np.diff([*starts, first + steps]).tolist(), strict=True))

    def program(self) -> Program | None:
        values, codes = self.conditional.values, self.conditional.codes
        if codes is None or values is None:
            return None
        program = Program()
        program.end = self.end_symbol
        now = program.give(self.net.channels, lambda model, _: model.input.bias.expand(1, -1))
        program.lookup(now, self.input(self._encode(values.to(self.dtype))), program.value)
        program.begin()
        skips = self.net.instruct(
            program,
            now,
            lambda _, state: state[0][1].flatten(1),
            (lambda _, state: state[1].flatten(1)) if self.class_gates.size or self.frame_gates else None,
        )
        first, last = (part for part in self.output if isinstance(part, nn.Linear))
        between, parameters = program.units(first.out_features), program.units(last.out_features)
        program.map(skips, skips, first.in_features, "relu")
        program.linear(between, first.weight, skips, first.bias)
        program.map(between, between, first.out_features, "relu")
        program.linear(parameters, last.weight, between, last.bias)
        program.choose(parameters, last.out_features, codes)
        return program

    def check_context(self, context: Tensor | None, batch_size: int) -> Tensor | None:
        """The classes ``(B,)``, or the frames ``(B, F, frame_size)``, on this model's device.

        Raises:
            ValueError: If the model is conditioned on something else; the message says expected and got.
        """
        if self.frame_size is None:
            return super().check_context(context, batch_size)
        frames = check_frames(context, batch_size, self.frame_size, type(self).__name__)
        return frames.to(device=self.device, dtype=self.dtype)

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.check(x)
        sequence = x if self.any_length else self.order.flatten(x)
        skips, ended, _ = self._pass(self.start(len(x), self.check_context(context, len(x))), None, sequence)
        if ended is None:
            return skips.mean(1)
        counts = (~ended).to(skips).unsqueeze(-1)
        return (skips * counts).sum(1) / counts.sum(1)

    def _pass(self, state: State, previous: Tensor | None, x: Tensor) -> tuple[Tensor, Tensor | None, State]:
        """The skips of k variables ``(B, k, skip_channels)``, which follow an end ``(B, k)``, and the last's state."""
        layers, condition, ended = state
        first = x[:, :1] if previous is None else previous.unsqueeze(1)
        past = torch.cat([first, x[:, :-1]], dim=1)
        encoded = self._encode(past)
        if previous is None:
            encoded = torch.cat([torch.zeros_like(encoded[:, :1]), encoded[:, 1:]], dim=1)
        if condition is not None and self.frame_gates is not None:
            first_time = layers[0].value
            frames = [self._frame(t, condition.shape[1]) for t in range(first_time, first_time + x.shape[1])]
            condition = condition[:, frames]
        after = None
        if self.end_symbol is not None:
            ends = past.eq(self.end_symbol)
            if previous is None:  # nothing stands before the first
                ends = torch.cat([torch.zeros_like(ends[:, :1]), ends[:, 1:]], dim=1)
            after = ended.unsqueeze(1) | (ends.cumsum(1) > 0)
            ended = after[:, -1]
        skips, layers = self.net(self.input(encoded), layers, condition)
        return skips, after, (layers, state[1], ended)

    def _write(self, skips: Tensor, ended: Tensor | None) -> Tensor:
        parameters: Tensor = self.output(skips)
        return self._ended(parameters, ended)

    def _ended(self, parameters: Tensor, ended: Tensor | None) -> Tensor:
        """The parameters, or those of the end symbol alone where an example has ended."""
        return (
            parameters if ended is None else torch.where(ended.unsqueeze(-1), self._at_end.to(parameters), parameters)
        )

    def _encode(self, x: Tensor) -> Tensor:
        """The features of values and a one; a value before the beginning is read as zeros instead."""
        features = self.conditional.encode(x)
        return torch.cat([features, torch.ones_like(features[..., :1])], dim=-1)

    def _frame(self, t: int, frames: int) -> int:
        """The frame that variable t reads, counted from 0."""
        if self.frame_gates is None:
            return 0
        if t // self.hop >= frames:
            raise ValueError(f"context expects at least {t // self.hop + 1} frames for {t + 1} variables, got {frames}")
        return t // self.hop
