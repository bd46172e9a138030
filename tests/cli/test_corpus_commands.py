"""`corpus context`, `corpus list` and `corpus fetch` on the command line."""

from __future__ import annotations

import importlib
import io
import json

import pytest


@pytest.fixture
def recipe_folder(tmp_path, monkeypatch):
    """A folder of recipes of the test's own."""
    recipes = importlib.import_module("wordgeo.corpus.recipes")

    folder = tmp_path / "recipes"
    folder.mkdir()
    facts = {"name": "mine", "title": "Mine", "description": "Some text.", "licence": "CC BY", "source": "here"}
    facts |= {"verified": "no", "url": "http://127.0.0.1:9/mine.txt"}
    (folder / "mine.toml").write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in facts.items()))
    monkeypatch.setattr(recipes, "_folder", lambda: folder)
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    return folder


def test_context(wordgeo, text, tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    assert wordgeo("corpus", "encode", text, "-o", tmp_path / "c").code == 0
    done = wordgeo("corpus", "context", tmp_path / "c", "king", "queen", "--limit", 3, "--format", "json")
    found = json.loads(done.out)
    assert done.code == 0 and found["near"] == "queen" and len(found["lines"]) == 3
    for line in found["lines"]:
        assert "queen" in f"{line['left']} {line['right']}".split()
    done = wordgeo("corpus", "context", tmp_path / "c", "kingg")
    assert done.code == 1 and "did you mean king" in done.err


def test_list(wordgeo, recipe_folder):
    done = wordgeo("corpus", "list", "--format", "csv")
    assert done.out == "name,corpus,size,licence\nmine,Mine,unknown,CC BY\n"


def test_fetch_asks_before_it_downloads(wordgeo, recipe_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    done = wordgeo("corpus", "fetch", "mine")
    assert done.code != 0 and "Licence: CC BY (here)" in done.err and not done.out
    assert not (tmp_path / "cache" / "downloads").exists()
    done = wordgeo("corpus", "fetch", "mine", "--yes")
    assert done.code == 1 and "cannot be fetched" in done.err
    done = wordgeo("corpus", "fetch", "yours")
    assert done.code == 1 and "there is mine" in done.err
