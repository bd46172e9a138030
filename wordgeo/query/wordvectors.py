"""WordVectors: embeddings that answer questions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError, UnknownWordError
from wordgeo.query import search
from wordgeo.query.analogies import analogies
from wordgeo.query.exclusion import excluded_rows
from wordgeo.query.expression import Operand, parse_expression
from wordgeo.query.filters import Filter
from wordgeo.query.ranks import ranks
from wordgeo.query.screens import Int8Copy
from wordgeo.results import Result, Table
from wordgeo.validate import float_rows

__all__ = ["Neighbors", "OddOneOut", "Rank", "WordVectors"]


@dataclass(frozen=True, repr=False, eq=False)
class Neighbors(Result):
    """Words by falling score: `words`, `scores` (float32) and `indices` (rows, int64), all of the same length.

    The score is the cosine with the query, or the value of the objective for 3CosMul.
    """

    query: str
    words: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    indices: npt.NDArray[np.int64]

    def tables(self) -> list[Table]:
        """One row a word."""
        rows = list(zip(self.words, self.scores.tolist(), strict=True))
        return [Table(("word", "score"), rows, title=self.query)]

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True, repr=False, eq=False)
class OddOneOut(Result):
    """`word` fits least among `words`: its cosine with the mean of their unit vectors (`scores`) is the lowest."""

    word: str
    words: tuple[str, ...]
    scores: npt.NDArray[np.float32]

    def tables(self) -> list[Table]:
        """One row a word, the odd one first."""
        order = np.argsort(self.scores, kind="stable")
        rows = [(self.words[i], float(self.scores[i])) for i in order.tolist()]
        return [Table(("word", "cosine with the mean"), rows, title=f"odd one out: {self.word}")]


@dataclass(frozen=True, repr=False, eq=False)
class Rank(Result):
    """The place of the second of `words` among the neighbours of the first, 1 being the nearest.

    `rank_min` and `rank_max` differ where scores tie; `score` is the cosine of the two.
    """

    words: tuple[str, str]
    rank_min: int
    rank_max: int
    score: float

    def tables(self) -> list[Table]:
        """One row."""
        a, b = self.words
        return [Table(("word", "among the neighbours of", "rank", "score"), [(b, a, self.rank_min, self.score)])]


class WordVectors(Embeddings):
    """A model to ask: neighbours, analogies, arithmetic. Every method is exact and safe to call from several threads.

    Scores are cosines in float64 rounded once to float32; rows with equal scores come in row order. A query gives the
    same bytes alone or in a batch, on any number of threads and any instruction set.

    All searches take the filters of `wordgeo.query.filters.Filter` as keywords (`min_count`, `top`, `match`, `words`),
    which restrict the answers. Words that are part of the question are no answers, unless `exclude` says otherwise:
    "row" (those words), "string" (also words that differ from them in case alone), "none".
    """

    @classmethod
    def of(cls, embeddings: Embeddings) -> WordVectors:
        """The same words and vectors (not copied), with questions."""
        return cls(
            embeddings.vocabulary,
            embeddings.vectors,
            provenance=embeddings.provenance,
            run=embeddings.run,
            path=embeddings.path,
            subwords=embeddings.subwords,
            training_state=embeddings.training_state,
        )

    def similar(self, word: str | npt.ArrayLike, /, k: int = 10, **options: Any) -> Neighbors:
        """The k words with the highest cosine to a word, or to a free vector (float [dimensions]).

        `options` are those of `similar_batch`. Raises `UnknownWordError`.

        >>> import wordgeo as wg
        >>> model = wg.from_arrays(["up", "over", "cat"], [[1, 0], [4, 3], [0, 1]])
        >>> model.similar("up", k=1).words
        ('over',)
        """
        if isinstance(word, str):
            return self.similar_batch([word], k, **options)[0]
        vector = np.asarray(word)
        if vector.ndim != 1:
            raise OptionError(f"similar takes a word or one vector; got shape {vector.shape} (use similar_batch)")
        return self.similar_batch(vector[None, :], k, **options)[0]

    def similar_batch(
        self,
        words: Sequence[str] | npt.ArrayLike,
        /,
        k: int = 10,
        *,
        threshold: float | None = None,
        least: bool = False,
        approximate: bool = False,
        exclude: str = "row",
        threads: int | None = None,
        **filters: Any,
    ) -> list[Neighbors]:
        """`similar` for many words, or for the rows of a float matrix [n, dimensions]; much faster than one by one.

        `threshold`: only words with at least this cosine. `least`: the least similar words instead, the lowest cosine
        first. `approximate`: through an HNSW index (faiss, the extra `ann`), which may miss neighbours: the results
        are `ApproximateNeighbors`, which say how many it finds on this model's own words.
        """
        candidates = self._candidates(filters)
        if (free := _free_vectors(words)) is not None:
            names, vectors, excluded = [f"vector {i}" for i in range(len(free))], free, None
        else:
            names = _words(words)
            rows = self.vocabulary.rows(names) if self.subwords is None else self.vocabulary.find(names)
            vectors, excluded = self.vectors[rows], excluded_rows(self, rows[:, None], exclude)
            for unseen in np.flatnonzero(rows < 0).tolist():
                vectors[unseen] = self[names[unseen]]
        if approximate:
            if candidates is not None or least or threshold is not None:
                raise OptionError("an approximate search takes no filters, threshold or least; leave approximate out")
            from wordgeo.query.approximate import ApproximateIndex

            return ApproximateIndex.of(self).neighbors(self, names, vectors, k, excluded)
        found = search.top_k(
            self, vectors, k=k, exclude=excluded, candidates=candidates, threshold=threshold, least=least,
            threads=threads,
        )  # fmt: skip
        return self._neighbors(names, *found)

    def similarity(self, a: str, b: str) -> float:
        """Cosine similarity of two words, in [-1, 1]."""
        return float(search.cosine_pairs(self, *(self.vocabulary.rows([word]) for word in (a, b)))[0])

    def similarity_batch(self, pairs: Iterable[Sequence[str]]) -> npt.NDArray[np.float32]:
        """Cosine similarity of many pairs of words, float32 [pairs]."""
        pairs = [tuple(pair) for pair in pairs]
        wrong = [pair for pair in pairs if len(pair) != 2]
        if wrong:
            raise OptionError(f"a pair has two words; got {wrong[0]!r}")
        rows = self.vocabulary.rows(word for pair in pairs for word in pair).reshape(-1, 2)
        return search.cosine_pairs(self, rows[:, 0], rows[:, 1])

    def rank(self, a: str, b: str, *, threads: int | None = None) -> Rank:
        """The place of `b` among the neighbours of `a`."""
        return self.rank_batch([(a, b)], threads=threads)[0]

    def rank_batch(self, pairs: Iterable[Sequence[str]], *, threads: int | None = None) -> list[Rank]:
        """`rank` for many pairs (a, b). A word among its own neighbours has rank 0."""
        pairs = [tuple(pair) for pair in pairs]
        wrong = [pair for pair in pairs if len(pair) != 2]
        if wrong:
            raise OptionError(f"a pair has two words; got {wrong[0]!r}")
        rows = self.vocabulary.rows(word for pair in pairs for word in pair).reshape(-1, 2)
        found = ranks(self, rows[:, 0], rows[:, 1], threads=threads)
        return [Rank((a, b), *one) for (a, b), one in zip(pairs, found, strict=True)]

    def farthest(self, word: str, n: int = 10, *, threads: int | None = None, **filters: Any) -> Neighbors:
        """n words far from each other, beginning with `word`: always the one least like any chosen before it.

        A sample that spans the space (farthest-first traversal, Gonzalez 1985). Each score is the cosine with the
        nearest word chosen before; NaN for the first.
        """
        rows, scores = search.farthest_first(
            self, self.vocabulary.index(word), n=n, candidates=self._candidates(filters), threads=threads
        )
        return self._neighbors([f"far from {word} and each other"], rows[None, :], scores[None, :])[0]

    def analogy(
        self,
        a: str,
        b: str,
        c: str,
        k: int = 10,
        *,
        method: str = "3cosadd",
        exclude: str = "row",
        threads: int | None = None,
        **filters: Any,
    ) -> Neighbors:
        """ "a is to b as c is to ?": the k best words d, over unit vectors; a, b and c are no answers.

        3cosadd: cos(d, b - a + c) (Mikolov, Yih & Zweig 2013); 3cosmul: s(d, b) s(d, c) / (s(d, a) + 1e-6) with
        s = (cos + 1) / 2 (Levy & Goldberg 2014).
        """
        return self.analogy_batch([(a, b, c)], k, method=method, exclude=exclude, threads=threads, **filters)[0]

    def analogy_batch(
        self,
        questions: Iterable[Sequence[str]],
        k: int = 10,
        *,
        method: str = "3cosadd",
        exclude: str = "row",
        threads: int | None = None,
        **filters: Any,
    ) -> list[Neighbors]:
        """`analogy` for many (a, b, c); much faster than one by one."""
        questions = [tuple(question) for question in questions]
        wrong = [
            question for question in questions if len(question) != 3 or not all(isinstance(w, str) for w in question)
        ]
        if wrong:
            raise OptionError(f"an analogy has three words a, b, c; got {wrong[0]!r}")
        rows = self.vocabulary.rows(word for question in questions for word in question).reshape(-1, 3)
        found = analogies(
            self, *rows.T, k=k, method=method, exclude=excluded_rows(self, rows, exclude),
            candidates=self._candidates(filters), threads=threads,
        )  # fmt: skip
        return self._neighbors([f"{a} is to {b} as {c} is to ?" for a, b, c in questions], found.rows, found.scores)

    def query(
        self, expression: str, /, k: int = 10, *, exclude: str = "row", threads: int | None = None, **filters: Any
    ) -> Neighbors:
        """The k words nearest to a sum of unit vectors, such as `king - man + woman` or `0.5*paris + "new york"`.

        `+` and `-` stand between spaces; a word in quotes is also tried with `_` for its spaces.
        """
        return self.query_batch([expression], k, exclude=exclude, threads=threads, **filters)[0]

    def query_batch(
        self,
        expressions: Sequence[str],
        /,
        k: int = 10,
        *,
        exclude: str = "row",
        threads: int | None = None,
        **filters: Any,
    ) -> list[Neighbors]:
        """`query` for many expressions."""
        parsed = [parse_expression(expression) for expression in _words(expressions)]
        most = max(map(len, parsed), default=0)
        rows = np.full((len(parsed), most), -1, dtype=np.int64)
        weights = np.zeros((len(parsed), most))
        for i, operands in enumerate(parsed):
            rows[i, : len(operands)] = [self._row(operand) for operand in operands]
            weights[i, : len(operands)] = [operand.weight for operand in operands]
        vectors = search.combine(self, rows, weights)
        found = search.top_k(
            self, vectors, k=k, exclude=excluded_rows(self, rows, exclude), candidates=self._candidates(filters),
            threads=threads,
        )  # fmt: skip
        return self._neighbors(list(expressions), *found)

    def odd(self, words: Sequence[str]) -> OddOneOut:
        """The word that fits least: the lowest cosine with the mean of the unit vectors of all (at least three)."""
        return self.odd_batch([words])[0]

    def odd_batch(self, groups: Iterable[Sequence[str]]) -> list[OddOneOut]:
        """`odd` for many groups of words."""
        groups = [_words(group) for group in groups]
        for group in groups:
            if len(group) < 3:
                raise OptionError(f"odd takes three words or more; got {len(group)}")
        most = max(map(len, groups), default=0)
        rows = np.full((len(groups), most), -1, dtype=np.int64)
        for i, group in enumerate(groups):
            rows[i, : len(group)] = self.vocabulary.rows(group)
        means = search.combine(self, rows, np.ones(rows.shape))
        results = []
        for group, members, mean in zip(groups, rows, means, strict=True):
            scores = search.scores_of(self, members[: len(group)], mean)
            results.append(OddOneOut(group[int(np.argmin(scores))], tuple(group), scores))
        return results

    def keep_screen(self) -> None:
        """Keeps the int8 copy that batches of queries are screened with in the model's folder (`int8.cache`).

        Other processes then map it and share its memory, a quarter of that of the vectors. It is checked when it is
        opened, and made anew where it does not fit the vectors. Raises `OptionError` for a model without a folder.
        """
        Int8Copy.of(self).keep(self)

    def _candidates(self, filters: dict[str, Any]) -> npt.NDArray[np.int64] | None:
        unknown = sorted(set(filters) - set(Filter.__dataclass_fields__))
        if unknown:
            raise TypeError(f"unknown filter {unknown[0]}; there are {', '.join(Filter.__dataclass_fields__)}")
        return Filter(**filters).candidates(self)

    def _row(self, operand: Operand) -> int:
        for form in operand.forms:
            row = int(self.vocabulary.find([form])[0])
            if row >= 0:
                return row
        raise UnknownWordError(operand.forms[0], len(self), self.vocabulary.suggest(operand.forms[0]))

    def _neighbors(
        self, names: Sequence[str], rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32]
    ) -> list[Neighbors]:
        results = []
        for name, found, values in zip(names, rows, scores, strict=True):
            n = int((found >= 0).sum())
            words = tuple(self.vocabulary[row] for row in found[:n].tolist())
            results.append(Neighbors(name, words, values[:n], found[:n]))
        return results

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process by path where it is mapped from a folder, else with its arrays."""
        if self.path is not None:
            return _reopen, (str(self.path),)
        blob, offsets = self.vocabulary.packed
        counts = None if self.counts is None else np.array(self.counts)
        parts = (self.subwords, self.training_state)
        return _rebuild, (np.array(blob), np.array(offsets), counts, np.array(self.vectors), self.provenance, parts)


def _free_vectors(words: Any) -> npt.NDArray[np.float32] | None:
    """The vectors [n, dimensions] that were given in the place of words; None for words."""
    if hasattr(words, "__array__"):
        given = np.asarray(words)
        return None if given.dtype.kind in "OTU" else float_rows("queries", given)
    if isinstance(words, (list, tuple)) and words and all(isinstance(one, (list, tuple, np.ndarray)) for one in words):
        return float_rows("queries", words)
    return None


def _words(words: Any) -> list[str]:
    if isinstance(words, str):
        raise OptionError(f"got the one string {words!r}; give a list of words")
    words = [str(word) if isinstance(word, np.str_) else word for word in words]
    wrong = [word for word in words if not isinstance(word, str)]
    if wrong:
        raise OptionError(f"{wrong[0]!r} is not a word; give a list of strings")
    return words


def _reopen(path: str) -> WordVectors:
    from wordgeo.formats import load

    return WordVectors.of(load(path))


def _rebuild(
    blob: Any, offsets: Any, counts: Any, matrix: Any, provenance: dict[str, Any], parts: tuple[Any, Any]
) -> WordVectors:
    from wordgeo.vocabulary import Vocabulary

    return WordVectors(
        Vocabulary.from_packed(blob, offsets, counts),
        matrix,
        provenance=provenance,
        subwords=parts[0],
        training_state=parts[1],
    )
