"""The settings of a training, and their bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from chainrule.words import suggestion

Strategy = Literal["auto", "ddp", "ddp_find_unused_parameters_true"]

STRATEGIES = get_args(Strategy)
"""The ways in which several processes train together."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """The settings of `chainrule.fit`.

    A training ends at the first of ``max_steps``, ``max_epochs``, ``minutes`` and ``patience``. If neither steps nor
    epochs are given, their number follows from the number of examples, and so does the patience; see
    `chainrule.training.budget`.

    Args:
        seed: Seed of the shuffling and of all noise in training.
        max_steps: Optimiser steps, at most.
        max_epochs: Passes over the training examples, at most.
        minutes: Minutes of training, at most, validations included. The learning rate falls over the steps that fit.
        batch_size: Examples per optimiser step (128 by default); of a stream, lanes; of recordings, chunks (8).
        learning_rate: The highest learning rate of AdamW.
        weight_decay: Decoupled weight decay of the weights.
        schedule: How the learning rate falls over the training.
        warmup: Optimiser steps during which it rises first.
        gradient_clip: Largest norm of a gradient; None for no limit.
        averaging: Decay of an exponential moving average of the weights, such as 0.999; the average is then validated
            and kept. None for no averaging.
        patience: Steps without a better validation NLL after which training ends; None for never, where the number of
            steps or epochs is given.
        validate_every: Steps from one validation to the next, about; by default an epoch, or less where that is long.
        perturb: Share of the values of training that are replaced at random, such as 0.1. The model then learns less of
            what its examples mean than of what all data of their kind have in common: it is the background model of a
            likelihood ratio (`chainrule score --score ratio`; Ren et al. 2019).
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        devices: Processes of a machine that train together, each on its part of every batch.
        nodes: Machines that train together, each with as many processes. The same command starts on each of them; the
            environment says which it is, as ``torchrun`` sets it.
        strategy: Lightning's name for the way they do: ``"auto"`` is ``"ddp"``, which shares gradients;
            ``"ddp_find_unused_parameters_true"`` also where a step does not use all weights.
        precision: Lightning's name for the arithmetic; `precision_on` says what ``"auto"`` is here.
        compile: Compile the training loss first, which takes a minute, and a C++ compiler: models with gates then train
            up to twice as fast, others no faster.

    Raises:
        ValueError: If a setting is out of range; the message says expected and got.
    """

    seed: int = 0
    max_steps: int | None = None
    max_epochs: int | None = None
    minutes: float | None = None
    batch_size: int | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine", "linear"] = "cosine"
    warmup: int = 0
    gradient_clip: float | None = None
    averaging: float | None = None
    patience: int | None = None
    validate_every: int | None = None
    perturb: float = 0.0
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    strategy: Strategy = "auto"
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed", "64-true"] = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        counts = ("max_steps", "max_epochs", "batch_size", "patience", "validate_every", "devices", "nodes")
        for name, bound in (dict.fromkeys(counts, 1) | {"seed": 0, "warmup": 0, "weight_decay": 0}).items():
            number = getattr(self, name)
            if number is not None and not number >= bound:
                raise ValueError(f"{name} expects at least {bound}, got {number}")
        if self.seed >= 2**32:
            raise ValueError(f"seed expects at most {2**32 - 1}, got {self.seed}")
        for name in ("learning_rate", "minutes", "gradient_clip"):
            size = getattr(self, name)
            if size is not None and not 0 < size < math.inf:
                raise ValueError(f"{name} expects a positive number, got {size}")
        if self.schedule not in ("constant", "cosine", "linear"):
            raise ValueError(f"schedule expects 'constant', 'cosine' or 'linear', got {self.schedule!r}")
        if self.strategy not in STRATEGIES:
            raise ValueError(f"strategy expects one of {', '.join(STRATEGIES)}, got {self.strategy!r}")
        if self.averaging is not None and not 0 < self.averaging < 1:
            raise ValueError(f"averaging expects a decay between 0 and 1, got {self.averaging}")
        if not 0 <= self.perturb < 1:
            raise ValueError(f"perturb expects a share in [0, 1), got {self.perturb}")

    @property
    def processes(self) -> int:
        """The number of processes that train together, on all machines."""
        return self.devices * self.nodes

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The settings that are given by name, the others by default.

        Raises:
            ValueError: If there is no such setting, or one is out of range.

        >>> Training.of({"seed": 3}).seed
        3
        """
        names = {field.name: field for field in fields(cls)}
        for name in settings:
            if name not in names:
                raise ValueError(
                    f"fit expects one of its settings ({', '.join(names)}), got {name}{suggestion(name, names)}"
                )
        return cls(**settings)
