"""Which function trains which algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.progress import Progress
from wordgeo.training.checkpoints import Checkpoints
from wordgeo.training.config import WORD2VEC, TrainingConfig
from wordgeo.training.native import OnEpoch
from wordgeo.training.resample import Resample
from wordgeo.training.word2vec import train_embeddings as train_word2vec

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["train_embeddings"]


def train_embeddings(
    corpus: EncodedCorpus,
    config: TrainingConfig,
    *,
    start_from: Embeddings | None = None,
    resample: Resample | None = None,
    keep_training_state: bool = False,
    checkpoints: Checkpoints | None = None,
    memory: str | int | None = None,
    on_epoch: OnEpoch | None = None,
    progress: Progress | bool | None = None,
) -> Embeddings:
    """Vectors float32 [words, dim] for the words that occur `min_count` times or more, by descending count.

    `checkpoints` says where a training by the native engine keeps what it needs to go on after it was killed, and
    `memory` what counting for GloVe and PPMI may take ("4G"). Neither shapes the vectors.

    Raises `OptionError` for what the algorithm does not have, and what its trainer raises: see
    `wordgeo.training.word2vec.train_embeddings`, `wordgeo.training.glove.train_glove` and
    `wordgeo.training.ppmi.train_ppmi`.
    """
    if config.algorithm not in WORD2VEC:
        return _train_counted(corpus, config, start_from, resample, checkpoints, memory, progress)
    if memory is not None:
        raise OptionError(f"memory is the budget of counting, which {config.algorithm} does not do; leave it out")
    return train_word2vec(
        corpus,
        config,
        start_from=start_from,
        resample=resample,
        keep_training_state=keep_training_state,
        checkpoints=checkpoints,
        on_epoch=on_epoch,
        progress=progress,
    )


def _train_counted(
    corpus: EncodedCorpus,
    config: TrainingConfig,
    start_from: Embeddings | None,
    resample: Resample | None,
    checkpoints: Checkpoints | None,
    memory: str | int | None,
    progress: Progress | bool | None,
) -> Embeddings:
    if start_from is not None:
        raise OptionError(f"start_from is for skipgram and cbow; {config.algorithm} cannot go on from a model")
    if config.algorithm == "glove":
        from wordgeo.training.glove import train_glove

        return train_glove(corpus, config, resample=resample, checkpoints=checkpoints, memory=memory, progress=progress)
    from wordgeo.training.ppmi import train_ppmi

    if checkpoints is not None:
        raise OptionError("ppmi has no epochs, and keeps no checkpoints; leave checkpoint_every and resume out")
    return train_ppmi(corpus, config, resample=resample, memory=memory, progress=progress)
