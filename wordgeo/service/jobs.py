"""Evaluations in the background: a folder of jobs that every worker sees, each run by a process of its own.

A job is a file ID.json, written whole at every change. Its process holds a lock on ID.lock from its first moment to its
last, so that a job whose process was killed is seen to have failed; and one on `turn` while it works, so that one job
runs at a time.
A file ID.cancel asks it to stop.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from wordgeo.errors import OptionError, OutputError, WordgeoError
from wordgeo.files import atomic_file
from wordgeo.service.problems import Problem

try:
    import fcntl
except ImportError:  # Windows: jobs run side by side, and a killed one is not noticed
    fcntl = None  # type: ignore[assignment]

__all__ = ["OPTIONS", "Jobs"]

OPTIONS = ("suite", "method", "protocol", "limit", "case_sensitive", "unknown", "exclude", "seed")
OPEN = ("queued", "running")
SHOWN = ("id", "model", "state", "done", "total", "unit", "detail", "options", "result")
KEPT_SECONDS = 24 * 3600
WAIT_SECONDS = 0.1
ID = re.compile(r"[0-9a-f]{16}")


class Jobs:
    """The jobs of a folder. Raises `OutputError` for one that cannot be written."""

    def __init__(self, folder: str | Path, *, most_open: int) -> None:
        self._folder, self._most_open = Path(folder), most_open
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if not os.access(self._folder, os.W_OK):
                raise PermissionError(errno.EACCES, "permission denied")
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            raise OutputError(f"cannot keep evaluations in {folder}: {reason}; name another folder (--jobs)") from None
        self._begun: list[subprocess.Popen[bytes]] = []

    def start(self, model: str, path: Path, options: dict[str, Any]) -> dict[str, Any]:
        """Queues an evaluation of the model at `path`, and begins it in a process of its own."""
        if sum(job["state"] in OPEN for job in self.all()) >= self._most_open:
            raise Problem("overloaded", f"{self._most_open} evaluations wait or run already", {"Retry-After": "30"})
        self._remove_old()
        job_id = secrets.token_hex(8)
        job: dict[str, Any] = {
            "id": job_id, "model": model, "state": "queued", "done": 0, "total": None, "unit": None,
            "detail": None, "options": options, "result": None,
        }  # fmt: skip
        _write(self._folder, job)
        with (self._folder / f"{job_id}.lock").open("wb") as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            # The lock goes over to the process with the open file. The folder of the model goes by its input, and into
            # no file that is answered with.
            process = subprocess.Popen(
                [sys.executable, "-m", "wordgeo.service.jobs", str(self._folder), job_id],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=() if fcntl is None else (lock.fileno(),),
            )
        assert process.stdin is not None
        process.stdin.write(json.dumps(str(path.resolve())).encode())
        process.stdin.close()
        self._begun = [*(one for one in self._begun if one.poll() is None), process]
        return {name: job[name] for name in SHOWN}

    def all(self) -> list[dict[str, Any]]:
        """Every job, the newest first, without results."""
        paths = sorted(self._folder.glob("*.json"), key=_age)
        found = [job for path in paths if ID.fullmatch(path.stem) and (job := self._read(path.stem))]
        return [job | {"result": None} for job in found]

    def get(self, job_id: str) -> dict[str, Any]:
        """One job."""
        job = self._read(job_id) if ID.fullmatch(job_id) else None
        if job is None:
            raise Problem("unknown-job", "there is no evaluation of that id; GET /v1/evaluations lists them")
        return job

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Asks a job to stop, and returns it."""
        job = self.get(job_id)
        if job["state"] in OPEN:
            (self._folder / f"{job_id}.cancel").touch()
            end = time.monotonic() + 2.0
            while job["state"] in OPEN and time.monotonic() < end:  # a moment, so that the answer is the end as a rule
                time.sleep(WAIT_SECONDS / 2)
                job = self.get(job_id)
        return job

    def close(self) -> None:
        """Ends the jobs that were begun here: without the service nobody would ask for them."""
        for process in self._begun:
            process.terminate()
        for process in self._begun:
            process.wait()

    def _read(self, job_id: str) -> dict[str, Any] | None:
        try:
            job = json.loads((self._folder / f"{job_id}.json").read_bytes())
        except FileNotFoundError:
            return None
        if job["state"] in OPEN and _is_dead(self._folder / f"{job_id}.lock"):
            job = json.loads((self._folder / f"{job_id}.json").read_bytes())  # its last word may just have come
            if job["state"] in OPEN:
                job |= {"state": "failed", "detail": "the process of the evaluation was ended"}
        return {name: job[name] for name in SHOWN}

    def _remove_old(self) -> None:
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                if ID.fullmatch(path.stem) and time.time() - path.stat().st_mtime > KEPT_SECONDS:
                    path.unlink()


def _age(path: Path) -> float:
    try:
        return -path.stat().st_ctime
    except OSError:
        return 0.0


def _write(folder: Path, job: dict[str, Any]) -> None:
    with atomic_file(folder / f"{job['id']}.json", overwrite=True) as file:
        file.write(json.dumps(job).encode())


def _is_dead(lock: Path) -> bool:
    """Whether the process that took the lock is gone."""
    if fcntl is None:
        return False
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return True
    except OSError:  # not there yet, or held
        return False


class _CancelledError(Exception):
    pass


class _Progress:
    """Writes progress to the job's file, a few times a second, and looks whether it is to stop."""

    def __init__(self, folder: Path, job: dict[str, Any]) -> None:
        self._folder, self._job, self._written = folder, job, 0.0

    def start(self, task: str, total: float | None, unit: str) -> None:
        """A task begins."""
        self._job |= {"done": 0, "total": total, "unit": unit}
        self._note()

    def advance(self, amount: float, note: str = "") -> None:
        """`amount` more is done."""
        self._job["done"] += amount
        if time.monotonic() - self._written > WAIT_SECONDS:
            self._note()

    def finish(self) -> None:
        """Nothing: the result follows."""

    def _note(self) -> None:
        self._written = time.monotonic()
        self.check()
        _write(self._folder, self._job)

    def check(self) -> None:
        """Raises where the job is to stop."""
        if (self._folder / f"{self._job['id']}.cancel").exists():
            raise _CancelledError


@contextlib.contextmanager
def _locked(file: IO[bytes], progress: _Progress) -> Iterator[None]:
    while fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            progress.check()
            time.sleep(WAIT_SECONDS)
    yield


def _run(folder: Path, job_id: str, path: Path) -> None:
    job = json.loads((folder / f"{job_id}.json").read_bytes())
    progress = _Progress(folder, job)
    with (folder / "turn").open("wb") as turn:
        try:
            with _locked(turn, progress):
                job["state"] = "running"
                _write(folder, job)
                result = _evaluate(path, job["options"], progress)
                progress.check()
            job |= {"state": "done", "result": result}
        except _CancelledError:
            job["state"] = "cancelled"
        except OptionError as problem:
            job |= {"state": "failed", "detail": str(problem)}
        except WordgeoError:
            job |= {"state": "failed", "detail": "the model cannot be evaluated; the service's log says why"}
            _write(folder, job)
            raise
        _write(folder, job)


def _evaluate(path: Path, options: dict[str, Any], progress: _Progress) -> Any:
    import wordgeo as wg

    model = wg.load(path)
    first = model[0] if isinstance(model, wg.Ensemble) else model
    return _without_paths(wg.evaluate(first, threads=1, progress=progress, **options).to_dict())


def _without_paths(value: Any) -> Any:
    """A report in which files have only their names: where they lie is no business of who asks."""
    if isinstance(value, dict):
        return {
            name: Path(one).name if name == "path" and isinstance(one, str) else _without_paths(one)
            for name, one in value.items()
        }
    return [_without_paths(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)  # questions of people go first
    _run(Path(sys.argv[1]), sys.argv[2], Path(json.loads(sys.stdin.buffer.read())))
