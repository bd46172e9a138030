"""Counting and GloVe beside Stanford's program, on the same text in one run: times, ratios, losses, and scores.

    python benchmarks/glove.py corpus.txt --stanford GloVe/ --iterations 5 --threads 2 --dim 200
    python benchmarks/glove.py corpus.txt --stanford GloVe/ --iterations 15 --seeds 1 2 3 4 5 --suites google wordsim353
    python benchmarks/glove.py corpus.txt --memory 100M 1G 4G        # ours alone: counting within a budget
    python benchmarks/glove.py corpus.txt --words 1000000 4000000 17000000 170000000       # ours alone: how it grows
    python benchmarks/glove.py corpus.txt --words 17000000 --min-counts 5 20 100 --dims 50 100 200 300

The corpus is text with one tokenised sentence a line. Stanford's program is the folder of its repository, where `make`
was run. Encoding the text, and its vocab_count, are not in the ratios; reading its shuffled file is in its iterations.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter

import numpy as np

from wordgeo.corpus import Documents, EncodedCorpus, encode
from wordgeo.embeddings import Embeddings
from wordgeo.evaluation import evaluate
from wordgeo.formats import load
from wordgeo.progress import SilentProgress
from wordgeo.results import Table
from wordgeo.training import TrainingConfig, _glove, glove
from wordgeo.training.counting import CountingOptions, count
from wordgeo.training.counting_file import Counts

MINIMUM = 5
WINDOW = 10


def timed(what, *args, **options):
    start = perf_counter()
    result = what(*args, **options)
    return perf_counter() - start, result


def anonymous() -> int:
    """Bytes of this process that no file stands behind."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return 1024 * int(line.split()[1])
    return 0


class Peak:
    """The most anonymous memory above that at the beginning, looked at every five milliseconds."""

    def __enter__(self):
        self.begin, self.most, self._end = anonymous(), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._end.wait(0.005):
            self.most = max(self.most, anonymous() - self.begin)

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


class Stanford:
    """Its four programs, one after another, in a folder of ours."""

    def __init__(self, repository: Path, text: Path, folder: Path, threads: int, dim: int) -> None:
        self.programs, self.text, self.folder = repository / "build", text, folder
        self.threads, self.dim = threads, dim
        self._run("vocab_count", ["-min-count", MINIMUM], text, "vocab.txt")

    def _run(self, program, options, source=None, target=None):
        command = [str(self.programs / program), *map(str, options)]
        with (
            source.open("rb") if source else open("/dev/null", "rb") as from_file,  # noqa: PTH123
            (self.folder / (target or f"{program}.out")).open("wb") as to_file,
        ):
            done = subprocess.run(command, stdin=from_file, stdout=to_file, stderr=subprocess.PIPE, check=True)
        return done.stderr.decode(errors="replace")

    def count(self) -> None:
        options = ["-vocab-file", self.folder / "vocab.txt", "-window-size", WINDOW, "-memory", 4, "-verbose", 0]
        self._run("cooccur", [*options, "-overflow-file", self.folder / "overflow"], self.text, "counts.bin")

    def shuffle(self) -> None:
        options = ["-memory", 4, "-verbose", 0, "-seed", 1, "-temp-file", self.folder / "shuffle"]
        self._run("shuffle", options, self.folder / "counts.bin", "shuffled.bin")

    def train(self, iterations: int, seed: int) -> tuple[list[float], Path]:
        """The cost of each iteration, and the file of vectors (w + w~)."""
        target = self.folder / f"stanford-{seed}"
        told = self._run(
            "glove",
            [
                "-input-file", self.folder / "shuffled.bin", "-vocab-file", self.folder / "vocab.txt", "-save-file",
                target, "-threads", self.threads, "-iter", iterations, "-vector-size", self.dim, "-x-max", 100,
                "-eta", 0.05, "-alpha", 0.75, "-binary", 0, "-model", 2, "-verbose", 2, "-seed", seed,
            ],
        )  # fmt: skip
        costs = [float(cost) for cost in re.findall(r"iter: \d+, cost: ([0-9.]+)", told)]
        return costs, target.with_name(target.name + ".txt")


def ours(counts: Counts, iterations: int, seed: int, threads: int, dim: int) -> dict:
    config = TrainingConfig(algorithm="glove", dim=dim, seed=seed, threads=threads, epochs=iterations)
    arranging, training = timed(glove.GloveTraining, counts, config, threads)
    seconds, losses = [], []
    for epoch in range(iterations):
        took, loss = timed(training.epoch, epoch, SilentProgress())
        seconds.append(took)
        losses.append(loss / training.pairs)
    return {"arranging": arranging, "seconds": seconds, "costs": losses, "training": training}


def ceiling(dim: int, threads: int) -> float:
    """Pairs a second of the loop where all records lie in the nearest cache: the rest is what memory costs."""
    stride = -(-(dim + 1) // glove.LANES) * glove.LANES
    rng = np.random.default_rng(1)
    examples = np.zeros(400_000, dtype=glove.EXAMPLE)
    examples["row"], examples["column"] = rng.integers(4, size=(2, len(examples)))
    examples["weight"] = 0.1
    sets = _glove.instruction_sets()
    loop = sets.index(glove._instruction_set())

    def work():
        records = np.zeros((2, 4, 2 * stride), dtype=np.float32)
        records[:, :, stride:] = 1
        _glove.train_block(loop, records[0], records[1], dim, examples, 0.05, 1.0, 100.0)

    rates = []
    for _ in range(5):
        workers = [threading.Thread(target=work) for _ in range(threads)]
        start = perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        rates.append(threads * len(examples) / (perf_counter() - start))
    return max(rates)


def side_by_side(args, text: Path, corpus: EncodedCorpus, folder: Path) -> None:
    theirs = Stanford(args.stanford, text, folder, args.threads, args.dim)
    counting, counts = timed(count, corpus, folder / "counts", CountingOptions(window=WINDOW), threads=args.threads)
    mine = ours(counts, args.iterations, args.seeds[0], args.threads, args.dim)
    their_counting, _ = timed(theirs.count)
    their_shuffling, _ = timed(theirs.shuffle)
    their_training, (costs, vectors) = timed(theirs.train, args.iterations, args.seeds[0])
    iteration = float(np.mean(mine["seconds"]))
    their_iteration = their_training / args.iterations
    rows = [
        ("counting, s", counting, their_counting, their_counting / counting),
        ("arranging / shuffling, s", mine["arranging"], their_shuffling, their_shuffling / mine["arranging"]),
        (
            "counting + shuffling, s", counting + mine["arranging"], their_counting + their_shuffling,
            (their_counting + their_shuffling) / (counting + mine["arranging"]),
        ),
        ("one iteration, s", iteration, their_iteration, their_iteration / iteration),
        *(
            (f"cost after {i + 1}", mine["costs"][i], costs[i], mine["costs"][i] / costs[i])
            for i in sorted({0, 4, 9, 14, args.iterations - 1})
            if i < min(len(costs), args.iterations)
        ),
    ]  # fmt: skip
    pairs = mine["training"].pairs
    notes = [
        f"ratios of times: Stanford / ours; of costs: ours / Stanford. {pairs} pairs of {len(counts)} words, "
        f"{args.dim} d, {args.threads} threads, {mine['training'].instruction_set}",
        f"{pairs / iteration / 1e6:.1f} million pairs a second; "
        f"{100 * pairs / iteration / ceiling(args.dim, args.threads):.0f} % of the same loop with all records in the "
        "nearest cache",
    ]
    print(Table(("", "wordgeo", "Stanford", "ratio"), rows, "GloVe", notes).to_text(), flush=True)
    if args.suites:
        quality(args, counts, theirs, (mine["training"], vectors))


def quality(args, counts: Counts, theirs: Stanford, first: tuple[glove.GloveTraining, Path]) -> None:
    """The scores of every seed; what was trained with the first of them is at hand."""
    from scipy import stats

    scores: dict[tuple[str, str], list[float]] = {}
    for seed in args.seeds:
        if seed == args.seeds[0]:
            training, vectors = first
        else:
            training = ours(counts, args.iterations, seed, args.threads, args.dim)["training"]
            vectors = theirs.train(args.iterations, seed)[1]
        for name, model in (
            ("wordgeo", Embeddings(counts.vocabulary, training.vectors())),
            ("Stanford", load(vectors)),
        ):
            for suite in args.suites:
                scores.setdefault((suite, name), []).append(evaluate(model, suite, protocol="glove").score)
            print(f"seed {seed}, {name}:", *(f"{scores[suite, name][-1]:.4f}" for suite in args.suites), flush=True)
    rows = []
    for suite in args.suites:
        mine, other = scores[suite, "wordgeo"], scores[suite, "Stanford"]
        low = stats.ttest_ind(mine, other, equal_var=False).confidence_interval(0.95).low if len(mine) > 1 else np.nan
        rows.append((suite, np.mean(mine), np.mean(other), np.mean(mine) - np.mean(other), low))
    title = f"scores, mean over seeds {args.seeds}, {args.iterations} iterations; bounds by Welch's t"
    print(Table(("suite", "wordgeo", "Stanford", "difference", "lower 95 % bound"), rows, title).to_text())


def budgets(args, corpus: EncodedCorpus, folder: Path) -> None:
    corpus.vocabulary.words  # noqa: B018  (not counted: it is there before)
    count(corpus, folder / "warm", CountingOptions(window=1, min_count=1000), threads=args.threads)
    rows = []
    for memory in args.memory:
        with Peak() as peak:
            seconds, _ = timed(
                count, corpus, folder / f"counts-{memory}", CountingOptions(window=WINDOW), memory=memory,
                threads=args.threads,
            )  # fmt: skip
        rows.append((memory, peak.most / 1e6, seconds))
    print(Table(("memory", "anonymous, MB", "s"), rows, f"counting {len(corpus)} words").to_text())


def growth(args, text: Path, folder: Path) -> None:
    documents = re.split(r"\n\s*\n", text.read_text(encoding="utf-8"))
    rows = []
    for words in args.words:
        rng, taken, have = np.random.default_rng(1), [], 0
        while have < words:  # beyond the corpus its documents come again, in another order
            order = rng.permutation(len(documents)) if taken else range(len(documents))
            for i in order:
                if have >= words:
                    break
                taken.append(documents[i])
                have += len(documents[i].split())
        corpus = encode(Documents(taken), folder / f"corpus-{words}", tokens="whitespace")
        for minimum in args.min_counts:
            options = CountingOptions(window=WINDOW, min_count=minimum)
            counting, counts = timed(count, corpus, folder / f"grown-{words}-{minimum}", options, threads=args.threads)
            for dim in args.dims:
                found = ours(counts, 1, 1, args.threads, dim)
                pairs, seconds = found["training"].pairs, found["seconds"][0]
                share = 100 * pairs / seconds / ceiling(dim, args.threads)
                rows.append(
                    (have, len(counts), pairs, counting, found["arranging"], dim, seconds, pairs / seconds / 1e6, share)
                )
    names = ("tokens", "words", "pairs", "counting, s", "arranging, s", "d", "iteration, s", "million pairs/s",
             "% of the loop in the nearest cache")  # fmt: skip
    print(Table(names, rows, f"growth, {args.threads} threads").to_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--stanford", type=Path, help="the repository of Stanford's GloVe, built")
    parser.add_argument("--iterations", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dim", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--suites", nargs="+", default=[], help="names or files, scored by the protocol of GloVe")
    parser.add_argument("--memory", nargs="+", default=[], help="budgets to measure counting under")
    parser.add_argument("--words", type=int, nargs="+", default=[], help="sizes to measure growth at")
    parser.add_argument("--dims", type=int, nargs="+", default=[200], help="dimensions to measure growth at")
    parser.add_argument("--min-counts", type=int, nargs="+", default=[MINIMUM], help="vocabularies to measure it at")
    parser.add_argument("--folder", type=Path, help="where to work (some GB)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        if args.words:
            growth(args, args.corpus, folder)
            return
        corpus = encode(args.corpus, folder / "corpus", tokens="whitespace", case="keep")
        if args.memory:
            budgets(args, corpus, folder)
        if args.stanford:
            side_by_side(args, args.corpus, corpus, folder)
        elif not args.memory:
            sys.exit("name Stanford's repository (--stanford), or what else to measure (--memory, --words)")


if __name__ == "__main__":
    main()
