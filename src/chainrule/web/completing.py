"""A completion that is shown while it is drawn."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.distributions import Distribution

from chainrule.kinds.requests import Drawing
from chainrule.model import AutoregressiveModel
from chainrule.tasks.complete import check_observed, check_possible, pick, routes, walk_routes
from chainrule.tasks.particles import draw_present
from chainrule.tasks.sample import drawer, drawing
from chainrule.web.link import Event, Growth, Link


def completed(
    model: AutoregressiveModel,
    x: Tensor,
    observed: Tensor,
    particles: int,
    settings: Drawing,
    context: Tensor | None,
    link: Link,
    named: Event,
) -> Iterator[Event]:
    """Complete one example, and say how; as `chainrule.tasks.complete.completion`, with the same values.

    Args:
        model: Any model of the contract.
        x: The example ``event_shape``.
        observed: Its known variables.
        particles: Walks of sequential Monte Carlo, where no exact way exists.
        settings: The settings with which values are drawn.
        context: Its class ``(1,)``.
        link: Gets the values of unknown variables as they are drawn, those of the first particle where there are
            several.
        named: What every event says beside its own, such as the number of the draw.

    Raises:
        ValueError: If an observed value does not fit the model, or is impossible.
    """
    x, observed = check_observed(model, x[None], observed)
    own = settings.settings()
    seed = own.pop("seed")
    changed = drawer(model, **own)
    draw = changed or draw_present
    growth = Growth(link, lambda steps: named | {"steps": steps})

    def watched(t: int, distribution: Distribution) -> Tensor:
        values = draw(t, distribution)
        growth.add([t, float(values[0])])
        return values

    with drawing(model, seed):
        ways = routes(model, x, observed, context)
        walked = walk_routes(ways, x, observed, particles, watched, context)
        evidence = torch.stack([cloud.log_evidence for _, cloud in walked], dim=1)
        exact = all(way.exact for way in ways)
        check_possible(evidence.amax(1), None if exact else particles)
        done = pick(walked, evidence)[0]
    growth.flush()
    sizes = [float(cloud.least_size) for way, cloud in walked if not way.exact]
    yield named | {
        "x": done.flatten().tolist(),
        "exact": exact and changed is None,
        "method": "; ".join(dict.fromkeys(way.method for way in ways)),
        "effective_sample_size": min(sizes) if sizes else None,
        "particles": None if exact else particles,
        "log_evidence": float(evidence.logsumexp(1)) - float(torch.tensor(len(ways)).log()),
    }
