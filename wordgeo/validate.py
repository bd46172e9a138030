"""Checks of what callers pass, made once at the door so that the kernels need none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wordgeo.errors import OptionError

__all__ = ["choice", "float_rows", "number", "row_numbers", "whole_number"]


def whole_number(name: str, value: object, low: int, high: int | None = None) -> int:
    """`value` as an int within [low, high], else an `OptionError` that names the option."""
    allowed = f"of {low} or more" if high is None else f"from {low} to {high}"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise OptionError(f"{name} is {value!r}; give a whole number {allowed}")
    if value < low or (high is not None and value > high):
        raise OptionError(f"{name} is {value}; give a whole number {allowed}")
    return int(value)


def number(name: str, value: object, low: float, high: float = math.inf) -> float:
    """`value` as a finite float within [low, high], else an `OptionError` that names the option."""
    good = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type,operator]
        allowed = f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"
        raise OptionError(f"{name} is {value!r}; give a number {allowed}")
    return float(value)  # type: ignore[arg-type]


def choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """`value` if it is among `allowed`, else an `OptionError` that lists them."""
    if value not in allowed:
        raise OptionError(f"{name} is {value!r}; choose one of {', '.join(allowed)}")
    return value


def row_numbers(name: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """`value` as C-contiguous int64 of that shape (-1: any length)."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu" and array.size:
        raise OptionError(f"{name} has elements of type {array.dtype}; give the numbers of rows")
    wanted = tuple(array.shape[i] if size < 0 else size for i, size in enumerate(shape[: array.ndim]))
    if array.shape != wanted or array.ndim != len(shape):
        shown = ", ".join("any" if size < 0 else str(size) for size in shape)
        raise OptionError(f"{name} has shape {array.shape}; give [{shown}]")
    return np.ascontiguousarray(array, dtype=np.int64)


def float_rows(name: str, value: npt.ArrayLike, dimensions: int | None = None) -> npt.NDArray[np.float32]:
    """`value` as a C-contiguous float32 matrix of finite numbers, copied only where it is not one already."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise OptionError(f"{name} has rows of different lengths; give as many numbers in each") from None
    if array.dtype.kind not in "fiu":
        raise OptionError(f"{name} has elements of type {array.dtype}; give real numbers")
    if array.ndim != 2:
        raise OptionError(f"{name} has shape {array.shape}; give one row for each vector")
    if dimensions is not None and array.shape[1] != dimensions:
        raise OptionError(f"{name} has {array.shape[1]} columns; the model has {dimensions} dimensions")
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(array, dtype=np.float32)
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise OptionError(f"{name}: row {int(np.argmin(finite))} has a number that is NaN, infinite or beyond float32")
    return rows
