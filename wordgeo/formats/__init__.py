"""Everything that holds embeddings: the model folder, vector files of other tools, gensim's objects."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordgeo.errors import FormatError, NotFoundError

if TYPE_CHECKING:
    from wordgeo.embeddings import Embeddings

__all__ = ["convert", "export", "from_gensim", "is_model", "load", "save"]


def load(
    path: str | Path,
    *,
    format: str | None = None,
    encoding_errors: str = "strict",
    duplicates: str = "error",
    threads: int | None = None,
) -> Embeddings:
    """Opens a model folder (mapped, in milliseconds) or reads a vector file into memory.

    A file is word2vec text, word2vec binary or GloVe text, plain or gzip, told apart by content; `format`
    ("word2vec", "word2vec-binary", "glove") says it instead. Words that are not UTF-8 are an error, or with
    `encoding_errors="replace"` get U+FFFD for what is not; a word that stands twice is an error, or with
    `duplicates="first"` keeps its first vector. What was replaced or left out is counted in
    `provenance["imported"]` and logged. The options are for files; a folder has no use for them.

    Raises `NotFoundError`, `OptionError`, and `FormatError` for whatever is not what it should be.
    """
    from wordgeo.files import recover
    from wordgeo.formats.folder import open_folder, refuse_other_folder
    from wordgeo.formats.reader import read_vectors

    path = Path(path)
    try:
        recover(path)
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist; name a model folder or a vector file") from None
    except (OSError, ValueError) as problem:
        reason = problem.strerror.lower() if isinstance(problem, OSError) and problem.strerror else problem
        raise NotFoundError(f"{str(path)!r} cannot be opened: {reason}; name a model folder or a vector file") from None
    if stat.S_ISDIR(mode):
        refuse_other_folder(path)
        return open_folder(path)
    if not stat.S_ISREG(mode):
        raise FormatError("neither a folder nor a regular file", path)
    return read_vectors(path, format=format, encoding_errors=encoding_errors, duplicates=duplicates, threads=threads)


def save(
    embeddings: Embeddings, path: str | Path, *, overwrite: bool = False, run: Mapping[str, Any] | None = None
) -> None:
    """Writes a model folder, whole or not at all; `run` (unset: `embeddings.run`) goes to `run.json`.

    The same embeddings give the same bytes in every other file. Raises `OutputError`, and `OptionError` for no words.
    """
    from wordgeo.formats.folder import save_folder

    save_folder(embeddings, path, overwrite=overwrite, run=run)


def export(
    embeddings: Embeddings,
    path: str | Path,
    *,
    format: str | None = None,
    replace_spaces: str | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a vector file for other tools, whole or not at all.

    `format` is "word2vec" (text with a header), "word2vec-binary" or "glove" (text without a header); unset, the suffix
    says it: `.txt` and `.vec` are word2vec text, `.bin` is word2vec binary, `.glove` GloVe text; a further `.gz`
    compresses. Text has nine significant digits, which give back the same float32. These formats cannot hold words
    with spaces: an error, unless `replace_spaces` (such as "_") stands in for them. Counts and provenance stay behind.

    Raises `OptionError` for a format or suffix it does not know and for words that do not fit, `OutputError`.
    """
    from wordgeo.formats.writer import write_vectors

    write_vectors(embeddings, path, format=format, replace_spaces=replace_spaces, overwrite=overwrite)


def convert(
    source: str | Path,
    target: str | Path,
    *,
    format: str | None = None,
    replace_spaces: str | None = None,
    encoding_errors: str = "strict",
    duplicates: str = "error",
    overwrite: bool = False,
) -> Embeddings:
    """From anything that `load` opens to a vector file (as `export` names them) or, without such a suffix, a folder.

    `format="wordgeo"` asks for a model folder whatever the name. Returns what was loaded, with its counts of what was
    replaced or left out. Raises what `load`, `save` and `export` raise.
    """
    from wordgeo.formats.writer import is_vector_file_name

    embeddings = load(source, encoding_errors=encoding_errors, duplicates=duplicates)
    if format == "wordgeo" or (format is None and not is_vector_file_name(target)):
        save(embeddings, target, overwrite=overwrite)
    else:
        export(embeddings, target, format=format, replace_spaces=replace_spaces, overwrite=overwrite)
    return embeddings


def from_gensim(model: Any) -> Embeddings:
    """Words, vectors (copied) and counts of a gensim `KeyedVectors`, or of a model that has them (`Word2Vec`, …)."""
    from wordgeo.formats.gensim import embeddings_from_gensim

    return embeddings_from_gensim(model)


def is_model(path: str | Path) -> bool:
    """Whether a path is a finished model folder; it is not opened."""
    from wordgeo.formats.folder import is_folder

    return is_folder(path)
