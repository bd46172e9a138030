"""What Prometheus reads: requests, times, batches, queues, what was dropped, memory.

With several workers each writes its numbers to files of a folder (PROMETHEUS_MULTIPROC_DIR, set by the first process),
and whichever is asked adds up those of all.
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

__all__ = ["FOLDER_VARIABLE", "Metrics", "forget"]

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._requests = Counter("wordgeo_requests", "Requests answered.", ["endpoint", "status"], registry=self._own)
        self._seconds = Histogram(
            "wordgeo_request_seconds", "Time from the request's headers to its answer.", ["endpoint"],
            buckets=SECONDS, registry=self._own,
        )  # fmt: skip
        self._items = Histogram(
            "wordgeo_batch_items", "Questions answered in one batch of the engine.", ["lane"], buckets=ITEMS,
            registry=self._own,
        )  # fmt: skip
        self._cached = Counter("wordgeo_cache_hits", "Requests answered from the cache.", registry=self._own)
        self._dropped = Counter(
            "wordgeo_dropped", "Questions given up: overloaded, deadline, left (the client).", ["why"],
            registry=self._own,
        )  # fmt: skip
        self._reloads = Gauge(
            "wordgeo_reloads", "Models opened again since the start.", ["outcome"], registry=self._own,
            multiprocess_mode="livemax",
        )  # fmt: skip
        self._waiting = Gauge(
            "wordgeo_waiting_items", "Questions that wait or are being answered.", ["lane"], registry=self._own,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._memory = Gauge(
            "wordgeo_memory_bytes", "Resident memory of the process: its own, and mapped files.", ["kind"],
            registry=self._own, multiprocess_mode="liveall",
        )  # fmt: skip
        self._of: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def request(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a request."""
        found = self._of.get((endpoint, status))
        if found is None:  # looking labels up costs more than counting
            found = self._requests.labels(endpoint, str(status)), self._seconds.labels(endpoint)
            self._of[endpoint, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def batch(self, lane: str, items: int) -> None:
        """Notes the size of a batch."""
        self._items.labels(lane).observe(items)

    def cached(self) -> None:
        """Counts an answer from the cache."""
        self._cached.inc()

    def dropped(self, why: str) -> None:
        """Counts a question that was given up."""
        self._dropped.labels(why).inc()

    def present(self, waiting: dict[str, int], reloads: dict[str, int]) -> None:
        """Notes how things are now: from time to time too, since a page is made by one worker for all."""
        for outcome, count in reloads.items():
            self._reloads.labels(outcome).set(count)
        for lane, items in waiting.items():
            self._waiting.labels(lane).set(items)
        for kind, size in _memory().items():
            self._memory.labels(kind).set(size)

    def page(self) -> tuple[bytes, str]:
        """The text for Prometheus, and its media type."""
        registry = self._own
        if FOLDER_VARIABLE in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST


def forget(pid: int) -> None:
    """Takes what a process that has ended says of the present out of the page."""
    if FOLDER_VARIABLE in os.environ:
        multiprocess.mark_process_dead(pid)


def _memory() -> dict[str, int]:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # not Linux
        return {}
    sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return {"own": 1024 * int(sizes.get("RssAnon", 0)), "mapped": 1024 * int(sizes.get("RssFile", 0))}
