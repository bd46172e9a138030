"""The MODEL argument: a model folder, a file of vectors, or an ensemble's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wordgeo.query import WordVectors
    from wordgeo.stability import Ensemble

__all__ = ["load_any", "load_each", "load_one"]


def load_any(path: str) -> WordVectors | Ensemble:
    """The model at `path`, or the ensemble, for questions that both answer."""
    import wordgeo as wg

    return wg.load(path)


def load_one(path: str) -> WordVectors:
    """The model at `path`. Raises `OptionError` for an ensemble, which is several."""
    import wordgeo as wg
    from wordgeo.errors import OptionError

    model = wg.load(path)
    if isinstance(model, wg.Ensemble):
        raise OptionError(f"{path} is an ensemble of {len(model)} models; name one of them, such as {model[0].path}")
    return model


def load_each(path: str) -> list[tuple[str, WordVectors]]:
    """Name and model for a single model, or for each of an ensemble."""
    import wordgeo as wg

    model = wg.load(path)
    return [(str(one.path), one) for one in model] if isinstance(model, wg.Ensemble) else [(path, model)]
