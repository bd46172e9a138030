"""Slow twins of the trainers' compiled loops, in NumPy: what they compute, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Block", "draw", "plan_blocks", "train_block", "train_blocks"]

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
class Block:
    """Inputs (the rows of each, by their places in the text), their targets, and the noise of all."""

    inputs: list[dict[int, int]]
    targets: list[list[int]]
    noise: list[int]


def plan_blocks(
    sentences: list[tuple[int, list[int]]],
    keep: npt.NDArray[np.uint32],
    sums: npt.NDArray[np.uint32],
    key: int,
    noise_key: int,
    *,
    window: int,
    noises: int,
    shrink: bool,
    cbow: bool,
    streams: int,
    most: int,
) -> list[Block]:
    """The blocks of a chunk of sentences, each with its place in the walk and the rows of its words (-1: not trained).

    `streams` words are trained side by side, and an input has at most `most` targets; see sgns.h.
    """
    words: list[tuple[int, int, int]] = []  # the row, and the first and last word of the window
    for place, rows in sentences:
        kept = []
        for i, row in enumerate(rows):
            drawn = draw(key, place + i)
            if row >= 0 and int(keep[row]) >= drawn >> 32:
                kept.append((row, window - ((drawn & 2**32 - 1) * window >> 32 if shrink else 0)))
        begun, last = len(words), len(words) + len(kept) - 1
        words += [(row, max(begun, begun + i - r), min(last, begun + i + r)) for i, (row, r) in enumerate(kept)]

    def inputs_of(i: int) -> list[tuple[dict[int, int], list[int]]]:
        row, first, last = words[i]
        if cbow:
            around = {j: words[j][0] for j in range(first, last + 1) if j != i}
            return [(around, [row])] if around else []
        near = range(max(0, i - window), min(len(words), i + window + 1))
        found = [words[j][0] for j in near if j != i and words[j][1] <= i <= words[j][2]]
        return [({i: row}, found[k : k + most]) for k in range(0, len(found), most)]

    length = -(-len(words) // streams)
    each = [
        [one for i in range(s, min(s + length, len(words))) for one in inputs_of(i)]
        for s in range(0, len(words), max(1, length))
    ]
    blocks = []
    for b in range(max(map(len, each), default=0)):
        drawn_from = [
            (j << 32 | draw(noise_key, (sentences[0][0] + b % length) * noises + j) >> 32) // noises
            for j in range(noises)
        ]
        noise = [int(np.searchsorted(sums, place * int(sums[-1]) >> 32, side="right")) for place in drawn_from]
        here = [stream[b] for stream in each if b < len(stream)]
        blocks.append(Block([rows for rows, _ in here], [targets for _, targets in here], noise))
    return blocks


def train_blocks(
    vectors: F32, outputs: F32, blocks: list[Block], alpha: float, *, negative: int, cbow: bool, mean: bool
) -> float:
    """Skip-gram or CBOW on blocks in their order, in place; see sgns.h. The sum of the losses."""
    loss, rate = 0.0, np.float32(alpha)
    x: list[Any] = []
    for b, block in enumerate(blocks):
        noise = list(dict.fromkeys(block.noise))
        times = np.array([block.noise.count(row) for row in noise])
        if b == 0 or not cbow:
            x = [_mean(vectors, list(rows.values()), mean) for rows in block.inputs]
        of_targets = [outputs[rows] @ one for rows, one in zip(block.targets, x, strict=True)]
        of_noise = np.array(x) @ outputs[noise].T
        pairs = [[len(rows) - rows.count(row) for row in noise] for rows in block.targets]
        weights = np.array(pairs) * times * negative / len(block.noise)
        loss += sum(float(np.log1p(np.exp(-f.astype(np.float64))).sum()) for f in of_targets)
        loss += float((weights * np.log1p(np.exp(of_noise.astype(np.float64)))).sum())
        steps = (-alpha * weights / (1 + np.exp(-of_noise.astype(np.float64)))).astype(np.float32)
        moved = np.zeros_like(x)
        before = outputs[noise]
        for i, rows in enumerate(block.targets):
            for row, f in zip(rows, of_targets[i].tolist(), strict=True):
                step = rate * np.float32(1 - 1 / (1 + np.exp(-f)))
                moved[i] += step * outputs[row]
                outputs[row] += step * x[i]
        moved += steps @ (before if cbow else outputs[noise])
        outputs[noise] += steps.T @ np.array(x)
        if not cbow:
            for (row,), one in zip(map(dict.values, block.inputs), moved, strict=True):
                vectors[row] += one
            continue
        later = blocks[b + 1].inputs if b + 1 < len(blocks) else []
        for i, now in enumerate(block.inputs):
            then = later[i] if i < len(later) else {}
            step = moved[i] if mean else moved[i] * np.float32(1 / len(now))
            found = [np.zeros_like(step)]
            for places in (now.keys() - then, now.keys() & then, then.keys() - now):
                for place in sorted(places):
                    row = now[place] if place in now else then[place]
                    if place in now:
                        vectors[row] += step
                    if place in then:
                        found.append(vectors[row].copy())
            moved[i] = np.sum(found, axis=0) * np.float32(1 / len(then) if mean and then else 1)
        x = list(moved[: len(later)])
    return loss


def _mean(vectors: F32, rows: list[int], mean: bool) -> F32:
    return vectors[rows].sum(axis=0) * np.float32(1 / len(rows) if mean else 1)
