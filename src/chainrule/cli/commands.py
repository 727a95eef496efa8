"""Commands that need torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.cli import attacking, drawing, fitting, purifying, scoring, tables

COMMANDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "fit": fitting.run_fit,
    "reproduce": fitting.run_reproduce,
    "evaluate": scoring.run_evaluate,
    "sample": drawing.run_sample,
    "score": scoring.run_score,
    "purify": purifying.run_purify,
    "attack-eval": attacking.run_attack_eval,
    "complete": drawing.run_complete,
    "marginal": scoring.run_marginal,
    "classify": scoring.run_classify,
    "represent": scoring.run_represent,
    "conditionals": drawing.run_conditionals,
    "describe": scoring.run_describe,
    "schema": tables.run_schema,
}
