"""Under load: answers are gathered and never mixed, too much is refused and passes, who leaves is forgotten."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
import time

import httpx
import numpy as np
import pytest

from wordgeo.formats import save
from wordgeo.vocabulary import Vocabulary
from wordgeo.embeddings import Embeddings


@pytest.fixture(scope="module")
def expected(wiki) -> dict[str, bytes]:
    """What each of some words has to be answered with."""
    words = [f"w{i}" for i in range(2000)]
    found = wiki.similar_batch(words, 5)
    return {word: json.loads(json.dumps(one.to_dict())) for word, one in zip(words, found, strict=True)}


async def load(url: str, words: list[str], clients: int, seconds: float) -> list[tuple[str, int, object]]:
    """Many clients that ask as fast as they can; (word, status, answer) of every request, status 0 for none."""
    answers = []
    end = time.monotonic() + seconds

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            at = number
            while time.monotonic() < end:
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
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def test_concurrent_questions_are_gathered_and_not_mixed(serve, models, expected) -> None:
    with serve(models / "wiki", "--cache", 0) as service:
        answers = asyncio.run(load(service.url, list(expected), 24, 1.5))
        assert {status for _, status, _ in answers} == {200}
        assert all(found == expected[word] for word, _, found in answers)
        batches = service.metric("wordgeo_batch_items_count")
        assert service.metric("wordgeo_batch_items_sum") == len(answers)
        assert batches < 0.7 * len(answers), "questions that come together are to be answered together"


def test_repeated_questions_come_from_the_cache(serve, models, expected) -> None:
    with serve(models / "wiki", "--cache", 2) as service:
        for word in ("w1", "w1", "w2", "w3", "w1"):  # w1 is forgotten before it is asked again
            assert service.ask("similar", {"item": word, "k": 5}).json() == expected[word]
        assert service.metric("wordgeo_cache_hits_total") == 1


def heavy(n: int) -> dict:
    return {"items": [f"w{i}" for i in range(n)], "k": 1000}


def test_ten_times_the_capacity_is_refused_and_passes(serve, models, expected) -> None:
    """A queue of few, many who ask: 200 or a clean 503 with Retry-After; afterwards all is as before, memory too."""
    with serve(models / "wiki", "--max-queue", 300, "--max-batch", 300, "--deadline", 3, "--cache", 0) as service:
        asyncio.run(load(service.url, list(expected), 8, 0.5))
        before = resident(service.process.pid)

        async def flood() -> list[httpx.Response]:
            limits = httpx.Limits(max_connections=100)
            async with httpx.AsyncClient(base_url=service.url, timeout=30, limits=limits) as http:
                return await asyncio.gather(*(http.post("/v1/models/wiki/similar", json=heavy(100)) for _ in range(60)))

        answers = [answer for _ in range(3) for answer in asyncio.run(flood())]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) > 60
        assert len(refused) < len(answers)
        for answer in refused:
            assert answer.status_code == 503
            assert answer.json()["type"] in ("urn:wordgeo:problem:overloaded", "urn:wordgeo:problem:deadline")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
        after = asyncio.run(load(service.url, list(expected), 8, 0.5))
        assert all(found == expected[word] for word, _, found in after)
        assert resident(service.process.pid) < before + 200_000, "kB: memory does not grow with what was refused"
        assert service.metric("wordgeo_dropped_total") >= len(refused)
        assert service.metric("wordgeo_waiting_items") == 0


def test_a_question_has_a_deadline(serve, models) -> None:
    """One thread, far more work than the deadline allows: the last are refused when it passes, not when their turn comes."""
    with serve(models / "wiki", "--deadline", 0.3, "--threads", 1, "--max-queue", 100_000, "--cache", 0) as service:
        answers: list[tuple[int, str]] = []

        def ask() -> None:
            answer = httpx.post(f"{service.url}/v1/models/wiki/rank", json={"items": [["king", "w1"]] * 1000}, timeout=30)
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
        while service.metric("wordgeo_waiting_items") < 5000:
            pass
        for connection in connections:
            connection.close()
        while service.metric("wordgeo_waiting_items"):
            pass
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
        answers: list = []
        thread = threading.Thread(target=lambda: answers.extend(asyncio.run(load(service.url, list(expected), 8, 4))))
        thread.start()
        save(new, target, overwrite=True)
        while service.get("/v1/models/wiki").json()["generation"] < 2:
            assert thread.is_alive()
        (target / "wordgeo.json").write_text("{", encoding="utf-8")
        while service.metric("wordgeo_reloads") < 2:
            assert thread.is_alive()
        thread.join()
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


def test_workers_that_are_killed_under_load_come_back(serve, models, expected) -> None:
    with serve(models / "wiki", "--workers", 2, "--cache", 0) as service:
        children = [int(pid) for pid in _children(service.process.pid)]
        workers = [pid for pid in children if b"spawn_main" in _command(pid)]
        assert len(workers) == 2
        answers: list = []
        thread = threading.Thread(target=lambda: answers.extend(asyncio.run(load(service.url, list(expected), 8, 4))))
        thread.start()
        os.kill(workers[0], signal.SIGKILL)
        while len([pid for pid in _children(service.process.pid) if b"spawn_main" in _command(pid)]) < 2:
            assert thread.is_alive()
        thread.join()
        lost = [one for one in answers if one[1] == 0]
        assert len(lost) <= 8, "no more than what the killed one had on its connections"
        assert all(found == expected[word] for word, status, found in answers if status)
        after = asyncio.run(load(service.url, list(expected), 8, 0.5))
        assert {status for _, status, _ in after} == {200}
        assert service.metric("wordgeo_requests_total") > len(after), "metrics add up all workers"


def _children(pid: int) -> list[str]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def _command(pid: int | str) -> bytes:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""
