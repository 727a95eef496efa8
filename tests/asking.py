"""Ask a scene of the page, as the server does, for the tests of scenes."""

import base64
import random
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


ODD: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1,
        2,
        3.5,
        1e300,
        2**70,
        float("nan"),
        "",
        "x" * 50,
        "\0",
        "\ud800",
        "../../etc/passwd",
        "AAAA",
    ),
    *([], [1, 2], [[]], {}, {"a": {}}, [0] * 64, [None] * 64, [0.5] * 64, [1] * 30_000, "A" * 40_000),
]


def refusals(scene: Scene, requests: dict[str, dict[str, Any]], count: int) -> list[str]:
    """The words in which some of ``count`` requests are refused that no page sends; nothing else may be raised."""
    generator, words = random.Random(0), []
    for _ in range(count):
        action = generator.choice(list(requests))
        request = dict(requests[action])
        for name in generator.sample(list(request), min(len(request), 1 + generator.randrange(2))):
            request[name] = generator.choice(ODD)
        try:
            asked(scene, action, **request)
        except (ValueError, OSError) as error:
            words.append(str(error))
    return words
