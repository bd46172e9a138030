"""The query engine beside its peers, all in one run: the figures of docs/queries.md.

python benchmarks/query.py                     400,000 × 300 and 90,000 × 200 random vectors
python benchmarks/query.py --model DIR         a model of one's own, with the Google set by gensim's evaluation
python benchmarks/query.py --growth            how time grows with words, dimensions, batch and threads
python benchmarks/query.py --graph             10 models of 90,000 × 200: neighbours of 20,000 words and overlaps
"""

import argparse
from itertools import combinations
from time import perf_counter

import numpy as np

import wordgeo as wg
from wordgeo.bench import bench, random_model
from wordgeo.query.graph import neighbor_graph, overlaps
from wordgeo.query.search import top_k


def timed(work):
    start = perf_counter()
    result = work()
    return perf_counter() - start, result


def growth():
    print("words  dimensions  queries  threads  ms")
    for words, dimensions, queries, threads in (
        *((n, 200, 1000, 2) for n in (25_000, 50_000, 100_000, 200_000, 400_000)),
        *((100_000, d, 1000, 2) for d in (50, 100, 300, 500, 1000)),
        *((100_000, 200, n, 2) for n in (1, 4, 16, 64, 256, 4096)),
        *((100_000, 200, n, 1) for n in (1, 1000)),
    ):
        model = random_model(words, dimensions)
        asked = model.vectors[np.linspace(0, words - 1, queries).astype(int)]
        top_k(model, model.vectors[:16], k=10)
        best = min(timed(lambda: top_k(model, asked, k=10, threads=threads))[0] for _ in range(5))  # noqa: B023
        print(f"{words}  {dimensions}  {queries}  {threads}  {1000 * best:.2f}", flush=True)


def graph():
    import faiss

    models, words, k = 10, 20_000, 10
    rng = np.random.default_rng(0)
    base = rng.standard_normal((90_000, 200), dtype=np.float32)
    vectors = [base + 0.5 * rng.standard_normal(base.shape, dtype=np.float32) for _ in range(models)]
    vectors = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in vectors]
    names = [f"w{i}" for i in range(len(base))]

    def ours():
        graphs = [neighbor_graph(wg.from_arrays(names, x), k=k, n=words) for x in vectors]
        return overlaps([graph.rows for graph in graphs])

    def script():
        lists = []
        for x in vectors:
            index = faiss.IndexFlatIP(x.shape[1])
            index.add(x)
            lists.append([set(row[1:].tolist()) for row in index.search(x[:words], k + 1)[1]])
        return [[len(a & b) / k for a, b in zip(*pair, strict=True)] for pair in combinations(lists, 2)]

    seconds, found = timed(ours)
    peer, other = timed(script)
    print(f"neighbours of {words} words in {models} models and all overlaps: {seconds:.2f} s")
    print(f"faiss flat and sets: {peer:.2f} s, ratio {peer / seconds:.1f}")
    print(f"mean overlap {found.overlap.mean():.6f} and {np.mean(other):.6f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--graph", action="store_true")
    options = parser.parse_args()
    if options.growth:
        growth()
    elif options.graph:
        graph()
    elif options.model:
        print(bench(wg.load(options.model), gensim_evaluation=True))
    else:
        for size in ((400_000, 300), (90_000, 200)):
            print(bench(random_model(*size)), flush=True)
