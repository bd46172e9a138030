"""Files and folders appear whole or not at all, whatever fails and whenever the process is killed."""

import contextlib
import errno
import json
import os
import resource
import shutil
import signal
import stat
from pathlib import Path

import pytest

from wordgeo import files
from wordgeo.errors import FormatError, NotFoundError, OptionError, OutputError
from wordgeo.files import atomic_file, atomic_folder, is_partial, read_json, recover, write_json

MARKER = "marker"


def fill(folder, text):
    (folder / MARKER).write_text(text)
    (folder / "inner").mkdir()
    (folder / "inner/data").write_text(text)


def write(target, text, overwrite=True):
    with atomic_folder(target, marker=MARKER, overwrite=overwrite) as folder:
        fill(folder, text)


def held(target):
    """What a whole folder holds, None where there is none; a mixture fails."""
    if not target.exists():
        return None
    texts = {file.read_text() for file in (target / MARKER, target / "inner/data")}
    assert len(texts) == 1 and len(list(target.iterdir())) == 2
    return texts.pop()


def in_child(action):
    """Runs `action` in a child process; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.fixture(params=["exchange", "two renames"])
def system(request, monkeypatch):
    """A system that exchanges names in one step, and one that cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(files, "_renameat2", lambda *_: False)


CALLS = [
    (os, "fsync"),
    (os, "open"),
    (os, "close"),
    (files, "_renameat2"),
    (Path, "mkdir"),
    (Path, "rename"),
    (Path, "write_text"),
    (Path, "touch"),
    (shutil, "rmtree"),
]


class Faults:
    """Counts calls to the system, and does something in place of some of them."""

    def __init__(self, monkeypatch, happens, names=None):
        self.calls = 0
        for place, name in CALLS:
            if names is None or name in names:
                monkeypatch.setattr(place, name, self.wrap(getattr(place, name), name, happens))

    def wrap(self, real, name, happens):
        def call(*arguments, **options):
            self.calls += 1
            return happens(self.calls, name, lambda: real(*arguments, **options))

        return call


def failing(k, persistently):
    def happens(calls, name, real):
        if calls == k or (persistently and calls > k):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real()

    return happens


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("old", [None, "old"])
def test_killed_at_any_moment(tmp_path, monkeypatch, old):
    def kill_at(k):
        def happens(calls, name, real):
            if calls == k:
                os.kill(os.getpid(), signal.SIGKILL)
            return real()

        return happens

    seen = set()
    for k in range(1, 100):
        target = tmp_path / f"{k}" / "target"
        target.parent.mkdir()
        if old:
            write(target, old)

        def action(k=k, target=target):
            with monkeypatch.context() as patch:
                Faults(patch, kill_at(k))
                write(target, "new")

        status = in_child(action)
        recover(target)
        seen.add(held(target))
        assert held(target) in (old, "new")
        write(target, "next")
        assert held(target) == "next"
        assert [entry.name for entry in target.parent.iterdir()] == ["target"]
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
    assert k > 10 and seen == {old, "new"}


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("old", [None, "old"])
def test_any_call_that_fails_once(tmp_path, monkeypatch, old):
    failed = 0
    for k in range(1, 100):
        target = tmp_path / f"{k}" / "target"
        target.parent.mkdir()
        if old:
            write(target, old)
        with monkeypatch.context() as patch:
            faults = Faults(patch, failing(k, False), {"fsync", "_renameat2", "mkdir", "rename", "write_text"})
            try:
                write(target, "new")
            except OutputError as problem:
                failed += 1
                assert str(problem).startswith(f"{target} cannot be written: input/output error; nothing was changed")
                assert held(target) == old
            else:
                assert held(target) == "new"
        assert [entry.name for entry in target.parent.iterdir()] == (["target"] if held(target) else [])
        if faults.calls < k:
            break
    assert failed >= 8


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("name", ["fsync", "_renameat2", "mkdir", "write_text"])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_call_that_fails_from_some_time_on(tmp_path, monkeypatch, name, old):
    for k in range(1, 100):
        target = tmp_path / f"{k}" / "target"
        target.parent.mkdir()
        if old:
            write(target, old)
        with monkeypatch.context() as patch:
            faults = Faults(patch, failing(k, True), {name})
            if faults.calls < k:
                with contextlib.suppress(OutputError):
                    write(target, "new")
        if faults.calls < k:
            assert held(target) == "new"
            break
        # A rename back that fails too leaves the new folder whole; anything else leaves what was.
        assert held(target) == old or (name == "_renameat2" and held(target) == "new")
        assert [entry.name for entry in target.parent.iterdir()] == (["target"] if held(target) else [])


def test_renames_that_fail_for_good_leave_something_to_recover(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_renameat2", lambda *_: False)
    target = tmp_path / "target"
    write(target, "old")
    with monkeypatch.context() as patch:
        Faults(patch, failing(2, True), {"rename"})
        with pytest.raises(OutputError):
            write(target, "new")
    recover(target)
    assert held(target) == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]


def test_an_error_in_the_block_passes_and_leaves_nothing(tmp_path):
    target = tmp_path / "target"
    for error in (ValueError("mine"), KeyboardInterrupt(), FileNotFoundError(2, "no", "elsewhere")):
        with pytest.raises(type(error)) as caught, atomic_folder(target, marker=MARKER):
            raise error
        assert caught.value is error
        with pytest.raises(type(error)), atomic_file(target):
            raise error
    assert not list(tmp_path.iterdir())


def test_a_full_disk(tmp_path):
    limit = 4096

    def too_large(opened):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            with opened as place:
                if isinstance(place, Path):
                    (place / "data").write_bytes(bytes(2 * limit))
                else:
                    place.write(bytes(2 * limit))
        except OutputError as problem:
            assert "cannot be written: file too large" in str(problem)
            return
        raise AssertionError

    target = tmp_path / "target"
    assert in_child(lambda: too_large(atomic_folder(target, marker=MARKER))) == 0
    assert in_child(lambda: too_large(atomic_file(target))) == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_above_that_cannot_be_written(tmp_path, monkeypatch, code):
    def refuse(self, *_, **__):
        raise OSError(code, os.strerror(code), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=os.strerror(code).lower()):
        write(tmp_path / "target", "new")


def test_paths_that_lead_nowhere(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path / "file/below", tmp_path / ("x" * 300), tmp_path / "loop"):
        with pytest.raises(OutputError, match="cannot be written"):
            write(path, "new")
        with pytest.raises(OutputError, match="cannot be written"), atomic_file(path):
            pass


def test_what_exists_is_kept(tmp_path):
    target = tmp_path / "target"
    write(target, "old", overwrite=False)
    with pytest.raises(OutputError, match="exists already"):
        write(target, "new", overwrite=False)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="is a file"):
        write(tmp_path / "file", "new")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter").write_text("x")
    with pytest.raises(OutputError, match="another kind"):
        write(tmp_path / "thesis", "new")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", "new")
    assert held(tmp_path / "empty") == "new" and held(target) == "old"


def test_two_writers_of_a_new_folder(tmp_path):
    target = tmp_path / "target"
    with (
        pytest.raises(OutputError, match="appeared while"),
        atomic_folder(target, marker=MARKER) as slow,
    ):
        fill(slow, "slow")
        write(target, "quick", overwrite=False)
        assert held(slow) == "slow"
    assert held(target) == "quick"
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]


@pytest.mark.usefixtures("system")
def test_two_writers_that_overwrite(tmp_path):
    target = tmp_path / "target"
    write(target, "old")
    with atomic_folder(target, marker=MARKER, overwrite=True) as slow:
        fill(slow, "slow")
        write(target, "quick")  # and does not take the other's folder for abandoned
        assert held(target) == "quick" and held(slow) == "slow"
    assert held(target) == "slow"
    assert [entry.name for entry in tmp_path.iterdir()] == ["target"]


def test_a_symbolic_link_stays_and_its_goal_is_written(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere/goal")
    write(tmp_path / "link", "one")
    write(tmp_path / "link", "two")
    assert (tmp_path / "link").is_symlink() and held(tmp_path / "elsewhere/goal") == "two"
    (tmp_path / "file-link").symlink_to(tmp_path / "elsewhere/file")
    for text in (b"one", b"two"):
        with atomic_file(tmp_path / "file-link", overwrite=True) as file:
            file.write(text)
    assert (tmp_path / "file-link").is_symlink() and (tmp_path / "elsewhere/file").read_bytes() == b"two"
    assert sorted(entry.name for entry in (tmp_path / "elsewhere").iterdir()) == ["file", "goal"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o007])
def test_permissions_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        write(tmp_path / "target", "new")
        with atomic_file(tmp_path / "file") as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o777 & ~mask
    assert stat.S_IMODE((tmp_path / "target" / MARKER).stat().st_mode) == 0o666 & ~mask
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


def test_every_file_and_folder_is_synced_before_the_name_changes(tmp_path, monkeypatch):
    events = []
    real_open, real_sync, real_rename = os.open, os.fsync, files._renameat2
    names = {}

    def spy_open(path, *rest, **options):
        handle = real_open(path, *rest, **options)
        names[handle] = Path(path)
        return handle

    def spy_sync(handle):
        events.append(names.get(handle, Path("?")).name)
        real_sync(handle)

    def spy_rename(*arguments):
        events.append("RENAME")
        return real_rename(*arguments)

    monkeypatch.setattr(os, "open", spy_open)
    monkeypatch.setattr(os, "fsync", spy_sync)
    monkeypatch.setattr(files, "_renameat2", spy_rename)
    write(tmp_path / "target", "new")
    before, after = events[: events.index("RENAME")], events[events.index("RENAME") + 1 :]
    assert {MARKER, "data", "inner"} <= set(before) and sum(is_partial(name) for name in before) == 1
    assert after == [tmp_path.name]


def test_files_are_replaced_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"), atomic_file(path):
        pass
    with contextlib.suppress(ValueError), atomic_file(path, overwrite=True) as file:
        file.write(b"half")
        raise ValueError
    assert path.read_bytes() == b"old"
    with atomic_file(path, overwrite=True) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    with pytest.raises(OutputError, match="is a folder"), atomic_file(tmp_path, overwrite=True):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null"):
        with pytest.raises(OutputError, match="not a regular file"), atomic_file(path, overwrite=True):
            pass
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116


def test_a_killed_file_writer_leaves_nothing_after_the_next(tmp_path):
    def action():
        with atomic_file(tmp_path / "file") as file:
            file.write(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    assert os.WIFSIGNALED(in_child(action))
    assert not (tmp_path / "file").exists() and len(list(tmp_path.iterdir())) == 1
    with atomic_file(tmp_path / "file") as file:
        file.write(b"whole")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_names_beside_the_target_are_not_touched(tmp_path):
    others = [".target.short.partial", ".target.0123abcd.partial.txt", ".target2.0123abcd.partial", "target.partial"]
    for name in others:
        (tmp_path / name).mkdir()
    write(tmp_path / "target", "new")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*others, "target"])


def test_what_was_never_finished_is_known_by_its_name():
    assert is_partial("/x/.model.0123abcd.partial") and is_partial("/x/.model.0123abcd.aside/run-001")
    assert not is_partial("/x/model.partial") and not is_partial("/x/.model.partial") and not is_partial("/x/model")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b'{"a":' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b'{"a": "\\ud800"}', "not valid JSON"),
        (b"[1]", "not an object"),
        (b"null", "not an object"),
    ],
)
def test_json_that_is_none(tmp_path, content, message):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_json(tmp_path / "x.json")


def test_json_from_odd_places(tmp_path, monkeypatch):
    with pytest.raises(NotFoundError):
        read_json(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(FormatError, match="not a regular file"):
            read_json(path)
    (tmp_path / "large").write_bytes(b"{}")
    os.truncate(tmp_path / "large", files.MOST_JSON_BYTES + 1)
    with pytest.raises(FormatError, match="bytes of JSON; at most"):
        read_json(tmp_path / "large")


def test_json_round_trip(tmp_path):
    value = {"b": [1, 2.5, None], "a": "naïve \U0001f600"}
    write_json(tmp_path / "x", value)
    first = (tmp_path / "x").read_bytes()
    assert read_json(tmp_path / "x") == value and json.loads(first) == value
    write_json(tmp_path / "x", value)
    assert (tmp_path / "x").read_bytes() == first and first.endswith(b"}\n") and "naïve".encode() in first
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x", {"a": float("nan")})


def entry(folder, name, size, used):
    (folder / name).mkdir()
    (folder / name / "data").write_bytes(bytes(size))
    os.utime(folder / name, (used, used))
    return folder / name


def test_the_cache_loses_what_was_used_longest_ago(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path))
    monkeypatch.setenv("WORDGEO_CACHE_LIMIT", "3e-6")  # 3000 bytes
    folder = files.cache_folder("kind")
    assert folder == tmp_path / "kind" and folder.is_dir()
    names = {name: entry(folder, name, 1000, used) for name, used in (("c", 30), ("a", 10), ("b", 20), ("new", 5))}
    (folder / "file").write_bytes(bytes(1000))
    os.utime(folder / "file", (15, 15))
    files.evict(folder, keep=names["new"])
    assert sorted(place.name for place in folder.iterdir()) == ["b", "c", "new"]


def test_the_cache_loses_unfinished_entries_of_dead_writers_only(tmp_path):
    entry(tmp_path, ".x.0123abcd.partial", 10, 1)
    with atomic_folder(tmp_path / "y", marker=MARKER) as alive:
        fill(alive, "new")
        files.evict(tmp_path, keep=tmp_path / "y")
        assert [place.name for place in tmp_path.iterdir()] == [alive.name]
    assert held(tmp_path / "y") == "new"


@pytest.mark.parametrize("limit", ["much", "-1", "nan"])
def test_a_cache_limit_that_is_none(tmp_path, monkeypatch, limit):
    monkeypatch.setenv("WORDGEO_CACHE_LIMIT", limit)
    entry(tmp_path, "x", 10, 1)
    with pytest.raises(OptionError, match="WORDGEO_CACHE_LIMIT"):
        files.evict(tmp_path, keep=tmp_path)
    assert (tmp_path / "x").is_dir()
