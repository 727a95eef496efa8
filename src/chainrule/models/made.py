"""Masked autoencoder for distribution estimation: an autoencoder that masks make autoregressive.

Every hidden unit k gets a degree m(k) in [1, n - 1] and sees only units of the layer before with
degree <= m(k); output t sees only hidden units with degree < t. So no path leads from x_t or later
to the parameters of p(x_t | x_<t), and one pass of the autoencoder gives all of them.

The weights do not belong to one set of degrees: trained with a random one of several sets for every batch
(connectivity-agnostic), and with an order for each (order-agnostic), they make as many models, whose average is an
`Ensemble`.

References:
    MADE: masked autoencoder for distribution estimation (Germain et al., 2015),
    https://arxiv.org/abs/1502.03509
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.abilities import Varied
from chainrule.codes import Codes
from chainrule.compiled import Compiled
from chainrule.conditionals import Conditional
from chainrule.nn.buffers import cut_rows, write_columns
from chainrule.nn.checks import activation_called, check_dropout
from chainrule.nn.class_bias import ClassBias, plus
from chainrule.nn.degrees import hidden_degrees, sorted_by
from chainrule.nn.embeddings import Embeddings
from chainrule.nn.masked_linear import MaskedLinear, degree_mask
from chainrule.nn.native.program import Places, Program, window_of
from chainrule.nn.outputs import Spread, start_output
from chainrule.order import Order, OrderSpec
from chainrule.state import Shared, State


class MADE(Compiled, Varied):
    """An autoencoder of any depth whose weights are masked by the degrees of their units.

    `features` are the units of the last hidden layer.

    Args:
        event_shape: Shape of one example.
        conditional: The family of p(x_t | x_<t).
        hidden_sizes: Units of each hidden layer, at least one layer.
        activation: ``"relu"`` or ``"sigmoid"``.
        direct: True if outputs also see earlier variables directly (the paper's direct connections).
        dropout: Probability with which a hidden unit is dropped in training.
        embedding_size: Numbers that the features of a variable are first made into, by a linear map of its own; 0 for
            the features themselves. Of variables with many features, such as categories, it saves most of the weights.
        mask_seed: Seed of the degrees, which are drawn uniformly as in the paper's algorithm 1.
        num_masks: Sets of degrees to train for, one drawn for every batch; `variant` i is the model with the i-th.
        order_agnostic: True if every set but the first also has a random order of its own.
        mask: The set of degrees that this model uses, from 0.
        order: The sequence in which the variables are generated.
        num_classes: The number of classes that an example can be conditioned on; None for no classes.

    Raises:
        ValueError: If ``hidden_sizes`` is empty or has a size below 1, the activation is unknown,
            ``dropout`` is not in [0, 1), or ``mask`` is not one of ``num_masks``.
    """

    growth = "about (n + 1)(h_1 + h_L)/2 + sum_l h_l h_(l+1)/2, linear in n at fixed hidden sizes"

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        hidden_sizes: Sequence[int] = (500,),
        activation: Literal["relu", "sigmoid"] = "relu",
        direct: bool = False,
        dropout: float = 0.0,
        embedding_size: int = 0,
        mask_seed: int = 0,
        num_masks: int = 1,
        order_agnostic: bool = False,
        mask: int = 0,
        order: OrderSpec = "raster",
        num_classes: int | None = None,
    ) -> None:
        if not 0 <= mask < num_masks:
            raise ValueError(f"mask expects one of the {num_masks} of num_masks, counted from 0, got {mask}")
        own_order = f"random:{mask_seed + mask}" if order_agnostic and mask else order
        super().__init__(event_shape=event_shape, conditional=conditional, order=own_order, num_classes=num_classes)
        if len(hidden_sizes) == 0 or min(hidden_sizes) < 1:
            raise ValueError(f"hidden_sizes expects one or more sizes of at least 1, got {list(hidden_sizes)}")
        self.activation, self.activate = activation, activation_called(activation)
        self.dropout = nn.Dropout(check_dropout(dropout))
        self.hidden_sizes, self.mask_seed, self.num_masks, self.mask = tuple(hidden_sizes), mask_seed, num_masks, mask
        self.order_agnostic = order_agnostic
        self.embedding_size = embedding_size
        self.embedding = Embeddings(self.num_variables, conditional.num_features, embedding_size)
        families = [conditional.of(index).family for index in range(self.num_variables)]
        self.spread = Spread([family.num_parameters for family in families], conditional.num_parameters)

        *hidden_masks, output_mask, direct_mask = self._masks()
        self.hidden_layers: Sequence[MaskedLinear] = nn.ModuleList(  # type: ignore[assignment]
            MaskedLinear(hidden_mask) for hidden_mask in hidden_masks
        )
        self.output_layer = MaskedLinear(output_mask)
        self.direct_layer = MaskedLinear(direct_mask, bias=False) if direct else None
        if self.direct_layer is not None:
            nn.init.zeros_(self.direct_layer.weight)
        self.hidden_class_bias = ClassBias(num_classes, self.hidden_sizes[0])
        self.output_class_bias = ClassBias(num_classes, self.output_layer.out_features)

    def _degrees(self) -> list[Tensor]:
        """Degrees of the units of each hidden layer; sorted if there is only one set."""
        degrees = hidden_degrees(self.num_variables, self.hidden_sizes, self.mask_seed + self.mask)
        return [layer.sort().values for layer in degrees] if self.num_masks == 1 else degrees

    def _masks(self) -> list[Tensor]:
        """The masks of the hidden layers, of the output layer and of the direct connections."""
        time = self.order.inverse.cpu() + 1
        inputs = time.repeat_interleave(self.embedding.num_features)
        outputs = self.spread.narrow(time.repeat_interleave(self.conditional.num_parameters))
        hidden = self._degrees()
        pairs = zip([inputs, *hidden], hidden, strict=False)
        masks = [degree_mask(units, before) for before, units in pairs]
        return [*masks, degree_mask(outputs, hidden[-1], strict=True), degree_mask(outputs, inputs, strict=True)]

    @property
    def num_parameters(self) -> int:
        """Trainable numbers, without those that every mask holds at zero."""
        if self.num_masks == 1:
            return super().num_parameters
        live: list[Tensor] = [torch.zeros_like(mask) for mask in self._masks()]
        for index in range(self.num_masks):
            masks = self.variant(index)._masks()
            live = [before + mask.bool() for before, mask in zip(live, masks, strict=True)]
        masked = [int((count == 0).sum()) for count in live]
        if self.direct_layer is None:
            masked.pop()
        return sum(parameter.numel() for parameter in self.parameters()) - sum(masked)

    def variant(self, index: int) -> Self:
        """The model with the ``index``-th set of degrees (and order): it shares all weights."""
        if index == self.mask:
            return self
        if not 0 <= index < self.num_masks:
            raise ValueError(f"MADE expects one of its {self.num_masks} variants (num_masks), got {index}")
        view = copy.copy(self)
        view._modules = dict(self._modules)
        view._arguments = {**self._arguments, "mask": index}
        view.mask = index
        if self.order_agnostic:
            spec = f"random:{self.mask_seed + index}" if index else self._arguments.get("order", "raster")
            view.order = Order(spec, self.event_shape).to(self.device)
        *hidden_masks, output_mask, direct_mask = view._masks()
        pairs = zip(self.hidden_layers, hidden_masks, strict=True)
        view.hidden_layers = nn.ModuleList(layer.with_mask(mask) for layer, mask in pairs)  # type: ignore[assignment]
        view.output_layer = self.output_layer.with_mask(output_mask)
        if self.direct_layer is not None:
            view.direct_layer = self.direct_layer.with_mask(direct_mask)
        return view

    def loss(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """-log p(x), under a random one of the sets of degrees where there are several."""
        if self.num_masks == 1:
            return super().loss(x, context)
        return -self.variant(int(torch.randint(self.num_masks, ()))).log_prob(x, context)

    def _hidden(self, features: Tensor, context: Tensor | None) -> Tensor:
        """The last hidden layer."""
        hidden = features
        for i, layer in enumerate(self.hidden_layers):
            hidden = layer(hidden) if i else plus(layer(hidden), self.hidden_class_bias(context))
            hidden = self.dropout(self.activate(hidden))
        return hidden

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        features = self._read(x)
        parameters = plus(self.output_layer(self._hidden(features, context)), self.output_class_bias(context))
        if self.direct_layer is not None:
            parameters = parameters + self.direct_layer(features)
        return self.conditional.distribution(self.spread(parameters).unflatten(1, (*self.event_shape, -1)))

    def features(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        x = self.check(x)
        return self._hidden(self._read(x), self.check_context(context, len(x)))

    def _read(self, x: Tensor) -> Tensor:
        """What the first layer reads of each variable, ``(B, n * embedding_size)``."""
        return self.embedding(self.conditional.encode(x.flatten(1))).flatten(1)

    def start_at(self, x: Tensor) -> None:
        direct = None if self.direct_layer is None else self.direct_layer.weight
        layer = self.output_layer
        parameters = self.spread.narrow(self._start_of_each(x).flatten())
        start_output(layer.weight, layer.bias, parameters, direct, self.output_class_bias)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *others: Any) -> None:
        """Load weights; those of version 0.1 also had rows for parameters that mean nothing."""
        for name in ("output_layer.weight", "output_layer.bias", "direct_layer.weight"):
            weight = state_dict.get(prefix + name)
            if weight is not None and len(weight) == self.spread.size:
                state_dict[prefix + name] = self.spread.narrow(weight)
        super()._load_from_state_dict(state_dict, prefix, *others)

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        """The weights, with hidden units sorted by degree and variables along the order, and nothing known yet."""
        f = self.embedding.num_features
        layers, known = [], []
        time = torch.arange(1, self.num_variables + 1)
        along_inputs = functools.partial(self.order.along, group=f)
        rows = [self.spread.rows[index] for index in self.order.permutation.tolist()]
        before: Callable[..., Tensor] = along_inputs
        hidden_bias = self.hidden_class_bias(context)
        for layer, degrees in zip(self.hidden_layers, self._degrees(), strict=True):
            units = sorted_by(degrees.to(self.device))
            ends = torch.searchsorted(degrees.sort().values, time).tolist()
            sizes = [*np.diff(ends, prepend=0).tolist(), layer.out_features - ends[-1]]
            layers.append(cut_rows(before(units(layer.weight, 0), 1), units(layer.bias, 0), sizes))
            known.append(ends)
            if hidden_bias is not None and not layers[1:]:
                hidden_bias = units(hidden_bias, 1)
            before = units
        weight = before(self.output_layer.weight, 1)
        outputs = [(weight[own], self.output_layer.bias[own]) for own in rows]
        direct = None
        if self.direct_layer is not None:
            weight = along_inputs(self.direct_layer.weight, 1)
            direct = [weight[own] for own in rows]
        output_bias = self.output_class_bias(context)
        biases = (hidden_bias, None if output_bias is None else [output_bias[:, own] for own in rows])
        features = self.empty(batch_size, self.num_variables * f)
        hidden = tuple(self.empty(batch_size, layer.out_features) for layer in self.hidden_layers)
        return Shared(-1), Shared((layers, known, outputs, direct)), features, hidden, biases

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        """`AutoregressiveModel.step`, which reads every weight that a mask keeps only once per example.

        Hidden units are sorted by degree, so those of degree t are neighbours, see a prefix of the layer
        before, and can be computed once x_t is known; no mask is needed.
        """
        position, weights, features, hidden, biases = state
        t = position.value
        layers, known, outputs, direct = weights.value
        f = self.embedding.num_features
        if previous is not None:
            index = int(self.order.permutation[t])
            read = self.embedding.of(index, self.conditional_at(t).encode(previous))
            features = write_columns(features, read, t * f)
        t += 1
        below, seen, class_bias = features, t * f, biases[0]
        updated = []
        for units, ends, rows in zip(hidden, known, layers, strict=True):
            old, new = ends[t - 1] if t else 0, ends[t]
            if new > old:
                weight, bias = rows[t]
                fresh = F.linear(below.narrow(1, 0, seen), weight.narrow(1, 0, seen), bias)
                if class_bias is not None:
                    fresh = fresh + class_bias.narrow(1, old, new - old)
                units = write_columns(units, self.activate(fresh), old)
            below, seen, class_bias = units, new, None
            updated.append(units)
        weight, bias = outputs[t]
        parameters = F.linear(below.narrow(1, 0, seen), weight.narrow(1, 0, seen), bias)
        if biases[1] is not None:
            parameters = parameters + biases[1][t]
        if direct is not None:
            parameters = parameters + F.linear(features.narrow(1, 0, t * f), direct[t].narrow(1, 0, t * f))
        distribution = self.conditional_at(t).distribution(self.spread.of_one(parameters))
        return distribution, (Shared(t), weights, features, tuple(updated), biases)

    def program(self) -> Program | None:
        """The instructions of `step`, for the weights as `step` sorts them."""
        if (codes := self.conditional.codes) is None:
            return None
        n, f, p = self.num_variables, self.embedding.num_features, self.conditional.num_parameters
        t, program = np.arange(n), Program()
        features = program.units(n * f)
        self._read_one(program, codes, features + (t - 1) * f)
        program.begin()
        before: Callable[..., Tensor] = functools.partial(self.order.along, group=f)
        below, seen = features, t * f
        for i, (layer, degrees) in enumerate(zip(self.hidden_layers, self._degrees(), strict=True)):
            units = sorted_by(degrees.to(self.device))
            ends = torch.searchsorted(degrees.sort().values, torch.arange(1, n + 1)).numpy()
            rows, hidden = np.diff(ends, prepend=0), program.units(layer.out_features)
            weight, bias = before(units(layer.weight, 0), 1), units(layer.bias, 0)
            fresh = program.growing(hidden, weight, below, bias, rows, seen)
            if i == 0 and self.hidden_class_bias.size:
                given = program.give(layer.out_features, MADE._hidden_bias)
                program.add(fresh, given + fresh - hidden, rows)
            program.map(fresh, fresh, rows, self.activation)
            before, below, seen = units, hidden, ends
        along, rows = functools.partial(self.order.along, group=p), np.full(n, p)
        window, weight = program.units(window_of(rows)), along(before(self.output_layer.weight, 1))
        parameters = program.growing(window, weight, below, along(self.output_layer.bias), rows, seen, window=True)
        if self.direct_layer is not None:
            weight = along(self.order.along(self.direct_layer.weight, 1, f))
            program.growing(window, weight, features, None, rows, t * f, add=True, window=True)
        if self.output_class_bias.size:
            program.add(parameters, program.give(n * p, MADE._output_bias) + t * p, p)
        program.choose(parameters, p, codes)
        return program

    def _read_one(self, program: Program, codes: Codes, features: Places) -> None:
        """Add the instructions of `_read` for the value before."""
        count, weight = self.conditional.num_features, self.embedding.weight
        if weight is None:
            return program.encode(features, codes, count)
        own, t = program.units(count), np.arange(self.num_variables)
        program.encode(own, codes, count)
        maps = self.order.along(weight).transpose(1, 2).flatten(0, 1)
        program.linear(features, maps, own, rows=weight.shape[2], weight_at=(t - 1) * weight[0].numel())
        return None

    def _hidden_bias(self, context: Tensor | None) -> Tensor | None:
        """The class's biases of the first hidden layer, with its units sorted by degree."""
        bias = self.hidden_class_bias(context)
        return None if bias is None else sorted_by(self._degrees()[0].to(self.device))(bias, 1)

    def _output_bias(self, context: Tensor | None) -> Tensor | None:
        """The class's biases of the output, along the order."""
        bias = self.output_class_bias(context)
        return None if bias is None else self.order.along(bias, 1, self.conditional.num_parameters)
