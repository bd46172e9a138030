"""The int8 copy of a model's vectors as a file in its folder: mapped by all processes, checked before it is used."""

from __future__ import annotations

import hashlib
import logging
import struct
import zlib

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.files import atomic_file

__all__ = ["FILE", "read_kept", "write_kept"]

log = logging.getLogger(__name__)

FILE = "int8.cache"
MAGIC = b"wgint8v3"
HEADER = struct.Struct("<8s16sQQI")  # magic, fingerprint of the vectors, bytes of codes, rows, CRC-32 of what follows
START = 64

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float32]]


def read_kept(embeddings: Embeddings, code_bytes: int, rows: int) -> Arrays | None:
    """Codes, scales and errors of the kept copy, mapped; None where there is none that fits these vectors."""
    if embeddings.path is None or not (embeddings.path / FILE).is_file():
        return None
    path = embeddings.path / FILE
    size = START + code_bytes + 8 * rows
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
        wanted = HEADER.pack(MAGIC, _fingerprint(embeddings), code_bytes, rows, zlib.crc32(data[START:].data))
        if len(data) != size or bytes(data[: HEADER.size]) != wanted:
            raise ValueError("it belongs to other vectors or is damaged")
    except (OSError, ValueError) as problem:
        log.warning("%s is not used (%s); the copy is made anew", path, problem)
        return None
    floats = data[START + code_bytes :].view(np.float32)
    return np.asarray(data[START : START + code_bytes]), np.asarray(floats[:rows]), np.asarray(floats[rows:])


def write_kept(embeddings: Embeddings, *arrays: npt.NDArray[np.generic]) -> None:
    """Writes the copy into the model's folder. Raises `OptionError` without one, `OutputError` on a failure."""
    if embeddings.path is None or not embeddings.path.is_dir():
        raise OptionError("the model has no folder to keep the copy in; save it and load it from there")
    codes, scales, _ = arrays
    check = 0
    for array in arrays:
        check = zlib.crc32(array.data, check)
    with atomic_file(embeddings.path / FILE, overwrite=True) as file:
        file.write(HEADER.pack(MAGIC, _fingerprint(embeddings), codes.nbytes, len(scales), check).ljust(START, b"\0"))
        for array in arrays:
            file.write(array.data)


def _fingerprint(embeddings: Embeddings) -> bytes:
    """16 bytes that change with any vector: its norm does, and all norms are at hand when the copy is asked for."""
    digest = hashlib.blake2b(struct.pack("<QQ", *embeddings.vectors.shape), digest_size=16)
    digest.update(embeddings.norms.data)
    return digest.digest()
