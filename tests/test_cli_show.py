"""``chainrule show``."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import FAST, refused

import chainrule
from chainrule.cli import main

pytest.importorskip("uvicorn", reason="the extra web is not installed")

from chainrule.web import serve


@contextmanager
def shown(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that shows runs, and the address that it prints."""
    command = [sys.executable, "-m", "chainrule", "show", *arguments, "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r"at (http://\S+) \(Ctrl-C ends it\)", line)
            assert found, line
            yield process, found[1]
        finally:
            process.kill()


def test_shows_runs_until_it_is_interrupted(digits_run: Path) -> None:
    with shown(str(digits_run), str(digits_run)) as (process, address):
        assert address.startswith("http://127.0.0.1:")
        assert b"<h1>chainrule" in urllib.request.urlopen(address).read()
        assert urllib.request.urlopen(f"{address}api/runs").read().count(b'"scene"') == 2
        # A walk is under way, on a page that stays open.
        body = urllib.request.Request(
            f"{address}api/runs/0/sample", b'{"count": 16}', {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(body) as answer:
            assert b"command" in answer.readline()
            process.send_signal(signal.SIGINT)
            begun = time.monotonic()
            assert process.wait(20) == 130
            assert time.monotonic() - begun < 10
        assert process.stderr is not None
        assert process.stderr.read().strip() == "chainrule: interrupted"


def test_another_host_needs_the_token_that_is_printed(digits_run: Path) -> None:
    with shown(str(digits_run), "--host", "0.0.0.0") as (_, address):
        found = re.fullmatch(r"http://0\.0\.0\.0:(\d+)/\?token=(\S{20,})", address)
        assert found, address
        local = f"http://127.0.0.1:{found[1]}/"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(local)
        assert urllib.request.urlopen(f"{local}?token={found[2]}").status == 200


def test_says_what_it_expects(capsys: pytest.CaptureFixture[str], digits_run: Path, tmp_path: Path) -> None:
    assert "config.json" in refused(capsys, "show", str(tmp_path))
    assert "--port expects a number from 0 to 65535, got 70000" in refused(
        capsys, "show", str(digits_run), "--port", "70000"
    )
    for host in ("", " "):
        words = refused(capsys, "show", str(digits_run), "--no-browser", "--host", host)
        assert f"--host expects an address of this machine, such as 127.0.0.1, got {host!r}" in words
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = refused(capsys, "show", str(digits_run), "--no-browser", "--port", port)
        assert f"--port expects a free port, got {port}, which is in use" in words
    words = refused(capsys, "show", str(digits_run), "--no-browser", "--host", "no.such.host.invalid")
    assert "expect an address of this machine, got no.such.host.invalid" in words


@pytest.mark.parametrize("command", ["show", "describe"])
def test_a_folder_of_runs_is_refused_with_the_runs_inside(
    command: str, capsys: pytest.CaptureFixture[str], digits_run: Path, tmp_path: Path
) -> None:
    def copy(name: str) -> None:
        shutil.copytree(digits_run, tmp_path / name)

    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")  # of another program
    copy("my digits/made")
    error = f"chainrule: error: {tmp_path} expects a run folder with config.json, got a folder of"
    first = f"'{tmp_path}/my digits/made'"
    assert refused(capsys, command, str(tmp_path)) == f"{error} 1 run: {first}\n"
    copy("nade")
    copy("nade/members")  # a part of a run is no run of its own
    assert refused(capsys, command, str(tmp_path)) == f"{error} 2 runs: {first}, {tmp_path}/nade\n"
    for i in range(8):
        copy(f"z{i}")
    words = refused(capsys, command, str(tmp_path))
    assert f"{error} 10 runs: {first}, {tmp_path}/nade, {tmp_path}/z0" in words
    assert words.endswith(f"{tmp_path}/z5, 2 more\n")


def test_a_model_without_likelihood_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "autoencoder"
    assert main(["fit", "--model", "Autoencoder", "--data", "digits", "--out", str(out), *FAST]) == 0
    capsys.readouterr()
    assert "expected a model with a likelihood" in refused(capsys, "show", str(out), "--no-browser")


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_which(
    capsys: pytest.CaptureFixture[str], digits_run: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setattr(chainrule, "web", chainrule.web)  # the module that the package has again afterwards
    for name in [name for name in sys.modules if name.startswith(("chainrule.web", package))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    words = refused(capsys, "show", str(digits_run))
    assert f"show needs the package {package}: pip install 'chainrule[web]'" in words


def test_opens_a_browser_where_there_is_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not serve.can_open_browser()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert serve.can_open_browser()


def test_addresses() -> None:
    assert serve.address_of("::1", 80, None) == "http://[::1]:80/"
    assert serve.address_of("0.0.0.0", 80, "x") == "http://0.0.0.0:80/?token=x"
