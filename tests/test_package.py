"""The package as it is installed: its version, its data, its types, and how little importing it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path

import pytest

import wordgeo

ROOT = Path(__file__).parents[1]


def is_installed() -> bool:
    try:
        return bool(metadata.version("wordgeo"))
    except metadata.PackageNotFoundError:
        return False


installed = pytest.mark.skipif(not is_installed(), reason="wordgeo is only on the path here, not installed")


@installed
def test_version_is_the_same_everywhere() -> None:
    assert wordgeo.__version__ == metadata.version("wordgeo")
    assert f"version: {wordgeo.__version__}" in (ROOT / "CITATION.cff").read_text()


def test_public_names_exist_and_are_documented() -> None:
    for name in wordgeo.__all__:
        thing = getattr(wordgeo, name)
        assert isinstance(thing, str) or thing.__doc__, name


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        wordgeo.no_such_name  # noqa: B018


@installed
def test_data_is_installed() -> None:
    assert resources.files("wordgeo").joinpath("py.typed").is_file()
    recipes = [file.name for file in resources.files("wordgeo_corpora").iterdir() if file.name.endswith(".toml")]
    assert recipes


def test_importing_costs_little() -> None:
    """Neither gensim nor rich nor SciPy's statistics is imported before something needs it."""
    code = "import sys, wordgeo; print(*sorted(m for m in sys.modules if m.count('.') < 2))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"gensim", "rich", "scipy.stats", "smart_open", "numpy"} & set(done.stdout.split())


@pytest.mark.parametrize("file", sorted((ROOT / "wordgeo").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_what_it_is_about(file: Path) -> None:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    assert docstring and docstring.splitlines()[0].endswith((".", ":", "?"))
