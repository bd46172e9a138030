"""Imports go down the house only: the floors of the design, read from the sources of every module."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "wordgeo"

# From the ground up. A room imports itself and rooms of earlier steps; rooms of one step do not know each other.
STEPS = [
    {"_version", "_fast", "_words", "reference"},  # the engine
    {"_graph", "_lists", "_analogy_rule"},
    {"_analogy_tables"},
    {"_analogies"},
    {"errors"},  # ground
    {"results", "validate", "threads", "files", "progress", "instructions"},
    {"system"},
    {"vocabulary", "subwords"},  # materials
    {"embeddings"},
    {"corpus", "formats"},
    {"query", "training"},  # measures and trainers
    {"evaluation"},
    {"stability"},
    {"geometry"},
    {"_lobby"},  # the lobby
    {"wordgeo"},  # `import wordgeo` itself
    {"bench", "demo"},
    {"client", "service"},  # doors
    {"cli"},
]
HEIGHT = {room: height for height, rooms in enumerate(STEPS) for room in rooms}
MEASURES = {"query", "evaluation", "stability", "geometry"}


def room(module: str) -> str:
    """The room of a dotted name: `wordgeo.corpus.readers` is in `corpus`, `wordgeo` is the lobby."""
    return ([*module.split("."), "wordgeo"])[1]


def module_name(file: Path, package: Path) -> str:
    parts = file.relative_to(package).with_suffix("").parts
    return ".".join(["wordgeo", *(part for part in parts if part != "__init__")])


def imported(file: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import of the package's own, those within functions and for types only included."""
    text = file.read_text(encoding="utf-8")
    if file.suffix in {".pyx", ".pxd"}:
        for number, line in enumerate(text.splitlines(), 1):
            if found := re.match(r"\s*(?:from|c?import)\s+(wordgeo[\w.]*)(?:\s+c?import\s+(\w+))?", line):
                yield number, resolved(*found.groups(), package)
        return
    own = module_name(file, package).split(".")
    here = own if file.name == "__init__.py" else own[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names if name.name.split(".")[0] == "wordgeo")
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*here[: len(here) - node.level + 1], node.module or ""]).strip(".")
                if node.level
                else node.module
            )
            if base and base.split(".")[0] == "wordgeo":
                yield from ((node.lineno, resolved(base, name.name, package)) for name in node.names)


def resolved(base: str, name: str | None, package: Path) -> str:
    """`from wordgeo import _fast` imports a module; `from wordgeo import load` comes from the lobby."""
    folder = package.joinpath(*base.split(".")[1:])
    is_module = name and ((folder / name).is_dir() or any((folder / f"{name}.{end}").exists() for end in ("py", "pyx")))
    return f"{base}.{name}" if is_module else base


def faults(package: Path) -> list[str]:
    found = []
    for file in sorted(path for path in package.rglob("*") if path.suffix in {".py", ".pyx", ".pxd"}):
        own = room(module_name(file, package))
        for line, name in imported(file, package):
            other = room(name)
            across = "training" in (own, other) and not MEASURES.isdisjoint((own, other))
            if other != own and (HEIGHT[other] >= HEIGHT[own] or across):
                found.append(f"{file.relative_to(package)}, line {line}: {own} imports {name}")
    return found


def test_imports_go_down_only() -> None:
    assert faults(PACKAGE) == []


def test_every_module_has_a_room() -> None:
    rooms = {room(module_name(file, PACKAGE)) for file in PACKAGE.rglob("*.py")}
    assert rooms <= set(HEIGHT), "add the new room to STEPS, where the design puts it"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("errors.py", "from wordgeo.results import Result"),
        ("errors.py", "from . import results"),
        ("vocabulary.py", "def f():\n    from wordgeo import embeddings"),
        ("vocabulary.py", "from wordgeo import load"),
        ("corpus/readers.py", "from ..formats import save"),
        ("corpus/readers.py", "import wordgeo as wg"),
        ("training/runs.py", "from wordgeo.stability import Ensemble"),
        ("evaluation/__init__.py", "from wordgeo.training import train"),
        ("_fast.pyx", "from wordgeo.errors import OptionError"),
        ("query/search.py", "if TYPE_CHECKING:\n    from wordgeo.stability import Ensemble"),
    ],
)
def test_an_upward_import_is_found(tmp_path: Path, file: str, line: str) -> None:
    for name in ("errors.py", "results.py", "embeddings.py"):
        (tmp_path / name).write_text("")
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(line + "\n")
    assert len(faults(tmp_path)) == 1


def test_downward_imports_pass(tmp_path: Path) -> None:
    (tmp_path / "errors.py").write_text("")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "__init__.py").write_text("from .readers import read\nfrom wordgeo import errors\n")
    (tmp_path / "corpus" / "readers.py").write_text("from ..errors import CorpusError\nimport os.path\n")
    assert faults(tmp_path) == []
