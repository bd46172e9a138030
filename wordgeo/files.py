"""Files and folders that appear whole or not at all, and the cache."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from wordgeo.errors import FormatError, NotFoundError, OptionError, OutputError, WordgeoError

try:
    import fcntl
except ImportError:  # Windows: there are no locks on folders, and what killed writers leave is not removed
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "atomic_file",
    "atomic_folder",
    "cache_folder",
    "check_file",
    "check_output",
    "evict",
    "is_partial",
    "read_json",
    "recover",
    "write_json",
]

MOST_JSON_BYTES = 64 << 20
AT_FDCWD, RENAME_NOREPLACE, RENAME_EXCHANGE = -100, 1, 2
# What is being written is called .NAME.TOKEN.partial; a folder set aside for a moment .NAME.TOKEN.aside, same token.
PARTIAL, ASIDE = ".partial", ".aside"
UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}(\.partial|\.aside)")


@contextlib.contextmanager
def atomic_folder(path: str | Path, *, marker: str, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill, which takes its name `path` only when the block ends well; else nothing is left behind.

    `marker` is the file that tells this kind of folder: `overwrite` replaces only a folder that has it (or is empty).
    All files are synced to disk first, and an old folder is exchanged for the new one in one step where the system
    can do that. A symbolic link as `path` stays, and what it leads to is written. Raises `OutputError`.
    """
    target = _resolved(path)
    staging, lock = _begin_folder(path, target, marker, overwrite)
    try:
        with _reported(path, staging):
            yield staging
        with _reported(path):
            _sync_tree(staging)
            _publish(staging, target, overwrite)
    finally:
        _remove(staging)
        _unlock(lock)


def check_output(path: str | Path, *, marker: str, overwrite: bool = False) -> None:
    """Raises the `OutputError` that `atomic_folder` would, before hours of work instead of after them."""
    staging, lock = _begin_folder(path, _resolved(path), marker, overwrite)
    _remove(staging)
    _unlock(lock)


@contextlib.contextmanager
def atomic_file(path: str | Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write, which takes its name `path` only when the block ends well. Raises `OutputError`."""
    target = _resolved(path)
    staging, lock = _begin_file(path, target, overwrite)
    try:
        with _reported(path, staging), staging.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with _reported(path):
            _publish(staging, target, overwrite)
    finally:
        _remove(staging)
        _unlock(lock)


def check_file(path: str | Path, *, overwrite: bool = False) -> None:
    """Raises the `OutputError` that `atomic_file` would, before minutes of work instead of after them."""
    staging, lock = _begin_file(path, _resolved(path), overwrite)
    _remove(staging)
    _unlock(lock)


def is_partial(path: str | Path) -> bool:
    """Whether a path leads into a folder that was never finished."""
    return any(UNFINISHED.fullmatch(part) for part in Path(path).absolute().parts)


def recover(path: str | Path) -> None:
    """Brings back a folder whose replacement was cut off between two renames (systems without exchange).

    A replacement that is still going on is left alone, and so is what this process may not rename.
    """
    target = Path(os.path.realpath(path))
    for aside in _siblings(target, ASIDE):
        with _if_abandoned(aside.with_suffix(PARTIAL)) as abandoned:
            if abandoned and not target.exists():
                with contextlib.suppress(OSError):
                    aside.rename(target)


def read_json(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file from anywhere. Raises `FormatError`, whatever the bytes are."""
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise FormatError("not a regular file", path)
        size = path.stat().st_size
        if size > MOST_JSON_BYTES:
            raise FormatError(f"{size} bytes of JSON; at most {MOST_JSON_BYTES} are read", path)
        text = path.read_bytes()
        value = json.loads(text)
        if rb"\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair could never be written again
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist") from None
    except OSError as problem:
        raise FormatError(f"cannot be read: {os.strerror(problem.errno or 0).lower()}", path) from problem
    except FormatError:
        raise
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"not valid JSON ({problem})", path) from None
    if not isinstance(value, dict):
        raise FormatError("the JSON is not an object", path)
    return value


def write_json(path: str | Path, value: dict[str, Any]) -> None:
    """Writes JSON that people can read; the same value gives the same bytes."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    Path(path).write_text(text, encoding="utf-8", newline="\n")


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
        cap = -1.0
    if not cap >= 0:
        raise OptionError(f"WORDGEO_CACHE_LIMIT is {text!r}; give a number of gigabytes, 0 or more")
    entries = []
    for entry in folder.iterdir():
        if UNFINISHED.fullmatch(entry.name):
            with _if_abandoned(entry) as abandoned:
                if abandoned:
                    _remove(entry)
            continue
        with contextlib.suppress(OSError):
            files = [entry, *entry.rglob("*")]
            entries.append((entry.stat().st_mtime, entry, sum(file.stat().st_size for file in files if file.is_file())))
    total = sum(size for _, _, size in entries)
    for _, entry, size in sorted(entries):
        if total <= cap:
            break
        if not entry.samefile(keep):
            _remove(entry)
            total -= size


@contextlib.contextmanager
def _reported(path: str | Path, staging: Path | None = None) -> Iterator[None]:
    """Turns the system's errors into one clear line; with `staging`, only those that are about what lies there."""
    try:
        yield
    except WordgeoError:
        raise
    except OSError as problem:
        ours = staging is None or problem.filename is None or str(problem.filename).startswith(str(staging))
        if not ours or problem.errno is None:
            raise
        reason = os.strerror(problem.errno).lower()
        raise OutputError(f"{path} cannot be written: {reason}; nothing was changed") from problem


def _resolved(path: str | Path) -> Path:
    """Where a path leads: a symbolic link is kept, and what it stands for is written."""
    with _reported(path):
        target = Path(os.path.realpath(path))
        if target.is_symlink():  # only where links lead round in a circle
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def _begin_folder(path: str | Path, target: Path, marker: str, overwrite: bool) -> tuple[Path, int | None]:
    """A new folder beside `target` to fill, once it is clear that `target` may be written; and its lock."""
    with _reported(path):
        recover(target)
        _refuse_existing(path, target, marker, overwrite)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        return _new_staging(target, Path.mkdir)


def _begin_file(path: str | Path, target: Path, overwrite: bool) -> tuple[Path, int | None]:
    with _reported(path):
        if target.is_dir():
            raise OutputError(f"{path} is a folder; name a file")
        if target.exists() and not target.is_file():
            raise OutputError(f"{path} is not a regular file; name one, or a name that is free")
        if target.exists() and not overwrite:
            raise OutputError(f"{path} exists already; choose another name or overwrite it (--overwrite)")
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        return _new_staging(target, lambda place: place.touch(exist_ok=False))


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
    """Gives what is ready its name, for good: if the folder above cannot be synced, everything is as it was before.

    What was replaced then lies at `staging`, to be removed.
    """
    if not (overwrite and target.exists()):
        _rename_to_free_name(staging, target)
        try:
            _sync(target.parent)
        except OSError:
            target.rename(staging)
            raise
    else:
        _exchange(staging, target)
        try:
            _sync(target.parent)
        except OSError:
            _exchange(staging, target)
            raise


def _exchange(staging: Path, target: Path) -> None:
    """Swaps two names, in one step where the system can; else the old one stands aside for a moment."""
    if _renameat2(staging, target, RENAME_EXCHANGE):
        return
    aside = staging.with_suffix(ASIDE)
    target.rename(aside)
    try:
        staging.rename(target)
    except OSError:
        aside.rename(target)
        raise
    try:
        aside.rename(staging)
    except FileNotFoundError:
        pass  # another writer saw that it was not needed any more
    except OSError:
        target.rename(staging)
        aside.rename(target)
        raise


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


def _new_staging(target: Path, make: Callable[[Path], None]) -> tuple[Path, int | None]:
    """A fresh place beside the target, and the lock on it that tells others that its writer lives."""
    while True:
        staging = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL}")
        make(staging)
        try:
            lock = _lock(staging)
            # Between the two steps another writer may have taken it for abandoned: then it is gone, and we begin anew.
            if staging.exists():
                return staging, lock
            _unlock(lock)
        except FileNotFoundError:
            continue
        except BaseException:
            _remove(staging)
            raise


def _lock(path: Path) -> int | None:
    """Waits for the lock on a file or folder and holds it; it falls with the process. None where there are no locks."""
    if fcntl is None:
        return None
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        os.close(handle)
        return None
    return handle


def _unlock(lock: int | None) -> None:
    if lock is not None:
        os.close(lock)


@contextlib.contextmanager
def _if_abandoned(staging: Path) -> Iterator[bool]:
    """Whether the writer of a staging place is gone for sure; if so, its lock is held until the block ends."""
    if not staging.exists():
        yield True
        return
    handle = None
    try:
        if fcntl is not None:
            handle = os.open(staging, os.O_RDONLY)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        abandoned = fcntl is not None
    except OSError:
        abandoned = False
    try:
        yield abandoned
    finally:
        _unlock(handle)


def _remove_stale(target: Path) -> None:
    """Removes what killed writers of the same target left, and nothing of writers that live."""
    leftovers = _siblings(target, PARTIAL)
    if target.exists():  # else it may be the only copy
        leftovers += _siblings(target, ASIDE)
    for stale in leftovers:
        with _if_abandoned(stale.with_suffix(PARTIAL)) as abandoned:
            if abandoned:
                _remove(stale)


def _siblings(target: Path, suffix: str) -> list[Path]:
    start = f".{target.name}."
    with contextlib.suppress(OSError):
        return [
            entry
            for entry in target.parent.iterdir()
            if entry.name.startswith(start) and len(entry.name) == len(start) + 8 + len(suffix)
            if entry.suffix == suffix and UNFINISHED.fullmatch(entry.name)
        ]
    return []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _sync_tree(folder: Path) -> None:
    def failed(problem: OSError) -> None:
        raise problem

    for place, _, names in os.walk(folder, onerror=failed):
        for name in names:
            _sync(Path(place, name))
        _sync(Path(place))


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows has no fsync for folders
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
