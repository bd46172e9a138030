"""Under load: answers are gathered and never mixed, too much is refused and passes, who leaves is forgotten."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from wordgeo.embeddings import Embeddings
from wordgeo.formats import save
from wordgeo.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def expected(wiki) -> dict[str, bytes]:
    """What each of some words has to be answered with."""
    words = [f"w{i}" for i in range(2000)]
    found = wiki.similar_batch(words, 5)
    return {word: json.loads(json.dumps(one.to_dict())) for word, one in zip(words, found, strict=True)}


async def load(
    url: str, words: list[str], clients: int, enough: int = 300, stop: threading.Event | None = None
) -> list[tuple[str, int, object]]:
    """Many clients that ask as fast as they can, until there are `enough` answers, or beyond that until `stop`.

    Returns (word, status, answer) of every request, status 0 for none.
    """
    answers = []

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=300) as http:
            at = number
            while len(answers) < enough or (stop is not None and not stop.is_set()):
                word = words[at % len(words)]
                at += clients
                try:
                    response = await http.get("/v1/models/wiki/similar", params={"word": word, "k": 5})
                    answers.append((word, response.status_code, response.json()))
                except (httpx.TransportError, ValueError) as problem:
                    answers.append((word, 0, problem))

    await asyncio.gather(*(client(number) for number in range(clients)))
    return answers


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


class Load:
    """Load from a thread of its own, in a `with` block and at least for some hundred answers."""

    def __init__(self, url: str, words: list[str], clients: int = 8) -> None:
        self.answers: list[tuple[str, int, object]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=lambda: self.answers.extend(asyncio.run(load(url, words, clients, stop=self._stop)))
        )

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_concurrent_questions_are_not_mixed(serve, models, expected) -> None:
    with serve(models / "wiki", "--cache", 0) as service:
        answers = asyncio.run(load(service.url, list(expected), 24, 500))
        assert {status for _, status, _ in answers} == {200}
        assert all(found == expected[word] for word, _, found in answers)
        assert service.metric("wordgeo_batch_items_sum") == len(answers)


def test_questions_that_wait_are_gathered(serve, models, wiki) -> None:
    """While the engine has something large to do, single questions come: they are answered as one batch or two."""
    with serve(models / "wiki", "--cache", 0, "--threads", 1, "--deadline", 60, "--max-queue", 9000) as service:
        large = [httpx.AsyncClient(base_url=service.url, timeout=300) for _ in range(4)]

        async def ask() -> list[httpx.Response]:
            body = {"items": [["king", "w1"]] * 1000}
            slow = [asyncio.create_task(http.post("/v1/models/wiki/rank", json=body)) for http in large]
            await slow[0]
            async with httpx.AsyncClient(base_url=service.url, timeout=300) as http:
                path = "/v1/models/wiki/similar?k=3&word=w"
                found = await asyncio.gather(*(http.get(f"{path}{i}") for i in range(80)))
            await asyncio.gather(*slow)
            return found

        found = asyncio.run(ask())
        assert [one.json()["query"] for one in found] == [f"w{i}" for i in range(80)]
        text = service.get("/metrics").text
        batches = service.metric("wordgeo_batch_items_count")
        assert batches <= 16 + 40, text  # 16 of the large ones


def test_repeated_questions_come_from_the_cache(serve, models, expected) -> None:
    with serve(models / "wiki", "--cache", 2) as service:
        for word in ("w1", "w1", "w2", "w3", "w1"):  # w1 is forgotten before it is asked again
            assert service.ask("similar", {"item": word, "k": 5}).json() == expected[word]
        assert service.metric("wordgeo_cache_hits_total") == 1


def heavy(n: int) -> dict:
    return {"items": [f"w{i}" for i in range(n)], "k": 1000}


def test_ten_times_the_capacity_is_refused_and_passes(serve, models, expected) -> None:
    """A queue of few, many who ask: 200 or a clean 503 with Retry-After; afterwards all is as before, memory too."""
    with serve(models / "wiki", "--max-queue", 300, "--max-batch", 300, "--deadline", 20, "--cache", 0) as service:
        asyncio.run(load(service.url, list(expected), 8))
        before = resident(service.process.pid)

        async def flood() -> list[httpx.Response]:
            limits = httpx.Limits(max_connections=100)
            async with httpx.AsyncClient(base_url=service.url, timeout=300, limits=limits) as http:
                return await asyncio.gather(*(http.post("/v1/models/wiki/similar", json=heavy(100)) for _ in range(60)))

        answers = [answer for _ in range(3) for answer in asyncio.run(flood())]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) > 60
        assert len(refused) < len(answers)
        for answer in refused:
            assert answer.status_code == 503
            assert answer.json()["type"] in ("urn:wordgeo:problem:overloaded", "urn:wordgeo:problem:deadline")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        after = asyncio.run(load(service.url, list(expected), 8))
        assert all(found == expected[word] for word, _, found in after)
        assert resident(service.process.pid) < before + 200_000, "kB: memory does not grow with what was refused"
        assert service.metric("wordgeo_dropped_total") >= len(refused)
        assert service.metric("wordgeo_waiting_items") == 0


def test_a_question_has_a_deadline(serve, models) -> None:
    """One thread, far more work than the deadline allows: the last are refused when it passes, not at their turn."""
    with serve(models / "wiki", "--deadline", 0.3, "--threads", 1, "--max-queue", 100_000, "--cache", 0) as service:
        answers: list[tuple[int, str]] = []

        def ask() -> None:
            body = {"items": [["king", "w1"]] * 1000}
            answer = httpx.post(f"{service.url}/v1/models/wiki/rank", json=body, timeout=300)
            answers.append((answer.status_code, answer.json().get("type", "")))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (503, "urn:wordgeo:problem:deadline") in answers
        assert service.get("/readyz").status_code == 200


def test_a_client_that_leaves_is_forgotten_and_counted(serve, models) -> None:
    with serve(models / "wiki", "--threads", 1, "--max-queue", 100_000, "--cache", 0, "--deadline", 60) as service:
        body = json.dumps({"items": [["king", "w1"]] * 1000}).encode()
        head = b"POST /v1/models/wiki/rank HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        connections = [socket.create_connection((service.host, service.port)) for _ in range(12)]
        for connection in connections:
            connection.sendall(head + body)
        service.until(lambda: service.metric("wordgeo_waiting_items") >= 5000)
        for connection in connections:
            connection.close()
        service.until(lambda: not service.metric("wordgeo_waiting_items"))
        assert service.metric("wordgeo_dropped_total") >= 8
        assert service.metric("wordgeo_batch_items_sum") < 12_000
        assert service.ask("rank", {"item": ["king", "queen"]}).json()["rank_min"] == 1


def test_reload_under_load(serve, models, tmp_path, wiki, expected) -> None:
    """A model is replaced, then by a broken one, while clients ask: each answer is wholly of the old or the new one."""
    vectors = np.array(wiki.vectors[::-1])
    new = Embeddings(Vocabulary.from_words(wiki.words, wiki.counts), vectors)
    target = tmp_path / "wiki"
    save(wiki, target)
    with serve(target, "--reload-every", 0.1) as service:
        with Load(service.url, list(expected)) as running:
            save(new, target, overwrite=True)
            service.until(lambda: service.get("/v1/models/wiki").json()["generation"] == 2)
            (target / "wordgeo.json").write_text("{", encoding="utf-8")
            service.until(lambda: service.metric("wordgeo_reloads") == 2)
        answers = running.answers
        assert {status for _, status, _ in answers} == {200}
        later = {
            word: json.loads(json.dumps(new_answer.to_dict()))
            for word, new_answer in zip(expected, type(wiki).of(new).similar_batch(list(expected), 5), strict=True)
        }
        old, fresh = [[found == table[word] for word, _, found in answers] for table in (expected, later)]
        assert all(a or b for a, b in zip(old, fresh, strict=True))
        assert any(fresh)
        assert service.get("/v1/models/wiki").json()["generation"] == 2, "the broken one is refused"
        assert any("is refused, the old one stays" in line for line in service.errors)


def test_workers_that_are_killed_under_load_come_back(pair, expected) -> None:
    workers = pair.workers
    assert len(workers) == 2
    with Load(pair.url, list(expected)) as running:
        os.kill(workers[0], signal.SIGKILL)
        pair.until(lambda: len(set(pair.workers) - {workers[0]}) == 2)
    answers = running.answers
    lost = [one for one in answers if one[1] == 0]
    assert len(lost) <= 8, "no more than what the killed one had on its connections"
    assert all(found == expected[word] for word, status, found in answers if status)
    after = asyncio.run(load(pair.url, list(expected), 8))
    assert {status for _, status, _ in after} == {200}
    assert pair.metric("wordgeo_requests_total") > len(after), "metrics add up all workers"
