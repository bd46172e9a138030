"""Skip-gram, CBOW and FastText from an encoded corpus, by whichever engine the options name."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError, TrainingError
from wordgeo.progress import Progress, resolve_progress
from wordgeo.threads import resolve_threads
from wordgeo.training.checkpoints import Checkpoints
from wordgeo.training.config import TrainingConfig
from wordgeo.training.continuation import check_start, grown_vocabulary, lineage, refuse_state
from wordgeo.training.native import ABSENT, NativeTraining, OnEpoch
from wordgeo.training.records import machine
from wordgeo.training.records import provenance as native_provenance
from wordgeo.training.resample import Resample, recorded, resampled_vocabulary
from wordgeo.training.sentences import LONGEST_SENTENCE, Walk
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["train_embeddings"]

logger = logging.getLogger(__name__)

ROWS_A_BLOCK = 1 << 14


def train_embeddings(
    corpus: EncodedCorpus,
    config: TrainingConfig,
    *,
    start_from: Embeddings | None = None,
    resample: Resample | None = None,
    keep_training_state: bool = False,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
    progress: Progress | bool | None = None,
) -> Embeddings:
    """Vectors float32 [words, dim] for the words that occur `min_count` times or more, by descending count.

    By the native engine, the bytes depend on nothing but the corpus, the options, the instruction set and the versions
    in the provenance, whatever the threads, unless `racy` lets these update the vectors unsynchronised. By gensim's,
    they are those of `gensim.models.Word2Vec` (or `FastText`) on the same sentences with its words in this order (ties
    by code points); with more than one thread no two of its runs agree.

    `provenance` of the result says how to make it again; `run` holds times, machine and the loss of each epoch.
    The loss of an epoch is Σ -log σ(±u·v), the sum over all trained pairs and their noise words (with `hs`, over the
    nodes on the path); `loss_per_word` is that by word that was trained. With gensim, pairs with |u·v| ≥ 6 are left
    out of it, and it is None where a batch of gensim's float32 sum would be too coarse (very large windows). With
    `holdout`, `held_out_loss_per_word` is that of the sentences that are left out.

    FastText's result has `subwords`, the vectors of n-grams that words of the vocabulary use; it has no loss.

    `keep_training_state` keeps what going on needs. `start_from` is such a model, of either engine: its words and those
    of this corpus that reach `min_count` in it are trained from where they stand, new words from the beginning, with
    the learning rate falling anew from `alpha`. With gensim and without new words the bytes are those of gensim's own
    model going on.

    `resample` trains on another sample of the corpus's documents; `provenance` records it. `checkpoints` and
    `on_epoch`, called with the number of the epoch that ended (from 1) and its record, are the native engine's.

    Raises `TrainingError` where there is nothing to learn or the result is not finite, `CorpusError` for a damaged
    corpus, `OptionError` for options that do not go together. References: Mikolov, Chen, Corrado & Dean 2013; Mikolov,
    Sutskever, Chen, Corrado & Dean 2013; Bojanowski, Grave, Joulin & Mikolov 2017; Ji, Satish, Li & Dubey 2016.
    """
    if keep_training_state:
        refuse_state(config)
    order = None if resample is None else resample.order(corpus)
    if start_from is not None:
        check_start(start_from, config)
        if order is not None:
            raise OptionError("a training goes on with the whole corpus; start_from takes no resample")
        vocabulary = grown_vocabulary(start_from, corpus, config.min_count)
    else:
        counted = corpus.vocabulary
        if order is not None and resample is not None and resample.vocabulary:
            counted = resampled_vocabulary(corpus, order)
        vocabulary = _trained_words(counted, config.min_count)
    threads, engine = resolve_threads(config.threads), config.trains_with
    logger.info("%s, engine %s: %d words, %d dimensions", config.algorithm, engine, len(vocabulary), config.dim)
    started, start = datetime.now(UTC), perf_counter()
    shown = resolve_progress(progress)
    if engine == "gensim":
        from wordgeo.training.with_gensim import gensim_provenance, train_with_gensim

        if checkpoints is not None or on_epoch is not None:
            raise OptionError("gensim keeps no checkpoints; leave checkpoint_every, resume and on_epoch out")
        walk, trained = train_with_gensim(
            corpus, order, vocabulary, config, threads, start_from=start_from, keep=keep_training_state, progress=shown
        )
        provenance = gensim_provenance(corpus, config, threads)
        made_on = machine()
    else:
        walk, rows = Walk(corpus, order), _rows(corpus, vocabulary)
        try:
            native = NativeTraining(walk, rows, vocabulary, config, threads, start_from)
        except MemoryError:
            raise TrainingError(
                f"not enough memory: {len(vocabulary)} words in {config.dim} dimensions need "
                f"{8e-9 * len(vocabulary) * config.dim:.1f} GB; raise min_count or lower dim"
            ) from None
        reproducible = not (config.racy and native.threads > 1)
        provenance = native_provenance(corpus, config, threads, reproducible=reproducible)
        known = {**provenance, "threads": None, "resample": resample and asdict(resample)}
        known["instruction_set"] = native.instruction_set
        trained = native.run(
            known, checkpoints=checkpoints, on_epoch=on_epoch, keep=keep_training_state, progress=shown
        )
        made_on = {**machine(), "instruction_set": native.instruction_set}
    seconds = perf_counter() - start
    _check_finite(trained.vectors, vocabulary)
    if walk.cut:
        logger.info("%d sentences of over %d words were trained in pieces", walk.cut, LONGEST_SENTENCE)
    read = sum(epoch["words"] for epoch in trained.history)
    logger.info("trained %d words in %.1f s, %.0f words/s", read, seconds, read / seconds)
    provenance["corpus"]["sentences_cut"] = walk.cut
    if order is not None and resample is not None:
        provenance["resample"] = recorded(corpus, resample, order, len(vocabulary))
    if start_from is not None:
        provenance["started_from"] = lineage(start_from)
    run = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": seconds,
        "words_per_second": round(read / sum(epoch["seconds"] for epoch in trained.history)),
        "machine": made_on,
        "epochs": trained.history,
    }
    return Embeddings(
        vocabulary,
        trained.vectors,
        provenance=provenance,
        run=run,
        subwords=trained.subwords,
        training_state=trained.training_state,
    )


def _rows(corpus: EncodedCorpus, vocabulary: Vocabulary) -> npt.NDArray[np.uint32]:
    """The row of each id of the corpus, `ABSENT` for words that are not trained."""
    found = vocabulary.find(corpus.vocabulary.words)
    return np.where(found < 0, ABSENT, found).astype(np.uint32)


def _trained_words(vocabulary: Vocabulary, min_count: int) -> Vocabulary:
    """The words to train, in their order."""
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
    return vocabulary.head(kept)


def _check_finite(matrix: npt.NDArray[np.float32], vocabulary: Vocabulary) -> None:
    for begin in range(0, len(matrix), ROWS_A_BLOCK):
        finite = np.isfinite(matrix[begin : begin + ROWS_A_BLOCK]).all(axis=1)
        if not finite.all():
            row = begin + int(np.argmin(finite))
            raise TrainingError(
                f"training diverged: the vector of '{vocabulary[row]}' (row {row}) is not finite; lower alpha"
            )
