"""The manifest of an ensemble's folder: which runs it has, and what they share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wordgeo.errors import FormatError
from wordgeo.files import is_partial, read_json, recover, write_json

__all__ = ["ENSEMBLE_FORMAT_VERSION", "ENSEMBLE_MARKER", "read_manifest", "run_name", "write_manifest"]

ENSEMBLE_MARKER = "ensemble.json"
ENSEMBLE_FORMAT_VERSION = 1
RUN_NAME = re.compile(r"run-[0-9]{3,9}", re.ASCII)


def run_name(i: int) -> str:
    """The folder of run i, counted from 1."""
    return f"run-{i:03}"


def write_manifest(folder: Path, provenances: Sequence[Mapping[str, Any]]) -> None:
    """Writes `ensemble.json` for the runs 1, 2, ... with these provenances, which differ by seed and sample alone."""
    runs: list[dict[str, Any]] = []
    for i, provenance in enumerate(provenances, start=1):
        runs.append({"folder": run_name(i), "seed": provenance["seed"]})
        if "resample" in provenance:
            runs[-1]["resample"] = {name: provenance["resample"][name] for name in ("seed", "absent")}
    shared = {name: value for name, value in provenances[0].items() if name != "seed"}
    if "resample" in shared:
        shared["resample"] = {name: shared["resample"][name] for name in ("how", "unit", "vocabulary")}
    write_json(folder / ENSEMBLE_MARKER, {"format_version": ENSEMBLE_FORMAT_VERSION, "runs": runs, **shared})


def read_manifest(path: str | Path) -> dict[str, Any]:
    """The manifest of an ensemble's folder: `runs` is a list of {"folder", "seed"}, the rest is what they share.

    Raises `FormatError` for whatever is not as `write_manifest` writes it; `NotFoundError` where there is none.
    """
    path = Path(path)
    recover(path)
    if is_partial(path):
        raise FormatError("an ensemble that was never finished; it cannot be opened", path)
    if path.is_dir() and not (path / ENSEMBLE_MARKER).is_file():
        raise FormatError(f"not an ensemble (it has no {ENSEMBLE_MARKER})", path)
    manifest = read_json(path / ENSEMBLE_MARKER)
    place, version, runs = path / ENSEMBLE_MARKER, manifest.get("format_version"), manifest.get("runs")
    if type(version) is not int or version < 1:
        raise FormatError(f"format_version is {version!r}; expected {ENSEMBLE_FORMAT_VERSION}", place)
    if version > ENSEMBLE_FORMAT_VERSION:
        raise FormatError(
            f"written in ensemble format {version}; this wordgeo reads up to {ENSEMBLE_FORMAT_VERSION}: "
            "install a newer wordgeo",
            place,
        )
    if not isinstance(runs, list) or not runs:
        raise FormatError("it names no runs", place)
    names = [run.get("folder") if isinstance(run, dict) else None for run in runs]
    for name in names:  # nothing that leads out of the folder
        if not isinstance(name, str) or not RUN_NAME.fullmatch(name):
            raise FormatError(f"{name!r} is not the folder of a run, such as {run_name(1)}", place)
        if names.count(name) > 1:
            raise FormatError(f"it names {name} twice", place)
    return manifest
