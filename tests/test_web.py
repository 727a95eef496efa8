"""The page's server: its files, what it lets through, and how it answers."""

import contextlib
import json
import posixpath
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from web_client import Client, merged, served

from chainrule.web.app import static_files
from chainrule.web.fields import choice, flag, integer, number, numbers, text
from chainrule.web.link import Growth, Link, Stopped
from chainrule.web.scenes.images import ImagesScene
from chainrule.web.turns import SLICE, Turns


@pytest.fixture(scope="module")
def client(digits_run: Path) -> Iterator[Client]:
    with served([digits_run]) as client:
        yield client


@pytest.mark.quick
def test_serves_its_files(client: Client) -> None:
    status, headers, content = client.ask("GET", "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'src="/static/page.js"' in content
    for address, own in static_files().items():
        assert client.ask("GET", address)[::2] == (200, own)


def test_what_a_page_needs_to_know_is_found_once_and_holds_up_nobody(
    digits_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A series reads its data for that."""
    found, go = [], threading.Event()
    usual = ImagesScene.about

    def slow(scene: ImagesScene) -> dict[str, Any]:
        found.append(threading.current_thread())
        assert go.wait(30)
        return usual(scene)

    monkeypatch.setattr(ImagesScene, "about", slow)
    with served([digits_run]) as client, ThreadPoolExecutor(20) as pages:
        asked = [pages.submit(client.json, "/api/runs") for _ in range(20)]
        threading.Timer(25, go.set).start()  # if the next line waits for it, the test still ends
        assert client.ask("GET", "/")[0] == 200
        assert not go.is_set()
        go.set()
        assert {run["about"]["model"] for each in asked for run in each.result(30)} == {"MADE"}
    assert len(found) == 1


def test_its_files_name_nothing_elsewhere() -> None:
    for address, content in static_files().items():
        assert b"://" not in content.replace(b"http://www.w3.org/2000/svg", b""), address


def test_modules_import_files_that_are_there() -> None:
    files = static_files()
    for address, content in files.items():
        for line in content.decode().splitlines():
            if line.startswith("import ") and ' from "' in line:
                target = posixpath.join(posixpath.dirname(address), line.split('"')[1])
                assert posixpath.normpath(target) in files, line


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/etc/passwd", "/api", "/static/"])
def test_serves_nothing_else(client: Client, path: str) -> None:
    status, _, content = client.ask("GET", path)
    assert (status, list(json.loads(content))) == (404, ["error"])


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "localhost.example.com:80", "", "[::2]"])
def test_refuses_other_hosts(client: Client, host: str) -> None:
    status, _, content = client.ask("GET", "/api/runs", host=host)
    assert status == 403
    assert "expected the host" in json.loads(content)["error"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "127.0.0.2:80", "[::1]:8000", "[::1]"])
def test_takes_its_own_host(client: Client, host: str) -> None:
    assert client.ask("GET", "/api/runs", host=host)[0] == 200


def test_a_token_is_needed_on_other_hosts(digits_run: Path) -> None:
    with served([digits_run], token="secret") as client:
        assert client.ask("GET", "/")[0] == 403
        assert client.ask("GET", "/?token=wrong")[0] == 403
        assert client.ask("GET", "/api/runs", host="example.com/static/")[0] in (400, 403)
        assert client.ask("GET", "/?token=secret", host="example.com")[0] == 200
        assert client.ask("GET", "/static/page.js")[0] == 200
        assert client.ask("GET", "/api/runs")[0] == 403
        assert client.ask("GET", "/api/runs", x_token="secre\xe9")[0] == 403
        assert client.ask("GET", "/api/runs", x_token="secret")[0] == 200


def test_says_what_it_shows(client: Client, digits_run: Path) -> None:
    (run,) = client.json("/api/runs")
    assert (run["index"], run["name"], run["scene"]) == (0, digits_run.name, "images")
    assert run["about"]["event_shape"] == [1, 8, 8]


def test_other_sites_cannot_ask(client: Client) -> None:
    """A form of another page may send text/plain, and no JSON without asking first, which nothing here allows."""
    status, headers, content = client.ask("POST", "/api/runs/0/sample", b"{}", content_type="text/plain")
    assert (status, "application/json" in json.loads(content)["error"]) == (400, True)
    assert "access-control-allow-origin" not in headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "expected JSON"),
        (b"[1]", "expected a JSON object"),
        (b"\xff", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "expected JSON"),
        (b" " * 5_000_000, "at most"),
        (b'{"seed": 1e400}', "seed expects"),
        (b'{"seed": NaN}', "seed expects"),
        (b'{"seed": true}', "seed expects"),
        (b'{"temperature": Infinity}', "temperature expects"),
        (b'{"count": 1000000}', "count expects an integer from 1 to 16"),
        (b'{"label": 3}', "without classes"),
    ],
)
def test_malformed_requests_are_refused_in_words(client: Client, body: bytes, words: str) -> None:
    status, _, content = client.ask("POST", "/api/runs/0/sample", body, content_type="application/json")
    assert status == 400
    assert words in json.loads(content)["error"]


def test_a_name_that_is_no_utf8_is_said(client: Client) -> None:
    body = json.dumps({"file": "AAAA", "name": "caf\udce9.png"}).encode()
    status, _, content = client.ask("POST", "/api/runs/0/surprisal", body, content_type="application/json")
    assert (status, "caf\udce9.png" in json.loads(content)["error"]) == (400, True)


def test_no_run_is_named_by_a_path(client: Client) -> None:
    for run in ("1", "-1", "..%2f..", "made", "0x0", "99999999999999999999"):
        assert client.ask("POST", f"/api/runs/{run}/sample", b"{}", content_type="application/json")[0] == 404
    assert client.ask("POST", "/api/runs/0/about", b"{}", content_type="application/json")[0] == 404
    assert client.ask("GET", "/api/runs/0/sample")[0] == 405


def test_fuzzed_requests_never_break_it(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    generator, statuses = random.Random(0), Counter[int]()
    for _ in range(500):
        status, _, content = client.ask(*fuzzed(generator), content_type="application/json")
        assert b"the server failed" not in content
        statuses[status] += 1
    assert statuses.keys() == {200, 400, 404, 405}
    assert min(statuses[200], statuses[400]) > 50
    assert client.ask("GET", "/")[0] == 200
    assert "Traceback" not in capfd.readouterr().err


ODD: list[Any] = [
    *(None, True, -1, 0, 1, 2, 3.5, 1e300, 2**70, float("nan"), "", "x" * 50, "\0", "../../etc/passwd", "iVBORw0KGgo="),
    *([], [1, 2], [[]], {}, {"a": {}}, [0] * 64, [None] * 64, [0.5] * 64, ["a"] * 64, [1e30] * 64, [1] * 10_000),
]


REQUESTS: dict[str, dict[str, Any]] = {
    "sample": {"seed": 1, "count": 2, "temperature": 0.5, "greedy": False, "label": None, "top_k": 1},
    "complete": {"x": [None] * 40 + [0] * 24, "draws": 1, "particles": 2, "seed": 0, "top_p": 0.5},
    "example": {"split": "test", "index": 3},
    "surprisal": {"x": [0] * 64, "label": None, "file": "", "name": "a.png", "invert": True},
    "field": {"x": [0] * 64, "variable": 9, "label": None},
    "nothing": {},
    "__class__": {},
}


def fuzzed(generator: random.Random) -> tuple[str, str, bytes]:
    """A method, an address and a body, some of which no page sends."""
    action = generator.choice(list(REQUESTS))
    request = dict(REQUESTS[action])
    for name in generator.sample(list(request), min(len(request), generator.randrange(3))):
        if generator.random() < 0.7:
            request[name] = generator.choice(ODD)
        else:
            del request[name]
    body = json.dumps(request).encode()
    if generator.random() < 0.2:
        body = bytes(generator.randrange(256) if generator.random() < 0.05 else byte for byte in body)
    method, run = generator.choice(["POST"] * 15 + ["GET", "PUT", "HEAD"]), generator.choice([0] * 15 + [1, -1, "a"])
    return method, f"/api/runs/{run}/{action}", body


def test_a_failure_of_an_action_is_said_and_logged(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Link, "check", lambda link: {}["missing"])
    status, events = client.post("sample", {})
    assert (status, events) == (400, [{"error": "the server failed: KeyError"}])
    assert "missing" in caplog.text
    monkeypatch.undo()
    assert client.events("sample", {})


def test_more_requests_than_it_takes_are_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.web.app.MOST", 0)
    status, (event,) = client.post("sample", {})
    assert (status, event["error"]) == (503, "expected at most 0 requests at once, got more: try again later")


def raw(client: Client, content: bytes) -> bytes:
    """What comes back where something else than a request is sent."""
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_what_is_no_request_is_refused(client: Client) -> None:
    for content in (b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01" * 20, b"GET / HTTP/1.1\r\n\r\n", b"A" * 100_000):
        answer = raw(client, content)
        assert b"Traceback" not in answer
    assert client.ask("GET", "/")[0] == 200


def test_a_closed_page_stops_its_walk(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk would take 64 x 0.05 s: it ends with the step in which the page is gone."""
    steps: list[float] = []
    check = Link.check

    def slow(link: Link) -> None:
        steps.append(time.monotonic())
        time.sleep(0.05)
        check(link)

    monkeypatch.setattr(Link, "check", slow)
    head = "POST /api/runs/0/sample HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 2"
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*head, "", "{}"]).encode())
        received = b""
        while b"steps" not in received:
            received += connection.recv(4096)
    time.sleep(0.5)
    count = len(steps)
    time.sleep(0.3)
    assert len(steps) == count < 40


def test_twenty_pages_at_once(client: Client) -> None:
    """Each draws what its seed promises, though all of them walk at the same time."""
    alone = [merged(client.events("sample", {"seed": seed}), "steps") for seed in range(20)]
    together: dict[int, list[object]] = {}

    def ask(seed: int) -> None:
        together[seed] = merged(client.events("sample", {"seed": seed}), "steps")

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[seed] for seed in range(20)] == alone


def test_a_turn_is_given_on_where_nobody_can_be_told_of_the_wait() -> None:
    turns, first, told = Turns(), threading.Event(), threading.Event()

    def hold() -> None:
        with turns.turn(lambda: None):
            first.wait()

    def waits() -> None:
        told.set()
        raise RuntimeError("Event loop is closed")

    def wait() -> None:
        with contextlib.suppress(RuntimeError), turns.turn(waits):
            pass

    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    told.wait()
    first.set()
    last = threading.Thread(target=lambda: turns.turn(lambda: None).__enter__(), daemon=True)
    last.start()
    last.join(5)
    assert not last.is_alive()


def test_turns_go_round_and_keep_random_numbers() -> None:
    turns, seen, drawn = Turns(), [], {}

    def work(name: int) -> None:
        with turns.turn(lambda: None):
            torch.manual_seed(name)
            own = []
            for _ in range(4):
                seen.append(name)
                own.append(torch.rand(1).item())
                time.sleep(1.2 * SLICE)
                turns.offer()
            drawn[name] = own

    threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[:6] != [seen[0]] * 4 + seen[4:6]  # nobody walked to the end before the others began
    for name, own in drawn.items():
        torch.manual_seed(name)
        assert own == [torch.rand(1).item() for _ in range(4)]


def test_who_waits_long_is_told() -> None:
    turns, told = Turns(), threading.Event()

    def wait() -> None:
        with turns.turn(told.set):
            pass

    with turns.turn(lambda: pytest.fail("nobody was before")):
        thread = threading.Thread(target=wait)
        thread.start()
        assert told.wait(5)
    thread.join()


def test_growth_sends_the_first_step_at_once_and_then_many_together() -> None:
    sent: list[dict[str, list[int]]] = []
    growth = Growth(Link(sent.append, Turns()), lambda steps: {"steps": steps})
    for step in range(1000):
        growth.add(step)
    growth.flush()
    assert sent[0] == {"steps": [0]}
    assert merged(sent, "steps") == list(range(1000))
    assert len(sent) < 100


def test_growth_ends_with_its_page() -> None:
    link = Link(lambda event: None, Turns())
    growth = Growth(link, lambda steps: {"steps": steps})
    growth.add(1)
    link.leave()
    with pytest.raises(Stopped):
        growth.add(2)


def test_fields_say_expected_and_got() -> None:
    request = {"n": 3, "x": 0.5, "yes": True, "word": "test", "list": [1, None]}
    assert (integer(request, "n", 0, 3), number(request, "x", 0, 1), flag(request, "yes")) == (3, 0.5, True)
    assert (text(request, "word", 4), choice(request, "word", ["test"]), flag(request, "no")) == ("test", "test", False)
    assert numbers(request, "list", 2)[0] == 1.0
    for call, words in (
        (lambda: integer(request, "yes", 0, 1), "yes expects an integer from 0 to 1, got True"),
        (lambda: integer(request, "missing", 0, 1), "missing expects an integer from 0 to 1, got None"),
        (lambda: number(request, "x", 1, 2), "x expects a number from 1 to 2, got 0.5"),
        (lambda: flag(request, "n"), "n expects true or false, got 3"),
        (lambda: text(request, "word", 3), "word expects text of at most 3 characters, got 'test'"),
        (lambda: choice(request, "word", ["a", "b"]), "word expects a or b, got 'test'"),
        (lambda: numbers(request, "list", 3), "list expects a list of 3 numbers, got 2 entries"),
        (lambda: numbers({"list": ["a"]}, "list", 1), "list expects numbers or null, got 'a'"),
    ):
        with pytest.raises(ValueError, match=words):
            call()
