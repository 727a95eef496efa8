"""The command line as a user types it: what it draws and lists, and what it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, shell

import chainrule
from chainrule.cli import main
from chainrule.models import MODULES


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
            (
                ["--out", "x.mp4"],
                "--out expects a file ending in .png, .pdf, .svg, .npz, .npy, .csv, .jpg",
            ),
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


@pytest.mark.quick
class TestListings:
    def test_models(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["models", "--json"]) == 0
        models = json.loads(capsys.readouterr().out)
        assert [model["name"] for model in models] == list(MODULES)
        assert "hidden_sizes" in [argument["name"] for argument in models[list(MODULES).index("MADE")]["arguments"]]

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


@pytest.mark.quick
class TestWrongCommandLines:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["evaluate", "run", "one", "two"], "unknown argument two"),
            (["fit", "digits", "--data", "digits", "--out", "x"], "expected FILE or --data, got both"),
            (
                ["fit", "digits", "--model.droput", "0.1"],
                "got PixelCNNPlusPlus by the plan, did you mean model.dropout?",
            ),
            (["fitt"], "got 'fitt', did you mean fit?"),
            (["fit", "--model", "MAED", "--data", "digits", "--out", "x"], "got 'MAED', did you mean MADE?"),
            (["fit", "--model", "NADE", "--model.hiden_size", "3", "--out", "x"], "did you mean --model.hidden_size?"),
            (["fit", "--model", "os:path", "--data", "digits", "--out", "x"], "subclass of AutoregressiveModel"),
            (["fit", "--model", "no.such:Model", "--data", "digits", "--out", "x"], "that can be imported"),
            (["fit", "--model", "NADE", "--out", "x"], "fit expects FILE (a file, a folder or a named data set"),
            (["fit", "--model", "NADE", "--data", "digitz", "--out", "x"], "did you mean digits?"),
            (["fit", "--out", "x"], "fit expects FILE"),
            (["fit", "digits", "--minutes", "0"], "minutes expects a positive number, got 0"),
            (["plan", "digits", "--minutes", "-1"], "minutes expects a positive number, got -1"),
            (
                ["fit", "--model", "NADE", "--model.hidden_size", "2.5", "--data", "digits", "--out", "x"],
                "model.hidden_size expects an integer, got '2.5'",
            ),
            (
                ["fit", "--model", "NADE", "--data", "digits", "--max-epochs", "many", "--out", "x"],
                "max_epochs expects an integer or null, got 'many'",
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
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        expected: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert expected in refused(capsys, *arguments)
        assert not list(tmp_path.iterdir())

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


@pytest.mark.quick
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
