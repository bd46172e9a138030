"""All trainers on the same encoded corpus: time, memory, and every benchmark with its interval, as Markdown.

    python benchmarks/trainers.py corpus.txt --words 4000000 --dim 100 --threads 2 --also men.tsv

The corpus is text with one tokenised sentence a line. Each training is a process of its own; its memory is the most
anonymous memory above that of the imports (files that are mapped are apart). FastText has 200,000 buckets, the others
their own defaults.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from wordgeo.corpus import Documents, encode
from wordgeo.evaluation import evaluate
from wordgeo.formats import load

ALGORITHMS = {"skipgram": {}, "cbow": {}, "fasttext": {"bucket": 200_000}, "glove": {}, "ppmi": {}}

TRAINING = """
import json, sys, threading
from pathlib import Path
from time import perf_counter
import gensim, scipy.sparse.linalg  # not counted
from wordgeo.corpus import EncodedCorpus
from wordgeo.training import TrainingConfig, train

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("RssAnon"))

corpus, config = EncodedCorpus.open(sys.argv[1]), TrainingConfig(**json.loads(sys.argv[3]))
begin, most, end = anonymous(), 0, threading.Event()

def watch():
    global most
    while not end.wait(0.01):
        most = max(most, anonymous() - begin)

watcher = threading.Thread(target=watch)
watcher.start()
start = perf_counter()
model = train(corpus, config, output=sys.argv[2])
seconds = perf_counter() - start
end.set()
watcher.join()
print(json.dumps({"seconds": seconds, "megabytes": most, "engine": model.provenance["engine"]}))
"""


def trained(corpus: Path, output: Path, options: dict) -> dict:
    command = [sys.executable, "-c", TRAINING, str(corpus), str(output), json.dumps(options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def scored(model, suite: str) -> str:
    report = evaluate(model, suite)
    if report.kind == "analogy":
        low, high, of = report.total.pair_low, report.total.pair_high, report.total.in_vocabulary
    else:
        low, high, of = report.spearman.low, report.spearman.high, report.in_vocabulary
    return f"{report.score:.3f} ({low:.3f} to {high:.3f}; {of})"


def first_words(text: Path, most: int) -> list[str]:
    """Whole documents until there are so many words."""
    taken, have = [], 0
    for document in text.read_text(encoding="utf-8").split("\n\n"):
        if have >= most:
            break
        taken.append(document)
        have += len(document.split())
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--words", type=int, default=4_000_000, help="how much of the corpus is used")
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS), choices=ALGORITHMS)
    parser.add_argument("--also", nargs="*", default=[], help="suites beside Google, WordSim-353 and SimLex-999")
    args = parser.parse_args()
    suites = ["google", "wordsim353", "simlex999", *args.also]
    with tempfile.TemporaryDirectory() as folder:
        corpus = encode(Documents(first_words(args.corpus, args.words)), Path(folder, "corpus"), tokens="whitespace")
        print(f"{len(corpus)} words, {args.dim} dimensions, {args.threads} threads, seed {args.seed}\n")
        print("| algorithm | engine | s | MB | " + " | ".join(Path(suite).stem for suite in suites) + " |")
        print("| --- " * (4 + len(suites)) + "|", flush=True)
        for name in args.algorithms:
            common = {"algorithm": name, "dim": args.dim, "threads": args.threads, "seed": args.seed}
            told = trained(corpus.path, Path(folder, name), {**common, **ALGORITHMS[name]})
            model = load(Path(folder, name))
            cells = [scored(model, suite) for suite in suites]
            numbers = f"{told['seconds']:.0f} | {told['megabytes']:.0f}"
            print(f"| {name} | {told['engine']} | {numbers} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
