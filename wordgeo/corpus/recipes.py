"""Recipes for corpora: small TOML files, installed with the package, that say what a corpus is and where it lies."""

from __future__ import annotations

import hashlib
import importlib.resources
import importlib.util
import re
import tomllib
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

from wordgeo.corpus.downloads import fetch_file
from wordgeo.errors import CorpusError, FormatError, NotFoundError, OptionError
from wordgeo.progress import Progress
from wordgeo.results import Result, Table

__all__ = ["Recipe", "RecipeList", "fetch", "find_recipe", "megabytes", "read_recipes", "recipes"]

LANGUAGE = "{language}"

Kind = TypeVar("Kind", bound="Recipe")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A corpus and how to get it: a file in an installed Python package, a web address, or instructions by hand.

    `licence` is what its owners say of it, `source` where they say it, and `verified` how the facts of the recipe
    were looked up, and which were not. Where `sha256`, `sha1` and `md5` are missing, the first download is trusted.
    """

    name: str
    title: str
    description: str
    licence: str
    source: str
    verified: str
    format: str = "text"  # what `input_format` calls it
    tokens: str = "unicode"  # how it is best cut into words
    package: str | None = None
    file: str | None = None
    url: str | None = None  # `{language}` in it stands for the language's code
    instructions: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    sha1: str | None = None
    md5: str | None = None

    @property
    def checksum(self) -> str | None:
        """The checksum as `fetch_file` takes it."""
        known = {"sha256": self.sha256, "sha1": self.sha1, "md5": self.md5}
        return next((f"{name}:{digits}" for name, digits in known.items() if digits), None)

    @property
    def takes_language(self) -> bool:
        """Whether there is one such corpus for each language."""
        return self.url is not None and LANGUAGE in self.url

    def locate(self) -> Path:
        """The file in the package, compared with size and checksum. Raises `NotFoundError` or `CorpusError`."""
        if self.package is None or self.file is None:
            raise NotFoundError(f"{self.name} comes with no package; fetch it")
        spec = importlib.util.find_spec(self.package)  # finds the package without running it
        if spec is None or spec.origin is None:
            raise NotFoundError(f"{self.name} lies in the package {self.package}; install it")
        path = Path(spec.origin).parent / self.file
        if not path.is_file():
            raise NotFoundError(f"{path} does not exist; install {self.package} again")
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        if path.stat().st_size != self.bytes or checksum != self.sha256:
            raise CorpusError(f"{path} is not the file that the recipe {self.name} describes; its checksum differs")
        return path


def fetch(
    name: str | Recipe,
    *,
    accept_licence: bool = False,
    language: str | None = None,
    folder: str | Path | None = None,
    progress: Progress | bool | None = None,
) -> Path:
    """The file of a corpus for which there is a recipe, downloaded if it is not there yet. Give it to `encode`.

    `accept_licence=True` says that you have read the recipe's `licence` and keep to it; without it nothing is
    downloaded, and the `OptionError` shows the licence. `language` is the code of a language (`de`) for recipes that
    have one file for each. `folder` and the errors are those of `fetch_file`; corpora that only their owners may hand
    out raise `NotFoundError` with instructions.
    """
    recipe = name if isinstance(name, Recipe) else find_recipe(name)
    if recipe.takes_language != (language is not None):
        which = "is there for each language; name one" if recipe.takes_language else "has no choice of languages"
        raise OptionError(f"the corpus {recipe.name} {which} (language)")
    if language is not None and not re.fullmatch(r"[a-z]{2,3}([_-][a-z0-9]+)*", language):
        raise OptionError(f"language is {language!r}; give a code such as 'de' or 'pt'")
    if recipe.package is not None:
        return recipe.locate()
    if recipe.url is None:
        raise NotFoundError(f"{recipe.title} cannot be fetched by a program. {recipe.instructions} See {recipe.source}")
    if not accept_licence:
        raise OptionError(
            f"{recipe.title} comes under this licence: {recipe.licence} ({recipe.source}). "
            "If you keep to it, say so: accept_licence=True, --yes on the command line"
        )
    return fetch_file(
        recipe.url.replace(LANGUAGE, (language or "").replace("-", "_")),
        checksum=recipe.checksum,
        size=recipe.bytes,
        folder=folder,
        progress=progress,
    )


def recipes() -> list[Recipe]:
    """All recipes that come with wordgeo, by name."""
    return read_recipes(Recipe)


def read_recipes(kind: type[Kind], folder: str = "") -> list[Kind]:
    """The recipes in a folder beside those of corpora, by name."""
    place = _folder().joinpath(folder) if folder else _folder()
    return sorted((_read(file, kind) for file in place.iterdir() if file.name.endswith(".toml")), key=lambda r: r.name)


@dataclass(frozen=True, repr=False)
class RecipeList(Result):
    """The recipes there are; see `recipes`."""

    recipes: tuple[Recipe, ...]

    def tables(self) -> list[Table]:
        """One row for each recipe."""
        rows = [
            (each.name, each.title, "by hand" if each.instructions else megabytes(each.bytes), each.licence)
            for each in self.recipes
        ]
        return [Table(("name", "corpus", "size", "licence"), rows)]


def megabytes(size: int | None) -> str:
    """A number of bytes as people read it."""
    return "unknown" if size is None else f"{size / 1e6:.1f} MB"


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
        beside = Path(__file__).parents[2] / "corpora"  # in a source tree
        if (beside / "__init__.py").is_file():
            return beside
        raise NotFoundError("the recipes are not installed; install wordgeo (pip install .)") from None


def _read(file: Traversable, kind: type[Kind]) -> Kind:
    try:
        return kind(**tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, TypeError) as problem:
        raise FormatError(f"not a recipe ({problem})", file.name) from None
