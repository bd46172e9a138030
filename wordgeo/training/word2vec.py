"""Skip-gram, CBOW and FastText from an encoded corpus, through gensim's engine."""

from __future__ import annotations

import logging
import math
import os
import platform
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo._version import __version__
from wordgeo.embeddings import Embeddings, TrainingState
from wordgeo.errors import OptionError, TrainingError
from wordgeo.formats.gensim import subwords_from_gensim
from wordgeo.progress import Progress, resolve_progress
from wordgeo.threads import resolve_threads
from wordgeo.training.config import OF_SUBWORDS, TrainingConfig
from wordgeo.training.continuation import check_start, grown_vocabulary, lineage, refuse_state
from wordgeo.training.resample import Resample, recorded, resampled_vocabulary
from wordgeo.training.sentences import LONGEST_SENTENCE, RARE, Sentences
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus
    from wordgeo.training.gensim_engine import GensimFastText, GensimWord2Vec

__all__ = ["train_embeddings"]

logger = logging.getLogger(__name__)

WORDS_A_BATCH = 10_000  # gensim's own, which also decides when the learning rate falls: the bytes depend on it
LARGEST_LOSS_OF_BATCH = 2.0**22  # gensim adds up a batch in float32, whose steps are 0.5 from here on
ROWS_A_BLOCK = 1 << 14


def train_embeddings(
    corpus: EncodedCorpus,
    config: TrainingConfig,
    *,
    start_from: Embeddings | None = None,
    resample: Resample | None = None,
    keep_training_state: bool = False,
    progress: Progress | bool | None = None,
) -> Embeddings:
    """Vectors float32 [words, dim] for the words that occur `min_count` times or more, by descending count.

    The bytes are those of `gensim.models.Word2Vec` (or `FastText`) on the same sentences with its words in this order
    (ties by code points). With `threads=1` they depend on nothing but the corpus, the options and the versions in the
    provenance; with more, the threads update the vectors unsynchronised and no two runs agree.

    `provenance` of the result says how to make it again; `run` holds times, machine and the loss of each epoch.
    The loss of an epoch is Σ -log σ(±u·v), the sum over all trained pairs and their noise words (with `hs`, over the
    nodes on the path); `loss_per_word` is that by word that was trained. As in gensim, pairs with |u·v| ≥ 6 are left
    out of it, and it is None where a batch of gensim's float32 sum would be too coarse (very large windows).

    FastText's result has `subwords`, the vectors of n-grams that words of the vocabulary use; it has no loss.

    `keep_training_state` keeps what going on needs. `start_from` is such a model: its words and those of this corpus
    that reach `min_count` in it are trained from where they stand, new words from the beginning, with the learning
    rate falling anew from `alpha`. Without new words the bytes are those of gensim's own model going on.

    `resample` trains on another sample of the corpus's documents; `provenance` records it.

    Raises `TrainingError` where there is nothing to learn or the result is not finite, `CorpusError` for a damaged
    corpus, `OptionError` for options that do not go together. References: Mikolov, Chen, Corrado & Dean 2013; Mikolov,
    Sutskever, Chen, Corrado & Dean 2013; Bojanowski, Grave, Joulin & Mikolov 2017.
    """
    if keep_training_state:
        refuse_state(config)
    order = None if resample is None else resample.order(corpus)
    if start_from is not None:
        check_start(start_from, config)
        if order is not None:
            raise OptionError("a training goes on with the whole corpus; start_from takes no resample")
        vocabulary, counts, words = grown_vocabulary(start_from, corpus, config.min_count)
        sentences = Sentences(corpus, words)
    else:
        counted = corpus.vocabulary
        if order is not None and resample is not None and resample.vocabulary:
            counted = resampled_vocabulary(corpus, order)
        vocabulary, counts = _trained_words(counted, config.min_count)
        words = [word if word in counts else RARE for word in corpus.vocabulary.words]
        sentences = Sentences(corpus, words, order)
    threads = resolve_threads(config.threads)
    if sentences.cut:
        logger.info("%d sentences of over %d words are trained in pieces", sentences.cut, LONGEST_SENTENCE)
    if threads > 1:
        logger.warning("with %d threads gensim gives other bytes each time; threads=1 gives the same", threads)
    logger.info("%s by gensim: %d words, %d dimensions", config.algorithm, len(vocabulary), config.dim)
    started, start = datetime.now(UTC), perf_counter()
    shown = resolve_progress(progress)
    trained = _train(sentences, vocabulary, counts, config, threads, start_from, shown)
    seconds = perf_counter() - start
    history = trained.history
    _check_finite(trained.wv.vectors, vocabulary)
    read = sum(epoch["words"] for epoch in history)
    logger.info("trained %d words in %.1f s, %.0f words/s", read, seconds, read / seconds)
    run = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": seconds,
        "words_per_second": round(read / sum(epoch["seconds"] for epoch in history)),
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "epochs": history,
    }
    provenance = _provenance(corpus, sentences, config, threads)
    if order is not None and resample is not None:
        provenance["resample"] = recorded(corpus, resample, order, len(vocabulary))
    if start_from is not None:
        provenance["started_from"] = lineage(start_from)
    return Embeddings(
        vocabulary,
        trained.wv.vectors,
        provenance=provenance,
        run=run,
        subwords=subwords_from_gensim(trained.wv),
        training_state=TrainingState.of_gensim(trained) if keep_training_state else None,
    )


def _trained_words(vocabulary: Vocabulary, min_count: int) -> tuple[Vocabulary, dict[str, int]]:
    """The words to train in their order, and the count of each."""
    counts = np.asarray(vocabulary.counts)
    kept = int(np.count_nonzero(counts >= np.uint64(min_count)))
    if kept == 0:
        raise TrainingError(
            f"no word occurs {min_count} times or more: the most frequent, '{vocabulary[0]}', occurs {int(counts[0])} "
            "times; lower min_count or give more text"
        )
    if kept == 1:
        raise TrainingError(
            f"only '{vocabulary[0]}' occurs {min_count} times or more, and one word has no relations to learn; "
            "lower min_count or give more text"
        )
    trained = vocabulary.head(kept)
    return trained, dict(zip(trained.words, counts[:kept].tolist(), strict=True))


def _train(
    sentences: Sentences,
    vocabulary: Vocabulary,
    counts: dict[str, int],
    config: TrainingConfig,
    threads: int,
    start_from: Embeddings | None,
    progress: Progress,
) -> GensimWord2Vec | GensimFastText:
    """The gensim model, trained."""
    from wordgeo.training.gensim_engine import GensimFastText, GensimWord2Vec

    fasttext = config.algorithm == "fasttext"
    ngrams = {name: getattr(config, name) for name in OF_SUBWORDS} if fasttext else {}
    show_loss = not fasttext and _loss_of_batch(config, len(counts)) < LARGEST_LOSS_OF_BATCH
    progress.start(f"training {config.algorithm}, seed {config.seed}", config.epochs * sentences.tokens, "words")
    try:
        model = (GensimFastText if fasttext else GensimWord2Vec)(
            progress=progress,
            vector_size=config.dim,
            alpha=config.alpha,
            min_alpha=config.min_alpha,
            window=config.window,
            min_count=1,  # `counts` are the words to train
            sample=config.sample,
            seed=config.seed,
            workers=threads,
            sg=int(config.algorithm != "cbow"),
            hs=int(config.hs),
            negative=config.negative,
            ns_exponent=config.ns_exponent,
            cbow_mean=int(config.cbow_mean),
            shrink_windows=config.shrink_windows,
            batch_words=WORDS_A_BATCH,
            sorted_vocab=0,  # our order: gensim's own puts equal counts in reverse order of insertion
            **ngrams,
        )
        model.build_vocab_from_freq(counts, corpus_count=sentences.pieces)
        if start_from is not None and start_from.training_state is not None:
            rows = vocabulary.rows(start_from.words)
            model.wv.vectors[rows] = start_from.vectors
            start_from.training_state.restore(model, rows)
        model.train(sentences, total_examples=sentences.pieces, epochs=config.epochs, compute_loss=show_loss)
    except MemoryError:
        rows_needed = len(counts) * (1 + fasttext + config.hs + (config.negative > 0)) + ngrams.get("bucket", 0)
        raise TrainingError(
            f"not enough memory: {len(counts)} words in {config.dim} dimensions need "
            f"{4e-9 * rows_needed * config.dim:.1f} GB; raise min_count or lower {'bucket' if fasttext else 'dim'}"
        ) from None
    finally:
        progress.finish()
    if not (model.syn1neg if config.negative else model.syn1).any():
        raise TrainingError(
            "no two words that are trained ever stood together in a sentence, so nothing was learned; "
            "lower min_count, raise sample or give more text"
        )
    return model


def _loss_of_batch(config: TrainingConfig, words: int) -> float:
    """The most that the loss of one batch can be at the beginning, where each term is log 2."""
    contexts = 1 if config.algorithm == "cbow" else config.window + 1 if config.shrink_windows else 2 * config.window
    terms = (config.negative + 1 if config.negative else 0) + (math.log2(words) if config.hs else 0)
    return WORDS_A_BATCH * contexts * terms * math.log(2)


def _check_finite(matrix: npt.NDArray[np.float32], vocabulary: Vocabulary) -> None:
    for begin in range(0, len(matrix), ROWS_A_BLOCK):
        finite = np.isfinite(matrix[begin : begin + ROWS_A_BLOCK]).all(axis=1)
        if not finite.all():
            row = begin + int(np.argmin(finite))
            raise TrainingError(
                f"training diverged: the vector of '{vocabulary[row]}' (row {row}) is not finite; lower alpha"
            )


def _provenance(corpus: EncodedCorpus, sentences: Sentences, config: TrainingConfig, threads: int) -> dict[str, Any]:
    import gensim
    import scipy.version

    return {
        "algorithm": config.algorithm,
        "engine": "gensim",
        "engine_version": gensim.__version__,
        "parameters": config.parameters(),
        "seed": config.seed,
        "threads": threads,
        "reproducible": threads == 1,
        "corpus": {
            "fingerprint": corpus.fingerprint,
            **{name: corpus.info.get(name) for name in ("tokens", "case", "documents")},
            "token_count": len(corpus.ids),
            "sentence_count": len(corpus.sentences) - 1,
            "document_count": len(corpus.documents) - 1,
            "word_count": len(corpus.vocabulary),
            "sentences_cut": sentences.cut,
        },
        "versions": {
            "wordgeo": __version__,
            "gensim": gensim.__version__,
            "numpy": np.__version__,
            "scipy": scipy.version.version,
            "python": platform.python_version(),
        },
    }
