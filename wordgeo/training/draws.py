"""Streams of random numbers: the key of each, so that no two trainings share one."""

from __future__ import annotations

import hashlib

__all__ = ["stream_key"]


def stream_key(*names: int | str) -> int:
    """The 64-bit key of the stream of draws (see draws.h) that has this name: a seed, what it is for, an epoch, ...

    >>> stream_key(1, "words", 0) == stream_key(1, "words", 0), stream_key(1, "words", 0) == stream_key(10, "words")
    (True, False)
    """
    name = "\0".join(f"{type(part).__name__} {part}" for part in names)
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
