"""Models behind a service, asked as if they were here: `connect` and, for asyncio, `connect_async`.

The methods have the names, the arguments and the results of a local model's. Many questions go in as few requests as
the service takes; a request that finds it busy, or no connection, is made again after a pause.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import numpy as np
import numpy.typing as npt

from wordgeo.errors import MissingExtraError, OptionError, ServiceError, UnknownWordError
from wordgeo.query.approximate import ApproximateNeighbors
from wordgeo.query.wordvectors import Neighbors, OddOneOut, Rank
from wordgeo.stability import Agreement
from wordgeo.validate import number, whole_number

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncClient", "AsyncRemoteModel", "Client", "RemoteModel", "connect", "connect_async"]

ITEMS_A_REQUEST = 500
BUSY = (429, 503)
LONGEST_PAUSE = 10.0
Self = TypeVar("Self", bound="_Settings")


class _Settings:
    """What both clients share: where the service is, the key, and how often a request is made again."""

    def __init__(self, url: str, *, api_key: str | None = None, timeout: float = 30.0, retries: int = 4) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise OptionError(f"{url!r} is not the address of a service; give one such as http://127.0.0.1:8080")
        whole_number("retries", retries, 0)
        number("timeout", timeout, 0.001)
        self.url = url.rstrip("/")
        self._retries = retries
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._options: dict[str, Any] = {"base_url": self.url, "headers": headers, "timeout": timeout}

    def _pause(self, attempt: int, answer: httpx.Response | None) -> float | None:
        """Seconds until a request is made again; None where it is not."""
        if attempt >= self._retries or (answer is not None and answer.status_code not in BUSY):
            return None
        asked = "" if answer is None else answer.headers.get("Retry-After", "")
        least = float(asked) if asked.isdigit() else 0.0
        # Clients that were refused together are not to come back together.
        return min(LONGEST_PAUSE, least + random.uniform(0.5, 1.0) * 0.1 * 2**attempt)

    def _unreachable(self, problem: Exception) -> ServiceError:
        return ServiceError(
            f"{self.url} does not answer ({type(problem).__name__}: {problem}); is the service running?"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.url}>"


class Client(_Settings):
    """A service. Use it in a `with` block, or `close` it."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._http = _httpx().Client(**self._options)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer. Raises what the service's problem says, and `ServiceError`."""
        errors = _httpx().TransportError
        attempt = 0
        while True:
            answer = None
            try:
                answer = self._http.request(method, path, json=body)
            except errors as problem:
                if (pause := self._pause(attempt, None)) is None:
                    raise self._unreachable(problem) from None
            else:
                if answer.is_success or (pause := self._pause(attempt, answer)) is None:
                    return _json(answer)
            time.sleep(pause)
            attempt += 1

    def models(self) -> list[dict[str, Any]]:
        """What the service says about each of its models."""
        found: list[dict[str, Any]] = self.request("GET", "/v1/models")["models"]
        return found

    def model(self, name: str) -> RemoteModel:
        """One of its models; whether it is there shows at the first question."""
        return RemoteModel(self, name)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncClient(_Settings):
    """A service, for asyncio. Use it in an `async with` block, or `await close()`."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._http = _httpx().AsyncClient(**self._options)

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer. Raises what the service's problem says, and `ServiceError`."""
        errors = _httpx().TransportError
        attempt = 0
        while True:
            answer = None
            try:
                answer = await self._http.request(method, path, json=body)
            except errors as problem:
                if (pause := self._pause(attempt, None)) is None:
                    raise self._unreachable(problem) from None
            else:
                if answer.is_success or (pause := self._pause(attempt, answer)) is None:
                    return _json(answer)
            await asyncio.sleep(pause)
            attempt += 1

    async def models(self) -> list[dict[str, Any]]:
        """What the service says about each of its models."""
        found: list[dict[str, Any]] = (await self.request("GET", "/v1/models"))["models"]
        return found

    def model(self, name: str) -> AsyncRemoteModel:
        """One of its models; whether it is there shows at the first question."""
        return AsyncRemoteModel(self, name)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self: Self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class RemoteModel:
    """A model of a service, with the methods of `wordgeo.WordVectors`; of an ensemble also `agreement`."""

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name

    @property
    def info(self) -> dict[str, Any]:
        """Size and origin."""
        found: dict[str, Any] = self.client.request("GET", _path(self.name))
        return found

    def __len__(self) -> int:
        return int(self.info["words"])

    def __contains__(self, word: object) -> bool:
        try:
            return isinstance(word, str) and bool(self._ask("similar", [word], {"k": 1}))
        except UnknownWordError:
            return False

    def __getitem__(self, word: str) -> npt.NDArray[np.float32]:
        """The vector of a word, float32 [dimensions]; the service has to allow it."""
        return np.array(self._ask("vectors", [word], {})[0]["vector"], dtype=np.float32)

    def similar(self, word: str | npt.ArrayLike, /, k: int = 10, **options: Any) -> Neighbors:
        """As `WordVectors.similar`."""
        return _neighbors(self._ask("similar", [_item(word)], {"k": k, **options})[0])

    def similar_batch(self, words: Iterable[Any], /, k: int = 10, **options: Any) -> list[Neighbors]:
        """As `WordVectors.similar_batch`."""
        return [
            _neighbors(one)
            for one in self._ask("similar", [_item(word) for word in _several(words)], {"k": k, **options})
        ]

    def analogy(self, a: str, b: str, c: str, k: int = 10, **options: Any) -> Neighbors:
        """As `WordVectors.analogy`."""
        return self.analogy_batch([(a, b, c)], k, **options)[0]

    def analogy_batch(self, questions: Iterable[Sequence[str]], k: int = 10, **options: Any) -> list[Neighbors]:
        """As `WordVectors.analogy_batch`."""
        return [_neighbors(one) for one in self._ask("analogy", [[*q] for q in questions], {"k": k, **options})]

    def query(self, expression: str, /, k: int = 10, **options: Any) -> Neighbors:
        """As `WordVectors.query`."""
        return self.query_batch([expression], k, **options)[0]

    def query_batch(self, expressions: Iterable[str], /, k: int = 10, **options: Any) -> list[Neighbors]:
        """As `WordVectors.query_batch`."""
        return [_neighbors(one) for one in self._ask("query", _several(expressions), {"k": k, **options})]

    def similarity(self, a: str, b: str) -> float:
        """As `WordVectors.similarity`."""
        return float(self._ask("similarity", [[a, b]], {})[0]["similarity"])

    def similarity_batch(self, pairs: Iterable[Sequence[str]]) -> npt.NDArray[np.float32]:
        """As `WordVectors.similarity_batch`."""
        found = self._ask("similarity", [[*pair] for pair in pairs], {})
        return np.array([one["similarity"] for one in found], dtype=np.float32)

    def odd(self, words: Iterable[str]) -> OddOneOut:
        """As `WordVectors.odd`."""
        return self.odd_batch([words])[0]

    def odd_batch(self, groups: Iterable[Iterable[str]]) -> list[OddOneOut]:
        """As `WordVectors.odd_batch`."""
        return [_odd(one) for one in self._ask("odd", [_several(group) for group in groups], {})]

    def rank(self, a: str, b: str) -> Rank:
        """As `WordVectors.rank`."""
        return self.rank_batch([(a, b)])[0]

    def rank_batch(self, pairs: Iterable[Sequence[str]]) -> list[Rank]:
        """As `WordVectors.rank_batch`."""
        return [_rank(one) for one in self._ask("rank", [[*pair] for pair in pairs], {})]

    def agreement(self, words: Iterable[str], k: int = 10) -> Agreement:
        """As `Ensemble.agreement`."""
        return _agreement(self._ask("stability", _several(words), {"k": k}), k)

    def _ask(self, question: str, items: list[Any], options: Mapping[str, Any]) -> list[Any]:
        path = _path(self.name, question)
        return [
            result
            for body in _bodies(items, options)
            for result in _results(self.client.request("POST", path, body), len(items))
        ]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} at {self.client.url}>"


class AsyncRemoteModel:
    """`RemoteModel` for asyncio: the same methods, to be awaited."""

    def __init__(self, client: AsyncClient, name: str) -> None:
        self.client, self.name = client, name

    async def info(self) -> dict[str, Any]:
        """Size and origin."""
        found: dict[str, Any] = await self.client.request("GET", _path(self.name))
        return found

    async def vector(self, word: str) -> npt.NDArray[np.float32]:
        """The vector of a word, float32 [dimensions]; the service has to allow it."""
        return np.array((await self._ask("vectors", [word], {}))[0]["vector"], dtype=np.float32)

    async def similar(self, word: str | npt.ArrayLike, /, k: int = 10, **options: Any) -> Neighbors:
        """As `WordVectors.similar`."""
        return _neighbors((await self._ask("similar", [_item(word)], {"k": k, **options}))[0])

    async def similar_batch(self, words: Iterable[Any], /, k: int = 10, **options: Any) -> list[Neighbors]:
        """As `WordVectors.similar_batch`."""
        found = await self._ask("similar", [_item(word) for word in _several(words)], {"k": k, **options})
        return [_neighbors(one) for one in found]

    async def analogy(self, a: str, b: str, c: str, k: int = 10, **options: Any) -> Neighbors:
        """As `WordVectors.analogy`."""
        return (await self.analogy_batch([(a, b, c)], k, **options))[0]

    async def analogy_batch(self, questions: Iterable[Sequence[str]], k: int = 10, **options: Any) -> list[Neighbors]:
        """As `WordVectors.analogy_batch`."""
        return [_neighbors(one) for one in await self._ask("analogy", [[*q] for q in questions], {"k": k, **options})]

    async def query(self, expression: str, /, k: int = 10, **options: Any) -> Neighbors:
        """As `WordVectors.query`."""
        return (await self.query_batch([expression], k, **options))[0]

    async def query_batch(self, expressions: Iterable[str], /, k: int = 10, **options: Any) -> list[Neighbors]:
        """As `WordVectors.query_batch`."""
        return [_neighbors(one) for one in await self._ask("query", _several(expressions), {"k": k, **options})]

    async def similarity(self, a: str, b: str) -> float:
        """As `WordVectors.similarity`."""
        return float((await self._ask("similarity", [[a, b]], {}))[0]["similarity"])

    async def similarity_batch(self, pairs: Iterable[Sequence[str]]) -> npt.NDArray[np.float32]:
        """As `WordVectors.similarity_batch`."""
        found = await self._ask("similarity", [[*pair] for pair in pairs], {})
        return np.array([one["similarity"] for one in found], dtype=np.float32)

    async def odd(self, words: Iterable[str]) -> OddOneOut:
        """As `WordVectors.odd`."""
        return (await self.odd_batch([words]))[0]

    async def odd_batch(self, groups: Iterable[Iterable[str]]) -> list[OddOneOut]:
        """As `WordVectors.odd_batch`."""
        return [_odd(one) for one in await self._ask("odd", [_several(group) for group in groups], {})]

    async def rank(self, a: str, b: str) -> Rank:
        """As `WordVectors.rank`."""
        return (await self.rank_batch([(a, b)]))[0]

    async def rank_batch(self, pairs: Iterable[Sequence[str]]) -> list[Rank]:
        """As `WordVectors.rank_batch`."""
        return [_rank(one) for one in await self._ask("rank", [[*pair] for pair in pairs], {})]

    async def agreement(self, words: Iterable[str], k: int = 10) -> Agreement:
        """As `Ensemble.agreement`."""
        return _agreement(await self._ask("stability", _several(words), {"k": k}), k)

    async def _ask(self, question: str, items: list[Any], options: Mapping[str, Any]) -> list[Any]:
        path = _path(self.name, question)
        return [
            result
            for body in _bodies(items, options)
            for result in _results(await self.client.request("POST", path, body), len(items))
        ]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} at {self.client.url}>"


def connect(address: str, **settings: Any) -> RemoteModel:
    """The model at an address such as `http://127.0.0.1:8080/wiki`.

    `settings`: `api_key`, `timeout` (seconds), `retries`. Raises `OptionError` for what is no such address.
    """
    base, name = _split(address)
    return Client(base, **settings).model(name)


def connect_async(address: str, **settings: Any) -> AsyncRemoteModel:
    """`connect` for asyncio."""
    base, name = _split(address)
    return AsyncClient(base, **settings).model(name)


def _split(address: str) -> tuple[str, str]:
    base, _, name = address.rstrip("/").rpartition("/")
    if base.endswith("/v1/models"):
        base = base.removesuffix("/v1/models")
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).netloc or not name:
        raise OptionError(
            f"{address!r} names no model of a service; give an address such as http://127.0.0.1:8080/wiki"
        )
    return base, unquote(name)


def _path(model: str, question: str = "") -> str:
    return f"/v1/models/{quote(model, safe='')}" + (f"/{question}" if question else "")


def _item(word: Any) -> Any:
    return word if isinstance(word, str) else np.asarray(word, dtype=np.float32).tolist()


def _several(words: Iterable[Any]) -> list[Any]:
    if isinstance(words, str):  # which would be a list of its letters
        raise OptionError(f"got the one string {words!r}; give a list")
    return [*words]


def _bodies(items: list[Any], options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The requests that ask so many items. One item is asked as such: its vector is then called as it is here."""
    given = {name: value for name, value in options.items() if value is not None}
    given |= {name: [*value] for name, value in given.items() if name == "words"}
    if len(items) == 1:
        yield {"item": items[0], **given}
    for begin in range(0, len(items) if len(items) > 1 else 0, ITEMS_A_REQUEST):
        yield {"items": items[begin : begin + ITEMS_A_REQUEST], **given}


def _results(answer: Any, items: int) -> list[Any]:
    if items == 1:
        return [answer]
    for result in answer["results"]:
        if "status" in result and "detail" in result:
            raise _error(result)
    results: list[Any] = answer["results"]
    return results


def _json(answer: httpx.Response) -> Any:
    try:
        content = answer.json()
    except ValueError:
        raise ServiceError(f"{answer.url} answers {answer.status_code} and no JSON; is it a wordgeo service?") from None
    if answer.is_success:
        return content
    raise _error(content if isinstance(content, dict) else {"detail": f"status {answer.status_code}"})


def _error(problem: Mapping[str, Any]) -> Exception:
    """The exception that the local model would have raised."""
    kind, detail = str(problem.get("type", "")).rpartition(":")[2], str(problem.get("detail", "the service failed"))
    if kind == "unknown-word":
        size = next((int(part) for part in detail.split() if part.isdigit()), 0)
        return UnknownWordError(problem["word"], size, problem["suggestions"])
    if kind in ("invalid", "too-large"):
        return OptionError(detail)
    return ServiceError(detail, int(problem.get("status", 0)))


def _neighbors(found: Mapping[str, Any]) -> Neighbors:
    fields = (found["query"], tuple(found["words"]), np.array(found["scores"], dtype=np.float32))
    indices = np.array(found["indices"], dtype=np.int64)
    if "recall" in found:
        return ApproximateNeighbors(*fields, indices, found["recall"])
    return Neighbors(*fields, indices)


def _odd(found: Mapping[str, Any]) -> OddOneOut:
    return OddOneOut(found["word"], tuple(found["words"]), np.array(found["scores"], dtype=np.float32))


def _rank(found: Mapping[str, Any]) -> Rank:
    a, b = found["words"]
    return Rank((a, b), found["rank_min"], found["rank_max"], found["score"])


def _agreement(found: list[Any], k: int) -> Agreement:
    return Agreement(
        k,
        found[0]["runs"] if found else 0,
        tuple(one["words"][0] for one in found),
        np.array([one["overlap"][0] for one in found], dtype=np.float64),
        np.array([one["joint"][0] for one in found], dtype=np.int64),
        tuple(tuple(one["agreed"][0]) for one in found),
    )


def _httpx() -> Any:
    try:
        import httpx
    except ImportError:
        raise MissingExtraError("asking a service", "serve") from None
    return httpx
