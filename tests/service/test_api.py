"""Every endpoint answers what the local model answers: the same fields, the same bytes of numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

import wordgeo as wg


def test_models_say_what_they_are_and_nothing_of_files(service, models, wiki) -> None:
    found = service.get("/v1/models").json()["models"]
    assert [(one["name"], one["kind"], one["runs"]) for one in found] == [("wiki", "model", 1), ("runs", "ensemble", 3)]
    assert found[0] == service.get("/v1/models/wiki").json()
    assert (found[0]["words"], found[0]["dimensions"], found[0]["generation"]) == (len(wiki), 200, 1)
    assert found[0]["tokens"] == sum(10 * i for i in range(1, len(wiki) + 1))
    assert found[0]["provenance"] == {"algorithm": "skipgram", "corpus": {}}
    assert str(models) not in json.dumps(found)


EXPECTED = {
    "similar": lambda model: (["king", "w5"], [one.to_dict() for one in model.similar_batch(["king", "w5"])]),
    "analogy": lambda model: (
        [["man", "king", "woman"], ["w1", "w2", "w3"]],
        [one.to_dict() for one in model.analogy_batch([("man", "king", "woman"), ("w1", "w2", "w3")])],
    ),
    "query": lambda model: (
        ["king - man + woman", '0.5*w1 + "new york"'],
        [one.to_dict() for one in model.query_batch(["king - man + woman", '0.5*w1 + "new york"'])],
    ),
    "similarity": lambda model: (
        [["king", "queen"]], [{"words": ["king", "queen"], "similarity": model.similarity("king", "queen")}],
    ),
    "odd": lambda model: ([["w1", "w2", "car"]], [model.odd(["w1", "w2", "car"]).to_dict()]),
    "rank": lambda model: ([["king", "queen"], ["w1", "w9"]],
                           [one.to_dict() for one in model.rank_batch([("king", "queen"), ("w1", "w9")])]),
    "vectors": lambda model: (["w7"], [{"word": "w7", "vector": model["w7"].tolist()}]),
}  # fmt: skip


@pytest.mark.parametrize("question", EXPECTED)
def test_one_and_many_are_what_the_local_model_says(service, wiki, question) -> None:
    items, expected = EXPECTED[question](wiki)
    expected = json.loads(json.dumps(expected))
    assert service.ask(question, {"items": items}).json() == {"results": expected, "errors": 0}
    for item, one in zip(items, expected, strict=True):
        response = service.ask(question, {"item": item})
        assert (response.status_code, response.json()) == (200, one)


@pytest.mark.parametrize(
    ("path", "question", "item"),
    [
        ("similar?word=king&k=3", "similar", "king"),
        ("analogy?a=man&b=king&c=woman&k=3", "analogy", ["man", "king", "woman"]),
        ("query?expression=king+-+man+%2B+woman&k=3", "query", "king - man + woman"),
        ("map?expression=king&k=3", "map", "king"),
    ],
)
def test_the_form_for_browsers(service, path, question, item) -> None:
    assert service.get(f"/v1/models/wiki/{path}").json() == service.ask(question, {"item": item, "k": 3}).json()


def test_the_other_forms_for_browsers(service) -> None:
    assert service.get("/v1/models/wiki/similarity?a=king&b=queen").json()["words"] == ["king", "queen"]
    assert service.get("/v1/models/wiki/rank?a=king&b=queen").json()["rank_min"] == 1
    assert service.get("/v1/models/wiki/odd?word=w1&word=w2&word=car").json()["words"] == ["w1", "w2", "car"]
    assert len(service.get("/v1/models/wiki/vectors?word=king").json()["vector"]) == 200


@pytest.mark.parametrize(
    ("question", "item", "options"),
    [
        ("similar", "king", {"k": 1}),
        ("similar", "king", {"k": 1000}),
        ("similar", "king", {"exclude": "none"}),
        ("similar", "king", {"exclude": "string"}),
        ("similar", "w9", {"top": 50}),
        ("similar", "w9", {"min_count": 59000}),
        ("similar", "w9", {"words": ["king", "queen", "nowhere"]}),
        ("similar", "w9", {"least": True, "threshold": 0.9}),
        ("similar", "w9", {"threshold": 0.1}),
        ("query", "king - w3", {"exclude": "none", "top": 100}),
    ],
)
def test_options_mean_what_they_mean_in_python(service, wiki, question, item, options) -> None:
    local = getattr(wiki, question)(item, **options).to_dict()
    assert service.ask(question, {"item": item, **options}).json() == json.loads(json.dumps(local))


def test_options_of_analogies(service, wiki) -> None:
    for method in ("3cosadd", "3cosmul", "pairdirection"):
        for exclude in ("row", "string", "none"):
            local = wiki.analogy("man", "king", "w1", 5, method=method, exclude=exclude, top=500).to_dict()
            body = {"item": ["man", "king", "w1"], "k": 5, "method": method, "exclude": exclude, "restrict_vocab": 500}
            assert service.ask("analogy", body).json() == json.loads(json.dumps(local))


def test_vectors_are_questions_too(service, wiki) -> None:
    vectors = [wiki["w3"].tolist(), (wiki["w3"] + wiki["w4"]).tolist()]
    local = [one.to_dict() for one in wiki.similar_batch(np.array(vectors, dtype=np.float32), 4)]
    assert service.ask("similar", {"items": vectors, "k": 4}).json()["results"] == json.loads(json.dumps(local))
    for bad in ([], [1.0], [1e39] * 200, [1e400] * 200):
        content = json.dumps({"item": bad}).replace("Infinity", "1e400")
        service.problem(service.http.post("/v1/models/wiki/similar", content=content), 422, "invalid")


def test_a_bad_item_harms_no_other(service, wiki) -> None:
    items = ["king", "nowhere", 5, None, ["king"], {"a": 1}, "", [1, 2, 3], "w1", "quen", [True] * 200]
    found = service.ask("similar", {"items": items, "k": 2}).json()
    assert found["errors"] == 9
    assert found["results"][0] == json.loads(json.dumps(wiki.similar("king", 2).to_dict()))
    assert found["results"][8] == json.loads(json.dumps(wiki.similar("w1", 2).to_dict()))
    statuses = [one.get("status") for one in found["results"]]
    assert statuses == [None, 404, 422, 422, 422, 422, 404, 422, None, 404, 422]
    assert found["results"][9]["word"] == "quen"
    assert found["results"][9]["suggestions"] == ["queen"]


def test_every_question_has_errors_by_item(service) -> None:
    for question, good, bad in (
        ("analogy", ["man", "king", "woman"], [["a"], ["man", "king", "nowhere"], "man"]),
        ("query", "king - man", ["king -", "king + nowhere", "", "+", 7]),
        ("similarity", ["king", "man"], [["king"], ["king", "nowhere"]]),
        ("odd", ["king", "man", "car"], [["king", "man"], [], ["king", "man", "nowhere"]]),
        ("rank", ["king", "man"], [["king", "nowhere"], []]),
        ("vectors", "king", ["nowhere", 3]),
        ("map", "king", ["nowhere", "king -"]),
    ):
        found = service.ask(question, {"items": [good, *bad, good]}).json()
        assert found["errors"] == len(bad)
        assert found["results"][0] == found["results"][-1]
        assert all(one["status"] in (404, 422) for one in found["results"][1:-1])


def test_an_unknown_word_is_404_with_suggestions(service) -> None:
    found = service.problem(service.get("/v1/models/wiki/similar?word=quean"), 404, "unknown-word")
    assert (found["word"], found["suggestions"]) == ("quean", ["queen"])
    assert "did you mean queen?" in found["detail"]


def test_only_the_first_unknown_words_get_suggestions(service) -> None:
    found = service.ask("similar", {"items": [f"queen{i}" for i in range(15)]}).json()["results"]
    assert [bool(one["suggestions"]) for one in found] == [True] * 10 + [False] * 5


def test_as_many_slow_questions_as_a_batch_may_have(service, wiki) -> None:
    found = service.ask("stability", {"items": wiki.words[:1000]}, "runs")
    assert (found.status_code, found.json()["errors"]) == (200, 0)


def test_an_unknown_option_is_named_with_those_there_are(service) -> None:
    found = service.problem(service.ask("query", {"item": "king", "match": ".*"}), 422, "invalid")
    assert found["place"] == "match"
    assert "match is no option of query; there are: k, exclude, top" in found["detail"]
    found = service.problem(service.ask("similar", {"item": "king", "exclude": "all"}), 422, "invalid")
    assert (found["place"], found["detail"]) == (
        "exclude",
        "exclude: Invalid enum value 'all'; give row, string, none",
    )


def test_an_empty_batch_is_well(service) -> None:
    assert service.ask("similar", {"items": []}).json() == {"results": [], "errors": 0}


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({}, 422, "invalid"),
        ({"item": "king", "items": ["king"]}, 422, "invalid"),
        ({"item": "king", "k": 0}, 422, "invalid"),
        ({"item": "king", "k": -1}, 422, "invalid"),
        ({"item": "king", "k": 2**63}, 422, "invalid"),
        ({"item": "king", "k": 1001}, 422, "invalid"),
        ({"item": "king", "k": 1.5}, 422, "invalid"),
        ({"item": "king", "k": "3"}, 422, "invalid"),
        ({"item": "king", "k": True}, 422, "invalid"),
        ({"item": "king", "top": -1}, 422, "invalid"),
        ({"item": "king", "threshold": 2}, 422, "invalid"),
        ({"item": "king", "exclude": "all"}, 422, "invalid"),
        ({"item": "king", "match": ".*"}, 422, "invalid"),
        ({"item": "king", "method": "3cosadd"}, 422, "invalid"),
        ({"items": "king"}, 422, "invalid"),
        ([], 422, "invalid"),
        ("king", 422, "invalid"),
        ({"items": ["king"] * 1001}, 413, "too-large"),
    ],
)
def test_requests_that_are_refused(service, body, status, kind) -> None:
    found = service.problem(service.ask("similar", body), status, kind)
    assert found["detail"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"item": "king", "k": NaN}',
        b'{"item": "\\ud800"}',
        b'{"item": "\xff"}',
        b'{"item": ' + b"[" * 100000,
    ],
)
def test_what_is_no_json_is_400(service, content) -> None:
    service.problem(service.http.post("/v1/models/wiki/similar", content=content), 400, "malformed")


@pytest.mark.parametrize(
    "query",
    ["", "k=3", "word=king&k=0", "word=king&k=x", "word=king&word=queen", "word=king&unknown=1", "word=king&words=a",
     "word=king&threshold=nan", "word=king&threshold=inf", "word=king&items=a", "word=king&least=maybe"],
)  # fmt: skip
def test_addresses_that_are_refused(service, query) -> None:
    service.problem(service.get(f"/v1/models/wiki/similar?{query}"), 422, "invalid")


def test_addresses_that_cannot_be_read(service) -> None:
    for query in (b"word=%FF", b"word=king&%", b"=&&&", b"word=" + b"&a=1" * 400):
        answer = service.raw(
            b"GET /v1/models/wiki/similar?" + query + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert answer.split()[1] in (b"400", b"422"), query


def test_addresses_that_are_not_there(service) -> None:
    service.problem(service.get("/v1/models/nothing/similar?word=king"), 404, "unknown-model")
    service.problem(service.get("/v1/models/nothing"), 404, "unknown-model")
    service.problem(service.get("/v1/models/..%2F..%2Fetc/similar?word=king"), 404, "not-found")
    service.problem(service.get("/nothing"), 404, "not-found")
    service.problem(service.get("/static/../config.py"), 404, "not-found")
    service.problem(service.get("/static/%2e%2e/config.py"), 404, "not-found")
    found = service.http.put("/v1/models/wiki/similar", json={})
    service.problem(found, 405, "method-not-allowed")
    assert found.headers["allow"] == "GET, POST"
    service.problem(service.http.post("/v1/models"), 405, "method-not-allowed")


def test_stability_of_words_in_an_ensemble(service, models) -> None:
    ensemble = wg.load(models / "runs")
    local = json.loads(json.dumps(ensemble.agreement(["king", "w5"], 7).to_dict()))
    found = service.ask("stability", {"items": ["king", "nowhere", "w5"], "k": 7}, "runs").json()
    for at, i in ((0, 0), (2, 1)):
        one = found["results"][at]
        assert one == {**one, "k": 7, "runs": 3, "words": [local["words"][i]], "overlap": [local["overlap"][i]],
                       "joint": [local["joint"][i]], "agreed": [local["agreed"][i]]}  # fmt: skip
    assert found["results"][1]["status"] == 404
    service.problem(service.get("/v1/models/wiki/stability?word=king"), 409, "not-an-ensemble")


def test_an_ensemble_answers_by_its_first_run(service, models) -> None:
    local = wg.load(models / "runs")[0].similar("king", 4).to_dict()
    assert service.ask("similar", {"item": "king", "k": 4}, "runs").json() == json.loads(json.dumps(local))


def test_vocabulary_by_prefix_and_by_spelling(service, wiki) -> None:
    found = service.get("/v1/models/wiki/vocabulary?prefix=KI&limit=5").json()
    assert found == {"words": ["king", "King"], "indices": [0, 4], "counts": wiki.counts[[0, 4]].tolist()}
    every = [word for word in wiki.words if word.startswith("w1")]
    assert service.get("/v1/models/wiki/vocabulary?prefix=w1&limit=7").json()["words"] == every[:7]
    assert service.get("/v1/models/wiki/vocabulary?prefix=zz").json()["words"] == []
    assert service.get("/v1/models/wiki/vocabulary?near=quen&limit=1").json()["words"] == ["queen"]
    assert service.get("/v1/models/wiki/vocabulary?near=king").json()["words"][:2] == ["king", "King"]
    for query in ("", "prefix=a&near=b", "prefix=a&limit=0", "prefix=a&limit=201", f"near={'a' * 65}"):
        service.problem(service.get(f"/v1/models/wiki/vocabulary?{query}"), 422, "invalid")


def test_a_map_keeps_its_promises(service, wiki) -> None:
    found = service.ask("map", {"item": "king - man + w1", "k": 25}).json()
    assert found["words"] == ["king", "man", "w1", *wiki.query("king - man + w1", 25).words]
    unit = np.stack([wiki[word] / np.linalg.norm(wiki[word]) for word in found["words"]])
    centred = unit - unit.mean(axis=0)
    plane = np.stack([found["x"], found["y"]], axis=1)
    _, sizes, axes = np.linalg.svd(centred)
    np.testing.assert_allclose(np.abs(plane), np.abs(centred @ axes[:2].T), atol=1e-5)
    assert found["variance"] == pytest.approx((sizes[:2] ** 2).sum() / (sizes**2).sum(), abs=1e-5)
    manifold = pytest.importorskip("sklearn.manifold")
    theirs = manifold.trustworthiness(np.abs(1 - unit @ unit.T), plane, n_neighbors=5, metric="precomputed")
    assert found["trustworthiness"] == pytest.approx(theirs, abs=1e-6)
    cosines = unit @ unit.T - 2 * np.eye(len(unit))
    nearest = {tuple(sorted((i, j))) for i, row in enumerate(np.argsort(-cosines)[:, :3].tolist()) for j in row}
    assert {tuple(link) for link in found["links"]} == nearest


def test_answers_carry_security_headers(service) -> None:
    for path in (
        "/v1/models",
        "/v1/models/wiki/similar?word=king",
        "/v1/models/wiki/similar?word=nowhere",
        "/",
        "/docs",
    ):
        headers = service.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe-eval" not in headers["content-security-policy"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers
    assert "unsafe-inline" not in service.get("/").headers["content-security-policy"]
