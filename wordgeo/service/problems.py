"""Errors as problem documents (RFC 9457): one class, and which errors of the library become which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wordgeo.errors import MissingExtraError, OptionError, UnknownWordError, WordgeoError

__all__ = ["MEDIA_TYPE", "TYPES", "Problem", "problem_of"]

MEDIA_TYPE = "application/problem+json"

# The kind of a problem: its status and title.
TYPES: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "Malformed request"),
    "key": (401, "A key is needed"),
    "forbidden": (403, "Not allowed here"),
    "unknown-word": (404, "Unknown word"),
    "unknown-model": (404, "Unknown model"),
    "unknown-job": (404, "Unknown job"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "Method not allowed"),
    "too-slow": (408, "The request came too slowly"),
    "not-an-ensemble": (409, "Not an ensemble"),
    "too-large": (413, "Too large"),
    "invalid": (422, "A value that cannot be taken"),
    "rate": (429, "Too many requests"),
    "headers": (431, "Headers too large"),
    "internal": (500, "Internal error"),
    "missing": (501, "Not installed here"),
    "overloaded": (503, "Overloaded"),
    "deadline": (503, "Not answered in time"),
    "stopping": (503, "The service ends"),
}


class Problem(Exception):  # noqa: N818  (the name that RFC 9457 gives it)
    """An error to answer with: `kind` is a key of `TYPES`, `more` goes into the document, `headers` beside it."""

    def __init__(self, kind: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.more, self.headers = kind, detail, more, dict(headers or {})

    @property
    def status(self) -> int:
        """The HTTP status."""
        return TYPES[self.kind][0]

    def to_dict(self) -> dict[str, Any]:
        """The document."""
        status, title = TYPES[self.kind]
        kind = f"urn:wordgeo:problem:{self.kind}"
        return {"type": kind, "title": title, "status": status, "detail": self.detail, **self.more}

    def encode(self) -> bytes:
        """The document as JSON."""
        return msgspec.json.encode(self.to_dict())


def problem_of(error: Exception) -> Problem:
    """What to answer for an error of a question; an error that no user causes says nothing about itself."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, UnknownWordError):
        return Problem("unknown-word", str(error), word=error.word, suggestions=error.suggestions)
    if isinstance(error, OptionError):
        return Problem("invalid", str(error))
    if isinstance(error, MissingExtraError):
        return Problem("missing", str(error))
    if isinstance(error, WordgeoError):  # may name a file
        return Problem("internal", "the model cannot answer; the service's log says why")
    return Problem("internal", "the service failed; its log says why")
