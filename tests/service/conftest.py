"""Models to serve, and services as processes of their own, as an operator starts them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
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


class Service:
    """A running `wordgeo serve`."""

    def __init__(self, process: subprocess.Popen[str], url: str, errors: list[str]) -> None:
        self.process, self.url, self.errors = process, url, errors
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port
        self.http = httpx.Client(base_url=url, timeout=30)

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.http.get(path, **options)

    def post(self, path: str, body: object, **options: object) -> httpx.Response:
        return self.http.post(path, json=body, **options)

    def ask(self, question: str, body: object, model: str = "wiki") -> httpx.Response:
        return self.post(f"/v1/models/{model}/{question}", body)

    def raw(self, data: bytes, *, end: bool = False) -> bytes:
        """What comes back on a connection of its own until it is closed."""
        with socket.create_connection((self.host, self.port), timeout=20) as connection:
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
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@contextlib.contextmanager
def serving(*args: object, environment: dict[str, str] | None = None) -> Iterator[Service]:
    """Starts `wordgeo serve ARGS... --port 0` and waits until it says where it is."""
    command = [sys.executable, "-m", "wordgeo.cli", "serve", *map(str, args), "--port", "0"]
    if "--access-log" not in command:
        command += ["--access-log", "off"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=os.environ | (environment or {})
    )
    errors: list[str] = []
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in process.stderr:
            errors.append(line)
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    while line := lines.get(timeout=60):
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
    with serving(models / "wiki", models / "runs", "--allow-vectors") as running:
        yield running


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Service]]:
    """Starts a service of one's own."""
    return serving
