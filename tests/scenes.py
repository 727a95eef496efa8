"""Ask a scene of the page as its server does, for the tests of scenes."""

from __future__ import annotations

from typing import Any

from chainrule.web.link import Link
from chainrule.web.scene import Scene
from chainrule.web.turns import Turns


def events(scene: Scene, action: str, **request: Any) -> list[dict[str, Any]]:
    """The events that answer a request, in their sequence."""
    sent: list[dict[str, Any]] = []
    for event in scene.actions[action](request, Link(sent.append, Turns())):
        sent.append(event)
    return sent
