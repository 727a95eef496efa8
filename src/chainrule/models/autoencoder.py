"""Autoencoder: a network that learns to give back what it reads, through a code. It is no generative model.

code = g(c + W x),    output = c' + V code,    loss = -sum_i log p(x_i; output_i)

The output for x_i sees x_i itself, so exp(-loss) is no probability of x: a network that copies its input has a loss
near 0 for every x, and exp(-loss) then sums to the number of possible examples. `MADE` is this network with masks,
which leave only paths from x_<i to the output for x_i and so make its loss a negative log-likelihood.

References:
    Learning internal representations by error propagation (Rumelhart, Hinton and Williams, 1986),
    https://apps.dtic.mil/sti/citations/ADA164453
    MADE: masked autoencoder for distribution estimation (Germain et al., 2015), section 2,
    https://arxiv.org/abs/1502.03509
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor, nn
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Distribution

from chainrule.abilities import OwnUnit
from chainrule.conditionals import Conditional
from chainrule.model import Model
from chainrule.nn.checks import activation_called, check_dropout
from chainrule.nn.outputs import start_output


class Autoencoder(Model, OwnUnit):
    """An encoder, and a decoder with the same layers in reverse. It can be fitted, and `features` is the code.

    It has a loss but no likelihood: `forward`, `log_prob`, `start`, `step`, and `order` raise a ``ValueError`` that
    says why, and so does every task that asks for one of them.

    Args:
        event_shape: Shape of one example.
        conditional: The family of the outputs: here distributions of x_i that have seen x_i.
        hidden_sizes: Units of each layer of the encoder, the last of which is the code.
        activation: ``"relu"`` or ``"sigmoid"``, of all layers but the outputs.
        reconstruction: The loss: ``"cross_entropy"``, in nats, or ``"squared_error"``, in squared units of the
            values, for values that are quantities and not mere names.
        dropout: Probability with which a hidden unit, the code's too, is dropped in training.

    Raises:
        ValueError: If ``hidden_sizes`` is empty or has a size below 1, the activation or the reconstruction is
            unknown, or ``dropout`` is not in [0, 1).

    A network of two bits that copies its input gives each of the four examples a "probability" of almost 1:

    >>> from chainrule.conditionals import Bernoulli
    >>> model = Autoencoder(event_shape=(2,), conditional=Bernoulli(), hidden_sizes=[2])
    >>> copy, zeros = torch.eye(2), torch.zeros(2)
    >>> _ = model.encoder.load_state_dict({"0.weight": copy, "0.bias": zeros})
    >>> _ = model.decoder.load_state_dict({"0.weight": 20 * copy, "0.bias": zeros - 10})
    >>> x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> round(model.loss(x).neg().exp().sum().item(), 3)
    4.0
    """

    growth = "n(2h_1 + 1) + h_1 + sum_l (2h_l h_(l+1) + h_l + h_(l+1))"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_sizes: Sequence[int] = (64,),
        activation: Literal["relu", "sigmoid"] = "relu",
        reconstruction: Literal["cross_entropy", "squared_error"] = "cross_entropy",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional)
        conditional.require_uniform(type(self).__name__)
        if len(hidden_sizes) == 0 or min(hidden_sizes) < 1:
            raise ValueError(f"hidden_sizes expects one or more sizes of at least 1, got {list(hidden_sizes)}")
        if reconstruction not in ("cross_entropy", "squared_error"):
            raise ValueError(f"reconstruction expects 'cross_entropy' or 'squared_error', got {reconstruction!r}")
        self.activate = activation_called(activation)
        self.reconstruction = reconstruction
        self.dropout = nn.Dropout(check_dropout(dropout))
        n = self.num_variables
        self.encoder = _layers([n * conditional.num_features, *hidden_sizes])
        self.decoder = _layers([*reversed(hidden_sizes), n * conditional.num_parameters])

    def encode(self, x: Tensor) -> Tensor:
        """The code ``(B, hidden_sizes[-1])`` of examples ``(B, *event_shape)``.

        Raises:
            ValueError: If the shape is another than the event's or a value is not of the conditional's.
        """
        hidden = self.conditional.encode(self.check(x).flatten(1)).flatten(1)
        for layer in self.encoder:
            hidden = self.dropout(self.activate(layer(hidden)))
        return hidden

    def decode(self, code: Tensor) -> Distribution:
        """The outputs for a code ``(B, hidden_sizes[-1])``: distributions of batch shape ``(B, *event_shape)``."""
        *hidden_layers, output_layer = self.decoder
        hidden = code
        for layer in hidden_layers:
            hidden = self.dropout(self.activate(layer(hidden)))
        return self.conditional.distribution(output_layer(hidden).unflatten(1, (*self.event_shape, -1)))

    def reconstruct(self, x: Tensor) -> Tensor:
        """The network's reconstruction of the examples ``x``, of the same shape.

        The most probable value of every output, or, of a network trained on the squared error, the listed value
        nearest to its mean; the mean itself where values can't be listed.

        Raises:
            ValueError: If the shape is another than the event's or a value is not of the conditional's.
        """
        output = self.decode(self.encode(x))
        values = self._values()
        if values is None:
            return self._mean(output)
        if self.reconstruction == "squared_error":
            return values[torch.bucketize(self._mean(output).detach(), (values[1:] + values[:-1]) / 2)]
        return values[torch.stack([output.log_prob(value) for value in values]).argmax(0)]

    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The error of the outputs, summed over variables, ``(B,)``: no -log p(x), see the class.

        The cross-entropy -sum_i log p(x_i; output_i) in nats, or the squared error sum_i (x_i - mean_i)^2.

        Raises:
            ValueError: If the shape or a value does not fit the model, or there is a context.
        """
        x = self.check(x)
        self.check_context(context, len(x))
        output = self.decode(self.encode(x))
        errors = -output.log_prob(x) if self.reconstruction == "cross_entropy" else (x - self._mean(output)).square()
        return errors.flatten(1).sum(1)

    def start_at(self, x: Tensor) -> None:
        last = self.decoder[-1]
        assert isinstance(last, nn.Linear)
        start_output(last.weight, last.bias, self._start_of_each(x))

    @property
    def loss_unit(self) -> str:
        return "nats" if self.reconstruction == "cross_entropy" else "squared units"

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The code of the examples ``x``, ``(B, hidden_sizes[-1])``."""
        self.check_context(context, len(x))
        return self.encode(x)

    def _values(self) -> Tensor | None:
        """All values that a variable can take, beside this model's weights; None where they can't be listed."""
        values = self.conditional.values
        return None if values is None else values.to(dtype=self.dtype, device=self.device)

    def _mean(self, output: Distribution) -> Tensor:
        """The mean of every variable ``(B, *event_shape)``; torch's own for a Categorical is NaN."""
        values = self._values()
        return output.probs @ values if values is not None and isinstance(output, TorchCategorical) else output.mean

    def forward(self, x: Tensor, context: Tensor | None = None) -> NoReturn:
        _refuse("forward (conditionals of x)")

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> NoReturn:
        """Raise ``ValueError``, for there is no likelihood."""
        _refuse("log_prob")

    def start(self, batch_size: int, context: Tensor | None = None) -> NoReturn:
        """Raise ``ValueError``, for there are no steps."""
        _refuse("start")

    def step(self, state: Any, previous: Tensor | None) -> NoReturn:
        """Raise ``ValueError``, for there are no steps."""
        _refuse("step")

    @property
    def order(self) -> NoReturn:
        """Raise ``ValueError``, for nothing comes before anything else."""
        _refuse("order")


def _layers(sizes: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(before, after) for before, after in pairwise(sizes))


def _refuse(what: str) -> NoReturn:
    raise ValueError(
        f"{what} expects a generative model, got an Autoencoder: its output for x_i sees x_i itself, so it is no "
        "conditional p(x_i | x_<i), the product over i does not sum to one over all x, and there is no way to draw "
        "from it; MADE is this network with masks that make it a generative model"
    )
