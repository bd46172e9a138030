"""Slow twins of the trainers' compiled loops, in NumPy: what they compute, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["train_block"]

F32 = npt.NDArray[np.float32]


def train_block(words: F32, contexts: F32, dim: int, examples: npt.NDArray[Any], rate: float, clip: float) -> float:
    """GloVe on the examples of a block, in their order, in place; see adagrad.h. The sum of the losses."""
    stride = words.shape[1] // 2
    loss = 0.0
    for row, column, log_count, weight in examples.tolist():
        (w, ws), (c, cs) = (
            (record[: dim + 1], record[stride : stride + dim + 1]) for record in (words[row], contexts[column])
        )
        diff = np.dot(w[:dim], c[:dim]) + w[dim] + c[dim] - np.float32(log_count)
        g = np.float32(weight) * diff
        loss += 0.5 * float(g) * float(diff)
        of_w, of_c = np.append(c[:dim], np.float32(1)), np.append(w[:dim], np.float32(1))
        for value, squares, other in ((w, ws, of_w), (c, cs, of_c)):
            step = np.float32(rate) * np.clip(g * other, -np.float32(clip), np.float32(clip))
            value -= step / np.sqrt(squares)
            squares += step * step
    return loss
