"""Evaluations beside gensim's own on the same vectors in one run, with the ratio of the times; or a table of scores.

    python benchmarks/evaluate.py [MODEL] [--bats FOLDER] [--repeat 3] [--lrcos]
    python benchmarks/evaluate.py MODEL --table        one model under every protocol and method, as Markdown

MODEL is a model folder or a file of vectors; without one, a synthetic model (90,000 x 200) is made on the words of the
questions. Google, MSR and BATS are answered by 3CosAdd, 3CosMul and PairDirection, with all intervals and ranks, beside
gensim's 3CosAdd on 15 % of Google. MSR's questions are not in the package: a set of their number and shape is made from
words of the model and their nearest neighbours (100 each of 3, 3, 2 and 2 "forms", every form asked for by every other
one of its kind, each pair by 5 others: 16 sections, 8,000 questions). So is BATS without --bats (40 sections of 50
pairs, each asked by each other one: 98,000). Files are read within the time, the model is not.
"""

import argparse
import tempfile
import time
from itertools import permutations
from pathlib import Path

import numpy as np

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation import METHODS, PROTOCOLS, AnalogySuite, evaluate, load_suite
from wordgeo.evaluation.suites import Question, Section, WordPair
from wordgeo.vocabulary import Vocabulary

PAIRWISE = ("3cosadd", "3cosmul", "pairdirection")
FREQUENT = 30_000  # words of made questions are as frequent
FORMS = (3, 3, 2, 2)  # of MSR's adjectives, verbs, nouns in the plural and nouns in the possessive, 100 of each


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


def drawn(model: Embeddings, rows: int, columns: int, generator: np.random.Generator) -> list[list[str]]:
    """So many words, each with its nearest ones: forms of a word are near each other, and right answers rank high."""
    known = min(FREQUENT, len(model))
    units = model.vectors[:known] / np.maximum(model.norms[:known, np.newaxis], 1e-12).astype(np.float32)
    places = generator.choice(known, size=rows, replace=False)
    nearest = np.argsort(-(units[places] @ units.T), axis=1, kind="stable")
    return [[model.vocabulary[int(place)] for place in [own, *near[near != own][: columns - 1]]]
            for own, near in zip(places, nearest, strict=True)]  # fmt: skip


def like_msr(model: Embeddings) -> AnalogySuite:
    generator = np.random.default_rng(2)
    sections = []
    for forms in FORMS:
        words = drawn(model, 100, forms, generator)
        for a, b in permutations(range(forms), 2):
            questions = [Question(i, words[i][a], words[i][b], words[j][a], words[j][b]) for i in range(100)
                         for j in ((i + step) % 100 for step in range(1, 6))]  # fmt: skip
            sections.append(Section(f"made-{len(sections)}", questions))
    return AnalogySuite("like MSR", "", tuple(sections))


def like_bats(model: Embeddings) -> AnalogySuite:
    generator = np.random.default_rng(2)
    pairs = [tuple(WordPair(i, a, b) for i, (a, b) in enumerate(drawn(model, 50, 2, generator))) for _ in range(40)]
    return AnalogySuite("like BATS", "", tuple(Section.of_pairs(f"made-{i}", one) for i, one in enumerate(pairs)))


def part_of(suite: AnalogySuite, share: float, folder: str) -> Path:
    """A file with a share of the questions of each section, evenly spread."""
    path = Path(folder) / "part.txt"
    with path.open("w", encoding="utf-8") as file:
        for section in suite.sections:
            file.write(f": {section.name}\n")
            places = np.linspace(0, len(section.questions) - 1, round(share * len(section.questions))).astype(int)
            for q in (section.questions[i] for i in places):
                file.write(f"{q.a} {q.b} {q.c} {q.expected}\n")
    return path


def timed(work, repeat: int) -> tuple[np.ndarray, object]:
    """The least of several times, on the clock and of the processor over all threads, and what came out."""
    best = np.full(2, np.inf)
    for _ in range(repeat):
        begin = np.array([time.perf_counter(), time.process_time()])
        result = work()
        best = np.minimum(best, np.array([time.perf_counter(), time.process_time()]) - begin)
    return best, result


def seconds(times: np.ndarray) -> str:
    return f"{times[0]:.2f} s ({times[1]:.2f})"


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


def side_by_side(model: Embeddings, options: argparse.Namespace) -> None:
    google = load_suite("google")
    keyed = model.to_gensim()
    msr, bats = like_msr(model), options.bats or like_bats(model)
    with tempfile.TemporaryDirectory() as folder:
        part = part_of(google, 0.15, folder)
        keyed.evaluate_word_analogies(str(part))  # makes the norms
        theirs, (_, sections) = timed(lambda: keyed.evaluate_word_analogies(str(part)), options.repeat)
        own = evaluate(model, part, threads=options.threads)
    asked = own.total.in_vocabulary
    print(f"{len(model)} words x {model.dimensions}; best of {options.repeat}; in brackets the processor's time")
    print(f"gensim, 3cosadd, 15 % of google: {asked} questions, {len(sections[-1]['correct'])} right (ours "
          f"{own.total.correct}, near ties {len(own.near_ties)}): {seconds(theirs)}\n")  # fmt: skip
    print("| suite | questions in vocabulary | " + " | ".join(PAIRWISE) + " |")
    print("| --- " * (2 + len(PAIRWISE)) + "|")
    total = np.zeros(2)
    for one in ("google", msr, bats):
        took = []
        for method in PAIRWISE:
            times, report = timed(lambda: evaluate(model, one, method=method, threads=options.threads),  # noqa: B023
                                    options.repeat)  # fmt: skip
            took.append(times)
        total += sum(took)
        cells = " | ".join(map(seconds, took))
        print(f"| {report.suite} | {report.total.in_vocabulary} | {cells} |", flush=True)
    ratio = total / theirs
    print(f"\nall of it: {seconds(total)}; {ratio[0]:.2f} ({ratio[1]:.2f}) of gensim's time for 15 % of google alone")
    if options.lrcos:
        times, report = timed(lambda: evaluate(model, bats, method="lrcos", threads=options.threads), 1)
        print(f"lrcos, {report.suite}: {report.total.in_vocabulary} pairs, {seconds(times)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--words", type=int, default=90_000)
    parser.add_argument("--dimensions", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--bats", metavar="FOLDER")
    parser.add_argument("--lrcos", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    google = load_suite("google")
    if options.model:
        from wordgeo import formats

        model = formats.load(options.model)
    else:
        model = synthetic(google, options.words, options.dimensions)
    if options.table:
        table(model, google)
    else:
        side_by_side(model, options)


if __name__ == "__main__":
    main()
