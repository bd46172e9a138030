"""The application: its parts joined, and what happens at its start, in its idle moments and at its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import Any

from wordgeo.errors import MissingExtraError, OptionError
from wordgeo.service.config import ServiceConfig

try:
    from wordgeo.service.asking import Asking
    from wordgeo.service.gate import Gate, Receive, Send
    from wordgeo.service.metrics import Metrics
    from wordgeo.service.routes import Health, api
except ImportError as problem:
    raise MissingExtraError("the service", "serve") from problem
from wordgeo.service.jobs import Jobs
from wordgeo.service.keys import Keys
from wordgeo.service.logs import AccessLog
from wordgeo.service.registry import Registry

__all__ = ["Service", "build"]

log = logging.getLogger(__name__)


class Service:
    """The ASGI application. Models are opened when it is made; threads begin when its event loop does."""

    def __init__(self, config: ServiceConfig) -> None:
        if config.threads is not None:
            os.environ["WORDGEO_NUM_THREADS"] = str(config.threads)
        self.config = config
        self.registry = Registry(config)
        self.keys = Keys.read(config.keys, rate=config.rate, workers=config.workers)
        if config.rate is not None and self.keys is None:
            raise OptionError("rate is what a key may ask, and there are no keys; give a file of them (--keys)")
        self._access = AccessLog(config.access_log)
        if config.jobs is not None:
            Jobs(config.jobs, most_open=config.max_jobs)  # what is wrong with the folder shows now
        self.health = Health()
        self._metrics = Metrics()
        self._gate: Gate | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answers one request, or the server's messages at its start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._gate is not None:
            await self._gate(scope, receive, send)

    def stop(self) -> None:
        """Says from now on, by /readyz and by closing connections, that the service ends."""
        self.health.stopping = True
        if self._gate is not None:
            self._gate.stopping = True

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except Exception as problem:
            if self._gate is not None:
                raise
            await send({"type": "lifespan.startup.failed", "message": str(problem)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The time in which requests are taken."""
        with contextlib.ExitStack() as stack:
            folder = self.config.jobs or stack.enter_context(tempfile.TemporaryDirectory(prefix="wordgeo-jobs-"))
            jobs = Jobs(folder, most_open=self.config.max_jobs)
            stack.callback(jobs.close)
            asking = Asking(self.config, self.registry, self._metrics)
            stack.callback(asking.close)
            access = stack.enter_context(self._access)
            routes = api(self.config, self.registry, asking, jobs, self._metrics, self.health)
            self._gate = Gate(routes, asking, config=self.config, keys=self.keys, metrics=self._metrics, access=access)
            follower = asyncio.create_task(self._follow(asking))
            try:
                yield
            finally:
                follower.cancel()

    async def _follow(self, asking: Asking) -> None:
        """Looks at the models' folders from time to time; opening happens on another thread."""
        refresh: Callable[[], list[str]] = self.registry.refresh
        while True:
            self._metrics.present(asking.waiting, self.registry.reloads)
            await asyncio.sleep(self.config.reload_every)
            try:
                changed = await asyncio.to_thread(refresh)
            except Exception:
                log.exception("the models could not be looked at; those that are served stay")
            else:
                if changed:
                    asking.forget()
                for name in changed:
                    log.info("model %s was opened again or is gone", name)


def build(config: ServiceConfig) -> Service:
    """The application of these settings."""
    return Service(config)
