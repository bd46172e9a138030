"""gensim's models with what long runs need: a loss that adds up, errors that surface, a prompt end on Ctrl-C.

Importing this takes about a second, so it is imported where training begins.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Any

from gensim.models import FastText, Word2Vec

from wordgeo.errors import TrainingError, WordgeoError
from wordgeo.progress import Progress

__all__ = ["GensimFastText", "GensimWord2Vec"]


class GensimWord2Vec(Word2Vec):
    """Trains exactly what `gensim.models.Word2Vec` trains; only the driving of its threads is our own.

    gensim's threads die silently: an error in one leaves the others waiting for ever, and Ctrl-C leaves them running.
    Here the first error ends the epoch and is raised from `train`, and when `train` is left no thread works on.

    gensim also adds the loss up in float32, where the sum stands still after some 10^8. Its compiled code reads
    `running_training_loss` before a batch of 10,000 words and writes it afterwards; as that is kept for each thread
    here and begins at 0 for each batch, the sum over batches can be float64. `history` holds a record for each epoch.
    """

    def __init__(self, *, progress: Progress, **parameters: Any) -> None:
        self._loss_of_thread = threading.local()
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._ended: list[threading.Thread] = []
        self._one_ended = threading.Condition()
        self._progress = progress
        self.history: list[dict[str, Any]] = []
        super().__init__(**parameters)

    @property
    def running_training_loss(self) -> float:
        """The loss of this thread's current batch."""
        return self._loss_of_thread.value

    @running_training_loss.setter
    def running_training_loss(self, value: float) -> None:
        self._loss_of_thread.value = value

    def _train_epoch(self, *args: Any, **options: Any) -> tuple[int, int, int]:
        self._ended.clear()
        try:
            return super()._train_epoch(*args, **options)
        except BaseException:
            self._stop.set()
            raise

    def _worker_loop(self, job_queue: queue.Queue, progress_queue: queue.Queue) -> None:
        try:
            memory = self._get_thread_working_mem()
            while (job := job_queue.get()) is not None:
                if not self._stop.is_set():
                    sentences, alpha = job
                    self.running_training_loss = 0.0
                    trained, raw = self._do_train_job(sentences, alpha, memory)
                    progress_queue.put((trained, raw, self.running_training_loss))
        except BaseException as problem:
            self._fail(problem)
            while job_queue.get() is not None:
                pass  # the producer must never wait for room
        finally:
            progress_queue.put(None)
            self._end_thread()

    def _job_producer(self, data_iterator: Iterable, job_queue: queue.Queue, **options: Any) -> None:
        try:
            super()._job_producer(self._until_stopped(data_iterator), job_queue, **options)
        except BaseException as problem:
            self._fail(problem)
            for _ in range(self.workers):
                job_queue.put(None)
        finally:
            self._end_thread()

    def _until_stopped(self, sentences: Iterable) -> Iterator:
        try:
            for sentence in sentences:
                if self._stop.is_set():
                    return
                yield sentence
        except Exception as problem:
            self._fail(problem)

    def _log_epoch_progress(
        self, progress_queue: queue.Queue, job_queue: queue.Queue, cur_epoch: int = 0, **_: Any
    ) -> tuple[int, int, int]:
        """Follows one epoch from the main thread until all workers have ended."""
        start, running = perf_counter(), self.workers
        trained = raw = batches = 0
        loss = 0.0
        try:
            while running:
                report = progress_queue.get()
                if report is None:
                    running -= 1
                    continue
                trained, raw, loss, batches = trained + report[0], raw + report[1], loss + report[2], batches + 1
                note = f"epoch {cur_epoch + 1} of {self.epochs}"
                if self.compute_loss and trained:
                    note += f", loss {loss / trained:.3f}"
                self._progress.advance(report[1], note)
        except BaseException:
            self._stop.set()
            with contextlib.suppress(queue.Empty):
                while True:  # room for the last report of each worker, which nobody will read
                    progress_queue.get_nowait()
            raise
        finally:
            self._join_threads()
        if isinstance(self._error, WordgeoError):
            raise self._error
        if self._error is not None:
            problem = f"{type(self._error).__name__}: {self._error}"
            raise TrainingError(f"a training thread failed in epoch {cur_epoch + 1} ({problem})") from self._error
        self.history.append(
            {
                "loss": loss if self.compute_loss else None,
                "loss_per_word": loss / trained if self.compute_loss and trained else None,
                "trained_words": trained,
                "words": raw,
                "seconds": perf_counter() - start,
            }
        )
        return trained, raw, batches

    def _log_train_end(self, *_: Any) -> None:
        """Nothing: gensim would recommend smaller batches here for every small corpus."""

    def _fail(self, problem: BaseException) -> None:
        if self._error is None:
            self._error = problem
        self._stop.set()

    def _end_thread(self) -> None:
        with self._one_ended:
            self._ended.append(threading.current_thread())
            self._one_ended.notify()

    def _join_threads(self) -> None:
        """Waits for the threads of this epoch, workers and producer: gensim keeps no list of them."""
        with self._one_ended:
            self._one_ended.wait_for(lambda: len(self._ended) == self.workers + 1)
        for thread in self._ended:
            thread.join()


class GensimFastText(GensimWord2Vec, FastText):
    """Trains exactly what `gensim.models.FastText` trains, driven in the same way. It has no loss."""
