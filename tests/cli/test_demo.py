"""The demonstration, with less training than it really does."""

from __future__ import annotations

from importlib import resources

import pytest

import wordgeo as wg
from wordgeo import demo

try:
    resources.files("wordgeo_corpora")
except ModuleNotFoundError:
    pytest.skip("wordgeo is only on the path here, and its recipes are not installed", allow_module_level=True)


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(demo, "OPTIONS", {**demo.OPTIONS, "epochs": 1, "dim": 10})
    monkeypatch.setattr(demo, "PLANTED_WORDS", 60_000)


def test_the_demonstration_does_the_whole_job(wordgeo, tmp_path, quick) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "report.txt").write_text("of an earlier demonstration that was interrupted")
    done = wordgeo("demo", "-o", folder, "--overwrite")
    assert done.code == 0, done.err
    assert sorted(path.name for path in folder.iterdir()) == [
        "corpus",
        "models",
        "planted",
        "planted-model",
        "report.txt",
    ]
    assert (folder / "report.txt").read_text(encoding="utf-8") == done.out
    runs = wg.load(folder / "models")
    assert [run.provenance["seed"] for run in runs] == [1, 2, 3]
    assert wg.EncodedCorpus.open(folder / "corpus").fingerprint == runs[0].provenance["corpus"]["fingerprint"]
    for part in ("music", "man is to king", "simlex999", "cannot", "of 19,544 questions", f"wordgeo similar {folder}"):
        assert part in done.out

    again = wordgeo("demo", "-o", folder)
    assert again.code == 1
    assert "--overwrite" in again.err


def test_a_folder_of_something_else_is_left_alone(wordgeo, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for options in ([], ["--overwrite"]):
        done = wordgeo("demo", "-o", tmp_path, *options)
        assert done.code == 1
        assert done.err.startswith(f"error: {tmp_path} ")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
