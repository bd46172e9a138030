"""The planted world: English sentences made from tables of true facts, so that what a model should find is known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.corpus.planted_facts import TABLES, Facts, read_facts, words_of
from wordgeo.errors import OutputError
from wordgeo.files import atomic_file
from wordgeo.results import Result, Table
from wordgeo.validate import number, whole_number

__all__ = ["Drift", "PlantedFiles", "PlantedTruth", "PlantedWorld", "generate", "write"]

NAMES_A_ROW = 4  # the names that stand with the words of one row alone
NAMES_OF_ITS_OWN = 2  # further names of each word that shares its role in the row with others
STATED = 0.1  # share of the sentences that state a fact outright
SENTENCES_A_DOCUMENT = 20
SENTENCES_A_BLOCK = 20_000
# An invented name is a consonant, a vowel, a consonant, a vowel and an end.
CONSONANTS = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "z",
)
VOWELS = ("a", "e", "i", "o", "u", "ae", "ei", "ou")
ENDS = ("", "l", "m", "n", "r", "s", "sk", "th", "x")
SYLLABLES = (CONSONANTS, VOWELS, CONSONANTS, VOWELS, ENDS)

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Drift:
    """A word that means something else in the second slice: it takes the place of another, and that one its own."""

    word: str
    before: tuple[str, str]
    after: tuple[str, str]


@dataclass(frozen=True)
class PlantedTruth:
    """What was planted, in lower case: what a model of the text can be held against.

    `pairs` holds the pairs (a, b) of each relation; any two of a relation make an analogy. `roles` holds for each word
    the (row, role) places that it has, and `two_roles` the words that have more than one. `neighbors` holds for each
    word those of the same rows: of all words of its role, each of them is expected nearest. `drifted` says which words
    change in the second slice; everything else speaks of the first.
    """

    pairs: dict[str, list[tuple[str, str]]]
    roles: dict[str, list[tuple[str, str]]]
    two_roles: list[str]
    neighbors: dict[str, list[str]]
    drifted: list[Drift]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {
            "pairs": {relation: [list(pair) for pair in pairs] for relation, pairs in self.pairs.items()},
            "roles": {word: [list(place) for place in places] for word, places in self.roles.items()},
            "two_roles": self.two_roles,
            "neighbors": self.neighbors,
            "drifted": [{"word": d.word, "before": list(d.before), "after": list(d.after)} for d in self.drifted],
        }


@dataclass(frozen=True)
class PlantedWorld:
    """A text whose truth is known. `generate` makes one, and says what the fields mean."""

    size: int
    seed: int
    noise: float
    zipf: float
    drift: float
    facts: Facts

    @property
    def slices(self) -> tuple[int, ...]:
        """The numbers of the slices: one, or with drift two."""
        return (1, 2) if self.drift else (1,)

    def documents(self, slice: int | None = None) -> Iterator[str]:
        """The documents, one sentence a line; without drift there is one slice, with it two of half the size each.

        `slice` asks for one of them; unset, the second follows the first. Every call gives the same text.
        """
        for part in self.slices if slice is None else (whole_number("slice", slice, 1, self.slices[-1]),):
            sentences: list[str] = []
            for sentence in self._sentences(part):
                sentences.append(sentence)
                if len(sentences) == SENTENCES_A_DOCUMENT:
                    yield "\n".join(sentences)
                    sentences = []
            if sentences:
                yield "\n".join(sentences)

    @cached_property
    def truth(self) -> PlantedTruth:
        """What was planted."""
        places, rows = self.facts.places, self.facts.rows
        roles: dict[str, list[tuple[str, str]]] = {}
        near: dict[str, dict[str, None]] = {}
        of_row: dict[int, list[str]] = {}
        for place in places:
            of_row.setdefault(place.row, []).append(place.word.lower())
        for place in places:
            word = place.word.lower()
            roles.setdefault(word, []).append((rows[place.row], place.role))
            near.setdefault(word, {}).update(dict.fromkeys(of_row[place.row]))
        return PlantedTruth(
            pairs={
                relation: [(places[a].word.lower(), places[b].word.lower()) for a, b in pairs]
                for relation, pairs in self.facts.pairs.items()
            },
            roles=roles,
            two_roles=[word for word, of_word in roles.items() if len(of_word) > 1],
            neighbors={word: [other for other in others if other != word] for word, others in near.items()},
            drifted=[
                Drift(places[i].word.lower(), *((rows[places[j].row], places[j].role) for j in (i, int(self._seat[i]))))
                for i in np.flatnonzero(self._seat != np.arange(len(places))).tolist()
            ],
        )

    @cached_property
    def names(self) -> list[str]:
        """The invented names: `NAMES_A_ROW` for each row, then those of words that share a role."""
        rng = self._random("names")
        taken = self.facts.phrase_words() | {place.word.lower() for place in self.facts.places}
        shared = sum(place.shared for place in self.facts.places)
        names: list[str] = []
        while len(names) < NAMES_A_ROW * len(self.facts.rows) + NAMES_OF_ITS_OWN * shared:
            name = "".join(part[int(rng.integers(len(part)))] for part in SYLLABLES)
            if name not in taken:
                taken.add(name)
                names.append(name.capitalize())
        return names

    @cached_property
    def _weights(self) -> npt.NDArray[np.float64]:
        """How often each place is written of: rows fall off by their rank, drawn at random, to the power `zipf`.

        A table has the square root of its size, so that the phrases of small ones are met often enough.
        """
        places, rows = self.facts.places, self.facts.rows
        ranks = self._random("ranks").permutation(len(rows)) + 1.0
        weights = ranks[[place.row for place in places]] ** -self.zipf
        tables = np.array([rows[place.row].partition(":")[0] for place in places])
        for table in np.unique(tables):
            weights[tables == table] /= np.sqrt(np.count_nonzero(tables == table))
        return weights / weights.sum()

    @cached_property
    def _seat(self) -> Numbers:
        """For each place, the one that its word has in the second slice: words change places two by two."""
        places = self.facts.places
        seat = np.arange(len(places))
        count: dict[str, int] = {}
        for place in places:
            count[place.word.lower()] = count.get(place.word.lower(), 0) + 1
        free = np.array([i for i, place in enumerate(places) if count[place.word.lower()] == 1])
        swaps = round(self.drift * len(free) / 2)
        # Neighbours in frequency change places, so that what changes is the meaning and not the count.
        rng = self._random("drift")
        free = rng.permutation(free)
        free = free[np.argsort(-self._weights[free], kind="stable")]
        candidates = [
            (a, b) for a, b in free[: len(free) // 2 * 2].reshape(-1, 2).tolist() if places[a].row != places[b].row
        ]
        for i in rng.permutation(len(candidates))[:swaps].tolist():
            a, b = candidates[i]
            seat[a], seat[b] = b, a
        return seat

    def _random(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, *purpose.encode()])

    def _sentences(self, part: int) -> Iterator[str]:
        """The sentences of a slice, until they have as many words as the slice is to have."""
        left = -(-self.size // len(self.slices))
        rng = self._random(f"sentences {part}")
        writer = _Writer(self, [self.facts.places[int(i)].word for i in self._seat] if part == 2 else None)
        while left > 0:
            for sentence, words in writer.block(rng, SENTENCES_A_BLOCK):
                yield sentence
                left -= words
                if left <= 0:
                    return


class _Writer:
    """Writes sentences in blocks: what is chosen by chance is drawn for a whole block at once."""

    def __init__(self, world: PlantedWorld, words: list[str] | None) -> None:
        facts = world.facts
        self._noise, self._weights = world.noise, world._weights
        self._words = words or [place.word for place in facts.places]
        self._names = world.names
        self._names_of = _names_of(facts)
        self._facts = facts
        features = list(facts.features)
        self._features = [tuple(features.index(name) for name in facts.roles[place.role]) for place in facts.places]
        self._before = [[(text, len(words_of(text))) for text in facts.features[name].before] for name in features]
        self._after = [[(text, len(words_of(text))) for text in facts.features[name].after] for name in features]
        self._lead, self._middle, self._tail = (
            [(*text.split("{t}"), len(words_of(text)) + 1) for text in texts]
            for texts in (facts.lead, facts.middle, facts.tail)
        )
        self._stated: list[list[tuple[int, int, str]]] = [[] for _ in facts.places]
        for relation, pairs in facts.pairs.items():
            for a, b in pairs:
                for text in facts.statements[relation]:
                    self._stated[a].append((a, b, text))
                    self._stated[b].append((a, b, text))

    def block(self, rng: np.random.Generator, n: int) -> Iterator[tuple[str, int]]:
        """`n` sentences, each with how many words it has."""
        places = rng.choice(len(self._words), size=n, p=self._weights)
        strange = rng.choice(len(self._words), size=(n, 5), p=self._weights)
        # What each slot speaks of: the place, or by noise any other.
        sources = np.where(rng.random((n, 5)) < self._noise, strange, places[:, None])
        draws = rng.random((n, 12))
        for place, source, draw in zip(places.tolist(), sources.tolist(), draws.tolist(), strict=True):
            yield self._sentence(place, source, draw)

    def _sentence(self, place: int, source: list[int], draw: list[float]) -> tuple[str, int]:
        lead, n_lead = self._name(self._lead, source[0], draw[0], draw[1])
        middle, n_middle = self._name(self._middle, source[1], draw[2], draw[3])
        if draw[4] < STATED and (stated := self._stated[place]):
            a, b, text = stated[int(draw[5] * len(stated))]
            parts = [lead, text.format(a=self._words[a], b=self._words[b]), middle]
            words = n_lead + n_middle + len(words_of(text)) + 2
        else:
            first, second = self._features[source[2]], self._features[source[3]]
            # Of two features one is said before the word and the other after it.
            turn = draw[6] < 0.5
            before, n_before = _pick(self._before[first[turn % len(first)]], draw[7])
            after, n_after = _pick(self._after[second[(not turn) % len(second)]], draw[8])
            parts = [lead, before, self._words[place]]
            parts += [middle, after] if draw[9] < 0.5 else [after, middle]
            words = n_lead + n_before + 1 + n_middle + n_after
        if draw[10] < 0.3:
            tail, n_tail = self._name(self._tail, source[4], draw[11], draw[9])
            parts.append(tail)
            words += n_tail
        text = " ".join(parts).replace(" ,", ",")
        return text[0].upper() + text[1:] + ".", words

    def _name(self, phrases: list[Any], place: int, draw: float, which: float) -> tuple[str, int]:
        before, after, words = phrases[int(draw * len(phrases))]
        names = self._names_of[place]
        return before + self._names[names[int(which * len(names))]] + after, words


def generate(
    size: int = 2_000_000,
    *,
    seed: int = 1,
    noise: float = 0.05,
    zipf: float = 0.5,
    drift: float = 0.0,
    tables: Sequence[str] = TABLES,
) -> PlantedWorld:
    """A world of about `size` words (the last sentence is finished), whose text and truth depend on nothing else.

    Each sentence is about one word of the tables. It has names that stand with the words of the same row alone (with
    Paris, France and French), and phrases that stand with words of the same role alone (with all capitals). The
    pointwise mutual information of a word with its contexts is then the sum of one part for the row and one for the
    role, and as skip-gram factorises it (Levy & Goldberg 2014), what is planted is an analogy in the vectors.

    `noise` is the share of names and phrases that come from anywhere in the world; `zipf` makes the n-th most frequent
    row n^-zipf as frequent as the first (0: all alike); `drift` is the share of words that change places in a second
    slice; `tables` are the tables of facts to write of. Raises `OptionError`, and `NotFoundError` where the tables are
    not installed.

    >>> world = generate(1000, seed=1)
    >>> sum(len(document.split()) for document in world.documents()) // 100
    10
    >>> ("france", "paris") in world.truth.pairs["country-capital"]
    True
    """
    return PlantedWorld(
        size=whole_number("size", size, 1),
        seed=whole_number("seed", seed, 0),
        noise=number("noise", noise, 0, 1),
        zipf=number("zipf", zipf, 0, 4),
        drift=number("drift", drift, 0, 1),
        facts=read_facts(tables),
    )


@dataclass(frozen=True, repr=False)
class PlantedFiles(Result):
    """What `write` wrote: the files, and how much was planted in them."""

    texts: tuple[str, ...]
    truth: str
    words: int
    relations: dict[str, int]
    two_roles: int
    drifted: int

    def tables(self) -> list[Table]:
        """One row for each file and count, and the number of pairs of each relation."""
        rows = [
            *(("text", path) for path in self.texts),
            ("truth", self.truth),
            ("planted words", str(self.words)),
            ("of two roles", str(self.two_roles)),
            ("drifted", str(self.drifted)),
        ]
        return [Table(("what", "value"), rows), Table(("relation", "pairs"), list(self.relations.items()))]


def write(world: PlantedWorld, path: str | Path, *, overwrite: bool = False) -> PlantedFiles:
    """Writes the text to `path`, with blank lines between documents, and the truth beside it.

    For `world.txt` the truth is `world.truth.json`; with drift the slices are `world.1.txt` and `world.2.txt`. Raises
    `OutputError` where one of them exists (unless `overwrite`) or cannot be written.
    """
    path = Path(path)
    truth_path = path.with_suffix(".truth.json")
    texts = [path.with_suffix(f".{part}{path.suffix}") if world.drift else path for part in world.slices]
    for file in (*texts, truth_path):
        if file.exists() and not overwrite:
            raise OutputError(f"{file} exists already; choose another name or overwrite it (--overwrite)")
    for part, file in zip(world.slices, texts, strict=True):
        with atomic_file(file, overwrite=overwrite) as out:
            for document in world.documents(part):
                out.write(f"{document}\n\n".encode())
    settings = {name: getattr(world, name) for name in ("size", "seed", "noise", "zipf", "drift")}
    with atomic_file(truth_path, overwrite=overwrite) as out:
        out.write(json.dumps(settings | world.truth.to_dict(), ensure_ascii=False, indent=1).encode() + b"\n")
    truth = world.truth
    return PlantedFiles(
        texts=tuple(map(str, texts)),
        truth=str(truth_path),
        words=len(truth.roles),
        relations={relation: len(pairs) for relation, pairs in truth.pairs.items()},
        two_roles=len(truth.two_roles),
        drifted=len(truth.drifted),
    )


def _names_of(facts: Facts) -> list[list[int]]:
    """The numbers of the names that each place may be named with."""
    names, own = [], NAMES_A_ROW * len(facts.rows)
    for place in facts.places:
        numbers = list(range(NAMES_A_ROW * place.row, NAMES_A_ROW * (place.row + 1)))
        if place.shared:
            numbers += range(own, own + NAMES_OF_ITS_OWN)
            own += NAMES_OF_ITS_OWN
        names.append(numbers)
    return names


def _pick(phrases: list[tuple[str, int]], draw: float) -> tuple[str, int]:
    return phrases[int(draw * len(phrases))]
