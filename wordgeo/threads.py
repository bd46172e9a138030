"""Thread counts and the one pool on which kernels run block by block, without the GIL."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from wordgeo.errors import OptionError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = TypeVar("Floats", npt.NDArray[np.float32], npt.NDArray[np.float64])

__all__ = ["limit_blas", "product", "resolve_threads", "run_blocks"]

MOST_THREADS = 1024
TELL_EVERY = 0.1  # seconds: this thread takes a core from those that work

_lock = threading.Lock()
_pools: dict[int, ThreadPoolExecutor] = {}
_blas_limit: object | None = None
_own = threading.local()  # `inside`: whether this thread is working on a block


def resolve_threads(threads: int | None = None) -> int:
    """How many threads to use: the argument, else `WORDGEO_NUM_THREADS`, else the cores this process may run on."""
    source = "threads"
    if threads is None:
        text = os.environ.get("WORDGEO_NUM_THREADS", "").strip()
        if not text:
            return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        source = "WORDGEO_NUM_THREADS"
        try:
            threads = int(text)
        except ValueError:
            raise OptionError(f"{source} is {text!r}; give a whole number from 1 to {MOST_THREADS}") from None
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise OptionError(f"{source} is {threads!r}; give a whole number from 1 to {MOST_THREADS}")
    return threads


def run_blocks(
    work: Callable[..., None],
    blocks: Iterable[tuple],
    threads: int | None = None,
    done: Callable[[int], None] | None = None,
) -> None:
    """Calls `work(*block)` for every block, on `threads` threads; the first error or Ctrl-C stops what is not begun.

    `done` is told on this thread, now and then, how many more blocks are done.

    `work` writes to places that no other block touches, so the order of blocks never shows in the result. Called
    within a block, it works through its own on the same thread: waiting for the pool there could wait for ever.
    """
    blocks = list(blocks)
    count = 1 if getattr(_own, "inside", False) else min(resolve_threads(threads), len(blocks))
    limit_blas()
    if count <= 1:
        for block in blocks:
            work(*block)
            if done is not None:
                done(1)
        return
    stop = threading.Event()

    def guarded(*block: object) -> None:
        if stop.is_set():
            return
        _own.inside = True
        try:
            work(*block)
        except BaseException:
            stop.set()
            raise
        finally:
            _own.inside = False

    pool = _pool(count)
    futures: list[Future] = [pool.submit(guarded, *block) for block in blocks]
    pending = set(futures)
    try:
        while pending:
            ended, pending = wait(pending, None if done is None else TELL_EVERY, FIRST_EXCEPTION)
            if any(future.exception() is not None for future in ended):
                break
            if done is not None and ended:
                done(len(ended))
    finally:
        stop.set()
        wait(futures)
    for future in futures:
        future.result()


def limit_blas() -> None:
    """Keeps the BLAS that the kernels call to one thread a call: the blocks already fill the cores.

    Only SciPy's library is limited, which the kernels reach through `scipy.linalg.cython_blas`;
    a caller's own NumPy products keep their threads.
    """
    global _blas_limit
    if _blas_limit is None:
        with _lock:
            if _blas_limit is None:
                import scipy.linalg.cython_blas  # noqa: F401  (loads the library that is to be limited)
                from threadpoolctl import ThreadpoolController

                libraries = ThreadpoolController().select(user_api="blas")
                every = libraries.lib_controllers
                for library in [one for one in every if _is_scipys(one.filepath)] or every:
                    library.set_num_threads(1)
                _blas_limit = libraries


def product(x: Floats, y: Floats) -> Floats:
    """x @ y.T, both float32 or both float64 [any number, d], by SciPy's BLAS on one thread.

    NumPy's takes all, which go on spinning when it is done and hold up the blocks of other work.
    """
    import scipy.linalg.blas

    limit_blas()
    gemm = scipy.linalg.blas.sgemm if x.dtype == "float32" else scipy.linalg.blas.dgemm
    found: Floats = gemm(1.0, y.T, x.T, trans_a=True).T
    return found


def _is_scipys(library: str) -> bool:
    # By the folder it lies in: NumPy's own library is called libscipy_openblas, too.
    return "scipy" in "/".join(Path(library).parts[-3:-1])


def _pool(count: int) -> ThreadPoolExecutor:
    with _lock:
        if count not in _pools:
            _pools[count] = ThreadPoolExecutor(count, thread_name_prefix="wordgeo")
        return _pools[count]


def _forget_after_fork() -> None:
    # The threads of a pool do not survive a fork, and the lock may have been held: start anew in the child.
    global _lock
    _lock = threading.Lock()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
