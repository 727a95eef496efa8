"""Estimators for scikit-learn: the density p(x) of numeric rows, and a detector of outliers among them.

They fit `chainrule.models.WhitenedMADE`, trained as the plan for a table of as many rows says
(`chainrule.plans.table`), without trying other models: on few rows the mean density of several, with different orders
of the columns. Densities are in the rows' own units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, DensityMixin, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from chainrule.conditionals import LogisticMixture
from chainrule.model import AutoregressiveModel
from chainrule.models import Ensemble, WhitenedMADE
from chainrule.plans.plan import MINUTES, Settings
from chainrule.plans.table import SOME, table_plan
from chainrule.runs.settings import training_settings
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.sample import sample
from chainrule.training import fit

Floats = NDArray[np.float64]


class _Estimator(BaseEstimator):  # type: ignore[misc]
    """The base of both estimators: the model, its training and log p."""

    def __init__(
        self,
        *,
        hidden_sizes: Sequence[int] | None = None,
        components: int | None = None,
        dropout: float | None = None,
        members: int | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.components = components
        self.dropout = dropout
        self.members = members
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _fit(self, X: ArrayLike) -> Floats:
        """Fit the model, and return the rows ``(n_samples, n_features)`` once they are checked."""
        rows: Floats = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if not isinstance(self.hidden_sizes, Sequence | None):
            raise ValueError(f"hidden_sizes expects a sequence of integers, got {self.hidden_sizes!r}")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction expects a share between 0 and 1, got {self.validation_fraction}")
        if self.members is not None and self.members < 1:
            raise ValueError(f"members expects at least 1, got {self.members}")
        generator = check_random_state(self.random_state)
        seed = int(generator.randint(2**31 - 1))
        order = generator.permutation(len(rows))
        held = min(max(1, round(self.validation_fraction * len(rows))), len(rows) - 1)
        valid, train = order[:held], order[held:]
        mean, std = rows[train].mean(0), rows[train].std(0)
        std = np.where(std > 0, std, 1.0)
        self.mean_, self.scale_ = mean, std
        settings = self._settings(len(train), rows.shape[1])
        examples = self._standardised(rows).float()
        with torch.random.fork_rng(devices=[]):
            models = [
                self._member(examples[train], examples[valid], settings, seed + i) for i in range(settings["members"])
            ]
        self.model_: AutoregressiveModel = models[0] if len(models) == 1 else Ensemble(models=models)
        self.model_.double()  # so that a row's score does not depend on the rows beside it
        return rows

    def _settings(self, rows: int, columns: int) -> Settings:
        """The settings of the plan for such a table, overridden by the arguments."""
        training = {name: getattr(self, name) for name in ("max_epochs", "batch_size", "learning_rate", "patience")}
        own = training | {
            "model.hidden_sizes": self.hidden_sizes,
            "model.dropout": self.dropout,
            "conditional.components": self.components,
        }
        given = {name: value for name, value in own.items() if value is not None}
        planned = table_plan(rows, ["real"] * columns, MINUTES).overridden(given).settings
        planned = {"conditional.components": 1 if rows <= SOME else 10} | planned
        return {"members": 1} | planned | ({} if self.members is None else {"members": self.members})

    @staticmethod
    def _member(train: torch.Tensor, valid: torch.Tensor, settings: Settings, seed: int) -> WhitenedMADE:
        """One model, fitted, with an order of the columns of its own."""
        torch.manual_seed(seed)
        model = WhitenedMADE(
            event_shape=(train.shape[1],),
            conditional=LogisticMixture(settings["conditional.components"]),
            hidden_sizes=list(settings["model.hidden_sizes"]),
            dropout=settings["model.dropout"],
            order=f"random:{seed}",
        )
        training = training_settings(settings) | {"seed": seed, "minutes": MINUTES / settings["members"]}
        fit(model, train, valid, verbose=False, **training)
        return model

    def _standardised(self, rows: Floats) -> torch.Tensor:
        return torch.from_numpy((rows - self.mean_) / self.scale_)

    def score_samples(self, X: ArrayLike) -> Floats:
        """Log p of each row in nats, with densities in the rows' own units; outliers have low values.

        Args:
            X: ``(n_samples, n_features)``.

        Returns:
            ``(n_samples,)``.

        Raises:
            NotFittedError: If `fit` was not called before.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=np.float64, reset=False)
        scores: Floats = log_prob(self.model_, self._standardised(rows), batch_size=4096).numpy()
        return scores - float(np.log(self.scale_).sum())


class ChainRuleDensity(DensityMixin, _Estimator):  # type: ignore[misc]
    """Estimates the density of numeric rows; its methods mean the same as those of scikit-learn's `KernelDensity`.

    Args:
        hidden_sizes: Units of each hidden layer; this and all arguments that are None follow from the number of rows.
        components: Logistics in the mixture of each column.
        dropout: Probability with which a hidden unit is dropped in training.
        members: Models whose densities are averaged, each with another order of the columns.
        max_epochs: Passes over the training rows, at most; without early stopping unless ``patience`` is given.
        batch_size: Rows of an optimiser step.
        learning_rate: The highest learning rate.
        patience: Optimiser steps without a better validation after which training ends.
        validation_fraction: Share of the rows on which the epoch to keep is chosen.
        random_state: Seed of the split, the weights and the training.

    >>> import numpy as np
    >>> rows = np.random.RandomState(0).normal(size=(500, 2))
    >>> density = ChainRuleDensity(members=1, random_state=0).fit(rows)
    >>> bool(density.score_samples([[0.0, 0.0]])[0] > density.score_samples([[4.0, 4.0]])[0])
    True
    """

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit to the rows ``(n_samples, n_features)``; ``y`` is ignored.

        Raises:
            ValueError: If a value is missing or infinite, or there are fewer than two rows.
        """
        self._fit(X)
        return self

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Log p of all rows together, in nats."""
        return float(self.score_samples(X).sum())

    def sample(self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None) -> Floats:
        """Rows drawn from the density, ``(n_samples, n_features)``.

        Raises:
            NotFittedError: If `fit` was not called before.
        """
        check_is_fitted(self)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        rows: Floats = sample(self.model_, n_samples, seed=seed).numpy()
        return rows * self.scale_ + self.mean_


class ChainRuleDetector(OutlierMixin, _Estimator):  # type: ignore[misc]
    """Detects outliers by their density; its methods mean the same as those of scikit-learn's outlier detectors.

    A row is an outlier if its log p is below that of a share ``contamination`` of the training rows.

    Args:
        contamination: That share, in (0, 0.5].
        hidden_sizes: Units of each hidden layer; this and all arguments that are None follow from the number of rows.
        components: Logistics in the mixture of each column.
        dropout: Probability with which a hidden unit is dropped in training.
        members: Models whose densities are averaged, each with another order of the columns.
        max_epochs: Passes over the training rows, at most; without early stopping unless ``patience`` is given.
        batch_size: Rows of an optimiser step.
        learning_rate: The highest learning rate.
        patience: Optimiser steps without a better validation after which training ends.
        validation_fraction: Share of the rows on which the epoch to keep is chosen.
        random_state: Seed of the split, the weights and the training.
    """

    def __init__(
        self,
        *,
        contamination: float = 0.1,
        hidden_sizes: Sequence[int] | None = None,
        components: int | None = None,
        dropout: float | None = None,
        members: int | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            hidden_sizes=hidden_sizes, components=components, dropout=dropout, members=members,
            max_epochs=max_epochs, batch_size=batch_size, learning_rate=learning_rate, patience=patience,
            validation_fraction=validation_fraction, random_state=random_state,
        )  # fmt: skip
        self.contamination = contamination

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit to the rows ``(n_samples, n_features)``, and set the threshold ``offset_``; ``y`` is ignored.

        Raises:
            ValueError: If ``contamination`` is out of range, a value is missing or infinite, or there are fewer than
                two rows.
        """
        if not (isinstance(self.contamination, int | float) and 0 < self.contamination <= 0.5):
            raise ValueError(f"contamination expects a share in (0, 0.5], got {self.contamination!r}")
        rows = self._fit(X)
        self.offset_ = float(np.percentile(self.score_samples(rows), 100 * self.contamination))
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """Log p of each row less the threshold: negative for outliers, ``(n_samples,)``."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """1 for rows like those of training, -1 for outliers, ``(n_samples,)``."""
        return np.where(self.decision_function(X) < 0, -1, 1)
