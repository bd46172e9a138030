"""The demonstration: from a sample of Wikipedia to three models, and to what can be said of their answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import wordgeo as wg
from wordgeo.corpus import EncodedCorpus, find_recipe, planted
from wordgeo.corpus.wikipedia import articles
from wordgeo.errors import OutputError, UnknownWordError
from wordgeo.evaluation import SUITES, AnalogyReport, SimilarityReport
from wordgeo.progress import Progress
from wordgeo.results import Table
from wordgeo.stability import Ensemble

__all__ = ["demonstrate"]

REPORT = "report.txt"
RUNS = 3
OPTIONS: dict[str, Any] = {"algorithm": "skipgram", "dim": 100, "epochs": 15, "sample": 1e-4, "seed": 1}
WORDS = ("music", "war", "computer", "paris", "river")
ANALOGIES = (("man", "king", "woman"), ("france", "paris", "italy"), ("good", "better", "bad"))
NEIGHBORS = 10
FREQUENT = 100
SAMPLE = "gensim-wikipedia"
PLANTED_WORDS = 2_000_000


def demonstrate(
    output: str | Path, *, overwrite: bool = False, progress: Progress | bool | None = None
) -> Iterator[str]:
    """Does the whole job, and yields what a person reads of it paragraph by paragraph.

    `output` becomes a folder with `corpus` (encoded), `models` (an ensemble of three runs), `planted` (the encoded
    text of the planted world), `planted-model` and `report.txt` (the paragraphs).
    Raises `OutputError` if it exists, unless `overwrite` replaces what an earlier demonstration left.
    """
    folder = Path(output)
    if folder.exists() and not overwrite:
        raise OutputError(f"{folder} exists already; choose another name (-o) or overwrite it (--overwrite)")
    if folder.exists() and not (folder / REPORT).is_file():
        raise OutputError(f"{folder} holds no demonstration (it has no {REPORT}); it is not overwritten")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report = (folder / REPORT).open("w", encoding="utf-8")
    except OSError as problem:
        raise OutputError(f"{folder} cannot be written: {problem.strerror}; choose another name (-o)") from None
    with report:
        for paragraph in _paragraphs(folder, overwrite, progress):
            print(paragraph + "\n", file=report, flush=True)
            yield paragraph


def _paragraphs(folder: Path, overwrite: bool, progress: Progress | bool | None) -> Iterator[str]:
    corpus = _encode(folder / "corpus", overwrite, progress)
    yield (
        f"Encoded {len(corpus.documents) - 1} articles of Wikipedia: {len(corpus.ids):,} words, "
        f"{len(corpus.vocabulary):,} different ones, in {len(corpus.sentences) - 1:,} sentences ({corpus.path})."
    )
    runs = wg.train(corpus.path, output=folder / "models", runs=RUNS, overwrite=overwrite, progress=progress, **OPTIONS)
    assert isinstance(runs, Ensemble)
    first = runs[0]
    yield (
        f"Trained {RUNS} models that differ only by their seed: skip-gram, {first.dimensions} dimensions, "
        f"{OPTIONS['epochs']} epochs, the {len(first):,} words that occur 5 times or more ({runs.path})."
    )
    yield _neighbors(runs)
    yield _analogies(runs)
    reports: list[list[Any]] = [[wg.evaluate(model, suite, progress=progress) for model in runs] for suite in SUITES]
    yield _scores(reports)
    yield _verdict(runs, reports, len(corpus.documents) - 1)
    yield _planted(folder, overwrite, progress)
    yield (
        f"Everything is kept in {folder}. Go on with\n"
        f"  wordgeo similar {first.path} music\n"
        f"  wordgeo eval {runs.path} --suite wordsim353\n"
        "and with a corpus of your own: wordgeo train TEXT -o DIR --runs 5"
    )


def _encode(folder: Path, overwrite: bool, progress: Progress | bool | None) -> EncodedCorpus:
    texts = (text for _, text in articles(find_recipe(SAMPLE).locate()))
    return wg.encode(wg.Documents(texts), folder, overwrite=overwrite, progress=progress)


def _neighbors(runs: Ensemble) -> str:
    """Words, how often they occur, and their neighbours in the first run, in capitals where all runs have them."""
    known = [word for word in WORDS if word in runs.shared]
    agreement = runs.agreement(known, k=NEIGHBORS)
    rows = []
    for word, agreed in zip(known, agreement.agreed, strict=True):
        near = [other.upper() if other in agreed else other for other in runs[0].similar(word, k=NEIGHBORS).words]
        rows.append((word, _count(runs, word), f"{len(agreed)} of {NEIGHBORS}", " ".join(near)))
    title = f"The {NEIGHBORS} nearest neighbours in the first run; in capitals those that all {RUNS} runs have:"
    return Table(("word", "count", "in all runs", "neighbours"), rows, title).to_text()


def _analogies(runs: Ensemble) -> str:
    rows = []
    for a, b, c in ANALOGIES:
        try:
            answers = [model.analogy(a, b, c, k=1).words[0] for model in runs]
        except UnknownWordError as problem:
            answers = [f"({problem.word} is too rare here)"]
        rows.append((f"{a} is to {b} as {c} is to", ", ".join(dict.fromkeys(answers))))
    return Table(("question", "answers of the runs"), rows, "Analogies, by 3CosAdd:").to_text()


def _scores(reports: Sequence[Sequence[AnalogyReport | SimilarityReport]]) -> str:
    rows = []
    for of_suite in reports:
        for run, report in enumerate(of_suite, 1):
            if isinstance(report, AnalogyReport):
                asked, known, low, high = (
                    report.total.questions, report.total.in_vocabulary, report.total.low, report.total.high,
                )  # fmt: skip
            else:
                asked, known, low, high = (
                    report.pairs, report.in_vocabulary, report.spearman.low, report.spearman.high,
                )  # fmt: skip
            rows.append((report.suite, run, report.score, low, high, known, asked))
    columns = ("benchmark", "run", "score", "low", "high", "in vocabulary", "of")
    notes = ["Google: share of analogies answered right; the others: Spearman correlation with people's judgements.",
             "low to high is the 95 % interval, over questions or pairs."]  # fmt: skip
    return Table(columns, rows, "Benchmarks:", notes).to_text()


def _verdict(runs: Ensemble, reports: Sequence[Sequence[AnalogyReport | SimilarityReport]], documents: int) -> str:
    """The last lines: what these numbers allow to say, and what they do not."""
    counts = runs[0].counts
    assert counts is not None
    rows = np.arange(len(runs.shared))
    often, seldom = rows[counts >= FREQUENT], rows[counts < FREQUENT]
    means = [runs.agreement([runs.shared[row] for row in part.tolist()], k=NEIGHBORS) for part in (often, seldom)]
    shares = [100 * float(agreement.joint.mean()) / NEIGHBORS for agreement in means]
    scores = [[report.score or 0.0 for report in of_suite] for of_suite in reports]
    lines = [
        "What this can tell, and what it cannot:",
        f"- A neighbour from one run is weak evidence: of the {NEIGHBORS} neighbours, all {RUNS} runs share "
        f"{shares[0]:.0f} % for words that occur {FREQUENT} times or more, and {shares[1]:.0f} % for rarer ones. "
        "Report what the runs share.",
        "- What they share comes from the text and not from chance in training. It does not follow that other text "
        f"would say the same: {documents} articles are no sample of English.",
        f"- Similarity is there, roughly: {' and '.join(list(SUITES)[1:])} correlate with people's judgements at "
        f"{np.mean(scores[1]):.2f} and {np.mean(scores[2]):.2f}. Their intervals are wide; do not rank two models "
        "whose intervals overlap like this.",
        f"- Relations are not: {100 * np.mean(scores[0]):.0f} % of the analogies are answered right. Half a million "
        "words are too few for them.",
    ]
    return "\n".join(lines)


def _planted(folder: Path, overwrite: bool, progress: Progress | bool | None) -> str:
    """The counter-proof: text in which the relations are planted, and the share of them that a model finds again."""
    world = planted.generate(PLANTED_WORDS)
    corpus = wg.encode(wg.Documents(world.documents()), folder / "planted", overwrite=overwrite, progress=progress)
    model = wg.train(corpus, output=folder / "planted-model", overwrite=overwrite, progress=progress)
    assert not isinstance(model, Ensemble)
    report = wg.evaluate(model, "google", progress=progress)
    assert isinstance(report, AnalogyReport)
    rows = [
        (section.name, section.correct / section.in_vocabulary if section.in_vocabulary else None,
         section.in_vocabulary, section.questions)
        for section in (*report.sections, report.total)
    ]  # fmt: skip
    answered = [share for _, share, *_ in rows[:-1] if share is not None]
    title = (
        f"The counter-proof: {len(corpus.ids):,} words in which those relations are planted\n"
        "(`wordgeo corpus planted`), trained with the defaults:"
    )
    notes = [
        f"Answered right: {report.score or 0:.1%} of all, {min(answered, default=0):.1%} in the worst section. "
        f"In vocabulary: {report.total.in_vocabulary:,} of {report.total.questions:,} questions.",
        "So the method finds relations that text holds often enough; half a million words of Wikipedia do not.",
    ]
    return Table(("section", "answered right", "in vocabulary", "of"), rows, title, notes).to_text()


def _count(runs: Ensemble, word: str) -> int:
    counts = runs.shared.counts
    assert counts is not None
    return int(counts[runs.shared.index(word)])
