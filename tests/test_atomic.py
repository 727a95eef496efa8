"""Files are written completely and durably or not at all, whatever they are."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from command_line import refused, shell

from chainrule import atomic
from chainrule.atomic import remove_orphans, replacing, write_atomically
from chainrule.cli import main

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_link_stays_a_link_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "scores.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["scores.csv"]


def test_a_link_to_nothing_leads_to_the_new_file(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_a_file_keeps_its_mode(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(mode)
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600, "nobody else can read it in the meantime"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert path.read_bytes() == b"new"


def test_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    write_atomically(tmp_path / "new", b"new")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe.csv").read_bytes()))
    reader.start()
    write_atomically(tmp_path / "pipe.csv", b"new")
    reader.join(10)
    assert got == [b"new"]
    assert (tmp_path / "pipe.csv").is_fifo()


def test_a_device_is_written_to() -> None:
    write_atomically(Path("/dev/null"), b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_device_is_an_error_that_names_it() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_atomically(Path("/dev/full"), b"new")


def test_what_a_killed_process_left_is_removed(tmp_path: Path, gone: int) -> None:
    kept = [tmp_path / f".x.csv.{os.getppid()}", tmp_path / f".y.csv.{gone}", tmp_path / ".x.csv.backup"]
    for path in (*kept, tmp_path / f".x.csv.{gone}"):
        path.write_bytes(b"half")
    write_atomically(tmp_path / "x.csv", b"new")
    assert sorted(tmp_path.iterdir()) == sorted([*kept, tmp_path / "x.csv"])


def test_orphans_of_a_run_are_removed_at_any_depth(tmp_path: Path, gone: int) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / f".last.ckpt.{gone}").write_bytes(b"half")
    (tmp_path / f".config.json.{os.getppid()}").write_bytes(b"half")
    remove_orphans(tmp_path)
    assert [path.name for path in tmp_path.rglob(".*")] == [f".config.json.{os.getppid()}"]


def test_content_is_on_the_disk_before_its_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    replace = os.replace
    monkeypatch.setattr(atomic, "_to_disk", lambda path: calls.append(path.name))
    monkeypatch.setattr(os, "replace", lambda *paths: (calls.append("replace"), replace(*paths)))
    write_atomically(tmp_path / "x", b"new")
    assert calls == [f".x.{os.getpid()}", "replace", tmp_path.name]


def test_a_file_of_text_goes_to_standard_output(
    table_run: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    sample = ["sample", str(table_run), "-n", "5", "--out"]
    assert main([*sample, str(tmp_path / "x.csv")]) == 0
    capsysbinary.readouterr()
    assert main([*sample, "-"]) == 0
    out, err = capsysbinary.readouterr()
    assert out == (tmp_path / "x.csv").read_bytes()
    assert b"wrote" in err
    done = shell(*sample, "/dev/stdout")
    assert done.stdout.encode() == out


def test_a_folder_does_not_go_to_standard_output(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--out - expects one of sample, " in refused(capsys, "fit", str(table), "--out", "-")
