"""The endpoints of questions: from a request's bytes to an answer's, in the event loop, which never computes."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, get_args
from urllib.parse import parse_qs

import msgspec

from wordgeo.errors import UnknownWordError
from wordgeo.service.batching import ITEMS_A_BATCH, Lane, Unit
from wordgeo.service.config import ServiceConfig
from wordgeo.service.metrics import Metrics
from wordgeo.service.problems import Problem, problem_of
from wordgeo.service.questions import QUESTIONS, Question
from wordgeo.service.registry import Registry, Served

__all__ = ["Asking", "read_body"]

MOST_SUGGESTIONS = 10  # unknown words of a request whose spelling is looked at: each takes milliseconds
LARGEST_KEPT = 8192  # bytes of an answer that is worth keeping
FAST, SLOW = "questions", "slow"

Receive = Callable[[], Awaitable[Any]]


class Asking:
    """Answers questions through two lanes: one for what the engine does in batches, one for what takes its time."""

    def __init__(self, config: ServiceConfig, registry: Registry, metrics: Metrics) -> None:
        self._config, self._registry, self._metrics = config, registry, metrics
        self.lanes = {
            name: Lane(name, most_waiting=config.max_queue, deadline=config.deadline, metrics=metrics)
            for name in (FAST, SLOW)
        }
        self._cache: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()

    @property
    def waiting(self) -> dict[str, int]:
        """Questions in each lane."""
        return {name: lane.waiting for name, lane in self.lanes.items()}

    def forget(self) -> None:
        """Empties the cache, whose answers keep the models that gave them."""
        self._cache.clear()

    def close(self) -> None:
        """Ends the lanes after what they have."""
        for lane in self.lanes.values():
            lane.close()

    async def answer(self, model: str, name: str, method: str, query: bytes, receive: Receive) -> bytes:
        """The JSON that answers a request. Raises `Problem`."""
        question = QUESTIONS[name]
        if method == "GET":
            request, single = self._from_query(question, query), True
        elif method == "POST":
            request, single = self._from_body(question, await read_body(receive, self._config))
        else:
            raise Problem("method-not-allowed", "ask with GET or POST", {"Allow": "GET, POST"})
        served = self._registry[model]
        values = tuple(getattr(request, option) for option in question.options)
        k = getattr(request, "k", 1)
        if k > self._config.max_k:
            raise Problem("invalid", f"k is {k}; give a whole number from 1 to {self._config.max_k}", place="k")
        lane = self.lanes[SLOW if question.slow or getattr(request, "approximate", False) else FAST]
        if single:
            return await self._one(question, served, values, request.item, lane, receive)
        return await self._many(question, served, values, request.items, lane, receive)

    async def _one(
        self,
        question: Question,
        served: Served,
        values: tuple[Any, ...],
        item: msgspec.Raw,
        lane: Lane,
        receive: Receive,
    ) -> bytes:
        key = (served, question.name, values, bytes(item))
        kept = self._cache.get(key)
        if kept is not None:
            self._cache.move_to_end(key)
            self._metrics.cached()
            return kept
        found = (await lane.submit(Unit(question.all, (served, values), [item], [0], receive)))[0]
        if isinstance(found, bytes):
            if self._config.cache and len(found) <= LARGEST_KEPT:
                self._cache[key] = found
                if len(self._cache) > self._config.cache:
                    self._cache.popitem(last=False)
            return found
        raise (await self._explained(served, [found], receive))[0]

    async def _many(
        self,
        question: Question,
        served: Served,
        values: tuple[Any, ...],
        items: list[msgspec.Raw],
        lane: Lane,
        receive: Receive,
    ) -> bytes:
        most = self._config.max_batch
        if len(items) > most:
            raise Problem("too-large", f"{len(items)} items; give at most {most} in one request", max_batch=most)
        units = [
            Unit(
                question.all, (served, values), items[begin : begin + ITEMS_A_BATCH],
                list(range(begin, min(begin + ITEMS_A_BATCH, len(items)))), receive if not begin else None,
            )
            for begin in range(0, len(items), ITEMS_A_BATCH)
        ]  # fmt: skip
        futures: list[asyncio.Future[Sequence[Any]]] = []
        try:
            for unit in units:
                futures.append(lane.submit(unit))
            answers = [answer for future in futures for answer in await future]
        except BaseException:
            for unit, future in zip(units, futures, strict=False):
                unit.dropped = True
                future.add_done_callback(_seen)
            raise
        wrong = [i for i, answer in enumerate(answers) if not isinstance(answer, bytes)]
        if wrong:
            problems = await self._explained(served, [answers[i] for i in wrong], receive)
            for i, problem in zip(wrong, problems, strict=True):
                answers[i] = problem.encode()
        return b'{"results":[' + b",".join(answers) + b'],"errors":' + str(len(wrong)).encode() + b"}"

    async def _explained(self, served: Served, errors: list[Exception], receive: Receive) -> list[Problem]:
        """The errors as problems; the first unknown words with suggestions, where there is time for them."""
        words = {error.word: error for error in errors if isinstance(error, UnknownWordError) and not error.suggestions}
        asked = [*words][:MOST_SUGGESTIONS]
        try:
            unit = Unit(_suggestions, (served,), asked, [*range(len(asked))], receive)
            found = await self.lanes[SLOW].submit(unit) if asked else ()
        except Problem:
            found = ()
        close = {word: list(near) for word, near in zip(asked, found, strict=False) if isinstance(near, tuple)}
        return [
            problem_of(UnknownWordError(error.word, error.size, close.get(error.word, error.suggestions)))
            if isinstance(error, UnknownWordError)
            else problem_of(error)
            for error in errors
        ]

    def _from_body(self, question: Question, body: bytes) -> tuple[Any, bool]:
        try:
            request = question.decoder.decode(body)
        except msgspec.ValidationError as problem:
            raise _invalid(problem, question) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise Problem("malformed", f"the body is not JSON: {problem}") from None
        single = request.item is not msgspec.UNSET
        if single == (request.items is not msgspec.UNSET):
            raise Problem("invalid", "give either item, one question, or items, a list of them", place="item")
        return request, single

    def _from_query(self, question: Question, query: bytes) -> Any:
        try:
            given = parse_qs(
                query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict",
                max_num_fields=300,
            )  # fmt: skip
        except ValueError as problem:  # UnicodeDecodeError is one
            raise Problem("malformed", f"the address's query cannot be read: {problem}") from None
        for field in question.fields:
            if field not in given:
                raise Problem("invalid", f"{field} is missing", place=field)
        for field, values in given.items():
            if len(values) > 1 and not (question.name == "odd" and field == "word"):
                raise Problem("invalid", f"{field} is given {len(values)} times; give it once", place=field)
        options: dict[str, Any] = {name: values[0] for name, values in given.items() if name not in question.fields}
        for field in ("item", "items", "words"):
            if field in options:
                raise Problem("invalid", f"{field} is for POST", place=field)
        try:
            item = msgspec.Raw(msgspec.json.encode(question.spell(given)))
            options = {name: _LITERALS.get(value, value) for name, value in options.items()}
            request = msgspec.convert(options, question.request, strict=False)
        except msgspec.ValidationError as problem:
            raise _invalid(problem, question) from None
        return msgspec.structs.replace(request, item=item)


_LITERALS: Mapping[str, bool] = {"true": True, "false": False}


def _seen(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _suggestions(served: Served, words: list[str], _: list[int]) -> list[tuple[str, ...]]:
    return [tuple(served.model.vocabulary.suggest(word)) for word in words]


def _invalid(problem: msgspec.ValidationError, question: Question) -> Problem:
    """422, with the place that msgspec names in `$.place`."""
    text, _, place = str(problem).partition(" - at `$")
    place = place.rstrip("`").lstrip(".")
    if unknown := re.fullmatch("Object contains unknown field `(.*)`", text, re.DOTALL):
        there = ", ".join(question.options) or "none"
        return Problem("invalid", f"{unknown[1]} is no option of {question.name}; there are: {there}", place=unknown[1])
    if text.startswith("Invalid enum value"):
        field = next(field for field in msgspec.structs.fields(question.request) if field.name == place)
        text = f"{text}; give {', '.join(get_args(field.type))}"
    return Problem("invalid", f"{place}: {text}", place=place) if place else Problem("invalid", text)


async def read_body(receive: Receive, config: ServiceConfig) -> bytes:
    """The body of a request. Raises `Problem` where it is too large or comes too slowly."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(config.read_timeout):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Problem("too-slow", "the client left before the request was whole")
                body = message.get("body", b"")
                size += len(body)
                if size > config.max_body:
                    raise too_large(config)
                parts.append(body)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise Problem(
            "too-slow", f"the body did not come within {config.read_timeout:g} s", {"Connection": "close"}
        ) from None


def too_large(config: ServiceConfig) -> Problem:
    """The problem of a body beyond the limit."""
    return Problem(
        "too-large", f"the body has more than {config.max_body} bytes", {"Connection": "close"},
        max_body=config.max_body,
    )  # fmt: skip
