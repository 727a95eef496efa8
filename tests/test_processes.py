"""Training by several processes, for real: the same batches, losses and weights as by one."""

import csv
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import refused

import chainrule
from chainrule.cli import main
from chainrule.training.processes import is_first_process, mean_of_all, processes

ROWS, BATCH = 131, 52
"""80/10/10 leaves 105 rows to train on: batches of 52, 52 and 1, of which the second process gets nothing."""

CHAINRULE = ["-m", "chainrule", "fit", "--model", "NADE", "--model.hidden_size", "5", "--batch-size", str(BATCH)]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
EPOCHS = ["--max-epochs", "3", "--averaging", "0.9"]
TWO = ["--devices", "2", "--strategy", "ddp"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rows = np.random.RandomState(0).randint(0, 2, size=(ROWS, 6))
    rows[:, 5] = rows[:, 0]
    np.savetxt(path, rows, fmt="%d", delimiter=",")
    return path


def fit(out: Path, table: Path, launcher: list[str], *flags: str) -> subprocess.CompletedProcess[str]:
    return run([*launcher, *CHAINRULE, "--data", str(table), "--out", str(out), *EPOCHS, *flags])


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PL_"))}
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True, text=True, check=False, env=environment | {"OMP_NUM_THREADS": "1"}, timeout=300,
    )  # fmt: skip


def history(out: Path) -> list[dict[str, Any]]:
    with (out / "metrics.csv").open() as file:
        return [
            {name: float(value) for name, value in row.items() if name != "minutes"} for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "alone"
    assert fit(out, table, []).returncode == 0
    return out


@pytest.fixture(scope="module", params=[[], TORCHRUN], ids=["devices", "torchrun"])
def together(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, table: Path
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("runs") / "together"
    return out, fit(out, table, request.param, *TWO)


def test_two_processes_do_what_one_does(together: tuple[Path, subprocess.CompletedProcess[str]], alone: Path) -> None:
    out, done = together
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("plan: ") == done.stdout.count("holds the model") == 1, "only the first process speaks"
    assert len([line for line in done.stderr.splitlines() if line.startswith("step ")]) == 2
    ours, theirs = history(alone), history(out)
    for one, two in zip(ours, theirs, strict=True):
        assert two == pytest.approx(one, rel=1e-6)
    assert {path.name for path in out.iterdir()} == {path.name for path in alone.iterdir()}
    before, after = chainrule.load(alone), chainrule.load(out)
    for name, weight in before.state_dict().items():
        assert torch.allclose(weight, after.state_dict()[name], atol=1e-5), name


def test_a_training_by_two_processes_goes_on_by_one(
    together: tuple[Path, subprocess.CompletedProcess[str]], alone: Path, table: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(together[0], tmp_path / "run")
    (out / "model.safetensors").unlink()
    done = fit(out, table, [], "--resume")
    assert done.returncode == 0, done.stderr
    assert history(out) == [pytest.approx(row, rel=1e-6) for row in history(alone)]


def test_an_ensemble_by_two_processes(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = fit(out, table, [], *TWO, "--members", "2")
    assert done.returncode == 0, done.stderr
    assert len(chainrule.load(out).members) == 2


def test_a_stream_by_two_processes(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog\n" * 60)
    flags = ["--model", "RNN", "--model.cell", "lstm", "--model.hidden_size", "6", "--window", "8", "--batch-size", "5"]
    flags += ["--model.dropout", "0", "--precision", "32-true"]  # noise is each process's own
    arguments = ["fit", *flags, "--data", str(text), *EPOCHS]
    assert main([*arguments, "--out", str(tmp_path / "one")]) == 0
    done = run(["-m", "chainrule", *arguments, "--out", str(tmp_path / "two"), *TWO])
    assert done.returncode == 0, done.stderr
    for one, two in zip(history(tmp_path / "one"), history(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=1e-5)


def own_host_name() -> list[str]:
    """The beginning of a command that runs in a namespace with a host name of its own, where that is allowed."""
    allowed = shutil.which("unshare") and subprocess.run(["unshare", "--uts", "true"], check=False).returncode == 0
    return ["unshare", "--uts", "sh", "-c", 'hostname node-1; exec "$@"', "sh"] if allowed else []


@pytest.fixture
def nodes(table: Path, free_port: int) -> Iterator[Callable[..., list[subprocess.Popen[str]]]]:
    """A function that starts a training on two nodes, which two processes with different host names stand for."""
    started: list[subprocess.Popen[str]] = []

    def start(out: Path, *flags: str) -> list[subprocess.Popen[str]]:
        command = [sys.executable, *CHAINRULE, "--data", str(table), "--out", str(out), "--nodes", "2", *flags]
        for rank in ("0", "1"):
            own = {"RANK": rank, "NODE_RANK": rank, "LOCAL_RANK": "0", "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
            own |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port)}
            started.append(
                subprocess.Popen(
                    [*(own_host_name() if rank == "1" else []), *command],
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | own,
                )
            )  # fmt: skip
        return started

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_two_nodes_do_what_one_process_does(
    nodes: Callable[..., list[subprocess.Popen[str]]], alone: Path, tmp_path: Path
) -> None:
    for process in nodes(tmp_path / "run", *EPOCHS):
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert history(tmp_path / "run") == [pytest.approx(row, rel=1e-6) for row in history(alone)]


def test_a_lost_node_ends_the_others(nodes: Callable[..., list[subprocess.Popen[str]]], tmp_path: Path) -> None:
    first, second = nodes(tmp_path / "run", "--max-epochs", "100000", "--minutes", "10")
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    second.kill()
    _, err = first.communicate(timeout=10)
    assert first.returncode == 2
    assert "another process of this training is gone" in err.splitlines()[-1]
    assert "--resume" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_nodes_that_nobody_numbers(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [*CHAINRULE[2:], "--data", str(table), "--out", str(tmp_path / "run"), "--nodes", "2", "--json"]
    assert "expects the same command on each machine under torchrun or srun" in refused(capsys, *arguments)


def test_alone_this_is_the_first_process() -> None:
    assert is_first_process()
    assert processes() == (0, 1)
    assert mean_of_all(torch.tensor([1.0, 2.0, 6.0])) == (3.0, 3)


def test_unknown_strategy(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        *CHAINRULE[2:],
        "--data",
        str(table),
        "--out",
        str(tmp_path / "run"),
        "--strategy",
        "nonsense",
        "--json",
    ]
    assert "nonsense" in refused(capsys, *arguments)
