"""Hostile and broken clients: each gets a clear refusal or none, and the service goes on."""

from __future__ import annotations

import gzip
import http.client
import json
import random
import socket
import threading

import pytest

from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.service import ServiceConfig
from wordgeo.service.keys import Key, Keys, new_key

ASK = b"/v1/models/wiki/similar?word=king&k=2"


@pytest.fixture(scope="module")
def small(serve, models):
    """Limits small enough to be met."""
    with serve(models / "wiki", "--max-body", 2000, "--read-timeout", 1, "--max-headers", 4096, "--max-k", 50,
               "--max-batch", 20, "--max-connections", 40) as running:  # fmt: skip
        yield running


@pytest.fixture(autouse=True)
def goes_on(request):
    yield
    if "small" in request.fixturenames:
        service = request.getfixturevalue("small")
        assert service.get("/v1/models/wiki/similar?word=king&k=2").json()["words"]
        assert not [line for line in service.errors if "Traceback" in line], "".join(service.errors)


def status(answer: bytes) -> int:
    return int(answer.split()[1]) if answer else 0


def post(body: bytes, *headers: bytes) -> bytes:
    head = [b"POST /v1/models/wiki/similar HTTP/1.1", b"Host: x", b"Connection: close", *headers]
    return b"\r\n".join([*head, b"", body])


@pytest.mark.parametrize(
    "request_",
    [
        post(b'{"item": "king"}', b"Content-Length: 16", b"Content-Length: 17"),
        post(b'{"item": "king"}', b"Content-Length: 16", b"Transfer-Encoding: chunked"),
        post(b'{"item": "king"}', b"Content-Length: -16"),
        post(b'{"item": "king"}', b"Content-Length: 0x10"),
        post(b'{"item": "king"}', b"Content-Length: 99999999999999999999999"),
        post(b'10\r\n{"item": "king"}XX0\r\n\r\n', b"Transfer-Encoding: chunked"),
        post(b"zz\r\nking\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
        post(b"FFFFFFFFFFFFFFFFF\r\nking\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
        b"GET " + ASK + b" HTTP/9.9\r\n\r\n",
        b"GET " + ASK + b"\r\nno header\r\n\r\n",
        b"GET " + ASK + b" HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 100,
    ],
)
def test_what_is_no_http_is_400(small, request_) -> None:
    answer = small.raw(request_)
    assert status(answer) in (400, 413, 422)
    assert b"application/problem+json" in answer


def test_a_chunked_body_is_well(small) -> None:
    assert status(small.raw(post(b'8\r\n{"item":\r\n7\r\n"king"}\r\n0\r\n\r\n', b"Transfer-Encoding: chunked"))) == 200


def test_the_limit_of_a_body_to_the_byte(small) -> None:
    for size, expected in ((1999, 200), (2000, 200), (2001, 413)):
        body = b'{"item": "king", "k": 2' + b" " * (size - 24) + b"}"
        assert len(body) == size
        assert status(small.raw(post(body, b"Content-Length: %d" % size))) == expected
        chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
        assert status(small.raw(post(chunked, b"Transfer-Encoding: chunked"))) == expected


def test_a_compressed_body_is_not_unpacked(small) -> None:
    bomb = gzip.compress(b" " * 100_000)
    answer = small.raw(post(bomb, b"Content-Encoding: gzip", b"Content-Length: %d" % len(bomb)))
    assert (status(answer), b"compressed" in answer) == (422, True)


def test_other_limits(small) -> None:
    small.problem(small.ask("similar", {"items": ["king"] * 21}), 413, "too-large")
    small.problem(small.ask("similar", {"item": "king", "k": 51}), 422, "invalid")
    assert small.ask("similar", {"items": ["king"] * 20, "k": 50}).json()["errors"] == 0


def test_headers_beyond_the_limit(small) -> None:
    assert status(small.raw(b"GET " + ASK + b" HTTP/1.1\r\nX: " + b"a" * 5000 + b"\r\n\r\n")) == 431
    assert status(small.raw(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n")) == 431
    assert status(small.raw(b"GET " + ASK + b" HTTP/1.1\r\n" + b"X: a\r\n" * 2000)) in (0, 431)
    assert (
        status(small.raw(b"GET " + ASK + b" HTTP/1.1\r\nConnection: close\r\nX: " + b"a" * 3000 + b"\r\n\r\n")) == 200
    )


def test_slow_and_silent_clients_are_sent_away(small) -> None:
    """Headers that never end, a body that never comes, half a body, silence: each ends within the limit of a second."""
    answers: dict[str, bytes] = {}
    half = post(b'{"item"', b"Content-Length: 16")
    cases = {
        "silence": b"",
        "half a line": b"GET /v1",
        "headers without end": b"GET " + ASK + b" HTTP/1.1\r\nHost: x\r\nX: ",
        "no body": post(b"", b"Content-Length: 16"),
        "half a body": half,
        "a body of chunks without end": post(b"4\r\nkin", b"Transfer-Encoding: chunked"),
        "empty lines": b"\r\n\r\n",
    }
    threads = [
        threading.Thread(target=lambda name=name, data=data: answers.update({name: small.raw(data)}))
        for name, data in cases.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: status(answer) for name, answer in answers.items()} == dict.fromkeys(cases, 408)


def test_an_idle_connection_is_closed(serve, models) -> None:
    with serve(models / "wiki", "--idle-timeout", 1) as running:
        answer = running.raw(b"GET " + ASK + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status(answer), b"connection: close" in answer) == (200, False)


def test_a_trickle_of_headers_does_not_win_time(small) -> None:
    ended = threading.Event()
    with socket.create_connection((small.host, small.port), timeout=300) as connection:
        connection.sendall(b"GET " + ASK + b" HTTP/1.1\r\n")

        def trickle() -> None:
            while not ended.wait(0.05):
                try:
                    connection.sendall(b"X: a\r\n")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        answer = connection.recv(4096)
        ended.set()
        thread.join()
    assert status(answer) == 408


def test_clients_that_hang_up_anywhere(small) -> None:
    whole = post(b'{"item": "king"}', b"Content-Length: 16")
    for end in range(0, len(whole), 7):
        with socket.create_connection((small.host, small.port)) as connection:
            connection.sendall(whole[:end])
    half_closed = small.raw(post(b'{"item": "king"}', b"Content-Length: 16"), end=True)
    assert status(half_closed) in (0, 200)


def test_more_connections_than_are_taken(small) -> None:
    """Each is answered and stays open, until there are as many as may be: every further one is refused."""
    statuses = []
    connections = []
    for _ in range(60):
        connection = socket.create_connection((small.host, small.port), timeout=300)
        connections.append(connection)
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            statuses.append(status(connection.recv(4096)))
        except ConnectionError:  # closed before the request came: the refusal may be lost with it
            statuses.append(503)
    for connection in connections:
        connection.close()
    taken = statuses.index(503)
    assert 20 < taken <= 40
    assert statuses == [200] * taken + [503] * (60 - taken)
    small.until(lambda: small.get("/healthz").status_code == 200)


def test_pipelined_requests_come_back_in_order(small) -> None:
    words = [f"w{i}" for i in range(20)]
    requests = b"".join(
        b"GET /v1/models/wiki/similar?k=1&word=%s HTTP/1.1\r\nHost: x\r\n\r\n" % w.encode() for w in words
    )
    answer = small.raw(requests + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert [part.split(b'"')[0].decode() for part in answer.split(b'"query":"')[1:]] == words


def test_ten_thousand_bad_inputs(small) -> None:
    """Good requests with bytes changed, cut, doubled and mixed; JSON of every kind. None is a 500, all are answered."""
    rng = random.Random(11)
    good = [
        b'{"item": "king", "k": 3}', b'{"items": ["king", "w1"], "exclude": "none"}', b'{"item": [1, 2, 3]}',
        b'{"item": ["man", "king", "woman"], "method": "3cosmul"}', b'{"item": "king - 0.5*man + w1"}',
    ]  # fmt: skip
    values = ["null", "true", "-1", "0", "1e400", "-0.0", str(2**63), str(2**64), '""', '"\\ud800"', '"\\u0000"', "[]",
              "[[]]", "{}", '{"item":1}', "NaN", "1E-9", '"' + "a" * 1500 + '"', '"king"', '["king"]']  # fmt: skip
    names = [
        "item",
        "items",
        "k",
        "exclude",
        "top",
        "min_count",
        "words",
        "threshold",
        "least",
        "method",
        "approximat",
        "",
    ]
    connection = http.client.HTTPConnection(small.host, small.port, timeout=300)
    seen: dict[int, int] = {}
    for i in range(10_000):
        if i % 2:
            body = bytearray(rng.choice(good))
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(body))
                change = rng.randrange(4)
                if change == 0:
                    body[at] = rng.randrange(256)
                elif change == 1:
                    del body[at:]
                elif change == 2:
                    body[at:at] = body[: rng.randrange(len(body))]
                else:
                    body[at:at] = rng.choice(values).encode()
                body = body or bytearray(b" ")
        else:
            fields = [f'"{rng.choice(names)}": {rng.choice(values)}' for _ in range(rng.randint(0, 4))]
            body = bytearray(("{" + ", ".join(fields) + "}").encode())
        question = rng.choice(["similar", "analogy", "query", "similarity", "odd", "rank", "vectors", "stability"])
        connection.request("POST", f"/v1/models/wiki/{question}", bytes(body[:2000]))
        response = connection.getresponse()
        content = response.read()
        seen[response.status] = seen.get(response.status, 0) + 1
        if response.status != 200:
            document = json.loads(content)
            assert document["status"] == response.status, body
            assert document["type"].startswith("urn:wordgeo:problem:")
        if response.getheader("connection") == "close":
            connection.close()
    connection.close()
    assert set(seen) <= {200, 400, 403, 404, 409, 413, 422}, seen
    assert seen[200] > 10
    assert seen[400] + seen[422] > 2000


# Keys


@pytest.fixture(scope="module")
def guarded(serve, models, tmp_path_factory):
    """With two keys, one of which may ask twice in five seconds."""
    secret, line = new_key("team")
    slow, slow_line = new_key("slow")
    path = tmp_path_factory.mktemp("keys") / "keys.txt"
    path.write_text(f"# keys\n{line}\n\n{slow_line} 0.2\n", encoding="utf-8")
    with serve(models / "wiki", "--keys", path, "--host", "0.0.0.0") as running:
        running.http.base_url = f"http://127.0.0.1:{running.port}"
        running.secret, running.slow, running.digest = secret, slow, line.split()[1]
        yield running


def test_a_key_is_demanded_where_there_are_keys(guarded) -> None:
    wrong = [guarded.secret[:-1], guarded.secret + "x", guarded.secret.upper(), guarded.digest, "wg_", "x" * 500]
    for path in ("/v1/models", "/v1/models/wiki/similar?word=king", "/metrics", "/v1/evaluations", "/v1/anything"):
        found = guarded.get(path)
        guarded.problem(found, 401, "key")
        assert found.headers["www-authenticate"] == "Bearer"
        for key in wrong:
            guarded.problem(guarded.get(path, headers={"Authorization": f"Bearer {key}"}), 401, "key")
        assert guarded.get(path, headers={"Authorization": f"Bearer {guarded.secret}"}).status_code in (200, 404)
        assert guarded.get(path, headers={"X-API-Key": guarded.secret}).status_code in (200, 404)
    for path in ("/healthz", "/readyz", "/", "/docs", "/openapi.json"):
        assert guarded.get(path).status_code == 200


def test_a_key_has_a_rate(guarded) -> None:
    answers = [guarded.get("/v1/models", headers={"X-API-Key": guarded.slow}) for _ in range(3)]
    assert answers[0].status_code == 200
    guarded.problem(answers[-1], 429, "rate")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
    assert guarded.get("/v1/models", headers={"X-API-Key": guarded.secret}).status_code == 200


def test_a_rate_comes_back_with_time(monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr("wordgeo.service.keys.monotonic", lambda: now[0])
    key = Key("k", b"", 2.0)
    assert [key.wait() for _ in range(4)] == [0.0] * 4
    assert key.wait() == pytest.approx(0.5)
    now[0] += 0.5
    assert key.wait() == 0.0
    assert key.wait() > 0
    now[0] += 1000
    assert [key.wait() > 0 for _ in range(5)] == [False] * 4 + [True]


def test_every_key_is_compared_and_in_constant_time(monkeypatch) -> None:
    compared = []
    monkeypatch.setattr("wordgeo.service.keys.hmac.compare_digest", lambda a, b: compared.append(a) or a == b)
    secrets = [new_key(f"k{i}") for i in range(5)]
    monkeypatch.setenv("WORDGEO_API_KEYS", "\n".join(line for _, line in secrets))
    keys = Keys.read(None, rate=8.0, workers=2)
    assert keys.find(secrets[0][0].encode()).name == "k0"
    assert keys.find(b"nothing") is None
    assert len(compared) == 10
    assert keys.keys[0].rate == 4.0


def test_files_of_keys_that_are_none(tmp_path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(NotFoundError):
        Keys.read(path)
    line = new_key("a")[1]
    for text in (
        "",
        "# nothing\n",
        "name\n",
        "name xyz\n",
        f"{line} -1\n",
        f"{line} 1 2\n",
        f"{line}\n{line}\n",
        "a " + "0" * 62,
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(FormatError):
            Keys.read(path)


def test_other_machines_are_not_served_without_a_key() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.1", "example.org"):
        with pytest.raises(OptionError, match="--without-keys"):
            ServiceConfig(models=("m",), host=host)
        assert not ServiceConfig(models=("m",), host=host, without_keys=True).is_local
    assert ServiceConfig(models=("m",), host="::1").is_local


def test_pages_of_other_sites_may_not_ask(service, serve, models) -> None:
    origin = {"Origin": "https://lab.example"}
    assert "access-control-allow-origin" not in service.get("/v1/models", headers=origin).headers
    cross = {"Sec-Fetch-Site": "cross-site", **origin}
    service.problem(service.post("/v1/models/wiki/evaluations", {"suite": "google"}, headers=cross), 403, "forbidden")
    with serve(models / "wiki", "--origins", "https://lab.example") as running:
        found = running.get("/v1/models/wiki/similar?word=king", headers=origin)
        assert found.headers["access-control-allow-origin"] == "https://lab.example"
        preflight = running.http.options("/v1/models/wiki/similar", headers=origin)
        assert (preflight.status_code, "POST" in preflight.headers["access-control-allow-methods"]) == (204, True)
        other = running.get("/v1/models", headers={"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in other.headers
        assert running.ask("similar", {"item": "king"}).status_code == 200


@pytest.mark.parametrize(
    "settings",
    [{"port": 70000}, {"workers": 0}, {"max_k": 0}, {"deadline": 0}, {"deadline": float("nan")}, {"rate": 0},
     {"host": ""}, {"max_queue": 999},
     {"models": ()}, {"drain": -1}, {"cache": -1}, {"threads": 0}],
)  # fmt: skip
def test_settings_that_are_refused(settings) -> None:
    with pytest.raises(OptionError):
        ServiceConfig(**{"models": ("m",), **settings})
