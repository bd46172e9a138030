"""The command line in process, and a small trained model to ask."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from wordgeo.cli import main


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def wordgeo(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs `wordgeo ARGS...` and gives its exit code and what it printed."""

    def run(*args: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main([str(arg) for arg in args])
        printed = capsys.readouterr()
        return Done(leaving.value.code, printed.out, printed.err)

    return run


def sentences(count: int) -> list[str]:
    """Sentences of two themes, so that even a small model has something to say."""
    rng = random.Random(7)
    themes = [["king", "queen", "crown", "throne", "palace"], ["cat", "dog", "kitten", "puppy", "paw"]]
    return [" ".join(["the", *rng.sample(themes[i % 2], 4), f"n{i % 5}"]) for i in range(count)]


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join(sentences(600)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def model(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model"
    with pytest.raises(SystemExit) as leaving:
        main(["train", str(text), "-o", str(path), "--dim", "16", "--epochs", "5", "--sample", "0", "--threads", "1"])
    assert leaving.value.code == 0
    return path
