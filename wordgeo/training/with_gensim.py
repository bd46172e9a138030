"""Training through gensim's engine: the same model, the same bytes."""

from __future__ import annotations

import logging
import math
import platform
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo._version import __version__
from wordgeo.embeddings import Embeddings, TrainingState
from wordgeo.errors import TrainingError
from wordgeo.formats.gensim import subwords_from_gensim
from wordgeo.progress import Progress
from wordgeo.training.config import OF_SUBWORDS, TrainingConfig
from wordgeo.training.records import Trained
from wordgeo.training.sentences import RARE, Sentences, Walk
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["gensim_provenance", "train_with_gensim"]

logger = logging.getLogger(__name__)

WORDS_A_BATCH = 10_000  # gensim's own, which also decides when the learning rate falls: the bytes depend on it
LARGEST_LOSS_OF_BATCH = 2.0**22  # gensim adds up a batch in float32, whose steps are 0.5 from here on


def train_with_gensim(
    corpus: EncodedCorpus,
    order: npt.NDArray[np.int64] | None,
    vocabulary: Vocabulary,
    config: TrainingConfig,
    threads: int,
    *,
    start_from: Embeddings | None,
    keep: bool,
    progress: Progress,
) -> tuple[Walk, Trained]:
    """The sentences that were trained, and vectors with the bytes of gensim's own model on them."""
    from wordgeo.training.gensim_engine import GensimFastText, GensimWord2Vec

    if threads > 1:
        logger.warning("with %d threads gensim gives other bytes each time; threads=1 gives the same", threads)
    counts = dict(zip(vocabulary.words, np.asarray(vocabulary.counts).tolist(), strict=True))
    sentences = Sentences(corpus, [word if word in counts else RARE for word in corpus.vocabulary.words], order)
    fasttext = config.algorithm == "fasttext"
    ngrams = {name: getattr(config, name) for name in OF_SUBWORDS} if fasttext else {}
    show_loss = not fasttext and _loss_of_batch(config, len(counts)) < LARGEST_LOSS_OF_BATCH
    progress.start(f"training {config.algorithm}, seed {config.seed}", config.epochs * sentences.walk.tokens, "words")
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
        model.build_vocab_from_freq(counts, corpus_count=sentences.walk.pieces)
        if start_from is not None and start_from.training_state is not None:
            rows = vocabulary.rows(start_from.words)
            model.wv.vectors[rows] = start_from.vectors
            start_from.training_state.restore(model, rows)
        model.train(sentences, total_examples=sentences.walk.pieces, epochs=config.epochs, compute_loss=show_loss)
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
    return sentences.walk, Trained(
        model.wv.vectors,
        model.history,
        training_state=TrainingState.of_gensim(model) if keep else None,
        subwords=subwords_from_gensim(model.wv),
    )


def _loss_of_batch(config: TrainingConfig, words: int) -> float:
    """The most that the loss of one batch can be at the beginning, where each term is log 2."""
    contexts = 1 if config.algorithm == "cbow" else config.window + 1 if config.shrink_windows else 2 * config.window
    terms = (config.negative + 1 if config.negative else 0) + (math.log2(words) if config.hs else 0)
    return WORDS_A_BATCH * contexts * terms * math.log(2)


def gensim_provenance(corpus: EncodedCorpus, config: TrainingConfig, threads: int) -> dict[str, Any]:
    """How to make a model of gensim's engine again, for `wordgeo.json`."""
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
        },
        "versions": {
            "wordgeo": __version__,
            "gensim": gensim.__version__,
            "numpy": np.__version__,
            "scipy": scipy.version.version,
            "python": platform.python_version(),
        },
    }
