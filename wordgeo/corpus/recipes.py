"""Recipes for corpora: small TOML files, installed with the package, that say what a corpus is and where it lies."""

from __future__ import annotations

import hashlib
import importlib.resources
import tomllib
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from wordgeo.errors import CorpusError, FormatError, NotFoundError

__all__ = ["Recipe", "find_recipe", "recipes"]


@dataclass(frozen=True)
class Recipe:
    """A corpus that can be had: a file inside an installed Python package, its size, checksum and licence."""

    name: str
    title: str
    description: str
    package: str
    file: str
    format: str
    bytes: int
    sha256: str
    licence: str
    source: str

    def locate(self) -> Path:
        """The file on this machine, compared with size and checksum. Raises `NotFoundError` or `CorpusError`."""
        try:
            path = Path(str(importlib.resources.files(self.package).joinpath(self.file)))
        except ModuleNotFoundError:
            raise NotFoundError(f"the corpus {self.name} lies in the package {self.package}; install it") from None
        if not path.is_file():
            raise NotFoundError(f"{path} does not exist; install {self.package} again")
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        if path.stat().st_size != self.bytes or checksum != self.sha256:
            raise CorpusError(f"{path} is not the file that the recipe {self.name} describes; its checksum differs")
        return path


def recipes() -> list[Recipe]:
    """All recipes that come with wordgeo, by name."""
    return sorted((_read(file) for file in _folder().iterdir() if file.name.endswith(".toml")), key=lambda r: r.name)


def find_recipe(name: str) -> Recipe:
    """The recipe of this name. Raises `NotFoundError`, which lists those there are."""
    known = recipes()
    for recipe in known:
        if recipe.name == name:
            return recipe
    raise NotFoundError(f"no corpus is called '{name}'; there is {', '.join(recipe.name for recipe in known)}")


def _folder() -> Traversable:
    try:
        return importlib.resources.files("wordgeo_corpora")
    except ModuleNotFoundError:
        raise NotFoundError("the recipes are not installed; install wordgeo (pip install .)") from None


def _read(file: Traversable) -> Recipe:
    try:
        return Recipe(**tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, TypeError) as problem:
        raise FormatError(f"not a recipe ({problem})", file.name) from None
