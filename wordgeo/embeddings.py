"""Words and their vectors, without questions: what trainers make, files hold and measures ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.errors import FormatError
from wordgeo.instructions import choose_instruction_set
from wordgeo.threads import run_blocks
from wordgeo.validate import float_rows
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = ["Embeddings"]

choose_instruction_set()

ROWS_A_BLOCK = 1 << 14


class Embeddings:
    """A vocabulary, a float32 matrix [words, dimensions] with row i for word i, and where they come from.

    The matrix is never modified, and is read-only through `vectors`. `provenance` is what `wordgeo.json` holds and
    `run` what `run.json` holds (times, machine, loss); both are empty for vectors from elsewhere. `path` is the folder
    they are mapped from, if any.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        matrix: npt.NDArray[np.float32],
        *,
        provenance: Mapping[str, Any] | None = None,
        run: Mapping[str, Any] | None = None,
        path: str | Path | None = None,
    ) -> None:
        if matrix.dtype != np.float32 or matrix.ndim != 2 or not matrix.flags.c_contiguous:
            matrix = float_rows("vectors", matrix)
        if len(matrix) != len(vocabulary):
            raise FormatError(f"{len(vocabulary)} words but {len(matrix)} vectors; give one vector for each word", path)
        if matrix.shape[1] == 0:
            raise FormatError("the vectors have no dimensions", path)
        self.vocabulary = vocabulary
        self.vectors = matrix.view()
        self.vectors.flags.writeable = False
        self.provenance: dict[str, Any] = dict(provenance or {})
        self.run: dict[str, Any] = dict(run or {})
        self.path = None if path is None else Path(path)
        self._derived: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._queries = 0

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __contains__(self, word: object) -> bool:
        return word in self.vocabulary

    def __getitem__(self, word: str) -> npt.NDArray[np.float32]:
        """The vector of a word, float32 [dimensions], read-only. Raises `UnknownWordError`."""
        return self.vectors[self.vocabulary.index(word)]

    @property
    def words(self) -> list[str]:
        """All words, by row."""
        return self.vocabulary.words

    @property
    def counts(self) -> npt.NDArray[np.uint64] | None:
        """How often each word occurred in the training corpus, uint64 [words]; None where that is not known."""
        return self.vocabulary.counts

    @property
    def dimensions(self) -> int:
        """Length of each vector."""
        return int(self.vectors.shape[1])

    @property
    def norms(self) -> npt.NDArray[np.float64]:
        """Euclidean norm of each vector, float64 [words]; computed at the first use.

        Raises `FormatError` naming the word if a vector has a NaN or an infinite element.
        """
        norms: npt.NDArray[np.float64] = self.derived("norms", self._compute_norms)
        return norms

    def derived(self, name: str, build: Callable[[], Any]) -> Any:
        """What `build` makes of the vectors, made at the first use and kept under `name`."""
        if name not in self._derived:
            with self._lock:
                if name not in self._derived:
                    self._derived[name] = build()
        return self._derived[name]

    @property
    def memory(self) -> dict[str, int]:
        """Bytes of the vectors (mapped where they come from a folder) and of what was made of them so far, by name."""
        made = {name: int(value.nbytes) for name, value in self._derived.items() if hasattr(value, "nbytes")}
        return {"vectors": int(self.vectors.nbytes), **made}

    def count_queries(self, n: int) -> int:
        """Notes that n more queries are asked and returns how many that are in all."""
        with self._lock:
            self._queries += n
            return self._queries

    def _compute_norms(self) -> npt.NDArray[np.float64]:
        norms = np.empty(len(self), dtype=np.float64)
        starts = range(0, len(self), ROWS_A_BLOCK)
        run_blocks(
            lambda begin: _fast.norms(self.vectors[begin : begin + ROWS_A_BLOCK], norms[begin:][:ROWS_A_BLOCK]),
            [(begin,) for begin in starts],
        )
        bad = np.flatnonzero(~np.isfinite(norms))
        if len(bad):
            word = self.vocabulary[int(bad[0])]
            raise FormatError(
                f"the vector of '{word}' (row {int(bad[0])}) has a NaN or infinite element; "
                f"so have {len(bad)} of {len(self)} rows; remove them or train again",
                self.path,
            )
        return norms

    def to_gensim(self) -> KeyedVectors:
        """A `gensim.models.KeyedVectors` with the same words, vectors (copied) and counts."""
        from gensim.models import KeyedVectors

        vectors = KeyedVectors(vector_size=self.dimensions)  # not `count=`: add_vectors would come after empty rows
        vectors.add_vectors(self.words, self.vectors)  # copies
        if self.counts is not None:
            vectors.allocate_vecattrs(["count"], [np.dtype(np.int64)])
            vectors.expandos["count"][:] = self.counts
        vectors.fill_norms(force=True)
        return vectors

    def __repr__(self) -> str:
        algorithm = self.provenance.get("algorithm", "vectors")
        where = f" from {self.path}" if self.path else ""
        return f"<{type(self).__name__}: {algorithm}, {len(self)} words × {self.dimensions}{where}>"
