"""What a training keeps to go on after it was killed: one checkpoint, whole or not at all, with checksums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wordgeo.errors import FormatError, OptionError, OutputError
from wordgeo.files import atomic_folder, check_output, read_json, recover, write_json
from wordgeo.validate import whole_number

__all__ = ["Checkpoint", "Checkpoints", "check_every"]

logger = logging.getLogger(__name__)

FORMAT, MARKER = "wordgeo checkpoint 1", "training.json"
NEVER = "never"
CHECKED_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Checkpoint:
    """A training after `epoch` epochs: its arrays by name, and the facts (plain JSON values) beside them."""

    epoch: int
    arrays: dict[str, np.ndarray]
    facts: dict[str, Any]


def check_every(value: int | str | None) -> int | None:
    """`checkpoint_every` as a number of epochs; None for 'never'. Raises `OptionError`."""
    if value is None or value == NEVER:
        return None
    if isinstance(value, str):
        if not value.isdecimal():
            raise OptionError(f"checkpoint_every is {value!r}; give a number of epochs, or never")
        value = int(value)
    return whole_number("checkpoint_every", value, low=1, high=1_000_000)


class Checkpoints:
    """The checkpoint of the training that writes `output`, in the folder `OUTPUT.training`.

    `known` are the facts that a training has to share with the checkpoint that it goes on from (options, seed,
    corpus, ...): plain JSON values. Where `every` is None nothing is kept, though `resume` still goes on from one.
    """

    def __init__(self, output: str | Path, *, every: int | None, resume: bool, overwrite: bool = False) -> None:
        output = Path(output)
        self.folder = output.with_name(f"{output.name}.training")
        self.every, self.resume = every, resume
        recover(self.folder)
        if not resume and not overwrite and every is not None and self.folder.exists():
            raise OutputError(
                f"{self.folder} holds a training that was not finished; go on with it (--resume), "
                "or replace it (--overwrite)"
            )

    def latest(self, known: Mapping[str, Any]) -> Checkpoint | None:
        """The checkpoint to go on from; None without `resume`, or where the training was killed before the first.

        Raises `FormatError` for a damaged one (each array has a checksum), `OptionError` for one of another training.
        """
        if not self.resume:
            return None
        if not self.folder.exists():
            logger.warning("%s does not exist, so the training begins anew", self.folder)
            return None
        facts = read_json(self.folder / MARKER)
        if facts.get("format") != FORMAT or _digest(_described(facts)) != facts.get("checksum"):
            raise FormatError("not a checkpoint, or a damaged one; train without --resume", self.folder / MARKER)
        for name, value in _plain(known).items():
            if facts["known"].get(name) != value:
                raise OptionError(
                    f"{self.folder} is of another training: {name} was {facts['known'].get(name)!r} and is {value!r}; "
                    "train with the options of before, or without --resume"
                )
        arrays = {name: self._array(name, checksum) for name, checksum in facts["arrays"].items()}
        logger.info("going on after epoch %d, from %s", facts["epoch"], self.folder)
        return Checkpoint(facts["epoch"], arrays, facts["facts"])

    def due(self, epoch: int) -> bool:
        """Whether one is to be kept after `epoch` epochs."""
        return self.every is not None and epoch % self.every == 0

    def save(self, checkpoint: Checkpoint, known: Mapping[str, Any]) -> None:
        """Takes the place of the checkpoint before, in one step. Raises `OutputError`."""
        with atomic_folder(self.folder, marker=MARKER, overwrite=True) as folder:
            checksums = {}
            for name, array in checkpoint.arrays.items():
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
                checksums[name] = _checksum(array)
            facts = {
                "format": FORMAT,
                "epoch": checkpoint.epoch,
                "known": _plain(known),
                "facts": _plain(checkpoint.facts),
                "arrays": checksums,
            }
            write_json(folder / MARKER, {**facts, "checksum": _digest(_described(facts))})

    def remove(self) -> None:
        """The training is done, and its model is saved: neither the checkpoint stays nor what a kill left of one."""
        if (self.folder / MARKER).is_file():
            shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OutputError):
            check_output(self.folder, marker=MARKER, overwrite=True)

    def _array(self, name: str, checksum: str) -> np.ndarray:
        path = self.folder / f"{name}.npy"
        try:
            array = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise FormatError("the checkpoint is damaged; train without --resume", path) from None
        if _checksum(array) != checksum:
            raise FormatError("the checkpoint is damaged (its checksum is another); train without --resume", path)
        return array


def _checksum(array: np.ndarray) -> str:
    digest = hashlib.blake2b(f"{array.dtype.str} {array.shape}".encode(), digest_size=16)
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    for begin in range(0, len(flat), CHECKED_AT_ONCE):
        digest.update(flat[begin : begin + CHECKED_AT_ONCE].data)
    return digest.hexdigest()


def _described(facts: Mapping[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in facts.items() if name != "checksum"}, sort_keys=True).encode()


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As they come back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values)))
    return plain
