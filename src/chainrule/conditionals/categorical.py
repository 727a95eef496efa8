"""Variables with finitely many values: p(x_t = k | x_<t) = softmax(logits_t)_k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributions import Categorical as TorchCategorical
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint
from torch.distributions.utils import lazy_property

from chainrule.codes import Codes
from chainrule.conditionals.base import Conditional, at_least_single, check_integers
from chainrule.conditionals.drawing import draw_index


class Categorical(Conditional):
    """A softmax over the values 0, 1, ..., categories - 1 of each variable.

    Args:
        categories: Number of values K, at least 2.
        encoding: How a network reads a value k. ``"one_hot"``: K - 1 indicators of the values 1 to
            K - 1 (the value 0 is all zeros, so that two categories are read exactly as `Bernoulli`
            reads a bit). ``"scalar"``: the one number k / (K - 1), for values with an order,
            such as grey levels, whose indicators would need too many weights.

    Raises:
        ValueError: If ``categories`` is less than 2 or ``encoding`` is unknown.

    >>> import torch
    >>> Categorical(3).encode(torch.tensor([0., 1., 2.]))
    tensor([[0., 0.],
            [1., 0.],
            [0., 1.]])
    """

    def __init__(self, categories: int, encoding: Literal["one_hot", "scalar"] = "one_hot") -> None:
        if categories < 2:
            raise ValueError(f"Categorical expects at least 2 categories, got {categories}")
        if encoding not in ("one_hot", "scalar"):
            raise ValueError(f"encoding expects 'one_hot' or 'scalar', got {encoding!r}")
        self.categories = categories
        self.encoding = encoding
        self.num_parameters = categories
        self.num_features = categories - 1 if encoding == "one_hot" else 1

    def distribution(self, parameters: Tensor) -> Distribution:
        return Softmax(at_least_single(parameters))

    def at(self, distribution: Distribution, index: int) -> Distribution:
        assert isinstance(distribution, TorchCategorical)
        return Softmax(distribution.logits.flatten(1, -2)[:, index])

    def encode(self, x: Tensor) -> Tensor:
        if self.encoding == "scalar":
            return (x / (self.categories - 1)).unsqueeze(-1)
        return (x.unsqueeze(-1) == self.values.to(x)[1:]).to(x.dtype)

    def check(self, x: Tensor) -> None:
        check_integers(x, self.categories, f"Categorical({self.categories})")

    def log_probs(self, distribution: Distribution) -> Tensor:
        assert isinstance(distribution, TorchCategorical)
        normalised: Tensor = distribution.logits
        return normalised

    def parameters_of(self, log_probs: Tensor) -> Tensor:
        return log_probs

    @property
    def values(self) -> Tensor:
        return torch.arange(self.categories, dtype=torch.get_default_dtype())

    @property
    def support(self) -> Constraint:
        return constraints.integer_interval(0, self.categories - 1)

    @property
    def codes(self) -> Codes | None:
        if type(self) is not Categorical:
            return None
        if self.encoding == "scalar":
            return Codes("logits", "number", 1 / (self.categories - 1))
        return Codes("logits", "indicators")

    @property
    def config(self) -> dict[str, Any]:
        return {"categories": self.categories, "encoding": self.encoding}


class Softmax(TorchCategorical):
    """torch's Categorical, normalised when its probabilities are asked for; a draw needs none of them.

    Args:
        scores: Logits ``(..., K)`` up to a constant.

    >>> Softmax(torch.tensor([0.0, 0.0]) + 5).logits.exp()
    tensor([0.5000, 0.5000])
    """

    def __init__(self, scores: Tensor) -> None:
        self.scores = scores
        self._param, self._num_events = scores, scores.shape[-1]
        Distribution.__init__(self, scores.shape[:-1], validate_args=False)

    @lazy_property
    def logits(self) -> Tensor:
        return self.scores - self.scores.logsumexp(-1, keepdim=True)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Softmax:
        return Softmax(self.scores.expand(*batch_shape, self._num_events))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with torch.no_grad():
            return draw_index(self.scores.softmax(-1).expand(*sample_shape, *self.scores.shape))
