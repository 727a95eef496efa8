"""P-values: their false alarms, their tail, what they compare with, and what is anomalous by them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars
import pytest
import soundfile
import torch
from command_line import refused
from torch import Tensor

from chainrule.cli import main
from chainrule.runs import read_calibration
from chainrule.tasks.calibration import Calibration, alarm_range, discoveries
from chainrule.tasks.combined import Combined

Draw = Callable[[int], Tensor]
SHAPES: dict[str, Draw] = {
    "light": lambda count: -torch.rand(count, dtype=torch.float64),
    "exponential": lambda count: -torch.empty(count, dtype=torch.float64).exponential_(),
    "heavy": lambda count: torch.distributions.StudentT(torch.tensor(3.0, dtype=torch.float64)).sample((count,)),
}


class TestTail:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_is_as_rare_as_it_says_and_goes_on_from_the_ranks(self, shape: str) -> None:
        torch.manual_seed(0)
        draw, asked = SHAPES[shape], 2e-4
        shares = []
        for _ in range(100):
            calibration = Calibration.of(draw(500))
            new = draw(20_000)
            shares.append(float((calibration.pvalues(new) <= asked).double().mean()))
            least = calibration.log_probs[:1]
            at_least, beyond = calibration.pvalues(torch.cat([least, least - 1e-9])).tolist()
            assert beyond >= 1 / 501 * (1 - 1e-6)
            assert at_least == pytest.approx(max(2 / 501, beyond), rel=1e-6), "no step, but those of the ranks"
        error = np.std(shares) / math.sqrt(len(shares))
        # What a Student's t of 3 degrees does beyond all examples can't be seen in 500 of them: its tail is too light.
        assert np.mean(shares) <= asked * (3 if shape == "heavy" else 1) + 3 * error

    def test_tells_far_from_farther_and_never_says_impossible(self) -> None:
        calibration = Calibration.of(torch.randn(200, generator=torch.Generator().manual_seed(0)))
        far = torch.tensor([-10.0, -1e3, -1e6, -1e300, -math.inf], dtype=torch.float64)
        logs = calibration.log_pvalues(far)
        assert bool((logs[1:] < logs[:-1]).all())
        assert bool(logs[:-1].isfinite().all())
        assert logs[-1] == -math.inf

    def test_is_not_fitted_to_few_or_equal_ones(self) -> None:
        assert Calibration.of(torch.arange(20.0)).tail is None
        assert Calibration.of(torch.zeros(500)).tail is None
        assert Calibration.of(torch.arange(25.0)).tail is not None

    @pytest.mark.parametrize("count", [10, 400])
    @pytest.mark.parametrize("rate", [0.3, 0.05, 1e-4])
    def test_a_threshold_decides_as_the_p_value_does(self, count: int, rate: float) -> None:
        torch.manual_seed(1)
        calibration, new = Calibration.of(torch.randn(count).double()), 3 * torch.randn(2000).double()
        threshold = calibration.threshold(rate)
        assert torch.equal(new < threshold, calibration.pvalues(new) <= rate)


class TestDiscoveries:
    def test_are_those_of_benjamini_and_hochberg(self) -> None:
        torch.manual_seed(0)
        pvalues = torch.rand(500).double() ** 3
        for rate in (0.01, 0.1):
            ordered = pvalues.sort().values
            passed = ordered <= rate * torch.arange(1, 501) / 500
            expected = pvalues <= ordered[passed.nonzero().max()] if passed.any() else torch.zeros(500).bool()
            assert torch.equal(discoveries(pvalues, rate), expected)
        assert discoveries(torch.zeros(0), 0.1).tolist() == []

    def test_find_the_planted_among_ten_thousand(self) -> None:
        """Of the named, 5 % are ordinary on average; a floor of 1 / (N + 1) would leave nothing to name."""
        torch.manual_seed(0)
        wrong, found = [], []
        for _ in range(40):
            calibration = Calibration.of(torch.randn(2000).double())
            new = torch.randn(10_000).double()
            new[:50] -= 6
            named = discoveries(calibration.pvalues(new), 0.05)
            wrong.append(float(named[50:].sum() / named.sum().clamp(min=1)))
            found.append(float(named[:50].double().mean()))
        assert np.mean(wrong) <= 0.05 + 3 * np.std(wrong) / math.sqrt(len(wrong))
        assert np.mean(found) > 0.8

    @pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, math.nan])
    def test_refuse_what_is_no_share(self, rate: float) -> None:
        with pytest.raises(ValueError, match="fdr expects a share between 0 and 1"):
            discoveries(torch.rand(3), rate)
        with pytest.raises(ValueError, match="rate expects a share between 0 and 1"):
            Calibration.of(torch.rand(3)).threshold(rate)


Make = Callable[[np.random.RandomState, int, Path], Path]
"""Writes a number of ordinary items into a folder, and returns the path."""


def _table(generator: np.random.RandomState, count: int, folder: Path) -> Path:
    a, b = generator.normal(size=(2, count))
    frame = polars.DataFrame({"a": a, "b": np.exp(b), "c": generator.choice(["red", "blue"], size=count)})
    frame.write_csv(folder / "x.csv")
    return folder / "x.csv"


def _rows(generator: np.random.RandomState, count: int, folder: Path) -> Path:
    np.save(folder / "x.npy", generator.randint(0, 2, size=(count, 12)).astype(np.uint8))
    return folder / "x.npy"


def _images(generator: np.random.RandomState, count: int, folder: Path) -> Path:
    np.save(folder / "x.npy", generator.randint(0, 4, size=(count, 1, 4, 4)).astype(np.uint8))
    return folder / "x.npy"


def _text(generator: np.random.RandomState, count: int, folder: Path) -> Path:
    lines = ["".join(generator.choice(list("abc"), size=generator.randint(3, 9))) for _ in range(count)]
    (folder / "x.txt").write_text("\n".join(lines) + "\n")
    return folder / "x.txt"


def _series(generator: np.random.RandomState, count: int, folder: Path) -> Path:
    polars.DataFrame({"x": generator.standard_t(4, size=count)}).write_csv(folder / "x.csv")
    return folder / "x.csv"


def _audio(generator: np.random.RandomState, count: int, folder: Path) -> Path:
    (folder / "x").mkdir()
    for i in range(count):
        soundfile.write(folder / "x" / f"{i:04}.wav", generator.uniform(-0.5, 0.5, 20), 8000)
    return folder / "x"


MADE = ["--model", "MADE", "--model.hidden_sizes", "[8]"]
RNN = ["--model", "RNN", "--model.hidden_size", "8"]
WAVENET = ["--model", "WaveNet", "--model.layers", "2", "--model.residual_channels", "4"]
KINDS: dict[str, tuple[Make, int, list[str]]] = {
    "table": (_table, 5000, MADE),
    "few rows of a table": (_table, 300, MADE),
    "rows": (_rows, 5000, MADE),
    "image": (_images, 5000, MADE),
    "lines of a stream": (_text, 5000, [*RNN, "--window", "16"]),
    "documents": (_text, 5000, [*RNN, "--documents", "true"]),
    "values of a series": (_series, 5000, [*RNN, "--series", "x", "--window", "20"]),
    "audio": (_audio, 500, WAVENET),
}
"""Ordinary items of each kind: how many the run is fitted on, and its model."""

RATE = 0.1


def _scored(run: Path, data: Path, *more: object) -> polars.DataFrame:
    out = run.parent / "scores.parquet"
    assert main(["score", str(run), str(data), *map(str, more), "--out", str(out)]) == 0
    return polars.read_parquet(out)


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_ordinary_items_are_anomalous_as_were_asked_for(kind: str, tmp_path: Path) -> None:
    """The law of p-values: the share is within three standard errors of the rate, of which both samples have a part."""
    make, count, model = KINDS[kind]
    (tmp_path / "new").mkdir()
    fitted, new = make(np.random.RandomState(0), count, tmp_path), make(np.random.RandomState(1), 800, tmp_path / "new")
    run = tmp_path / "run"
    assert main(["fit", *model, "--data", str(fitted), "--max-epochs", "1", "--out", str(run)]) == 0
    alarms = _scored(run, new, "--rate", RATE)["anomalous"]
    compared = len(read_calibration(run, "valid").log_probs)
    error = math.sqrt(RATE * (1 - RATE) * (1 / compared + 1 / len(alarms)))
    assert abs(alarms.mean() - RATE) <= 3 * error
    if kind.startswith("few"):
        assert compared == 30 + 240, "training rows are scored by models that did not see them"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    data = _table(np.random.RandomState(0), 400, folder)
    assert main(["fit", *MADE, "--data", str(data), "--max-epochs", "2", "--out", str(folder / "run")]) == 0
    return folder / "run"


class TestCommand:
    def test_compares_with_examples_of_the_users_own(self, run: Path, tmp_path: Path) -> None:
        (tmp_path / "own").mkdir()
        own = _table(np.random.RandomState(2), 90, tmp_path / "own")
        new = _table(np.random.RandomState(3), 50, tmp_path)
        known = Calibration.of(torch.tensor(_scored(run, own)["log_prob"].to_list()))
        found = _scored(run, new, "--score", "pvalue", "--calibrate", own)
        expected = known.pvalues(torch.tensor(found["log_prob"].to_list()))
        np.testing.assert_allclose(found["pvalue"].to_numpy(), expected.numpy(), rtol=1e-5)

    def test_names_the_strangest_first_and_says_which_are_anomalous(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = _table(np.random.RandomState(3), 60, tmp_path)
        frame = polars.read_csv(new)
        places = polars.Series(range(60))
        far = polars.when(places == 15).then(9.0).when(places == 57).then(900.0).otherwise("a")
        frame.with_columns(a=far).write_csv(new)
        capsys.readouterr()
        found = _scored(run, new, "--fdr", "0.05")
        captured = capsys.readouterr()
        assert captured.out.splitlines()[0].startswith("number 58  ")
        assert captured.out.splitlines()[1].startswith("number 16  ")
        assert found["anomalous"].to_numpy().nonzero()[0].tolist() == [15, 57]
        assert "anomalous: 2 of 60; of these, at most 5.00% are ordinary, on average" in captured.err
        assert (
            "less probable than all of the 360 calibration examples: 2; their p-values are of a generalised"
            in captured.err
        )
        rated = _scored(run, new, "--rate", "0.2")
        assert rated["anomalous"].to_list() == (found["pvalue"] <= 0.2).to_list()

    def test_keeps_thresholds_in_the_run(self, run: Path, tmp_path: Path) -> None:
        kept = json.loads((run / "config.json").read_text())["calibration"]
        assert kept["examples"] == len(read_calibration(run, "valid").log_probs)
        found = _scored(run, _table(np.random.RandomState(4), 500, tmp_path), "--rate", "0.05")
        assert found["anomalous"].to_list() == (found["log_prob"] < kept["log_prob_at_rate"]["0.05"]).to_list()

    def test_refuses(self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        few = _table(np.random.RandomState(0), 19, tmp_path)
        polars.DataFrame({"other": [1.0] * 30}).write_csv(tmp_path / "other.csv")
        out = ["--out", str(tmp_path / "s.csv")]
        for arguments, message in {
            ("--rate", "0"): "rate expects a share between 0 and 1, got 0.0",
            ("--fdr", "1.5"): "fdr expects a share between 0 and 1, got 1.5",
            ("--rate", "0.1", "--fdr", "0.1"): "expects --rate or --fdr, got both",
            ("--rate", "0.1", "--score", "nll"): "--rate expects --score pvalue, which it is a share of",
            (
                "--rate",
                "0.1",
                "--calibrate",
                str(few),
            ): "at least 20 examples to compare with, got 19 (--cal",
            ("--rate", "0.1", "--calibrate", str(tmp_path / "other.csv")): "other.csv",
            ("--rate", "0.1", "--calibrate", str(few), "--calibration", "train"): "expects no --calibrate",
            ("--calibrate", str(few)): "--calibrate expects --score pvalue or typicality",
        }.items():
            assert message in refused(capsys, "score", str(run), str(few), *arguments, *out), arguments


class TestSeveralWays:
    """P-values of examples that may be strange in several ways."""

    @pytest.mark.parametrize(("count", "sets"), [(30, 80), (500, 30)])
    def test_ordinary_examples_are_alarms_as_rarely_as_promised(self, count: int, sets: int) -> None:
        """The mean over many calibrations is below the rate, plus three standard errors; and not far below."""
        generator, rates, alarms = torch.Generator().manual_seed(3), torch.tensor([0.01, 0.05, 0.2]), []
        for _ in range(sets):
            mixed = torch.randn(count + 500, 3, generator=generator).double()
            mixed[:, 1] += mixed[:, 0]
            combined = Combined.of(mixed[:count])
            pvalues = combined.least.pvalues(combined.statistics(mixed[count:]))
            alarms.append((pvalues[:, None] <= rates).double().mean(0))
        found = torch.stack(alarms)
        assert (found.mean(0) < rates + 3 * found.std(0) / sets**0.5).all()
        assert (found.mean(0)[1:] > 0.5 * rates[1:]).all()

    def test_the_range_of_alarms_holds_in_nine_of_ten_sets(self) -> None:
        low, high = alarm_range(0.1, 99)
        examples = torch.rand(5000, 99, generator=torch.Generator().manual_seed(4))
        shares = examples.sort(1).values[:, 9]  # of ordinary ones, these are no more probable than the tenth of 99
        inside = ((low <= shares) & (shares <= high)).double().mean()
        assert abs(inside - 0.9) < 4 * (0.9 * 0.1 / 5000) ** 0.5
        with pytest.raises(ValueError, match=r"a rate of 0.01 expects at least 99 examples, got 98"):
            alarm_range(0.01, 98)

    def test_one_way_is_enough_to_be_strange(self) -> None:
        ways = torch.randn(500, 3, generator=torch.Generator().manual_seed(1)).double()
        combined = Combined.of(ways)
        strange = torch.tensor([[0.0, 0.0, -9.0], [-9.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).double()
        pvalues = combined.least.pvalues(combined.statistics(strange))
        assert pvalues[:2].max() < 0.02
        assert pvalues[2] > 0.5
