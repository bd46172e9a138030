"""What every request passes: limits, keys, security headers, counting, the access log. Outermost of all."""

from __future__ import annotations

import ipaddress
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from wordgeo.service.asking import Asking, too_large
from wordgeo.service.config import ServiceConfig
from wordgeo.service.keys import Key, Keys
from wordgeo.service.logs import AccessLog
from wordgeo.service.metrics import Metrics
from wordgeo.service.problems import MEDIA_TYPE, Problem, problem_of
from wordgeo.service.questions import QUESTIONS

__all__ = ["PAGE_POLICY", "Gate"]

log = logging.getLogger(__name__)

MODELS = "/v1/models/"
OPEN_TO_ALL = ("/healthz", "/readyz")
GUARDED = ("/v1", "/metrics")
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
API_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
NOT_STORED = (b"cache-control", b"no-store")
JSON_HEADERS = [(b"content-type", b"application/json"), NOT_STORED, API_POLICY, *SECURITY]
PROBLEM_HEADERS = [(b"content-type", MEDIA_TYPE.encode()), NOT_STORED, API_POLICY, *SECURITY]

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]


class Gate:
    """An ASGI application around another: questions go straight to `asking`, everything else to `app`."""

    def __init__(
        self, app: App, asking: Asking, *, config: ServiceConfig, keys: Keys | None, metrics: Metrics, access: AccessLog
    ) -> None:
        self._app, self._asking, self._config = app, asking, config
        self._keys, self._metrics, self._access = keys, metrics, access
        self._origins = frozenset(origin.encode() for origin in config.origins)
        self.stopping = False

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = perf_counter()
        seen = _Seen(scope["path"], scope["method"])
        try:
            headers = _known_headers(scope["headers"])
            seen.origin = headers.get(b"origin", b"") if self._origins else b""
            if seen.origin not in self._origins:
                seen.origin = b""
            if seen.origin and seen.method == "OPTIONS":
                await self._preflight(seen, send)
            else:
                self._admit(scope, headers, seen)
                await self._answer(scope, receive, send, seen)
        except Exception as error:
            problem = problem_of(error)
            if problem.kind == "internal":
                log.exception("%s %s failed", seen.method, seen.path)
            if not seen.status:
                await self._refuse(problem, send, seen)
        seconds = perf_counter() - begin
        self._metrics.request(seen.endpoint, seen.status or 499, seconds)
        self._access.note(seen, scope["client"], seconds)

    def _admit(self, scope: Any, headers: Mapping[bytes, bytes], seen: _Seen) -> None:
        """Raises `Problem` for a request that has no right to an answer, before anything is done for it."""
        length = headers.get(b"content-length")
        if length is not None and (not length.isdigit() or int(length) > self._config.max_body):
            raise too_large(self._config)
        if b"content-encoding" in headers:
            raise Problem("invalid", "the body is compressed; send it as it is", {"Connection": "close"})
        if seen.method not in ("GET", "HEAD") and headers.get(b"sec-fetch-site") == b"cross-site" and not seen.origin:
            raise Problem("forbidden", "this service takes no requests from other sites' pages")
        if not seen.path.startswith(GUARDED):
            return
        if self._keys is None:
            if seen.path == "/metrics" and not self._config.is_local and not _is_loopback(scope["client"]):
                raise Problem("forbidden", "metrics are for this machine alone unless the service has keys")
            return
        seen.key = self._key(headers)
        wait = seen.key.wait()
        if wait > 0:
            raise Problem("rate", "the key's rate is used up", {"Retry-After": str(max(1, round(wait + 0.5)))})

    def _key(self, headers: Mapping[bytes, bytes]) -> Key:
        shown = headers.get(b"x-api-key")
        scheme, _, bearer = headers.get(b"authorization", b"").partition(b" ")
        if shown is None and scheme.lower() == b"bearer":
            shown = bearer.strip()
        key = None if shown is None or self._keys is None else self._keys.find(shown)
        if key is None:
            detail = "the key is wrong" if shown else "show a key: Authorization: Bearer KEY"
            raise Problem("key", detail, {"WWW-Authenticate": "Bearer"})
        return key

    async def _answer(self, scope: Any, receive: Receive, send: Send, seen: _Seen) -> None:
        if seen.path.startswith(MODELS):
            model, _, question = seen.path[len(MODELS) :].partition("/")
            if question in QUESTIONS:
                seen.endpoint = question
                body = await self._asking.answer(model, question, seen.method, scope["query_string"], receive)
                await self._send(200, JSON_HEADERS, body, send, seen)
                return

        async def noted(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                given = {name.lower() for name, _ in message["headers"]}
                more = [header for header in (NOT_STORED, API_POLICY, *SECURITY) if header[0] not in given]
                message = message | {"headers": [*message["headers"], *more, *self._common(seen)]}
            elif message["type"] == "http.response.body":
                seen.size += len(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, noted)
        route = scope.get("route")
        seen.endpoint = getattr(route, "path", None) or "other"

    async def _refuse(self, problem: Problem, send: Send, seen: _Seen) -> None:
        more = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
        body = problem.encode()
        await self._send(problem.status, [*PROBLEM_HEADERS, *more], body, send, seen)

    async def _send(
        self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes, send: Send, seen: _Seen
    ) -> None:
        seen.status, seen.size = status, len(body)
        length = (b"content-length", str(len(body)).encode())
        await send(
            {"type": "http.response.start", "status": status, "headers": [*headers, length, *self._common(seen)]}
        )
        await send({"type": "http.response.body", "body": b"" if seen.method == "HEAD" else body})

    def _common(self, seen: _Seen) -> list[tuple[bytes, bytes]]:
        common = [(b"x-request-id", seen.id.encode())]
        if self.stopping:
            common.append((b"connection", b"close"))
        if seen.origin:
            common += [(b"access-control-allow-origin", seen.origin), (b"vary", b"Origin")]
        return common

    async def _preflight(self, seen: _Seen, send: Send) -> None:
        headers = [
            (b"access-control-allow-methods", b"GET, POST, DELETE"),
            (b"access-control-allow-headers", b"authorization, content-type, x-api-key"),
            (b"access-control-max-age", b"600"),
        ]
        await self._send(204, headers, b"", send, seen)


PROCESS = secrets.token_hex(4)
_numbers = itertools.count(1)


class _Seen:
    """What is known of a request, for the headers, the numbers and the log."""

    __slots__ = ("endpoint", "id", "key", "method", "origin", "path", "size", "status")

    def __init__(self, path: str, method: str) -> None:
        self.path, self.method = path, method
        self.endpoint = "other"
        self.id = f"{PROCESS}{next(_numbers):08x}"
        self.key: Key | None = None
        self.origin = b""
        self.status = self.size = 0


KNOWN_HEADERS = frozenset(
    {b"content-length", b"content-encoding", b"authorization", b"x-api-key", b"origin", b"sec-fetch-site"}
)


def _known_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    return {name: value for name, value in headers if name in KNOWN_HEADERS}


def _is_loopback(client: Any) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
