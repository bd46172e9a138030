"""One OpenAPI document for all routes: FastAPI's own, and the questions with their schemas from the same structs."""

from __future__ import annotations

from typing import Any

import fastapi
import msgspec
from fastapi.openapi.utils import get_openapi

from wordgeo.service.problems import MEDIA_TYPE, TYPES
from wordgeo.service.questions import QUESTIONS, Question

__all__ = ["document"]

REFERENCE = "#/components/schemas/{name}"
NUMBERS = {"type": "array", "items": {"type": "number"}}
WHOLES = {"type": "array", "items": {"type": "integer"}}
TEXTS = {"type": "array", "items": {"type": "string"}}
TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
NEIGHBORS = {"query": TEXT, "words": TEXTS, "scores": NUMBERS, "indices": WHOLES}
# The fields of each answer, all of which are always there.
ANSWERS: dict[str, dict[str, Any]] = {
    "similar": NEIGHBORS,
    "analogy": NEIGHBORS,
    "query": NEIGHBORS,
    "similarity": {"words": TEXTS, "similarity": NUMBER},
    "odd": {"word": TEXT, "words": TEXTS, "scores": NUMBERS},
    "rank": {"words": TEXTS, "rank_min": WHOLE, "rank_max": WHOLE, "score": NUMBER},
    "stability": {
        "k": WHOLE, "runs": WHOLE, "words": TEXTS, "overlap": NUMBERS, "joint": WHOLES,
        "agreed": {"type": "array", "items": TEXTS},
    },
    "vectors": {"word": TEXT, "vector": NUMBERS},
    "map": {
        "query": TEXT, "words": TEXTS, "scores": {"type": "array", "items": {"type": ["number", "null"]}},
        "x": NUMBERS, "y": NUMBERS, "links": {"type": "array", "items": WHOLES}, "trustworthiness": NUMBER,
        "variance": NUMBER,
    },
}  # fmt: skip
PROBLEM = {
    "type": "object",
    "properties": {"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT, "word": TEXT, "suggestions": TEXTS},
    "required": ["type", "title", "status", "detail"],
}
TAGS = [  # in the order of the documentation's page
    {"name": "questions", "description": "POST asks one `item` or many `items`; GET asks one."},
    {"name": "models"},
    {"name": "evaluations"},
    {"name": "operation"},
]
STATUSES = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 501, 503)


def document(app: fastapi.FastAPI) -> dict[str, Any]:
    """The document, made at the first request and kept."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title, version=app.version, routes=app.routes, tags=TAGS,
            description="Questions to word embeddings. Errors are problem documents (RFC 9457).",
        )  # fmt: skip
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        schemas["Problem"] = PROBLEM
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{}, {"key": []}]
        for question in QUESTIONS.values():
            made["paths"][f"/v1/models/{{model}}/{question.name}"] = _path(question, schemas)
        for path in made["paths"].values():
            for operation in path.values():
                responses = operation["responses"]
                for status in STATUSES:
                    titles = [title for code, title in TYPES.values() if code == status]
                    responses[str(status)] = _response(" or ".join(titles), "Problem", MEDIA_TYPE)
        app.openapi_schema = made
    return app.openapi_schema


def _path(question: Question, schemas: dict[str, Any]) -> dict[str, Any]:
    name = question.name.capitalize()
    (_, item), found = msgspec.json.schema_components([question.request, question.item], ref_template=REFERENCE)
    schemas |= found
    body = dict(found[question.request.__name__])
    body["title"] = f"{name}Request"
    optional = {field: value for field, value in body["properties"].items() if field not in ("item", "items")}
    body["properties"] = {"item": item, "items": {"type": "array", "items": item}} | optional
    body["oneOf"] = [{"required": ["item"]}, {"required": ["items"]}]
    schemas.pop(question.request.__name__)
    schemas[f"{name}Request"] = body
    fields = ANSWERS[question.name]
    extra = {"recall": NUMBER} if question.name == "similar" else {}
    schemas[f"{name}Answer"] = {"type": "object", "properties": fields | extra, "required": [*fields]}
    answer = {"$ref": REFERENCE.format(name=f"{name}Answer")}
    problem = {"$ref": REFERENCE.format(name="Problem")}
    schemas[f"{name}Answers"] = {
        "type": "object",
        "properties": {"results": {"type": "array", "items": {"anyOf": [answer, problem]}}, "errors": WHOLE},
        "required": ["results", "errors"],
    }
    model = {"name": "model", "in": "path", "required": True, "schema": TEXT, "description": "A model's name."}
    one, many = question.example
    given = [
        _parameter(field, True, {"type": "array", "items": TEXT} if question.name == "odd" else TEXT, example)
        for field, example in zip(question.fields, _spelled(question, one), strict=True)
    ]
    given += [_parameter(field, False, value) for field, value in optional.items() if field != "words"]
    return {
        "get": {
            "tags": ["questions"], "summary": question.summary, "operationId": f"get_{question.name}",
            "parameters": [model, *given], "responses": {"200": _response("The answer", f"{name}Answer")},
        },
        "post": {
            "tags": ["questions"], "summary": f"{question.summary}: one item or many",
            "operationId": f"post_{question.name}", "parameters": [model],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": REFERENCE.format(name=f"{name}Request")},
                        "examples": {"one": {"value": {"item": one}}, "many": {"value": {"items": many}}},
                    }
                },
            },
            "responses": {
                "200": {
                    "description": "The answer to item, or those to items",
                    "content": {
                        "application/json": {
                            "schema": {"anyOf": [answer, {"$ref": REFERENCE.format(name=f"{name}Answers")}]}
                        }
                    },
                }
            },
        },
    }  # fmt: skip


def _spelled(question: Question, example: Any) -> list[Any]:
    if question.name == "odd" or isinstance(example, str):
        return [example]
    return list(example)


def _parameter(name: str, required: bool, schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    found = {"name": name, "in": "query", "required": required, "schema": schema}
    return found if example is None else found | {"example": example}


def _response(description: str, schema: str, media_type: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media_type: {"schema": {"$ref": REFERENCE.format(name=schema)}}}}
