"""What a training gives, and what a model says of it: how to make it again, and where it was made."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo._version import __version__
from wordgeo.embeddings import TrainingState
from wordgeo.subwords import Subwords
from wordgeo.system import package_versions
from wordgeo.training.config import TrainingConfig

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["Trained", "aligned_zeros", "machine", "provenance"]

F32 = npt.NDArray[np.float32]
LINE_BYTES = 64


@dataclass(frozen=True)
class Trained:
    """What an engine gives: vectors by row of the vocabulary, a record for each epoch, and what came with them."""

    vectors: F32
    history: list[dict[str, Any]]
    training_state: TrainingState | None = None
    subwords: Subwords | None = None


def aligned_zeros(*shape: int) -> F32:
    """Zeros, float32 [shape], that begin with a line of the cache: else each register that is read would lie in two."""
    size = math.prod(shape)
    room = np.zeros(size + LINE_BYTES // 4, dtype=np.float32)
    begin = -room.ctypes.data % LINE_BYTES // 4
    return room[begin : begin + size].reshape(shape)


def machine() -> dict[str, Any]:
    """The machine, for `run.json`."""
    return {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()}


def provenance(corpus: EncodedCorpus, config: TrainingConfig, threads: int, *, reproducible: bool) -> dict[str, Any]:
    """How to make a model of the native engine again, for `wordgeo.json`."""
    versions = {name: version for name, version in package_versions().items() if name != "gensim"}
    return {
        "algorithm": config.algorithm,
        "engine": config.trains_with,
        "engine_version": __version__,
        "parameters": config.parameters(),
        "seed": config.seed,
        "threads": threads,
        "reproducible": reproducible,
        "corpus": {
            "fingerprint": corpus.fingerprint,
            **{name: corpus.info.get(name) for name in ("tokens", "case", "documents")},
            "token_count": len(corpus.ids),
            "sentence_count": len(corpus.sentences) - 1,
            "document_count": len(corpus.documents) - 1,
            "word_count": len(corpus.vocabulary),
        },
        "versions": {"wordgeo": __version__, **versions, "python": platform.python_version()},
    }
