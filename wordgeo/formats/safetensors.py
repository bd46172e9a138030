"""The safetensors format, as far as models need it: tensors written in pieces, and mapped without copying.

A file is the length of a header (8 bytes, little-endian), the header (JSON: name -> dtype, shape, data_offsets), and
the data of the tensors end to end. The header is padded with spaces so that the data starts at a multiple of 64 bytes.
Reading trusts nothing: every length, shape and offset is checked in unbounded integers before a byte is mapped.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wordgeo.errors import FormatError, NotFoundError

__all__ = ["Tensor", "map_tensor", "read_header", "write"]

ALIGNMENT = 64
MOST_HEADER_BYTES = 1 << 20
BLOCK_BYTES = 8 << 20
BITS = {
    **dict.fromkeys(["BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"], 8),
    **dict.fromkeys(["U16", "I16", "F16", "BF16"], 16),
    **dict.fromkeys(["U32", "I32", "F32"], 32),
    **dict.fromkeys(["U64", "I64", "F64"], 64),
}
DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "U32": np.dtype("<u4"),
    "U64": np.dtype("<u8"),
}


class Tensor(NamedTuple):
    """What the header says of one tensor; `begin` counts bytes from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int


def write(path: str | Path, tensors: Mapping[str, Sequence[npt.NDArray]]) -> None:
    """Writes tensors, each given as pieces that follow one another along the first axis.

    The pieces share dtype (float32, float64, uint32 or uint64) and all axes but the first. Nothing is copied but
    blocks of 8 MB, so a matrix and the zero row below it need no second matrix. The same tensors give the same bytes.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    header, at = {}, 0
    for name, pieces in tensors.items():
        dtype = pieces[0].dtype.newbyteorder("<")
        shape = [sum(len(piece) for piece in pieces), *pieces[0].shape[1:]]
        size = math.prod(shape) * dtype.itemsize
        header[name] = {"dtype": names[dtype], "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with Path(path).open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for pieces in tensors.values():
            for piece in pieces:
                rows = max(1, BLOCK_BYTES // max(1, math.prod(piece.shape[1:]) * piece.itemsize))
                for begin in range(0, len(piece), rows):
                    block = np.ascontiguousarray(piece[begin : begin + rows], dtype=piece.dtype.newbyteorder("<"))
                    file.write(block.data)


def read_header(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file by name. Raises `FormatError` unless they fill the data without holes or overlaps."""
    path = Path(path)
    if not path.is_file():
        if path.exists():
            raise FormatError("not a regular file", path)
        raise NotFoundError(f"{path} does not exist")
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        if size < 8:
            raise FormatError(f"{size} bytes are too few for a safetensors file; it is damaged", path)
        (length,) = struct.unpack("<Q", file.read(8))
        if length > size - 8:
            raise FormatError(f"the header claims {length} bytes, the file has {size}; it is cut off or damaged", path)
        if not 2 <= length <= MOST_HEADER_BYTES:
            raise FormatError(f"the header claims {length} bytes; 2 to {MOST_HEADER_BYTES} are read", path)
        text = file.read(length)
    return _tensors(_parse(text, path), 8 + length, size, path)


def map_tensor(path: str | Path, name: str, dtype: str) -> npt.NDArray:
    """One tensor, mapped read-only, without reading it. Raises `FormatError` if it is missing or of another dtype."""
    tensors = read_header(path)
    if name not in tensors:
        raise FormatError(f"there is no tensor '{name}' (there is: {', '.join(tensors) or 'none'})", path)
    tensor = tensors[name]
    if tensor.dtype != dtype:
        raise FormatError(f"tensor '{name}' has dtype {tensor.dtype}; {dtype} is read", path)
    if sys.byteorder != "little":
        raise FormatError("model files are little-endian and this machine is not", path)
    if not math.prod(tensor.shape):
        return np.zeros(tensor.shape, dtype=DTYPES[dtype])
    if tensor.begin % DTYPES[dtype].itemsize:
        raise FormatError(f"the data begins at byte {tensor.begin}, which is not aligned to its numbers", path)
    # A plain array on the map: views of np.memmap itself are slow to make.
    return np.asarray(np.memmap(path, dtype=DTYPES[dtype], mode="r", offset=tensor.begin, shape=tensor.shape))


def _parse(text: bytes, path: Path) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    try:
        header = json.loads(text.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"the header is not valid JSON ({problem})", path) from None
    if not isinstance(header, dict):
        raise FormatError("the header is not a JSON object", path)
    return header


def _tensors(header: dict[str, Any], data: int, size: int, path: Path) -> dict[str, Tensor]:
    """Checks the entries of a header against the bytes from `data` to `size`."""
    found, spans = {}, []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise FormatError(f"tensor {name!r} needs dtype, shape and data_offsets, and nothing else", path)
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in BITS:
            raise FormatError(f"tensor {name!r} has the unknown dtype {dtype!r}", path)
        if not _are_counts(shape) or len(shape) > 8:
            raise FormatError(f"tensor {name!r} has a shape that is none: {_short(shape)}", path)
        if not _are_counts(offsets) or len(offsets) != 2:
            raise FormatError(f"tensor {name!r} has data_offsets that are none: {_short(offsets)}", path)
        begin, end = offsets
        if end - begin != math.prod(shape) * BITS[dtype] // 8:
            raise FormatError(
                f"tensor {name!r}: shape {shape} of {dtype} does not take the {end - begin} bytes it is given", path
            )
        spans.append((begin, end))
        found[name] = Tensor(dtype, tuple(shape), data + begin)
    at = 0
    for begin, end in sorted(spans):
        if begin != at:
            raise FormatError(f"the tensors overlap or leave a hole at byte {min(at, begin)} of the data", path)
        at = end
    if data + at != size:
        raise FormatError(f"the tensors take {at} bytes and {size - data} follow the header; the file is damaged", path)
    return found


def _are_counts(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
