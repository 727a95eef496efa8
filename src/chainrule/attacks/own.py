"""The user's own classifier: found by its name, and made to return logits."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from chainrule.words import suggestion

EXPECTED = "a torch module, or a function without arguments that returns one"


def own_classifier(where: str) -> nn.Module:
    """Import the user's classifier, a torch module or a function without arguments that returns one.

    The classifier takes images in [0, 1], ``(B, channels, height, width)``, and returns logits or probabilities
    ``(B, classes)``.

    Args:
        where: ``FILE.py:NAME`` or ``package.module:NAME``.

    Raises:
        ValueError: If it can't be imported, or is not a torch module.
    """
    path, _, name = where.rpartition(":")
    if not path or not name:
        raise ValueError(f"classifier expects FILE.py:NAME or package.module:NAME, got {where!r}")
    module = _module(path)
    if not hasattr(module, name):
        public = [each for each in vars(module) if not each.startswith("_")]
        raise ValueError(
            f"classifier expects the name of {EXPECTED}, got {name!r}, which {path} does not have"
            f"{suggestion(name, public)}"
        )
    found = given = getattr(module, name)
    if callable(given) and not isinstance(given, nn.Module):
        try:
            found = given()
        except (Exception, SystemExit) as error:  # the user's own code can raise anything
            raise ValueError(f"classifier expects {EXPECTED}, got {where!r}, which raised {_brief(error)}") from None
    if not isinstance(found, nn.Module):
        did = "is" if found is given else "returned"
        raise ValueError(f"classifier expects {EXPECTED}, got {where!r}, which {did} {_described(found)}")
    return found.eval()


def _module(path: str) -> ModuleType:
    """Import the file or the module ``path``. Modules beside the file, or in the working folder, are found too."""
    file = Path(path)
    is_file = file.suffix == ".py" or len(file.parts) > 1
    if is_file and (file.suffix != ".py" or not file.is_file()):
        raise ValueError(f"classifier expects a Python file that exists, got {path!r}")
    sys.path.insert(0, str(file.parent.resolve() if is_file else Path.cwd()))
    try:
        if not is_file:
            return import_module(path)
        module = ModuleType(f"classifier in {path}")
        module.__file__ = str(file.resolve())
        sys.modules[module.__name__] = module  # where dataclasses, for example, look for it
        SourceFileLoader(module.__name__, str(file)).exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own code can raise anything
        raise ValueError(f"classifier expects a module that can be imported, got {path!r}: {_brief(error)}") from None
    return module


class LogProbabilities(nn.Module):
    """A classifier that returns probabilities, made to return their logarithms, which are logits.

    Args:
        classifier: Returns probabilities ``(B, classes)``.
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, classes)``; a probability of 0 counts as the least positive number."""
        probabilities: Tensor = self.classifier(images)
        return probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log()


def with_logits(classifier: nn.Module, images: Tensor, classes: int) -> tuple[nn.Module, list[str]]:
    """A classifier that returns logits, by its outputs for ``images``, and notes on what was found out about it.

    Lazy layers get their shapes, and outputs that are probabilities are made logits; a note says either.

    Args:
        classifier: Takes images in [0, 1] and returns logits or probabilities ``(B, classes)``.
        images: Some images, on the classifier's device.
        classes: The number of classes.

    Raises:
        ValueError: If it can't read the images, or returns anything but finite numbers ``(B, classes)`` with a
            gradient by the images.
    """
    notes = []
    if any(is_lazy(tensor) for tensor in (*classifier.parameters(), *classifier.buffers())):
        notes.append("the classifier's lazy layers had no weights yet: they are random, not trained")
    outputs = _outputs(classifier, images, classes).detach()
    sums = outputs.sum(1)
    if bool((outputs >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        notes.append("the classifier returns probabilities: attacks see their logarithms")
        classifier = LogProbabilities(classifier).eval()
    return classifier, notes


def _outputs(classifier: nn.Module, images: Tensor, classes: int) -> Tensor:
    """The classifier's outputs for ``images``, checked."""
    given = images.clone().requires_grad_()
    try:
        with torch.enable_grad():
            outputs = classifier(given)
    except Exception as error:  # the user's own module can raise anything
        raise ValueError(
            f"a classifier expects images {tuple(images.shape)}, got one that raises {_brief(error)}"
        ) from None
    shape = tuple(outputs.shape) if isinstance(outputs, Tensor) else _described(outputs)
    if shape != (len(images), classes):
        raise ValueError(
            f"a classifier expects to return a logit for each of the data's {classes} classes, "
            f"({len(images)}, {classes}) for {len(images)} images, got {shape}"
        )
    if not bool(outputs.isfinite().all()):
        raise ValueError("a classifier expects to return finite logits, got others")
    if not outputs.requires_grad:
        raise ValueError(
            "a classifier expects outputs with a gradient by its images, which attacks follow, got none; "
            "leave out no_grad, detach and NumPy"
        )
    return outputs


def _described(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
