"""`stability`: what of the neighbourhoods of words is the same in every model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.progress import Progress, resolve_progress
from wordgeo.query.graph import overlaps
from wordgeo.stability.enough import runs_needed
from wordgeo.stability.ensemble import Ensemble
from wordgeo.stability.intervals import FrequencyBands, frequency_bands, jackknife, members, word_bootstrap
from wordgeo.stability.lists import JOINT, PairSums, chance, compare_lists, nearest_in_each
from wordgeo.stability.report import BandStability, CurvePoint, Estimate, SpacePair, StabilityReport, WordStability
from wordgeo.stability.spaces import space_distances
from wordgeo.validate import number, whole_number

if TYPE_CHECKING:
    from wordgeo.vocabulary import Vocabulary

__all__ = ["stability"]

MOST_SPACE_WORDS = 20_000
SPACE_MEASURES = ("eigenspace", "knn", "pip", "pip_relative")
KNN = 5  # neighbours of the k-NN measure, as Leszczynski et al. use it
CURVE = (1, 2, 5, 10, 20, 50, 100, 200)

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


def stability(
    models: Ensemble | Sequence[Embeddings | str | Path],
    *,
    k: int = 10,
    words: Iterable[str] | None = None,
    ranks: tuple[int, int] | None = None,
    p: float = 0.9,
    curve: Sequence[int] | None = None,
    spaces: bool = True,
    level: float = 0.95,
    seed: int = 1,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> StabilityReport:
    """How far two or more models agree on the `k` nearest neighbours of words, over the words that all of them have.

    `models` are models or their paths, of any source; as a rule runs that differ by their seed or sample. `words` asks
    for these words only (those that a model lacks are counted and named), `ranks` for the shared words from one rank of
    frequency to another, such as (1, 20000); unset, all shared words. Neighbours are always looked for among all shared
    words, by cosine, ties by row.

    For each pair of models: overlap |∩| / k, Jaccard |∩| / |∪|, rank-biased overlap (extrapolated, persistence `p`)
    and second-order similarity, the cosine between the similarities to all neighbours in either. For all models at
    once: the joint overlap and the joint Jaccard index. Each for every word, band of frequency, and over all words,
    with what chance alone would give. `curve` are further k at which overlap is measured; `spaces` adds eigenspace
    instability, the k-NN measure and the PIP loss of each pair (over the 20,000 most frequent of the words).

    Intervals at `level` over models are leave-one-model-out jackknifes with t, None with fewer than 5 models; those
    over words are bootstraps (from `seed`). Joint measures have only the latter, since leaving out a model changes what
    they measure. The same vectors in all models give exactly 1.

    Raises `OptionError` for one model, too large a k or no word to measure, and what opening a path raises.
    References: Wendlandt, Kummerfeld & Mihalcea 2018; Antoniak & Mimno 2018; Hellrich & Hahn 2016; Webber, Moffat &
    Zobel 2010; Hamilton, Leskovec & Jurafsky 2016; Leszczynski et al. 2020; Yin & Shen 2018.

    >>> import wordgeo as wg
    >>> a = wg.from_arrays(["up", "over", "cat", "dog"], [[1, 0], [4, 3], [0, 1], [0.1, 1]])
    >>> b = wg.from_arrays(["up", "over", "cat", "dog"], [[0, 1], [3, 4], [1, 0], [1, 0.1]])
    >>> wg.stability([a, b], k=1).overlap.value
    1.0
    """
    ensemble = models if isinstance(models, Ensemble) else Ensemble.of(models)
    if len(ensemble) < 2:
        raise OptionError("stability compares models and here is one; name two or more, or train with runs=5 (--runs)")
    p, level = number("p", p, 0.01, 0.99), number("level", level, 0.5, 0.9999)
    k, seed = ensemble.check_k(k), whole_number("seed", seed, 0)
    more = [ensemble.check_k(x, "a k of the curve") for x in curve or ()]
    points = sorted({*(x for x in CURVE if x < k), k, *more})
    shared = ensemble.shared
    rows, missing = _chosen(shared, words, ranks)
    shown = resolve_progress(progress)
    shown.start("comparing models", len(ensemble) + 2, "models")
    try:
        deepest = max(points[-1], min(KNN, len(shared) - 1) if spaces else 0)
        lists = np.empty((len(ensemble), len(rows), deepest), dtype=np.int64)
        cosines = np.empty((len(ensemble), len(rows), k), dtype=np.float32)
        guessed = []
        for i, found in enumerate(nearest_in_each(ensemble, shared, rows, deepest, threads)):
            lists[i], cosines[i] = found.rows, found.scores[:, :k]
            guessed.append(found.guessed.reshape(len(rows), -1, deepest)[:, :, :k])
            shown.advance(1)
        bands = frequency_bands(shared.counts, rows)
        sums = compare_lists(
            list(ensemble), shared, rows, lists[:, :, :k], cosines, bands.of, guessed=guessed, p=p, threads=threads
        )
        shown.advance(1)
        needed = runs_needed(sums, level)
        at = [_point(lists[:, :, :x], x, len(shared), p, threads, sums if x == k else None) for x in points]
        of_spaces = _spaces(ensemble, shared, rows, lists, threads) if spaces else ()
    finally:
        shown.finish()
    expected = chance(len(shared), k, len(ensemble), p)
    return StabilityReport(
        k=k,
        p=p,
        models=tuple(ensemble.names),
        level=level,
        shared=len(shared),
        shares=tuple(len(shared) / len(model) for model in ensemble),
        missing=missing,
        by=bands.by,
        overall=_overall(sums, bands, expected, level, seed, threads),
        bands=_bands(sums, bands, level, seed, threads),
        curve=tuple(at),
        pairs=tuple((a, b, float(x)) for (a, b), x in zip(sums.pairs, _pair_means(sums, "overlap", rows), strict=True)),
        spaces=of_spaces,
        whole=_whole(of_spaces, len(ensemble), len(shared), level),
        words=_words(sums, shared, rows, bands, level),
        differences=tuple(ensemble.differences()),
        skipped=tuple(ensemble.skipped),
        needed=needed,
    )


def _chosen(
    shared: Vocabulary, words: Iterable[str] | None, ranks: tuple[int, int] | None
) -> tuple[I64, tuple[str, ...]]:
    """The rows of the words to measure, ascending, and the words that were asked for and are not shared."""
    if words is not None and ranks is not None:
        raise OptionError("words and ranks both choose words; give one of them")
    if words is not None:
        asked = list(dict.fromkeys(words))
        if not asked:
            raise OptionError("words is empty; name at least one (a file with a word a line)")
        found = shared.find(asked)
        missing = tuple(word for word, row in zip(asked, found.tolist(), strict=True) if row < 0)
        rows = np.sort(found[found >= 0])
        if not len(rows):
            raise OptionError(f"none of the {len(asked)} words is in all models; the first is {asked[:1]}")
        return rows, missing
    if ranks is None:
        return np.arange(len(shared)), ()
    first, last = (whole_number("ranks", rank, 1) for rank in ranks)
    if not first <= last or first > len(shared):
        raise OptionError(
            f"ranks are {first} to {last}; give two ascending ranks within the {len(shared)} shared words"
        )
    return np.arange(first - 1, min(last, len(shared))), ()


def _overall(
    sums: PairSums, bands: FrequencyBands, expected: dict[str, float], level: float, seed: int, threads: int | None
) -> tuple[Estimate, ...]:
    everything = np.ones(len(bands.of), dtype=bool)
    of_pairs = {name: x.sum(axis=0) for name, x in sums.bands.items()}
    return _estimates(sums, everything, of_pairs, expected, level, seed, threads)


def _bands(
    sums: PairSums, bands: FrequencyBands, level: float, seed: int, threads: int | None
) -> tuple[BandStability, ...]:
    found = []
    for i, name in enumerate(bands.names):
        mine = bands.of == i
        of_pairs = {measure: x[i] for measure, x in sums.bands.items()}
        found.append(BandStability(name, int(mine.sum()), _estimates(sums, mine, of_pairs, {}, level, seed, threads)))
    return tuple(found)


def _estimates(
    sums: PairSums,
    mine: npt.NDArray[np.bool_],
    of_pairs: dict[str, F64],
    expected: dict[str, float],
    level: float,
    seed: int,
    threads: int | None,
) -> tuple[Estimate, ...]:
    """Means over some words, `of_pairs` being the sums over them for each pair of models."""
    values = np.stack([x[mine] for x in sums.words.values()], axis=1)
    over_words = word_bootstrap(values, level=level, seed=seed, threads=threads)
    in_model = members(sums.pairs, sums.pairs[-1][1] + 1)
    found = []
    for i, name in enumerate(sums.words):
        over_models = None
        if name not in JOINT:
            means = of_pairs[name] / mine.sum()
            over_models = jackknife(means.sum(), means @ in_model, level)
        least = -1.0 if name == "second_order" else 0.0
        ends = (None, None) if over_models is None else (max(least, over_models[0]), min(1.0, over_models[1]))
        of_words = (None, None) if over_words is None else (over_words[0][i], over_words[1][i])
        low, high, word_low, word_high = (None if x is None else float(x) for x in (*ends, *of_words))
        mean = float(values[:, i].mean())
        found.append(Estimate(name, mean, low, high, word_low, word_high, expected.get(name)))
    return tuple(found)


def _pair_means(sums: PairSums, name: str, rows: I64) -> F64:
    means: F64 = sums.bands[name].sum(axis=0) / len(rows)
    return means


def _point(lists: I64, k: int, shared: int, p: float, threads: int | None, known: PairSums | None) -> CurvePoint:
    of = vars(overlaps(list(lists), p=p, threads=threads)) if known is None else known.words
    overlap, rbo, joint = (float(of[name].mean()) for name in ("overlap", "rbo", "joint_overlap"))
    return CurvePoint(k, overlap, rbo, joint, k / (shared - 1))


def _words(sums: PairSums, shared: Vocabulary, rows: I64, bands: FrequencyBands, level: float) -> WordStability:
    of_pairs = len(sums.pairs)
    ends = jackknife(sums.words["overlap"] * of_pairs, sums.of_model["overlap"], level)
    low, high = (None, None) if ends is None else (np.maximum(ends[0], 0), np.minimum(ends[1], 1))
    return WordStability(
        words=tuple(shared.take(rows)),
        ranks=rows + 1,
        counts=None if shared.counts is None else np.asarray(shared.counts)[rows],
        band=tuple(bands.names[i] for i in bands.of.tolist()),
        low=low,
        high=high,
        **sums.words,
    )


def _spaces(
    ensemble: Ensemble, shared: Vocabulary, rows: I64, lists: I64, threads: int | None
) -> tuple[SpacePair, ...]:
    chosen = rows[:MOST_SPACE_WORDS]
    names = shared.take(chosen)
    found = space_distances(list(ensemble), [model.vocabulary.rows(names) for model in ensemble], threads)
    knn = overlaps(list(lists[:, : len(chosen), :KNN]), threads=threads).overlap.mean(axis=0)
    return tuple(
        SpacePair(a, b, found.words, float(e), float(x), float(loss), float(relative))
        for (a, b), e, x, loss, relative in zip(
            found.pairs, found.eigenspace, knn, found.pip, found.pip_relative, strict=True
        )
    )


def _whole(spaces: Sequence[SpacePair], models: int, shared: int, level: float) -> tuple[Estimate, ...]:
    """Means over pairs of models of each distance of whole spaces."""
    if not spaces:
        return ()
    in_model = members([(each.first, each.second) for each in spaces], models)
    found = []
    for name in SPACE_MEASURES:
        values = np.array([getattr(each, name) for each in spaces])
        ends = jackknife(values.sum(), values @ in_model, level)
        most = np.inf if name == "pip" else 1.0
        low, high = (None, None) if ends is None else (max(0.0, float(ends[0])), min(most, float(ends[1])))
        expected = min(1.0, KNN / (shared - 1)) if name == "knn" else None
        found.append(Estimate(name, float(values.mean()), low, high, None, None, expected))
    return tuple(found)
