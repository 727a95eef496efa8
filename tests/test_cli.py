"""The command line as a user types it: what it prints, what it writes, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule
from chainrule.cli import main
from chainrule.models import MODULES

FAST = ["--max-epochs", "2", "--batch-size", "256"]


def shell(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chainrule", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **settings)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error with which a command line is refused."""
    status = main(arguments)
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("chainrule: error: ")
    assert len(err.splitlines()) == 1
    return err


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rows = np.random.RandomState(0).randint(0, 2, size=(60, 5))
    rows[:, 4] = rows[:, 0]
    path.write_text("a,b,c,d,e\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    model = ["--model", "MADE", "--model.hidden_sizes", "[20]"]
    assert main(["fit", *model, "--data", "digits", "--out", str(out), *FAST]) == 0
    return out


@pytest.fixture(scope="module")
def table_run(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "table"
    assert main(["fit", "--model", "FVSBN", "--data", str(table), "--out", str(out), *FAST]) == 0
    return out


class TestFit:
    def test_leaves_a_run_folder(self, digits_run: Path) -> None:
        names = {path.name for path in digits_run.iterdir()}
        assert names == {
            "checkpoints", "config.json", "metrics.csv", "model.safetensors", "samples.png", "training.png",
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
        assert result["epochs"] == 2

    def test_config_is_a_command_line_and_flags_override_it(self, table: Path, tmp_path: Path) -> None:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(f"model: MADE\nmodel.hidden_sizes: [7]\ndata: {table}\nmax_epochs: 9\nlearning_rate: 1e-3\n")
        out = tmp_path / "run"
        assert main(["fit", "--config", str(recipe), "--max_epochs", "1", "--out", str(out)]) == 0
        config = json.loads((out / "config.json").read_text())
        assert config["training"]["epochs"] == 1
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

    def test_own_model_by_import_path(self, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = "from chainrule.models import FVSBN\nclass Mine(FVSBN):\n    pass\n"
        (tmp_path / "own_models.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        out = str(tmp_path / "run")
        fit = ["fit", "--model", "own_models:Mine", "--model.dropout", "0.1", "--data", str(table)]
        assert main([*fit, "--out", out, *FAST]) == 0
        assert main(["evaluate", out, "--json"]) == 0

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

    def test_full_disk(
        self, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device", "model.safetensors")

        monkeypatch.setattr("chainrule.hub.os.replace", full)
        message = refused(
            capsys, "fit", "--model", "FVSBN", "--data", str(table), "--out", str(tmp_path / "run"), *FAST
        )
        assert "No space left on device" in message
        assert not list((tmp_path / "run").glob("*.safetensors"))

    def test_interrupt_then_resume_equals_uninterrupted(self, tmp_path: Path) -> None:
        rows = np.random.RandomState(1).randint(0, 2, size=(20_000, 12)).astype(np.uint8)
        np.save(tmp_path / "data.npy", rows)
        fit = ["fit", "--model", "MADE", "--model.hidden_sizes", "[64]", "--model.dropout", "0.2"]
        fit += ["--data", str(tmp_path / "data.npy"), "--max-epochs", "6", "--batch-size", "32", "--device", "cpu"]
        out = tmp_path / "run"
        command = [sys.executable, "-m", "chainrule", *fit, "--out", str(out)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 120
            while not (out / "checkpoints" / "last.ckpt").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "interrupted; the last checkpoint is kept; go on with it by --resume" in err
        assert "Traceback" not in err
        assert not (out / "model.safetensors").exists()
        assert main([*fit, "--out", str(out), "--resume"]) == 0
        assert main([*fit, "--out", str(tmp_path / "whole")]) == 0
        whole, resumed = (path / "model.safetensors" for path in (tmp_path / "whole", out))
        assert whole.read_bytes() == resumed.read_bytes()


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
        assert "expects examples of shape (B, 1, 8, 8), got" in message

    def test_unknown_split(self, digits_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "did you mean 'test'" in refused(capsys, "evaluate", str(digits_run), "--split", "tests")

    def test_truncated_model(self, table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name in ("config.json", "model.safetensors"):
            (tmp_path / name).write_bytes((table_run / name).read_bytes()[:200])
        (tmp_path / "config.json").write_bytes((table_run / "config.json").read_bytes())
        assert "damaged or truncated" in refused(capsys, "evaluate", str(tmp_path))

    def test_no_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "expects a run folder" in refused(capsys, "evaluate", str(tmp_path / "nothing"))


class TestSampleAndComplete:
    @pytest.mark.parametrize("suffix", [".png", ".npz", ".npy", ".csv"])
    def test_sample_writes(self, digits_run: Path, tmp_path: Path, suffix: str) -> None:
        out = tmp_path / f"x{suffix}"
        assert main(["sample", str(digits_run), "-n", "5", "--seed", "1", "--out", str(out)]) == 0
        expected = chainrule.sample(chainrule.load(digits_run), 5, seed=1).numpy()
        if suffix == ".npz":
            assert np.array_equal(np.load(out)["examples"], expected)
        elif suffix == ".npy":
            assert np.array_equal(np.load(out), expected)
        elif suffix == ".csv":
            assert np.array_equal(np.loadtxt(out, delimiter=","), expected.reshape(5, -1))
        else:
            assert out.read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize("observe", ["top-half", "first-half", "0.25"])
    def test_complete_keeps_what_is_known(self, digits_run: Path, tmp_path: Path, observe: str) -> None:
        out = tmp_path / "x.npz"
        arguments = ["complete", str(digits_run), "--observe", observe, "-n", "3", "--draws", "2", "--out", str(out)]
        assert main(arguments) == 0
        arrays = np.load(out)
        observed = arrays["observed"]
        assert observed.sum() == (16 if observe == "0.25" else 32)
        assert arrays["examples"].shape == (6, 1, 8, 8)
        truth = np.concatenate([arrays["truth"]] * 2)
        assert np.array_equal(arrays["examples"][:, observed], truth[:, observed])

    def test_complete_with_a_mask_file(self, table_run: Path, tmp_path: Path) -> None:
        np.save(tmp_path / "mask.npy", np.array([1, 1, 0, 0, 0]))
        arguments = ["complete", str(table_run), "--observe", str(tmp_path / "mask.npy")]
        assert main([*arguments, "--out", str(tmp_path / "x.png")]) == 0

    def test_complete_says_what_is_not_exact(
        self, table_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        np.save(tmp_path / "mask.npy", np.array([0, 1, 0, 0, 0]))
        arguments = ["complete", str(table_run), "--observe", str(tmp_path / "mask.npy"), "--particles", "8"]
        assert main([*arguments, "--out", str(tmp_path / "x.csv")]) == 0
        said = capsys.readouterr().err
        assert "approximate: sequential Monte Carlo, 8 particles" in said
        assert "least effective sample size along the walk, median: " in said
        assert "particles expects at least 1, got 0" in refused(
            capsys, *arguments, "--particles", "0", "--out", "x.csv"
        )

    def test_top_half_of_a_table(self, table_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        message = refused(capsys, "complete", str(table_run), "--observe", "top-half", "--out", "x.csv")
        assert "top-half expects images" in message

    @pytest.mark.parametrize(("observe", "expected"), [("tophalf", "did you mean top-half"), ("1.5", "from 0 to 1")])
    def test_wrong_observation(
        self, digits_run: Path, capsys: pytest.CaptureFixture[str], observe: str, expected: str
    ) -> None:
        assert expected in refused(capsys, "complete", str(digits_run), "--observe", observe, "--out", "x.png")

    def test_conditionals(self, digits_run: Path, tmp_path: Path) -> None:
        out = tmp_path / "x.png"
        assert main(["conditionals", str(digits_run), "-n", "4", "--out", str(out)]) == 0
        assert main(["conditionals", str(digits_run), "-n", "4", "--data", "digits", "--out", str(out)]) == 0
        assert out.read_bytes().startswith(b"\x89PNG")

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["-n", "0", "--out", "x.png"], "at least 1 example, got 0"),
            (["--out", "x.gif"], "--out expects a file ending in .png, .pdf, .svg, .npz, .npy, .csv, got x.gif"),
            (["--out", "missing/x.png"], "in a folder that exists"),
            (["--temperature", "-1", "--out", "x.png"], "temperature expects a positive number"),
            (["--seed", "one", "--out", "x.png"], "invalid int value: 'one'"),
            (["--devise", "cpu", "--out", "x.png"], "unknown argument --devise, did you mean --device?"),
        ],
    )
    def test_wrong_arguments(
        self, digits_run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
    ) -> None:
        assert expected in refused(capsys, "sample", str(digits_run), *arguments)


class TestListings:
    def test_models(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "--json"]) == 0
        models = json.loads(capsys.readouterr().out)
        assert [model["name"] for model in models] == list(MODULES)
        assert "hidden_sizes" in [argument["name"] for argument in models[3]["arguments"]]

    def test_datasets(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["datasets", "--json"]) == 0
        names = {row["name"]: row["description"] for row in json.loads(capsys.readouterr().out)}
        assert "static" in names["mnist"]

    def test_results(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        keys = {
            "recipe", "model", "dataset", "split", "nats", "nats_stderr", "bits_per_dim", "published", "minutes",
            "device",
        }  # fmt: skip
        result = dict.fromkeys(keys) | {"recipe": "a/b", "nats": 1.5, "nats_stderr": 0.1, "minutes": 2, "settings": {}}
        (tmp_path / "a-b.json").write_text(json.dumps(result))
        (tmp_path / "benchmark.json").write_text("{}")
        assert main(["results", "--folder", str(tmp_path), "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert row["nats"] == 1.5
        assert set(row) == keys
        assert main(["results", "--folder", str(tmp_path)]) == 0
        assert "a/b" in capsys.readouterr().out
        (tmp_path / "broken.json").write_text('{"recipe": "a/c"}')
        assert "it has no model" in refused(capsys, "results", "--folder", str(tmp_path))
        (tmp_path / "broken.json").write_text("{")
        assert "damaged" in refused(capsys, "results", "--folder", str(tmp_path))

    def test_describe(self, table_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["describe", str(table_run), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["parameters"] == 15


class TestWrongCommandLines:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["fitt"], "got 'fitt', did you mean fit?"),
            (["fit", "--model", "MAED", "--data", "digits", "--out", "x"], "got 'MAED', did you mean MADE?"),
            (["fit", "--model", "NADE", "--model.hiden_size", "3", "--out", "x"], "did you mean --model.hidden_size?"),
            (["fit", "--data", "digits", "--out", "x"], "fit expects --model, got none"),
            (["fit", "--model", "os:path", "--data", "digits", "--out", "x"], "subclass of AutoregressiveModel"),
            (["fit", "--model", "no.such:Model", "--data", "digits", "--out", "x"], "that can be imported"),
            (["fit", "--model", "NADE", "--out", "x"], "fit expects --data, got none"),
            (["fit", "--model", "NADE", "--data", "digitz", "--out", "x"], "did you mean 'digits'"),
            (["fit", "--model", "NADE", "--data", "digits"], "the following arguments are required: --out"),
            (
                ["fit", "--model", "NADE", "--model.hidden_size", "2.5", "--data", "digits", "--out", "x"],
                "model.hidden_size expects an integer, got '2.5'",
            ),
            (
                ["fit", "--model", "NADE", "--data", "digits", "--max-epochs", "many", "--out", "x"],
                "max_epochs expects an integer, got 'many'",
            ),
            (
                ["fit", "--model", "NADE", "--data", "digits", "--schedule", "cosin", "--out", "x"],
                "schedule expects constant, cosine, linear, got 'cosin'",
            ),
            (["fit", "--config", "missing.yaml", "--out", "x"], "missing.yaml: No such file or directory"),
            (["reproduce", "mnist/nothing"], "no recipe 'mnist/nothing'"),
        ],
    )
    def test_one_line_and_status_2(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
    ) -> None:
        assert expected in refused(capsys, *arguments)
        assert not Path("x").exists()

    def test_unknown_setting_in_a_recipe(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text("model: NADE\ndata: digits\nmax_epoch: 3\n")
        message = refused(capsys, "fit", "--config", str(recipe), "--out", str(tmp_path / "run"))
        assert "unknown setting max_epoch, did you mean max_epochs?" in message

    @pytest.mark.parametrize("content", ["- a list", "a: [", ""])
    def test_recipe_that_is_none(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(content)
        assert "recipe.yaml expects" in refused(capsys, "fit", "--config", str(recipe), "--out", str(tmp_path / "run"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["fit", "--help"],
        ["fit", "--model", "MADE", "--help"],
        ["models"],
        ["datasets", "--json"],
        ["--version"],
    ],
)
def test_quick_commands_do_not_import_torch(arguments: list[str]) -> None:
    code = (
        f"import sys; from chainrule.cli import main; status = main({arguments!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code + "; sys.exit(status)"], check=True, stdout=subprocess.DEVNULL)


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m chainrule models | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_error_of_a_real_process(tmp_path: Path) -> None:
    done = shell("evaluate", str(tmp_path), env=os.environ)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
