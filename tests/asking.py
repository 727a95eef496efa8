"""Ask a scene of the page, as the server does, for the tests of scenes."""

import base64
from typing import Any

import torch

from chainrule.web.link import Event, Link
from chainrule.web.scene import Scene
from chainrule.web.turns import Turns


def asked(scene: Scene, action: str, **request: Any) -> list[Event]:
    """All events of the answer to a request, in their sequence."""
    events: list[Event] = []
    link = Link(events.append, Turns())
    before = torch.get_rng_state()
    for event in scene.actions[action](request, link):
        events.append(event)
    assert torch.equal(torch.get_rng_state(), before)
    return events


def of(events: list[Event], name: str) -> Any:
    """The only event ``name``."""
    (found,) = (event[name] for event in events if name in event)
    return found


def all_of(events: list[Event], name: str) -> list[Any]:
    """The entries of all events ``name``, which are lists, one after the other."""
    return [entry for event in events for entry in event.get(name, [])]


def as_file(content: bytes) -> str:
    return base64.b64encode(content).decode()
