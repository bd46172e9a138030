"""Processes: one that answers, or one that looks after several that share a socket, the models and a folder of jobs."""

from __future__ import annotations

import dataclasses
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Any

from wordgeo.errors import MissingExtraError, OutputError
from wordgeo.service.config import ServiceConfig

try:
    import uvicorn
except ImportError as problem:
    raise MissingExtraError("the service", "serve") from problem

__all__ = ["run"]

log = logging.getLogger(__name__)

BACKLOG = 2048
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0  # seconds before a worker that died is started again
LIVED_WELL = 5.0  # seconds after which a worker's death is not taken for a failing start
FAILED_START = 3  # uvicorn's exit code where the application does not start


def run(config: ServiceConfig) -> None:
    """Serves until the process is told to end."""
    _log_to_stderr()
    listening = _listen(config)
    if config.threads is None:
        from wordgeo.threads import resolve_threads

        config = dataclasses.replace(config, threads=max(1, resolve_threads() // config.workers))
    if config.workers == 1:
        _work(config, listening, _begin)
    else:
        _supervise(config, listening)


def _log_to_stderr() -> None:
    """What goes wrong, with its trace: nothing of it is in an answer, so the log is the only place."""
    for name in ("wordgeo.service", "uvicorn"):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING if name == "uvicorn" else logging.INFO)


def _listen(config: ServiceConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
        listening.listen(BACKLOG)
    except OSError as problem:
        listening.close()
        reason = (problem.strerror or str(problem)).lower()
        raise OutputError(f"cannot listen at {config.host}, port {config.port}: {reason}; choose another") from None
    return listening


def _begin(config: ServiceConfig, listening: socket.socket) -> None:
    """Says where the service is, on standard error, once it takes requests."""
    host, port = listening.getsockname()[:2]
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    print(f"serving at http://{place}/ (Ctrl-C ends)", file=sys.stderr, flush=True)


class _Server(uvicorn.Server):
    """uvicorn's server, which says that it ends before it does, and says once that it has begun."""

    def __init__(self, config: uvicorn.Config, service: Any, drain: float, began: Any) -> None:
        super().__init__(config)
        self._service, self._drain, self._began = service, drain, began
        self._timer: threading.Timer | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            gc.freeze()  # modules and vocabularies stay: a collection in the midst of requests need not look at them
            self._began()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Ends after the time to drain; Ctrl-C ends at once, and twice without waiting for what was accepted."""
        self._service.stop()
        if sig == signal.SIGINT or not self._drain:
            self.force_exit = self.should_exit and sig == signal.SIGINT
            self.should_exit = True
        elif self._timer is None:
            self._timer = threading.Timer(self._drain, self._end)
            self._timer.daemon = True
            self._timer.start()

    def _end(self) -> None:
        self.should_exit = True


def _work(config: ServiceConfig, listening: socket.socket, began: Any) -> None:
    """Answers requests in this process."""
    from wordgeo.service.app import build
    from wordgeo.service.connection import limited

    service = build(config)
    settings = uvicorn.Config(
        service,
        http=limited(config),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=max(1, round(config.idle_timeout)),
        timeout_graceful_shutdown=max(1, round(config.grace)),
        backlog=BACKLOG,
    )
    _Server(settings, service, config.drain, lambda: began(config, listening)).run(sockets=[listening])


def _supervise(config: ServiceConfig, listening: socket.socket) -> None:
    from wordgeo.service.app import build

    build(config)  # says what is wrong before any worker starts, and leaves the int8 copies for them to map
    with tempfile.TemporaryDirectory(prefix="wordgeo-serve-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        if config.jobs is None:
            config = dataclasses.replace(config, jobs=str(Path(folder) / "jobs"))
        _Supervisor(config, listening).run()


class _Supervisor:
    """Starts workers, starts those again that die, and passes on that it is time to end."""

    def __init__(self, config: ServiceConfig, listening: socket.socket) -> None:
        self._config, self._listening = config, listening
        self._context = multiprocessing.get_context("spawn")
        self._ending = 0
        self._workers: dict[int, Any] = {}
        self._started: dict[int, float] = {}
        self._beginning: list[Any] = []  # where workers say that they take requests
        self._wake, self._waker = socket.socketpair()

    def run(self) -> None:
        """Until told to end, and all workers have."""
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, self._told)
        self._waker.setblocking(False)
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno())
        for _ in range(self._config.workers):
            self._start()
        pause, began_well = FIRST_PAUSE, False
        while self._workers:
            sentinels = [worker.sentinel for worker in self._workers.values()]
            ready = wait([self._wake, *self._beginning, *sentinels])
            if self._wake in ready:
                self._wake.recv(1024)
            for end in [end for end in self._beginning if end in ready]:
                self._beginning.remove(end)
            if not self._beginning and not began_well:
                began_well = all(worker.is_alive() for worker in self._workers.values())
                if began_well:
                    _begin(self._config, self._listening)
            for pid, worker in [*self._workers.items()]:
                if worker.is_alive():
                    continue
                self._bury(pid, worker)
                if self._ending:
                    continue
                if worker.exitcode == FAILED_START and not began_well:
                    self._tell(signal.SIGTERM)
                    self._ending = 1
                    continue
                lived = time.monotonic() - self._started.pop(pid, 0.0)
                pause = FIRST_PAUSE if lived > LIVED_WELL else min(LONGEST_PAUSE, 2 * pause)
                log.error("worker %d ended (%s) and is started again", pid, worker.exitcode)
                time.sleep(pause if lived < LIVED_WELL else 0.0)
                self._start()

    def _start(self) -> None:
        parent, child = self._context.Pipe()
        worker = self._context.Process(target=_worker, args=(self._config, self._listening, child), daemon=False)
        worker.start()
        child.close()
        worker.parent_end = parent  # type: ignore[attr-defined]  # closed with this process, which ends the worker
        self._beginning.append(parent)
        assert worker.pid is not None
        self._workers[worker.pid] = worker
        self._started[worker.pid] = time.monotonic()

    def _bury(self, pid: int, worker: Any) -> None:
        from wordgeo.service.metrics import forget

        worker.join()
        if worker.parent_end in self._beginning:
            self._beginning.remove(worker.parent_end)
        worker.parent_end.close()
        del self._workers[pid]
        forget(pid)

    def _told(self, sig: int, frame: FrameType | None) -> None:
        self._ending += 1
        self._tell(sig)

    def _tell(self, sig: int) -> None:
        for worker in self._workers.values():
            if worker.is_alive():
                os.kill(worker.pid, sig)


def _worker(config: ServiceConfig, listening: socket.socket, alive: Any) -> None:
    _log_to_stderr()
    threading.Thread(target=_end_with_parent, args=(alive,), daemon=True).start()
    _work(config, listening, lambda *_: alive.send(None))


def _end_with_parent(alive: Any) -> None:
    try:
        alive.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)
