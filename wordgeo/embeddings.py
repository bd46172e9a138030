"""Words and their vectors, without questions: what trainers make, files hold and measures ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.errors import FormatError, TrainingError
from wordgeo.instructions import choose_instruction_set
from wordgeo.subwords import Subwords
from wordgeo.threads import run_blocks
from wordgeo.validate import float_rows
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from gensim.models import KeyedVectors, Word2Vec

__all__ = ["Embeddings", "TrainingState"]

choose_instruction_set()

ROWS_A_BLOCK = 1 << 14
RANDOM_WORDS = 625
GENSIM_PARAMETERS = (
    "window", "negative", "ns_exponent", "shrink_windows", "alpha", "min_alpha", "epochs", "min_count", "sample",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What a training needs to go on, beside the vectors: kept with `keep_training_state`.

    `output` float32 [words, dimensions] are the vectors of words as contexts, by negative sampling; `random` uint32
    [625] is where the random draws stand (the 624 words of a Mersenne twister, and its position).
    """

    output: npt.NDArray[np.float32]
    random: npt.NDArray[np.uint32]

    @classmethod
    def of_gensim(cls, model: Word2Vec) -> TrainingState:
        """The state of a gensim model that was trained by negative sampling."""
        _, key, position, *_ = model.random.get_state()
        return cls(output=model.syn1neg, random=np.append(key, position).astype(np.uint32))

    def restore(self, model: Word2Vec, rows: npt.NDArray[np.int64]) -> None:
        """Puts the state into a gensim model in which word i has the row rows[i]; arrays are copied."""
        model.syn1neg[rows] = self.output
        model.random.set_state(("MT19937", np.array(self.random[:-1]), int(self.random[-1])))


class Embeddings:
    """A vocabulary, a float32 matrix [words, dimensions] with row i for word i, and where they come from.

    The matrix is never modified, and is read-only through `vectors`. `provenance` is what `wordgeo.json` holds and
    `run` what `run.json` holds (times, machine, loss); both are empty for vectors from elsewhere. `path` is the folder
    they are mapped from, if any. `subwords` are FastText's vectors of n-grams and `training_state` what going on with
    the training needs; None where there are none.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        matrix: npt.NDArray[np.float32],
        *,
        provenance: Mapping[str, Any] | None = None,
        run: Mapping[str, Any] | None = None,
        path: str | Path | None = None,
        subwords: Subwords | None = None,
        training_state: TrainingState | None = None,
    ) -> None:
        if matrix.dtype != np.float32 or matrix.ndim != 2 or not matrix.flags.c_contiguous:
            matrix = float_rows("vectors", matrix)
        if len(matrix) != len(vocabulary):
            raise FormatError(f"{len(vocabulary)} words but {len(matrix)} vectors; give one vector for each word", path)
        if matrix.shape[1] == 0:
            raise FormatError("the vectors have no dimensions", path)
        if subwords is not None and subwords.vectors.shape[1] != matrix.shape[1]:
            raise FormatError(
                f"the vectors have {matrix.shape[1]} dimensions and those of n-grams {subwords.vectors.shape[1]}", path
            )
        if training_state is not None and (
            training_state.output.shape != matrix.shape or training_state.random.shape != (RANDOM_WORDS,)
        ):
            raise FormatError("the training state is not the one of these vectors", path)
        self.vocabulary = vocabulary
        self.subwords = subwords
        self.training_state = training_state
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
        """The vector of a word, float32 [dimensions], read-only. Raises `UnknownWordError`.

        With `subwords` a word that was never seen has the mean of the vectors of its n-grams, as in FastText.
        """
        row = int(self.vocabulary.find([word])[0])
        if row < 0 and self.subwords is not None and (composed := self.subwords.compose(word)) is not None:
            composed.flags.writeable = False
            return composed
        return self.vectors[row if row >= 0 else self.vocabulary.index(word)]

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

    @overload
    def to_gensim(self, *, trainable: Literal[False] = False) -> KeyedVectors: ...

    @overload
    def to_gensim(self, *, trainable: Literal[True]) -> Word2Vec: ...

    def to_gensim(self, *, trainable: bool = False) -> KeyedVectors | Word2Vec:
        """A `gensim.models.KeyedVectors` with the same words, vectors (copied) and counts.

        With `trainable` a `gensim.models.Word2Vec` with copied arrays, whose `train` goes on where the training of
        this model ended: with the bytes that gensim's own model would have given. Raises `TrainingError` where no
        training state was kept.
        """
        from gensim.models import KeyedVectors

        if trainable:
            return self._to_word2vec()

        vectors = KeyedVectors(vector_size=self.dimensions)  # not `count=`: add_vectors would come after empty rows
        vectors.add_vectors(self.words, self.vectors)  # copies
        if self.counts is not None:
            vectors.allocate_vecattrs(["count"], [np.dtype(np.int64)])
            vectors.expandos["count"][:] = self.counts
        vectors.fill_norms(force=True)
        return vectors

    def _to_word2vec(self) -> Word2Vec:
        from gensim.models import Word2Vec

        state, known = self.training_state, self.provenance.get("parameters", {})
        if state is None or self.counts is None:
            raise TrainingError("no training state was kept with this model; train it with keep_training_state=True")
        try:
            model = Word2Vec(
                vector_size=self.dimensions,
                sg=int(self.provenance["algorithm"] == "skipgram"),
                seed=self.provenance["seed"],
                workers=self.provenance["threads"],
                cbow_mean=int(known["cbow_mean"]),
                sorted_vocab=0,
                **{name: known[name] for name in GENSIM_PARAMETERS},
            )
        except (KeyError, TypeError) as problem:
            raise TrainingError(f"the provenance does not say how the model was trained ({problem})") from None
        counts = dict(zip(self.words, self.counts.tolist(), strict=True))
        model.min_count = 1  # what was trained once stays, however rare
        model.build_vocab_from_freq(counts, corpus_count=self.provenance["corpus"]["sentence_count"])
        model.min_count = known["min_count"]
        model.wv.vectors[:] = self.vectors
        state.restore(model, np.arange(len(self)))
        return model

    def __repr__(self) -> str:
        algorithm = self.provenance.get("algorithm", "vectors")
        where = f" from {self.path}" if self.path else ""
        return f"<{type(self).__name__}: {algorithm}, {len(self)} words × {self.dimensions}{where}>"
