"""A model of work by parts on a cluster: what a job costs, and how long workers that are slow or fail make it."""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Cluster:
    """A cluster and a job, by what was measured.

    Attributes:
        workers: The number of workers, a core each.
        part_seconds: Seconds that a worker takes for a part: each part takes one of these, chosen at random.
        dispatch_seconds: Seconds of the one driver for each part.
        open_seconds: Seconds until a worker that starts has read the run.
        slow_share: The share of workers that are stragglers.
        slow_factor: How much longer a straggler takes.
        life_hours: The mean life of a worker; none fails if it is infinite.
    """

    workers: int
    part_seconds: Sequence[float]
    dispatch_seconds: float
    open_seconds: float
    slow_share: float = 0.0
    slow_factor: float = 3.0
    life_hours: float = math.inf


def simulate(cluster: Cluster, parts: int, seed: int = 0) -> dict[str, float]:
    """Hand out ``parts`` in sequence to the worker that is free first, and follow them to the end.

    A worker that fails loses its part, which goes to the end of the queue, and starts anew. The time that it lives is
    exponential, so that it does not depend on how long it has lived.

    Returns:
        The ``seconds`` of the whole, the share of workers' time that was ``busy`` with parts that counted, and the
        number of parts that were ``lost``.
    """
    random = np.random.default_rng(seed)
    factors = np.where(random.random(cluster.workers) < cluster.slow_share, cluster.slow_factor, 1.0)
    free = [(cluster.open_seconds, worker) for worker in range(cluster.workers)]
    queue = deque(random.choice(np.asarray(cluster.part_seconds), parts).tolist())
    driver = end = busy = lost = 0.0
    while queue:
        seconds = queue.popleft()
        ready, worker = heapq.heappop(free)
        driver = max(driver, 0.0) + cluster.dispatch_seconds
        begin, own = max(ready, driver), seconds * factors[worker]
        life = random.exponential(3600 * cluster.life_hours) if math.isfinite(cluster.life_hours) else math.inf
        if life < own:
            lost += 1
            queue.append(seconds)
            heapq.heappush(free, (begin + life + cluster.open_seconds, worker))
            continue
        busy += own
        end = max(end, begin + own)
        heapq.heappush(free, (begin + own, worker))
    return {"seconds": end, "busy": busy / (end * cluster.workers), "lost": lost}


def curve(cluster: Cluster, parts: int, sizes: Sequence[int]) -> list[dict[str, float]]:
    """The simulated times of one job on clusters of ``sizes`` workers: as it is, with stragglers, and with failures."""
    found = []
    for workers in sizes:
        plain = replace(cluster, workers=workers)
        slow = replace(plain, slow_share=0.05)
        each = {"plain": plain, "slow": slow, "failing": replace(slow, life_hours=1.0)}
        found.append({"workers": workers} | {name: simulate(own, parts) for name, own in each.items()})
    return found


def cost(measured: dict[str, Any], rows: int, hours: float) -> dict[str, Any]:
    """What a job of ``rows`` costs if it may take ``hours``, from rates measured on one core.

    Parts are as large as it takes for the driver to keep up with the workers, and not larger. Memory grows with them
    by the bytes of their rows.
    """
    core_seconds = rows * measured["seconds_per_row"]
    workers = max(1, math.ceil(core_seconds / (3600 * hours)))
    keeping_up = 2 * workers * measured["dispatch_seconds"] / measured["seconds_per_row"]  # half of its time is left
    part_rows = max(measured["part_rows"], 10 ** math.ceil(math.log10(keeping_up)))
    more = (part_rows - measured["part_rows"]) * measured["memory_bytes_per_row"]
    per_second = workers / measured["seconds_per_row"]
    return {
        "rows": rows,
        "hours": hours,
        "workers": workers,
        "core_hours": core_seconds / 3600,
        "part_rows": part_rows,
        "parts": math.ceil(rows / part_rows),
        "bytes_read": rows * measured["read_bytes_per_row"],
        "bytes_written": rows * measured["written_bytes_per_row"],
        "bytes_of_weights": workers * measured["run_bytes"],
        "read_bytes_per_second": per_second * measured["read_bytes_per_row"],
        "worker_bytes": measured["worker_bytes"] + more,
        "driver_hours": math.ceil(rows / part_rows) * measured["dispatch_seconds"] / 3600,
    }


def most_workers(measured: dict[str, Any]) -> int:
    """The number of workers whose parts, of the default size, one driver can just hand out."""
    return int(measured["part_rows"] * measured["seconds_per_row"] / measured["dispatch_seconds"])
