"""One client's connection: uvicorn's protocol with a limit on the size and the time of headers, and on connections."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wordgeo.service.config import ServiceConfig
from wordgeo.service.problems import MEDIA_TYPE, Problem

__all__ = ["limited"]


def limited(config: ServiceConfig) -> type[HttpToolsProtocol]:
    """The class of connections with the limits of these settings."""

    class Limited(HttpToolsProtocol):
        """Answers 408, 431 and 503 by itself, and 400 as a problem document."""

        _timer: asyncio.TimerHandle | None = None
        _in_headers = False
        _size = 0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > config.max_connections:
                self._end(Problem("overloaded", "too many connections; come back later", {"Retry-After": "1"}))
            else:
                self._expect()

        def connection_lost(self, exc: Exception | None) -> None:
            self._arrived()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            if self._in_headers and self.parser is not None:
                self._size += len(data)
                if self._size > config.max_headers:
                    self._too_large()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._in_headers, self._size = True, 0
            self._expect()

        def on_headers_complete(self) -> None:
            self._arrived()
            self._in_headers = False
            if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > config.max_headers:
                self._too_large()
            else:
                super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            if self.cycle is not None and not self.transport.is_closing():
                super().on_body(body)

        def on_message_complete(self) -> None:
            if self.cycle is not None and not self.transport.is_closing():
                super().on_message_complete()

        def send_400_response(self, msg: str) -> None:
            self._end(Problem("malformed", "the request is not valid HTTP"))

        def _expect(self) -> None:
            """Headers have to be whole in time."""
            self._arrived()
            self._timer = self.loop.call_later(config.read_timeout, self._late)

        def _arrived(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _late(self) -> None:
            self._end(Problem("too-slow", f"the headers did not come within {config.read_timeout:g} s"))

        def _too_large(self) -> None:
            self._end(Problem("headers", f"the headers have more than {config.max_headers} bytes"))

        def _end(self, problem: Problem) -> None:
            self._arrived()
            if self.transport.is_closing():
                return
            # An answer that is being made would come after this one: then the connection is only closed.
            cycle = self.cycle
            if cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started):
                body = problem.encode()
                headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close"}
                lines = [f"{name}: {value}" for name, value in (headers | problem.headers).items()]
                head = "\r\n".join([f"HTTP/1.1 {problem.status} {problem.kind}", *lines, "", ""])
                self.transport.write(head.encode("ascii") + body)
            self.transport.close()

    return Limited
