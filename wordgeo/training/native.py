"""Skip-gram and CBOW by negative sampling in compiled loops: the same seed gives the same bytes with any threads."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings, TrainingState
from wordgeo.errors import CorpusError, FormatError, TrainingError
from wordgeo.instructions import choose_instruction_set
from wordgeo.progress import Progress
from wordgeo.training import _sgns
from wordgeo.training.checkpoints import Checkpoint, Checkpoints
from wordgeo.training.config import TrainingConfig
from wordgeo.training.continuation import lineage
from wordgeo.training.draws import stream_key
from wordgeo.training.records import Trained, aligned_zeros
from wordgeo.training.sentences import LONGEST_SENTENCE, Walk
from wordgeo.vocabulary import Vocabulary

__all__ = [
    "ABSENT",
    "NativeTraining",
    "OnEpoch",
    "instruction_set",
    "keep_table",
    "noise_tables",
    "noises_of_block",
    "slices",
    "streams_of_chunk",
    "token_table",
]

logger = logging.getLogger(__name__)

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
OnEpoch = Callable[[int, dict[str, Any]], Any]

TOKENS_A_CHUNK = 1 << 11  # planned at once, and trained with one learning rate
CHUNKS_A_BLOCK = 1 << 8  # some tenths of a second: how long Ctrl-C waits
BLOCKS_UNTIL_ALONE = 64  # when one thread is tried
BLOCKS_UNTIL_ALL = 8  # when all are, after one was faster
REMEMBERED = 0.8  # of a speed, for each block that was slower
LINES_A_SLICE = 6  # a thread has no less to do between two meetings
NOISES_A_PAIR = 0.8  # noise words of a block, for each that an input is to have in the mean
MOST_AT_ONCE = 0.5  # steps of a block on the row of one word in the mean, times the learning rate
ROWS_A_BLOCK = 1 << 14
ABSENT = 2**32 - 1


class NativeTraining:
    """The state of one training; see sgns.h for what is computed.

    Vocabulary, sampling table, thinning, windows, learning rate and first vectors are gensim's; the draws, the order of
    the steps and how noise is shared out are not. `rows` uint32 has the row of each id of the corpus, `ABSENT` where it
    is not trained. With `start_from`, words of that model begin where its training left them.
    """

    def __init__(
        self,
        walk: Walk,
        rows: U32,
        vocabulary: Vocabulary,
        config: TrainingConfig,
        threads: int,
        start_from: Embeddings | None = None,
    ) -> None:
        self.config, self.walk, self.words = config, walk, len(vocabulary)
        counts = np.asarray(vocabulary.counts)
        self.instruction_set = instruction_set()
        self._loop = _sgns.instruction_sets().index(self.instruction_set)
        self.lines = slices(config.dim)[[0, -1]] if config.racy else slices(config.dim)
        self.threads = min(threads, _sgns.MOST_THREADS if config.racy else len(self.lines) - 1)
        self._pace = Pace(self.threads, alone=not config.racy)
        if self.threads < threads:
            logger.info("%d threads train %d dimensions, no more", self.threads, config.dim)
        self._generation = 0 if start_from is None else len(lineage(start_from))  # draws anew where it goes on
        keep = keep_table(counts, config.sample)
        self._sums, self._guide = noise_tables(counts, config.ns_exponent)
        self._tokens = token_table(rows, keep)
        stride = int(self.lines[-1]) * _sgns.LINE
        self._vectors, self._outputs = (aligned_zeros(self.words * stride) for _ in range(2))
        self._begin(vocabulary, start_from)
        self._windows = _windows(config, streams_of_chunk(counts, keep, self._sums, config))
        capacity = TOKENS_A_CHUNK + LONGEST_SENTENCE
        noises = -(-capacity // self._windows["streams"]) * self._windows["noises"]
        # Left as the system gives it: what no chunk needs takes no memory.
        self._kept = np.empty((2 * self.threads, capacity), dtype=np.uint32)
        self._bounds = np.empty((2 * self.threads, 2, capacity), dtype=np.int32)
        self._noises = np.empty((2 * self.threads, noises), dtype=np.uint32)
        self._times = np.empty((2 * self.threads, noises), dtype=np.float32)
        self._counts = np.zeros(2 * self.threads, dtype=np.int64)
        self._own = [aligned_zeros(_sgns.VECTORS_OF_OWN * stride) for _ in range(self.threads)]
        teams = self.threads if config.racy else 1
        self._shared = [aligned_zeros(_sgns.SHARED_FLOATS) for _ in range(teams)]

    def _begin(self, vocabulary: Vocabulary, start_from: Embeddings | None) -> None:
        """gensim's first vectors, uniform in [-1, 1) / dim, or those of a model."""
        random = np.random.default_rng(seed=self.config.seed)
        for begin in range(0, self.words, ROWS_A_BLOCK):
            rows = random.random((min(ROWS_A_BLOCK, self.words - begin), self.config.dim), dtype=np.float32)
            rows *= 2.0
            rows -= 1.0
            rows /= self.config.dim
            self._put(self._vectors, slice(begin, begin + len(rows)), rows)
        if start_from is not None and start_from.training_state is not None:
            known = vocabulary.rows(start_from.words)
            self._put(self._vectors, known, start_from.vectors)
            self._put(self._outputs, known, start_from.training_state.output)

    def _parts_of(self, flat: F32) -> Iterator[tuple[F32, slice]]:
        """Each slice of a matrix as [words, its floats], and which dimensions it has."""
        for begin, end in zip(self.lines[:-1] * _sgns.LINE, self.lines[1:] * _sgns.LINE, strict=True):
            part = flat[self.words * begin : self.words * end].reshape(self.words, end - begin)
            yield part[:, : max(0, self.config.dim - begin)], slice(begin, min(end, self.config.dim))

    def _put(self, flat: F32, rows: Any, values: F32) -> None:
        for part, dimensions in self._parts_of(flat):
            part[rows] = values[:, dimensions]

    def _take(self, flat: F32) -> F32:
        values = np.empty((self.words, self.config.dim), dtype=np.float32)
        for part, dimensions in self._parts_of(flat):
            values[:, dimensions] = part
        return values

    def vectors(self) -> F32:
        """The vectors, float32 [words, dim]."""
        return self._take(self._vectors)

    def training_state(self) -> TrainingState:
        """What going on needs, here or in gensim (whose random draws begin anew)."""
        _, key, position, *_ = np.random.RandomState(self.config.seed).get_state()
        return TrainingState(self._take(self._outputs), np.append(key, position).astype(np.uint32))

    def epoch(self, epoch: int, progress: Progress) -> dict[str, Any]:
        """One pass over the sentences; the record of it. Raises `TrainingError`, `CorpusError`."""
        begun, note = perf_counter(), f"epoch {epoch + 1} of {self.config.epochs}"
        model = self._model("epoch", self._generation, epoch)
        total = self._walk(model, epoch, lambda words: progress.advance(words, note))
        record = {**total, "seconds": perf_counter() - begun}
        if self.config.holdout:
            held = self._model("held out", only_held=True)
            measured = self._walk(held, None, lambda words: None)
            if not measured["trained_words"]:
                raise TrainingError("no sentence that could be learned from is held out; raise holdout")
            record["held_out_loss_per_word"] = measured["loss_per_word"]
        return record

    def _model(self, *draws: int | str, only_held: bool = False) -> Any:
        key, noise_key = (stream_key(self.config.seed, *draws, *name) for name in ((), ("noise",)))
        return _sgns.Model(
            self._vectors, self._outputs, self.lines, self.walk.ids, self._tokens, self._sums, self._guide,
            **self._windows,
            held=int(self.config.holdout * 2**32), only_held=only_held, key=key, noise_key=noise_key,
            held_key=stream_key(self.config.seed, "which are held out"),
        )  # fmt: skip

    def _walk(self, model: Any, epoch: int | None, advance: Callable[[int], None]) -> dict[str, Any]:
        """Trains on all sentences, with a learning rate of 0 where `epoch` is None: the loss alone."""
        config, walked, losses = self.config, 0, []
        trained = products = 0
        everything = self.walk.tokens * config.epochs
        for spans, chunks, positions in self._blocks():
            rates = np.zeros(len(positions), dtype=np.float32)
            if epoch is not None:
                done = (epoch * self.walk.tokens + positions) / everything
                rates[:] = config.alpha - (config.alpha - config.min_alpha) * done
            done_here = np.zeros(len(positions), dtype=_sgns.DONE)
            flags = np.zeros(self.threads * _sgns.FLAG_BYTES // 8, dtype=np.int64)
            arrays = (spans, chunks, positions, rates)

            threads, begun = self._pace.threads(), perf_counter()

            def work(
                me: int, threads: int = threads, arrays: tuple = arrays, flags: I64 = flags, done: Any = done_here
            ) -> None:
                _sgns.train_block(
                    self._loop, model, *arrays, threads, me, config.racy, self._kept, self._bounds, self._noises,
                    self._times, self._counts, flags, self._own[me], self._shared[me if config.racy else 0], done,
                )  # fmt: skip

            together(work, threads)
            self._check(done_here)
            losses.append(math.fsum(done_here["loss"].ravel().tolist()))
            trained += int(done_here["trained"].sum())
            products += int(done_here["products"].sum())
            words = int((spans[:, 1] - spans[:, 0]).sum())
            self._pace.note(threads, words / (perf_counter() - begun))
            walked += words
            advance(words)
        loss = math.fsum(losses)
        return {
            "loss": loss,
            "loss_per_word": loss / trained if trained else None,
            "trained_words": trained,
            "products": products,
            "words": walked,
        }

    def _blocks(self) -> Iterator[tuple[I64, I64, I64]]:
        """The walk in blocks: sentences [n, 2] as spans of tokens, where chunks begin among them, and in the walk."""
        walked = 0
        for begins, lengths in self.walk.blocks():
            some = lengths > 0
            begins, lengths = begins[some], lengths[some]
            before = np.cumsum(lengths) - lengths
            chunks = np.flatnonzero(np.diff(before // TOKENS_A_CHUNK, prepend=-1))
            for first in range(0, len(chunks), CHUNKS_A_BLOCK):
                here = chunks[first : first + CHUNKS_A_BLOCK]
                end = chunks[first + CHUNKS_A_BLOCK] if first + CHUNKS_A_BLOCK < len(chunks) else len(begins)
                spans = np.stack([begins, begins + lengths], axis=1)[here[0] : end]
                yield np.ascontiguousarray(spans), np.append(here, end) - here[0], walked + before[here]
            walked += int(lengths.sum())

    def _check(self, done: Any) -> None:
        damaged = done["damaged"]
        if damaged.any():
            at = int(damaged[damaged > 0][0]) - 1
            raise CorpusError(
                f"{self.walk.path}: token {at} has the id {int(self.walk.ids[at])}, but there are "
                f"{len(self._tokens)} words; the corpus is damaged: encode the text again"
            )
        if not np.isfinite(done["loss"]).all():
            raise TrainingError("training diverged: the loss is not a number; lower alpha")

    def arrays(self) -> dict[str, np.ndarray]:
        """The state after an epoch, for a checkpoint."""
        return {"vectors": self._vectors, "outputs": self._outputs}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Goes back to a state. Raises `FormatError` for one of another shape."""
        for name, values in self.arrays().items():
            if name not in arrays or arrays[name].shape != values.shape or arrays[name].dtype != np.float32:
                raise FormatError(f"the checkpoint has no {name} of {len(values)} numbers; train without --resume")
            values[:] = arrays[name]

    def run(
        self,
        known: dict[str, Any],
        *,
        checkpoints: Checkpoints | None = None,
        on_epoch: OnEpoch | None = None,
        keep: bool = False,
        progress: Progress,
    ) -> Trained:
        """All epochs, or those left after a checkpoint that shares `known`; `keep` keeps the training state."""
        config = self.config
        history: list[dict[str, Any]] = []
        resumed = checkpoints.latest(known) if checkpoints else None
        if resumed is not None:
            self.restore(resumed.arrays)
            history = list(resumed.facts["epochs"])
        progress.start(f"training {config.algorithm}, seed {config.seed}", config.epochs * self.walk.tokens, "words")
        try:
            progress.advance(len(history) * self.walk.tokens)
            for epoch in range(len(history), config.epochs):
                if self._is_over(history):
                    logger.info("ended after %d epochs: the held-out loss no longer falls", epoch)
                    break
                history.append(self.epoch(epoch, progress))
                if checkpoints is not None and checkpoints.due(epoch + 1) and epoch + 1 < config.epochs:
                    checkpoints.save(Checkpoint(epoch + 1, self.arrays(), {"epochs": history}), known)
                if on_epoch is not None:
                    on_epoch(epoch + 1, history[-1])
        finally:
            progress.finish()
        if not any(record["trained_words"] for record in history):
            raise TrainingError(
                "no two words that are trained ever stood together in a sentence, so nothing was learned; "
                "lower min_count, raise sample or give more text"
            )
        state = self.training_state() if keep else None
        self._outputs = np.empty(0, dtype=np.float32)  # makes room for the copy of the vectors
        return Trained(self.vectors(), history, state)

    def _is_over(self, history: list[dict[str, Any]]) -> bool:
        if self.config.patience is None or not history:
            return False
        losses = np.array([record["held_out_loss_per_word"] for record in history])
        return len(losses) - 1 - int(np.argmin(losses)) >= self.config.patience


class Pace:
    """How many threads are worth while: on a busy machine, threads in step wait for those that are not running.

    One thread gives the same bytes as several, so which of both is faster is tried now and then. What disturbs a block
    makes it slower, never faster: so a speed is forgotten by and by.
    """

    def __init__(self, threads: int, *, alone: bool) -> None:
        choices = [threads, 1] if alone and threads > 1 else [threads]
        self._speed = dict.fromkeys(choices, math.inf)  # what was not tried yet is tried
        self._blocks = 0

    def threads(self) -> int:
        """How many are to train the next block."""
        self._blocks += 1
        fastest, *others = sorted(self._speed, key=self._speed.__getitem__, reverse=True)
        until_tried = BLOCKS_UNTIL_ALL if fastest == 1 else BLOCKS_UNTIL_ALONE
        return others[0] if others and self._blocks % until_tried == 0 else fastest

    def note(self, threads: int, speed: float) -> None:
        """So many words a second were trained."""
        if self._blocks > 1:  # the first block touches memory for the first time
            known = self._speed[threads]
            self._speed[threads] = speed if math.isinf(known) else max(speed, REMEMBERED * known)


def together(work: Callable[[int], None], threads: int) -> None:
    """Calls `work(0)`, ..., `work(threads - 1)` at the same time: they wait for each other, so none may be missing.

    Ctrl-C waits for their end.
    """
    if threads == 1:
        work(0)
        return
    gate, called_off = threading.Event(), False
    problems: list[BaseException] = []

    def begin(me: int) -> None:
        gate.wait()
        if called_off:
            return
        try:
            work(me)
        except BaseException as problem:
            problems.append(problem)

    team = [threading.Thread(target=begin, args=(me,), name=f"wordgeo-training-{me}") for me in range(threads)]
    started: list[threading.Thread] = []
    try:
        for member in team:
            member.start()
            started.append(member)
    except BaseException:
        called_off = True
        raise
    finally:
        gate.set()
        _join(started)
    if problems:
        raise problems[0]


def _join(team: list[threading.Thread]) -> None:
    interrupted: KeyboardInterrupt | None = None
    for member in team:
        while member.is_alive():
            try:
                member.join()
            except KeyboardInterrupt as problem:
                interrupted = problem
    if interrupted is not None:
        raise interrupted


def slices(dim: int) -> I64:
    """Where the slices of a vector begin, in lines of 16 floats, and its end: int64 [slices + 1].

    As many as threads could share with some work for each, a power of two; they depend on the dimensions alone, as the
    bytes depend on them.
    """
    lines = -(-dim // _sgns.LINE)
    count = _sgns.MOST_SLICES
    while count > min(2, lines) and count * LINES_A_SLICE > lines:
        count //= 2
    return np.array([lines * i // count for i in range(count + 1)], dtype=np.int64)


def keep_table(counts: npt.NDArray[Any], sample: float) -> U32:
    """Of 2^32 draws, how many keep each word: (√(f / sample) + 1) sample / f for a word of share f, as in gensim."""
    if not sample:
        return np.full(len(counts), 2**32 - 1, dtype=np.uint32)
    share = counts.astype(np.float64) / (sample * counts.astype(np.float64).sum())
    kept = (np.sqrt(share) + 1) / share
    return (np.minimum(kept, 1.0) * (2**32 - 1)).astype(np.uint32)


def token_table(rows: U32, keep: U32) -> npt.NDArray[np.uint64]:
    """What the compiled code looks up for each id of the corpus: its row, and in the upper half `keep` of its word."""
    kept = np.append(keep, np.uint32(0))[np.minimum(rows, np.uint32(len(keep)))]
    return rows.astype(np.uint64) | kept.astype(np.uint64) << np.uint64(32)


def noise_tables(counts: npt.NDArray[Any], exponent: float) -> tuple[U32, U32]:
    """gensim's table of noise: the sums of the words' weights in 2^31 - 1 parts, and where to begin to look in it.

    Word i is drawn where sums[i - 1] <= x < sums[i]. With n words, entry i of `guide` is the first whose sum is above
    an i-th of n parts of all.
    """
    weights = counts.astype(np.float64) ** exponent
    sums = np.round(np.cumsum(weights) / weights.sum() * (2**31 - 1)).astype(np.uint32)
    n, bits = len(counts), np.uint64(32)
    places = ((np.arange(n, dtype=np.uint64) << bits) + np.uint64(n - 1)) // np.uint64(n)  # the first that look there
    guide = np.searchsorted(sums, places * np.uint64(sums[-1]) >> bits, side="right")
    return sums, guide.astype(np.uint32)


def instruction_set() -> str:
    """The best that this build has a loop for, up to the one that the kernels take."""
    own = _sgns.instruction_sets()
    chosen = choose_instruction_set()
    return chosen if chosen in own else str(own[-1])


def _windows(config: TrainingConfig, streams: int) -> dict[str, Any]:
    """The options of a window as the compiled code takes them."""
    cbow = config.algorithm == "cbow"
    return {
        "window": config.window,
        "negative": config.negative,
        "streams": streams,
        "noises": noises_of_block(config),
        "shrink": config.shrink_windows,
        "cbow": cbow,
        "mean": cbow and config.cbow_mean,
    }


def noises_of_block(config: TrainingConfig) -> int:
    """How many noise words the inputs of a block share: nearly as many as an input is to have, by fours."""
    targets = 1 if config.algorithm == "cbow" else _window(config)
    return min(_sgns.MOST_NOISES, 4 * math.ceil(NOISES_A_PAIR * config.negative * targets / 4))


def streams_of_chunk(counts: npt.NDArray[Any], keep: U32, sums: U32, config: TrainingConfig) -> int:
    """How many inputs a block has: fewer where one word is so frequent that its steps at once would go too far.

    `keep` and `sums` are those of `keep_table` and `noise_tables`.
    """
    kept = counts * keep.astype(np.float64)
    noise = np.diff(sums.astype(np.int64), prepend=0)
    share = kept.max() / kept.sum() + config.negative * noise.max() / noise.sum()
    streams = _sgns.INPUTS
    while streams > 1 and streams * _window(config) * share * config.alpha > MOST_AT_ONCE:
        streams //= 2
    return streams


def _window(config: TrainingConfig) -> int:
    """How many words a window has in the mean."""
    return config.window + 1 if config.shrink_windows else 2 * config.window
