"""Attacks: images that differ little from given ones and that a classifier takes for another class.

All but the last are those of the Adversarial Robustness Toolbox. BPDA goes through the defence: the loss is that of the
purified image, and its gradient is taken as if purification were the identity.

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
from numpy.typing import NDArray
from torch import Tensor, nn

try:
    from art.attacks import evasion
    from art.defences.preprocessor.preprocessor import Preprocessor
    from art.estimators.classification import PyTorchClassifier
except ImportError:
    raise ImportError(
        "attacks need the package adversarial-robustness-toolbox: pip install 'chainrule[attacks]'"
    ) from None

Purify = Callable[[Tensor], Tensor]
Floats = NDArray[np.float32]

WITHIN = ("fgsm", "bim", "pgd", "bpda")
"""Attacks that stay within epsilon of every pixel."""
FREE = ("deepfool", "cw")
"""Attacks that look for the smallest change, however large."""
STEPS = 40
"""Gradient steps of bim, pgd and bpda, each of 2.5 epsilon / `STEPS`."""


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
    """Images ``(B, *event_shape)`` of whole levels that attack ``classifier``, starting from ``x``.

    Args:
        name: One of `WITHIN` or of `FREE`.
        classifier: Takes images in [0, 1] and gives logits ``(B, classes)``.
        x: Images with values from 0 to ``levels`` - 1.
        labels: Their classes, ``(B,)``.
        levels: How many values a pixel takes.
        classes: How many classes there are.
        epsilon: Of `WITHIN`, the greatest change of a pixel, in levels.
        purify: Of ``bpda``, the defence, from levels to levels.
        seed: Of what an attack draws.
        batch_size: Images that are attacked at once.

    Raises:
        ValueError: If the name is unknown, or epsilon is none.
    """
    if name not in (*WITHIN, *FREE):
        raise ValueError(f"attack expects one of {', '.join((*WITHIN, *FREE))}, got {name!r}")
    if name in WITHIN and epsilon < 1:
        raise ValueError(f"epsilon expects at least 1 level, got {epsilon}")
    scale = levels - 1
    device = next(classifier.parameters()).device
    estimator = PyTorchClassifier(
        model=classifier,
        loss=nn.CrossEntropyLoss(),
        input_shape=tuple(x.shape[1:]),
        nb_classes=classes,
        clip_values=(0.0, 1.0),
        device_type="cpu" if device.type == "cpu" else "gpu",
        preprocessing_defences=[_defence(purify, scale)] if name == "bpda" and purify is not None else None,
    )
    with _seeded(seed):
        images = (x / scale).cpu().numpy().astype(np.float32)
        attacked = _method(name, estimator, epsilon / scale, batch_size).generate(images, labels.cpu().numpy())
    found = (torch.from_numpy(attacked) * scale).round().clamp(0, scale).to(x.dtype)
    return found if name in FREE else torch.minimum(torch.maximum(found, x - epsilon), x + epsilon)


def _method(name: str, estimator: Any, epsilon: float, batch_size: int) -> Any:
    """The toolbox's attack of that name."""
    if name == "fgsm":
        return evasion.FastGradientMethod(estimator, eps=epsilon, batch_size=batch_size)
    if name == "deepfool":
        # It goes a tenth beyond the boundary: what it changes is rounded to levels.
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


def _defence(purify: Purify, scale: int) -> Any:
    """Purification as the toolbox's preprocessor, whose gradient is the identity's."""

    class Purification(Preprocessor):  # type: ignore[misc]
        def __call__(self, x: Floats, y: Any = None) -> tuple[Floats, Any]:
            levels = (torch.from_numpy(np.asarray(x, dtype=np.float32)) * scale).round().clamp(0, scale)
            return (purify(levels) / scale).cpu().numpy().astype(np.float32), y

    return Purification(is_fitted=True, apply_fit=False, apply_predict=True)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draws of NumPy's global generator, which the toolbox uses, as ``seed`` says; it is put back afterwards."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
