"""Words a second of training by both engines beside plain gensim, from an iterator and a file, in turns in one run.

    python benchmarks/train.py corpus.txt --words 2000000 --dim 200 --threads 2

The corpus is text with one tokenised sentence a line. Building vocabularies and encoding are not in the ratios.
"""

import argparse
import dataclasses
import logging
import tempfile
from pathlib import Path
from time import perf_counter

from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence

from wordgeo.corpus import encode
from wordgeo.results import Table
from wordgeo.training import TrainingConfig, train_embeddings


def first_words(source: Path, target: Path, most: int) -> int:
    words = 0
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        for line in lines:
            if words >= most:
                break
            found = line.split()
            if found:
                out.write(" ".join(found) + "\n")
                words += len(found)
    return words


def gensim_model(config: TrainingConfig, text: Path) -> Word2Vec:
    model = Word2Vec(
        vector_size=config.dim, window=config.window, negative=config.negative, hs=int(config.hs), sample=config.sample,
        sg=int(config.algorithm == "skipgram"), min_count=config.min_count, epochs=config.epochs, seed=config.seed,
        alpha=config.alpha, min_alpha=config.min_alpha, workers=config.threads,
    )  # fmt: skip
    model.build_vocab(corpus_file=str(text))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--words", type=int, default=2_000_000, help="how much of the corpus is used")
    parser.add_argument("--rounds", type=int, default=2)
    for field in dataclasses.fields(TrainingConfig):
        if field.name in ("algorithm", "dim", "window", "negative", "sample", "min_count", "epochs", "threads"):
            default = field.metadata["defaults"]["skipgram"]
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(default or 1), default=default)
    options = vars(parser.parse_args())
    source, most, rounds = options.pop("corpus"), options.pop("words"), options.pop("rounds")
    config = TrainingConfig(**{**options, "threads": options["threads"] or 1})
    logging.getLogger("wordgeo").setLevel(logging.ERROR)

    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        words = first_words(source, text, most)
        start = perf_counter()
        corpus = encode(text, Path(folder, "corpus"), tokens="whitespace", case="keep")
        encoding = perf_counter() - start

        def ours(**engine) -> float:
            return train_embeddings(corpus, dataclasses.replace(config, **engine)).run["words_per_second"]

        def gensim_iterator() -> float:
            model = gensim_model(config, text)
            start = perf_counter()
            model.train(LineSentence(text), total_examples=model.corpus_count, epochs=config.epochs)
            return words * config.epochs / (perf_counter() - start)

        def gensim_file() -> float:
            model = gensim_model(config, text)
            start = perf_counter()
            model.train(
                corpus_file=str(text), total_words=model.corpus_total_words, total_examples=model.corpus_count,
                epochs=config.epochs,
            )  # fmt: skip
            return words * config.epochs / (perf_counter() - start)

        ways = {
            "wordgeo": ours,
            "wordgeo, racy": lambda: ours(racy=True),
            "wordgeo, engine gensim": lambda: ours(engine="gensim"),
            "gensim, iterator": gensim_iterator,
            "gensim, corpus_file": gensim_file,
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                rates[name].append(way())
        best = {name: max(found) for name, found in rates.items()}  # what disturbs a machine only ever slows it down
        rows = [(name, round(rate), best["wordgeo"] / rate) for name, rate in best.items()]
        title = (
            f"{words} words × {config.epochs} epochs, {config.algorithm} {config.dim} d, window {config.window}, "
            f"negative {config.negative}, sample {config.sample:g}, {config.threads} threads, best of {rounds}"
        )
        notes = [f"encoding the text once took {encoding:.1f} s ({words / encoding:.0f} words/s)"]
        print(Table(("training", "words/s", "wordgeo / this"), rows, title, notes).to_text())


if __name__ == "__main__":
    main()
