"""The runs of an ensemble on disk: found where they are finished, made where they are missing, then put together."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wordgeo.corpus import EncodedCorpus
from wordgeo.errors import OutputError
from wordgeo.files import atomic_folder, write_json
from wordgeo.formats import load
from wordgeo.formats.ensemble import ENSEMBLE_MARKER, run_name, write_manifest
from wordgeo.progress import Progress, resolve_progress
from wordgeo.training.executors import Backend, Processes
from wordgeo.training.worker import Plan, make_run

__all__ = ["make_runs"]

logger = logging.getLogger(__name__)

PLAN = "plan.json"


def make_runs(
    plan: Plan,
    runs: int,
    output: str | Path,
    *,
    corpus: EncodedCorpus,
    workers: int,
    backend: Backend,
    overwrite: bool,
    progress: Progress | bool | None,
) -> None:
    """Makes the runs 1, 2, ... of a plan and writes the ensemble's folder, whole or not at all.

    They are made in OUTPUT.training, which stays where this is cut off, and whose finished runs are not made again.
    """
    output = Path(output)
    work = output.with_name(output.name + ".training")
    if work.exists() and not (work / PLAN).is_file():
        raise OutputError(f"{work} is not what a training left; move it, or choose another name for {output}")
    folders = {i: work / run_name(i) for i in range(1, runs + 1)}
    missing = []
    for i, folder in folders.items():
        before = output / run_name(i)
        if overwrite and plan.is_made(i, before, same_bytes=True):
            folders[i] = before
        elif not plan.is_made(i, folder):
            missing.append((i, folder))
    if len(missing) < runs:
        logger.warning("%d of %d runs are there already and are not made again", runs - len(missing), runs)
    work.mkdir(parents=True, exist_ok=True)
    write_json(work / PLAN, plan.to_dict())
    try:
        if workers == 1 and isinstance(backend, Processes):
            for i, folder in missing:
                make_run(plan, i, folder, corpus=corpus, progress=progress)
        elif missing:
            _make_elsewhere(backend, work, missing, workers, progress)
    except BaseException:
        if not any(plan.is_made(i, folder) for i, folder in folders.items()):
            shutil.rmtree(work, ignore_errors=True)
        else:
            logger.warning("finished runs are kept in %s; the same command goes on from there", work)
        raise
    _put_together(list(folders.values()), output, overwrite)
    shutil.rmtree(work, ignore_errors=True)


def _make_elsewhere(
    backend: Backend, work: Path, missing: Sequence[tuple[int, Path]], workers: int, progress: Any
) -> None:
    shown = resolve_progress(progress)
    shown.start(f"training {len(missing)} runs", len(missing), "runs")
    try:
        backend.run(work / PLAN, missing, workers, lambda i: shown.advance(1, f"run {i} is done"))
    finally:
        shown.finish()


def _put_together(folders: Sequence[Path], output: Path, overwrite: bool) -> None:
    with atomic_folder(output, marker=ENSEMBLE_MARKER, overwrite=overwrite) as folder:
        for i, made in enumerate(folders, start=1):
            shutil.copytree(made, folder / run_name(i), copy_function=_link)
        write_manifest(folder, [load(made).provenance for made in folders])


def _link(source: str, target: str) -> None:
    """The same file under a second name, or a copy where the file system has no such thing: no run is ever lost."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
