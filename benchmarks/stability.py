"""Stability of N models beside the script that a researcher writes today: faiss flat indices and Python sets.

    python benchmarks/stability.py [MODEL...] [--words 20000] [-k 10] [--rounds 3]

Without models, ten are made up (20,000 words × 200 dimensions, each a noisy copy of one space). Both sides measure the
same words: overlap, Jaccard, rank-biased overlap and second-order similarity of every word and pair of models, joint
overlap and Jaccard of every word (wordgeo's report has intervals and bands besides, which are in its time). The
script's pairs are timed on --sample words and scaled to all; its searches are timed whole. All files were read and all
libraries loaded before, so that neither side waits for a disk, and threads of wordgeo have a second to go to sleep
before the script's turn. Each round is a process of its own; printed are its seconds and their ratio, the memory that
wordgeo took at most, mapped files included, the largest difference of the results, and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations

import numpy as np
import scipy.special  # noqa: F401  (as faiss is: wordgeo loads it when intervals are asked for)

import wordgeo as wg


def made_up(models: int, words: int, dim: int) -> list[wg.WordVectors]:
    draw = np.random.default_rng(1)
    base = draw.normal(size=(words, dim)).astype(np.float32)
    names = [f"w{i}" for i in range(words)]
    noise = (draw.normal(size=base.shape).astype(np.float32) for _ in range(models))
    return [wg.from_arrays(names, base + 0.5 * each) for each in noise]


def rbo(a: list[int], b: list[int], p: float = 0.9) -> float:
    seen_a: set[int] = set()
    seen_b: set[int] = set()
    total = 0.0
    for depth, (x, y) in enumerate(zip(a, b, strict=True), 1):
        seen_a.add(x)
        seen_b.add(y)
        total += len(seen_a & seen_b) / depth * p**depth
    return len(seen_a & seen_b) / len(a) * p ** len(a) + (1 - p) / p * total


def script(ensemble: wg.Ensemble, words: int, k: int, sample: int) -> tuple[float, float, np.ndarray]:
    """Seconds of the searches, seconds of the pairs scaled to all words, and the means of the sampled words."""
    import faiss

    start = time.perf_counter()
    lists, spaces, shared = [], [], ensemble.shared.words
    for model in ensemble:
        vectors = model.vectors[model.vocabulary.rows(shared)]
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        index = faiss.IndexFlatIP(unit.shape[1])
        index.add(unit)
        _, found = index.search(unit[:words], k + 1)
        lists.append([[j for j in row if j != i][:k] for i, row in enumerate(found.tolist())])
        spaces.append(unit)
    searched = time.perf_counter() - start
    chosen = np.linspace(0, words - 1, min(sample, words)).astype(int).tolist()
    start = time.perf_counter()
    means = []
    for i in chosen:
        found = []
        for a, b in combinations(range(len(lists)), 2):
            first, second = set(lists[a][i]), set(lists[b][i])
            common, union = first & second, sorted(first | second)
            x, y = spaces[a][union] @ spaces[a][i], spaces[b][union] @ spaces[b][i]
            similar = x @ y / np.sqrt((x @ x) * (y @ y))
            found.append((len(common) / k, len(common) / len(union), rbo(lists[a][i], lists[b][i]), similar))
        sets = [set(each[i]) for each in lists]
        common = len(set.intersection(*sets))
        means.append([*np.mean(found, axis=0), common / k, common / len(set.union(*sets))])
    paired = (time.perf_counter() - start) * words / len(chosen)
    return searched, paired, np.array(means)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--words", type=int, default=20_000)
    parser.add_argument("-k", type=int, default=10)
    parser.add_argument("--sample", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-peer", action="store_true", help="wordgeo alone, so that the memory is its own")
    options = parser.parse_args()
    of_ours, of_script = [], []
    processes = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), max_tasks_per_child=1)
    with processes as pool:
        for _ in range(options.rounds):
            ours, theirs = pool.submit(one_round, options).result()
            of_ours.append(ours)
            of_script.append(theirs)
    if not options.no_peer:
        print(f"ratio of medians   {np.median(of_script) / np.median(of_ours):8.1f}")


def one_round(options: argparse.Namespace) -> tuple[float, float]:
    """Seconds of wordgeo, and of the script."""
    if options.models:
        ensemble = wg.Ensemble.of(options.models)
    else:
        ensemble = wg.Ensemble(made_up(10, options.words, 200))
    words = min(options.words, len(ensemble.shared))
    for model in ensemble:  # neither side is the first to read the files
        model.vectors.max()
    before = peak()
    start, used = time.perf_counter(), time.process_time()
    report = wg.stability(ensemble, k=options.k, ranks=(1, words), curve=[], spaces=False)
    ours, used = time.perf_counter() - start, time.process_time() - used
    print(f"{len(ensemble)} models × {words} words among {len(ensemble.shared)}, k = {options.k}")
    print(f"wordgeo            {ours:8.1f} s   ({used:.1f} s of processors)")
    print(f"memory             {peak():8.0f} MB at most, {before:.0f} MB before", flush=True)
    if options.no_peer:
        return ours, 0.0
    time.sleep(1)
    searched, paired, means = script(ensemble, words, options.k, options.sample)
    chosen = np.linspace(0, words - 1, min(options.sample, words)).astype(int)
    measures = ("overlap", "jaccard", "rbo", "second_order", "joint_overlap", "joint_jaccard")
    mine = np.stack([getattr(report.words, name)[chosen] for name in measures], axis=1)
    print(f"faiss and sets     {searched + paired:8.1f} s   ({searched:.1f} s searches, {paired:.1f} s pairs)")
    print(f"ratio              {(searched + paired) / ours:8.1f}")
    print(f"largest difference of a word's measure: {np.abs(mine - means).max():.2g}", flush=True)
    return ours, searched + paired


def peak() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    main()
