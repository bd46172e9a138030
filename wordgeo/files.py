"""Files and folders that appear whole or not at all, and the cache."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from wordgeo.errors import FormatError, NotFoundError, OptionError, OutputError

__all__ = ["atomic_file", "atomic_folder", "cache_folder", "check_output", "evict", "is_partial", "read_json", "recover", "write_json"]

PARTIAL, ASIDE, LOCK = ".partial", ".aside", "writer.lock"
MOST_JSON_BYTES = 64 << 20
AT_FDCWD, RENAME_NOREPLACE, RENAME_EXCHANGE = -100, 1, 2


@contextlib.contextmanager
def atomic_folder(path: str | Path, *, marker: str, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill, which takes its name `path` only when the block ends well; else nothing is left behind.

    `marker` is the file that tells this kind of folder: `overwrite` replaces only a folder that has it (or is empty).
    All files are synced to disk first, and an old folder is exchanged for the new one in one step where the system
    can do that. Raises `OutputError`.
    """
    target = Path(os.path.realpath(path))
    staging = _new_staging(path, target, marker, overwrite)
    lock = FileLock(staging / LOCK)
    lock.acquire()
    try:
        with _reported(path, staging):
            yield staging
            lock.release()
            (staging / LOCK).unlink(missing_ok=True)
            for folder, _, names in os.walk(staging):
                for name in names:
                    _sync(Path(folder, name))
                _sync(Path(folder))
            _publish(staging, target, overwrite)
    finally:
        lock.release()
        shutil.rmtree(staging, ignore_errors=True)


def check_output(path: str | Path, *, marker: str, overwrite: bool = False) -> None:
    """Raises the `OutputError` that `atomic_folder` would, before hours of work instead of after them."""
    _new_staging(path, Path(os.path.realpath(path)), marker, overwrite).rmdir()


@contextlib.contextmanager
def atomic_file(path: str | Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write, which takes its name `path` only when the block ends well. Raises `OutputError`."""
    target = Path(os.path.realpath(path))
    with _reported(path):
        if target.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        if target.exists() and not overwrite:
            raise OutputError(f"{path} exists already; choose another name or overwrite it (--overwrite)")
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with _reported(path, staging):
            with staging.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                staging.replace(target)
            else:
                _rename_to_free_name(staging, target)
            _sync(target.parent)
    finally:
        staging.unlink(missing_ok=True)


def is_partial(path: str | Path) -> bool:
    """Whether a path leads into a folder that was never finished."""
    return any(part.endswith((PARTIAL, ASIDE)) for part in Path(os.path.abspath(path)).parts)


def recover(path: str | Path) -> None:
    """Brings back a folder whose replacement was cut off between two renames (systems without exchange)."""
    target = Path(os.path.realpath(path))
    if not target.exists() and target.parent.is_dir():
        for aside in target.parent.glob(f".{_escaped(target.name)}.*{ASIDE}"):
            aside.rename(target)
            return


def read_json(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file from anywhere. Raises `FormatError`, whatever the bytes are."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MOST_JSON_BYTES:
            raise FormatError(f"{size} bytes of JSON; at most {MOST_JSON_BYTES} are read", path)
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist") from None
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"not valid JSON ({problem})", path) from None
    if not isinstance(value, dict):
        raise FormatError("the JSON is not an object", path)
    return value


def write_json(path: str | Path, value: dict[str, Any]) -> None:
    """Writes JSON that people can read; the same value gives the same bytes."""
    Path(path).write_text(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def cache_folder(kind: str) -> Path:
    """The folder for a kind of cached thing: below `WORDGEO_CACHE`, else where the system keeps caches."""
    from platformdirs import user_cache_dir

    folder = Path(os.environ.get("WORDGEO_CACHE") or user_cache_dir("wordgeo")) / kind
    with _reported(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def evict(folder: Path, keep: Path) -> None:
    """Removes the entries of a cache folder that were used longest ago until it is below its cap, never `keep`.

    The cap is `WORDGEO_CACHE_LIMIT` gigabytes, 20 by default; using an entry sets its modification time.
    """
    text = os.environ.get("WORDGEO_CACHE_LIMIT", "20")
    try:
        cap = float(text) * 1e9
    except ValueError:
        raise OptionError(f"WORDGEO_CACHE_LIMIT is {text!r}; give a number of gigabytes") from None
    entries = []
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            size = sum(file.stat().st_size for file in entry.rglob("*") if file.is_file())
            entries.append((entry.stat().st_mtime, entry, size))
    total = sum(size for _, _, size in entries)
    for _, entry, size in sorted(entries):
        if total <= cap:
            break
        if entry != keep and not is_partial(entry):
            shutil.rmtree(entry, ignore_errors=True)
            total -= size


@contextlib.contextmanager
def _reported(path: str | Path, staging: Path | None = None) -> Iterator[None]:
    """Turns the system's errors about the place written to into one clear line; others pass."""
    try:
        yield
    except (OutputError, NotFoundError):
        raise
    except OSError as problem:
        ours = staging is None or problem.filename is None or str(problem.filename).startswith(str(staging))
        if not ours or problem.errno is None:
            raise
        reason = os.strerror(problem.errno).lower()
        raise OutputError(f"{path} cannot be written: {reason}; nothing was left behind") from problem


def _new_staging(path: str | Path, target: Path, marker: str, overwrite: bool) -> Path:
    """A new folder beside `target` to fill, once it is clear that `target` may be written."""
    with _reported(path):
        recover(target)
        _refuse_existing(path, target, marker, overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        staging = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
        staging.mkdir()
    return staging


def _refuse_existing(path: str | Path, target: Path, marker: str, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"{path} is a file; name a folder that does not exist yet")
    if not overwrite:
        raise OutputError(f"{path} exists already; choose another name or overwrite it (--overwrite)")
    if not (target / marker).is_file() and any(target.iterdir()):
        raise OutputError(f"{path} is a folder of another kind (it has no {marker}); it is not overwritten")


def _publish(staging: Path, target: Path, overwrite: bool) -> None:
    if not (overwrite and target.exists()):
        _rename_to_free_name(staging, target)
    elif not _renameat2(staging, target, RENAME_EXCHANGE):  # after an exchange, staging holds the old folder
        aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}{ASIDE}")
        target.rename(aside)
        try:
            staging.rename(target)
        except OSError:
            aside.rename(target)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    _sync(target.parent)


def _rename_to_free_name(source: Path, target: Path) -> None:
    try:
        if not _renameat2(source, target, RENAME_NOREPLACE):
            if target.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
            source.rename(target)
    except FileExistsError:
        raise OutputError(f"{target} appeared while it was being written; nothing was changed") from None


def _renameat2(source: Path, target: Path, flag: int) -> bool:
    """Renames with a flag; False where the system or the file system has no such call."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    if rename(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flag) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(source))


def _remove_stale(target: Path) -> None:
    """Removes what killed writers of the same target left; a writer that still lives holds its lock."""
    for stale in target.parent.glob(f".{_escaped(target.name)}.*{PARTIAL}"):
        try:
            with FileLock(stale / LOCK, timeout=0):
                pass
        except (Timeout, OSError):
            continue
        shutil.rmtree(stale, ignore_errors=True)


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows has no fsync for folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
