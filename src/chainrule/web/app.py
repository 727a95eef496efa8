"""The server of the page: its files, and the actions of its runs."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as ConnectionScope

from chainrule.web.answer import Answer, Workers, error, json_answer
from chainrule.web.scene import Scene

LONGEST = 4 * 2**20 + 2**16
"""Bytes of a request, at most: a dropped file of 3 MiB, as base64."""

MOST = 256
"""Requests that are under way or wait, at most."""

TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def make_app(scenes: Sequence[Scene], *, token: str | None = None) -> ASGIApp:
    """The ASGI application of the page.

    Args:
        scenes: The runs in the sequence in which they were named.
        token: What the address of the page must have as ``?token=``, and each request as the header ``X-Token``; None
            to take requests that name this machine as their host, and no others.
    """
    actions = [dict(scene.actions) for scene in scenes]
    names = short_names([scene.run.folder.resolve() for scene in scenes])
    workers = Workers()

    def about(index: int) -> dict[str, Any]:
        return {"index": index, "name": names[index], "scene": scenes[index].name, "about": scenes[index].about()}

    # Some read data for that: it is done once, and neither the event loop nor the address of the page waits for it.
    listing = workers.begin(lambda: json_answer([*map(about, range(len(scenes)))]).body)

    async def runs(request: Request) -> Response:
        return Response(await asyncio.wrap_future(listing), media_type="application/json")

    async def act(request: Request) -> Response | Answer:
        index, name = request.path_params["index"], request.path_params["action"]
        if index >= len(scenes) or name not in actions[index]:
            return error(404, f"expected an action of one of {len(scenes)} runs, got {name!r} of run {index}")
        try:
            asked = await _body(request)
        except ValueError as problem:
            return error(400, str(problem))
        if workers.pending >= MOST:
            return error(503, f"expected at most {MOST} requests at once, got more: try again later")
        return Answer(actions[index][name], asked, workers)

    routes = [Route("/api/runs", runs), Route("/api/runs/{index:int}/{action}", act, methods=["POST"])]
    for path, content in static_files().items():
        routes.append(Route(path, _file(content, path)))
    app = Starlette(routes=routes)
    app.add_exception_handler(404, lambda *_: error(404, "expected an address of the page, got another"))
    app.add_exception_handler(405, lambda *_: error(405, "expected another method"))
    return Guard(app, token)


def short_names(folders: Sequence[Path]) -> list[str]:
    """The last part of the path of each folder, or as many parts as tell it from the others.

    >>> short_names([Path("/runs/mnist/made"), Path("/runs/mnist/nade"), Path("/runs/digits/made")])
    ['mnist/made', 'nade', 'digits/made']
    """

    def name(folder: Path) -> str:
        for count in range(1, len(folder.parts)):
            if sum(other.parts[-count:] == folder.parts[-count:] for other in set(folders)) == 1:
                return "/".join(folder.parts[-count:])
        return str(folder)

    return list(map(name, folders))


def static_files() -> dict[str, bytes]:
    """The files of the page by their addresses; ``/`` is the page itself."""
    found: dict[str, bytes] = {}

    def add(folder: Any, address: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                add(entry, f"{address}{entry.name}/")
            elif entry.name.endswith(tuple(TYPES)):
                found[address + entry.name] = entry.read_bytes()

    add(files("chainrule.web") / "static", "/static/")
    found["/"] = found.pop("/static/index.html")
    return found


def _file(content: bytes, address: str) -> Any:
    suffix = "." + address.rpartition(".")[2] if "." in address else ".html"

    async def respond(request: Request) -> Response:
        return Response(content, media_type=TYPES[suffix])

    return respond


async def _body(request: Request) -> dict[str, Any]:
    """The JSON object of a request.

    Raises:
        ValueError: If it is none, or too long.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ValueError("expected a request of the type application/json")
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > LONGEST:
            raise ValueError(f"expected a request of at most {LONGEST} bytes, got more")
    try:
        asked = json.loads(b"".join(parts))
    except (ValueError, RecursionError):
        raise ValueError("expected JSON, got something else") from None
    if not isinstance(asked, dict):
        raise ValueError("expected a JSON object, got something else")
    return asked


def is_loopback(host: str) -> bool:
    """True if only this machine can reach ``host``.

    >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
    (True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Lets requests through that name this machine as their host or, with a token, that know it.

    Static files of the page have nothing to hide.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: ConnectionScope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = message | {"headers": [*message.get("headers", []), *own]}
            await send(message)

        refusal = self._refusal(Request(scope), scope["path"])
        if refusal is None:
            await self._app(scope, receive, sending)
        else:
            await error(403, refusal)(scope, receive, sending)

    def _refusal(self, request: Request, path: str) -> str | None:
        """Why a request for ``path`` is not let through; None if it is.

        Older versions of Starlette put the host, as the request names it, before the path in `Request.url`.
        """
        if self._token is None:
            host = request.headers.get("host", "")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            known = is_loopback(name.removeprefix("[").removesuffix("]"))
            return None if known else f"expected the host localhost, got {host[:100]!r}"
        if path.startswith("/static/"):
            return None
        given = request.headers.get("x-token") or request.query_params.get("token", "")
        known = hmac.compare_digest(given.encode(), self._token.encode())
        return None if known else "expected the token in the address that chainrule show printed, got another"
