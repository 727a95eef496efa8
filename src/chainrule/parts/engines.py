"""Engines: where parts are made. Each hands out the record of a part as soon as it is there."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from chainrule.errors import MissingPackageError
from chainrule.parts.cut import Part
from chainrule.parts.job import Job
from chainrule.parts.verbs import Bench
from chainrule.parts.worker import make

CONNECTING = 10
"""Seconds in which the machine of a cluster must answer."""

RETRIES = 5
"""How often a part is tried again if its worker is lost."""


class Engine(ABC):
    """Makes parts somewhere."""

    @abstractmethod
    def records(self, job: Job, parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
        """Make the parts, and give the record of each, in any sequence.

        Raises:
            ValueError: If the items of a part can't be read, or do not fit the run.
            ConnectionError: If workers are lost again and again.
        """

    @property
    @abstractmethod
    def words(self) -> str:
        """The engine, in a few words."""


class LocalEngine(Engine):
    """Makes one part after the other in this process."""

    words = "this process"

    def records(self, job: Job, parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
        bench = Bench(job)
        for part in parts:
            yield make(bench, part)


@dataclass(frozen=True)
class RayEngine(Engine):
    """Makes parts on a cluster by Ray Data: a pool of actors, to which the descriptions of the parts are handed.

    Each actor opens the run once. It reads its rows itself, so that no row passes through the driver or Ray's object
    store. A part whose actor was lost goes to another one.

    Attributes:
        address: The address of a cluster that is there; None to start one on this machine.
        workers: The number of actors, each on a core; by default as many as cores, but one, which Ray Data needs.
    """

    address: str | None = None
    workers: int | None = None

    @property
    def words(self) -> str:
        return "Ray, which takes a while to start" if self.address is None else f"Ray at {self.address}"

    def records(self, job: Job, parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
        ray = _ray()
        with _cluster(ray, self.address, self.workers) as workers:
            rows = [{"work": pickle.dumps((job, part))} for part in parts]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # restarts and retries have no other names yet
                made = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
                    _Worker,
                    compute=ray.data.ActorPoolStrategy(size=min(workers, len(parts)), max_tasks_in_flight_per_actor=2),
                    num_cpus=1,
                    max_restarts=-1,
                    max_task_retries=RETRIES,
                )
            try:
                for row in made.iter_rows():
                    yield _checked(json.loads(row["record"]))
            except ray.exceptions.RayError as error:
                raise ConnectionError(
                    f"a worker was lost {RETRIES + 1} times on the same parts ({type(error).__name__}): finished parts "
                    "are kept, and the same command goes on; a smaller --part-size takes less memory"
                ) from error


class _Worker:
    """An actor. Errors of the data travel as values, for Ray would wrap them in its own."""

    def __init__(self) -> None:
        self.bench: Bench | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, str]:
        job, part = pickle.loads(row["work"])
        self.bench = self.bench or Bench(job)
        try:
            record = make(self.bench, part)
        except (ValueError, OSError, MissingPackageError) as error:
            record = {"error": str(error)}
        return {"record": json.dumps(record)}


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    if "error" in record:
        raise ValueError(record["error"])
    return record


def _ray() -> ModuleType:
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingPackageError(
            "the engine ray expects the packages of chainrule[cluster]: pip install 'chainrule[cluster]'"
        ) from None
    return ray


@contextlib.contextmanager
def _cluster(ray: ModuleType, address: str | None, workers: int | None) -> Iterator[int]:
    """Connect to a cluster, or start one on this machine, and give the number of actors to use."""
    where = {"address": address} if address else {"num_cpus": (workers or _cores() - 1) + 1, "include_dashboard": False}
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        _check_listening(address)
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **where)
    except Exception as error:  # Ray raises bare exceptions where a process did not start in time
        raise ConnectionError(f"expected a Ray cluster, got none: {str(error).splitlines()[0]}") from error
    if in_main:
        signal.signal(signal.SIGTERM, before)  # Ray's own handler would end the process with status 15
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Ray prints there that a worker was lost
            yield workers or max(1, int(ray.cluster_resources().get("CPU", 2)) - 1)
    finally:
        ray.shutdown()


def _check_listening(address: str | None) -> None:
    """Raise ``OSError`` if nobody listens at ``host:port``, where Ray would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if port.isdecimal() and "://" not in host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECTING).close()


def _cores() -> int:
    return max(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2)


ENGINES = ("local", "ray")


def engine_of(name: str, address: str | None, workers: int | None) -> Engine:
    """The engine of a name.

    Raises:
        ValueError: If there is none of this name, or it takes no address or workers.
    """
    if name not in ENGINES:
        raise ValueError(f"--engine expects {' or '.join(ENGINES)}, got {name!r}")
    if name == "ray":
        if workers is not None and workers < 1:
            raise ValueError(f"--workers expects at least 1, got {workers}")
        return RayEngine(address, workers)
    if address is not None or workers is not None:
        raise ValueError("--address and --workers expect --engine ray, got --engine local")
    return LocalEngine()
