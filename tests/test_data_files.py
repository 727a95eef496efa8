import hashlib
import logging
from pathlib import Path

import pooch
import pytest

from chainrule.data.named import files

pytestmark = pytest.mark.quick

HOST = "https://host.example"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a host that offers one file; the checksums are pooch's own work."""

    def download(url, output_file, _):
        if url != f"{HOST}/table.data":
            raise ConnectionError(f"no route to {url}")
        Path(output_file).write_text("0,1\n")

    folder = tmp_path / "cache"
    monkeypatch.delenv(files.VARIABLE, raising=False)
    monkeypatch.setattr(files, "cache_folder", lambda: folder)
    monkeypatch.setattr(pooch.core, "choose_downloader", lambda *_, **__: download)
    level = pooch.get_logger().level
    pooch.get_logger().setLevel(logging.ERROR)
    yield folder
    pooch.get_logger().setLevel(level)


CHECKSUM = "sha256:" + hashlib.sha256(b"0,1\n").hexdigest()


def test_downloads_once_into_the_layout(cache):
    path = files.find("tabular/table.data", f"{HOST}/table.data", CHECKSUM)
    assert path == cache / "tabular" / "table.data"
    assert path.read_text() == "0,1\n"
    assert files.find("tabular/table.data", "https://elsewhere.example", CHECKSUM) == path


def test_another_content_is_refused_and_not_kept(cache):
    with pytest.raises(ValueError, match=r"expected a file with sha256:00.*got another; put the file at .*table\.data"):
        files.find("tabular/table.data", f"{HOST}/table.data", "sha256:" + "0" * 64)
    assert not list(cache.rglob("*.data"))


def test_offline_says_where_to_put_the_file(cache):
    with pytest.raises(FileNotFoundError) as error:
        files.find("tabular/table.data", f"{HOST}/missing.data", CHECKSUM)
    message = str(error.value)
    assert "could not download" in message
    assert str(cache / "tabular" / "table.data") in message
    assert "CHAINRULE_DATA to a folder that holds tabular/table.data" in message
    assert "\n" not in message


def test_a_file_for_the_user_to_put_in_place(cache):
    with pytest.raises(FileNotFoundError, match=r"expected the file .*a\.amat, found none; put http://x there"):
        files.find("mnist/a.amat", "http://x", None)


def test_the_variable_names_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(files.VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"CHAINRULE_DATA is set.*put http://x there"):
        files.find("mnist/a.gz", "http://x", "md5:0")
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / "a.gz").touch()
    assert files.find("mnist/a.gz", "http://x", "md5:0") == tmp_path / "mnist" / "a.gz"
