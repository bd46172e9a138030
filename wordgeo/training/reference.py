"""Slow twins of the trainers' compiled loops, in NumPy: what they compute, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Window", "draw", "plan_windows", "train_block", "train_windows"]

F32 = npt.NDArray[np.float32]


def train_block(
    words: F32, contexts: F32, dim: int, examples: npt.NDArray[Any], rate: float, bias_rate: float, clip: float
) -> float:
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
        rates = np.append(np.full(dim, rate), bias_rate).astype(np.float32)
        of_w, of_c = np.append(c[:dim], np.float32(1)), np.append(w[:dim], np.float32(1))
        for value, squares, other in ((w, ws, of_w), (c, cs, of_c)):
            step = rates * np.clip(g * other, -np.float32(clip), np.float32(clip))
            value -= step / np.sqrt(squares)
            squares += step * step
    return loss


M64 = 2**64 - 1


def mixed(x: int) -> int:
    """The finalizer of SplitMix64; see draws.h."""
    x = x + 0x9E3779B97F4A7C15 & M64
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & M64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & M64
    return x ^ x >> 31


def draw(key: int, i: int) -> int:
    """Draw i of a stream, 64 bits; see draws.h."""
    return mixed(mixed(key) ^ (i * 0xD1342543DE82EF95 & M64))


@dataclass
class Window:
    """A word (its row), the rows around it, and for each of its tasks the rows that are noise."""

    word: int
    near: list[int]
    noise: list[list[int]]


def plan_windows(
    sentences: list[tuple[int, list[int]]],
    keep: npt.NDArray[np.uint32],
    table: npt.NDArray[np.uint64],
    key: int,
    *,
    window: int,
    negative: int,
    share: int,
    sets: int,
    shrink: bool,
    cbow: bool,
    streams: int,
) -> list[Window]:
    """The windows of sentences, each with its place in the walk and the rows of its words (-1: not trained); sgns.h."""
    width = sets * negative + 1

    def drawn_rows(first: int) -> list[int]:
        rows = []
        for j in range(negative):
            drawn = draw(key, first + j)
            slot = (drawn >> 32) * len(table) >> 32
            stays = drawn & 2**32 - 1 < int(table[slot]) & 2**32 - 1
            rows.append(slot if stays else int(table[slot]) >> 32)
        return list(dict.fromkeys(rows))

    words = []
    for place, rows in sentences:
        kept = []
        for i, row in enumerate(rows):
            drawn = draw(key, (place + i) * width)
            if row >= 0 and int(keep[row]) >= drawn >> 32:
                reach = window - ((drawn & 2**32 - 1) * window >> 32 if shrink else 0)
                kept.append((row, (place + i) * width + 1, reach))
        for i, (row, first, reach) in enumerate(kept):
            near = [other for other, *_ in kept[max(0, i - reach) : i] + kept[i + 1 : i + 1 + reach]]
            words.append((row, first, near))
    length = -(-len(words) // streams)
    order = [i for j in range(length) for i in range(j, len(words), length)] if cbow else range(len(words))
    windows = []
    for i in order:
        row, first, near = words[i]
        tasks = min(1, len(near)) if cbow else -(-len(near) // share)
        first = words[i % length][1] if cbow else first
        noise = [
            [other for other in drawn_rows(first + number * negative) if other != row]
            for number in range(min(tasks, sets))
        ]
        windows.append(Window(row, near, [noise[t % sets] for t in range(tasks)]))
    return windows


def train_windows(
    vectors: F32, outputs: F32, windows: list[Window], alpha: float, *, cbow: bool, mean: bool, group: int, targets: int
) -> float:
    """Skip-gram or CBOW on windows in their order, in place, `group` tasks at once; see sgns.h. The sum of the losses.

    With more than `targets` - 1 noise words a task comes in several, of at most `targets` targets each: which noise
    words these have is decided before those that are the word itself are left out, so callers keep to fewer.
    """
    tasks = []
    for one in windows:
        for t, noise in enumerate(one.noise):
            begin, end = len(one.near) * t // len(one.noise), len(one.near) * (t + 1) // len(one.noise)
            assert len(noise) < targets
            tasks.append((one.near[begin:end], [one.word, *noise]))
    loss = 0.0
    for at in range(0, len(tasks), group):
        steps = []
        for near, rows in tasks[at : at + group]:
            x = vectors[near]
            if cbow:
                x = x.sum(axis=0, keepdims=True) * np.float32(1 / len(near) if mean else 1)
            f = (outputs[rows] @ x.T).astype(np.float64)
            labels = np.zeros_like(f)
            labels[0] = 1
            f = np.clip(f, -30, 30)
            loss += float(np.log1p(np.exp(np.where(labels, -f, f))).sum())
            steps.append((x, (np.float32(alpha) * (labels - 1 / (1 + np.exp(-f)))).astype(np.float32)))
        for (near, rows), (x, step) in zip(tasks[at : at + group], steps, strict=True):
            if cbow:
                moved = step[:, 0] @ outputs[rows] * np.float32(1 if mean else 1 / len(near))
                _add(outputs, rows, step * x)
                _add(vectors, near, np.broadcast_to(moved, (len(near), len(moved))))
            else:
                _move(vectors, outputs, near, rows, step)
    return loss


def _move(vectors: F32, outputs: F32, near: list[int], rows: list[int], step: F32) -> None:
    """Both sides by the rows of the other as they were."""
    new = outputs[rows].copy()
    for i, row in enumerate(near):
        x = vectors[row].copy()
        vectors[row] = x + step[:, i] @ outputs[rows]
        new += step[:, i : i + 1] * x
    for row, moved in zip(rows, new, strict=True):
        outputs[row] = moved


def _add(matrix: F32, rows: list[int], values: F32) -> None:
    for row, value in zip(rows, values, strict=True):
        matrix[row] += value
