"""Where the runs of an ensemble are made: processes on this machine, or tasks on a Ray cluster.

A run writes its own folder and depends on nothing else, so the death of a worker costs that run alone: it is made
again, with the same bytes.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Protocol

from wordgeo.errors import MissingExtraError, TrainingError
from wordgeo.training.worker import Plan, make_run

__all__ = ["BACKENDS", "Backend", "Processes", "RayTasks"]

logger = logging.getLogger(__name__)

MOST_TRIES = 4  # of one run, whose worker died


class Backend(Protocol):
    """Makes runs of a plan, several at a time."""

    def run(self, plan: Path, runs: Sequence[tuple[int, Path]], workers: int, done: Callable[[int], None]) -> None:
        """Makes each run (number, folder) of the plan in a file; `done` is called for each, from one thread.

        Raises `TrainingError` for a run that fails, and leaves no worker behind.
        """


class Processes:
    """A process for each run, `workers` of them at a time; `command` is what is started, before its three operands."""

    def __init__(self, command: Sequence[str] = (sys.executable, "-m", "wordgeo.training.worker")) -> None:
        self._command = tuple(command)
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(self, plan: Path, runs: Sequence[tuple[int, Path]], workers: int, done: Callable[[int], None]) -> None:
        """See `Backend`."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix="wordgeo-run")
        waiting = {pool.submit(self._make, plan, i, folder): i for i, folder in runs}
        try:
            while waiting:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    i = waiting.pop(future)
                    future.result()
                    done(i)
        finally:
            self._stopped = True
            for future in waiting:
                future.cancel()
            for process in list(self._running):
                process.kill()
            pool.shutdown()

    def _make(self, plan: Path, i: int, folder: Path) -> None:
        for attempt in range(1, MOST_TRIES + 1):
            if self._stopped:
                return
            code, message = self._start(str(plan), str(i), str(folder))
            if code == 0 or self._stopped:
                return
            if code > 0:
                raise TrainingError(f"run {i}: {message or f'its process left with exit code {code}'}")
            logger.warning("the process of run %d died (signal %d); attempt %d of %d", i, -code, attempt, MOST_TRIES)
        raise TrainingError(f"the process of run {i} died {MOST_TRIES} times; is there memory enough for its workers?")

    def _start(self, *operands: str) -> tuple[int, str]:
        process = subprocess.Popen([*self._command, *operands], stderr=subprocess.PIPE, text=True)
        self._running.add(process)
        try:
            _, printed = process.communicate()
        finally:
            self._running.discard(process)
        return process.returncode, printed.strip().rpartition("\n")[2]


class RayTasks:
    """Tasks on a Ray cluster (`RAY_ADDRESS`) or, without one, on this machine. Every node must see the folders.

    Tasks and not actors: Ray makes a task again whose worker or node died. `make` is what a task calls.
    """

    def __init__(self, make: Callable[[Plan, int, Path], None] = make_run) -> None:
        self._make = make

    def run(self, plan: Path, runs: Sequence[tuple[int, Path]], workers: int, done: Callable[[int], None]) -> None:
        """See `Backend`."""
        ray = _ray()
        known, make = Plan.read(plan), self._make
        began = not ray.is_initialized()
        if began:
            # On a cluster its own nodes say how much they can do at a time.
            cores = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers}
            ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False, **cores)
        task = ray.remote(num_cpus=1, max_retries=MOST_TRIES - 1)(lambda i, folder: make(known, i, Path(folder)))
        waiting = {task.remote(i, str(folder.absolute())): i for i, folder in runs}
        try:
            while waiting:
                for reference in ray.wait(list(waiting))[0]:
                    i = waiting.pop(reference)
                    try:
                        ray.get(reference)
                    except ray.exceptions.RayTaskError as problem:
                        raise TrainingError(f"run {i}: {problem.cause}") from None
                    except ray.exceptions.RayError as problem:
                        raise TrainingError(f"run {i}: {str(problem).splitlines()[0]}") from None
                    done(i)
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)
            if began:
                ray.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtraError("training on Ray", "ray") from None
    return ray


BACKENDS: dict[str, Callable[[], Backend]] = {"processes": Processes, "ray": RayTasks}
