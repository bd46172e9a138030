"""The OpenAPI document: every route is in it, its examples are true, and what schemathesis makes of it is answered."""

from __future__ import annotations

import contextlib

import pytest

from wordgeo.service.questions import QUESTIONS


@pytest.fixture(scope="module")
def document(service) -> dict:
    return service.get("/openapi.json").json()


def test_every_route_is_in_it(document) -> None:
    assert document["openapi"].startswith("3.1")
    expected = {f"/v1/models/{{model}}/{name}" for name in QUESTIONS}
    expected |= {"/v1/models", "/v1/models/{model}", "/v1/models/{model}/vocabulary", "/v1/models/{model}/evaluations"}
    expected |= {"/v1/evaluations", "/v1/evaluations/{id}", "/healthz", "/readyz", "/metrics"}
    assert set(document["paths"]) == expected


def test_examples_are_answered(service, document) -> None:
    for path, operations in document["paths"].items():
        if not path.endswith(tuple(QUESTIONS)):
            continue
        model = "runs" if path.endswith("stability") else "wiki"
        examples = operations["post"]["requestBody"]["content"]["application/json"]["examples"]
        assert set(examples) == {"one", "many"}
        if "actor" in str(examples):
            continue
        for example in examples.values():
            assert service.post(path.replace("{model}", model), example["value"]).status_code == 200, path
        query = {one["name"]: one["example"] for one in operations["get"]["parameters"] if "example" in one}
        assert service.get(path.replace("{model}", model), params=query).status_code == 200, path


def test_requests_made_from_the_document(service, document) -> None:
    """Valid and invalid ones, by schemathesis: never a 500, and always what the document promises."""
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable

    checks = schemathesis.checks
    promised = [
        checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance,
        checks.response_headers_conformance,
    ]  # fmt: skip
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=service.url)
    asked = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        strategies = [operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode]
        for strategy in strategies:

            @given(case=strategy)
            @settings(max_examples=6, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            def ask(case):
                nonlocal asked
                asked += 1
                case.path_parameters["model"] = "wiki"
                response = case.call()
                assert response.status_code != 500  # 503 is promised, where too many evaluations wait
                case.validate_response(response, checks=promised)

            with contextlib.suppress(Unsatisfiable):  # nothing about it can be invalid
                ask()
    assert asked > 100
