"""What does not fit into memory, or would take days, is refused in one line before it is begun."""

import resource
import sys
from pathlib import Path

import numpy as np
import polars
import pytest
import torch
from command_line import refused
from test_runs_damaged import read, run_of, write

from chainrule import devices
from chainrule.data.read import table_file
from chainrule.devices import within_free_memory
from chainrule.endings import failure_in_words

pytestmark = pytest.mark.quick

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems don't limit a process's addresses")


@linux
def test_what_is_larger_than_the_free_memory_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "available_memory", lambda device: 10**8)
    before = resource.getrlimit(resource.RLIMIT_AS)
    expected = r"a network expects more memory than the 0\.10 GB that are free"
    with pytest.raises(ValueError, match=expected), within_free_memory("a network"):
        torch.zeros(10**9)
    with within_free_memory("a network"):
        torch.zeros(10**6)
    with pytest.raises(ValueError, match="a network expects more memory"), within_free_memory("a network"):
        np.ones(10**9)
    with pytest.raises(RuntimeError, match="shapes"), within_free_memory("a network"):
        torch.ones(2) @ torch.ones(3, 1)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@linux
def test_a_model_of_very_many_variables_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "wide.npy", np.random.RandomState(0).randint(0, 2, (20, 20_000), dtype=np.uint8))
    monkeypatch.setattr(devices, "available_memory", lambda device: 10**9)
    error = refused(capsys, "plan", str(tmp_path / "wide.npy"), "--model", "FVSBN")
    assert "FVSBN of 20,000 variables expects more memory than the 1.00 GB that are free" in error


@linux
def test_a_config_of_a_huge_network_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("table", tmp_path / "run")
    config = read(run)
    config["model"]["arguments"]["hidden_sizes"] = [40_000, 40_000]
    write(run, config)
    monkeypatch.setattr(devices, "available_memory", lambda device: 10**9)
    assert f"{run / 'config.json'} does not fit MADE" in refused(capsys, "describe", str(run))


def test_torch_has_several_words_for_too_little_memory() -> None:
    error = RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory")
    assert "out of memory" in (failure_in_words(error) or "")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_very_many_columns_is_refused(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_file, "MOST_COLUMNS", 100)
    path = tmp_path / f"a.{suffix}"
    frame = polars.DataFrame({f"c{i}": [1, 2, 3] for i in range(101)})
    frame.write_csv(path) if suffix == "csv" else frame.write_parquet(path)
    assert f"{path}: expected at most 100 columns, got 101" in refused(capsys, "plan", str(path))
