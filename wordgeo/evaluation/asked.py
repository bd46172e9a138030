"""What is asked of a model: the questions of a suite, or its pairs, as rows of the model under a protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from wordgeo.evaluation.protocols import Lookup, Protocol
from wordgeo.evaluation.suites import AnalogySuite, Crossed, Question, Section, WordPair

__all__ = ["Asked", "Further", "pairs_of", "questions_of"]

I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

FOUR = attrgetter("a", "b", "c", "expected")


@dataclasses.dataclass(frozen=True, eq=False)
class Further:
    """Rows that only some items have, each as an `item` (int64 [m], ascending) and a `row` (int64 [m])."""

    item: I64
    row: I64

    @classmethod
    def none(cls) -> Further:
        """No rows."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))

    @classmethod
    def through(cls, parts: Sequence[Further], first: Sequence[int]) -> Further:
        """Those of all parts, whose items begin at `first`."""
        return cls(
            np.concatenate([part.item + begin for part, begin in zip(parts, first, strict=False)]),
            np.concatenate([part.row for part in parts]),
        )

    def of(self, which: I64) -> Further:
        """Those of the items `which` (ascending), which are numbered anew by their places in it."""
        place = np.searchsorted(which, self.item)
        mine = place < len(which)
        mine[mine] = which[place[mine]] == self.item[mine]
        return Further(place[mine], self.row[mine])

    def join(self, other: Further) -> Further:
        """Both, by item; what stands in both stands once."""
        item, row = np.append(self.item, other.item), np.append(self.row, other.row)
        size = int(row.max(initial=0)) + 1
        return Further(*np.divmod(np.unique(item * size + row), size))


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """What is asked: n items, each of them a question, or a pair that the other pairs of its section stand for.

    `section` int64 [n]. `rows` int64 [n, 4] are the rows of a, b, c and the expected word, -1 for what is not known; a
    pair that is learnt from is itself in a and b as well. `given` [n, 3] and `also_given` are the rows of the words
    that may not answer, `accepted` [n] and `also_accepted` those that are right. `known` says of which all four are,
    and `pairs` int64 [n, 2] are numbers of the word pairs that an item is made of, the second -1 where there is one.
    """

    sections: Sequence[Section]
    of_pairs: bool
    section: I64
    rows: I64
    given: I64
    also_given: Further
    accepted: I64
    also_accepted: Further
    known: Bool
    pairs: I64

    def __len__(self) -> int:
        return len(self.section)

    def item(self, i: int) -> Question | WordPair:
        """Item i as it stands in the suite."""
        section = int(self.section[i])
        at = i - int(np.searchsorted(self.section, section))
        own = self.sections[section]
        return own.pairs[at] if self.of_pairs else own.questions[at]


def questions_of(suite: AnalogySuite, protocol: Protocol, lookup: Lookup) -> Asked:
    """The questions of a suite, each for itself."""
    parts = [_crossed(s.questions.pairs, lookup) if isinstance(s.questions, Crossed) else _plain(s.questions, lookup)
             for s in suite.sections]  # fmt: skip
    sizes = [len(part.rows) for part in parts]
    section = np.repeat(np.arange(len(parts)), sizes)
    rows = np.concatenate([part.rows for part in parts])
    # Items and pairs are numbered through all sections.
    first, before = np.cumsum([0, *sizes]).tolist(), np.cumsum([0, *(part.size for part in parts)]).tolist()
    pairs = np.concatenate([np.where(part.pairs >= 0, part.pairs + before[s], -1) for s, part in enumerate(parts)])
    also_given = Further.through([part.also_given for part in parts], first)
    also = Further.through([part.also for part in parts], first)
    if protocol.direction == "inverted":
        rows, also_given, also = rows[:, [1, 0, 3, 2]], Further.none(), Further.none()
    known = rows.min(axis=1, initial=0) >= 0
    given, accepted = np.ascontiguousarray(rows[:, :3]), rows[:, 3].copy()
    return Asked(suite.sections, False, section, rows, given, also_given, accepted, also, known, pairs)


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """The questions of one section; `size` is how many word pairs they are made of."""

    rows: I64
    pairs: I64
    size: int
    also_given: Further
    also: Further


def _plain(questions: Sequence[Question], lookup: Lookup) -> _Part:
    """Questions as they stand."""
    words: dict[str, int] = {}
    asked = [words.setdefault(word, len(words)) for four in map(FOUR, questions) for word in four]
    numbers = np.array(asked, dtype=np.int64).reshape(-1, 4)
    pairs = numbers[:, ::2] * max(1, len(words)) + numbers[:, 1::2]
    known, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(-1, 2)
    places[places[:, 0] == places[:, 1], 1] = -1
    rows = lookup.rows(words)[numbers] if words else numbers
    also = _further(lookup, [q.also for q in questions])
    return _Part(rows, places, len(known), _further(lookup, [q.also_b for q in questions]), also)


def _crossed(pairs: tuple[WordPair, ...], lookup: Lookup) -> _Part:
    """Each pair by each other one, in the order of `Crossed`."""
    n = len(pairs)
    numbers: dict[tuple[str, str], int] = {}
    number = np.array([numbers.setdefault((pair.a, pair.b), len(numbers)) for pair in pairs], dtype=np.int64)
    own = lookup.rows(word for pair in pairs for word in (pair.a, pair.b)).reshape(-1, 2)
    given = np.repeat(np.arange(n), max(0, n - 1))
    asked = np.tile(np.arange(n), (n, 1))[~np.eye(n, dtype=np.bool_)]
    places = np.stack([number[given], number[asked]], axis=1)
    places[places[:, 0] == places[:, 1], 1] = -1
    also = _further(lookup, [pair.also for pair in pairs])
    return _Part(np.hstack([own[given], own[asked]]), places, len(numbers), _taken(also, given), _taken(also, asked))


def pairs_of(suite: AnalogySuite, lookup: Lookup) -> Asked:
    """The pairs of a suite, each to be found from the others of its section; known where there is another one."""
    every = [pair for section in suite.sections for pair in section.pairs]
    section = np.repeat(np.arange(len(suite.sections)), [len(s.pairs) for s in suite.sections])
    found = lookup.rows(word for pair in every for word in (pair.a, pair.b)).reshape(-1, 2)
    known = found.min(axis=1, initial=0) >= 0
    known &= (np.bincount(section[known], minlength=len(suite.sections)) > 1)[section]
    also = _further(lookup, [pair.also for pair in every])
    numbers = np.stack([np.arange(len(every)), np.full(len(every), -1)], axis=1)
    return Asked(suite.sections, True, section, np.hstack([found, found]), found[:, :1].copy(), Further.none(),
                 found[:, 1].copy(), also, known, numbers)  # fmt: skip


def _further(lookup: Lookup, words: Iterable[tuple[str, ...]]) -> Further:
    """The known rows of further words for each item."""
    items: list[int] = []
    found: list[str] = []
    for i, some in enumerate(words):
        items += [i] * len(some)
        found += some
    rows = lookup.rows(found)
    return Further(np.array(items, dtype=np.int64)[rows >= 0], rows[rows >= 0])


def _taken(further: Further, items: I64) -> Further:
    """What each of `items` has, one after the other."""
    begin, end = np.searchsorted(further.item, items), np.searchsorted(further.item, items, side="right")
    sizes = end - begin
    item = np.repeat(np.arange(len(items)), sizes)
    within = np.arange(len(item)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return Further(item, further.row[np.repeat(begin, sizes) + within])
