"""Answers to actions: a stream of events, computed in a thread."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as ConnectionScope

from chainrule.endings import failure_in_words
from chainrule.web.link import Event, Link, Stopped
from chainrule.web.scene import Action
from chainrule.web.turns import Turns

T = TypeVar("T")

WORKERS = 64
"""Actions that are under way at once; more wait."""


class Workers:
    """Threads in which actions compute, one at a time.

    Attributes:
        turns: The turns that they take.
        pending: The number of actions that are under way, or wait.
    """

    def __init__(self) -> None:
        self.turns, self.pending = Turns(), 0
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="page")

    def begin(self, work: Callable[[], T]) -> Future[T]:
        """Begin ``work`` in a thread; it takes no turn, so it must not use models."""
        return self._pool.submit(work)

    async def run(self, work: Callable[[], None]) -> None:
        """Do ``work`` in a thread."""
        self.pending += 1
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self.pending -= 1


class Answer:
    """The answer to an action: a stream of events, or an error where the first thing that happens is one.

    The action computes in a thread. It is stopped when the page is gone.
    """

    def __init__(self, action: Action, asked: dict[str, Any], workers: Workers) -> None:
        self._action, self._asked, self._workers = action, asked, workers
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._link = Link(self._send, workers.turns)

    def _send(self, event: Event | None) -> None:
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def _work(self) -> None:
        """Compute the answer, in a thread of its own."""
        try:
            with self._workers.turns.turn(lambda: self._send({"waiting": True})):
                self._link.check()
                for event in self._action(self._asked, self._link):
                    self._send(event)
                    self._link.check()
        except Stopped:
            pass
        except (ValueError, OSError) as problem:
            self._send({"error": " ".join(str(problem).split())})
        except Exception as problem:
            words = failure_in_words(problem)
            if words is None:
                words = f"the server failed: {type(problem).__name__}"
                logging.getLogger(__name__).exception(words)
            self._send({"error": words})
        finally:
            self._send(None)

    async def __call__(self, scope: ConnectionScope, receive: Receive, send: Send) -> None:
        working = asyncio.create_task(self._workers.run(self._work))
        watching = asyncio.create_task(self._until_gone(receive))
        try:
            event = await self._events.get()
            if event is not None and "error" in event:
                await error(400, event["error"])(scope, receive, send)
                return
            stream = [(b"content-type", b"text/event-stream; charset=utf-8")]
            await send({"type": "http.response.start", "status": 200, "headers": stream})
            while event is not None:
                await send({"type": "http.response.body", "body": as_line(event), "more_body": True})
                event = await self._events.get()
            await send({"type": "http.response.body", "body": b""})
        finally:
            watching.cancel()
            self._link.leave()
            await working

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._link.leave()


def as_line(event: Event) -> bytes:
    r"""An event as it is sent.

    >>> as_line({"nats": [1.5, float("inf")]})
    b'data: {"nats":[1.5,null]}\n\n'
    """
    return f"data: {as_json(event)}\n\n".encode()


def as_json(value: Any) -> str:
    r"""Plain values as JSON in ASCII; numbers that it does not have become null.

    A name that is no UTF-8 has surrogates, which have no other form.

    >>> as_json({"folder": "caf\udce9"})
    '{"folder":"caf\\udce9"}'
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"))


def json_answer(value: Any, status: int = 200) -> Response:
    """An answer that is no stream of events."""
    return Response(as_json(value), status, media_type="application/json")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def error(status: int, words: str) -> Response:
    """An answer that says what is wrong with a request."""
    return json_answer({"error": words}, status)
