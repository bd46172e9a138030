"""The access log: a line of JSON for each request, written by a thread of its own, so that a slow disk stops nobody.

A line has the path without its query: what people ask is theirs.
"""

from __future__ import annotations

import queue
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from time import sleep, time
from typing import IO, Any

import msgspec

from wordgeo.errors import OutputError

__all__ = ["AccessLog"]

MOST_WAITING = 20_000
LINES_AT_ONCE = 500
GATHER_SECONDS = 0.05  # a thread that wakes for each line would take turns from those that answer


class AccessLog:
    """Writes to a file, to standard error ("-") or nowhere ("off"), in a `with` block.

    Lines that find no room are counted and said. Raises `OutputError` for a file that cannot be written.
    """

    def __init__(self, target: str) -> None:
        self._lines: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._lost = 0
        self._file: IO[bytes] | None = None
        self._thread: threading.Thread | None = None
        try:
            if target != "off":
                self._file = sys.stderr.buffer if target == "-" else Path(target).open("ab")  # noqa: SIM115
        except OSError as problem:
            raise OutputError(f"cannot write the access log {target}: {problem.strerror}; name another") from None

    def __enter__(self) -> AccessLog:
        if self._file is not None:
            self._thread = threading.Thread(target=self._write, args=(self._file,), name="wordgeo-access", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._lines.put(None)
            self._thread.join(timeout=2.0)

    def note(self, seen: Any, client: Any, seconds: float) -> None:
        """One line."""
        if self._thread is None:
            return
        if self._lines.qsize() >= MOST_WAITING:
            self._lost += 1
            return
        key = None if seen.key is None else seen.key.name
        host = client[0] if client else None
        self._lines.put((time(), seen.id, seen.method, seen.path, seen.status, seen.size, seconds, host, key))

    def _write(self, file: IO[bytes]) -> None:
        ended = False
        while not ended:
            lines = [self._lines.get()]
            sleep(GATHER_SECONDS)
            while len(lines) < LINES_AT_ONCE and not self._lines.empty():
                lines.append(self._lines.get())
            ended = None in lines
            text = b"".join(_line(line) for line in lines if line is not None)
            lost, self._lost = self._lost, 0
            if lost:
                text += msgspec.json.encode({"lost": lost}) + b"\n"
            try:
                file.write(text)
                file.flush()
            except (OSError, ValueError):  # a full disk: what cannot be written is lost, and the service goes on
                self._lost += len(lines)


def _line(line: tuple[Any, ...]) -> bytes:
    at, request, method, path, status, size, seconds, client, key = line
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    fields = {
        "time": moment, "id": request, "method": method, "path": path[:512], "status": status, "bytes": size,
        "ms": round(1000 * seconds, 3), "client": client, "key": key,
    }  # fmt: skip
    return msgspec.json.encode(fields) + b"\n"
