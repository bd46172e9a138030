"""What a model says of its training: how to make it again, and where it was made."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING, Any

from wordgeo._version import __version__
from wordgeo.system import package_versions
from wordgeo.training.config import TrainingConfig

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["machine", "provenance"]


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
