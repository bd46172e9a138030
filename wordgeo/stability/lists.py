"""The neighbours of words in each of several models, and how alike these lists are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import numpy.typing as npt

from wordgeo import _lists
from wordgeo.embeddings import Embeddings
from wordgeo.query.graph import NeighborGraph, neighbor_graph, overlaps
from wordgeo.query.search import cosine_pairs, top_k
from wordgeo.stability.intervals import members
from wordgeo.threads import product, run_blocks
from wordgeo.vocabulary import Vocabulary

__all__ = [
    "JOINT",
    "PAIRWISE",
    "PairSums",
    "chance",
    "compare_lists",
    "nearest",
    "nearest_in_each",
    "same_words",
    "second_order",
]

PAIRWISE = ("overlap", "jaccard", "rbo", "second_order")
JOINT = ("joint_overlap", "joint_jaccard")
NUMBERS_A_BLOCK = 1 << 20  # similarities of pairs of models at a time
WORDS_A_BLOCK = 1 << 13
SECOND_ORDER_WORDS = 1 << 11  # at a time: few, so that what is made of them stays in caches; many, so that rows do
GUESSES = 3  # models from whose neighbours those of the next are guessed
GRAPH_WORDS = 512  # fewer words ask one by one

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]


def same_words(a: Vocabulary, b: Vocabulary) -> bool:
    """Whether two vocabularies have the same words in the same order."""
    if a is b:
        return True
    (blob_a, offsets_a), (blob_b, offsets_b) = a.packed, b.packed
    return np.array_equal(offsets_a, offsets_b) and np.array_equal(blob_a, blob_b)


def nearest(
    model: Embeddings,
    shared: Vocabulary,
    rows: I64,
    k: int,
    threads: int | None = None,
    before: Sequence[NeighborGraph] = (),
) -> NeighborGraph:
    """The k nearest shared words to shared words, both in rows of `shared`, and their cosines.

    `before` are the same of other models, from which it is found sooner.
    """
    same = same_words(model.vocabulary, shared)
    first = len(rows) >= GRAPH_WORDS and np.array_equal(rows, np.arange(len(rows)))
    if first or (not same and len(rows) >= GRAPH_WORDS):
        own = model if same else Embeddings(shared, model.vectors[model.vocabulary.rows(shared.words)])
        if first:
            guess, together = [each.rows for each in before], before[-1].together if before else None
            return neighbor_graph(own, k=k, n=len(rows), guess=guess, together=together, threads=threads)
        return NeighborGraph(*top_k(own, own.vectors[rows], k=k, exclude=rows[:, None], threads=threads))
    if same:
        return NeighborGraph(*top_k(model, model.vectors[rows], k=k, exclude=rows[:, None], threads=threads))
    places = model.vocabulary.rows(shared.words)
    asked = places[rows]
    found, scores = top_k(
        model, model.vectors[asked], k=k, exclude=asked[:, None], candidates=np.sort(places), threads=threads
    )
    to_shared = np.full(len(model), -1, dtype=np.int64)
    to_shared[places] = np.arange(len(places))
    return NeighborGraph(to_shared[found], scores)


def nearest_in_each(
    models: Iterable[Embeddings], shared: Vocabulary, rows: I64, k: int, threads: int | None = None
) -> Iterator[NeighborGraph]:
    """The same for one model after the other; what was near in the last ones is likely to be near in the next."""
    before: deque[NeighborGraph] = deque(maxlen=GUESSES)
    for model in models:
        found = nearest(model, shared, rows, k, threads, list(before))
        before.append(found)
        yield found


@dataclass(frozen=True, eq=False)
class PairSums:
    """Similarities of neighbour lists, summed up as averages and their jackknife need them.

    Of M models, n words and B bands: `words` holds for each measure its mean over pairs (the joint ones take no pairs),
    float64 [n]; `of_model` for each pairwise one the sum over the pairs of each model, float64 [n, M]; `bands` the sum
    over the words of each band for each pair, float64 [B, P].
    """

    pairs: tuple[tuple[int, int], ...]
    words: dict[str, F64]
    of_model: dict[str, F64]
    bands: dict[str, F64]


def compare_lists(
    models: Sequence[Embeddings],
    shared: Vocabulary,
    rows: I64,
    lists: I64,
    cosines: F32,
    bands: I64,
    *,
    guessed: Sequence[F32] = (),
    p: float = 0.9,
    second: bool = True,
    threads: int | None = None,
) -> PairSums:
    """Compares `lists` int64 [M, n, k], the neighbours of `rows` int64 [n] in each model, block by block.

    `cosines` float32 [M, n, k] are theirs, `bands` int64 [n] numbers the band of each word, and `second` asks for the
    second-order similarity as well. `guessed` float32 [n, any number, k] are for each model the cosines, where known,
    of the neighbours in as many models before it.
    """
    count, n, _ = lists.shape
    pairs = tuple(combinations(range(count), 2))
    measures = PAIRWISE if second else PAIRWISE[:-1]
    words = {name: np.empty(n) for name in (*measures, *JOINT)}
    of_model = {name: np.empty((n, count)) for name in measures}
    in_bands = {name: np.zeros((int(bands.max(initial=0)) + 1, len(pairs))) for name in measures}
    places = [_places(model, shared) for model in models] if second else []
    in_model = np.ascontiguousarray(members(pairs, count).T)
    for block in _blocks(n, len(pairs)):
        found = overlaps(list(lists[:, block]), p=p, threads=threads)
        values = {name: getattr(found, name) for name in measures if name != "second_order"}
        if second:
            values["second_order"] = second_order(
                models, places, rows[block], lists[:, block], cosines[:, block], [x[block] for x in guessed], threads
            )
        member = (bands[block][None, :] == np.arange(len(in_bands["overlap"]))[:, None]).astype(np.float64)
        for name, value in values.items():
            words[name][block] = value.mean(axis=1)
            of_model[name][block] = product(value, in_model)
            in_bands[name] += product(member, value.T)
        for name in JOINT:
            words[name][block] = getattr(found, name)
    return PairSums(pairs, words, of_model, in_bands)


def second_order(
    models: Sequence[Embeddings],
    places: Sequence[I64 | None],
    rows: I64,
    lists: I64,
    cosines: F32,
    guessed: Sequence[F32] = (),
    threads: int | None = None,
) -> F64:
    """For each word and pair of models, the cosine of its similarities to the neighbours it has in either of them.

    s_i(w) = [cos_i(w, u) for u in N_i(w) ∪ N_j(w)], and the similarity is cos(s_i(w), s_j(w)): float64 [n, P], rounded
    to 12 decimals (Hamilton, Leskovec & Jurafsky 2016). `places[m]` int64 are the rows of shared words in model m
    (None where they are the same), `lists` int64 [M, n, k] neighbours as rows of the shared words, `cosines` theirs,
    and `guessed` as for `compare_lists`.
    """
    count, n, _ = lists.shape
    found = np.empty((n, count * (count - 1) // 2))
    for model in models:
        model.norms  # noqa: B018  (by all threads, before each works for itself)
    size = int(lists.max()) + 1

    def work(begin: int) -> None:
        block = slice(begin, begin + SECOND_ORDER_WORDS)
        mine = np.ascontiguousarray(lists[:, block])
        members, counts, at = np.empty(mine.size, np.int64), np.empty(mine.shape[1], np.int64), np.empty_like(mine)
        last = _lists.unions(mine, members, counts, at, np.zeros(size, np.int64), np.empty(size, np.int64))
        members, words = members[:last], np.repeat(rows[block], counts)
        member, known = np.zeros((last, count), dtype=np.uint8), np.empty((last, count), dtype=np.float32)
        for m, (model, own) in enumerate(zip(models, places, strict=True)):
            member[at[m], m], known[at[m], m] = 1, cosines[m, block]
            missing = member[:, m] == 0
            if guessed:
                before = slice(m - guessed[m].shape[1], m)
                known[at[before], m], missing[at[before]] = guessed[m][block].swapaxes(0, 1), False
            others = np.flatnonzero(missing)
            a, b = words[others], members[others]
            known[others, m] = cosine_pairs(model, *((a, b) if own is None else (own[a], own[b])))
        _lists.second_order(at, member, known, found[block])

    run_blocks(work, [(begin,) for begin in range(0, n, SECOND_ORDER_WORDS)], threads)
    return np.round(found, 12, out=found)


def chance(shared: int, k: int, models: int, p: float = 0.9) -> dict[str, float]:
    """What lists drawn at random from the shared - 1 other words would give, exactly.

    overlap: k / (shared - 1); rbo: the same at every depth, so (1 - p) Σ p^(d-1) d / (shared - 1) and its extrapolated
    end; jaccard: E[c / (2k - c)], c being hypergeometric; joint_overlap: (k / (shared - 1))^(M - 1); joint_jaccard:
    that over the expected size of the union.

    >>> chance(1001, 10, 2)["overlap"]
    0.01
    """
    others = shared - 1
    common = np.arange(k + 1)
    likely = np.array([comb(k, c) * comb(others - k, k - c) / comb(others, k) for c in range(k + 1)])
    depth = np.arange(1, k + 1)
    in_all = others * (k / others) ** models
    return {
        "overlap": k / others,
        "jaccard": float((likely * common / (2 * k - common)).sum()),
        "rbo": float(k / others * p**k + (1 - p) / p * ((depth / others) * p**depth).sum()),
        "joint_overlap": in_all / k,
        "joint_jaccard": in_all / (others * (1 - (1 - k / others) ** models)),
    }


def _places(model: Embeddings, shared: Vocabulary) -> I64 | None:
    return None if same_words(model.vocabulary, shared) else model.vocabulary.rows(shared.words)


def _blocks(n: int, pairs: int) -> Iterator[slice]:
    size = max(64, min(WORDS_A_BLOCK, NUMBERS_A_BLOCK // max(pairs, 1)))
    return (slice(begin, min(begin + size, n)) for begin in range(0, n, size))
