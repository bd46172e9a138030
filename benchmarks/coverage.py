"""How often the intervals of an evaluation hold the truth, by simulation over a grid that is fixed here.

    python benchmarks/coverage.py [--trials 2000] [--resamples 2000] [--processes 2]

Questions are made of two of P word pairs. Question q of pairs i and j is answered right where

    sqrt(s / 2) (u_i + u_j) + sqrt(1 - s) e_q  <  the normal quantile of p,

u and e being standard normal: so the true accuracy is p, and s is the share of the variance that the pairs bring.
A question's pairs are neighbours on a ring: each pair is asked with the next `others` ones. Of `TOGETHER` trials each
question has its own answers, while the pairs that the bootstrap draws are the same.
"""

import argparse
import itertools
import math
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import NormalDist

import numpy as np

from wordgeo.evaluation.clusters import PairBootstrap
from wordgeo.evaluation.statistics import bootstrap_intervals, wilson_interval

ACCURACIES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
DESIGNS = ((50, 1), (50, 5), (100, 10), (50, 49))  # pairs, others: 50, 250, 1,000 and 2,450 questions
SMALL_DESIGNS = ((3, 2), (5, 4), (10, 9), (20, 19), (20, 1))  # tabulated only
SHARES = (0.0, 0.2, 0.5)
CORRELATIONS = (0.0, 0.3, 0.6, 0.9)
PAIRS = (50, 200)  # of words, for correlations
SMALL = (3, 5, 10, 20, 50)
TOGETHER = 50


def questions(pairs: int, others: int) -> np.ndarray:
    return np.array([(i, (i + step) % pairs) for i in range(pairs) for step in range(1, others + 1)])


def answers(generator: np.random.Generator, asked: np.ndarray, p: float, share: float, trials: int) -> np.ndarray:
    u = generator.normal(size=(asked.max() + 1, trials))
    own = generator.normal(size=(len(asked), trials))
    latent = math.sqrt(share / 2) * u[asked].sum(axis=1) + math.sqrt(1 - share) * own
    return (latent < NormalDist().inv_cdf(p)).astype(float)


def of_accuracy(cell: tuple, trials: int, resamples: int) -> tuple[float, float]:
    """Coverage of the bootstrap over pairs and of Wilson's interval, both at 95 %."""
    (pairs, others), share, p = cell
    asked = questions(pairs, others)
    strata = np.zeros(len(asked), dtype=np.int64)
    generator = np.random.default_rng([pairs, others, round(100 * share), round(100 * p)])
    by_pair = wilson = 0
    for begin in range(0, trials, TOGETHER):
        right = answers(generator, asked, p, share, min(TOGETHER, trials - begin))
        low, high = PairBootstrap(asked, strata, begin, resamples).of(right).intervals()
        by_pair += ((low <= p) & (p <= high)).sum()
        ends = np.array([wilson_interval(int(count), len(asked)) for count in right.sum(axis=0)])
        wilson += ((ends[:, 0] <= p) & (p <= ends[:, 1])).sum()
    return by_pair / trials, wilson / trials


def of_spearman(cell: tuple, trials: int, resamples: int) -> float:
    """Coverage for n pairs from a normal distribution, whose true Spearman coefficient is 6/π asin(rho / 2)."""
    n, rho = cell
    generator = np.random.default_rng([n, round(100 * rho)])
    truth = 6 / math.pi * math.asin(rho / 2)
    hits = 0
    for trial in range(trials):
        x, noise = generator.normal(size=(2, n))
        y = rho * x + math.sqrt(1 - rho * rho) * noise
        low, high = bootstrap_intervals(x, y, seed=trial, resamples=resamples)[0]
        hits += low <= truth <= high
    return hits / trials


def table(cells: list, found: list) -> None:
    print("| pairs | questions | share of pairs | " + " | ".join(f"p = {p}" for p in ACCURACIES) + " |")
    print("| --- " * (3 + len(ACCURACIES)) + "|")
    for begin in range(0, len(cells), len(ACCURACIES)):
        (pairs, others), share, _ = cells[begin]
        row = found[begin : begin + len(ACCURACIES)]
        numbers = " | ".join(f"{own:.3f} ({wilson:.3f})" for own, wilson in row)
        print(f"| {pairs} | {pairs * others} | {share} | {numbers} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    grid = list(itertools.product(DESIGNS, SHARES, ACCURACIES))
    small = list(itertools.product(SMALL_DESIGNS, SHARES, ACCURACIES))
    of_ranks = list(itertools.product(PAIRS, CORRELATIONS))
    settings = {"trials": options.trials, "resamples": options.resamples}
    error = math.sqrt(0.95 * 0.05 / options.trials)
    print(f"{options.trials} trials, {options.resamples} resamples. Monte Carlo error (one standard error) of a .95: "
          f"{error:.4f}, of a mean over the {len(grid)} cells: {error / math.sqrt(len(grid)):.4f}\n")  # fmt: skip
    with ProcessPoolExecutor(options.processes) as pool:
        accuracy, spearman = partial(of_accuracy, **settings), partial(of_spearman, **settings)
        found = list(pool.map(accuracy, grid))
        table(grid, found)
        print(f"\nbootstrap over pairs: mean {np.mean([own for own, _ in found]):.4f}, lowest "
              f"{min(own for own, _ in found):.3f} (Wilson in brackets: mean "
              f"{np.mean([wilson for _, wilson in found]):.4f})")  # fmt: skip
        alone = [wilson for cell, (_, wilson) in zip(grid, found, strict=True) if cell[1] == 0]
        print(f"Wilson where questions are independent (share 0): mean {np.mean(alone):.4f}\n", flush=True)
        print("Few pairs:\n")
        table(small, list(pool.map(accuracy, small)))
        print("\nWilson at small n, exactly, the lowest over p in .05 to .95: " + ", ".join(
            f"{min(exact(n, p) for p in np.linspace(0.05, 0.95, 91)):.3f} at n = {n}" for n in SMALL))  # fmt: skip
        print("\n| Spearman, pairs | " + " | ".join(f"rho = {rho}" for rho in CORRELATIONS) + " |", flush=True)
        print("| --- " * (1 + len(CORRELATIONS)) + "|")
        held = list(pool.map(spearman, of_ranks))
        for n in PAIRS:
            row = [f"{one:.3f}" for cell, one in zip(of_ranks, held, strict=True) if cell[0] == n]
            print(f"| {n} | " + " | ".join(row) + " |")
        print(f"\nSpearman: mean {np.mean(held):.4f}")


def exact(n: int, p: float) -> float:
    ends = [wilson_interval(k, n) for k in range(n + 1)]
    return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k, (low, high) in enumerate(ends) if low <= p <= high)


if __name__ == "__main__":
    main()
