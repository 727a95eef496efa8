"""A report on attacks in words. It does not need the toolbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def name_of(attack: str, epsilon: float | None) -> str:
    """An attack and its epsilon, as text.

    >>> name_of("pgd", 0.3)
    'pgd 0.3'
    """
    return attack if epsilon is None else f"{attack} {epsilon:g}"


def in_words(clean: dict[str, Any], attacks: Sequence[dict[str, Any]], epsilon: float) -> list[str]:
    """Summarise a report, one sentence an item.

    Args:
        clean: The result of `chainrule.attacks.evaluation.Defence.clean`.
        attacks: The result of `chainrule.attacks.evaluation.Attacked.as_dict` for each attack.
        epsilon: The greatest change of a pixel by purification, as a share of the range.
    """
    found = [
        f"Of the clean images the classifier gets {clean['accuracy']:.1%} right, and {clean['purified_accuracy']:.1%} "
        f"once they are purified within {epsilon:.2f} of the range."
    ]
    plain = [row for row in attacks if row["attack"] != "bpda"]
    for row in sorted(plain, key=lambda row: row["accuracy"])[:1]:
        found.append(
            f"The strongest attack on the classifier alone, {name_of(row['attack'], row['epsilon'])}, leaves "
            f"{row['accuracy']:.1%}; purification brings that to {row['purified_accuracy']:.1%}, and -log p tells its "
            f"images with an AUC of {row['auc']['nll']:.3f}."
        )
    through = [row for row in attacks if row["attack"] == "bpda"]
    for row in through:
        blind = [other["purified_accuracy"] for other in plain if other["epsilon"] == row["epsilon"]]
        beside = (
            f", where others of this epsilon, that don't know of it, leave {min(blind):.1%} or more" if blind else ""
        )
        found.append(
            f"BPDA, which attacks through purification with epsilon {row['epsilon']:g}, leaves "
            f"{row['purified_accuracy']:.1%} of the purified images right{beside}; -log p tells its images with an AUC "
            f"of {row['auc']['nll']:.3f}, though it did not try to hide from it."
        )
    for row in sorted(plain, key=lambda row: row["purified_accuracy"])[:1]:
        found.append(
            f"Of the attacks that don't know of purification, {name_of(row['attack'], row['epsilon'])} leaves least "
            f"behind it, {row['purified_accuracy']:.1%} ({row['adaptive_accuracy']:.1%} if only the improbable is "
            f"purified); it changes a pixel by up to {row['linf']:.2f} of the range."
        )
    found.append(
        "Purification is no guarantee: an attacker who knows of it and searches longer may leave less."
        if through
        else "BPDA was not tried, so these figures say nothing of an attacker who knows of the defence."
    )
    return found
