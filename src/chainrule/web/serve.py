"""Serve the page on this machine."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import Callable, Sequence

import uvicorn

from chainrule.runs.opened import OpenRun
from chainrule.web.app import is_loopback, make_app
from chainrule.web.scenes import scene_of


def serve(runs: Sequence[OpenRun], host: str, port: int, *, open_browser: bool, say: Callable[[str], None]) -> None:
    """Show runs on a page until the process is interrupted.

    Args:
        runs: The runs.
        host: The address to listen at. Any but that of this machine alone needs a token, which is part of the page's
            address.
        port: The port; 0 for one that is free.
        open_browser: True to open the page in the browser.
        say: Takes the address of the page, in a line.

    Raises:
        ValueError: If a run has no scene, or nothing can listen there.
    """
    scenes = [scene_of(run) for run in runs]
    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    with listening(host, port) as listener:
        address = address_of(host, listener.getsockname()[1], token)
        say(f"showing {len(runs)} {'run' if len(runs) == 1 else 'runs'} at {address} (Ctrl-C ends it)")
        if open_browser and can_open_browser():
            webbrowser.open(address)
        config = uvicorn.Config(
            make_app(scenes, token=token), log_level="warning", timeout_graceful_shutdown=1, lifespan="off"
        )
        uvicorn.Server(config).run(sockets=[listener])


def can_open_browser() -> bool:
    """True if this machine has a screen; elsewhere a browser of the terminal would open, and take the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def address_of(host: str, port: int, token: str | None) -> str:
    """The address of the page.

    >>> address_of("127.0.0.1", 8000, None)
    'http://127.0.0.1:8000/'
    """
    named = f"[{host}]" if ":" in host else host
    return f"http://{named}:{port}/" + ("" if token is None else f"?token={token}")


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at ``host`` and ``port``.

    Raises:
        ValueError: If it can't.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as problem:
        if problem.errno == errno.EADDRINUSE:
            raise ValueError(f"--port expects a free port, got {port}, which is in use: choose another") from None
        raise ValueError(f"--host and --port expect an address of this machine, got {host} {port}: {problem}") from None
