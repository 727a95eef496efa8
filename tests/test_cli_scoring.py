"""Commands that score: ``evaluate``, ``describe``, ``classify``, ``represent`` and ``marginal``."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import FAST, refused

import chainrule
from chainrule.cli import main
from chainrule.data import load
from chainrule.tasks.classify import class_prior


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "classes"
    model = ["--model", "MADE", "--model.hidden_sizes", "[20]", "--model.num_classes", "10"]
    assert main(["fit", *model, "--data", "digits", "--out", str(out), *FAST]) == 0
    return out


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "autoencoder"
    model = ["--model", "Autoencoder", "--model.hidden_sizes", "[9]", "--model.reconstruction", "squared_error"]
    assert main(["fit", *model, "--data", "digits", "--out", str(out), *FAST]) == 0
    return out


class TestEvaluate:
    def test_json(self, digits_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["evaluate", str(digits_run), "--data", "digits", "--split", "test", "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert {"nats", "nats_stderr", "bits_per_dim", "examples"} <= result.keys()
        assert result["examples"] == 179
        assert result["bits_per_dim"] == pytest.approx(result["nats"] / 64 / np.log(2))

    def test_data_is_by_default_what_was_fitted(self, table_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["evaluate", str(table_run)]) == 0
        assert "6 examples" in capsys.readouterr().out

    def test_other_columns(self, digits_run: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
        message = refused(capsys, "evaluate", str(digits_run), "--data", str(table))
        assert "table.csv: expected examples of shape (1, 8, 8), got (5,)" in message

    def test_one_example_has_no_standard_error(
        self, digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        np.save(tmp_path / "one.npy", load("digits").test[:1].numpy().astype(np.uint8))
        assert main(["evaluate", str(digits_run), str(tmp_path / "one.npy")]) == 0
        printed = capsys.readouterr().out
        assert " nats, " in printed
        assert "+-" not in printed

    def test_unknown_split(self, digits_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean test?" in refused(capsys, "evaluate", str(digits_run), "--split", "tests")

    def test_truncated_model(self, table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name in ("config.json", "model.safetensors"):
            (tmp_path / name).write_bytes((table_run / name).read_bytes()[:200])
        (tmp_path / "config.json").write_bytes((table_run / "config.json").read_bytes())
        assert "damaged or truncated" in refused(capsys, "evaluate", str(tmp_path))

    def test_no_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "expects a run folder" in refused(capsys, "evaluate", str(tmp_path / "nothing"))

    def test_describe(self, table_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe", str(table_run), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["parameters"] == 15


class TestClassesAndFeatures:
    @pytest.mark.parametrize("prior", ["train", "uniform"])
    def test_accuracy_is_that_of_classify(self, run: Path, capsys: pytest.CaptureFixture[str], prior: str) -> None:
        assert main(["classify", str(run), "--prior", prior, "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        digits = load("digits")
        shares = class_prior(digits.classes("train"), 10) if prior == "train" else None
        log_probs = chainrule.classify(chainrule.load(run), digits.test, prior=shares)
        hits = log_probs.argmax(1) == digits.classes("test")
        assert result["accuracy"] == pytest.approx(hits.double().mean().item())
        assert (result["prior"], result["examples"]) == (prior, 179)

    def test_the_prior_is_said(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["classify", str(run), "--split", "valid"]) == 0
        assert "class frequencies of the training split" in capsys.readouterr().out

    @pytest.mark.parametrize("suffix", [".npz", ".npy", ".csv", ".png"])
    def test_classify_writes(self, run: Path, tmp_path: Path, suffix: str) -> None:
        out = tmp_path / f"classes{suffix}"
        assert main(["classify", str(run), "--out", str(out), "-n", "2"]) == 0
        if suffix == ".png":
            assert out.read_bytes().startswith(b"\x89PNG")
            return
        found = np.loadtxt(out, delimiter=",") if suffix == ".csv" else np.load(out)
        if suffix == ".npz":
            assert np.array_equal(found["classes"], load("digits").classes("test").numpy())
            found = found["probabilities"]
        assert found.shape == (179, 10)
        assert found.sum(1) == pytest.approx(1, abs=1e-5)

    def test_examples_without_classes_are_given_one(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        np.save(tmp_path / "plain.npy", load("digits").test[:3].numpy().astype(np.uint8))
        classify = ["classify", str(run), str(tmp_path / "plain.npy"), "-n", "2"]
        assert main(classify) == 0
        printed = capsys.readouterr().out.splitlines()
        assert main([*classify, "--json"]) == 0
        first = json.loads(capsys.readouterr().out)["first"]
        expected = chainrule.classify(
            chainrule.load(run), load("digits").test[:3], prior=class_prior(load("digits").classes("train"), 10)
        )
        assert [row["class"] for row in first] == expected.argmax(1)[:2].tolist()
        assert [row["probability"] for row in first] == pytest.approx(expected.exp().amax(1)[:2].tolist(), abs=1e-6)
        assert len(printed) == 3
        assert printed[1] == f"number 1  class {first[0]['class']}  probability {first[0]['probability']:.4f}"

    def test_conditionals_given_a_class(self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = str(tmp_path / "x.png")
        assert "expected --class, from 0 to 9" in refused(capsys, "conditionals", str(run), "--out", out)
        assert main(["conditionals", str(run), "--class", "3", "-n", "2", "--out", out]) == 0
        assert Path(out).read_bytes().startswith(b"\x89PNG")

    def test_a_mixture_over_orders_has_no_curve_along_one(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = ["--model", "MADE", "--model.hidden_sizes", "[9]", "--model.num_classes", "10"]
        out = tmp_path / "mixture"
        fit = ["fit", *model, "--data", "digits", "--orders", "[raster, reversed]", "--out", str(out), *FAST]
        assert main(fit) == 0
        capsys.readouterr()
        message = refused(capsys, "classify", str(out), "--out", str(tmp_path / "x.png"))
        assert "expects a model of one order, to show p(c | x_<t) along it" in message
        assert main(["classify", str(out), "--out", str(tmp_path / "x.npy")]) == 0

    def test_represent_writes_features_and_classes(self, run: Path, tmp_path: Path) -> None:
        out = tmp_path / "features.npz"
        assert main(["represent", str(run), "--split", "valid", "--out", str(out)]) == 0
        digits, arrays = load("digits"), np.load(out)
        expected = chainrule.represent(chainrule.load(run), digits.valid, context=digits.classes("valid"))
        assert np.array_equal(arrays["features"], expected.numpy())
        assert np.array_equal(arrays["classes"], digits.classes("valid").numpy())

    def test_a_class_to_condition_on(self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "x.npy"
        assert main(["sample", str(run), "--class", "3", "-n", "4", "--seed", "1", "--out", str(out)]) == 0
        expected = chainrule.sample(chainrule.load(run), 4, seed=1, context=torch.full((4,), 3))
        assert np.array_equal(np.load(out), expected.numpy())
        capsys.readouterr()
        assert main(["sample", str(run), "-n", "4", "--out", str(out)]) == 0  # of classes as often as in training
        capsys.readouterr()
        assert "from 0 to 9" in refused(capsys, "sample", str(run), "--class", "10", "--out", str(out))

    def test_refusals(
        self, run: Path, digits_run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "got a MADE without" in refused(capsys, "classify", str(digits_run))
        assert "expects train or uniform, got 'tain'" in refused(capsys, "classify", str(run), "--prior", "tain")
        assert "expected examples of shape (1, 8, 8)" in refused(capsys, "classify", str(run), "--data", str(table))
        assert "ending in .npz, .npy, .csv, got x.png" in refused(capsys, "represent", str(run), "--out", "x.png")
        assert "n expects at least 1, got 0" in refused(capsys, "classify", str(run), "-n", "0", "--out", "x.png")

    def test_a_model_without_hidden_layers_has_no_features(
        self, table_run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert "FVSBN" in refused(capsys, "represent", str(table_run), "--out", "x.npy")


class TestWithoutALikelihood:
    def test_its_losses_are_not_called_nats(self, autoencoder: Path) -> None:
        header = (autoencoder / "metrics.csv").read_text().splitlines()[0]
        assert header == "step,train_loss,valid_loss,minutes"
        training = json.loads((autoencoder / "config.json").read_text())["training"]
        assert training["valid_loss"] > 0
        assert not any("nats" in name for name in training)

    def test_it_represents_and_describes(
        self, autoencoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["represent", str(autoencoder), "--out", str(tmp_path / "codes.npy")]) == 0
        assert np.load(tmp_path / "codes.npy").shape == (179, 9)
        assert main(["describe", str(autoencoder)]) == 0
        assert "no likelihood" in capsys.readouterr().out

    @pytest.mark.parametrize("command", ["evaluate", "sample", "complete", "marginal", "classify"])
    def test_it_is_refused_where_p_is_asked_for(
        self, autoencoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
    ) -> None:
        out, observe = ["--out", str(tmp_path / "x.png")], ["--observe", "top-half"]
        extra = {"sample": out, "complete": [*out, *observe], "marginal": observe}
        message = refused(capsys, command, str(autoencoder), *extra.get(command, []))
        assert "expected a model with a likelihood, got the Autoencoder" in message
        assert not (tmp_path / "x.png").exists()


class TestMarginal:
    def test_exact_where_the_known_come_first(self, digits_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["marginal", str(digits_run), "--observe", "top-half", "-n", "3", "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        model, x = chainrule.load(digits_run), load("digits").test[:3]
        expected = model(x).log_prob(x)[..., :4, :].flatten(1).sum(1)
        assert result["exact"]
        assert result["stderr"] == [0, 0, 0]
        assert result["log_prob"] == pytest.approx(expected.tolist(), abs=1e-4)

    def test_an_estimate_with_its_standard_error(self, digits_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["marginal", str(digits_run), "--observe", "bottom-half", "-n", "2", "--particles", "8"]
        assert main(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "32 of 64 variables known; approximate: sequential Monte Carlo, 8 x 8 particles" in lines[0]
        assert all(" +- " in line for line in lines[1:])
        assert len(lines) == 3
        assert "repeats expects at least 2, got 1" in refused(capsys, *arguments, "--repeats", "1")
        assert "particles expects at least 1, got 0" in refused(capsys, *arguments, "--particles", "0")
