"""The questions that can be asked: what each request holds, and how many of them are answered at once.

Everything here runs on the threads of a `Batcher`, never in the event loop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from wordgeo.errors import OptionError, UnknownWordError
from wordgeo.query import WordVectors
from wordgeo.query.expression import parse_expression
from wordgeo.results import Result
from wordgeo.service.maps import neighborhood_map
from wordgeo.service.problems import Problem
from wordgeo.service.registry import Served
from wordgeo.threads import resolve_threads

__all__ = ["QUESTIONS", "Answers", "Asked", "Question", "encode"]

MANY = 64  # searches that are worth all threads of the engine

Answers = list[bytes | Exception]
Positive = Annotated[int, msgspec.Meta(ge=1)]
K = Annotated[int, msgspec.Meta(ge=1, description="How many words.")]
Word = Annotated[str, msgspec.Meta(max_length=1024)]
Pair = tuple[Word, Word]
Expression = Annotated[str, msgspec.Meta(max_length=16384)]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `item` or many `items`: decoded one by one, so that a bad one harms no other."""

    item: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    items: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


class Filtered(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of all searches."""

    k: K = 10
    exclude: Literal["row", "string", "none"] = "row"
    top: Positive | None = None
    restrict_vocab: Positive | None = None
    min_count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    words: tuple[Word, ...] | None = None


class Similar(Filtered, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Neighbours of words or vectors."""

    threshold: Annotated[float, msgspec.Meta(ge=-1, le=1)] | None = None
    least: bool = False
    approximate: bool = False


class Analogy(Filtered, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """a is to b as c is to ?"""

    method: Literal["3cosadd", "3cosmul", "pairdirection"] = "3cosadd"


class Query(Filtered, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums of words."""


class Plain(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Items without options."""


class Stability(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agreement of an ensemble's runs on the neighbours of a word."""

    k: K = 10


class Map(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plane around a word or an expression."""

    k: Annotated[int, msgspec.Meta(ge=3, le=200)] = 40


@dataclasses.dataclass(frozen=True)
class Question:
    """An endpoint: the struct of its requests, the type of an item, how `GET` spells one, and what answers.

    `words` gives the words of an item that have to be known, each as its possible spellings. `answer` takes the model,
    the options, items whose words are all known, and their places in their requests.
    """

    name: str
    summary: str
    request: type[Asked]
    item: Any
    spell: Callable[[Mapping[str, list[str]]], Any]
    fields: tuple[str, ...]
    words: Callable[[Any], Iterable[tuple[str, ...]]]
    answer: Callable[[Served, dict[str, Any], list[Any], list[int]], list[Any]]
    example: tuple[Any, Any]
    slow: bool = False
    decoder: msgspec.json.Decoder[Any] = dataclasses.field(init=False)
    item_decoder: msgspec.json.Decoder[Any] = dataclasses.field(init=False)
    options: tuple[str, ...] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        names = [field.name for field in msgspec.structs.fields(self.request)]
        object.__setattr__(self, "decoder", msgspec.json.Decoder(self.request))
        object.__setattr__(self, "item_decoder", msgspec.json.Decoder(self.item))
        object.__setattr__(self, "options", tuple(name for name in names if name not in ("item", "items")))

    def all(self, served: Served, values: Sequence[Any], raw: list[msgspec.Raw], places: list[int]) -> Answers:
        """The answer to each of many items with the same options: JSON, or the error that it has."""
        answers: Answers = [b""] * len(raw)
        items: list[Any] = []
        asked: list[list[tuple[str, ...]]] = []
        at: list[int] = []
        for i, text in enumerate(raw):
            try:
                item = self.item_decoder.decode(text)
                self._check(served.model, item)
                words = list(self.words(item))
            except UnicodeDecodeError:
                answers[i] = Problem("malformed", "the item is not UTF-8")
            except msgspec.DecodeError as problem:
                answers[i] = Problem("invalid", f"the item cannot be taken: {_plainly(problem)}")
            except (OptionError, Problem) as problem:
                answers[i] = problem
            else:
                items.append(item)
                asked.append(words)
                at.append(i)
        known = _all_known(served.model, asked)
        for i, missing in zip(at, known, strict=True):
            if missing is not None:
                answers[i] = UnknownWordError(missing, len(served.model))
        good = [j for j, missing in enumerate(known) if missing is None]
        if good:
            options = _options(self.options, values)
            if issubclass(self.request, Filtered):
                options["threads"] = _threads(len(good))
            found = self.answer(served, options, [items[j] for j in good], [places[at[j]] for j in good])
            for j, result in zip(good, found, strict=True):
                answers[at[j]] = result if isinstance(result, Exception) else encode(result)
        return answers

    def _check(self, model: WordVectors, item: Any) -> None:
        """Raises for an item that is of the right type and still no question."""
        if self.name == "odd" and len(item) < 3:
            raise OptionError(f"odd takes three words or more; got {len(item)}")
        if isinstance(item, list) and item and isinstance(item[0], float):
            with np.errstate(over="ignore"):
                finite = np.isfinite(np.array(item, dtype=np.float32)).all()
            if len(item) != model.dimensions or not finite:
                raise OptionError(f"a vector has {model.dimensions} finite numbers; got {len(item)}")
        if item == []:
            raise OptionError("the item is empty; give a word or a vector")


def encode(value: Any) -> bytes:
    """JSON of a result, the same values as its `to_dict()`."""
    return _ENCODER.encode(value)


def _plain_array(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON")


_ENCODER = msgspec.json.Encoder(enc_hook=_plain_array)


def _plainly(problem: msgspec.DecodeError) -> str:
    """msgspec's message, whose `$` stands for the whole, in our words."""
    return str(problem).replace(" - at `$`", "").replace("`$.", "`").replace("`$", "`")


def _options(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """The options as the Python methods take them; what was not given is left out."""
    options = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    if "restrict_vocab" in options:
        options["top"] = min(options.pop("restrict_vocab"), options.get("top", 2**62))
    return options


def _threads(items: int) -> int:
    """The engine's threads for so many searches. A few leave a core to the event loop: sharing all of them gains less
    than it takes from who waits to be read and answered."""
    threads = resolve_threads()
    return threads if items >= MANY else max(1, threads - 1)


def _all_known(model: WordVectors, asked: list[list[tuple[str, ...]]]) -> list[str | None]:
    """For each item the first of its words that the model does not know; None where it knows all."""
    flat = [form for operands in asked for forms in operands for form in forms]
    rows = iter(model.vocabulary.find(flat).tolist())
    missing: list[str | None] = []
    for operands in asked:
        unknown = None
        for forms in operands:
            found = max([next(rows) for _ in forms])
            if found < 0 and unknown is None:
                unknown = forms[0]
        missing.append(unknown)
    return missing


def _similar(served: Served, options: dict[str, Any], items: list[Any], places: list[int]) -> list[Any]:
    model, results = served.model, [None] * len(items)
    words = [i for i, item in enumerate(items) if isinstance(item, str)]
    unseen = [] if model.subwords is None else _uncomposable(model, [items[i] for i in words])
    for i in [i for i in words if items[i] in unseen]:
        results[i] = UnknownWordError(items[i], len(model))  # type: ignore[call-overload]
    words = [i for i in words if items[i] not in unseen]
    vectors = [i for i, item in enumerate(items) if not isinstance(item, str)]
    if words:
        for i, found in zip(words, model.similar_batch([items[i] for i in words], **options), strict=True):
            results[i] = found  # type: ignore[call-overload]
    if vectors:
        matrix = np.array([items[i] for i in vectors], dtype=np.float32)
        for i, found in zip(vectors, model.similar_batch(matrix, **options), strict=True):
            results[i] = dataclasses.replace(found, query=f"vector {places[i]}")  # type: ignore[call-overload]
    return results


def _uncomposable(model: WordVectors, words: list[str]) -> set[str]:
    """Words that not even their n-grams give a vector."""
    rows = model.vocabulary.find(words).tolist()
    assert model.subwords is not None
    return {word for word, row in zip(words, rows, strict=True) if row < 0 and model.subwords.compose(word) is None}


def _similarity(served: Served, _: dict[str, Any], items: list[Any], __: list[int]) -> list[Any]:
    cosines = served.model.similarity_batch(items).tolist()
    return [{"words": list(pair), "similarity": cosine} for pair, cosine in zip(items, cosines, strict=True)]


def _stability(served: Served, options: dict[str, Any], items: list[Any], _: list[int]) -> list[Any]:
    if served.ensemble is None:
        return [Problem("not-an-ensemble", f"{served.name} is a single model; stability asks an ensemble")] * len(items)
    missing = [None if word in served.ensemble.shared else UnknownWordError(word, len(served.ensemble.shared))
               for word in items]  # fmt: skip
    known = [word for word, problem in zip(items, missing, strict=True) if problem is None]
    found = served.ensemble.agreement(known, **options)
    parts = iter(_part(found, i, len(known)) for i in range(len(known)))
    return [next(parts) if problem is None else problem for problem in missing]


def _part(result: Result, i: int, n: int) -> Result:
    """What a result about n words says about word i: of every field with a value for each word, that one."""
    changes = {}
    for field in dataclasses.fields(result):  # type: ignore[arg-type]
        value = getattr(result, field.name)
        if isinstance(value, (tuple, np.ndarray)) and len(value) == n:
            changes[field.name] = value[i : i + 1]
    return dataclasses.replace(result, **changes)  # type: ignore[type-var]


def _vectors(served: Served, _: dict[str, Any], items: list[Any], __: list[int]) -> list[Any]:
    if not served.vectors:
        return [Problem("forbidden", "this service does not give vectors away (serve --allow-vectors)")] * len(items)
    rows = served.model.vocabulary.rows(items)
    vectors = served.model.vectors[rows]
    return [{"word": word, "vector": vector.tolist()} for word, vector in zip(items, vectors, strict=True)]


def _one(name: str) -> Callable[[Mapping[str, list[str]]], Any]:
    return lambda given: given[name][0]


def _several(*names: str) -> Callable[[Mapping[str, list[str]]], Any]:
    return lambda given: [given[name][0] for name in names]


def _words_of_expression(item: Any) -> list[tuple[str, ...]]:
    return [operand.forms for operand in parse_expression(item)]


def _each(item: Any) -> list[tuple[str, ...]]:
    return [(word,) for word in item]


def _known_word(item: Any) -> list[tuple[str, ...]]:
    return [(item,)] if isinstance(item, str) else []


QUESTIONS = {
    question.name: question
    for question in (
        Question(
            "similar", "The nearest neighbours of a word or a vector", Similar, Word | list[float], _one("word"),
            ("word",), _known_word, _similar, ("king", ["king", "queen"]),
        ),
        Question(
            "analogy", "a is to b as c is to ?", Analogy, tuple[Word, Word, Word], _several("a", "b", "c"),
            ("a", "b", "c"), _each, lambda served, options, items, _: served.model.analogy_batch(items, **options),
            (["man", "king", "woman"], [["man", "king", "woman"], ["man", "actor", "woman"]]),
        ),
        Question(
            "query", "The words nearest to a sum of words", Query, Expression, _one("expression"), ("expression",),
            _words_of_expression, lambda served, options, items, _: served.model.query_batch(items, **options),
            ("king - man + woman", ["king - man + woman", "0.5*king + queen"]),
        ),
        Question(
            "similarity", "The cosine of two words", Plain, Pair, _several("a", "b"), ("a", "b"), _each, _similarity,
            (["king", "queen"], [["king", "queen"], ["king", "car"]]),
        ),
        Question(
            "odd", "The word that does not belong to the others", Plain,
            Annotated[list[Word], msgspec.Meta(max_length=256)], lambda given: given["word"], ("word",), _each,
            lambda served, _, items, __: served.model.odd_batch(items),
            (["breakfast", "cereal", "dinner", "car"], [["breakfast", "cereal", "dinner", "car"]]),
        ),
        Question(
            "rank", "The place of a word among the neighbours of another", Plain, Pair, _several("a", "b"), ("a", "b"),
            _each, lambda served, _, items, __: served.model.rank_batch(items),
            (["king", "queen"], [["king", "queen"], ["king", "car"]]),
        ),
        Question(
            "stability", "How far the runs of an ensemble agree on a word's neighbours", Stability, Word, _one("word"),
            ("word",), _known_word, _stability, ("king", ["king", "queen"]), slow=True,
        ),
        Question(
            "vectors", "The vector of a word", Plain, Word, _one("word"), ("word",), _known_word, _vectors,
            ("king", ["king", "queen"]),
        ),
        Question(
            "map", "A word's or a sum's neighbourhood in a plane", Map, Expression, _one("expression"),
            ("expression",), _words_of_expression,
            lambda served, options, items, _: [neighborhood_map(served.model, item, **options) for item in items],
            ("king", ["king", "king - man + woman"]), slow=True,
        ),
    )
}  # fmt: skip
