"""Fetches files from the web into the cache: resumable, compared with a checksum, and clear about what went wrong."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import unquote, urlsplit

from wordgeo import files
from wordgeo._version import __version__
from wordgeo.errors import CorpusError, FormatError, NotFoundError, OptionError, OutputError
from wordgeo.progress import Progress, resolve_progress

if TYPE_CHECKING:
    import requests

__all__ = ["fetch_file"]

PIECE_BYTES = 1 << 18
MOST_CONNECTIONS = 50  # for one file; each has to bring something, or there is no further one
TIMEOUTS = (30.0, 60.0)  # seconds to connect, and without a byte
ALGORITHMS = {"sha256": 64, "sha1": 40, "md5": 32}
# Beside a file NAME: NAME.part (what has come so far), NAME.part.json (what tells that it is still the same file
# there), NAME.seen.json (the checksum of the first time, for files of which no checksum is known).
PART, VALIDATORS, SEEN = ".part", ".part.json", ".seen.json"

log = logging.getLogger(__name__)


def fetch_file(
    url: str,
    *,
    name: str | None = None,
    checksum: str | None = None,
    size: int | None = None,
    folder: str | Path | None = None,
    progress: Progress | bool | None = None,
) -> Path:
    """The file at a web address, from the cache if it is there already, else downloaded. Returns its path.

    Parameters
    ----------
    url
        An `http` or `https` address. Redirections are followed, but never from `https` to `http`.
    name
        What the file is called in the folder; by default the last part of the address.
    checksum
        `"sha256:…"`, `"sha1:…"` or `"md5:…"` in hexadecimal digits; without a prefix, SHA-256. A file that differs is
        removed and refused. Without a checksum the first download is trusted, and its SHA-256 is written down: a later
        download that differs is refused.
    size
        Bytes, where they are known: a file of another size is refused as soon as that shows.
    folder
        Where to; by default `downloads` in the cache (`WORDGEO_CACHE`), which is never emptied by itself.

    A download that was cut off goes on where it stopped, in this call as long as each new connection brings
    something, and otherwise in the next one; if the file has changed there meanwhile, it begins anew.

    Raises `OptionError` for an address or checksum that is none, `CorpusError` for what cannot be reached or has
    the wrong size or checksum, and `OutputError`.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OptionError(f"{url!r} is no web address; give one that begins with http:// or https://")
    name = name or unquote(parts.path.rpartition("/")[2])
    if not re.fullmatch(r"[\w+,=@ -][\w.+,=@ -]*", name):
        raise OptionError(f"{name!r} cannot be the name of a file; give one (name)")
    expected = _checksum(checksum)
    place = Path(folder) if folder is not None else files.cache_folder("downloads")
    target, seen = place / name, place / (name + SEEN)
    first_time = expected is None and not seen.exists()
    if expected is None and seen.exists():
        expected = _checksum(str(files.read_json(seen).get("checksum")))
    shown = resolve_progress(progress)
    path = _retrieve(url, target, expected, size, shown)
    if first_time:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files.write_json(seen, {"url": url, "checksum": f"sha256:{digest}", "bytes": path.stat().st_size})
        log.warning("no checksum is known of %s; this one is trusted from now on: sha256:%s", url, digest)
    return path


def _checksum(text: str | None) -> str | None:
    """A checksum as `algorithm:digits`."""
    if text is None:
        return None
    algorithm, _, digits = text.lower().rpartition(":")
    algorithm = algorithm or "sha256"
    if ALGORITHMS.get(algorithm) != len(digits) or not re.fullmatch("[0-9a-f]+", digits):
        raise OptionError(f"{text!r} is no checksum; give one of {', '.join(ALGORITHMS)} as 'sha256:…'")
    return f"{algorithm}:{digits}"


def _retrieve(url: str, target: Path, expected: str | None, size: int | None, progress: Progress) -> Path:
    import pooch  # type: ignore[import-untyped]
    import requests

    pooch.get_logger().setLevel("WARNING")  # it would report each download on stderr
    problem: Exception
    try:
        download = _Download(url, target, size, progress)
        return Path(pooch.retrieve(url, expected, target.name, target.parent, downloader=download))
    except requests.exceptions.RequestException as failed:
        problem = failed
    except ValueError as failed:
        if isinstance(failed, (CorpusError, FormatError)):
            raise
        hint = f"; if it may change, remove {target}{SEEN}" if target.with_name(target.name + SEEN).exists() else ""
        raise CorpusError(f"{url} brought another file than expected (not {expected}); it was removed{hint}") from None
    except OSError as failed:
        if isinstance(failed, (NotFoundError, OutputError)) or failed.errno is None:
            raise
        raise OutputError(f"{target} cannot be written: {os.strerror(failed.errno).lower()}") from None
    kept = target.with_name(target.name + PART)
    have = kept.stat().st_size if kept.exists() else 0
    state = f"{have} bytes are kept, call again to go on" if have else "check the network, or fetch it by hand"
    raise CorpusError(f"{url} cannot be fetched ({_reason(problem)}); {state}") from None


def _reason(problem: Exception) -> str:
    """The innermost cause, in one line: libraries wrap it several times."""
    while True:
        inner = getattr(problem, "reason", None) or problem.__cause__ or problem.__context__
        if not isinstance(inner, Exception):
            break
        problem = inner
    return " ".join(str(problem).split())[:200] or type(problem).__name__


class _Download:
    """Brings a file to the place that `pooch` names, by way of a part that outlives failures."""

    def __init__(self, url: str, target: Path, size: int | None, progress: Progress) -> None:
        self._url, self._size, self._progress = url, size, progress
        self._shown = 0  # bytes that the progress knows of
        self._part = target.with_name(target.name + PART)
        self._validators = target.with_name(target.name + VALIDATORS)

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        import requests

        try:
            with self._locked_part() as part, requests.Session() as session:
                # Whatever is packed stays packed: sizes, ranges and checksums are those of the file.
                session.headers.update({"User-Agent": f"wordgeo/{__version__}", "Accept-Encoding": "identity"})
                self._progress.start(f"fetching {self._part.stem}", self._size, "B")
                try:
                    self._bring(session, part)
                finally:
                    self._progress.finish()
        except BaseException:
            if self._part.exists() and not self._part.stat().st_size:
                self._part.unlink()
                self._validators.unlink(missing_ok=True)
            raise
        self._validators.unlink(missing_ok=True)
        self._part.replace(output_file)

    @contextlib.contextmanager
    def _locked_part(self) -> Iterator[BinaryIO]:
        with self._part.open("ab") as part:
            with contextlib.suppress(ImportError):  # Windows has no such locks
                import fcntl

                try:
                    fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise CorpusError(f"{self._url} is being fetched by another process; wait for it") from None
            yield part

    def _bring(self, session: requests.Session, part: BinaryIO) -> None:
        from requests.exceptions import ConnectionError, RequestException
        from urllib3.exceptions import HTTPError

        for _ in range(MOST_CONNECTIONS):
            before = part.tell()
            try:
                whole = self._connection(session, part)
            except (RequestException, HTTPError) as problem:
                part.flush()
                if part.tell() <= before:
                    raise ConnectionError(problem) from problem
                continue
            part.flush()
            if whole:
                self._check_size(part.tell(), part)
                return
        raise ConnectionError("the connection broke off again and again")

    def _connection(self, session: requests.Session, part: BinaryIO) -> bool:
        """Asks for what is missing, or for all of it if the file there is not surely the one that was begun.

        Says whether the file is whole; if not, it is to be asked for again.
        """
        validator = self._validator()
        if not validator:
            _empty(part)
        have = part.tell()
        headers = {"Range": f"bytes={have}-", "If-Range": validator} if have and validator else {}
        with session.get(self._url, headers=headers, stream=True, timeout=TIMEOUTS) as response:
            if urlsplit(self._url).scheme == "https" and urlsplit(response.url).scheme != "https":
                raise CorpusError(f"{self._url} leads to {response.url}, which is not encrypted; it is not followed")
            there = response.headers.get("Content-Range", "")
            if response.status_code == 416 and have:
                if there == f"bytes */{have}":
                    return True
                _empty(part)
                return False
            if response.status_code not in (200, 206):
                raise CorpusError(f"{self._url} cannot be fetched: the server answers {response.status_code}")
            if response.status_code == 200:
                _empty(part)
            elif not there.startswith(f"bytes {have}-"):
                _empty(part)
                return False
            self._remember(response)
            total = self._total(response, part.tell())
            self._progress.advance(part.tell() - self._shown)
            self._shown = part.tell()
            for piece in response.raw.stream(PIECE_BYTES, decode_content=False):
                part.write(piece)
                self._progress.advance(len(piece))
                self._shown += len(piece)
                if self._size is not None and part.tell() > self._size:
                    return True
        return total is None or part.tell() >= total

    def _remember(self, response: requests.Response) -> None:
        tag = response.headers.get("ETag", "")
        validator = response.headers.get("Last-Modified") if not tag or tag.startswith("W/") else tag
        files.write_json(self._validators, {"url": self._url, "validator": validator})

    def _validator(self) -> str | None:
        """The ETag or date of the file that was begun, if it was the same address."""
        try:
            known: dict[str, Any] = json.loads(self._validators.read_bytes())
            return known["validator"] if known["url"] == self._url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _total(self, response: requests.Response, begin: int) -> int | None:
        """The size of the whole file, where the server says it. Raises `CorpusError` if it is not the one expected."""
        length = response.headers.get("Content-Length", "")
        total = begin + int(length) if length.isdecimal() else None
        if total is not None and self._size is not None and total != self._size:
            raise CorpusError(f"{self._url} has {total} bytes, and {self._size} were expected; it is not fetched")
        return total

    def _check_size(self, size: int, part: BinaryIO) -> None:
        if self._size is not None and size != self._size:
            _empty(part)
            raise CorpusError(f"{self._url} brought {size} bytes or more, and {self._size} were expected")


def _empty(part: BinaryIO) -> None:
    part.truncate(0)
    part.seek(0)
