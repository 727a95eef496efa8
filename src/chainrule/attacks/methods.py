"""Attacks: images that differ little from the given ones, but that a classifier assigns to another class.

All but BPDA come from the Adversarial Robustness Toolbox. BPDA attacks through the defence: it steps along the sign of
the gradient at the *purified* image, as if purification were the identity, until the purified image is misclassified.

References:
    Explaining and harnessing adversarial examples (Goodfellow et al., 2015), https://arxiv.org/abs/1412.6572: fgsm
    Adversarial examples in the physical world (Kurakin et al., 2017), https://arxiv.org/abs/1607.02533: bim
    Towards deep learning models resistant to adversarial attacks (Madry et al., 2018),
    https://arxiv.org/abs/1706.06083: pgd
    DeepFool (Moosavi-Dezfooli et al., 2016), https://arxiv.org/abs/1511.04599: deepfool
    Towards evaluating the robustness of neural networks (Carlini, Wagner, 2017), https://arxiv.org/abs/1608.04644: cw
    Obfuscated gradients give a false sense of security (Athalye et al., 2018), https://arxiv.org/abs/1802.00420: bpda
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chainrule.errors import MissingPackageError

try:
    from art.attacks import evasion
    from art.estimators.classification import PyTorchClassifier
except ImportError:
    raise MissingPackageError(
        "attacks need the package adversarial-robustness-toolbox: pip install 'chainrule[attacks]'"
    ) from None

Purify = Callable[[Tensor], Tensor]

WITHIN = ("fgsm", "bim", "pgd", "bpda")
"""Attacks that change no pixel by more than epsilon."""
FREE = ("deepfool", "cw")
"""Attacks that search for the smallest change that works, without a bound."""
STEPS = 40
"""Number of gradient steps: bim and pgd step by 2.5 epsilon / `STEPS`, bpda by epsilon / 5 from each random start."""
STARTS = 3
"""Number of random starts of bpda."""


def attack(
    name: str,
    classifier: nn.Module,
    x: Tensor,
    labels: Tensor,
    *,
    levels: int,
    classes: int,
    epsilon: int = 0,
    purify: Purify | None = None,
    seed: int = 0,
    batch_size: int = 100,
) -> Tensor:
    """Attack ``classifier``, starting from the images ``x``.

    Args:
        name: The attack, one of `WITHIN` or `FREE`.
        classifier: Takes images in [0, 1] and returns logits ``(B, classes)``.
        x: Images ``(B, *event_shape)`` with values from 0 to ``levels`` - 1.
        labels: Their classes, ``(B,)``.
        levels: The number of values that a pixel can take.
        classes: The number of classes.
        epsilon: The greatest change of a pixel, in levels; attacks of `FREE` ignore it.
        purify: The defence that ``bpda`` attacks through; it maps levels to levels.
        seed: Seed of the attack's random numbers.
        batch_size: Number of images that are attacked at once.

    Returns:
        The attacked images ``(B, *event_shape)``, rounded to levels.

    Raises:
        ValueError: If the name is unknown, epsilon is less than 1, ``bpda`` is given no defence, or an image is out of
            range.
    """
    if name not in (*WITHIN, *FREE):
        raise ValueError(f"attack expects one of {', '.join((*WITHIN, *FREE))}, got {name!r}")
    if name in WITHIN and epsilon < 1:
        raise ValueError(f"epsilon expects at least 1 level, got {epsilon}")
    if name == "bpda" and purify is None:
        raise ValueError("bpda expects the defence that it goes through, got none")
    if not bool(((x >= 0) & (x < levels)).all()):
        raise ValueError(f"attack expects images with values from 0 to {levels - 1}, got others")
    if name == "bpda" and purify is not None:
        return _bpda(classifier, x, labels, levels - 1, epsilon, purify, seed)
    found = _by_toolbox(name, classifier, x, labels, levels - 1, classes, epsilon, seed, batch_size)
    return found if name in FREE else torch.minimum(torch.maximum(found, x - epsilon), x + epsilon)


def _bpda(
    classifier: nn.Module, x: Tensor, labels: Tensor, scale: int, epsilon: int, purify: Purify, seed: int
) -> Tensor:
    """Attack through ``purify``. An image whose purified version is misclassified is not changed further."""
    generator, device = torch.Generator().manual_seed(seed), device_of(classifier)
    found, unbroken = x.clone(), torch.arange(len(x))
    for _ in range(STARTS):
        images = (x + epsilon * (2 * torch.rand(x.shape, generator=generator) - 1)).clamp(0, scale)
        for _ in range(STEPS):
            if len(unbroken) == 0:
                return found
            found[unbroken] = images[unbroken].round()
            purified = (purify(found[unbroken]).to(device) / scale).requires_grad_()
            logits = classifier(purified)
            loss = nn.functional.cross_entropy(logits, labels[unbroken].to(device), reduction="sum")
            (gradient,) = torch.autograd.grad(loss, purified)
            moved = images[unbroken] + epsilon / 5 * gradient.sign().cpu()
            near = torch.minimum(torch.maximum(moved, x[unbroken] - epsilon), x[unbroken] + epsilon)
            images[unbroken] = near.clamp(0, scale)
            unbroken = unbroken[logits.argmax(1).cpu() == labels[unbroken]]
    return found


def device_of(classifier: nn.Module) -> torch.device:
    """The device of a classifier's parameters; the CPU if it has none."""
    parameter = next(classifier.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _by_toolbox(
    name: str,
    classifier: nn.Module,
    x: Tensor,
    labels: Tensor,
    scale: int,
    classes: int,
    epsilon: int,
    seed: int,
    batch_size: int,
) -> Tensor:
    """Run the toolbox's attack on ``x``, and round the result to levels."""
    estimator = PyTorchClassifier(
        model=classifier,
        loss=nn.CrossEntropyLoss(),
        input_shape=tuple(x.shape[1:]),
        nb_classes=classes,
        clip_values=(0.0, 1.0),
        device_type="cpu" if device_of(classifier).type == "cpu" else "gpu",
    )
    with _seeded(seed):
        images = (x / scale).cpu().numpy().astype(np.float32)
        attacked = _method(name, estimator, epsilon / scale, batch_size).generate(images, labels.cpu().numpy())
    return (torch.from_numpy(attacked) * scale).round().clamp(0, scale).to(x.dtype)


def _method(name: str, estimator: Any, epsilon: float, batch_size: int) -> Any:
    """The toolbox's object for the attack ``name``."""
    if name == "fgsm":
        return evasion.FastGradientMethod(estimator, eps=epsilon, batch_size=batch_size)
    if name == "deepfool":
        # Overshoot the boundary by a tenth, so that rounding to levels does not undo the attack.
        return evasion.DeepFool(estimator, max_iter=50, epsilon=0.1, batch_size=batch_size, verbose=False)
    if name == "cw":
        return evasion.CarliniL2Method(
            estimator, initial_const=10.0, binary_search_steps=2, max_iter=30, learning_rate=0.1, max_halving=3,
            max_doubling=3, batch_size=batch_size, verbose=False,
        )  # fmt: skip
    return evasion.ProjectedGradientDescent(
        estimator,
        eps=epsilon,
        eps_step=2.5 * epsilon / STEPS,
        max_iter=STEPS,
        num_random_init=int(name != "bim"),
        batch_size=batch_size,
        verbose=False,
    )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of NumPy and torch, which the toolbox uses, and restore their states afterwards."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
