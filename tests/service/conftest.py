"""Models to serve, and services as processes of their own, as an operator starts them."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import multiprocessing.connection
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

import wordgeo as wg
from wordgeo.embeddings import Embeddings
from wordgeo.formats import save
from wordgeo.formats.ensemble import run_name, write_manifest
from wordgeo.vocabulary import Vocabulary

for package in ("fastapi", "uvicorn", "msgspec", "httpx", "prometheus_client", "fastapi_offline"):
    pytest.importorskip(package, reason="needs the extra `serve`")
import httpx  # noqa: E402

NAMED = ["king", "queen", "man", "woman", "King", "breakfast", "cereal", "dinner", "car", "new_york"]
WORDS = [*NAMED, *(f"w{i}" for i in range(6000))]


def make_embeddings(seed: int = 1, provenance: dict | None = None) -> Embeddings:
    """Vectors in a few directions with noise, so that neighbours mean something and runs agree in part."""
    base = np.random.default_rng(0).standard_normal((len(WORDS), 200), dtype=np.float32)
    noise = np.random.default_rng(seed).standard_normal(base.shape, dtype=np.float32)
    vectors = base + 0.5 * noise
    vectors[1] = vectors[0] - vectors[2] + vectors[3]
    counts = np.arange(len(WORDS), 0, -1) * 10
    return Embeddings(Vocabulary.from_words(WORDS, counts), vectors, provenance=provenance)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model `wiki`, another `news` and an ensemble `runs`."""
    folder = tmp_path_factory.mktemp("served")
    secret = {"algorithm": "skipgram", "imported": {"file": "secret.txt"}, "corpus": {"tokens": "/home/me/tok.py:f"}}
    save(make_embeddings(1, secret), folder / "wiki")
    save(make_embeddings(2), folder / "news")
    provenances = [{"algorithm": "skipgram", "seed": seed} for seed in (1, 2, 3)]
    (folder / "runs").mkdir()
    for i, provenance in enumerate(provenances, 1):
        save(make_embeddings(i, provenance), folder / "runs" / run_name(i))
    write_manifest(folder / "runs", provenances)
    return folder


@pytest.fixture(scope="session")
def wiki(models: Path) -> wg.WordVectors:
    """The model that is served as `wiki`, opened here."""
    return wg.load(models / "wiki")


PATIENCE = 300.0  # seconds, of a machine that is busy with other things: what takes longer hangs

# Services are forked from a process that has imported what they need, which takes most of the time of a start.
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(["wordgeo.cli", "wordgeo.service.server", "wordgeo.service.app", "pytest"])


# A text, because a forked process cannot import what stands in a file of tests.
RUN = """
import os, sys
from wordgeo.cli import main
os.dup2(errors.fileno(), 2)
errors.close()
sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)
main(arguments)
"""


class Forked:
    """A forked `wordgeo serve`, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: list[str]) -> None:
        reading, writing = os.pipe()
        end = multiprocessing.connection.Connection(writing)
        self._process = forks.Process(target=exec, args=(RUN, {"arguments": arguments, "errors": end}))
        self._process.start()
        end.close()
        self.pid = self._process.pid
        self.stderr = os.fdopen(reading, encoding="utf-8")

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float = PATIENCE) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("wordgeo serve", timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


class Service:
    """A running `wordgeo serve`."""

    def __init__(self, process: subprocess.Popen[str] | Forked, url: str, errors: list[str]) -> None:
        self.process, self.url, self.errors = process, url, errors
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port
        self.http = httpx.Client(base_url=url, timeout=PATIENCE)

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.http.get(path, **options)

    def post(self, path: str, body: object, **options: object) -> httpx.Response:
        return self.http.post(path, json=body, **options)

    def ask(self, question: str, body: object, model: str = "wiki") -> httpx.Response:
        return self.post(f"/v1/models/{model}/{question}", body)

    def raw(self, data: bytes, *, end: bool = False) -> bytes:
        """What comes back on a connection of its own until it is closed."""
        with socket.create_connection((self.host, self.port), timeout=PATIENCE) as connection:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(ConnectionError):
                while piece := connection.recv(65536):
                    received += piece
            return received

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", self.get("/metrics").text, re.MULTILINE)
        return sum(map(float, found))

    @staticmethod
    def until(condition: Callable[[], object]) -> None:
        """Looks again and again, and fails where what has to come does not."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "it did not come"
            time.sleep(0.01)  # leaves the processor to what is awaited

    @property
    def children(self) -> list[int]:
        """The processes that it started and that live."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    @property
    def workers(self) -> list[int]:
        """Those of its processes that answer."""
        found = []
        for pid in self.children:
            with contextlib.suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    @staticmethod
    def problem(response: httpx.Response, status: int, kind: str) -> dict:
        """The problem document of a response, of the status and kind that it has to be."""
        assert response.headers["content-type"] == "application/problem+json"
        found = json.loads(response.content)
        assert (response.status_code, found["status"], found["type"]) == (status, status, f"urn:wordgeo:problem:{kind}")
        return found

    def stop(self) -> int:
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextlib.contextmanager
def serving(*args: object, afresh: bool = False) -> Iterator[Service]:
    """Starts `wordgeo serve ARGS... --port 0`, where `afresh` from nothing, and waits until it says where it is."""
    arguments = ["serve", *map(str, args), "--port", "0"]
    if "--access-log" not in arguments:
        arguments += ["--access-log", "off"]
    process: subprocess.Popen[str] | Forked
    if afresh:
        command = [sys.executable, "-m", "wordgeo.cli", *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    else:
        process = Forked(arguments)
    errors: list[str] = []
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stderr:
            errors.append(line)
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while line := lines.get(timeout=PATIENCE):
        if found := re.search(r"serving at (\S+?)/ ", line):
            service = Service(process, found[1], errors)
            break
    else:
        process.wait()
        raise AssertionError("".join(errors))
    try:
        yield service
    finally:
        service.stop()


@pytest.fixture(scope="session")
def service(models: Path) -> Iterator[Service]:
    """One that all tests ask which do nothing to it."""
    with serving(models / "wiki", models / "runs", "--allow-vectors", afresh=True) as running:
        yield running


@pytest.fixture(scope="session")
def pair(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Two workers that share a model, of which nothing is kept yet but itself. Tests leave them as they were."""
    target = tmp_path_factory.mktemp("pair") / "wiki"
    shutil.copytree(models / "wiki", target, ignore=shutil.ignore_patterns("int8.cache"))
    with serving(target, "--workers", 2, "--max-jobs", 3) as running:
        yield running


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Service]]:
    """Starts a service of one's own."""
    return serving
