"""Words a second of training by both engines beside plain gensim, from an iterator and a file, in turns in one run.

    python benchmarks/train.py corpus.txt --words 2000000 --dim 200 --threads 2
    python benchmarks/train.py corpus.txt --words 0 --growth    against dimensions, negatives, vocabulary, corpus

The corpus is text with one tokenised sentence a line (0 words: all). Building vocabularies and encoding are not in the
ratios. Growth is that of the native engine in one epoch; its arithmetic is 6 floating-point operations for each product
and dimension, beside what a large matrix product reaches in the same run, and its traffic what the rows of noise and
those of each word on either side weigh, read and written, if no cache held any of them before.
"""

import argparse
import dataclasses
import logging
import os
import re
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence

from wordgeo.bench import bandwidth, product_rate, random_model
from wordgeo.corpus import EncodedCorpus, encode
from wordgeo.results import Table
from wordgeo.training import TrainingConfig, _sgns, train_embeddings
from wordgeo.training.native import noises_of_block


def first_words(source: Path, target: Path, most: int) -> int:
    words = 0
    with source.open(encoding="utf-8") as lines, target.open("w", encoding="utf-8") as out:
        for line in lines:
            if most and words >= most:
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


def pword2vec(program: str, text: Path, config: TrainingConfig) -> float:
    """What Ji et al.'s program says of itself at the end, without reading the vocabulary."""
    command = [
        program, "-train", text, "-output", text.with_suffix(".bin"), "-binary", 1, "-size", config.dim, "-window",
        config.window, "-sample", config.sample, "-negative", config.negative, "-threads", config.threads, "-iter",
        config.epochs, "-min-count", config.min_count,
    ]  # fmt: skip
    threads_of_blas = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": str(config.threads)}
    done = subprocess.run(list(map(str, command)), env=threads_of_blas, capture_output=True, text=True, check=True)
    return 1000 * float(re.findall(r"Words/sec: ([0-9.]+)k", done.stdout)[-1])


def growth(config: TrainingConfig, corpora: dict[int, EncodedCorpus]) -> Table:
    """Words a second of one epoch where one thing changes at a time."""
    whole = max(corpora)
    fewer = [words for words in corpora if words < whole]
    changes: list[dict[str, Any]] = [{}, {"racy": True}]
    changes += [{"threads": 1}, {"threads": 1, "racy": True}]
    changes += [{"dim": dim} for dim in (50, 100, 300, 400, 500)]
    changes += [{"negative": negative} for negative in (2, 10, 20)]
    changes += [{"min_count": least} for least in (50, 500)]
    changes += [{"words": words} for words in fewer]
    most, reading = product_rate(config.threads), bandwidth(random_model(200_000, 200), config.threads)
    rows = []
    for change in changes:
        words = change.get("words", whole)
        own = dataclasses.replace(config, epochs=1, **{name: x for name, x in change.items() if name != "words"})
        model = train_embeddings(corpora[words], own)
        epoch = model.run["epochs"][0]
        flops = 6 * own.dim * epoch["products"] / epoch["seconds"] / 1e9
        rows_a_word = 2 + noises_of_block(own) / _sgns.INPUTS
        bytes_ = 2 * 4 * own.dim * rows_a_word * epoch["trained_words"] / epoch["seconds"] / 1e9
        said = (
            ", ".join(f"{name} {x}" for name, x in change.items())
            or f"{config.threads} threads in step, {config.dim} d"
        )
        rows.append(
            (said, len(model), round(epoch["words"] / epoch["seconds"]), flops, flops / most, bytes_, bytes_ / reading)
        )
    title = (
        f"{whole} words, {config.algorithm}, one epoch; products run at {most:.0f} GFLOP/s, "
        f"memory is read at {reading:.1f} GB/s"
    )
    return Table(("change", "vocabulary", "words/s", "GFLOP/s", "of the product's", "GB/s", "of memory's"), rows, title)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--words", type=int, default=2_000_000, help="how much of the corpus is used")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--pword2vec", metavar="PROGRAM", nargs="+", default=[], help="builds of Ji et al.'s program")
    parser.add_argument("--algorithm", default="skipgram")
    for field in dataclasses.fields(TrainingConfig):
        if field.name in ("dim", "window", "negative", "sample", "min_count", "epochs", "threads"):
            default = field.metadata["defaults"]["skipgram"]
            parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(default or 1), default=default)
    options = vars(parser.parse_args())
    source, most, rounds = options.pop("corpus"), options.pop("words"), options.pop("rounds")
    growing, programs = options.pop("growth"), options.pop("pword2vec")
    config = TrainingConfig(**{**options, "threads": options["threads"] or 1})
    logging.getLogger("wordgeo").setLevel(logging.ERROR)

    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder, "text.txt")
        words = first_words(source, text, most)
        start = perf_counter()
        corpus = encode(text, Path(folder, "corpus"), tokens="whitespace", case="keep")
        encoding = perf_counter() - start
        if growing:
            corpora = {words: corpus}
            for part in (16, 4):
                text = Path(folder, f"part-{part}.txt")
                fewer = first_words(source, text, words // part)
                corpora[fewer] = encode(text, Path(folder, f"corpus-{part}"), tokens="whitespace", case="keep")
            print(growth(config, corpora).to_text())
            return

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
        for program in programs:
            ways[f"pWord2Vec, {Path(program).name}"] = lambda program=program: pword2vec(program, text, config)
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                rates[name].append(way())
        best = {name: max(found) for name, found in rates.items()}  # what disturbs a machine only ever slows it down
        rows = [
            (name, round(rate), best["wordgeo"] / rate, best["wordgeo, racy"] / rate) for name, rate in best.items()
        ]
        title = (
            f"{words} words × {config.epochs} epochs, {config.algorithm} {config.dim} d, window {config.window}, "
            f"negative {config.negative}, sample {config.sample:g}, {config.threads} threads, best of {rounds}"
        )
        notes = [f"encoding the text once took {encoding:.1f} s ({words / encoding:.0f} words/s)"]
        print(Table(("training", "words/s", "wordgeo / this", "racy / this"), rows, title, notes).to_text())


if __name__ == "__main__":
    main()
