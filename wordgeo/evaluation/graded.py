"""Scores of "a is to b as c is to d" where d is given: what choices and graded pairs are judged by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.evaluation.asked import Asked, Further
from wordgeo.evaluation.objectives import METHODS, SET_METHODS, objective
from wordgeo.evaluation.protocols import Lookup, Protocol

__all__ = ["score_fours"]

I64 = npt.NDArray[np.int64]


def score_fours(
    model: Embeddings,
    fours: I64,
    lookup: Lookup,
    protocol: Protocol,
    *,
    method: str,
    seed: int,
    threads: int | None,
) -> npt.NDArray[np.float32]:
    """The score of d for the question a : b = c : ?, for rows a, b, c, d int64 [n, 4]; float32 [n].

    Raises `OptionError` for a method that learns from the pairs of a section, which there are none of.
    """
    if method in SET_METHODS:
        others = ", ".join(name for name in METHODS if name not in SET_METHODS)
        raise OptionError(f"{method} learns from pairs with one right answer, which this suite has not; try {others}")
    if protocol.direction == "inverted":
        fours = fours[:, [1, 0, 3, 2]]
    n = len(fours)
    if not n:
        return np.empty(0, dtype=np.float32)
    places = np.zeros(n, dtype=np.int64)
    asked = Asked((), False, places, fours, fours[:, :3].copy(), Further.none(), fours[:, 3].copy(), Further.none(),
                  np.ones(n, dtype=np.bool_), np.stack([places, places - 1], axis=1))  # fmt: skip
    aim = objective(model, asked, protocol, method, limit=len(lookup.same), seed=seed, threads=threads)
    return aim.scores(np.arange(n), np.arange(n), asked.accepted)
