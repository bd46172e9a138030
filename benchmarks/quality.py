"""What vectors are worth: the same training by each engine, seeds fixed beforehand, on every benchmark.

    python benchmarks/quality.py corpus.txt --algorithm skipgram --suites google wordsim353 simlex999 men.tsv BATS/

The corpus is text with one tokenised sentence a line. Of each benchmark: the means over seeds with deviations, and
the difference of the means from gensim's with its 95 % interval (Welch), whose lower bound is the claim. gensim reads
sentences one by one, or the file itself (`gensim-file`): there each of w workers lets the learning rate fall by a w-th
of what an epoch is due, so that it goes up again with each epoch and is higher on the whole.

Scores go into a file of JSON lines as they come, and a run whose scores are there is not made again.
"""

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence
from scipy.stats import ttest_ind

import wordgeo as wg
from wordgeo.corpus import EncodedCorpus, encode
from wordgeo.results import Table
from wordgeo.training import TrainingConfig, train_embeddings

SETTING = {"dim": 200, "window": 5, "negative": 5, "sample": 1e-4, "epochs": 5, "min_count": 5}
ENGINES = ("native", "racy", "gensim", "gensim-file")


def trained(engine: str, algorithm: str, seed: int, threads: int, text: Path, corpus: EncodedCorpus):
    """A model, in the order of words that its engine has."""
    if engine.startswith("gensim"):
        s = SETTING
        read = {"sentences": LineSentence(text)} if engine == "gensim" else {"corpus_file": str(text)}
        model = Word2Vec(
            **read, vector_size=s["dim"], window=s["window"], negative=s["negative"], sample=s["sample"],
            epochs=s["epochs"], min_count=s["min_count"], sg=int(algorithm == "skipgram"), seed=seed, workers=threads,
        )  # fmt: skip
        return wg.from_gensim(model.wv)
    config = TrainingConfig(
        algorithm=algorithm, engine="native", racy=engine == "racy", seed=seed, threads=threads, **SETTING
    )
    return train_embeddings(corpus, config)


def compared(suite: str, own: list[float], theirs: list[float]) -> tuple:
    test = ttest_ind(own, theirs, equal_var=False).confidence_interval(0.95)
    return (suite, len(own), np.mean(own), np.std(own, ddof=1), len(theirs), np.mean(theirs), np.std(theirs, ddof=1),
            np.mean(own) - np.mean(theirs), test.low, test.high)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--algorithm", choices=("skipgram", "cbow"), default="skipgram")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=("native", "gensim"))
    parser.add_argument("--seeds", type=int, default=10, help="seeds 1 to this")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--suites", nargs="+", default=["google", "wordsim353", "simlex999"])
    parser.add_argument("--results", type=Path, default=Path("quality.jsonl"))
    options = parser.parse_args()
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    known = {(one["engine"], one["algorithm"], one["seed"]): one["scores"] for one in map(json.loads, lines)}
    names = {suite: Path(suite).stem for suite in options.suites}
    with tempfile.TemporaryDirectory() as folder:
        corpus = encode(options.corpus, Path(folder, "corpus"), tokens="whitespace", case="keep")
        for seed in range(1, options.seeds + 1):
            for engine in options.engines:
                key = (engine, options.algorithm, seed)
                if key in known and set(names.values()) <= set(known[key]):
                    continue
                start = perf_counter()
                model = trained(engine, options.algorithm, seed, options.threads, options.corpus, corpus)
                seconds = perf_counter() - start
                known[key] = {name: float(wg.evaluate(model, suite).score) for suite, name in names.items()}
                record = {"engine": engine, "algorithm": options.algorithm, "seed": seed, "scores": known[key]}
                with options.results.open("a") as file:
                    file.write(json.dumps(record) + "\n")
                print(f"{engine} {options.algorithm} {seed}: {seconds:.0f} s {known[key]}", flush=True)

    def scores(engine: str, suite: str) -> list[float]:
        seeds = range(1, options.seeds + 1)
        return [known[key][suite] for seed in seeds if (key := (engine, options.algorithm, seed)) in known]

    head = (
        "benchmark",
        "runs",
        "mean",
        "deviation",
        "runs of gensim",
        "mean",
        "deviation",
        "difference",
        "low",
        "high",
    )
    for engine in (engine for engine in options.engines if not engine.startswith("gensim")):
        for peer in (engine for engine in options.engines if engine.startswith("gensim")):
            rows = [compared(suite, scores(engine, suite), scores(peer, suite)) for suite in names.values()]
            print(Table(head, rows, f"{engine} beside {peer}: {options.algorithm}, {SETTING}").to_text())


if __name__ == "__main__":
    main()
