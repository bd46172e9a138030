"""Where variation comes from: the seed of a training, the order of its documents, or which documents there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wordgeo.errors import OptionError
from wordgeo.query.graph import overlaps
from wordgeo.query.search import cosine_pairs
from wordgeo.results import Result, Table
from wordgeo.stability.ensemble import Ensemble
from wordgeo.stability.intervals import word_bootstrap
from wordgeo.stability.lists import nearest, nearest_in_each
from wordgeo.validate import whole_number

__all__ = ["SourceOfVariation", "VariationReport", "variation"]


@dataclass(frozen=True)
class SourceOfVariation:
    """How far the cosine of a word and its neighbour varies between the models of one ensemble.

    `varies` says what does: "seed", "order", "sample", or several. `variance` is the mean over words and neighbours of
    the variance over models (n - 1), with its bootstrap interval over words; `deviation` its root; `overlap` the mean
    overlap of neighbours.
    """

    name: str
    varies: str
    models: int
    overlap: float
    variance: float
    low: float
    high: float
    deviation: float


@dataclass(frozen=True, repr=False)
class VariationReport(Result):
    """Ensembles side by side. `sampling` is the variance that comes from which documents there are.

    It is that of runs with one seed and other samples, or else what runs with other seeds and samples have beyond runs
    with other seeds alone; None where neither can be told. `ratio` is it over the variance from seeds.
    """

    k: int
    words: int
    sources: tuple[SourceOfVariation, ...]
    sampling: float | None
    ratio: float | None

    def tables(self) -> list[Table]:
        """One row for each ensemble."""
        names = ("name", "varies", "models", "overlap", "variance", "low", "high", "deviation")
        # Variances of cosines are small numbers, which four decimals would not show.
        rows = [
            [
                f"{x:.3e}" if name in ("variance", "low", "high") else x
                for name, x in ((n, getattr(s, n)) for n in names)
            ]
            for s in self.sources
        ]
        title = f"variance of the cosine with the {self.k} nearest neighbours of {self.words} words"
        notes = ["low to high: 95 % bootstrap over words."]
        if self.sampling is not None:
            notes.append(f"From which documents there are: {self.sampling:.3e}")
        if self.ratio is not None:
            notes.append(f"which is {self.ratio:.2f} times that from seeds.")
        return [Table(("ensemble", *names[1:]), rows, title, notes)]


def variation(
    ensembles: Mapping[str, Ensemble], *, k: int = 10, top: int = 5000, seed: int = 1, threads: int | None = None
) -> VariationReport:
    """Compares how far models vary within each of several ensembles (after Antoniak & Mimno 2018).

    Looked at are the `top` most frequent words that all models of all ensembles share, with their `k` nearest
    neighbours in the first model; `seed` is that of the bootstrap. Raises `OptionError` for fewer than two ensembles,
    or fewer than two models in one.
    """
    if len(ensembles) < 2 or any(len(each) < 2 for each in ensembles.values()):
        raise OptionError("variation compares two or more ensembles of at least two models each")
    everything = Ensemble([model for each in ensembles.values() for model in each])
    shared = everything.shared
    rows = np.arange(min(whole_number("top", top, 1), len(shared)))
    k = min(whole_number("k", k, 1), len(shared) - 1)
    near = nearest(everything[0], shared, rows, k, threads).rows
    found = []
    for name, ensemble in ensembles.items():
        lists = [each.rows for each in nearest_in_each(ensemble, shared, rows, k, threads)]
        cosines = []
        for model in ensemble:
            own = model.vocabulary.rows(shared.words)
            cosines.append(cosine_pairs(model, own[np.repeat(rows, k)], own[near.ravel()]).astype(np.float64))
        of_word = np.var(cosines, axis=0, ddof=1).reshape(-1, k).mean(axis=1)
        ends = word_bootstrap(of_word[:, None], seed=seed, threads=threads)
        low, high = (float("nan"),) * 2 if ends is None else (float(x[0]) for x in ends)
        variance = float(of_word.mean())
        overlap = float(overlaps(lists, threads=threads).overlap.mean())
        found.append(
            SourceOfVariation(name, _varies(ensemble), len(ensemble), overlap, variance, low, high, variance**0.5)
        )
    of_kind = {source.varies: source.variance for source in found}
    from_seeds, together = of_kind.get("seed"), of_kind.get("seed and sample")
    sampling = of_kind.get("sample")
    if sampling is None and from_seeds is not None and together is not None:
        sampling = together - from_seeds
    ratio = sampling / from_seeds if sampling is not None and from_seeds else None
    return VariationReport(k, len(rows), tuple(found), sampling, ratio)


def _varies(ensemble: Ensemble) -> str:
    known = [model.provenance for model in ensemble]
    resamples = [each.get("resample") or {} for each in known]
    parts = ["seed"] if len({each.get("seed") for each in known}) > 1 else []
    if len({each.get("seed") for each in resamples}) > 1:
        parts.append("order" if resamples[0].get("how") == "shuffle" else "sample")
    return " and ".join(parts) or "unknown"
