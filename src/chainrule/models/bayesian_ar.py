"""Bayesian autoregression: a linear prediction from the last values, whose weights are learned along the sequence.

With y_t the place of x_t on the line of its conditional, d_t = y_t - y_{t-1} and u the usual size of d_t,

d_t / u ~ w . phi_t,    phi_t = (1, level y_{t-1}, d_{t-1} / u, ..., d_{t-p} / u, seasons of t),    w ~ N(0, diag(v))

The seasons are sin(2 pi k t / P) and cos(2 pi k t / P) for each period P and k = 1, ..., `HARMONICS`: with the level
they draw values back to what is usual in the season. The mixture then has the mean 0, for another would move the usual.

The state is the posterior of the weights w given all earlier values (recursive least squares), so that p(x_t | x_<t) is
exact, and the model goes on learning wherever it reads. A priori w = 0, a random walk; the weight of lag k has the
prior deviation ``prior`` / sqrt(k). The conditional is a mixture centred at the prediction, of a scale

log s_t = log u + g_0 log(1 + phi_t^T V_t phi_t) + g_1 log a_t + g_2 log b_t + g_3 asinh(level_{t-1}),

where V_t is the posterior covariance of w, and a_t and b_t are the size of the recent errors, of a short and a long
memory. Far out the scale grows with a power of the level: were it its exponential, samples would run away. By maximum
likelihood are fitted only the shape of the mixture, g, and the first conditional.

Where values may be missing (`WithMissing`), the prediction takes the place of a missing value and nothing is learned
from it. After m of them in a row, log s_t has also h log(1 + m), and a value is missing with the probability
sigmoid(c + e [m > 0]); h, c and e are fitted too.

References:
    Time series analysis: forecasting and control (Box and Jenkins, 1970)
    Adaptive filter theory (Haykin, 1986), recursive least squares
    Forecasting with Bayesian vector autoregressions: five years of experience (Litterman, 1986),
    https://doi.org/10.1080/07350015.1986.10509491 (a random walk as the prior)
    Generalized autoregressive conditional heteroskedasticity (Bollerslev, 1986),
    https://doi.org/10.1016/0304-4076(86)90063-1 (a scale that follows recent errors)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from chainrule.conditionals import Conditional
from chainrule.nn.checks import check_counts
from chainrule.nn.least_squares import MEMORIES, USUAL, Learned, counts_of, dot, same
from chainrule.order import OrderSpec
from chainrule.sequence import SequenceModel
from chainrule.state import Shared, State

LEVEL_PRIOR = 0.1
"""The prior deviation of the weights of the constant and of the level."""

HARMONICS, SEASON_PRIOR = 2, 0.3
"""The sines and cosines of each period, and the prior deviation of their weights; beside them that of the constant and
of the level is the same."""

FLOOR = 0.01
"""Added to the running squares, so that values that repeat don't make the scale zero."""

FARTHEST = 10.0
"""Differences and levels are cut off at this many usual sizes. What follows from them is then bounded: a sample that
has left the usual does not run away, and no outlier decides the weights."""

REMEMBERED = 2
"""Batches whose readings a model remembers: those of training and of validation."""

LOG_SCALES = 9.0
"""The bound of the change of log s, which has no effect on sensible data, and keeps extreme weights finite."""


class BayesianAR(SequenceModel):
    """Linear autoregression whose weights are inferred from the sequence itself, with a mixture of any shape around it.

    It suits short series: only a few numbers are trained, and a trend or a level that training never saw is followed.
    A value costs O(lags^2). Values are computed one after the other, in double precision.

    Args:
        event_shape: Shape of one example. A sequence ``(n,)`` in raster order may also be shorter or longer.
        conditional: The family of p(x_t | x_<t), of locations and scales: a `Gaussian`, a `GaussianMixture`, a
            `LogisticMixture`, a `DiscretizedLogisticMixture`, a `Curved`, or one of them in other units; `WithMissing`
            where values may be missing.
        lags: Differences p that the prediction reads.
        prior: The prior standard deviation of the weight of the last difference.
        periods: The lengths P of seasons in values, such as 12 of monthly ones.
        order: The sequence in which the variables are generated.

    Raises:
        ValueError: If the conditional has no locations, ``lags`` is below 1, ``prior`` not positive, or a
            period at most 1.

    >>> from chainrule.conditionals import Gaussian
    >>> model = BayesianAR(event_shape=(100,), conditional=Gaussian(), lags=2)
    >>> line = torch.arange(100.0).unsqueeze(0)
    >>> early, late = model(line).mean[0, [1, 99]].tolist()
    >>> early, 98.5 < late < 99.5
    (0.0, True)
    """

    growth = "constant in n"

    first: Tensor
    centre: Tensor
    spread: Tensor
    unit: Tensor
    missing_odds: Tensor
    _prior: Tensor

    def __init__(
        self,
        *,
        event_shape: Sequence[int],
        conditional: Conditional,
        lags: int = 26,
        prior: float = 0.3,
        periods: Sequence[float] = (),
        order: OrderSpec = "raster",
    ) -> None:
        super().__init__(event_shape=event_shape, conditional=conditional, order=order)
        check_counts(lags=lags)
        if not prior > 0:
            raise ValueError(f"prior expects a positive number, got {prior}")
        if not all(period > 1 for period in periods):
            raise ValueError(f"periods expects numbers of values above 1, got {list(periods)}")
        self.lags, self.periods = lags, tuple(float(period) for period in periods)
        self.may_be_missing = conditional.atoms is not None and bool(conditional.atoms.isnan().any())
        _, means, _ = conditional.components_of(torch.zeros(conditional.num_parameters))
        alike, apart = torch.zeros_like(means), torch.linspace(0, 1, len(means))
        self.register_buffer("first", conditional.of_components(alike, alike, alike))
        # Most errors are below the usual size, and few are far larger.
        self.error = nn.Parameter(conditional.of_components(-2 * apart, alike, 1.2 * apart - 0.3 * (len(means) > 1)))
        self.scale_weights = nn.Parameter(torch.tensor([0.5, *[0.5] * len(MEMORIES), 0.0]))
        if self.may_be_missing:
            self.missing_weights = nn.Parameter(torch.tensor([1.0, 0.0, 0.0]))
            self.register_buffer("missing_odds", torch.zeros(2))
        self._memory: list[tuple[Tensor, Tensor, Tensor]] = []
        for name, value in {"centre": 0.0, "spread": 1.0, "unit": 1.0}.items():
            self.register_buffer(name, torch.tensor(value))
        of_lags = prior**2 / torch.arange(1, lags + 1)
        of_seasons = torch.full((2 * HARMONICS * len(self.periods),), SEASON_PRIOR**2)
        of_level = torch.full((2,), (SEASON_PRIOR if self.periods else LEVEL_PRIOR) ** 2)
        every = torch.cat([of_level, of_lags, of_seasons])
        self.register_buffer("_prior", every, persistent=False)

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:
        """Measure the level, the spread and the usual step of ``x``; the first conditional gets its frequencies.

        Values ``(M,)`` are taken as one sequence. The other conditionals start at a random walk.
        """
        self.first.copy_(self._start_of_all(x))
        if x.dim() > 1 and not self.any_length:
            x = self.order.flatten(x)
        places = self.conditional.on_line(x).double()
        there = places[~places.isnan()]
        spread = there.std(correction=0)
        least = 1e-6 * (1 + there.abs().max())
        self.centre.copy_(there.mean())
        self.spread.copy_(spread.maximum(least))
        steps = places.diff(dim=-1)
        steps = steps[~steps.isnan()]
        if self.may_be_missing:
            self._start_missing(places.isnan())
        usual = steps.square().mean().sqrt() if steps.numel() else spread
        self.unit.copy_(usual.maximum(1e-3 * spread).maximum(least))

    def _start_missing(self, missing: Tensor) -> None:
        """Set how often a value is missing, after one that is there and after a missing one, to their frequencies."""
        before, now = missing[..., :-1], missing[..., 1:]
        odds = []
        for after in (~before, before):
            hits, count = (now & after).sum(), after.sum()
            odds.append(((hits + 0.5) / (count - hits + 0.5)).log())
        self.missing_odds.copy_(torch.stack([odds[0], odds[1] - odds[0]]))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Distribution:
        sequence = x if self.any_length else self.order.flatten(x)
        parameters = self._parameters_after(self._remembered(sequence))
        parameters = torch.cat([self.first.expand(len(x), 1, -1), parameters], dim=1)
        return self.conditional.distribution(parameters if self.any_length else self.order.unflatten(parameters))

    def _remembered(self, x: Tensor) -> Tensor:
        """The readings ``(B, k - 1, ...)`` of sequences, from memory for the last few of them.

        They don't depend on what is trained, so a training, each of whose steps reads the same series, learns it once.
        """
        if x.requires_grad or torch.compiler.is_compiling():
            return self._pass(self.start(len(x)), None, x)[0]
        units = torch.stack([self.centre, self.spread, self.unit])
        for known, before, readings in self._memory:
            if same(known, x) and same(before, units):
                return readings
        with torch.inference_mode(False), torch.no_grad():
            readings, _ = self._pass(self.start(len(x)), None, x)
            self._memory = [(x.clone(), units.clone(), readings), *self._memory[: REMEMBERED - 1]]
        return readings

    def start(self, batch_size: int, context: Tensor | None = None) -> State:
        prior = self._prior.double()
        nothing = torch.zeros(batch_size, len(prior), dtype=torch.double, device=prior.device)
        squares = nothing.new_full((batch_size, len(MEMORIES)), USUAL)
        covariance = prior.diag().repeat(batch_size, 1, 1)
        return Learned(Shared(0), nothing[:, :1], nothing, nothing, covariance, nothing, squares, nothing[:, :1])

    def step(self, state: State, previous: Tensor | None) -> tuple[Distribution, State]:
        state = state if previous is None else self._learn(state, previous)
        if state.seen.value == 0:
            return self.conditional.distribution(self.first.expand(len(state.last), -1)), state
        parameters = self._parameters_after(self._readings([state.decisive], state.seen.value))
        return self.conditional.distribution(parameters[:, 0]), state

    def advance(self, state: State, previous: Tensor | None, x: Tensor) -> tuple[Distribution, State]:
        begins = previous is None and state.seen.value == 0
        readings, state = self._pass(state, previous, x)
        parameters = self._parameters_after(readings)
        if begins:
            parameters = torch.cat([self.first.expand(len(x), 1, -1), parameters], dim=1)
        return self.conditional.distribution(parameters), state

    def _pass(self, state: Learned, previous: Tensor | None, x: Tensor) -> tuple[Tensor, Learned]:
        """Readings of the next values but the very first ``(B, k, ...)``, and the state at the last of them."""
        state = state if previous is None else self._learn(state, previous)
        known = [state.decisive] if state.seen.value else []
        first = max(1, state.seen.value)
        for value in x[:, :-1].unbind(1):
            state = self._learn(state, value)
            known.append(state.decisive)
        return self._readings(known, first, len(x)), state

    def _learn(self, state: Learned, value: Tensor) -> Learned:
        """The state after one more value ``(B,)``: a step of recursive least squares."""
        seen = state.seen.value
        place, gap = self._place(state, value)
        difference = (place - state.last) / self.unit if seen else torch.zeros_like(place)
        difference = difference.clamp(-FARTHEST, FARTHEST)
        weights, covariance, squares = state.weights, state.covariance, state.squares
        if seen:
            error = difference - dot(state.regressors, weights)
            gain = (state.doubts / (1 + dot(state.regressors, state.doubts))).masked_fill(gap, 0.0)
            weights = weights + gain * error
            covariance = covariance - gain.unsqueeze(2) * state.doubts.unsqueeze(1)
            usual = squares * counts_of(squares, seen) / counts_of(squares, seen - 1)
            squares = torch.where(gap, usual, squares * squares.new_tensor(MEMORIES) + error.square())
        level = ((place - self.centre) / self.spread).clamp(-FARTHEST, FARTHEST)
        lags = [difference, state.regressors[:, 2 : 1 + self.lags]]
        regressors = torch.cat([torch.ones_like(level), level, *lags, self._seasons(seen + 1, level)], dim=1)
        doubts = (covariance @ regressors.unsqueeze(2)).squeeze(2)
        missing = (state.missing + 1).masked_fill(~gap, 0.0)
        return Learned(Shared(seen + 1), place, regressors, weights, covariance, doubts, squares, missing)

    def _place(self, state: Learned, value: Tensor) -> tuple[Tensor, Tensor]:
        """The place ``(B, 1)`` of a value ``(B,)``, the expected one of a missing value; and whether it is missing."""
        place = self.conditional.on_line(value).double().unsqueeze(1)
        if not self.may_be_missing:
            return place, torch.zeros_like(place, dtype=torch.bool)
        gap = place.isnan()
        expected = self.centre.double().expand_as(place)
        if state.seen.value:
            expected = state.last + self.unit * dot(state.regressors, state.weights)
        return torch.where(gap, expected, place), gap

    def _seasons(self, t: int, like: Tensor) -> Tensor:
        """The sines and cosines of the value at place ``t``, ``(B, 2 * HARMONICS * len(periods))``."""
        angles = [2 * math.pi * k * t / period for period in self.periods for k in range(1, HARMONICS + 1)]
        waves = [wave(angle) for angle in angles for wave in (math.sin, math.cos)]
        return like.new_tensor(waves).expand(len(like), -1)

    def _readings(self, known: Sequence[tuple[Tensor, ...]], first: int, batch: int = 0) -> Tensor:
        """The numbers ``(B, k, 4 + len(MEMORIES))`` that decide the conditionals after each of k states.

        They are the expected place, the doubt, the size of recent errors by each memory, asinh of the level, and the
        number of missing values.

        Args:
            known: The `decisive` parts of each state.
            first: The number of values that the first of them has seen, at least 1.
            batch: The number B, where there are no states.
        """
        if not known:  # of the first value alone
            return self._prior.new_empty(batch, 0, 4 + len(MEMORIES))
        last, phi, weights, doubts, squares, missing = (torch.stack(parts, dim=1) for parts in zip(*known, strict=True))
        errors = first - 1 + torch.arange(len(known), device=last.device).unsqueeze(1)
        sizes = (squares / counts_of(squares, errors) + FLOOR).log() / 2
        places = last + self.unit * dot(phi, weights)
        doubt, level = dot(phi, doubts).clamp(min=0).log1p(), phi[..., 1:2].asinh()
        return torch.cat([places, doubt, sizes, level, missing], dim=-1)

    def _parameters_after(self, readings: Tensor) -> Tensor:
        """The parameters ``(B, k, num_parameters)`` of the conditionals after ``readings``."""
        places, features, missing = readings.to(self.dtype).tensor_split([1, readings.shape[-1] - 1], dim=-1)
        change = (features @ self.scale_weights).unsqueeze(-1)
        if self.may_be_missing:
            change = change + self.missing_weights[0] * missing.log1p()
        log_scale = self.unit.log() + change.clamp(-LOG_SCALES, LOG_SCALES)
        logits, own, log_deviations = self.conditional.components_of(self.error.expand(*readings.shape[:2], -1))
        if self.periods:
            own = own - (logits.softmax(-1) * own).sum(-1, keepdim=True)
        parameters = self.conditional.of_components(logits, places + log_scale.exp() * own, log_deviations + log_scale)
        if not self.may_be_missing:
            return parameters
        usual, after_missing = self.missing_odds + self.missing_weights[1:]
        logit = usual + after_missing * (missing > 0)
        return torch.cat([parameters[..., :-1], logit], dim=-1)
