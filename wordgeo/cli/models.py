"""The MODEL argument: a model folder, a file of vectors, an ensemble's folder, or the address of a served model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordgeo.client import RemoteModel
    from wordgeo.query import WordVectors
    from wordgeo.stability import Ensemble

__all__ = ["ask_any", "ask_one", "load_each", "load_one"]

KEY_VARIABLE = "WORDGEO_API_KEY"


def ask_any(path: str, *, skip_damaged: bool = False) -> WordVectors | Ensemble | RemoteModel:
    """The model to ask, as `ask_one`, or the ensemble, for questions that both answer.

    `skip_damaged` leaves out runs of an ensemble that are damaged. Raises `OptionError` for it where there are no runs.
    """
    if skip_damaged:
        return _open_sound(path)
    if _is_address(path):
        return ask_one(path)
    import wordgeo as wg

    return wg.load(path)


def _open_sound(path: str) -> Ensemble:
    import wordgeo as wg
    from wordgeo.errors import OptionError

    if _is_address(path) or (Path(path).exists() and not wg.Ensemble.is_one(path)):
        raise OptionError(f"{path} is not an ensemble's folder, whose damaged runs --skip-damaged would leave out")
    return wg.Ensemble.open(path, skip_damaged=True)


def ask_one(path: str) -> WordVectors | RemoteModel:
    """The model to ask: as `load_one`, or of a service where `path` is an address such as http://host:8080/wiki.

    A service that demands a key is shown the one in the environment variable WORDGEO_API_KEY.
    """
    if not _is_address(path):
        return load_one(path)
    from wordgeo.client import connect

    return connect(path, api_key=os.environ.get(KEY_VARIABLE))


def _is_address(path: str) -> bool:
    return path.startswith(("http://", "https://"))


def load_one(path: str) -> WordVectors:
    """The model at `path`. Raises `OptionError` for an ensemble, which is several."""
    import wordgeo as wg
    from wordgeo.errors import OptionError

    model = wg.load(path)
    if isinstance(model, wg.Ensemble):
        raise OptionError(f"{path} is an ensemble of {len(model)} models; name one of them, such as {model[0].path}")
    return model


def load_each(path: str, *, skip_damaged: bool = False) -> list[tuple[str, WordVectors]]:
    """Name and model for a single model, or for each of an ensemble; `skip_damaged` is that of `ask_any`."""
    import wordgeo as wg

    model = _open_sound(path) if skip_damaged else wg.load(path)
    return [(str(one.path), one) for one in model] if isinstance(model, wg.Ensemble) else [(path, model)]
