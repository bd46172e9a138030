"""One run of an ensemble: a pure function of a plan and an index that writes its own folder, in whatever process.

`python -m wordgeo.training.worker PLAN.json INDEX FOLDER` makes run INDEX (from 1) of a plan, so that a run can be made
by any process, on any machine that sees the corpus and the folder, and made again after a death with the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wordgeo._version import __version__
from wordgeo.errors import CorpusError, WordgeoError
from wordgeo.files import read_json
from wordgeo.formats import is_model, load, save
from wordgeo.progress import Progress
from wordgeo.system import package_versions
from wordgeo.threads import resolve_threads
from wordgeo.training.config import TrainingConfig
from wordgeo.training.resample import Resample
from wordgeo.training.trainers import train_embeddings

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["Plan", "make_run"]


@dataclass(frozen=True)
class Plan:
    """What each run of an ensemble is to be: all that it depends on, beside its number i (from 1).

    Run i has the seed `config.seed` + i - 1, or with `fix_seed` that seed itself, and its resample that of the same
    number. With `splits`, runs are no resamples but pairs of parts: runs 1 and 2 the two parts as they lie in the
    corpus (the first `splits` documents, and the rest), runs 3 and 4 those of a first random split, and so on; then the
    seeds are `config.seed` and `second_seed` in turn.
    """

    corpus: str
    fingerprint: str
    config: TrainingConfig
    resample: str = "none"
    fix_seed: bool = False
    resample_vocabulary: bool = False
    splits: int | None = None
    second_seed: int | None = None
    keep_training_state: bool = False
    memory: str | int | None = None

    @classmethod
    def read(cls, path: str | Path) -> Plan:
        """From the file that `to_dict` was written to."""
        known = read_json(path)
        return cls(**{**known, "config": TrainingConfig(**known["config"])})

    def to_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return dataclasses.asdict(self)

    def config_of(self, i: int) -> TrainingConfig:
        """The options of run i."""
        if self.splits is not None:
            seed = self.config.seed if i % 2 or self.second_seed is None else self.second_seed
            return dataclasses.replace(self.config, seed=seed)
        if self.fix_seed:
            return self.config
        return dataclasses.replace(self.config, seed=self.config.seed + i - 1)

    def resample_of(self, i: int) -> Resample | None:
        """The sample of the corpus that run i is trained on; None for the corpus itself."""
        if self.splits is not None:
            return Resample("split", (i - 1) // 2, vocabulary=True, part=(i - 1) % 2, first=self.splits)
        if self.resample == "none":
            return None
        return Resample(self.resample, self.config.seed + i - 1, self.resample_vocabulary)

    def is_made(self, i: int, folder: Path, *, same_bytes: bool = False) -> bool:
        """Whether `folder` holds run i, finished, of this plan and these versions; damaged ones do not count.

        `same_bytes` asks that making it again would give the same bytes: several threads do not.
        """
        if not is_model(folder):
            return False
        try:
            model = load(folder)
        except WordgeoError:
            return False
        known = model.provenance
        config, resample = self.config_of(i), self.resample_of(i)
        versions = {"wordgeo": __version__, "python": platform.python_version(), **package_versions()}
        return (
            known.get("algorithm") == config.algorithm
            and (config.engine == "auto" or known.get("engine") == config.engine)
            and known.get("parameters") == json.loads(json.dumps(config.parameters()))
            and (known.get("seed"), known.get("threads")) == (config.seed, resolve_threads(config.threads))
            and known.get("corpus", {}).get("fingerprint") == self.fingerprint
            and Resample.of(known) == resample
            and all(versions.get(name) == version for name, version in known.get("versions", {}).items())
            and (model.training_state is not None) == self.keep_training_state
            and (not same_bytes or known.get("reproducible") is True)
        )


def make_run(
    plan: Plan,
    i: int,
    folder: Path,
    *,
    corpus: EncodedCorpus | None = None,
    progress: Progress | bool | None = None,
) -> None:
    """Trains run i and writes its folder, whole or not at all; what stands there is replaced."""
    from wordgeo.corpus import EncodedCorpus

    corpus = corpus or EncodedCorpus.open(plan.corpus)
    if corpus.fingerprint != plan.fingerprint:
        raise CorpusError(f"{corpus.path} changed while the ensemble was trained; begin again")
    model = train_embeddings(
        corpus,
        plan.config_of(i),
        resample=plan.resample_of(i),
        keep_training_state=plan.keep_training_state,
        memory=plan.memory,
        progress=progress,
    )
    save(model, folder, overwrite=True, run=model.run)


def main(plan: str, i: str, folder: str) -> int:
    """One run in a process of its own; the exit code, and an error as one line on standard error."""
    try:
        make_run(Plan.read(plan), int(i), Path(folder))
    except WordgeoError as problem:
        print(problem, file=sys.stderr)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
