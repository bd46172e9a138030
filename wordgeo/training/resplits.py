"""Pairs of models between which nothing changed: the documents of two corpora pooled, and split again at random."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordgeo.embeddings import Embeddings
from wordgeo.errors import CorpusError, OptionError, TrainingError
from wordgeo.files import cache_folder, write_json
from wordgeo.formats import load
from wordgeo.formats.ensemble import run_name
from wordgeo.progress import Progress, resolve_progress
from wordgeo.training.config import TrainingConfig
from wordgeo.training.executors import BACKENDS, Backend, Processes
from wordgeo.training.reproduction import config_of
from wordgeo.training.worker import Plan, make_run
from wordgeo.validate import whole_number

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["splits_of_models", "train_splits"]

Pair = tuple[Embeddings, Embeddings]


def splits_of_models(
    a: Embeddings,
    b: Embeddings,
    corpora: tuple[EncodedCorpus | str | Path, EncodedCorpus | str | Path],
    *,
    resplits: int,
    **options: Any,
) -> tuple[Pair, list[Pair]]:
    """`train_splits` with the options in the provenances of two models, whose corpora these have to be."""
    from wordgeo.corpus import EncodedCorpus

    resplits = whole_number("resplits", resplits, 1, 10_000)
    opened = [EncodedCorpus.open(each) if isinstance(each, (str, Path)) else each for each in corpora]
    for model, corpus in zip((a, b), opened, strict=True):
        made = (model.provenance.get("corpus") or {}).get("fingerprint")
        if made != corpus.fingerprint:
            raise CorpusError(
                f"{corpus.path} is not the corpus of {model.path or 'the model'}: its fingerprint is "
                f"{corpus.fingerprint}, the model's is {made}"
            )
        if "resample" in model.provenance:
            raise TrainingError("a model of a resample has no null; give models of whole corpora")
    configs = [config_of(model.provenance) for model in (a, b)]
    if dataclasses.replace(configs[1], seed=configs[0].seed) != configs[0]:
        raise OptionError("the two models were trained with other options, which alone makes them differ; train alike")
    first, second = opened
    return train_splits(first, second, configs[0], resplits=resplits, second_seed=configs[1].seed, **options)


def train_splits(
    first: EncodedCorpus,
    second: EncodedCorpus,
    config: TrainingConfig,
    *,
    resplits: int,
    second_seed: int | None = None,
    workers: int = 1,
    backend: str | Backend = "processes",
    progress: Progress | bool | None = None,
) -> tuple[Pair, list[Pair]]:
    """Models of the two corpora, and of `resplits` random splits of their documents into parts of the same sizes.

    All are trained in the same way: `config`, each pair's second model with `second_seed` (unset: the same seed), words
    counted in each part. The bytes of the first pair are those of trainings on the corpora themselves. Models are kept
    in the cache, so that a call that was cut off goes on, and one that asks for more re-splits adds to them.
    """
    from wordgeo.corpus.pooling import pool

    sizes = [len(each.documents) - 1 for each in (first, second)]
    if min(sizes) < 2:
        raise CorpusError(
            f"the corpora have {sizes[0]} and {sizes[1]} documents; a null re-splits documents, so encode them with "
            "their documents apart (a blank line between two, or --documents line)"
        )
    pooled = pool(first, second)
    if isinstance(backend, str):
        backend = BACKENDS[backend]()
    plan = Plan(str(pooled.path), pooled.fingerprint, config, splits=sizes[0], second_seed=second_seed)
    known = json.dumps(plan.to_dict(), sort_keys=True)
    folder = cache_folder("splits") / hashlib.blake2b(known.encode(), digest_size=16).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "plan.json", plan.to_dict())
    runs = [(i, folder / run_name(i)) for i in range(1, 2 * resplits + 3)]
    missing = [(i, path) for i, path in runs if not plan.is_made(i, path)]
    shown: Any = resolve_progress(progress)
    shown.start(f"training {len(missing)} models of splits", len(missing), "models")
    try:
        if workers == 1 and isinstance(backend, Processes):
            for i, path in missing:
                make_run(plan, i, path, corpus=pooled)
                shown.advance(1)
        elif missing:
            backend.run(folder / "plan.json", missing, workers, lambda i: shown.advance(1))
    finally:
        shown.finish()
    models = [load(path) for _, path in runs]
    pairs = list(zip(models[::2], models[1::2], strict=True))
    return pairs[0], pairs[1:]
