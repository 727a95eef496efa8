"""Data and runs that tests of several files use."""

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import FAST

from chainrule.cli import main


def pytest_configure(config: pytest.Config) -> None:
    """Let art write its settings into a new home before several processes import it: they would read half of them."""
    there = (Path.home() / ".art" / "config.json").exists()
    if not there and not hasattr(config, "workerinput") and importlib.util.find_spec("art"):
        subprocess.run([sys.executable, "-c", "import art.config"], check=False, capture_output=True)


@pytest.fixture(scope="session", autouse=True)
def commands_compute_on_the_cpu() -> Iterator[None]:
    """As the models do whose figures tests compare theirs with. The laws try CUDA by themselves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chainrule.devices.BEST", ("cpu",))
        yield


@pytest.fixture(scope="session", autouse=True)
def signals_are_not_ignored() -> Iterator[None]:
    """As a shell in the background, or nohup, would have them; tests send signals, also to commands that they start."""
    handlers: dict[int, Any] = {signal.SIGINT: signal.default_int_handler}
    handlers |= {getattr(signal, name): signal.SIG_DFL for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name)}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser."""
    from browser import browser  # it skips where there is none

    with browser() as chromium:
        yield chromium


@pytest.fixture
def page(chromium: Any, server: Any) -> Iterator[Any]:
    """A page of the ``server`` of the tests' file."""
    from browser import page_at

    with page_at(chromium, server.port) as page:
        yield page


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rows = np.random.RandomState(0).randint(0, 2, size=(60, 5))
    rows[:, 4] = rows[:, 0]
    path.write_text("a,b,c,d,e\n" + "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    return path


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "digits"
    model = ["--model", "MADE", "--model.hidden_sizes", "[20]"]
    assert main(["fit", *model, "--data", "digits", "--out", str(out), *FAST]) == 0
    return out


@pytest.fixture(scope="session")
def table_run(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    out = tmp_path_factory.mktemp("runs") / "table"
    assert main(["fit", "--model", "FVSBN", "--data", str(table), "--out", str(out), *FAST]) == 0
    return out
