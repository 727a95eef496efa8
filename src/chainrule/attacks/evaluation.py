"""Measures how well a model of p(x) detects attacked images, and how well purification repairs them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from chainrule.attacks.methods import WITHIN, attack, device_of
from chainrule.attacks.own import with_logits
from chainrule.attacks.words import name_of
from chainrule.model import AutoregressiveModel
from chainrule.tasks.anomaly import anomaly_scores, compressed_nats
from chainrule.tasks.calibration import Calibration
from chainrule.tasks.evaluate import log_prob
from chainrule.tasks.purify import purify


@dataclass(frozen=True)
class Attacked:
    """The effect of one attack. Changes of pixels are shares of their range.

    Attributes:
        attack: The attack's name.
        epsilon: The greatest change of a pixel that was allowed; None if there was no bound.
        linf: The greatest change of a pixel that was made, averaged over the images.
        accuracy: The classifier's accuracy on the attacked images.
        purified_accuracy: Its accuracy on the purified attacked images.
        adaptive_accuracy: Its accuracy if only images whose p-value is below the threshold are purified.
        nats: Mean of -log p(x) over the attacked images.
        auc: For each anomaly score, the area under the ROC curve of attacked against clean images.
        seconds: Duration of the attack.
        images: The attacked images, ``(B, *event_shape)``.
        purified: The purified attacked images, ``(B, *event_shape)``.
        log_probs: log p(x) of the attacked images, ``(B,)`` nats.
    """

    attack: str
    epsilon: float | None
    linf: float
    accuracy: float
    purified_accuracy: float
    adaptive_accuracy: float
    nats: float
    auc: dict[str, float]
    seconds: float
    images: Tensor = field(repr=False)
    purified: Tensor = field(repr=False)
    log_probs: Tensor = field(repr=False)

    @property
    def name(self) -> str:
        """The attack and its epsilon, as text."""
        return name_of(self.attack, self.epsilon)

    def as_dict(self) -> dict[str, Any]:
        """All attributes but the tensors."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: value for name, value in values.items() if not isinstance(value, Tensor)}


class Defence:
    """A classifier that is defended by a model of p(x), evaluated on clean and on attacked images.

    ``notes`` says what was found out about the classifier, a line each.

    Args:
        model: A model of images whose values can be listed.
        classifier: Takes images in [0, 1] and returns logits or probabilities ``(B, classes)``.
        epsilon: The greatest change of a pixel by purification, in levels.
        threshold: The adaptive defence purifies images whose p-value is below this.
        calibration: The distribution of log p on examples that are not attacked, for p-values and typicality.
        background: The background model of the score ``ratio``; without one, that score is left out.
        x: Clean images ``(B, *event_shape)``, in levels.
        labels: Their classes, ``(B,)``.
        classes: The number of classes.

    Raises:
        ValueError: If the model is conditioned on classes or its values can't be listed, the threshold is not between 0
            and 1, or the classifier returns anything but finite numbers ``(B, classes)`` that have a gradient.
    """

    def __init__(
        self,
        model: AutoregressiveModel,
        classifier: nn.Module,
        *,
        epsilon: int,
        threshold: float = 0.05,
        calibration: Calibration,
        background: AutoregressiveModel | None = None,
        x: Tensor,
        labels: Tensor,
        classes: int,
    ) -> None:
        if model.num_classes is not None:
            raise ValueError("attacks expect a model that is not conditioned on classes: those are to be guessed")
        if model.conditional.values is None:
            raise ValueError(f"attacks expect pixels whose values can be listed, got {model.conditional}")
        if not 0 < threshold < 1:
            raise ValueError(f"threshold expects a p-value in (0, 1), got {threshold}")
        self.model, self.background = model, background
        self.levels, self.epsilon, self.classes = len(model.conditional.values), epsilon, classes
        self.threshold, self.calibration, self.x, self.labels = threshold, calibration, x, labels
        self.device = device_of(classifier)
        some = x[:32].to(self.device) / (self.levels - 1)
        self.classifier, self.notes = with_logits(classifier.eval(), some, classes)
        self.log_probs = self.log_prob(x)
        self.purified = self.purify(x)
        self._clean_scores = self._scores(x, self.log_probs)

    def purify(self, x: Tensor) -> Tensor:
        """Purify images with `chainrule.purify` and this defence's epsilon."""
        return purify(self.model, x, self.epsilon).cpu()

    def log_prob(self, x: Tensor) -> Tensor:
        """Log p(x) of images, ``(B,)`` nats."""
        return log_prob(self.model, x)

    def predicted(self, x: Tensor) -> Tensor:
        """The class that the classifier gives each image, ``(B,)``."""
        with torch.no_grad():
            logits = torch.cat([self.classifier(part.to(self.device) / (self.levels - 1)) for part in x.split(256)])
        return logits.argmax(1).cpu()

    def accuracy(self, x: Tensor) -> float:
        """The share of the images ``x`` that the classifier gets right."""
        return (self.predicted(x) == self.labels).double().mean().item()

    def adaptive_accuracy(self, x: Tensor, purified: Tensor, log_probs: Tensor) -> float:
        """The classifier's accuracy if only images whose p-value is below the threshold are purified."""
        chosen = self.calibration.pvalues(log_probs) < self.threshold
        return self.accuracy(torch.where(chosen.view(-1, 1, 1, 1), purified, x))

    def clean(self) -> dict[str, Any]:
        """Accuracies and likelihood of the clean images, and the distance of their p-values from uniform."""
        pvalues = self.calibration.pvalues(self.log_probs)
        return {
            "accuracy": self.accuracy(self.x),
            "purified_accuracy": self.accuracy(self.purified),
            "adaptive_accuracy": self.adaptive_accuracy(self.x, self.purified, self.log_probs),
            "nats": -self.log_probs.double().mean().item(),
            "kolmogorov_smirnov": float(stats.kstest(pvalues.numpy(), "uniform").statistic),
        }

    def attacked(self, name: str, epsilon: float | None, seed: int = 0) -> Attacked:
        """Attack the clean images. ``epsilon`` is a share of the range and is rounded down to whole levels."""
        scale, started = self.levels - 1, time.perf_counter()
        steps = 0 if epsilon is None else int(epsilon * scale + 1e-6)
        images = attack(
            name, self.classifier, self.x, self.labels, levels=self.levels, classes=self.classes, epsilon=steps,
            purify=self.purify, seed=seed,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        log_probs, purified = self.log_prob(images), self.purify(images)
        scores = self._scores(images, log_probs)
        truth = [0] * len(self.x) + [1] * len(images)
        return Attacked(
            attack=name,
            epsilon=epsilon,
            linf=(images - self.x).abs().flatten(1).amax(1).mean().item() / scale,
            accuracy=self.accuracy(images),
            purified_accuracy=self.accuracy(purified),
            adaptive_accuracy=self.adaptive_accuracy(images, purified, log_probs),
            nats=-log_probs.double().mean().item(),
            auc={
                score: float(roc_auc_score(truth, torch.cat([self._clean_scores[score], found]).numpy()))
                for score, found in scores.items()
            },
            seconds=seconds,
            images=images,
            purified=purified,
            log_probs=log_probs,
        )

    def all_attacks(self, names: Sequence[str], epsilons: Sequence[float], *, seed: int = 0) -> Iterator[Attacked]:
        """Run each attack with each epsilon; attacks without a bound run once."""
        for name in names:
            for epsilon in epsilons if name in WITHIN else [None]:
                yield self.attacked(name, epsilon, seed)

    def _scores(self, x: Tensor, log_probs: Tensor) -> dict[str, Tensor]:
        known: dict[str, Any] = {"calibration": self.calibration, "complexity": compressed_nats(x, self.levels)}
        scores = ["nll", "pvalue", "typicality", "complexity"]
        if self.background is not None:
            known["background"] = log_prob(self.background, x)
            scores.append("ratio")
        return {score: anomaly_scores(score, log_probs, **known) for score in scores}
