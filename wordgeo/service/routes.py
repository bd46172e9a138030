"""The routes beside the questions: models, vocabulary, evaluations, health, metrics, documentation, explorer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Literal

import fastapi
import fastapi_offline
import pydantic
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from wordgeo._version import __version__
from wordgeo.evaluation import SUITES
from wordgeo.evaluation.objectives import METHODS
from wordgeo.evaluation.protocols import PROTOCOLS
from wordgeo.service.asking import SLOW, Asking, read_body
from wordgeo.service.batching import Unit
from wordgeo.service.config import ServiceConfig
from wordgeo.service.gate import PAGE_POLICY
from wordgeo.service.jobs import Jobs
from wordgeo.service.metrics import Metrics
from wordgeo.service.openapi import document
from wordgeo.service.problems import MEDIA_TYPE, Problem, problem_of
from wordgeo.service.questions import encode
from wordgeo.service.registry import Registry, Served

__all__ = ["Health", "api"]

PAGE = Path(__file__).parent / "page"
SWAGGER = Path(fastapi_offline.__file__).parent / "static"
PAGE_HEADERS = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
MOST_LISTED = 200

ModelName = Annotated[str, fastapi.Path(description="The name of a model's folder.", max_length=128)]


class Health:
    """Whether the service takes requests: what /readyz says."""

    def __init__(self) -> None:
        self.stopping = False


class Model(pydantic.BaseModel):
    """What is known about a model."""

    name: str
    kind: Literal["model", "ensemble"]
    runs: int
    words: int
    dimensions: int
    tokens: int | None
    counts: bool
    subwords: bool
    vectors: bool
    generation: int
    provenance: dict[str, Any]


class Models(pydantic.BaseModel):
    """All models."""

    models: list[Model]


class Words(pydantic.BaseModel):
    """Words of a vocabulary."""

    words: list[str]
    indices: list[int]
    counts: list[int] | None


class Evaluation(pydantic.BaseModel):
    """What is to be evaluated; the fields are the options of `wordgeo.evaluate`."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": {"suite": "google"}})

    suite: Literal[tuple(SUITES)]  # type: ignore[valid-type]
    method: Literal[tuple(METHODS)] = "3cosadd"  # type: ignore[valid-type]
    protocol: Literal[tuple(PROTOCOLS)] = "gensim"  # type: ignore[valid-type]
    limit: int | None = pydantic.Field(None, ge=1, le=2**53)
    case_sensitive: bool = False
    unknown: Literal["skip", "wrong", "mean"] | None = None
    exclude: Literal["string", "row", "none"] | None = None
    seed: int = pydantic.Field(1, ge=0, le=2**31)


class Job(pydantic.BaseModel):
    """An evaluation in the background."""

    id: str
    model: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: float
    total: float | None
    unit: str | None
    detail: str | None
    options: dict[str, Any]
    result: Any


class JobList(pydantic.BaseModel):
    """All evaluations, without results."""

    evaluations: list[Job]


def api(
    config: ServiceConfig, registry: Registry, asking: Asking, jobs: Jobs, metrics: Metrics, health: Health
) -> fastapi.FastAPI:
    """The FastAPI application with all routes but those of questions, which its OpenAPI document describes too."""
    app = fastapi.FastAPI(title="wordgeo", version=__version__, docs_url=None, redoc_url=None)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    app.add_exception_handler(Exception, _answer_problem)
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(pydantic.ValidationError, _answer_invalid)

    @app.get("/v1/models", response_model=Models, tags=["models"], summary="All models")
    async def list_models() -> Response:
        return _json({"models": [served.info for served in registry]})

    @app.get("/v1/models/{model}", response_model=Model, tags=["models"], summary="Size and origin of a model")
    async def show_model(model: ModelName) -> Response:
        return _json(registry[model].info)

    @app.get("/v1/models/{model}/vocabulary", response_model=Words, tags=["models"], summary="Words by their spelling")
    async def vocabulary(
        request: fastapi.Request,
        model: ModelName,
        prefix: Annotated[
            str | None, fastapi.Query(max_length=256, description="Words that begin so.", examples=["kin"])
        ] = None,
        near: Annotated[str | None, fastapi.Query(max_length=64, description="Or words spelled nearly so.")] = None,
        limit: Annotated[int, fastapi.Query(ge=1, le=MOST_LISTED)] = 20,
    ) -> Response:
        if (prefix is None) == (near is None):
            raise Problem("invalid", "give either prefix or near", place="prefix")
        served = registry[model]
        asked = ("prefix", prefix) if near is None else ("near", near)
        unit = Unit(_search, (served, limit), [asked], [0], request.receive)
        (found,) = await asking.lanes[SLOW].submit(unit)
        if isinstance(found, Exception):
            raise problem_of(found)
        return _json(found)

    body = {"content": {"application/json": {"schema": Evaluation.model_json_schema()}}, "required": True}

    @app.post(
        "/v1/models/{model}/evaluations", status_code=202, response_model=Job, tags=["evaluations"],
        summary="Begin an evaluation in the background", openapi_extra={"requestBody": body},
    )  # fmt: skip
    async def evaluate(request: fastapi.Request, model: ModelName) -> Response:
        served = registry[model]
        # Read here and not by FastAPI, which would take a body of any size, and JSON only under that name.
        options = Evaluation.model_validate_json(await read_body(request.receive, config)).model_dump()
        chosen = {name: value for name, value in options.items() if value is not None}
        job = await asyncio.to_thread(jobs.start, served.name, served.path, chosen)
        return Response(encode(job), 202, {"Location": f"/v1/evaluations/{job['id']}"}, "application/json")

    @app.get("/v1/evaluations", response_model=JobList, tags=["evaluations"], summary="All evaluations")
    def list_jobs() -> Any:
        return {"evaluations": jobs.all()}

    @app.get("/v1/evaluations/{id}", response_model=Job, tags=["evaluations"], summary="How far an evaluation is")
    def show_job(id: Annotated[str, fastapi.Path(max_length=64)]) -> Any:
        return jobs.get(id)

    @app.delete("/v1/evaluations/{id}", response_model=Job, tags=["evaluations"], summary="Cancel an evaluation")
    def cancel_job(id: Annotated[str, fastapi.Path(max_length=64)]) -> Any:
        return jobs.cancel(id)

    @app.get("/healthz", tags=["operation"], summary="The process lives", response_model=dict[str, str])
    async def healthz() -> Response:
        return _json({"status": "alive"})

    @app.get("/readyz", tags=["operation"], summary="The service takes requests", response_model=dict[str, str])
    async def readyz() -> Response:
        if health.stopping:
            raise Problem("stopping", "the service was told to end", {"Retry-After": "1"})
        return _json({"status": "ready"})

    @app.get("/metrics", tags=["operation"], summary="For Prometheus", response_class=PlainTextResponse)
    async def show_metrics() -> Response:
        metrics.present(asking.waiting, registry.reloads)
        text, media_type = metrics.page()
        return Response(text, media_type=media_type)

    _add_pages(app)
    return app


def _add_pages(app: fastapi.FastAPI) -> None:
    """The explorer and the documentation: files of this package, and Swagger's from the one that carries them."""
    files = {
        "/": PAGE / "explorer.html",
        "/docs": PAGE / "docs.html",
        **{f"/static/{path.name}": path for path in sorted(PAGE.iterdir()) if path.suffix in (".css", ".js", ".svg")},
        **{f"/static/{name}": SWAGGER / name for name in ("swagger-ui-bundle.js", "swagger-ui.css")},
    }
    for route, path in files.items():
        # Swagger UI sets style attributes as it draws; the explorer does without.
        headers = PAGE_HEADERS
        if route == "/docs":
            policy = PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
            headers = PAGE_HEADERS | {"Content-Security-Policy": policy}
        app.add_api_route(route, _file(path, headers), include_in_schema=False, methods=["GET", "HEAD"])


def _file(path: Path, headers: dict[str, str]) -> Any:
    async def send() -> FileResponse:
        return FileResponse(path, headers=headers)

    return send


def _search(served: Served, limit: int, asked: list[tuple[str, str]], _: list[int]) -> list[dict[str, Any]]:
    model, results = served.model, []
    for how, text in asked:
        if how == "prefix":
            rows = served.beginning_with(text, limit)
        else:
            near = ([text] if text in model else []) + model.vocabulary.suggest(text, limit)
            rows = model.vocabulary.find(near[:limit]).tolist()
        counts = None if model.counts is None else [int(model.counts[row]) for row in rows]
        results.append({"words": [model.words[row] for row in rows], "indices": rows, "counts": counts})
    return results


def _json(value: Any) -> Response:
    return Response(encode(value), media_type="application/json")


def _document(problem: Problem) -> Response:
    return Response(problem.encode(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


async def _answer_problem(_: fastapi.Request, problem: Exception) -> Response:
    return _document(problem_of(problem))


async def _answer_http(_: fastapi.Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kinds = {404: "not-found", 405: "method-not-allowed", 400: "malformed"}
    details = {404: "there is nothing at this address", 405: "not with this method"}
    kind = kinds.get(error.status_code, "internal")
    return _document(Problem(kind, details.get(error.status_code, str(error.detail)), dict(error.headers or {})))


async def _answer_invalid(_: fastapi.Request, error: Exception) -> Response:
    assert isinstance(error, (RequestValidationError, pydantic.ValidationError))
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _document(Problem("malformed", f"the body is not JSON: {first['ctx']['error']}"))
    place = ".".join(str(part) for part in first["loc"] if part not in ("query", "path"))
    return _document(Problem("invalid", f"{place}: {first['msg']}" if place else first["msg"], place=place))
