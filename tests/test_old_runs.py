"""Run folders that version 0.1 wrote, before there were kinds, still open and give the same likelihoods."""

import json
from pathlib import Path

import pytest

import chainrule
from chainrule.kinds import KINDS
from chainrule.runs import evaluate_split, open_run

FOLDER = Path(__file__).parent / "data" / "runs_of_0.1"
EXPECTED: dict[str, float] = json.loads((FOLDER / "expected.json").read_text())
"""Nats of each run's test split, as version 0.1 evaluated it."""

DATA = {"image": "digits", "audio": "audio", "stream": "text.txt", "documents": "text.txt"}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_old_run_has_the_likelihood_that_it_had(name: str) -> None:
    data = DATA.get(name, f"{name}.csv")
    spec = data if name == "image" else str(FOLDER / "data" / data)
    run = open_run(FOLDER / name)
    evaluation, _ = evaluate_split(run.likelihood, run.dataset(spec), "test")
    assert evaluation.nats == pytest.approx(EXPECTED[name], rel=1e-5)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_old_run_is_of_its_kind(name: str) -> None:
    kind = {"stream": "text", "documents": "text"}.get(name, name)
    run = open_run(FOLDER / name)
    assert type(run.kind) is KINDS[kind]
    assert chainrule.load(FOLDER / name).event_shape == run.model.event_shape
    assert len(run.calibration("train").log_probs) > 0
