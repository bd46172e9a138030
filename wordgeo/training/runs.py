"""From a source, text or encoded, to one trained model or an ensemble of runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.files import check_output
from wordgeo.formats import load, save
from wordgeo.formats.ensemble import ENSEMBLE_MARKER, run_name
from wordgeo.formats.folder import MARKER
from wordgeo.progress import Progress
from wordgeo.training.checkpoints import Checkpoints, check_every
from wordgeo.training.config import ENCODING_OPTIONS, TrainingConfig, check_option
from wordgeo.training.continuation import check_start, next_config, refuse_state
from wordgeo.training.ensembles import make_runs
from wordgeo.training.executors import BACKENDS, Backend, Processes
from wordgeo.training.native import OnEpoch
from wordgeo.training.resample import Resample
from wordgeo.training.trainers import train_embeddings
from wordgeo.training.worker import Plan
from wordgeo.validate import choice

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
    resample: str | Resample = "none",
    fix_seed: bool = False,
    resample_vocabulary: bool = False,
    workers: int = 1,
    backend: str | Backend = "processes",
    overwrite: bool = False,
    start_from: Embeddings | str | Path | None = None,
    keep_training_state: bool = False,
    checkpoint_every: int | str | None = None,
    resume: bool = False,
    memory: str | int | None = None,
    on_epoch: OnEpoch | None = None,
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

    `resample` gives each run another sample: "shuffle", all documents in random order, or "bootstrap", as many
    documents drawn with replacement (`document_order`; run i draws with its seed). `fix_seed` trains all runs with
    `config.seed`, so that they differ by their sample alone. Words and counts are those of the whole corpus, unless
    `resample_vocabulary` counts them anew in each sample.

    The runs of an ensemble are made in `OUTPUT.training` until all are there: a training that was cut off goes on
    where the same call is made again. With `overwrite`, runs of the same options, corpus, seed and versions that stand
    in the folder are kept, so that an ensemble grows by asking for more runs. `workers` runs are made at a time: one in
    this process, or several each in its own (with one thread each where `threads` is not set) by the `backend`
    "processes", or "ray". A worker that dies has its run made again.

    `start_from` is a model (or its folder) whose training goes on, and `keep_training_state` keeps what that needs, see
    `train_embeddings`. Unset, `config` is then the options of that model.

    With `checkpoint_every` a checkpoint is kept in the folder `OUTPUT.training` after so many epochs ('never': none),
    until the model is saved. `resume` goes on from there, or begins anew where there is none: the bytes are those of a
    training that was never killed. `memory` is what counting for GloVe and PPMI may take, such as "4G". The native
    engine calls `on_epoch` with the number of each epoch that ended, from 1, and its record in `run`; what it raises
    ends the training.

    Returns the `Embeddings` (a list of them for `runs > 1`), mapped from `output` where that is given.

    Raises what `train_embeddings` raises, `OptionError`, `OutputError`, and what encoding the text raises.
    """
    runs = check_option("runs", runs)
    workers = check_option("workers", workers)
    start = load(start_from) if isinstance(start_from, (str, Path)) else start_from
    config = config or (TrainingConfig() if start is None else next_config(start))
    if start is not None:
        check_start(start, config)
        if runs > 1:
            raise OptionError(f"runs is {runs}, but a training goes on once; start_from needs runs=1")
    if keep_training_state:
        refuse_state(config)
    how = resample.how if isinstance(resample, Resample) else check_option("resample", resample)
    if runs == 1 and fix_seed:
        raise OptionError("fix_seed holds the seed of several runs; give runs=2 or more (--runs)")
    if how == "none" and (fix_seed or resample_vocabulary):
        name = "fix_seed" if fix_seed else "resample_vocabulary"
        raise OptionError(f"{name} has a meaning for resampled runs alone; give resample='bootstrap' (--resample)")
    if config.algorithm == "ppmi" and runs > 1 and how != "bootstrap":
        raise OptionError("ppmi draws nothing, so its runs would be equal; give resample='bootstrap' (--resample)")
    if config.seed + runs - 1 > MOST_SEED:
        raise OptionError(f"seed is {config.seed}; for {runs} runs give a number from 0 to {MOST_SEED - runs + 1}")
    encoding = {name: value for name, value in encoding.items() if value is not None}
    for name, value in encoding.items():
        check_option(name, value)
        if name not in ENCODING_OPTIONS:
            raise OptionError(f"{name} is an option of training; put it into the TrainingConfig")
    if workers > 1 and (output is None or runs == 1):
        raise OptionError(f"workers is {workers}, which is for several runs with an output; leave it out")
    if isinstance(backend, str):
        backend = BACKENDS[choice("backend", backend, tuple(BACKENDS))]()
    if output is not None:
        check_output(output, marker=MARKER if runs == 1 else ENSEMBLE_MARKER, overwrite=overwrite)
    checkpoints = _checkpoints(output, runs, check_every(checkpoint_every), resume, overwrite)
    corpus = _encoded(source, encoding, config, progress)
    if (workers > 1 or not isinstance(backend, Processes)) and config.threads is None:
        config = dataclasses.replace(config, threads=1)
    if isinstance(resample, Resample) and runs > 1:
        raise OptionError("a Resample is one sample; for several runs name how they are to be drawn")
    plan = Plan(
        str(corpus.path.absolute()),
        corpus.fingerprint,
        config,
        resample=how,
        fix_seed=fix_seed,
        resample_vocabulary=resample_vocabulary,
        keep_training_state=keep_training_state,
        memory=memory,
    )
    options: dict[str, Any] = {"keep_training_state": keep_training_state, "memory": memory, "progress": progress}
    if output is not None and runs > 1:
        how_made: dict[str, Any] = {"workers": workers, "backend": backend, "overwrite": overwrite}
        make_runs(plan, runs, output, corpus=corpus, progress=progress, **how_made)
        return [load(Path(output) / run_name(i)) for i in range(1, runs + 1)]
    trained = []
    for i in range(1, runs + 1):
        sample = resample if isinstance(resample, Resample) else plan.resample_of(i)
        where: dict[str, Any] = {
            "start_from": start,
            "resample": sample,
            "checkpoints": checkpoints,
            "on_epoch": on_epoch,
        }
        trained.append(train_embeddings(corpus, plan.config_of(i), **where, **options))
    if output is None:
        return trained if runs > 1 else trained[0]
    save(trained[0], output, overwrite=overwrite, run=trained[0].run)
    if checkpoints is not None:
        checkpoints.remove()
    return load(output)


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
