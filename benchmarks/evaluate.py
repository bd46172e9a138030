"""Evaluations: gensim's own and ours on the same vectors in one run, with the ratio of the times; or a table of scores.

    python benchmarks/evaluate.py [MODEL] [--words 30000] [--dimensions 100] [--repeat 3] [--also SUITE...]
    python benchmarks/evaluate.py MODEL --table        one model under every protocol and method, as Markdown

MODEL is a model folder or a file of vectors; without one, a synthetic model is made on the words of the questions.
`--also` suites (files or folders) are answered by three methods beside Google's, against gensim on Google alone.
"""

import argparse
import time

import numpy as np

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation import METHODS, PROTOCOLS, AnalogySuite, evaluate, load_suite
from wordgeo.vocabulary import Vocabulary


def synthetic(suite: AnalogySuite, words: int, dimensions: int) -> Embeddings:
    """Every section's offset is planted under noise, so that some questions come out right."""
    generator = np.random.default_rng(1)
    asked = list(dict.fromkeys(word for q in suite.questions for word in (q.a, q.b, q.c, q.expected)))
    names = (asked + [f"filler{i}" for i in range(words)])[:words]
    rows = {name: i for i, name in enumerate(names)}
    matrix = generator.normal(size=(words, dimensions))
    for section in suite.sections:
        offset = generator.normal(size=dimensions)
        for q in section.questions:
            if q.a in rows and q.b in rows:
                noise = generator.normal(size=dimensions)
                matrix[rows[q.b]] = matrix[rows[q.a]] + offset + noise
    order = generator.permutation(words)
    return Embeddings(Vocabulary.from_words([names[i] for i in order]), matrix[order].astype(np.float32))


def table(model: Embeddings, suite: AnalogySuite) -> None:
    """Headline scores with 95 % intervals over word pairs, and how many questions or pairs they are of."""
    print("| protocol | " + " | ".join(METHODS) + " |")
    print("| --- " * (len(METHODS) + 1) + "|")
    for name, protocol in PROTOCOLS.items():
        cells = []
        for method in METHODS:
            report = evaluate(model, suite, protocol=protocol, method=method)
            total = report.total
            over_all = report.score != total.accuracy
            low, high = (total.pair_low_all, total.pair_high_all) if over_all else (total.pair_low, total.pair_high)
            of = total.questions if over_all else total.in_vocabulary
            cells.append(f"{report.score:.3f} ({low:.3f} to {high:.3f}; {of})")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--words", type=int, default=30_000)
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--also", nargs="*", default=[])
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    suite = load_suite("google")
    if options.model:
        from wordgeo import formats

        model = formats.load(options.model)
    else:
        model = synthetic(suite, options.words, options.dimensions)
    if options.table:
        table(model, suite)
        return
    keyed = model.to_gensim()
    ours, theirs = [], []
    for _ in range(options.repeat):
        begin = time.perf_counter()
        report = evaluate(model, suite.path, threads=options.threads)
        ours.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        _, sections = keyed.evaluate_word_analogies(suite.path)
        theirs.append(time.perf_counter() - begin)
    total = report.total
    print(f"{len(model)} words x {model.dimensions}; {total.in_vocabulary} of {total.questions} questions")
    print(f"correct: ours {total.correct}, gensim {len(sections[-1]['correct'])}; near ties {len(report.near_ties)}")
    print(f"seconds: ours {min(ours):.2f}, gensim {min(theirs):.2f} (best of {options.repeat}, in turns)")
    print(f"ratio gensim / ours: {min(theirs) / min(ours):.1f}")
    if options.also:
        begin = time.perf_counter()
        asked = 0
        for one in [suite, *map(load_suite, options.also)]:
            for method in ("3cosadd", "3cosmul", "pairdirection"):
                asked += evaluate(model, one, method=method, threads=options.threads).total.in_vocabulary
        took = time.perf_counter() - begin
        print(f"{asked} questions of {1 + len(options.also)} suites and three methods: {took:.2f} s, "
              f"{took / min(theirs):.2f} of gensim's time for Google")  # fmt: skip


if __name__ == "__main__":
    main()
