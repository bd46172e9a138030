"""What the methods maximise: every pairwise one and 3CosAvg through the engine, and LRCos."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import MissingExtraError
from wordgeo.evaluation.asked import Asked
from wordgeo.evaluation.protocols import Protocol
from wordgeo.query.analogies import Answers, Questions, analogies
from wordgeo.threads import run_blocks
from wordgeo.vocabulary import Vocabulary

__all__ = ["CONTROLS", "METHODS", "SET_METHODS", "Objective", "objective"]

CONTROLS = ("only-b", "ignore-a")
SET_METHODS = ("3cosavg", "lrcos")
METHODS = ("3cosadd", "3cosmul", "pairdirection", *SET_METHODS, *CONTROLS)

NEGATIVES = 4  # how often each first word counts as a negative example of LRCos

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
F32 = npt.NDArray[np.float32]


class Objective(abc.ABC):
    """Scores of candidates for items; `which` int64 [n] are the items meant."""

    @abc.abstractmethod
    def best(self, which: I64, *, k: int, exclude: I64, gold: I64) -> Answers:
        """The k best candidates outside `exclude` [n, m], and the rank of `gold` [n]."""

    @abc.abstractmethod
    def scores(self, which: I64, places: I64, rows: I64) -> F32:
        """The scores of `rows` int64 [m] for the items which[places], as `best` has them; float32 [m]."""

    @abc.abstractmethod
    def exact(self, which: I64, rows: I64) -> F64:
        """The same with nothing rounded to float32, float64 [n]."""


def objective(
    model: Embeddings,
    asked: Asked,
    protocol: Protocol,
    method: str,
    *,
    limit: int,
    seed: int,
    threads: int | None,
) -> Objective:
    """The objective of `method` for `asked`, with the first `limit` rows as candidates."""
    if method == "lrcos":
        return LRCos(model, asked, limit=limit, seed=seed, threads=threads)
    if method == "3cosavg":
        means = np.zeros((len(asked), model.dimensions))
        for mine in _sections(asked):
            a, b = (_unit(model, asked.rows[mine, column]) for column in (0, 1))
            # The others' mean: the sum without the pair's own words, over one less.
            means[mine] = ((b.sum(0) - b) - (a.sum(0) - a)) / (len(mine) - 1) + a
        places = np.repeat(np.arange(len(asked))[:, np.newaxis], 3, axis=1)  # q - q + q
        return Engine(model, means.astype(np.float32), places, "3cosadd", protocol, limit=limit, threads=threads)
    used, places = np.unique(asked.rows[:, :3], return_inverse=True)
    vectors = model.vectors[used]
    vectors[used < 0] = model.vectors.mean(axis=0, dtype=np.float64)  # what unknown words are, where they are asked
    places = places.reshape(-1, 3)
    if method == "only-b":
        places = places[:, [2, 2, 2]]  # c - c + c
    elif method == "ignore-a":
        vectors = np.vstack([vectors, np.zeros_like(vectors[:1])])
        places = np.hstack([np.full((len(places), 1), len(used)), places[:, 1:]])
    name = "3cosadd" if method in CONTROLS else method
    return Engine(model, vectors, places, name, protocol, limit=limit, threads=threads)


class Engine(Objective):
    """A method of the compiled engine, asked with `vectors` [operands, d] at `places` int64 [n, 3] (a, b, c)."""

    def __init__(
        self, model: Embeddings, vectors: F32, places: I64, method: str, protocol: Protocol, *, limit: int,
        threads: int | None,
    ) -> None:  # fmt: skip
        self.model, self.places, self.method = model, places, method
        if method == "3cosadd" and not protocol.unit:
            self.model, vectors = _equally_long(model, vectors)
        self.operands = Embeddings(Vocabulary.from_words(map(str, range(len(vectors)))), np.ascontiguousarray(vectors))
        self.options: dict[str, Any] = {"operands": self.operands, "epsilon": protocol.epsilon}
        self.limit, self.threads = limit, threads
        self.batch: tuple[I64, Questions] | None = None  # the last that was scored, for what follows

    def best(self, which: I64, *, k: int, exclude: I64, gold: I64) -> Answers:
        """As `Objective.best`."""
        made = self.batch[1] if self.batch is not None and self.batch[0] is which else None
        return analogies(
            self.model, *self.places[which].T, k=k, method=self.method, gold=gold, limit=self.limit, exclude=exclude,
            threads=self.threads, questions=made, **self.options,
        )  # fmt: skip

    def scores(self, which: I64, places: I64, rows: I64) -> F32:
        """As `Objective.scores`."""
        out = np.full(len(rows), np.nan, dtype=np.float32)
        if self.batch is None or self.batch[0] is not which:
            self.batch = which, Questions(self.model, self.places[which], self.method, **self.options)
        self.batch[1].score(rows, out, places)
        return out

    def exact(self, which: I64, rows: I64) -> F64:
        """As `Objective.exact`."""
        a, b, c = (_unit(self.operands, self.places[which, column]) for column in range(3))
        d = _unit(self.model, rows)
        if self.method == "3cosadd":
            return _cosines(b - a + c, d)
        if self.method == "pairdirection":
            return _cosines(b - a, d - c)
        s_a, s_b, s_c = (((x * d).sum(axis=1) + 1) / 2 for x in (a, b, c))
        product: F64 = s_b * s_c / (s_a + self.options["epsilon"])
        return product


class LRCos(Objective):
    """P(d is in the class of the second words) cos(d, c), the class learnt from the other pairs of the section.

    The classifier is scikit-learn's logistic regression (liblinear, balanced, C = 1): positive are the second words,
    negative the first words, four times each, and as many random words.

    Reference: A. Drozd, A. Gladkova & S. Matsuoka 2016.
    """

    def __init__(self, model: Embeddings, asked: Asked, *, limit: int, seed: int, threads: int | None) -> None:
        try:
            from sklearn.linear_model import LogisticRegression
        except ImportError:
            raise MissingExtraError("LRCos", "eval") from None
        self.model, self.rows, self.threads = model, asked.rows, threads
        self.units = _unit(model, np.arange(limit)).astype(np.float32)
        self.weights = np.zeros((len(asked), model.dimensions))
        self.biases = np.zeros(len(asked))

        def learn(mine: I64, at: int) -> None:
            others = np.delete(mine, at)
            random = np.random.default_rng([seed, int(mine[at])]).integers(limit, size=len(others))
            positive, negative = asked.rows[others, 1], np.tile(asked.rows[others, 0], NEGATIVES)
            examples = _unit(model, np.concatenate([positive, negative, random]))
            classes = np.arange(len(examples)) < len(positive)
            found = LogisticRegression(solver="liblinear", class_weight="balanced", C=1.0, random_state=0)
            found.fit(examples, classes)
            self.weights[mine[at]], self.biases[mine[at]] = found.coef_[0], found.intercept_[0]

        run_blocks(learn, [(mine, at) for mine in _sections(asked) for at in range(len(mine))], threads)

    def best(self, which: I64, *, k: int, exclude: I64, gold: I64) -> Answers:
        """As `Objective.best`."""
        n, k = len(which), min(k, len(self.units))
        found = Answers(np.full((n, k), -1), np.full((n, k), np.nan, dtype=np.float32),
                        np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64))  # fmt: skip
        assert found.rank_min is not None and found.rank_max is not None
        for begin in range(0, n, 64):
            part = slice(begin, min(begin + 64, n))
            scores = self._table(which[part])
            for i, own in enumerate(scores, begin):
                own[exclude[i][exclude[i] >= 0]] = -np.inf
                top = np.argpartition(-own, k - 1)[:k]
                top = np.flatnonzero(own >= own[top].min())  # all that tie with the last
                top = top[np.lexsort((top, -own[top]))][:k]
                top = top[np.isfinite(own[top])]
                found.rows[i, : len(top)], found.scores[i, : len(top)] = top, own[top]
                if gold[i] >= 0 and np.isfinite(own[gold[i]]):
                    found.rank_min[i] = (own > own[gold[i]]).sum() + 1
                    found.rank_max[i] = (own >= own[gold[i]]).sum()
        return found

    def _table(self, which: I64) -> F32:
        logits = self.weights[which].astype(np.float32) @ self.units.T + self.biases[which, np.newaxis]
        cosines = self.units[self.rows[which, 0]] @ self.units.T
        product: F32 = (cosines / (1 + np.exp(-logits))).astype(np.float32)
        return product

    def scores(self, which: I64, places: I64, rows: I64) -> F32:
        """As `Objective.scores`."""
        return self.exact(which[places], rows).astype(np.float32)

    def exact(self, which: I64, rows: I64) -> F64:
        """As `Objective.exact`."""
        d = _unit(self.model, rows)
        logits = (self.weights[which] * d).sum(axis=1) + self.biases[which]
        return _cosines(_unit(self.model, self.rows[which, 0]), d) / (1 + np.exp(-logits))


def _sections(asked: Asked) -> list[I64]:
    """The known items of each section."""
    found = (np.flatnonzero(asked.known & (asked.section == s)) for s in np.unique(asked.section))
    return [mine for mine in found if len(mine)]


def _equally_long(model: Embeddings, vectors: F32) -> tuple[Embeddings, F32]:
    """Both sides with two elements more, which make all as long as the longest row and leave each product as it is.

    So cosines order candidates as products of the vectors themselves would. A zero vector stays one.
    """
    longest = float(model.norms.max())

    def pad(rows: F32, norms: F64, place: int) -> F32:
        out = np.zeros((len(rows), model.dimensions + 2), dtype=np.float32)
        out[:, : model.dimensions] = rows
        out[:, model.dimensions + place] = np.where(norms > 0, np.sqrt(np.maximum(longest**2 - norms**2, 0)), 0)
        return out

    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return Embeddings(model.vocabulary, pad(model.vectors, model.norms, 0)), pad(vectors, norms, 1)


def _unit(model: Embeddings, rows: I64) -> F64:
    norms = model.norms[rows]
    unit: F64 = model.vectors[rows] / np.where(norms > 0, norms, 1)[:, np.newaxis]
    return unit


def _cosines(x: F64, y: F64) -> F64:
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    cosines: F64 = (x * y).sum(axis=1) / np.where(lengths > 0, lengths, 1)
    return cosines
