"""The density p(x) of rows, by networks that are trained as the plan for a table of as many rows says.

The plan is that of `chainrule.plans.table`, without trying other models: on few rows the mean density of several
networks, with different orders of the columns. Rows of numbers without gaps are standardised and have a
`chainrule.models.WhitenedMADE`; other tables have the network and the families of ``chainrule fit``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import polars
import torch
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from chainrule.conditionals import LogisticMixture
from chainrule.data.dataset import Dataset
from chainrule.data.read.frames import is_frame
from chainrule.data.read.table import dataset_of_frame
from chainrule.estimators.rows import NAME, Floats, is_mixed, mixed, numbers, schema_of
from chainrule.kinds import kind_of
from chainrule.kinds.table_explain import explain_cells
from chainrule.model import AutoregressiveModel
from chainrule.models import Ensemble, WhitenedMADE
from chainrule.plans.plan import MINUTES, Settings
from chainrule.plans.table import SOME, table_plan
from chainrule.runs.settings import build, member_settings, training_settings
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.explain import explain
from chainrule.tasks.gaps import known_log_prob
from chainrule.tasks.sample import sample
from chainrule.training import fit


class ChainRuleDensity(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """Estimates the density of rows; its methods mean the same as those of scikit-learn's `KernelDensity`.

    Rows are an array of numbers, or a frame of polars or pandas. Frames with text, dates or booleans, and rows with
    gaps, are modelled as ``chainrule fit`` models a table: categories and numbers that repeat have probabilities, and a
    gap has one where training had gaps in its column.

    Args:
        hidden_sizes: Units of each hidden layer; this and all arguments that are None follow from the number of rows.
        components: Logistics in the mixture of each column of numbers without gaps; tables have families of their own.
        dropout: Probability with which a hidden unit is dropped in training.
        members: Models whose densities are averaged, each with another order of the columns.
        max_epochs: Passes over the training rows, at most; without early stopping unless ``patience`` is given.
        batch_size: Rows of an optimiser step.
        learning_rate: The highest learning rate.
        patience: Optimiser steps without a better validation after which training ends.
        validation_fraction: Share of the rows on which the epoch to keep is chosen.
        n_jobs: Members that are trained at the same time: None for 1, -1 for one on each core.
        random_state: Seed of the split, the weights and the training.

    >>> import numpy as np
    >>> rows = np.random.RandomState(0).normal(size=(500, 2))
    >>> density = ChainRuleDensity(members=1, random_state=0).fit(rows)
    >>> bool(density.score_samples([[0.0, 0.0]])[0] > density.score_samples([[4.0, 4.0]])[0])
    True
    """

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
        n_jobs: int | None = None,
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
        self.n_jobs = n_jobs
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to the rows ``(n_samples, n_features)``; ``y`` is ignored.

        Raises:
            ValueError: If a value is infinite, a column of a frame can't be taken, an argument is out of range, or
                there are fewer than two rows.
        """
        self._check()
        rows = mixed(self, X, reset=True) if is_mixed(X) else numbers(self, X, reset=True, gaps=True)
        generator = check_random_state(self.random_state)
        seed = int(generator.randint(2**31 - 1))
        order = generator.permutation(len(rows))
        held = min(max(1, round(self.validation_fraction * len(rows))), len(rows) - 1)
        self._dataset: Dataset | None = None
        with torch.random.fork_rng(devices=[]):
            if isinstance(rows, polars.DataFrame) or np.isnan(rows).any():
                models = self._fit_table(X, rows, order[held:], order[:held], seed)
            else:
                models = self._fit_numbers(rows, order[held:], order[:held], seed)
        self.model_: AutoregressiveModel = models[0] if len(models) == 1 else Ensemble(models=models)
        self.model_.double()  # so that a row's score does not depend on the rows beside it
        return self

    def _check(self) -> None:
        if not isinstance(self.hidden_sizes, Sequence | None):
            raise ValueError(f"hidden_sizes expects a sequence of integers, got {self.hidden_sizes!r}")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction expects a share between 0 and 1, got {self.validation_fraction}")
        if self.members is not None and self.members < 1:
            raise ValueError(f"members expects at least 1, got {self.members}")

    def _fit_numbers(self, rows: Floats, train: Any, valid: Any, seed: int) -> list[AutoregressiveModel]:
        mean, std = rows[train].mean(0), rows[train].std(0)
        self.mean_, self.scale_ = mean, np.where(std > 0, std, 1.0)
        planned = table_plan(len(train), ["real"] * rows.shape[1], MINUTES).overridden(self._given()).settings
        settings: Settings = {"conditional.components": 1 if len(train) <= SOME else 10, "members": 1} | planned
        settings |= {} if self.components is None else {"conditional.components": self.components}
        seeds = [seed + i for i in range(self.members or settings["members"])]
        models: list[AutoregressiveModel] = []
        for own in seeds:
            torch.manual_seed(own)
            models.append(
                WhitenedMADE(
                    event_shape=(rows.shape[1],),
                    conditional=LogisticMixture(settings["conditional.components"]),
                    hidden_sizes=list(settings["model.hidden_sizes"]),
                    dropout=settings["model.dropout"],
                    order=f"random:{own}",
                )
            )
        examples = self._standardised(rows).float()
        trainings = [training_settings(settings) | {"seed": own} for own in seeds]
        return self._trained(models, examples[train], examples[valid], trainings)

    def _fit_table(self, X: Any, rows: Any, train: Any, valid: Any, seed: int) -> list[AutoregressiveModel]:
        frame, pandas = self._as_frame(rows), is_frame(X) and not isinstance(X, polars.DataFrame | polars.LazyFrame)
        schema = schema_of(frame, train)
        self._dataset = dataset_of_frame(
            NAME, frame, {"train": train, "valid": valid}, schema, {}, like=X.head(0) if pandas else None
        )
        self._is_array = not is_frame(X)
        planned = kind_of(self._dataset).plan(self._dataset, MINUTES, "cpu").overridden(self._given()).settings
        settings = planned | {"seed": seed % 2**31}
        settings |= {} if self.members is None else {"members": self.members, "orders": ["random"]}
        members = member_settings(settings)
        models = [build(member, self._dataset) for member in members]
        trainings = [training_settings(member) for member in members]
        return self._trained(models, self._dataset.train, self._dataset.valid, trainings)

    def _given(self) -> Settings:
        """The arguments that override the plan."""
        names = ("max_epochs", "batch_size", "learning_rate", "patience")
        given = {name: getattr(self, name) for name in names}
        given |= {"model.hidden_sizes": self.hidden_sizes, "model.dropout": self.dropout}
        return {name: value for name, value in given.items() if value is not None}

    def _trained(
        self, models: list[AutoregressiveModel], train: Any, valid: Any, trainings: list[Settings]
    ) -> list[AutoregressiveModel]:
        minutes = MINUTES / len(models)
        return list(
            Parallel(n_jobs=self.n_jobs)(
                delayed(_fitted)(model, train, valid, training | {"minutes": minutes})
                for model, training in zip(models, trainings, strict=True)
            )
        )

    @staticmethod
    def _as_frame(rows: Any) -> polars.DataFrame:
        """Rows of numbers as a frame whose gaps are empty cells, and a frame as it is."""
        if isinstance(rows, polars.DataFrame):
            return rows
        names = [f"x{index}" for index in range(rows.shape[1])]
        return polars.DataFrame(rows, schema=names, orient="row").fill_nan(None)

    def _standardised(self, rows: Floats) -> torch.Tensor:
        return torch.from_numpy((rows - self.mean_) / self.scale_)

    def score_samples(self, X: Any) -> Floats:
        """Log p of each row in nats, ``(n_samples,)``; outliers have low values.

        Densities are in the rows' own units. All categories that training did not have share one probability; it is 0,
        and log p -inf, where a column's type lists its categories. A row with a gap where training had none has log p
        of its other cells.

        Args:
            X: ``(n_samples, n_features)``.

        Raises:
            NotFittedError: If `fit` was not called before.
        """
        check_is_fitted(self)
        if self._dataset is not None:
            return self._score_table(X)
        rows = numbers(self, X, reset=False, gaps=False)
        scores: Floats = log_prob(self.model_, self._standardised(rows), batch_size=4096).numpy()
        return scores - float(np.log(self.scale_).sum())

    def explain(self, X: Any) -> Floats:
        """Tail probabilities of each cell given all others of its row, ``(n_samples, n_features)``: low if unusual.

        See `chainrule.tasks.explain`. A cell is NaN where it is empty and training had no gaps there, and where its
        column has no model, such as an identifier.

        Args:
            X: ``(n_samples, n_features)``.

        Raises:
            NotFittedError: If `fit` was not called before.
        """
        check_is_fitted(self)
        if self._dataset is None:
            rows = numbers(self, X, reset=False, gaps=False)
            return explain(self.model_, self._standardised(rows)).tails.numpy()
        schema: Any = self._dataset.format
        tails = np.full((len(X), self.n_features_in_), np.nan)
        places = [schema.columns.index(column) for column in schema.used]
        tails[:, places] = explain_cells(schema, self.model_, self._encoded(X)).tails.numpy()
        return tails

    def _encoded(self, X: Any) -> torch.Tensor:
        """Rows as the model of a table reads them."""
        assert self._dataset is not None
        schema: Any = self._dataset.format
        rows = numbers(self, X, reset=False, gaps=True) if self._is_array else mixed(self, X, reset=False)
        return torch.from_numpy(schema.encode(self._as_frame(rows), NAME, gaps=True, unseen=True)).double()

    def _score_table(self, X: Any) -> Floats:
        assert self._dataset is not None
        schema: Any = self._dataset.format
        x = self._encoded(X)
        possible = ~x.isinf().any(1)
        never = torch.tensor([not column.missing for column in schema.used])
        scores = torch.full((len(x),), -torch.inf, dtype=torch.float64)
        if bool(possible.any()):
            known = x[possible]
            scores[possible] = known_log_prob(self.model_, known, known.isnan() & never, seed=0)[0]
        return scores.numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """Log p of all rows together, in nats."""
        return float(self.score_samples(X).sum())

    def sample(self, n_samples: int = 1, random_state: int | np.random.RandomState | None = None) -> Any:
        """Rows drawn from the density, ``(n_samples, n_features)``: an array, or a frame if it was fitted to one.

        Raises:
            NotFittedError: If `fit` was not called before.
        """
        check_is_fitted(self)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        drawn = sample(self.model_, n_samples, seed=seed)
        if self._dataset is None:
            return drawn.numpy() * self.scale_ + self.mean_
        frame = self._dataset.frame(drawn)
        return frame.to_numpy() if self._is_array else frame


def _fitted(model: AutoregressiveModel, train: Any, valid: Any, training: Settings) -> AutoregressiveModel:
    """The model, trained."""
    fit(model, train, valid, verbose=False, **training)
    return model
