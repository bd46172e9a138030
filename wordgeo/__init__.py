"""wordgeo: train word embeddings, ask them questions, and know which answers to trust.

Names are loaded when they are first used, so that `import wordgeo` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from wordgeo._version import __version__

if TYPE_CHECKING:
    from wordgeo._lobby import compare, from_arrays, from_gensim, load, save, train
    from wordgeo.corpus import Documents, EncodedCorpus, encode
    from wordgeo.embeddings import Embeddings
    from wordgeo.errors import UnknownWordError, WordgeoError
    from wordgeo.evaluation import evaluate
    from wordgeo.query import WordVectors
    from wordgeo.stability import Ensemble, align
    from wordgeo.stability.measure import stability

_HOMES = {
    "Documents": "wordgeo.corpus",
    "Embeddings": "wordgeo.embeddings",
    "EncodedCorpus": "wordgeo.corpus",
    "Ensemble": "wordgeo.stability",
    "UnknownWordError": "wordgeo.errors",
    "WordVectors": "wordgeo.query",
    "WordgeoError": "wordgeo.errors",
    "align": "wordgeo.stability",
    "compare": "wordgeo._lobby",
    "encode": "wordgeo.corpus",
    "evaluate": "wordgeo.evaluation",
    "from_arrays": "wordgeo._lobby",
    "from_gensim": "wordgeo._lobby",
    "load": "wordgeo._lobby",
    "save": "wordgeo._lobby",
    "stability": "wordgeo.stability",  # a module that can be called
    "train": "wordgeo._lobby",
}

__all__ = [
    "Documents",
    "Embeddings",
    "EncodedCorpus",
    "Ensemble",
    "UnknownWordError",
    "WordVectors",
    "WordgeoError",
    "__version__",
    "align",
    "compare",
    "encode",
    "evaluate",
    "from_arrays",
    "from_gensim",
    "load",
    "save",
    "stability",
    "train",
]


if not TYPE_CHECKING:  # a type checker is to see the names above and nothing else

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'wordgeo' has no attribute {name!r}")
        if find_spec("wordgeo._fast") is None:
            raise ImportError(
                "this is wordgeo's source folder, which is not compiled: run Python from another folder to use the "
                "installed package, or build in place (python setup.py build_ext --inplace)"
            )
        module = import_module(_HOMES[name])
        value = module if _HOMES[name] == f"wordgeo.{name}" else getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
