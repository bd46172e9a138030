"""The model folder: vectors that are mapped, a vocabulary that is mapped, and what is known about both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wordgeo.embeddings import Embeddings, TrainingState
from wordgeo.errors import FormatError, OptionError, OutputError
from wordgeo.files import atomic_folder, is_partial, read_json, write_json
from wordgeo.formats import safetensors
from wordgeo.formats.card import model_card
from wordgeo.formats.companions import write_config, write_modules, write_tokenizer
from wordgeo.results import plain
from wordgeo.subwords import Subwords
from wordgeo.vocabulary import Vocabulary

__all__ = ["FORMAT_VERSION", "MARKER", "is_folder", "open_folder", "refuse_other_folder", "save_folder"]

FORMAT_VERSION = 1
MARKER = "wordgeo.json"
RUN = "run.json"
TENSORS = "model.safetensors"
SUBWORDS = "subwords.safetensors"
TRAINING = "training.safetensors"
EMBEDDINGS = "embeddings"
BUCKETS = "buckets"
OUTPUT = "output"
RANDOM = "random"
# What wordgeo.json says of the folder itself; the rest of it is the provenance.
FORMAT_FIELDS = ("format_version", "words", "dimensions", "subwords")
NGRAMS = ("min_n", "max_n", "bucket")
OTHER_FOLDERS = {
    "ensemble.json": "an ensemble of models, not one model; open it with wordgeo.load, or name one of its runs",
    "corpus.json": "an encoded corpus, not a model; train a model on it",
}


def save_folder(
    embeddings: Embeddings, path: str | Path, *, overwrite: bool = False, run: Mapping[str, Any] | None = None
) -> None:
    """Writes a model folder that appears whole or not at all.

    `run` (times, machine, loss curve; `embeddings.run` if it is not given) goes to `run.json`; everything else is the
    same bytes for the same embeddings. Raises `OptionError` if there are no words, `OutputError` if `path` exists
    (unless `overwrite`, and it is a model) or cannot be written.
    """
    # The name alone counts: the runs of an ensemble are written inside its unfinished folder.
    if _is_unfinished(Path(path).name):
        raise OutputError(f"{path} is a name for what is not finished; choose one that does not end in .training")
    if not len(embeddings):
        raise OptionError("the embeddings have no words; there is nothing to save")
    provenance = plain({k: v for k, v in embeddings.provenance.items() if k not in FORMAT_FIELDS})
    facts: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "words": len(embeddings),
        "dimensions": embeddings.dimensions,
    }
    subwords, state = embeddings.subwords, embeddings.training_state
    if subwords is not None:
        facts["subwords"] = {name: getattr(subwords, name) for name in NGRAMS}
    unknown_row = np.zeros((1, embeddings.dimensions), dtype=np.float32)
    with atomic_folder(path, marker=MARKER, overwrite=overwrite) as folder:
        safetensors.write(folder / TENSORS, {EMBEDDINGS: [embeddings.vectors, unknown_row]})
        if subwords is not None:
            safetensors.write(folder / SUBWORDS, {EMBEDDINGS: [subwords.vectors], BUCKETS: [subwords.buckets]})
        if state is not None:
            safetensors.write(folder / TRAINING, {OUTPUT: [state.output], RANDOM: [state.random]})
        with (folder / "vocabulary").open("wb") as file:
            embeddings.vocabulary.write(file)
        write_tokenizer(folder / "tokenizer.json", embeddings.words, provenance)
        write_config(folder / "config.json", embeddings.dimensions)
        write_modules(folder / "modules.json")
        (folder / "README.md").write_text(model_card(embeddings), encoding="utf-8", newline="\n")
        write_json(folder / RUN, plain(dict(embeddings.run if run is None else run)))
        write_json(folder / MARKER, facts | provenance)


def open_folder(path: str | Path) -> Embeddings:
    """Opens a model folder: headers are read and checked, vectors and vocabulary are mapped read-only.

    The time hardly depends on the size. Raises `FormatError` for whatever is not as `save_folder` writes it.
    """
    path = Path(path)
    _refuse_unfinished(path)
    for name in (MARKER, TENSORS, "vocabulary"):
        if not (path / name).is_file():
            raise FormatError(f"{name} is missing; the folder is not a whole model", path)
    facts = read_json(path / MARKER)
    version = facts.get("format_version")
    if type(version) is not int or version < 1:
        raise FormatError(f"format_version is {version!r}; expected {FORMAT_VERSION}", path / MARKER)
    if version > FORMAT_VERSION:
        raise FormatError(
            f"written in model format {version}; this wordgeo reads up to {FORMAT_VERSION}: install a newer wordgeo",
            path / MARKER,
        )
    vocabulary = Vocabulary.open(path / "vocabulary")
    matrix = safetensors.map_tensor(path / TENSORS, EMBEDDINGS, "F32")
    rows = (len(vocabulary) + 1, facts.get("dimensions"))
    if matrix.shape != rows or facts.get("words") != len(vocabulary):
        raise FormatError(
            f"the tensor is {' × '.join(map(str, matrix.shape))}; {len(vocabulary)} words in 'vocabulary', and "
            f"{facts.get('words')} words × {facts.get('dimensions')} in {MARKER}, need one row more than words; "
            "the files do not belong together",
            path / TENSORS,
        )
    if matrix[-1].any():
        raise FormatError("the last row (unknown words) is not zero; the files do not belong together", path / TENSORS)
    provenance = {key: value for key, value in facts.items() if key not in FORMAT_FIELDS}
    run = read_json(path / RUN) if (path / RUN).exists() else {}  # not every copy of a model carries it
    return Embeddings(
        vocabulary,
        matrix[:-1],
        provenance=provenance,
        run=run,
        path=path,
        subwords=_open_subwords(path, facts),
        training_state=_open_training_state(path),
    )


def _open_subwords(path: Path, facts: dict[str, Any]) -> Subwords | None:
    if "subwords" not in facts:
        return None
    sizes = facts["subwords"]
    if not isinstance(sizes, dict) or set(sizes) != set(NGRAMS):
        raise FormatError(f"subwords is {sizes!r}; expected {', '.join(NGRAMS)}", path / MARKER)
    buckets = safetensors.map_tensor(path / SUBWORDS, BUCKETS, "U32")
    vectors = safetensors.map_tensor(path / SUBWORDS, EMBEDDINGS, "F32")
    try:
        return Subwords(buckets, vectors, **sizes)
    except (FormatError, OptionError) as problem:
        raise FormatError(str(problem), path / SUBWORDS) from None


def _open_training_state(path: Path) -> TrainingState | None:
    if not (path / TRAINING).exists():
        return None
    return TrainingState(
        output=safetensors.map_tensor(path / TRAINING, OUTPUT, "F32"),
        random=safetensors.map_tensor(path / TRAINING, RANDOM, "U32"),
    )


def is_folder(path: str | Path) -> bool:
    """Whether a path is a finished model folder (it is not opened)."""
    path = Path(path)
    return not _is_unfinished(path) and (path / MARKER).is_file()


def refuse_other_folder(path: Path) -> None:
    """Raises `FormatError` that says what a folder is, if it is not a model."""
    _refuse_unfinished(path)
    if (path / MARKER).is_file():
        return
    for marker, what in OTHER_FOLDERS.items():
        if (path / marker).is_file():
            raise FormatError(what, path)
    if (path / TENSORS).is_file():
        raise FormatError(f"a model of another tool (it has no {MARKER}); export it from there as word2vec text", path)
    raise FormatError(f"not a model folder (it has no {MARKER}); name a model folder or a vector file", path)


def _is_unfinished(path: str | Path) -> bool:
    return is_partial(path) or Path(path).name.endswith(".training")


def _refuse_unfinished(path: str | Path) -> None:
    if Path(path).name.endswith(".training"):
        raise FormatError("this is where a training keeps its checkpoints, not a model; let it finish", path)
    if is_partial(path):
        raise FormatError("a model that was never finished; it cannot be opened", path)
