"""``chainrule attack-eval``: attack a classifier, and measure how a fitted model detects and repairs the attacks."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from chainrule.atomic import write_atomically
from chainrule.attacks.words import in_words
from chainrule.cli.opening import background_of, check_folder, opened_likelihood, say
from chainrule.cli.parser import UsageError
from chainrule.data.dataset import SPLITS, Dataset
from chainrule.data.examples import Rows
from chainrule.model import AutoregressiveModel
from chainrule.runs import OpenRun, machine
from chainrule.runs.folder import versions
from chainrule.signatures import convert
from chainrule.words import suggestion

if TYPE_CHECKING:
    from chainrule.attacks.evaluation import Defence


def run_attack_eval(options: dict[str, Any]) -> None:
    """``chainrule attack-eval``."""
    out = options["out"]
    check_folder(out)
    names, epsilons = _attacks(options)
    run, model = opened_likelihood(options)
    dataset = _labelled_images(run, options, epsilons)
    rows = dataset.split(options["split"]).fewer(options["n"])[1]
    share = max(epsilons) if options["purify_epsilon"] is None else options["purify_epsilon"]
    defence, about = _defence(options, run, model, dataset, rows, share)
    say(defence.notes)
    from chainrule.attacks.report import plot_attacks, table

    clean, attacks = defence.clean(), []
    for done in defence.all_attacks(names, epsilons, seed=options["seed"]):
        attacks.append(done)
        print(f"{done.name}: {done.seconds:.0f} s", file=sys.stderr)
    found = [done.as_dict() for done in attacks]
    words = in_words(clean, found, defence.epsilon / (defence.levels - 1))
    report = about | {"clean": clean, "attacks": found, "words": words, "machine": machine(), "versions": versions()}
    if options["json"]:
        print(json.dumps(report))
    else:
        print("\n".join([*table(attacks), *words]))
    if out is not None:
        out.mkdir(exist_ok=True)
        write_atomically(out / "report.json", (json.dumps(report, indent=2) + "\n").encode())
        plot_attacks(out, defence, attacks, rows=rows.tolist(), classes=_class_names(dataset))
        print(f"wrote report.json, log-likelihoods.png and examples.png in {out}", file=sys.stderr)


def _attacks(options: dict[str, Any]) -> tuple[list[str], list[float]]:
    """The names of the attacks, and their epsilons."""
    from chainrule.attacks.methods import FREE, WITHIN  # the toolbox takes seconds to import

    names = convert(_listed(options["attacks"]), "Sequence[str]", "attacks")
    epsilons = convert(_listed(options["epsilons"]), "Sequence[float]", "epsilons")
    if not names:
        raise UsageError(f"--attacks expects some of {', '.join((*WITHIN, *FREE))}, got none")
    for name in names:
        if name not in (*WITHIN, *FREE):
            raise UsageError(
                f"--attacks expects some of {', '.join((*WITHIN, *FREE))}, got {name!r}"
                f"{suggestion(name, (*WITHIN, *FREE))}"
            )
    wrong = [epsilon for epsilon in epsilons if not 0 < epsilon <= 1]
    if wrong or not epsilons:
        raise UsageError(f"--epsilons expects shares of the range in (0, 1], got {wrong[0] if wrong else 'none'}")
    if options["purify_epsilon"] is not None and not 0 <= options["purify_epsilon"] <= 1:
        raise UsageError(f"--purify-epsilon expects a share of the range in [0, 1], got {options['purify_epsilon']}")
    if not 0 < options["threshold"] < 1:
        raise UsageError(f"--threshold expects a p-value in (0, 1), got {options['threshold']}")
    if options["n"] < 2:
        raise UsageError(f"-n expects at least 2, got {options['n']}")
    return names, epsilons


def _listed(words: str) -> str:
    """``fgsm`` or ``fgsm,pgd`` as ``[fgsm, pgd]``."""
    return words if words.strip().startswith("[") else f"[{words}]"


def _defence(
    options: dict[str, Any], run: OpenRun, model: AutoregressiveModel, dataset: Dataset, rows: Rows, share: float
) -> tuple[Defence, dict[str, Any]]:
    """The classifier behind the model, and a description of both as plain values.

    ``rows`` of the data are attacked; ``share`` of the range is the greatest change by purification.
    """
    from chainrule.attacks.evaluation import Defence

    calibration = run.calibration(options["calibration"])
    background = None if options["background"] is None else background_of(run, options)[1]
    classes = len(_class_names(dataset))
    classifier, described = _classifier(options, model, dataset, classes)
    defence = Defence(
        model,
        classifier,
        epsilon=int(share * (dataset.levels - 1) + 1e-6),
        threshold=options["threshold"],
        calibration=calibration,
        background=background,
        x=dataset.split(options["split"])[rows],
        labels=dataset.classes(options["split"])[rows],
        classes=classes,
    )
    parameters = sum(each.numel() for each in classifier.parameters())
    return defence, {
        "run": str(options["run"]),
        "model": type(model).__name__,
        "dataset": dataset.description,
        "split": options["split"],
        "examples": len(rows),
        "levels": dataset.levels,
        "seed": options["seed"],
        "classifier": described | {"parameters": parameters, "notes": defence.notes},
        "purify_epsilon_levels": defence.epsilon,
        "threshold": options["threshold"],
        "calibration": options["calibration"],
        "background": None if options["background"] is None else str(options["background"]),
    }


def _class_names(dataset: Dataset) -> list[str]:
    """The names of the data's classes; their numbers where they have none."""
    count = 1 + max(int(dataset.classes(split).max()) for split in SPLITS)
    return [str(name) for name in dataset.origin.get("classes", range(count))]


def _labelled_images(run: OpenRun, options: dict[str, Any], epsilons: list[float]) -> Dataset:
    """The data that was asked for, which must be images with classes, of enough levels for the epsilons."""
    dataset = run.dataset(options["data"])
    if len(dataset.event_shape) != 3:
        raise UsageError(f"attack-eval expects images, got examples of shape {dataset.event_shape}")
    if dataset.labels is None:
        raise UsageError(f"attack-eval expects data with classes, got {dataset.name}, which has none")
    scale = dataset.levels - 1
    if small := [epsilon for epsilon in epsilons if epsilon * scale < 1 - 1e-6]:
        raise UsageError(
            f"--epsilons expects shares of at least one level, 1/{scale} of {dataset.levels} levels, got {small[0]}"
        )
    return dataset


def _classifier(
    options: dict[str, Any], model: AutoregressiveModel, dataset: Dataset, classes: int
) -> tuple[nn.Module, dict[str, Any]]:
    """The user's classifier, or a small one trained on the same data, and its description as plain values."""
    from chainrule.attacks.classifier import trained_classifier
    from chainrule.attacks.own import own_classifier

    torch.manual_seed(options["seed"])  # for weights that the user's own classifier draws
    if options["classifier"] is not None:
        return own_classifier(options["classifier"]).to(model.device), {"name": options["classifier"]}
    settings = {"seed": options["seed"], "device": options["device"], "verbose": not options["json"]}
    small, about = trained_classifier(dataset, model.conditional, classes, **settings)
    return small.network.to(model.device), about
