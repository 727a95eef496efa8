"""What a command costs before it computes: what it imports, and how; and what is compiled."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from chainrule.conditionals import Categorical
from chainrule.models import WaveNet
from chainrule.walk import walk

FIT = """
import gc, sys
from chainrule.cli import _imported, main
started = []
gc.callbacks.append(lambda phase, info: started.append(phase))
_imported("chainrule.cli.fit")
print(len(started))
status = main(["fit", "--data", sys.argv[1], "--model", "MADE", "--max-epochs", "1", "--out", sys.argv[2]])
print(status, gc.isenabled(), gc.get_freeze_count() > 100_000)
slow = {"IPython", "lightning", "numba", "pandas", "sklearn", "soundfile", "soxr", "torch._dynamo"}
print(*sorted(slow & {*sys.modules}))
"""

DRAW = """
import torch
from chainrule.conditionals import Categorical
from chainrule.models import WaveNet
from chainrule.nn.dilated_kernels import steps
from chainrule.walk import walk
model = WaveNet(event_shape=(9,), conditional=Categorical(4), residual_channels=4, skip_channels=4, layers=2).eval()
with torch.no_grad():
    walk(model, 3)
print(sum(steps.stats.cache_hits.values()), sum(steps.stats.cache_misses.values()))
"""


def output_of(code: str, *arguments: Any) -> list[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_fit_imports_what_it_needs_and_looks_for_no_garbage_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n" + "".join(f"{i / 7:.3f},{'xyz'[i % 3]}\n" for i in range(60)))
    collected, *_, state, imported = output_of(FIT, tmp_path / "rows.csv", tmp_path / "run")
    assert collected == "0"
    assert state == "0 True True"
    assert not imported


@pytest.mark.parametrize("command", ["score", "sample", "evaluate", "complete", "describe"])
def test_a_command_that_trains_nothing_imports_nothing_that_does(command: str) -> None:
    (imported,) = output_of(f"""
import sys
from chainrule.cli import _imported
_imported("chainrule.cli.{command}")
slow = {{"lightning", "matplotlib", "scipy.signal", "scipy.stats", "sklearn", "torch._dynamo"}}
print(*sorted(slow & {{*sys.modules}}))
""")
    assert not imported


def drawn(batch_size: int, **arguments: Any) -> None:
    model = WaveNet(
        event_shape=(70,), conditional=Categorical(4), residual_channels=4, skip_channels=4, layers=2, **arguments
    ).eval()
    context = torch.zeros(batch_size, dtype=torch.long) if model.num_classes else None
    if model.frame_size:
        context = torch.zeros(batch_size, 70, model.frame_size)
    with torch.no_grad():
        walk(model, batch_size, context=context)


def test_the_compiled_steps_are_compiled_once_for_all_models_and_batches_and_found_on_disk() -> None:
    kernels = pytest.importorskip("chainrule.nn.dilated_kernels")
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for batch_size in (1, 2, 5):
            drawn(batch_size)
            drawn(batch_size, num_classes=2)
            drawn(batch_size, frame_size=2)
    finally:
        torch.set_num_threads(threads)
    assert len(kernels.steps.signatures) == 1
    assert output_of(DRAW) == ["1 0"]


def test_a_cache_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = pytest.importorskip("chainrule.nn.dilated_kernels")

    def compiled(cache: bool = False, nogil: bool = False) -> Callable[..., Any]:
        if cache:
            raise RuntimeError("cannot cache function 'step': no locator available")
        return lambda function: (function, nogil)

    monkeypatch.setattr(kernels, "compiled", compiled)
    assert kernels.kept(len) == (len, True)
