"""GloVe: vectors whose products are the logarithms of co-occurrence counts, by AdaGrad in blocks that never collide."""

from __future__ import annotations

import hashlib
import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError, OptionError, TrainingError
from wordgeo.instructions import choose_instruction_set
from wordgeo.progress import Progress, resolve_progress
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.training import _glove
from wordgeo.training.checkpoints import Checkpoint, Checkpoints
from wordgeo.training.config import TrainingConfig
from wordgeo.training.counting import CountingOptions, count_cached
from wordgeo.training.counting_file import U64, Counts
from wordgeo.training.draws import stream_key
from wordgeo.training.records import aligned_zeros, machine, provenance
from wordgeo.training.resample import Resample, recorded

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["train_glove"]

logger = logging.getLogger(__name__)

F32 = npt.NDArray[np.float32]

CLIP = 100.0  # no element of a gradient is taken to be larger
LANES = 16  # floats in the widest register, and in a line of the cache
PANEL_BYTES = 4 << 20  # two panels a core stay in the cache that cores share
FEWEST_PANELS, FEWEST_WORDS_A_PANEL, MOST_WORDS_A_PANEL = 16, 16, 1 << 16
RANGES = 16  # examples are placed in so many ranges of rows, whatever the threads
EXAMPLE = np.dtype([("row", "<u2"), ("column", "<u2"), ("log_count", "<f4"), ("weight", "<f4")])


@dataclass(frozen=True)
class Arrangement:
    """The examples of a matrix in blocks: block (p, q) has words of panel p and contexts of panel q.

    Panel p has the words p, p + panels, ..., so that all are alike in how frequent their words are. `examples` are
    those of block (0, 0), (0, 1), ... end to end, `starts` uint64 [panels² + 1] where each begins.
    """

    panels: int
    examples: npt.NDArray[Any]
    starts: U64

    def block(self, p: int, q: int) -> npt.NDArray[Any]:
        """The examples of a block."""
        i = p * self.panels + q
        return self.examples[int(self.starts[i]) : int(self.starts[i + 1])]


def train_glove(
    corpus: EncodedCorpus,
    config: TrainingConfig,
    *,
    resample: Resample | None = None,
    checkpoints: Checkpoints | None = None,
    memory: str | int | None = None,
    progress: Progress | bool | None = None,
) -> Embeddings:
    """Vectors float32 [words, dim] for the words that occur `min_count` times or more, by descending count.

    Minimises, over all pairs of words i and contexts j that occur x_ij > 0 times near each other,

        J = Σ f(x_ij) (w_i·c_j + b_i + b'_j - log x_ij)² / 2        f(x) = min(1, (x / x_max)^alpha)

    by AdaGrad, one pair after another. The counts come from the cache, where they were counted before. The pairs lie in
    blocks of words × contexts; blocks that are trained at the same time share neither (the strata of Gemulla et al.
    2011), and their order is drawn from the seed. So the same seed gives the same bytes with any number of threads, on
    one instruction set.

    `run` of the result has the loss of each epoch in float64: J, where each pair is taken before its own step, and
    `loss_per_pair`, which Stanford's program calls cost.

    Raises `TrainingError` where there is nothing to learn or the loss is not a number, and what counting raises.
    References: Pennington, Socher & Manning 2014; Duchi, Hazan & Singer 2011.
    """
    threads, shown = resolve_threads(config.threads), resolve_progress(progress)
    started, start = datetime.now(UTC), perf_counter()
    counts = count_cached(
        corpus, CountingOptions.of(config), resample=resample, memory=memory, threads=threads, progress=shown
    )
    if not counts.entries:
        raise TrainingError("no two words ever stand together; lower min_count or give more text")
    counted = perf_counter() - start
    training = GloveTraining(counts, config, threads)
    logger.info("glove by the native engine: %d pairs of %d words", training.pairs, len(counts))
    known = training.known()
    history, done = [], 0
    resumed = checkpoints.latest(known) if checkpoints else None
    if resumed is not None:
        training.restore(resumed.arrays)
        history, done = list(resumed.facts["epochs"]), resumed.epoch
    shown.start(f"training glove, seed {config.seed}", config.epochs * training.pairs, "pairs")
    try:
        shown.advance(done * training.pairs)
        for epoch in range(done, config.epochs):
            begun = perf_counter()
            loss = training.epoch(epoch, shown)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"training diverged in epoch {epoch + 1}: the loss is not a number; lower learning_rate"
                )
            history.append(
                {
                    "loss": loss,
                    "loss_per_pair": loss / training.pairs,
                    "pairs": training.pairs,
                    "seconds": perf_counter() - begun,
                }
            )
            if checkpoints is not None and checkpoints.due(epoch + 1) and epoch + 1 < config.epochs:
                checkpoints.save(Checkpoint(epoch + 1, training.arrays(), {"epochs": history}), known)
    finally:
        shown.finish()
    made = provenance(corpus, config, threads, reproducible=True)
    if resample is not None:
        made["resample"] = recorded(corpus, resample, resample.order(corpus), len(counts))
    if training.begun_from:
        made["begun_from"] = training.begun_from
    run = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": perf_counter() - start,
        "counting_seconds": counted,
        "machine": {**machine(), "instruction_set": training.instruction_set},
        "epochs": history,
    }
    return Embeddings(counts.vocabulary, training.vectors(), provenance=made, run=run)


class GloveTraining:
    """The state of one training: examples in blocks, the records of words and of contexts, panel by panel."""

    def __init__(self, counts: Counts, config: TrainingConfig, threads: int) -> None:
        self.config, self.threads, self.words = config, threads, len(counts)
        self.instruction_set = _instruction_set()
        self._loop = _glove.instruction_sets().index(self.instruction_set)
        self.stride = -(-(config.dim + 1) // LANES) * LANES  # the bias has a place too
        self.examples = arrange(counts, config, panels(self.words, self.stride), threads)
        self.pairs = len(self.examples.examples)
        self._fingerprint = counts.fingerprint
        n = self.examples.panels
        self._order = np.concatenate([np.arange(p, self.words, n, dtype=np.uint32) for p in range(n)])
        self._begins = np.concatenate([[0], np.cumsum([len(range(p, self.words, n)) for p in range(n)])])
        shape = (self.words, 2 * self.stride)
        self._records = aligned_zeros(*shape), aligned_zeros(*shape)
        for stream, records in zip(("words", "contexts"), self._records, strict=True):
            _glove.begin_records(stream_key(config.seed, stream), self._order, config.dim, records)
        self.begun_from = _begin_from(config, counts, self._order, self._records)

    def known(self) -> dict[str, Any]:
        """What a checkpoint has to share with this training."""
        parameters = {name: value for name, value in self.config.parameters().items() if name != "epochs"}
        return {
            **parameters,
            "algorithm": self.config.algorithm,
            "seed": self.config.seed,
            "counts": self._fingerprint,
            "instruction_set": self.instruction_set,
            "begun_from": self.begun_from,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """The state after an epoch."""
        return dict(zip(("words", "contexts"), self._records, strict=True))

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Goes back to a state. Raises `FormatError` for one of another shape."""
        for name, records in self.arrays().items():
            if name not in arrays or arrays[name].shape != records.shape or arrays[name].dtype != np.float32:
                raise FormatError(f"the checkpoint has no {name} of {records.shape[0]} records; train without --resume")
            records[:] = arrays[name]

    def epoch(self, epoch: int, progress: Progress) -> float:
        """One pass over all pairs; the loss, added up in an order that does not depend on the threads."""
        n, config = self.examples.panels, self.config
        losses = np.zeros((n, n))

        def work(p: int, q: int) -> None:
            words, contexts = (self._records[i][self._begins[k] : self._begins[k + 1]] for i, k in ((0, p), (1, q)))
            losses[p, q] = _glove.train_block(
                self._loop, words, contexts, config.dim, self.examples.block(p, q), config.learning_rate,
                config.bias_learning_rate, CLIP,
            )  # fmt: skip

        note = f"epoch {epoch + 1} of {self.config.epochs}"
        for stratum in strata(n, self.config.seed, epoch):
            run_blocks(work, stratum, self.threads)
            done = sum(len(self.examples.block(p, q)) for p, q in stratum)
            progress.advance(done, note)
        return math.fsum(losses.ravel())

    def vectors(self) -> F32:
        """The vectors as `combine` says, by the rows of the vocabulary."""
        parts = {"word": (0,), "context": (1,), "sum": (0, 1)}[self.config.combine]
        vectors = np.empty((self.words, self.config.dim), dtype=np.float32)
        vectors[self._order] = sum(self._records[i][:, : self.config.dim] for i in parts)
        return vectors


def panels(words: int, stride: int) -> int:
    """Into how many panels words are dealt out: it depends on nothing that differs between machines."""
    by_cache = -(-words * 8 * stride // PANEL_BYTES)
    by_number = -(-words // MOST_WORDS_A_PANEL)
    return max(by_cache, by_number, min(FEWEST_PANELS, -(-words // FEWEST_WORDS_A_PANEL)))


def strata(n: int, seed: int, epoch: int) -> list[list[tuple[int, int]]]:
    """All blocks of n × n panels in n strata: within one, no two blocks share a panel. Drawn for each epoch."""
    columns, shifts = (_permutation(n, stream_key(seed, "order of blocks", epoch, i)) for i in (0, 1))
    return [[(p, int(columns[(p + shift) % n])) for p in range(n)] for shift in shifts.tolist()]


def arrange(counts: Counts, config: TrainingConfig, n: int, threads: int) -> Arrangement:
    """Deals the pairs out into blocks, and shuffles each. Raises `FormatError` for damaged counts."""
    cuts = np.searchsorted(counts.rows, np.linspace(0, len(counts.columns), RANGES + 1).astype(np.uint64))
    cuts[0], cuts[-1] = 0, len(counts)
    ranges = [(i, int(cuts[i]), int(cuts[i + 1])) for i in range(RANGES)]
    found = np.zeros((RANGES, n, n), dtype=np.uint64)
    good = np.ones(RANGES, dtype=bool)

    def measure(i: int, first: int, last: int) -> None:
        good[i] = _glove.count_examples(counts.rows, counts.columns, first, last, n, counts.symmetric, found[i])

    run_blocks(measure, ranges, threads)
    if not good.all():
        raise FormatError("a column is beyond the words; the counts are damaged: remove them", counts.path)
    # Block by block, and within a block range by range.
    by_block = np.ascontiguousarray(found.reshape(RANGES, n * n).T)
    ends = np.cumsum(by_block.ravel()).astype(np.uint64)
    begins = (ends - by_block.ravel()).reshape(n * n, RANGES).T.reshape(RANGES, n, n).copy()
    examples = np.empty(int(ends[-1]), dtype=EXAMPLE)

    def fill(i: int, first: int, last: int) -> None:
        _glove.place_examples(
            counts.rows, counts.columns, counts.sums, counts.unit, first, last, n, counts.symmetric,
            config.x_max, config.alpha, begins[i], examples,
        )  # fmt: skip

    run_blocks(fill, ranges, threads)
    starts = np.concatenate([np.zeros(1, dtype=np.uint64), ends[RANGES - 1 :: RANGES]])
    arranged = Arrangement(n, examples, starts)
    run_blocks(
        lambda p, q: _glove.shuffle(stream_key(config.seed, "order of examples", p, q), arranged.block(p, q)),
        [(p, q) for p in range(n) for q in range(n)],
        threads,
    )
    return arranged


def _permutation(n: int, key: int) -> npt.NDArray[np.int64]:
    drawn = np.empty(n, dtype=np.uint64)
    _glove.draws(key, drawn)
    return np.argsort(drawn, kind="stable")


def _instruction_set() -> str:
    """The best that this build has a loop for, up to the one that the kernels take."""
    own = _glove.instruction_sets()
    chosen = choose_instruction_set()
    return chosen if chosen in own else str(own[-1])


def _begin_from(config: TrainingConfig, counts: Counts, order: np.ndarray, records: tuple[F32, F32]) -> str | None:
    """Puts the vectors of a model in the places of its words; returns their checksum, None without a model.

    Both the word and the context begin with half of it where they are added in the end, else with the whole.
    """
    if config.init == "uniform":
        return None
    from wordgeo.formats import load

    model = load(Path(config.init))
    if model.dimensions != config.dim:
        raise OptionError(f"init: {config.init} has {model.dimensions} dimensions, and dim is {config.dim}")
    rows = model.vocabulary.find(counts.vocabulary.words)[order]
    here = np.flatnonzero(rows >= 0)
    if not len(here):
        raise OptionError(f"init: {config.init} has none of the words that are trained")
    logger.info("%d of %d words begin with the vectors of %s", len(here), len(counts), config.init)
    found = np.ascontiguousarray(model.vectors[rows[here]])
    for part in records:
        part[here, : config.dim] = found * np.float32(0.5 if config.combine == "sum" else 1)
    return hashlib.blake2b(found.data, digest_size=16).hexdigest()
