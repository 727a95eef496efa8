"""The page's server in a thread of the test, and a client that asks it as the page does."""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from chainrule.runs.opened import open_run

pytest.importorskip("starlette", reason="the extra web is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra web is not installed")

from chainrule.web.app import make_app  # noqa: E402
from chainrule.web.scenes import scene_of  # noqa: E402
from chainrule.web.serve import listening  # noqa: E402


class Client:
    """Asks the server at a port of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """The status, the headers and the content of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        """The JSON at an address."""
        status, _, content = self.ask("GET", path)
        assert status == 200, content
        return json.loads(content)

    def post(self, action: str, request: Any, run: int = 0) -> tuple[int, list[dict[str, Any]]]:
        """The status and the events of an action; an error is the only event."""
        path, body = f"/api/runs/{run}/{action}", json.dumps(request).encode()
        status, headers, content = self.ask("POST", path, body, content_type="application/json")
        if headers["content-type"] == "application/json":
            return status, [json.loads(content)]
        return status, [json.loads(line[len("data: ") :]) for line in content.decode().split("\n\n") if line]

    def events(self, action: str, request: Any, run: int = 0) -> list[dict[str, Any]]:
        """The events of an action that succeeds."""
        status, events = self.post(action, request, run)
        assert status == 200, events
        assert not any("error" in event for event in events), events
        return [event for event in events if "waiting" not in event]

    def refused(self, action: str, request: Any, run: int = 0) -> str:
        """The words with which an action is refused."""
        status, (event,) = self.post(action, request, run)
        assert status == 400, event
        return event["error"]


@contextlib.contextmanager
def served(folders: Sequence[Path], *, token: str | None = None) -> Iterator[Client]:
    """A client of a server that shows the runs in ``folders``."""
    app = make_app([scene_of(open_run(folder, device="cpu")) for folder in folders], token=token)
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def merged(events: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """The lists of all events that have the field ``name``, one after the other."""
    return [each for event in events for each in event.get(name, [])]
