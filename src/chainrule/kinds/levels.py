"""The common part of images and rows of levels: examples of one shape, whose values are the levels 0, ..., K - 1."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chainrule import plots
from chainrule.abilities import require_likelihood
from chainrule.conditionals import Bernoulli, Categorical, Conditional
from chainrule.data.dataset import Dataset
from chainrule.data.write import ARRAYS, check_suffix, write_array, write_levels
from chainrule.kinds.base import Kind
from chainrule.kinds.families import family_of_levels, refuse_arguments
from chainrule.kinds.items import Items
from chainrule.kinds.levels_explain import explain_examples
from chainrule.kinds.observed import observed_variables
from chainrule.kinds.requests import Completing, Source, shares_of
from chainrule.model import AutoregressiveModel, Model
from chainrule.models.class_mixture import ClassMixture
from chainrule.tasks.anomaly import compressed_nats
from chainrule.tasks.complete import COLLAPSE, Completion, completion
from chainrule.tasks.evaluate import Evaluation, log_prob
from chainrule.tasks.independent import independent_nats
from chainrule.tasks.sample import sample
from chainrule.tasks.score import surprisals

PICTURES = plots.FORMATS

ONE_HOT_UP_TO = 32
"""A network reads values of up to this many levels one-hot, and of more levels as one number."""

BATCH = 4096
"""Examples that are scored at once."""

MAPS = 16
"""Examples in a picture of surprisals by default."""


class LevelsKind(Kind):
    """A kind whose examples have one shape and whose values are ordered levels; `format` has ``levels``."""

    files = "a file to write"
    suffixes = (*PICTURES, *ARRAYS)
    samples_file = "samples.png"
    completes_with = ("n", "observe", "particles", "draws")
    separable = True
    part_suffix = ".npz"

    def conditional(self, family: str | None, arguments: Mapping[str, Any]) -> Conditional:
        levels = self.format.levels
        if family is not None:
            return family_of_levels(family, arguments, levels)
        refuse_arguments(arguments)
        if levels == 2:
            return Bernoulli()
        return Categorical(levels, encoding="one_hot" if levels <= ONE_HOT_UP_TO else "scalar")

    def independent_nats(self, dataset: Dataset, model: Model) -> float:
        return independent_nats(dataset.train, dataset.valid, self.format.levels)

    def reading(self, settings: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
        return {"levels": settings.get("levels")}

    def write(self, x: Tensor, path: Path) -> str:
        if path.suffix.lower() in PICTURES:
            plots.sample_grid(x, path, levels=self.format.levels)
        else:
            write_levels(x, path, self.format.levels)
        return f"{len(x)} examples"

    def leave_samples(self, model: AutoregressiveModel, dataset: Dataset, folder: Path) -> None:
        context = None if model.num_classes is None else torch.arange(self.num_samples) % model.num_classes
        x = sample(model, self.num_samples, seed=0, context=context).cpu()
        plots.data_beside_samples(dataset.train[: len(x)], x, folder / self.samples_file, levels=self.format.levels)

    def complete(self, model: AutoregressiveModel, request: Completing) -> list[str]:
        if request.observe is None:
            raise ValueError("complete expects --observe, as the run was fitted on images or levels")
        check_suffix(request.out, self.suffixes)
        given = self.given(request.source, model)
        truth = request.source.first(given.examples)
        observed = observed_variables(request.observe, model)
        settings = request.drawing.settings()
        seed = settings.pop("seed")
        model, context = given.likelihood, None if given.context is None else given.context[: len(truth)]
        settings |= {"particles": request.particles, "context": context}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # reported below, for all draws
            done = [
                completion(model, truth, observed, seed=seed + draw, **settings) for draw in range(request.draws or 1)
            ]
        draws = torch.stack([completed.x.cpu() for completed in done])
        if request.out.suffix.lower() in PICTURES:
            plots.completions(truth, observed, draws, request.out, levels=self.format.levels)
        else:
            write_levels(draws.flatten(0, 1), request.out, self.format.levels, truth=truth, observed=observed)
        lines = [f"wrote {len(draws)} x {len(truth)} completions to {request.out}; {done[0].method}"]
        return lines + _effective_size(done)

    def summary(self, evaluation: Evaluation, figures: Mapping[str, Any]) -> list[str]:
        return [f"{evaluation}, {evaluation.bits_per_dim:.4f} bits per dimension"]

    @property
    def unit(self) -> str:
        return "dimension"

    def items(self, model: AutoregressiveModel, source: Source) -> Iterator[Items]:
        given = self.given(source, model)
        count = source.count(given.examples)
        for start in range(0, count, BATCH):
            part = slice(start, min(start + BATCH, count))
            x = given.examples[part]
            context = None if given.context is None else given.context[part]
            yield Items(
                names={} if given.names is None else {"file": given.names[part]},
                log_probs=log_prob(given.likelihood, x, context=context).double(),
                compressed=lambda x=x: compressed_nats(x, self.format.levels),  # type: ignore[misc]
            )

    def without_classes(self, model: Model, source: Source) -> Model:
        return ClassMixture(model=require_likelihood(model), shares=shares_of(model, source.class_counts).tolist())

    def levels_of(self, model: AutoregressiveModel, command: str) -> Tensor:
        if (values := model.conditional.values) is None:
            raise ValueError(f"{command} expects a model whose values can be listed, got one of {model.conditional}")
        return values

    def is_of_parts(self, per: str | None, out: Path | None) -> bool:
        pictured = out is not None and out.suffix.lower() in (*PICTURES, ".npz", ".npy")
        return pictured or super().is_of_parts(per, out)

    def score_parts(self, model: AutoregressiveModel, source: Source, per: str | None, out: Path | None) -> list[str]:
        if per is not None or out is None:
            return super().score_parts(model, source, per, out)
        check_suffix(out, (*PICTURES, ".npz", ".npy"))
        given = self.given(source, model)
        x = source.first(given.examples)
        x = x[:MAPS] if source.limit is None and out.suffix.lower() in PICTURES else x
        nats = surprisals(given.likelihood, x, None if given.context is None else given.context[: len(x)]).cpu()
        if out.suffix.lower() in PICTURES:
            plots.surprisal_map(x, nats, out, levels=self.format.levels)
        else:
            write_array("nats", nats.numpy(), out, examples=x)
        mean = nats.flatten(1).sum(1).mean().item()
        return [f"wrote the surprisals of {len(x)} examples to {out}; {mean:.3f} nats each"]

    def explain(self, model: AutoregressiveModel, source: Source, rows: int, out: Path | None) -> list[str]:
        given = self.given(source, model)
        return explain_examples(given, source.count(given.examples), self.format.levels, rows, out)


def _effective_size(done: list[Completion]) -> list[str]:
    """The effective sample size of sequential Monte Carlo, in words; nothing where all completions are exact."""
    sizes = [completed.effective_sample_size for completed in done if completed.effective_sample_size is not None]
    if not sizes:
        return []
    size = float(torch.cat(sizes).median())
    advice = "; they are rough: use more --particles" if size < COLLAPSE else ""
    return [f"least effective sample size along the walk, median: {size:.1f}{advice}"]
