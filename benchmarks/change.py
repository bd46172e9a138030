"""What `compare` finds: p where nothing changed, false calls, and power against effect and frequency, by simulation.

    python benchmarks/change.py [--words 1500] [--trials 100] [--resplits 20] [--planted 2000000]

Spaces are made up: one base, to which both sides of a pair add noise of their own, rare words more, each turned by a
rotation; pairs differ in their noise as wholes. Changed words move part of the way (the effect) to another word's
place. With --planted, two slices of the planted world of so many words are trained and compared as well.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

import wordgeo as wg
from wordgeo.corpus import Documents, encode
from wordgeo.corpus.planted import generate
from wordgeo.stability.change import PairChange, change_of, judge

DIM = 50
EFFECTS = (0.25, 0.5, 0.75, 1.0)
BANDS = ((5, 30), (30, 100), (100, 1000), (1000, 10**9))


class Simulation:
    def __init__(self, words: int) -> None:
        self.names = [f"w{i}" for i in range(words)]
        self.base = np.random.default_rng(0).normal(size=(words, DIM))
        self.counts = (50_000 / np.arange(1, words + 1)).astype(int) + 5
        self.noise = 2 / np.log(self.counts)[:, None]

    def pair(self, seed: int, changed: np.ndarray | None = None, effect: float = 0.0) -> PairChange:
        draw = np.random.default_rng(seed)
        level = 1 + 0.05 * draw.normal()
        sides = []
        for side in (0, 1):
            vectors = self.base.copy()
            if side and changed is not None:
                vectors[changed] = (1 - effect) * self.base[changed] + effect * self.base[np.roll(changed, 1)]
            vectors = vectors + level * self.noise * draw.normal(size=vectors.shape)
            turn, _ = np.linalg.qr(draw.normal(size=(DIM, DIM)))
            sides.append(wg.from_arrays(self.names, vectors @ turn, self.counts))
        return change_of(*sides)


def simulate(words: int, trials: int, resplits: int) -> None:
    world = Simulation(words)
    draw = np.random.default_rng(1)
    p: dict[str, list[float]] = {"cosine": [], "overlap": []}
    calls = dict.fromkeys(p, 0)
    null = [world.pair(10_000 + i) for i in range(resplits)]
    for trial in range(trials):
        null[trial % resplits] = world.pair(20_000 + trial)  # so that trials do not all share one null
        found = judge(world.pair(trial), null)
        word = int(draw.integers(words))
        for name, test in found.tests.items():
            p[name].append(float(test.p[word]))
            calls[name] += bool((test.q <= 0.05).any())
    print(f"{words} words, {resplits} re-splits, {trials} trials without change")
    for name, values in p.items():
        ks = stats.kstest(values, "uniform")
        low, high = stats.binomtest(calls[name], trials).proportion_ci(method="wilson")
        print(f"  {name:8} KS of p: D = {ks.statistic:.3f}, p = {ks.pvalue:.2f}; "
              f"trials that call a word: {calls[name] / trials:.3f} ({low:.3f} to {high:.3f})")  # fmt: skip
    print("power by cosine, a twentieth of the words changed (5 trials each)")
    print("  effect  " + "".join(f"{f'count {low}+':>14}" for low, _ in BANDS))
    for effect in EFFECTS:
        hits = np.zeros((len(BANDS), 2))
        for trial in range(5):
            changed = np.random.default_rng(trial).choice(words, words // 20, replace=False)
            called = judge(world.pair(30_000 + trial, changed, effect), null).tests["cosine"].q[changed] <= 0.05
            for i, (low, high) in enumerate(BANDS):
                mine = (world.counts[changed] >= low) & (world.counts[changed] < high)
                hits[i] += called[mine].sum(), mine.sum()
        cells = (f"{hit / of:.2f} of {of:.0f}" if of else "-" for hit, of in hits)
        print(f"  {effect:6.2f}  " + "".join(f"{cell:>14}" for cell in cells), flush=True)


def planted(size: int, resplits: int) -> None:
    world = generate(size, seed=3, drift=0.1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in (1, 2):
            encode(Documents(world.documents(part)), folder / f"{part}.corpus")
            wg.train(folder / f"{part}.corpus", output=folder / f"{part}.model", dim=50, threads=1, min_count=10)
        report = wg.compare(
            folder / "1.model", folder / "2.model", corpora=(folder / "1.corpus", folder / "2.corpus"),
            resplits=resplits, workers=2,
        )  # fmt: skip
    words = report.words
    drifted = np.isin(words.words, [drift.word for drift in world.truth.drifted])
    called = np.isin(words.words, report.changed)
    print(f"planted world of {size} words: {drifted.sum()} of {report.shared} words drifted, {called.sum()} called, "
          f"{(called & ~drifted).sum()} of them wrongly")  # fmt: skip
    for low, high in BANDS:
        mine = drifted & (words.counts >= low) & (words.counts < high)
        if mine.any():
            print(f"  count {low}+: power {called[mine].mean():.2f} of {mine.sum()}, "
                  f"median change {np.median(words.cosine[mine]):.2f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1500)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--resplits", type=int, default=20)
    parser.add_argument("--planted", type=int, default=0, metavar="WORDS")
    options = parser.parse_args()
    simulate(options.words, options.trials, options.resplits)
    if options.planted:
        planted(options.planted, options.resplits)


if __name__ == "__main__":
    main()
