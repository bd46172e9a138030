"""What is asked of a model: the questions of a suite, or its pairs, as rows of the model under a protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wordgeo.evaluation.protocols import Lookup, Protocol
from wordgeo.evaluation.suites import AnalogySuite

__all__ = ["Asked", "Item", "pairs_of", "questions_of"]

I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One thing that is asked: `a` is to `b` as `c` is to `expected`, or one of `also`.

    a and b are None where all other pairs of the section stand for them.
    """

    line: int
    a: str | None
    b: str | None
    c: str
    expected: str
    also: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Asked:
    """n items in sections: item i is in section `section[i]`, int64 [n].

    `rows` int64 [n, 4]: rows of a, b, c and the expected word as the protocol turns them (-1 where one is unknown; for
    pairs a and b are those of the pair itself, and so c and expected are the same). `given` and `accepted` (int64
    [n, m], -1 for none): rows that may not answer, and rows that answer right, each standing for its case variants.
    `known` bool [n]: whether every word is known. `pairs` int64 [n, 2]: numbers of the two word pairs that an item is
    made of, the second -1 where there is one only.
    """

    items: Sequence[Item]
    section: I64
    rows: I64
    given: I64
    accepted: I64
    known: Bool
    pairs: I64

    def __len__(self) -> int:
        return len(self.items)


def questions_of(suite: AnalogySuite, protocol: Protocol, lookup: Lookup) -> Asked:
    """The questions of a suite, each for itself."""
    items = [Item(q.line, q.a, q.b, q.c, q.expected, q.also) for section in suite.sections for q in section.questions]
    section = np.repeat(np.arange(len(suite.sections)), [len(s.questions) for s in suite.sections])
    rows = lookup.rows(w for item in items for w in (item.a or "", item.b or "", item.c, item.expected)).reshape(-1, 4)
    numbers: dict[tuple[int, str | None, str | None], int] = {}
    pairs = np.array(
        [
            (
                numbers.setdefault((s, item.a, item.b), len(numbers)),
                numbers.setdefault((s, item.c, item.expected), len(numbers)),
            )
            for s, item in zip(section.tolist(), items, strict=True)
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    pairs[pairs[:, 0] == pairs[:, 1], 1] = -1
    known = rows.min(axis=1, initial=0) >= 0
    if protocol.direction == "inverted":
        rows = rows[:, [1, 0, 3, 2]]
        also = learned = np.empty((len(items), 0), dtype=np.int64)
    else:
        also = _alternatives(lookup, [item.also for item in items])
        learned = _alternatives(lookup, [q.also_b for s in suite.sections for q in s.questions])
    return Asked(items, section, rows, np.hstack([rows[:, :3], learned]), np.hstack([rows[:, 3:], also]), known, pairs)


def pairs_of(suite: AnalogySuite, lookup: Lookup) -> Asked:
    """The pairs of a suite, each to be found from the others of its section; known where there is another one."""
    every = [(s, pair) for s, section in enumerate(suite.sections) for pair in section.pairs]
    items = [Item(pair.line, None, None, pair.a, pair.b, pair.also) for _, pair in every]
    section = np.array([s for s, _ in every], dtype=np.int64)
    found = lookup.rows(word for _, pair in every for word in (pair.a, pair.b)).reshape(-1, 2)
    known = found.min(axis=1, initial=0) >= 0
    others = np.bincount(section[known], minlength=len(suite.sections)) > 1
    known &= others[section]
    accepted = np.hstack([found[:, 1:], _alternatives(lookup, [item.also for item in items])])
    numbers = np.stack([np.arange(len(items)), np.full(len(items), -1)], axis=1)
    return Asked(items, section, np.hstack([found, found]), found[:, :1], accepted, known, numbers)


def _alternatives(lookup: Lookup, words: Sequence[tuple[str, ...]]) -> I64:
    """Rows of further words for each item, int64 [n, m]; -1 for unknown ones and where there are fewer."""
    width = max(map(len, words), default=0)
    out = np.full((len(words), width), -1, dtype=np.int64)
    rows: dict[tuple[str, ...], I64] = {}
    for i, some in enumerate(words):
        if some:
            if some not in rows:
                rows[some] = lookup.rows(some)
            out[i, : len(some)] = rows[some]
    return out
