"""Work by parts on Ray: the same files as in this process, also where a worker is killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars
import pytest
from command_line import FAST

from chainrule.cli import main
from chainrule.parts.journal import NAME

MADE = ["--model", "MADE", "--model.hidden_sizes", "[8]"]

pytest.importorskip("ray", reason="the engine ray expects the packages of chainrule[cluster]")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a run, and the scores of the table by parts in this process."""
    folder = tmp_path_factory.mktemp("work")
    random = np.random.RandomState(0)
    x = random.normal(size=6000)
    frame = polars.DataFrame({"x": x.round(3), "y": (x + random.normal(size=6000)).round(3)})
    frame.write_parquet(folder / "rows.parquet")
    assert main(["fit", str(folder / "rows.parquet"), "--out", str(folder / "run"), *MADE, *FAST]) == 0
    assert main([*score(folder, "local"), "--engine", "local"]) == 0
    return folder


def score(work: Path, out: str) -> list[str]:
    return ["score", str(work / "run"), str(work / "rows.parquet"), "--out", str(work / out), "--part-size", "200"]


def on_ray(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "chainrule", *arguments, "--engine", "ray", "--workers", "2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*"))}


def records(folder: Path) -> list[dict[str, str]]:
    lines = (folder / NAME).read_text().splitlines() if (folder / NAME).exists() else []
    return [json.loads(line) for line in lines[1:] if line.endswith("}")]


def test_a_killed_worker_changes_nothing(work: Path) -> None:
    process = on_ray(*score(work, "ray"))
    while process.poll() is None and len(records(work / "ray")) < 8:
        time.sleep(0.05)
    worker = re.search(r"process (\d+)", records(work / "ray")[-1]["worker"])
    assert worker is not None
    os.kill(int(worker[1]), signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out == ""
    assert files(work / "ray") == files(work / "local")


def test_a_killed_driver_goes_on(work: Path) -> None:
    process = on_ray(*score(work, "killed"))
    while process.poll() is None and len(records(work / "killed")) < 8:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    kept = len(records(work / "killed"))
    again = on_ray(*score(work, "killed"))
    _, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert f"{kept} of 30 parts are there already" in err
    assert files(work / "killed") == files(work / "local")


def test_samples_do_not_depend_on_the_engine(work: Path) -> None:
    sample = ["sample", str(work / "run"), "-n", "500", "--seed", "3", "--part-size", "70", "--out"]
    assert main([*sample, str(work / "here"), "--engine", "local"]) == 0
    _, err = (process := on_ray(*sample, str(work / "there"))).communicate(timeout=300)
    assert process.returncode == 0, err
    assert files(work / "here") == files(work / "there")


def test_a_bad_cell_ends_it_in_a_line(work: Path) -> None:
    bad = work / "bad.csv"
    bad.write_text("x,y\n" + "1,2\n" * 300 + "many,2\n")
    process = on_ray("score", str(work / "run"), str(bad), "--out", str(work / "bad"), "--part-size", "200")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2
    assert err.splitlines()[-1].startswith("chainrule: error: items 201 to 301: ")
    assert "'many'" in err.splitlines()[-1]


def test_a_cluster_that_is_not_there(work: Path) -> None:
    process = on_ray(*score(work, "nowhere"), "--address", "127.0.0.1:1")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "expected a Ray cluster, got none" in err.splitlines()[-1]
