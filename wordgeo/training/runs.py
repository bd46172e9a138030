"""From a source, text or encoded, to one trained model or an ensemble of runs that differ by their seed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.files import atomic_folder, check_output
from wordgeo.formats import load, save
from wordgeo.formats.ensemble import ENSEMBLE_MARKER, run_name, write_manifest
from wordgeo.formats.folder import MARKER
from wordgeo.progress import Progress
from wordgeo.training.checkpoints import Checkpoints, check_every
from wordgeo.training.config import ENCODING_OPTIONS, TrainingConfig, check_option
from wordgeo.training.continuation import check_start, next_config, refuse_state
from wordgeo.training.trainers import train_embeddings

if TYPE_CHECKING:
    from wordgeo.corpus import Documents, EncodedCorpus

__all__ = ["train"]

MOST_SEED = 2**32 - 1


def train(
    source: str | Path | list[str | Path] | EncodedCorpus | Documents,
    config: TrainingConfig | None = None,
    *,
    output: str | Path | None = None,
    runs: int = 1,
    overwrite: bool = False,
    start_from: Embeddings | str | Path | None = None,
    keep_training_state: bool = False,
    checkpoint_every: int | str | None = None,
    resume: bool = False,
    memory: str | int | None = None,
    progress: Progress | bool | None = None,
    **encoding: Any,
) -> Embeddings | list[Embeddings]:
    """Trains `config` on text (paths or `Documents`) or an encoded corpus (its folder, or opened).

    Text is encoded first, with the options of `wordgeo.corpus.encode` given as `encoding` (`tokens`, `case`,
    `documents`, ...; None leaves the default), and kept in the cache. An encoded corpus has its own: other ones raise
    `OptionError`.

    With `output` the model is saved there: a model folder or, for `runs > 1`, a folder `run-001`, `run-002`, ... with
    `ensemble.json`. It appears whole or not at all, and what prevents it from being written is raised before training
    begins. Run i has seed `config.seed + i - 1`; its bytes are those of a single run with that seed.

    `start_from` is a model (or its folder) whose training goes on, and `keep_training_state` keeps what that needs, see
    `train_embeddings`. Unset, `config` is then the options of that model.

    With `checkpoint_every` a checkpoint is kept in the folder `OUTPUT.training` after so many epochs ('never': none),
    until the model is saved. `resume` goes on from there, or begins anew where there is none: the bytes are those of a
    training that was never killed. `memory` is what counting for GloVe and PPMI may take, such as "4G".

    Returns the `Embeddings` (a list of them for `runs > 1`), mapped from `output` where that is given.

    Raises what `train_embeddings` raises, `OptionError`, `OutputError`, and what encoding the text raises.
    """
    runs = check_option("runs", runs)
    start = load(start_from) if isinstance(start_from, (str, Path)) else start_from
    config = config or (TrainingConfig() if start is None else next_config(start))
    if start is not None:
        check_start(start, config)
        if runs > 1:
            raise OptionError(f"runs is {runs}, but a training goes on once; start_from needs runs=1")
    if keep_training_state:
        refuse_state(config)
    if config.seed + runs - 1 > MOST_SEED:
        raise OptionError(f"seed is {config.seed}; for {runs} runs give a number from 0 to {MOST_SEED - runs + 1}")
    encoding = {name: value for name, value in encoding.items() if value is not None}
    for name, value in encoding.items():
        check_option(name, value)
        if name not in ENCODING_OPTIONS:
            raise OptionError(f"{name} is an option of training; put it into the TrainingConfig")
    if output is not None:
        check_output(output, marker=MARKER if runs == 1 else ENSEMBLE_MARKER, overwrite=overwrite)
    checkpoints = _checkpoints(output, runs, check_every(checkpoint_every), resume, overwrite)
    corpus = _encoded(source, encoding, config, progress)
    options: dict[str, Any] = {
        "start_from": start,
        "keep_training_state": keep_training_state,
        "checkpoints": checkpoints,
        "memory": memory,
        "progress": progress,
    }
    configs = [dataclasses.replace(config, seed=config.seed + i) for i in range(runs)]
    if output is None:
        trained = [train_embeddings(corpus, each, **options) for each in configs]
        return trained if runs > 1 else trained[0]
    if runs == 1:
        model = train_embeddings(corpus, config, **options)
        save(model, output, overwrite=overwrite, run=model.run)
        if checkpoints is not None:
            checkpoints.remove()
        return load(output)
    with atomic_folder(output, marker=ENSEMBLE_MARKER, overwrite=overwrite) as folder:
        provenances = []
        for i, each in enumerate(configs, start=1):
            model = train_embeddings(corpus, each, **options)
            save(model, folder / run_name(i), run=model.run)
            provenances.append(model.provenance)
        write_manifest(folder, provenances)
    return [load(Path(output) / run_name(i)) for i in range(1, runs + 1)]


def _checkpoints(
    output: str | Path | None, runs: int, every: int | None, resume: bool, overwrite: bool
) -> Checkpoints | None:
    if every is None and not resume:
        return None
    if output is None or runs > 1:
        raise OptionError("checkpoint_every and resume are for one run that is saved; give an output, and runs=1")
    return Checkpoints(output, every=every, resume=resume, overwrite=overwrite)


def _encoded(source: Any, encoding: dict[str, Any], config: TrainingConfig, progress: Any) -> EncodedCorpus:
    from wordgeo.corpus import EncodedCorpus, encode_cached
    from wordgeo.corpus.settings import recorded_and_given

    if isinstance(source, (list, tuple)):
        if len(source) > 1:
            for path in source:
                if EncodedCorpus.is_one(path):
                    raise OptionError(f"{path} is an encoded corpus and has to stand alone; encode all texts together")
        elif source:
            source = source[0]
    if isinstance(source, (str, Path)) and EncodedCorpus.is_one(source):
        source = EncodedCorpus.open(source)
    if not isinstance(source, EncodedCorpus):
        return encode_cached(source, threads=config.threads, progress=progress, **encoding)
    for name, value in encoding.items():
        try:
            recorded, now = recorded_and_given(source.info, name, value)
        except KeyError:
            raise OptionError(
                f"{name} says how text is read, but {source.path} is encoded already; leave {name} out"
            ) from None
        if recorded != now:
            raise OptionError(
                f"{name} is {value!r}, but {source.path} was encoded with {name} {recorded!r}; "
                f"leave {name} out or encode the text again"
            )
    return source
