"""Suites by name: where each is to be had, under which licence, and how it comes into the cache."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from wordgeo import files
from wordgeo.corpus.recipes import Recipe, fetch, megabytes, read_recipes
from wordgeo.corpus.unpack import zip_members
from wordgeo.errors import CorpusError, FormatError, NotFoundError, OptionError
from wordgeo.evaluation.readers import read_file, read_folder
from wordgeo.evaluation.suites import Suite
from wordgeo.progress import Progress
from wordgeo.results import Result, Table

__all__ = ["SUITES", "SuiteList", "SuiteRecipe", "fetch_suite", "find_suite", "load_suite", "suites"]

SUITES = ("google", "wordsim353", "simlex999")  # those that come with gensim's package, and so are always here

MARKER = "suite.json"
MOST_UNPACKED = 256 << 20


@dataclass(frozen=True, kw_only=True)
class SuiteRecipe(Recipe):
    """A benchmark and how to get it. `kind` says what it asks, `reference` whose it is."""

    kind: str
    reference: str

    def place(self) -> Path | None:
        """The file or folder of the suite where it is here already, else None."""
        if self.package is not None:
            return self.locate()
        if self.url is None:
            return None
        unpacked, packed = self._unpacked(), self._packed()
        if unpacked.is_dir():
            return unpacked
        return packed if packed.is_file() and not zipfile.is_zipfile(packed) else None

    def folder(self) -> Path:
        """Where in the cache it belongs."""
        return files.cache_folder("suites") / self.name

    def _unpacked(self) -> Path:
        return self.folder() / "unpacked"

    def _packed(self) -> Path:
        return self.folder() / unquote(urlsplit(self.url or "").path.rpartition("/")[2])

    def unpack(self) -> None:
        """Puts the members of a zip archive that was fetched beside it."""
        packed, size = self._packed(), 0
        with files.atomic_folder(self._unpacked(), marker=MARKER, overwrite=True) as folder:
            for name, pieces in zip_members(str(packed), packed, lambda share: None):
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts or "\\" in name:
                    raise CorpusError(f"{packed} has a member {name!r}, which would lead out of its folder; remove it")
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                with (folder / path).open("wb") as file:
                    for piece in pieces:
                        size += file.write(piece)
                        if size > MOST_UNPACKED:
                            raise CorpusError(f"{packed} has more than {MOST_UNPACKED >> 20} MB; it is not unpacked")
            files.write_json(folder / MARKER, {"suite": self.name, "url": self.url})


@dataclass(frozen=True, repr=False)
class SuiteList(Result):
    """The suites that have a name, and where those that are here lie (`places`, in their order)."""

    suites: tuple[SuiteRecipe, ...]
    places: tuple[str | None, ...]

    def tables(self) -> list[Table]:
        """One row for each suite."""
        rows = [
            (one.name, one.kind, "here" if place else "by hand" if one.instructions else "to fetch",
             megabytes(one.bytes), (one.checksum or "of the first download").split(":")[0], one.licence)
            for one, place in zip(self.suites, self.places, strict=True)
        ]  # fmt: skip
        notes = ["checksum: by which the file is compared; 'of the first download' where none is known beforehand."]
        return [Table(("name", "kind", "state", "size", "checksum", "licence"), rows, notes=notes)]


def suites() -> SuiteList:
    """All suites that have a name, and which of them are here.

    >>> found = suites()
    >>> [one.name for one, place in zip(found.suites, found.places) if one.package]
    ['google', 'simlex999', 'wordsim353']
    """
    found = read_recipes(SuiteRecipe, "suites")
    return SuiteList(tuple(found), tuple(str(place) if (place := one.place()) else None for one in found))


def find_suite(name: str) -> SuiteRecipe:
    """The recipe of the suite of this name. Raises `OptionError`, which lists those there are."""
    known = {recipe.name: recipe for recipe in read_recipes(SuiteRecipe, "suites")}
    if name not in known:
        raise OptionError(f"suite is {name!r}; choose one of {', '.join(known)}, or name a file")
    return known[name]


def fetch_suite(
    name: str | SuiteRecipe, *, accept_licence: bool = False, progress: Progress | bool | None = None
) -> Path:
    """The file or folder of a suite, downloaded and unpacked if it is not there yet. Give its name to `evaluate`.

    `accept_licence=True` says that you have read the recipe's `licence` and keep to it; without it nothing is
    downloaded. Raises `OptionError` for an unknown name or a licence that is not accepted, `NotFoundError` with
    instructions for a suite that only its owners hand out, `CorpusError` for what cannot be reached or differs from
    its checksum.
    """
    recipe = name if isinstance(name, SuiteRecipe) else find_suite(name)
    here = recipe.place()
    if here is None:
        path = fetch(recipe, accept_licence=accept_licence, folder=recipe.folder(), progress=progress)
        if zipfile.is_zipfile(path):
            recipe.unpack()
        here = recipe.place()
    assert here is not None
    return here


def load_suite(suite: str | os.PathLike[str]) -> Suite:
    """The suite of that name (see `suites`), or the one in a file or folder, whose format is told by its content.

    See the guide to evaluation for the formats. Lines that do not fit are skipped and noted.

    Raises `OptionError` for an unknown name, `NotFoundError` for a missing file or a suite that is to be fetched first,
    `FormatError` for a file that is of no known kind, has questions before its first section, or has nothing that could
    be asked.

    >>> suite = load_suite("google")
    >>> len(suite.sections), len(suite.questions)
    (14, 19544)
    >>> suite.questions[0]
    Question(line=2, a='Athens', b='Greece', c='Baghdad', expected='Iraq', also=(), also_b=())
    """
    path, name = Path(suite), str(suite)
    named = isinstance(suite, str) and not path.suffix and len(path.parts) == 1
    if named and (not path.exists() or suite in SUITES):
        path = _place_of(find_suite(name))
    elif not path.exists():
        raise NotFoundError(f"{path}: no such file; name a suite file or one of those that `wordgeo eval --list` shows")
    else:
        name = path.name
    if path.is_dir():
        return read_folder(name, path)
    if not path.is_file():
        raise FormatError("not a regular file; name a suite's file or folder", path)
    return read_file(name, path)


def _place_of(recipe: SuiteRecipe) -> Path:
    place = recipe.place()
    if place is None and recipe.instructions:
        raise NotFoundError(f"{recipe.title} is had by hand, then named by its path. {recipe.instructions}")
    if place is None:
        raise NotFoundError(
            f"the suite {recipe.name} is not here yet; fetch it (wordgeo eval --suite {recipe.name} --fetch), "
            "or name its file"
        )
    return place
