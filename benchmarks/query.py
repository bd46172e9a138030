"""The query engine beside its peers, all in one run: the figures of docs/queries.md.

python benchmarks/query.py                     the whole table on random vectors, in a few minutes
python benchmarks/query.py --only graph        one part of it: neighbors, analogies, graph, leading, baseline or growth
python benchmarks/query.py --model DIR         neighbours and analogies on a model of one's own, and its graph
                                               by leading principal axes and by whole products (--only leading)
python benchmarks/query.py --models 10         as many made-up models in the graph as it takes (3 by default)
python benchmarks/query.py --only graph --of DIR ...    the graph of models that were trained, of the same words

Peers take part where they are installed: faiss, usearch, gensim. Those that would take very long get a part of the
work, which the line says, and their time is multiplied. Ratios are peer / wordgeo unless a line says otherwise.
"""

import argparse
from itertools import combinations
from time import perf_counter, sleep

import numpy as np

import wordgeo as wg
from wordgeo import _fast
from wordgeo.bench import REST, bandwidth, bench, product_alone, product_rate, random_model
from wordgeo.evaluation.registry import load_suite
from wordgeo.query import leading as axes
from wordgeo.query.graph import neighbor_graph, overlaps
from wordgeo.query.search import top_k
from wordgeo.stability.lists import GUESSES
from wordgeo.threads import resolve_threads

PARTS = ("neighbors", "analogies", "graph", "leading", "baseline", "growth")


def timed(work):
    sleep(REST)
    start = perf_counter()
    result = work()
    return perf_counter() - start, result


def unit_rows(model):
    return model.vectors / model.norms.astype(np.float32)[:, None]


def neighbors(options):
    """One query and a batch, beside the product alone, NumPy, faiss and usearch."""
    model = wg.load(options.model) if options.model else random_model(options.words, options.dimensions)
    print(bench(model, queries=options.queries, questions=0, rounds=options.rounds), flush=True)


def analogies(options):
    """The Google set beside gensim's evaluation and NumPy; a random model gets its words."""
    suite = load_suite("google")
    names = {word.lower(): None for s in suite.sections for q in s.questions for word in (q.a, q.b, q.c, q.expected)}
    model = wg.load(options.model) if options.model else random_model(90_000, 200, names=list(names))
    print(bench(model, queries=options.queries, questions=0, rounds=options.rounds, gensim_evaluation=True), flush=True)


def made_up(models):
    """Of 90,000 × 200, each a noisy copy of one space."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal((90_000, 200), dtype=np.float32)
    for _ in range(models):
        x = base + 0.5 * rng.standard_normal(base.shape, dtype=np.float32)
        yield wg.from_arrays([f"w{i}" for i in range(len(x))], x)


def graph(options):
    """Neighbours of 20,000 words in each of several models, and all overlaps, beside faiss and intersections."""
    import faiss

    words, k = 20_000, 10
    faiss.omp_set_num_threads(resolve_threads())
    graphs, lists, seconds, peer = [], [], 0.0, 0.0
    for model in map(wg.load, options.of) if options.of else made_up(options.models):
        x = unit_rows(model)
        model = wg.from_arrays(list(model.vocabulary), model.vectors)  # whose norms are not known yet

        def script(x=x):
            index = faiss.IndexFlatIP(x.shape[1])
            index.add(x)
            return index.search(x[:words], k + 1)[1][:, 1:]

        before = [graph.rows for graph in graphs[-GUESSES:]]  # as `wordgeo.stability` guesses
        took, found = timed(lambda model=model, before=before: neighbor_graph(model, k=k, n=words, guess=before))
        seconds, graphs = seconds + took, [*graphs, found]
        took, found = timed(script)
        peer, lists = peer + took, [*lists, found]
    size = f"{len(graphs)} models of {len(x)} × {x.shape[1]}"
    print(f"neighbours of {words} words in {size}: {seconds:.2f} s, faiss flat {peer:.2f} s")
    took, found = timed(lambda: overlaps([graph.rows for graph in graphs]))
    seconds += took

    def intersections(unique):
        return [
            [len(np.intersect1d(a, b, assume_unique=unique)) for a, b in zip(*pair, strict=True)]
            for pair in combinations(lists, 2)
        ]

    def sets():
        made = [[set(row) for row in each.tolist()] for each in lists]
        return [[len(a & b) for a, b in zip(*pair, strict=True)] for pair in combinations(made, 2)]

    print(f"with all overlaps: {seconds:.2f} s")
    for name, others in (
        ("np.intersect1d", lambda: intersections(False)),
        ("np.intersect1d, told that lists repeat nothing", lambda: intersections(True)),
        ("Python's sets", sets),
    ):
        took, other = timed(others)
        print(f"faiss and {name}: {peer + took:.2f} s, ratio {(peer + took) / seconds:.1f}")
        print(f"mean overlap {found.overlap.mean():.6f} and {np.mean(other) / k:.6f}", flush=True)


def leading(options):
    """Neighbours of 20,000 words of a model by leading principal axes, where these pay, and by whole products."""
    model, words, k = wg.load(options.model) if options.model else random_model(90_000, 200), 20_000, 10
    model.norms  # noqa: B018
    repays = axes.WORDS_A_DIMENSION
    pays = axes.leading_axes(model, words, k)
    first = "whole products" if pays is None else "bounds by the first {} and {} dimensions".format(*pays[1])
    print(f"{len(model)} × {model.dimensions}: {first}")
    seconds: dict[int, list[float]] = {repays: [], 1 << 60: []}
    graphs = set()
    try:
        for _ in range(options.rounds):
            for axes.WORDS_A_DIMENSION, taken in seconds.items():
                took, found = timed(lambda: neighbor_graph(model, k=k, n=words))
                taken.append(took)
                graphs.add((found.rows.tobytes(), found.scores.tobytes()))
    finally:
        axes.WORDS_A_DIMENSION = repays
    by_axes, whole = map(np.median, seconds.values())
    same = "the same" if len(graphs) == 1 else "DIFFERENT"
    print(f"medians of {options.rounds}: {by_axes:.3f} s, by whole products {whole:.3f} s, {same}", flush=True)


def baseline(options):
    """The kernels on the plain instruction set beside NumPy, whose BLAS chooses its own."""
    before = _fast.instruction_set()
    _fast.use_instruction_set("baseline")
    try:
        model = random_model(options.words // 4, options.dimensions)
        print(bench(model, queries=min(options.queries, 200), questions=2000, rounds=options.rounds), flush=True)
    finally:
        _fast.use_instruction_set(before)


def growth(options):
    """How time grows, and how far each case is from what the machine can do at best."""
    threads = resolve_threads()
    gigabytes, gigaflops = bandwidth(random_model(200_000, 200), threads), product_rate(threads)
    print(f"memory is read at {gigabytes:.1f} GB/s, float32 products run at {gigaflops:.0f} GFLOP/s")
    print("'bound' is the time in which that reads the int8 codes once, or multiplies queries and rows in float32,")
    print("whichever is longer; below 1, int8 products are faster than float32 ones could be.")
    print("words    dimensions  queries  threads       ms  ms, product alone   bound ms  time / bound")
    for words, dimensions, queries, threads in (
        *((n, 200, 1000, 2) for n in (25_000, 50_000, 100_000, 200_000, 400_000)),
        *((100_000, d, 1000, 2) for d in (50, 100, 300, 500, 1000)),
        *((100_000, 200, n, 2) for n in (1, 4, 16, 64, 256)),
        *((100_000, 200, n, 1) for n in (1, 1000)),
    ):
        model = random_model(words, dimensions)
        unit = unit_rows(model)
        rows = np.linspace(0, words - 1, queries).astype(int)
        top_k(model, model.vectors[:16], k=10)
        ours, product = float("inf"), float("inf")
        for _ in range(options.rounds):
            ours = min(ours, timed(lambda: top_k(model, model.vectors[rows], k=10, threads=threads))[0])  # noqa: B023
            product = min(product, timed(lambda: product_alone(unit, unit[rows], threads))[0])  # noqa: B023
        bound = max(words * dimensions / gigabytes / 1e9, 2 * words * dimensions * queries / gigaflops / 1e9)
        print(
            f"{words:<8} {dimensions:<11} {queries:<8} {threads:<7} {1000 * ours:8.2f} {1000 * product:18.2f} "
            f"{1000 * bound:10.2f} {ours / bound:13.2f}", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a model for neighbours and analogies")
    parser.add_argument("--of", nargs="+", help="models for the graph")
    parser.add_argument("--only", choices=PARTS, action="append", help="parts of the table")
    parser.add_argument("--words", type=int, default=400_000)
    parser.add_argument("--dimensions", type=int, default=300)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=int, default=3)
    options = parser.parse_args()
    for part in options.only or PARTS:
        print(f"\n== {part}")
        seconds, _ = timed(lambda part=part: globals()[part](options))
        print(f"({seconds:.0f} s)", flush=True)
