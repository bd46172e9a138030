"""Bad inputs through the command line: the message, the exit code, and that nothing is left on disk."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Case:
    """`files` are made first, then `wordgeo args` has to fail with `code` and say each of `says`."""

    name: str
    args: str
    says: tuple[str, ...]
    files: dict[str, str | bytes]
    code: int = 1


SENTENCES = "the king and the queen rule the land\n" * 20
SMALL = "--dim 4 --epochs 1 --threads 1"
VECTORS = "3 2\nking 1 0\nqueen 0.8 0.6\ncat 0 1\n"

CASES = [
    Case("empty corpus", "corpus encode empty.txt -o out", ("no word in empty.txt",), {"empty.txt": ""}),
    Case("corpus of blanks", "corpus encode blank.txt -o out", ("no word in blank.txt",), {"blank.txt": " \n\n\t\n"}),
    Case(
        "training on an empty corpus", f"train empty.txt -o out {SMALL}", ("no word in empty.txt",), {"empty.txt": ""}
    ),
    Case("no such source", "corpus encode none.txt -o out", ("none.txt",), {}),
    Case("a pattern without files", "corpus encode texts/*.txt -o out", ("texts/*.txt",), {}),
    Case(
        "every word below min_count",
        f"train text.txt -o out --min-count 1000 {SMALL}",
        ("min_count", "1000"),
        {"text.txt": SENTENCES},
    ),
    Case(
        "a vocabulary of one word",
        f"train text.txt -o out {SMALL}",
        ("one word",),
        {"text.txt": "king king king\n" * 9},
    ),
    Case(
        "text that is not UTF-8",
        "corpus encode t.txt -o out --encoding-errors strict",
        ("t.txt", "UTF-8"),
        {"t.txt": b"king\n\xff\n"},
    ),
    Case(
        "vectors with NaN", "convert v.txt out", ("v.txt", "line 3", "queen"), {"v.txt": "2 2\nking 1 0\nqueen nan 1\n"}
    ),
    Case("vectors with infinity", "convert v.txt out", ("v.txt", "line 2"), {"v.txt": "2 2\nking 1 inf\nqueen 0 1\n"}),
    Case(
        "numbers beyond float32", "convert v.txt out", ("v.txt", "line 2"), {"v.txt": "2 2\nking 1 1e400\nqueen 0 1\n"}
    ),
    Case(
        "duplicate words", "convert v.txt out", ("v.txt", "king", "duplicates"), {"v.txt": "2 2\nking 1 0\nking 0 1\n"}
    ),
    Case(
        "fewer rows than the header says",
        "convert v.txt out",
        ("v.txt", "9", "3"),
        {"v.txt": VECTORS.replace("3", "9", 1)},
    ),
    Case(
        "more rows than the header says", "convert v.txt out", ("v.txt", "2"), {"v.txt": VECTORS.replace("3", "2", 1)}
    ),
    Case("ragged rows", "convert v.txt out", ("v.txt", "line 3"), {"v.txt": "2 2\nking 1 0\nqueen 1\n"}),
    Case(
        "binary cut short",
        "convert v.bin out",
        ("v.bin",),
        {"v.bin": b"2 3\nking " + struct.pack("<3f", 1, 2, 3) + b"\nqueen " + struct.pack("<2f", 1, 2)},
    ),
    Case(
        "a word that is not UTF-8",
        "convert v.txt out",
        ("v.txt", "line 2", "UTF-8"),
        {"v.txt": b"2 2\nk\xffng 1 0\ncat 0 1\n"},
    ),
    Case("a file that holds no vectors", "similar v.txt king", ("v.txt",), {"v.txt": "once upon a time\n"}),
    Case("no such model", "similar model king", ("model does not exist",), {}),
    Case("a folder that is no model", "similar folder king", ("folder",), {"folder/readme.txt": "hello\n"}),
    Case("an unknown word", "similar v.txt kign", ("'kign'", "king"), {"v.txt": VECTORS}),
    Case("k of 0", "similar v.txt king -k 0", ("k is 0",), {"v.txt": VECTORS}, code=2),
    Case("a broken pattern", "similar v.txt king --match (", ("match",), {"v.txt": VECTORS}, code=2),
    Case(
        "counts that are not there",
        "similar v.txt king --min-count 5",
        ("min_count", "counts"),
        {"v.txt": VECTORS},
        code=2,
    ),
    Case("a list of words that is not there", "similar v.txt king --words w.txt", ("w.txt",), {"v.txt": VECTORS}),
    Case("a broken expression", "query v.txt king+queen-", ("king+queen-",), {"v.txt": VECTORS}),
    Case(
        "the output exists", "convert v.txt out.bin", ("out.bin", "--overwrite"), {"v.txt": VECTORS, "out.bin": "mine"}
    ),
    Case(
        "the output folder exists",
        "corpus encode t.txt -o out",
        ("out", "--overwrite"),
        {"t.txt": SENTENCES, "out/mine": "x"},
    ),
    Case(
        "overwriting another kind",
        "corpus encode t.txt -o out --overwrite",
        ("out", "another kind"),
        {"t.txt": SENTENCES, "out/mine": "x"},
    ),
    Case(
        "the model folder exists",
        f"train t.txt -o out {SMALL}",
        ("out", "--overwrite"),
        {"t.txt": SENTENCES, "out/mine": "x"},
    ),
    Case(
        "a file where a folder is meant",
        "corpus encode t.txt -o out",
        ("out is a file",),
        {"t.txt": SENTENCES, "out": "mine"},
    ),
    Case(
        "a file on the way to the folder",
        "corpus encode t.txt -o out/deep",
        ("out/deep",),
        {"t.txt": SENTENCES, "out": "mine"},
    ),
    Case(
        "an unknown option in the TOML",
        "train t.txt -o out --config c.toml",
        ("c.toml", "windwo", "window"),
        {"t.txt": SENTENCES, "c.toml": "windwo = 5\n"},
        code=2,
    ),
    Case(
        "a wrong type in the TOML",
        "train t.txt -o out --config c.toml",
        ("dim", "'many'"),
        {"t.txt": SENTENCES, "c.toml": "dim = 'many'\n"},
        code=2,
    ),
    Case(
        "TOML that is none",
        "train t.txt -o out --config c.toml",
        ("c.toml", "line 1"),
        {"t.txt": SENTENCES, "c.toml": "dim = = 5\n"},
    ),
    Case("no such TOML", "train t.txt -o out --config c.toml", ("c.toml",), {"t.txt": SENTENCES}),
    Case("an option out of range", "train t.txt -o out --dim 0", ("dim is 0",), {"t.txt": SENTENCES}, code=2),
    Case(
        "an unknown algorithm",
        "train t.txt -o out --algorithm bert",
        ("bert", "skipgram"),
        {"t.txt": SENTENCES},
        code=2,
    ),
    Case("an unknown suite", "eval v.txt --suite goggle", ("goggle", "google"), {"v.txt": VECTORS}, code=2),
    Case(
        "an unknown protocol",
        "eval v.txt --suite google --protocol x",
        ("protocol", "gensim"),
        {"v.txt": VECTORS},
        code=2,
    ),
    Case("a suite that is none", "eval v.txt --suite s.txt", ("s.txt",), {"v.txt": VECTORS, "s.txt": "hello\n"}),
]


def disk(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input(wordgeo, tmp_path, monkeypatch, case) -> None:
    for name, content in case.files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.chdir(tmp_path)
    before = disk(tmp_path)
    done = wordgeo(*case.args.split())
    assert done.code == case.code, done.err
    *notes, line = done.err.splitlines()
    assert line.startswith("error: ")
    assert all(note.startswith("warning: ") for note in notes)
    for part in case.says:
        assert part in line
    assert str(tmp_path) not in line, "paths are shown as they were typed"
    assert disk(tmp_path) == before


def test_a_word_with_spaces_fits_no_vector_file(wordgeo, tmp_path) -> None:
    import wordgeo as wg

    wg.save(wg.from_arrays(["new york", "cat"], [[1, 0], [0, 1]]), tmp_path / "model")
    done = wordgeo("convert", tmp_path / "model", tmp_path / "out.txt")
    assert done.code == 2
    assert "'new york'" in done.err
    assert not (tmp_path / "out.txt").exists()
    assert wordgeo("convert", tmp_path / "model", tmp_path / "out.txt", "--replace-spaces", "_").code == 0
    assert (tmp_path / "out.txt").read_text().splitlines()[1].startswith("new_york ")


def small_disk() -> None:
    """Before the command begins: no file may grow beyond 1 kB."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


def bound_by_permissions() -> None:
    """Before the command begins: root gives up its right to write anywhere."""
    import ctypes

    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) != 0:  # PR_CAPBSET_DROP
                os._exit(77)


@pytest.mark.skipif(sys.platform != "linux", reason="limits are set as Linux does")
@pytest.mark.parametrize(
    ("limit", "says"), [(small_disk, "file too large"), (bound_by_permissions, "permission denied")]
)
@pytest.mark.parametrize(
    "command",
    ["corpus encode t.txt -o shut/out", f"train t.txt -o shut/out {SMALL} --min-count 1", "convert model shut/out.txt"],
    ids=lambda command: command.split()[0],
)
def test_a_disk_that_refuses(tmp_path, text, model, command: str, limit: Callable[[], None], says: str) -> None:
    """No space and no permission, for real: in a process of its own."""
    (tmp_path / "t.txt").write_text(text.read_text() + " ".join(f"word{i}" for i in range(5000)), encoding="utf-8")
    (tmp_path / "model").symlink_to(model)
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o555 if limit is bound_by_permissions else 0o755)
    path = os.pathsep.join(filter(None, sys.path))  # absolute, for the command runs elsewhere
    env = {**os.environ, "PYTHONPATH": path, "WORDGEO_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "wordgeo.cli", *command.split()],
        cwd=tmp_path, env=env, preexec_fn=limit, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("this process may not drop capabilities")
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert list(shut.iterdir()) == []
