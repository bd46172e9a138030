"""Going on with a training: what may change, and the vocabulary that grows by the words of the new text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError, TrainingError
from wordgeo.training.config import TrainingConfig
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["check_start", "grown_vocabulary", "lineage", "next_config", "refuse_state"]

FIXED = ("algorithm", "dim", "hs", "cbow_mean")  # the shape of the vectors, and what they mean


def next_config(start: Embeddings, **options: Any) -> TrainingConfig:
    """The options with which `start` was trained, but for those that are given anew."""
    check_start(start)
    known = start.provenance
    before = {name: known[name] for name in ("algorithm", "engine", "seed", "threads")} | known["parameters"]
    return TrainingConfig(**(before | options))


def check_start(start: Embeddings, config: TrainingConfig | None = None) -> None:
    """Raises `TrainingError` for a model that cannot go on, `OptionError` for options that do not fit it."""
    if start.training_state is None or start.counts is None:
        where = f"{start.path} holds" if start.path else "the model has"
        raise TrainingError(f"{where} no training state; train it with keep_training_state (--keep-training-state)")
    known = start.provenance
    if not isinstance(known.get("parameters"), dict) or not {"algorithm", "engine", "seed", "threads"} <= set(known):
        raise TrainingError("the provenance of the model does not say how it was trained, so it cannot go on")
    for name in FIXED if config else ():
        value, before = getattr(config, name), known.get(name, known["parameters"].get(name))
        if value != before:
            raise OptionError(f"{name} is {value!r}, but the model to start from has {before!r}; leave it out")


def refuse_state(config: TrainingConfig) -> None:
    """Raises `OptionError` where this version keeps no training state."""
    if config.algorithm not in ("skipgram", "cbow"):
        raise OptionError(
            f"keep_training_state is for skipgram and cbow; this version keeps none of {config.algorithm}"
        )
    if config.hs:
        raise OptionError("keep_training_state does not go with hs: its tree would change with every new word")


def grown_vocabulary(start: Embeddings, corpus: EncodedCorpus, min_count: int) -> Vocabulary:
    """All words of the model, and those that occur `min_count` times or more in the corpus; counts are added up."""
    assert start.counts is not None
    counts = dict(zip(start.words, start.counts.tolist(), strict=True))
    words = corpus.vocabulary.words
    for word, count in zip(words, np.asarray(corpus.vocabulary.counts).tolist(), strict=True):
        if word in counts or count >= min_count:
            counts[word] = counts.get(word, 0) + count
    if not any(word in counts for word in words):
        raise TrainingError("the corpus has no word of the model and none that is frequent enough; lower min_count")
    ranked = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return Vocabulary.from_words(ranked, list(ranked.values()))


def lineage(start: Embeddings) -> list[dict[str, Any]]:
    """The provenances of all trainings before, the first one first."""
    earlier = dict(start.provenance)
    return [*earlier.pop("started_from", []), earlier]
