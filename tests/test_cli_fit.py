"""``chainrule fit`` and ``reproduce``: what they leave behind, and how they go on after an interrupt."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import FAST, refused

import chainrule
from chainrule import conditionals
from chainrule.cli import main
from chainrule.data import load
from chainrule.settings import FAMILIES


class TestFit:
    def test_leaves_a_run_folder(self, digits_run: Path) -> None:
        names = {path.name for path in digits_run.iterdir()}
        assert names == {
            "calibration.safetensors", "checkpoints", "config.json", "metrics.csv", "model.safetensors", "plan.json",
            "samples.png", "training.png",
        }  # fmt: skip
        config = json.loads((digits_run / "config.json").read_text())
        assert config["settings"]["model"] == "MADE"
        assert config["data"]["name"] == "digits"
        assert config["model"]["arguments"]["hidden_sizes"] == [20]
        assert chainrule.load(digits_run).event_shape == (1, 8, 8)

    def test_json_says_nothing_else(self, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["--model", "NADE", "--model.hidden_size", "4", "--data", str(table), *FAST]
        assert main(["fit", *arguments, "--out", str(tmp_path / "run"), "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["model"] == "NADE"
        assert result["steps"] == 2

    def test_says_what_it_took_the_file_for(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "flats.csv").write_text("rooms,area\n" + "".join(f"{i % 4},{i / 8 + 0.3}\n" for i in range(40)))
        fit = ["fit", "--model", "FVSBN", "--data", str(tmp_path / "flats.csv"), "--max-epochs", "1"]
        assert main([*fit, "--out", str(tmp_path / "run")]) == 0
        assert "flats.csv: 40 rows of 2 columns (1 integer, 1 real)" in capsys.readouterr().out

    def test_steps_are_counted_whether_validated_or_not(self, table: Path, tmp_path: Path) -> None:
        fit = ["fit", "--model", "FVSBN", "--data", str(table), "--max-steps", "4", "--validate-every", "2"]
        assert main([*fit, "--out", str(tmp_path / "run")]) == 0
        training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
        assert training["steps"] == 4
        assert training["best_step"] in (0, 2, 4)

    def test_config_is_a_command_line_and_flags_override_it(self, table: Path, tmp_path: Path) -> None:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(f"model: MADE\nmodel.hidden_sizes: [7]\ndata: {table}\nmax_epochs: 9\nlearning_rate: 1e-3\n")
        out = tmp_path / "run"
        assert main(["fit", "--config", str(recipe), "--max_epochs", "1", "--out", str(out)]) == 0
        config = json.loads((out / "config.json").read_text())
        assert config["training"]["steps"] == 1
        assert config["settings"]["learning_rate"] == 0.001
        assert chainrule.load(out).config["hidden_sizes"] == [7]

    def test_a_finished_run_is_neither_overwritten_nor_repeated(
        self, digits_run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        again = ["fit", "--model", "MADE", "--model.hidden_sizes", "[20]", "--data", "digits", "--out", str(digits_run)]
        assert "already holds a run" in refused(capsys, *again, *FAST)
        before = (digits_run / "model.safetensors").stat().st_mtime_ns
        assert main([*again, *FAST, "--resume"]) == 0
        assert "finished already" in capsys.readouterr().out
        assert (digits_run / "model.safetensors").stat().st_mtime_ns == before
        other = [*again[:4], "[21]", *again[5:], *FAST, "--resume"]
        assert "fitted with model.hidden_sizes=[20], got [21]" in refused(capsys, *other)

    def test_the_family_of_conditionals(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        fit = ["fit", "--model", "PixelCNN", "--model.hidden_size", "4", "--model.num_blocks", "1"]
        fit += ["--data", "digits-17", *FAST, "--out", str(tmp_path / "run")]
        mixture = ["--conditional", "DiscretizedLogisticMixture", "--conditional.components", "2"]
        assert main([*fit, *mixture]) == 0
        assert chainrule.load(tmp_path / "run").conditional.config == {"categories": 17, "components": 2}
        capsys.readouterr()
        assert main(["evaluate", str(tmp_path / "run")]) == 0
        capsys.readouterr()
        again = [*fit[:-1], str(tmp_path / "new")]
        assert "expects Bernoulli or" in refused(capsys, *again, "--conditional", "Gauss").replace(", ", " or ")
        assert "Bernoulli expects binary data, got 17 levels" in refused(capsys, *again, "--conditional", "Bernoulli")
        assert "expects a conditional to be named" in refused(capsys, *again, "--conditional.components", "2")
        wrong = [*again, "--conditional", "Categorical", "--conditional.components", "2"]
        assert "Categorical expects no conditional.components" in refused(capsys, *wrong)
        assert not (tmp_path / "new").exists()
        assert "GaussianMixture expects real numbers, got 17 levels" in refused(
            capsys, *again, "--conditional", "GaussianMixture"
        )
        made_of_others = {"Columns", "Conditional", "Curved", "Standardised", "WithAtoms", "WithMissing", "present"}
        assert {*FAMILIES} | made_of_others == {*conditionals.__all__}

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--model", "NADE", "--variants", "4"], "has one variant"),
            (["--model", "MADE", "--orders", "[raster, sideways]"], "sideways"),
            (
                ["--model", "PixelCNN", "--orders", "[raster]"],
                "orders expects a model that takes an order, got PixelCNN",
            ),
            (["--model", "Table", "--conditional", "DiscretizedLogisticMixture"], "any probabilities of listed values"),
        ],
    )
    def test_members_that_do_not_fit_are_refused_before_training(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
    ) -> None:
        out = tmp_path / "run"
        assert message in refused(capsys, "fit", *arguments, "--data", "digits", "--out", str(out))
        assert not out.exists()

    def test_own_model_by_import_path(self, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = "from chainrule.models import FVSBN\nclass Mine(FVSBN):\n    pass\n"
        (tmp_path / "own_models.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        out = str(tmp_path / "run")
        fit = ["fit", "--model", "own_models:Mine", "--model.dropout", "0.1", "--data", str(table)]
        assert main([*fit, "--out", out, *FAST]) == 0
        assert main(["evaluate", out, "--model", "own_models:Mine", "--json"]) == 0

    def test_unwritable_folder_is_refused_before_training(self, capsys: pytest.CaptureFixture[str]) -> None:
        message = refused(capsys, "fit", "--model", "FVSBN", "--data", "digits", "--out", "/proc/nothing")
        assert "/proc/nothing" in message

    def test_a_refused_setting_leaves_nothing_in_the_way(
        self, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fit = ["fit", "--model", "FVSBN", "--data", str(table), "--out", str(tmp_path / "run")]
        assert "max_epochs expects at least 1, got 0" in refused(capsys, *fit, "--max-epochs", "0")
        assert main([*fit, "--max-epochs", "1"]) == 0

    def test_a_default_that_is_written_out_is_the_same_setting(self, table: Path, tmp_path: Path) -> None:
        fit = ["fit", "--model", "FVSBN", "--data", str(table), "--out", str(tmp_path / "run"), *FAST]
        assert main(fit) == 0
        (tmp_path / "run" / "model.safetensors").unlink()
        assert main([*fit, "--resume", "--seed", "0"]) == 0, "the weights are rebuilt from the checkpoint"
        assert (tmp_path / "run" / "model.safetensors").exists()

    def test_reproduce_reads_numbers_as_fit_does(self, tmp_path: Path) -> None:
        recipe = tmp_path / "set" / "small.yaml"
        recipe.parent.mkdir()
        recipe.write_text("model: FVSBN\ndata: digits\nmax_epochs: 1\nlearning_rate: 1e-3\n")
        folders = ["--out", str(tmp_path / "run"), "--results", str(tmp_path / "results")]
        assert main(["reproduce", str(recipe), *folders]) == 0
        result = json.loads((tmp_path / "results" / "set-small.json").read_text())
        assert result["recipe"] == "set/small"
        assert result["settings"]["learning_rate"] == 0.001

    def test_reproduce_records_the_loss_of_a_model_without_a_likelihood(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        recipe = tmp_path / "set" / "code.yaml"
        recipe.parent.mkdir()
        recipe.write_text("model: Autoencoder\nmodel.hidden_sizes: [4]\ndata: digits\nmax_epochs: 1\n")
        folders = ["--out", str(tmp_path / "run"), "--results", str(tmp_path / "results")]
        assert main(["reproduce", str(recipe), *folders]) == 0
        assert capsys.readouterr().out.endswith(" nats, no likelihood\n")
        result = json.loads((tmp_path / "results" / "set-code.json").read_text())
        model = chainrule.load(tmp_path / "run")
        losses = model.loss(load("digits").test[:]).double()
        assert result["loss"] == pytest.approx(losses.mean().item())
        assert result["loss_stderr"] == pytest.approx((losses.std() / len(losses) ** 0.5).item())
        assert (result["nats"], result["loss_unit"], result["examples"]) == (None, "nats", len(losses))
        assert main(["results", "--folder", str(tmp_path / "results")]) == 0
        assert "no p(x)" in capsys.readouterr().out
        assert main(["results", "--folder", str(tmp_path / "results"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["loss"] == result["loss"]

    def test_full_disk(
        self, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device", "model.safetensors")

        monkeypatch.setattr("chainrule.atomic.os.replace", full)
        message = refused(
            capsys, "fit", "--model", "FVSBN", "--data", str(table), "--out", str(tmp_path / "run"), *FAST, "--json"
        )
        assert "No space left on device" in message
        assert not list((tmp_path / "run").glob("*.safetensors"))

    def test_interrupt_then_resume_equals_uninterrupted(self, tmp_path: Path) -> None:
        rows = np.random.RandomState(1).randint(0, 2, size=(6_000, 12)).astype(np.uint8)
        np.save(tmp_path / "data.npy", rows)
        fit = ["fit", "--model", "MADE", "--model.hidden_sizes", "[64]", "--model.dropout", "0.2"]
        fit += ["--data", str(tmp_path / "data.npy"), "--max-epochs", "6", "--batch-size", "32", "--device", "cpu"]
        out = tmp_path / "run"
        command = [sys.executable, "-m", "chainrule", *fit, "--out", str(out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 120
            while not (out / "checkpoints" / "last.ckpt").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert f"interrupted; the last checkpoint is {out}/checkpoints/last.ckpt, and `chainrule fit" in err
        assert "Traceback" not in err
        assert not (out / "model.safetensors").exists()
        assert main([*fit, "--out", str(out), "--resume"]) == 0
        assert main([*fit, "--out", str(tmp_path / "whole")]) == 0
        whole, resumed = (path / "model.safetensors" for path in (tmp_path / "whole", out))
        assert whole.read_bytes() == resumed.read_bytes()
