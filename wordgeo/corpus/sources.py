"""What can be a source of text: files, folders, globs, standard input, web addresses, and what Python has in memory."""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from wordgeo.errors import CorpusError, NotFoundError, OptionError

__all__ = ["Dataset", "Documents", "Source", "Sources", "opened", "resolve_sources"]

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://")


class Documents:
    """Documents that are in memory or come from anywhere else: an iterable of `str`, each of which is one document.

    >>> Documents(["One document.", "Another one."]).texts
    ['One document.', 'Another one.']
    """

    def __init__(self, texts: Iterable[str]) -> None:
        if isinstance(texts, (str, bytes)):
            raise OptionError("Documents is one string; give an iterable of strings, one for each document")
        self.texts = texts


@runtime_checkable
class Dataset(Protocol):
    """Rows with named columns, as those of Hugging Face's `datasets`: `field` names the column of the text."""

    @property
    def column_names(self) -> Any:
        """The names of the columns; None where they are not known."""

    def __iter__(self) -> Any:
        """The rows, as mappings."""


Sources = str | Path | Documents | Dataset | Iterable[str | Path | Documents | Dataset]


@dataclass(frozen=True)
class Source:
    """One file (`path`), address (`url`), documents or rows from Python, or none of them: standard input.

    `name` is what the user calls it.
    """

    name: str
    path: Path | None = None
    url: str | None = None
    documents: Documents | None = None
    rows: Dataset | None = None

    @property
    def size(self) -> int | None:
        """Bytes, where the source is a regular file."""
        if self.path is None or not stat.S_ISREG(self.path.stat().st_mode):
            return None
        return self.path.stat().st_size


def resolve_sources(sources: Sources) -> list[Source]:
    """The files that `sources` names, in a fixed order: as given, folders and globs sorted.

    Raises `NotFoundError` for what is not there, `CorpusError` for what cannot be read as text.
    """
    alone = isinstance(sources, (str, os.PathLike, Documents, Dataset))
    given: list[Any] = [sources] if alone else list(sources)  # type: ignore[arg-type]
    if not given:
        raise OptionError("no source; name a file, a folder or Documents")
    found: list[Source] = []
    for item in given:
        if isinstance(item, Documents):
            found.append(Source("documents from Python", documents=item))
        elif isinstance(item, Dataset):
            if isinstance(item.column_names, dict):
                raise OptionError(f"a dataset with the splits {', '.join(item.column_names)}; give one of them")
            found.append(Source("dataset from Python", rows=item))
        elif isinstance(item, (str, os.PathLike)):
            found += _files(os.fspath(item))
        else:
            raise OptionError(f"a source is {item!r}; give a path, '-' for standard input, or Documents(texts)")
    return found


def opened(source: Source) -> BinaryIO:
    """The bytes of a file, address or standard input. Raises `NotFoundError` or `CorpusError`."""
    if source.url is not None:
        return _opened_address(source.url)
    if source.path is None:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    try:
        return source.path.open("rb", buffering=0)
    except FileNotFoundError:
        raise NotFoundError(f"{source.name} does not exist") from None
    except OSError as problem:
        raise CorpusError(f"{source.name} cannot be read: {os.strerror(problem.errno or errno.EIO)}") from None


def _opened_address(url: str) -> BinaryIO:
    import smart_open

    try:
        return smart_open.open(url, "rb", compression="disable")
    except ImportError as problem:
        raise CorpusError(f"{url} needs a package that is not installed ({problem})") from None
    except NotImplementedError:
        raise CorpusError(f"{url}: smart_open cannot open such an address; fetch the file") from None
    except Exception as problem:  # each of the services behind an address has exceptions of its own
        raise CorpusError(f"{url} cannot be opened: {' '.join(str(problem).split())[:200]}") from None


def _files(name: str) -> list[Source]:
    if name == "-":
        return [Source("-")]
    if ADDRESS.match(name):
        return [Source(name, url=name)]
    if not os.path.lexists(name) and glob.has_magic(name):
        names = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 (a Path would lose "./" and does not take "/")
        if not names:
            raise NotFoundError(f"{name}: no file matches")
        return [source for each in names if "**" not in name or Path(each).is_file() for source in _files(each)]
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise NotFoundError(f"{name} does not exist") from None
    except (OSError, ValueError) as problem:
        raise CorpusError(f"{name} cannot be read: {problem}") from None
    if stat.S_ISDIR(mode):
        if (path / "corpus.json").exists():
            raise CorpusError(f"{name} is an encoded corpus already; give the text that it was made from")
        files = []
        for folder, folders, names in os.walk(name):
            folders[:] = [inner for inner in folders if not inner.startswith(".")]
            files += [str(Path(folder, file)) for file in names if not file.startswith(".")]
        if not files:
            raise CorpusError(f"{name} is a folder without files")
        return [source for file in sorted(files) for source in _files(file)]
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise CorpusError(f"{name} is a device or a socket; give a file, a folder, or - for standard input")
    return [Source(name, path)]
