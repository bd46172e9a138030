"""What `compare` finds: p where nothing changed, false calls, and power against effect and frequency, by simulation.

    python benchmarks/change.py [--words 1500] [--trials 2000] [--resplits 20] [--planted 500000] [--pairs 200]

Spaces are made up: one base, to which both sides of a pair add noise of their own, rare words more, each turned by a
rotation; pairs differ in their noise as wholes. Changed words move part of the way (the effect) to another word's
place. With --planted, models are trained on parts of the planted world of so many words each. Without drift, there are
--pairs random splits of the same documents; with drift, the second part has a share of its documents (the effect) from
the world in which words have changed places.

Where nothing changed a trial takes one pair as the real one, and as many others as there are re-splits for its null.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import stats

import wordgeo as wg
from wordgeo.corpus import Documents, EncodedCorpus, encode
from wordgeo.corpus.planted import generate
from wordgeo.stability import compare_spaces
from wordgeo.stability.change import MEASURES, PairChange, change_of, judge
from wordgeo.training import TrainingConfig
from wordgeo.training.resplits import train_splits

DIM = 50
EFFECTS = (0.25, 0.5, 0.75, 1.0)
BANDS = ((5, 30), (30, 100), (100, 1000), (1000, 10**9))
DRIFT = 0.2  # the share of the planted words that change places
CONFIG = TrainingConfig(dim=DIM, threads=1, min_count=10)


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
        return without_lists(change_of(*sides))


def without_lists(found: PairChange) -> PairChange:
    """Thousands of pairs are held, and their neighbours would fill the memory."""
    none = np.empty((len(found.cosine), 0), dtype=np.int64)
    return replace(found, first=none, second=none)


def no_change(pairs: Sequence[PairChange], resplits: int) -> None:
    """Every pair in turn against others; one p a trial (of a word by chance), as those of one pair hang together."""
    draw = np.random.default_rng(1)
    p: dict[str, list[float]] = {name: [] for name in MEASURES}
    calls, below = dict.fromkeys(p, 0), dict.fromkeys(p, 0)
    shifts: list[float] = []
    for i, real in enumerate(pairs):
        others = draw.choice(len(pairs) - 1, resplits, replace=False)
        found = judge(real, [pairs[j + (j >= i)] for j in others.tolist()])
        word = int(draw.integers(len(real.words)))
        for name, test in found.tests.items():
            p[name].append(float(test.p[word]))
            calls[name] += bool((test.q <= 0.05).any())
            below[name] += int((test.p <= 0.05).sum())
        shifts.append(found.tests["cosine"].shift_p)
    print(f"{len(pairs[0].words)} words, {resplits} re-splits, {len(pairs)} trials without change")
    for name, values in p.items():
        ks = stats.kstest(values, "uniform")
        low, high = stats.binomtest(calls[name], len(pairs)).proportion_ci(method="wilson")
        print(f"  {name:8} KS of p: D = {ks.statistic:.3f}, p = {ks.pvalue:.2f}; "
              f"words with p ≤ 0.05: {below[name] / sum(len(each.words) for each in pairs):.4f}; "
              f"trials that call a word: {calls[name] / len(pairs):.4f} ({low:.4f} to {high:.4f})")  # fmt: skip
    print(f"  spaces as wholes, p ≤ 0.05: {np.mean(np.array(shifts) <= 0.05):.3f} of trials", flush=True)


def of_made_up(words: int, trials: int, resplits: int) -> None:
    world = Simulation(words)
    pairs = [world.pair(i) for i in range(trials)]
    no_change(pairs, resplits)
    print("power by cosine, a twentieth of the words changed (5 trials each)")
    print_bands("effect")
    for effect in EFFECTS:
        hits = np.zeros((len(BANDS), 2))
        for trial in range(5):
            changed = np.random.default_rng(trial).choice(words, words // 20, replace=False)
            real = world.pair(trials + trial, changed, effect)
            called = judge(real, pairs[:resplits]).tests["cosine"].q[changed] <= 0.05
            hits += in_bands(world.counts[changed], called)
        print_power(f"{effect:6.2f}", hits)


def of_planted(size: int, pairs: int, resplits: int) -> None:
    world = generate(4 * size, seed=3, drift=DRIFT)
    before, after = (list(world.documents(part)) for part in (1, 2))
    half = len(before) // 2
    drifted = [drift.word for drift in world.truth.drifted]
    with tempfile.TemporaryDirectory() as name:

        def corpus(documents: Sequence[str], name_of: str) -> EncodedCorpus:
            return encode(Documents(documents), Path(name) / name_of)

        first = corpus(before[:half], "first")
        if pairs:
            real, null = train_splits(first, corpus(before[half:], "same"), CONFIG, resplits=pairs - 1)
            print(f"planted world, two parts of {len(first.ids)} words")
            no_change([without_lists(change_of(*pair)) for pair in (real, *null)], resplits)
        print(f"planted world: power by cosine, {len(drifted)} words changed")
        print_bands("effect")
        for effect in EFFECTS:
            moved = round(effect * half)
            second = corpus(after[:moved] + before[half : 2 * half - moved], f"{effect}")
            real, null = train_splits(first, second, CONFIG, resplits=resplits)
            report = compare_spaces(*real, null=null)
            words = report.words
            changed, called = np.isin(words.words, drifted), np.isin(words.words, report.changed)
            print_power(f"{effect:6.2f}", in_bands(words.counts[changed], called[changed]))
            wrong = int((called & ~changed).sum())
            effects = [float(np.median(words.cosine_effect[mine])) for mine in (changed, ~changed)]
            print(f"          of {len(words.words)} words {called.sum()} called, {wrong} of them not planted; median "
                  f"effect of the changed {effects[0]:.2f}, of the others {effects[1]:.2f}; spaces as wholes "
                  f"p = {report.shifts[0].p:.3f}", flush=True)  # fmt: skip


def in_bands(counts: np.ndarray, called: np.ndarray) -> np.ndarray:
    """How many were called, and how many there are, of each band."""
    bands = [(counts >= low) & (counts < high) for low, high in BANDS]
    return np.array([(called[mine].sum(), mine.sum()) for mine in bands], dtype=float)


def print_bands(title: str) -> None:
    print(f"  {title:6}  " + "".join(f"{f'count {low}+':>14}" for low, _ in BANDS))


def print_power(title: str, hits: np.ndarray) -> None:
    cells = (f"{hit / of:.2f} of {of:.0f}" if of else "-" for hit, of in hits)
    print(f"  {title:6}  " + "".join(f"{cell:>14}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1500)
    parser.add_argument("--trials", type=int, default=2000, help="pairs of made-up spaces (0: none)")
    parser.add_argument("--resplits", type=int, default=20)
    parser.add_argument("--planted", type=int, default=0, metavar="WORDS")
    parser.add_argument("--pairs", type=int, default=200, help="pairs trained without change (0: none)")
    options = parser.parse_args()
    if options.trials:
        of_made_up(options.words, options.trials, options.resplits)
    if options.planted:
        of_planted(options.planted, options.pairs, options.resplits)


if __name__ == "__main__":
    main()
