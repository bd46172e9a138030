"""Requests that come together are answered together.

A lane is a thread with a queue. Where it is idle a request begins at once; while it works, others wait, and are then
taken as one batch. So nothing waits for company, and the busier a service is the cheaper an answer becomes. The event
loop only hands over and hands back.
"""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from wordgeo.service.metrics import Metrics
from wordgeo.service.problems import Problem, problem_of

__all__ = ["Lane", "Unit"]

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.05
ITEMS_A_BATCH = 256  # more are no cheaper for the engine, and the next ones would wait longer

Receive = Callable[[], Awaitable[Any]]


class Unit:
    """Items of one request: `work(*key, items, places)` answers those of all units with the same `key`."""

    __slots__ = ("asked_at", "dropped", "future", "items", "key", "places", "receive", "watch", "work")

    def __init__(
        self,
        work: Callable[..., Sequence[Any]],
        key: tuple[Any, ...],
        items: list[Any],
        places: list[int],
        receive: Receive | None = None,
    ) -> None:
        self.work, self.key, self.items, self.places, self.receive = work, key, items, places, receive
        self.future: asyncio.Future[Sequence[Any]]
        self.asked_at = 0.0
        self.dropped = False
        self.watch: asyncio.Task[None] | None = None


class Lane:
    """A thread that answers units. Lives in the event loop that makes it."""

    def __init__(self, name: str, *, most_waiting: int, deadline: float, metrics: Metrics) -> None:
        self._name, self._most_waiting, self._deadline, self._metrics = name, most_waiting, deadline, metrics
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._open: set[Unit] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._rate = 100.0  # items a second, as seen lately
        self.waiting = 0
        self._thread = threading.Thread(target=self._run, name=f"wordgeo-{name}", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit) -> asyncio.Future[Sequence[Any]]:
        """The answers to come: JSON or an error for each item. Raises `Problem` where the queue is full."""
        if self.waiting + len(unit.items) > self._most_waiting:
            self._metrics.dropped("overloaded")
            raise Problem("overloaded", "too many questions wait already; ask again later", self._retry_after())
        unit.future = self._loop.create_future()
        unit.asked_at = monotonic()
        self.waiting += len(unit.items)
        self._open.add(unit)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        self._queue.put(unit)
        return unit.future

    def close(self) -> None:
        """Ends the thread after what is queued."""
        self._queue.put(None)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _retry_after(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, min(60, math.ceil(self.waiting / self._rate))))}

    def _sweep(self) -> None:
        """Gives up what is too late, and looks after the clients of what waits."""
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep) if self._open else None
        now = monotonic()
        for unit in [*self._open]:
            waited = now - unit.asked_at
            if waited > self._deadline:
                self._drop(unit, "deadline")
            elif waited > SWEEP_SECONDS and unit.watch is None and unit.receive is not None:
                unit.watch = self._loop.create_task(self._watch(unit, unit.receive))

    async def _watch(self, unit: Unit, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        unit.watch = None
        self._drop(unit, "left")

    def _drop(self, unit: Unit, why: str) -> None:
        unit.dropped = True
        self._metrics.dropped(why)
        self._close(unit)
        if not unit.future.done():
            detail = "the question was not answered in time" if why == "deadline" else "the client has left"
            unit.future.set_exception(Problem("deadline", detail, self._retry_after()))

    def _close(self, unit: Unit) -> None:
        self._open.discard(unit)
        if unit.watch is not None:
            unit.watch.cancel()
            unit.watch = None

    def _finish(self, units: list[Unit], answers: list[Sequence[Any]], items: int, seconds: float) -> None:
        self.waiting -= sum(len(unit.items) for unit in units)
        if items:
            self._rate = 0.9 * self._rate + 0.1 * items / max(seconds, 1e-6)
            self._metrics.batch(self._name, items)
        for unit, found in zip(units, answers, strict=True):
            self._close(unit)
            if len(found) < len(unit.items) and not unit.dropped:  # it was too late when its turn came
                self._drop(unit, "deadline")
            elif not unit.future.done():
                unit.future.set_result(found)

    # On the lane's thread.

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            units, items, ends = [first], len(first.items), False
            while items < ITEMS_A_BATCH:
                try:
                    unit = self._queue.get_nowait()
                except queue.Empty:
                    break
                if unit is None:
                    ends = True
                    break
                units.append(unit)
                items += len(unit.items)
            begin = monotonic()
            answers, answered = self._answer(units)
            try:
                self._loop.call_soon_threadsafe(self._finish, units, answers, answered, monotonic() - begin)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return
            if ends:
                return

    def _answer(self, units: list[Unit]) -> tuple[list[Sequence[Any]], int]:
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        late = monotonic() - self._deadline
        for i, unit in enumerate(units):
            if not unit.dropped and unit.asked_at >= late:
                groups[unit.work, *unit.key].append(i)
        answers: list[Sequence[Any]] = [()] * len(units)
        answered = 0
        for (work, *key), members in groups.items():
            items = [item for i in members for item in units[i].items]
            places = [place for i in members for place in units[i].places]
            answered += len(items)
            found: Sequence[Any]
            try:
                found = work(*key, items, places)
            except Exception as problem:
                if problem_of(problem).kind == "internal":
                    log.exception("%s failed", self._name)
                found = [problem] * len(items)
            at = 0
            for i in members:
                answers[i] = found[at : at + len(units[i].items)]
                at += len(units[i].items)
        return answers, answered
