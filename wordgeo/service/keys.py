"""API keys: kept as SHA-256 digests, compared in constant time, each with a rate of its own.

A file of keys has one line for each: a name, the digest in hexadecimal, and the requests it may make in a second (left
out: the service's `rate`). The environment variable WORDGEO_API_KEYS holds lines of the same kind. Keys are random
(256 bits), so a plain digest cannot be guessed back.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from wordgeo.errors import FormatError, NotFoundError, OptionError

__all__ = ["ENVIRONMENT", "Key", "Keys", "new_key"]

ENVIRONMENT = "WORDGEO_API_KEYS"
BURST_SECONDS = 2.0  # how many seconds of its rate a key may use at once


@dataclass
class Key:
    """A key's name, digest and rate (None: any), and what of the rate is left in this process."""

    name: str
    digest: bytes
    rate: float | None
    left: float = 0.0
    seen: float = 0.0

    def __post_init__(self) -> None:
        self.left = max(1.0, (self.rate or 0.0) * BURST_SECONDS)

    def wait(self) -> float:
        """0 where the key may make a request now, which counts; else the seconds until it may."""
        if self.rate is None:
            return 0.0
        now = monotonic()
        most = max(1.0, self.rate * BURST_SECONDS)
        self.left = min(most, self.left + (now - self.seen) * self.rate) if self.seen else most
        self.seen = now
        if self.left >= 1.0:
            self.left -= 1.0
            return 0.0
        return (1.0 - self.left) / self.rate


class Keys:
    """The keys that a service takes."""

    def __init__(self, keys: list[Key]) -> None:
        self.keys = keys

    @classmethod
    def read(cls, path: str | Path | None, *, rate: float | None = None, workers: int = 1) -> Keys | None:
        """The keys of a file and of the environment; None where neither is given.

        Each of `workers` processes counts for itself and grants its share of a rate. Raises `NotFoundError` and
        `FormatError`.
        """
        lines: list[tuple[str, int, str]] = []
        if path is not None:
            try:
                text = Path(path).read_text(encoding="utf-8")
            except FileNotFoundError:
                raise NotFoundError(f"{path} does not exist; name a file of keys") from None
            except UnicodeDecodeError:
                raise FormatError("not UTF-8; name a file of keys", path) from None
            lines += [(str(path), i, line) for i, line in enumerate(text.splitlines(), 1)]
        lines += [(ENVIRONMENT, i, line) for i, line in enumerate(os.environ.get(ENVIRONMENT, "").splitlines(), 1)]
        keys = [_key(line.split(), place, i, rate, workers) for place, i, line in lines if line.split("#")[0].strip()]
        if path is not None and not keys:
            raise FormatError("there is no key in the file; make one with `wordgeo serve --new-key NAME`", path)
        names = [key.name for key in keys]
        for name in names:
            if names.count(name) > 1:
                raise FormatError(f"there are two keys of the name {name}", path)
        return cls(keys) if keys else None

    def find(self, secret: bytes) -> Key | None:
        """The key that somebody shows, if it is one. Takes as long for a wrong one as for a right one."""
        digest = hashlib.sha256(secret).digest()
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found


def new_key(name: str) -> tuple[str, str]:
    """A new key, which is shown once and kept nowhere, and the line of it for the file of keys.

    Raises `OptionError` for a name that would not be one in the file.
    """
    if not re.fullmatch(r"[^\s#]+", name):
        raise OptionError(f"{name!r} cannot be a key's name; give one word without #")
    secret = "wg_" + secrets.token_urlsafe(32)
    return secret, f"{name} {hashlib.sha256(secret.encode()).hexdigest()}"


def _key(fields: list[str], place: str, line: int, rate: float | None, workers: int) -> Key:
    try:
        name, digest, *more = fields
        own = float(more[0]) if more else rate
        if len(more) > 1 or len(bytes.fromhex(digest)) != 32 or (own is not None and not 0 < own < 1e9):
            raise ValueError
    except ValueError:
        raise FormatError("not a key: NAME DIGEST [RATE], the digest 64 hexadecimal digits", place, line) from None
    return Key(name, bytes.fromhex(digest), None if own is None else own / workers)
