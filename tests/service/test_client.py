"""A model behind a service answers like one that is here: the same methods, results and errors."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading

import numpy as np
import pytest

import wordgeo as wg
from wordgeo.cli import main
from wordgeo.client import AsyncClient, Client, connect, connect_async
from wordgeo.errors import OptionError, ServiceError, UnknownWordError

QUESTIONS = [
    ("similar", ("king",), {"k": 3}),
    ("similar", ("king",), {"threshold": 0.05, "exclude": "string", "top": 500}),
    ("similar", ("w5",), {"words": ["king", "queen"]}),
    ("analogy", ("man", "king", "woman"), {"k": 2, "method": "3cosmul"}),
    ("query", ("king - man + woman",), {"k": 4}),
    ("odd", (["w1", "w2", "car"],), {}),
    ("rank", ("king", "queen"), {}),
    ("similarity", ("king", "queen"), {}),
    ("similar_batch", ([f"w{i}" for i in range(1200)],), {"k": 2}),
    ("analogy_batch", ([("man", "king", "woman"), ("w1", "w2", "w3")],), {}),
    ("query_batch", (["king", "king + w1"],), {}),
    ("odd_batch", ([["w1", "w2", "w3"], ["king", "w1", "w2", "w3"]],), {}),
    ("rank_batch", ([("king", "queen"), ("w1", "w2")],), {}),
    ("similarity_batch", ([("king", "queen"), ("w1", "w2")],), {}),
    ("similar_batch", ([],), {}),
]


def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.to_dict() if hasattr(value, "to_dict") else value.tolist() if hasattr(value, "tolist") else value


@pytest.fixture(scope="module")
def remote(service):
    model = connect(f"{service.url}/wiki")
    yield model
    model.client.close()


@pytest.mark.parametrize(("method", "arguments", "options"), QUESTIONS)
def test_the_same_answers(service, remote, wiki, method, arguments, options) -> None:
    local = getattr(wiki, method)(*arguments, **options)
    found = getattr(remote, method)(*arguments, **options)
    assert type(found) is type(local)
    assert plain(found) == plain(local)

    async def ask():
        model = connect_async(f"{service.url}/v1/models/wiki/")
        async with model.client:
            return await getattr(model, method)(*arguments, **options)

    assert plain(asyncio.run(ask())) == plain(local)


def test_vectors_size_and_membership(service, remote, wiki, models) -> None:
    assert remote["king"].tobytes() == wiki["king"].tobytes()
    assert len(remote) == len(wiki)
    assert "king" in remote
    assert "nowhere" not in remote
    assert 3 not in remote
    vectors = np.stack([wiki["king"], wiki["w1"]])
    assert plain(remote.similar_batch(vectors, 3)) == plain(wiki.similar_batch(vectors, 3))
    assert plain(remote.similar(vectors[0], 3)) == plain(wiki.similar(vectors[0], 3))
    with Client(service.url) as client:
        assert [one["name"] for one in client.models()] == ["wiki", "runs"]
        agreement = client.model("runs").agreement(["king", "w5"], 5)
    assert plain(agreement) == plain(wg.load(models / "runs").agreement(["king", "w5"], 5))


def test_the_same_errors(service, remote, wiki) -> None:
    for ask in (
        lambda model: model.similar("quean"),
        lambda model: model.similar_batch(["king", "quean"]),
        lambda model: model.query("king + quean"),
    ):
        with pytest.raises(UnknownWordError) as here:
            ask(wiki)
        with pytest.raises(UnknownWordError) as there:
            ask(remote)
        assert str(there.value) == str(here.value)
    for ask in (
        lambda model: model.similar("king", 0),
        lambda model: model.query("king -"),
        lambda model: model.odd(["king"]),
        lambda model: model.odd("king"),
        lambda model: model.similar_batch("king"),
        lambda model: model.similar("king", exclude="nothing"),
    ):
        for model in (wiki, remote):
            with pytest.raises(OptionError):
                ask(model)
    with pytest.raises(ServiceError, match="no model 'gone'"):
        connect(f"{service.url}/gone").similar("king")
    for settings in ({"retries": -1}, {"timeout": 0}):
        with pytest.raises(OptionError):
            connect(f"{service.url}/wiki", **settings)
    for address in ("ftp://x/y", "http:///y", "wiki", "http://host"):
        with pytest.raises(OptionError):
            connect(address)


def test_many_at_once(service, wiki) -> None:
    async def ask():
        async with AsyncClient(service.url) as client:
            model = client.model("wiki")
            assert (await model.info())["words"] == len(wiki)
            assert (await model.vector("king")).tobytes() == wiki["king"].tobytes()
            return await asyncio.gather(*(model.similar(f"w{i}", 5) for i in range(64)))

    assert plain(asyncio.run(ask())) == plain(wiki.similar_batch([f"w{i}" for i in range(64)], 5))


class Busy(http.server.BaseHTTPRequestHandler):
    refusals = 2

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Busy.refusals -= 1
        if Busy.refusals >= 0:
            self._answer(503, {"type": "urn:wordgeo:problem:overloaded", "detail": "busy", "status": 503})
        else:
            self._answer(200, {"words": ["a", "b"], "similarity": 0.5})

    def _answer(self, status: int, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def test_a_busy_service_is_asked_again_and_not_for_ever() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/m"
    try:
        assert connect(address).similarity("a", "b") == 0.5
        Busy.refusals = 2

        async def ask():
            return await connect_async(address).similarity("a", "b")

        assert asyncio.run(ask()) == 0.5
        Busy.refusals = 9
        with pytest.raises(ServiceError, match="busy") as refused:
            connect(address, retries=1).similarity("a", "b")
        assert refused.value.status == 503
        assert Busy.refusals == 7
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(ServiceError, match="is the service running"):
        connect(address, retries=1).similarity("a", "b")


def test_the_command_line_asks_a_service_like_a_folder(service, models, capsys) -> None:
    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as leaving:
            main(args)
        return leaving.value.code, *capsys.readouterr()

    commands = ["similar king w5 -k 3", "analogy man king woman", "similarity king w1", "query king --top 100",
                "odd w1 w2 car", "similar quean"]  # fmt: skip
    for command in map(str.split, commands):
        here = run(command[0], str(models / "wiki"), *command[1:])
        assert run(command[0], f"{service.url}/wiki", *command[1:]) == here
    code, _, error = run("similar", "http://127.0.0.1:9/wiki", "king")
    assert (code, "is the service running?" in error) == (1, True)
    assert run("similar", "http://wiki", "king")[0] == 2
