"""The ground floor: threads, checks, results."""

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from wordgeo import threads, validate
from wordgeo.errors import OptionError, UnknownWordError
from wordgeo.results import Result, Table


def test_thread_counts(monkeypatch):
    monkeypatch.delenv("WORDGEO_NUM_THREADS", raising=False)
    assert threads.resolve_threads() >= 1
    assert threads.resolve_threads(3) == 3
    monkeypatch.setenv("WORDGEO_NUM_THREADS", "5")
    assert threads.resolve_threads() == 5
    assert threads.resolve_threads(2) == 2
    for value in ("many", "0", "-1", "1.5"):
        monkeypatch.setenv("WORDGEO_NUM_THREADS", value)
        with pytest.raises(OptionError, match="WORDGEO_NUM_THREADS is"):
            threads.resolve_threads()
    for value in (0, -1, 1.0, True, 10**9):
        with pytest.raises(OptionError, match="threads is"):
            threads.resolve_threads(value)


def test_blocks_run_on_several_threads_and_the_first_error_stops_the_rest():
    seen, ran = set(), []
    barrier = threading.Barrier(2, timeout=30)

    def work(i):
        if i < 2:
            barrier.wait()  # passes only if two threads are at work
        seen.add(threading.get_ident())
        ran.append(i)

    threads.run_blocks(work, [(i,) for i in range(20)], 2)
    assert sorted(ran) == list(range(20)) and len(seen) == 2

    ran.clear()

    def fail(i):
        ran.append(i)
        raise ValueError(f"block {i}")

    with pytest.raises(ValueError, match="block"):
        threads.run_blocks(fail, [(i,) for i in range(500)], 2)
    assert len(ran) < 500


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_done_is_told_on_the_thread_that_asked(count):
    told, on = [], set()

    def done(more):
        told.append(more)
        on.add(threading.get_ident())

    threads.run_blocks(lambda i: time.sleep(0.01), [(i,) for i in range(40)], count, done)
    assert sum(told) == 40 and len(told) > 1 and on == {threading.get_ident()}

    def fail(i):
        if i == 3:
            raise ValueError(f"block {i}")

    with pytest.raises(ValueError, match="block 3"):
        threads.run_blocks(fail, [(i,) for i in range(500)], count, done)
    assert sum(told) < 540


def test_blocks_within_blocks_do_not_wait_for_each_other():
    inner = []
    barrier = threading.Barrier(2, timeout=30)

    def outer(i):
        barrier.wait()  # both threads of the pool are at work, and none is left for what they ask for
        threads.run_blocks(lambda j: inner.append((i, j)), [(j,) for j in range(4)], 2)

    threads.run_blocks(outer, [(0,), (1,)], 2)
    assert sorted(inner) == [(i, j) for i in (0, 1) for j in range(4)]


def test_scipys_blas_is_limited_and_numpys_keeps_its_threads():
    program = """if True:
        import json, pathlib, numpy, threadpoolctl
        from wordgeo import threads
        threads.limit_blas()
        libraries = [lib for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]
        print(json.dumps([[pathlib.Path(lib["filepath"]).parts[-3:-1], lib["num_threads"]] for lib in libraries]))
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    limits = {"scipy" if "scipy" in "/".join(folders) else "numpy": count for folders, count in json.loads(done.stdout)}
    assert limits.get("scipy", 1) == 1
    if len(limits) == 2 and (os.cpu_count() or 1) > 1:  # wheels bring a library each
        assert limits["numpy"] == 2


@pytest.mark.parametrize("value", [1.5, "3", None, True, -1, 11])
def test_whole_numbers(value):
    with pytest.raises(OptionError, match="size is"):
        validate.whole_number("size", value, 0, 10)
    assert validate.whole_number("size", np.int32(7), 0, 10) == 7


@pytest.mark.parametrize("value", ["3", None, True, -1.0, 2.5, float("nan"), float("inf")])
def test_numbers(value):
    with pytest.raises(OptionError, match="rate is"):
        validate.number("rate", value, 0, 2)
    assert validate.number("rate", 1, 0, 2) == 1.0


def test_results_become_json_csv_text_and_html():
    @dataclasses.dataclass(frozen=True, repr=False)
    class Score(Result):
        name: str
        value: float
        curve: np.ndarray
        pair: tuple

        def tables(self):
            return [Table(("name", "value"), [(self.name, self.value), ("none", None)], title="<scores>")]

    score = Score("a,b", float("nan"), np.array([1.5, np.nan], np.float32), (np.int64(3), "x"))
    assert json.loads(json.dumps(score.to_dict(), allow_nan=False)) == {
        "name": "a,b", "value": None, "curve": [1.5, None], "pair": [3, "x"],
    }  # fmt: skip
    assert score.tables()[0].to_csv() == 'name,value\n"a,b",\nnone,\n'
    assert repr(score).splitlines() == ["<scores>", "name  value", "----  -----", "a,b", "none"]
    assert "&lt;scores&gt;" in score._repr_html_()


def test_unknown_words_survive_a_process_boundary():
    import pickle

    error = pickle.loads(pickle.dumps(UnknownWordError("kign", 9, ["king"])))
    assert str(error) == "'kign' is not among the 9 words of the vocabulary; did you mean king?"
    assert isinstance(error, KeyError)
