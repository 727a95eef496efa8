"""The link between an action and the page in the browser that asked for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chainrule.web.turns import Turns

Event = dict[str, Any]
"""Plain values that are sent to the page as JSON."""

PAUSE = 1 / 30
"""Seconds between two events of something that grows, at least."""


class Stopped(Exception):  # noqa: N818  # no error: the page was closed
    """The page that asked is gone."""


class Link:
    """Sends events to the page that asked, and says when it is gone.

    Args:
        send: Takes each event.
        turns: The turns in which requests compute.
    """

    def __init__(self, send: Callable[[Event], None], turns: Turns) -> None:
        self.send, self._turns, self._gone = send, turns, False

    def leave(self) -> None:
        """Note that the page is gone."""
        self._gone = True

    def check(self) -> None:
        """Let other requests go on for a while; an action calls this at every step.

        Raises:
            Stopped: If the page is gone.
        """
        self._turns.offer()
        if self._gone:
            raise Stopped


class Growth:
    """Gathers the steps of something that grows, and sends them together, about 30 times a second.

    Args:
        link: The link to the page.
        event: Makes an event of the steps that were added since the one before.
    """

    def __init__(self, link: Link, event: Callable[[list[Any]], Event]) -> None:
        self._link, self._event = link, event
        self._steps: list[Any] = []
        self._next = 0.0

    def add(self, step: Any) -> None:
        """Add a step; the first one is sent at once.

        Raises:
            Stopped: If the page is gone.
        """
        self._steps.append(step)
        if time.monotonic() >= self._next:
            self.flush()
        self._link.check()

    def flush(self) -> None:
        """Send what was added. The next event comes no sooner than this one took, three times over."""
        if not self._steps:
            return
        started = time.monotonic()
        self._link.send(self._event(self._steps))
        self._steps = []
        now = time.monotonic()
        self._next = now + max(PAUSE, 3 * (now - started))
