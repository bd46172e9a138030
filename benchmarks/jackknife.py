"""How often the intervals over models hold the truth, by simulation over a grid that is fixed here.

    python benchmarks/jackknife.py [--trials 2000] [--words 60]

An ensemble is M models of one base: each adds noise of its own to every word, rarer words more, and models differ in
how noisy they are as wholes (by `SPREADS`, the standard deviation of the logarithm of their noise). Every trial draws
all of its models anew, so the truth of a measure is its mean over all trials. Tabulated is the share of trials whose
95 % interval holds it: of means over all words, over a band of them, of single words (mean over words), and of the
distances of whole spaces.
"""

from __future__ import annotations

import argparse
import itertools
import math

import numpy as np

import wordgeo as wg
from wordgeo.stability.intervals import jackknife, members
from wordgeo.stability.lists import PAIRWISE, compare_lists, nearest_in_each
from wordgeo.stability.spaces import space_distances

MODELS = (5, 10)
NOISES = (0.25, 0.5, 1.0)  # of the most frequent word; the rarest has twice as much
SPREADS = (0.0, 0.05, 0.2)
DIM, K = 20, 10
SPACES = ("eigenspace", "pip", "pip_relative")


def trial(seed: list[int], base: np.ndarray, models: int, noise: float, spread: float) -> dict[str, np.ndarray]:
    """For each measure its values of pairs, float64 [pairs, targets]: all words, the rarer half, then single words."""
    draw = np.random.default_rng(seed)
    words = len(base)
    names = [f"w{i}" for i in range(words)]
    of_word = noise * np.linspace(1, 2, words)[:, None]
    levels = np.exp(spread * draw.normal(size=models))
    spaces = [wg.from_arrays(names, base + level * of_word * draw.normal(size=base.shape)) for level in levels]
    rows = np.arange(words)
    found = nearest_in_each(spaces, spaces[0].vocabulary, rows, K, 1)
    lists, cosines = (np.stack(each) for each in zip(*((x.rows, x.scores) for x in found), strict=True))
    bands = np.arange(words)  # each word a band of its own, so that the values of pairs are kept
    sums = compare_lists(spaces, spaces[0].vocabulary, rows, lists, cosines, bands, threads=1)
    half = words // 2
    values = {}
    for name in PAIRWISE:
        of_pairs = sums.bands[name].T
        values[name] = np.column_stack([of_pairs.mean(axis=1), of_pairs[:, half:].mean(axis=1), of_pairs])
    distances = space_distances(spaces, [rows] * models)
    values.update({name: getattr(distances, name)[:, None] for name in SPACES})
    return values


def covered(models: int, noise: float, spread: float, trials: int, words: int) -> dict[str, tuple[float, ...]]:
    """Coverage of each measure: of all words and of half of them, and the mean over single words."""
    base = np.random.default_rng(0).normal(size=(words, DIM))
    in_model = members(list(itertools.combinations(range(models), 2)), models)
    found: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
    for i in range(trials):
        for name, values in trial(
            [i, models, round(100 * noise), round(100 * spread)], base, models, noise, spread
        ).items():
            ends = jackknife(values.sum(axis=0), values.T @ in_model)
            assert ends is not None
            found.setdefault(name, []).append((values.mean(axis=0), *ends))
    result = {}
    for name, of_trials in found.items():
        means, low, high = (np.array(each) for each in zip(*of_trials, strict=True))
        truth = means.mean(axis=0)
        held = ((low <= truth) & (truth <= high)).mean(axis=0)
        result[name] = (*held[:2], held[2:].mean()) if len(held) > 1 else (held[0],)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--words", type=int, default=60)
    options = parser.parse_args()
    print(f"{options.trials} trials, {options.words} words, k = {K}. Monte Carlo error (one standard error) of a .95: "
          f"{math.sqrt(0.95 * 0.05 / options.trials):.4f}\n")  # fmt: skip
    columns = [f"{name} {of}" for name in PAIRWISE for of in ("all", "half", "word")] + list(SPACES)
    print("| models | noise | spread | " + " | ".join(columns) + " |\n" + "| --- " * (3 + len(columns)) + "|")
    rows = []
    for models, noise, spread in itertools.product(MODELS, NOISES, SPREADS):
        found = covered(models, noise, spread, options.trials, options.words)
        rows.append([x for name in (*PAIRWISE, *SPACES) for x in found[name]])
        print(f"| {models} | {noise} | {spread} | " + " | ".join(f"{x:.3f}" for x in rows[-1]) + " |", flush=True)
    print("| mean | | | " + " | ".join(f"{x:.3f}" for x in np.mean(rows, axis=0)) + " |")
    print(f"\nmean over everything {np.mean(rows):.4f}, lowest {np.min(rows):.3f}")


if __name__ == "__main__":
    main()
