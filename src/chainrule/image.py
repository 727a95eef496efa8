"""The contract of models that read an image pixel by pixel, row after row, and at each pixel colour by colour."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor
from torch.distributions import Distribution

from chainrule.conditionals import Conditional
from chainrule.model import AutoregressiveModel, State
from chainrule.nn.masked_conv import Site, Written


class ImageModel(AutoregressiveModel):
    """An autoregressive model of images ``(channels, height, width)`` in raster order.

    To add one, write `network`, the parallel pass from features to parameters, and `network_start` and `network_step`,
    which compute the same for one variable after the other. Channels of features and of parameters come in groups, one
    a colour, those of the first colour first.

    Raises:
        ValueError: If the event is no image.
    """

    def __init__(self, *, event_shape: Sequence[int], conditional: Conditional, num_classes: int | None = None) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, num_classes=num_classes)
        if len(self.event_shape) != 3:
            raise ValueError(
                f"{type(self).__name__} expects images, an event_shape (channels, height, width), "
                f"got {self.event_shape}"
            )
        self.colours, self.height, self.width = self.event_shape

    @abstractmethod
    def network(self, features: Tensor, context: Tensor | None) -> Tensor:
        """Parameters ``(B, colours * num_parameters, height, width)`` of all conditionals.

        Args:
            features: What is read of the values, ``(B, colours * num_features, height, width)``.
            context: Classes ``(B,)``.
        """

    @abstractmethod
    def network_start(self, batch_size: int, context: Tensor | None) -> State:
        """The state of the network before the first variable."""

    @abstractmethod
    def network_step(self, state: State, previous: Written | None, site: Site) -> tuple[Tensor, State]:
        """Parameters ``(B, num_parameters)`` of the variable at ``site``, and the next state.

        Args:
            state: What `network_start` or the step before returned.
            previous: Features ``(B, num_features)`` of the variable before, and where it is; None at the first.
            site: Where the variable is.
        """

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        parameters = self.network(self.read(x), context)
        return self.conditional.distribution(parameters.unflatten(1, (self.colours, -1)).movedim(2, -1))

    def read(self, x: Tensor) -> Tensor:
        """What the network reads of images, ``(B, colours * num_features, height, width)``."""
        return self.conditional.encode(x).movedim(-1, 2).flatten(1, 2)

    def site(self, t: int) -> Site:
        """Where the variable generated at time t is."""
        pixel, colour = divmod(t, self.colours)
        return Site(*divmod(pixel, self.width), colour)

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        return 0, self.network_start(batch_size, context)

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        t, own = state
        before = None if previous is None else (self.conditional.encode(previous), self.site(t - 1))
        parameters, own = self.network_step(own, before, self.site(t))
        return self.conditional.distribution(parameters), (t + 1, own)
