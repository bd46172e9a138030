"""The strict reader of safetensors headers, against the hostile and against the reference package."""

import json
import struct

import numpy as np
import pytest

from wordgeo.errors import FormatError, NotFoundError
from wordgeo.formats import safetensors


def file_with(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


GOOD = {"embeddings": entry([2, 3], 0, 24)}
TWICE = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "too few"),
        (b"\0" * 7, "too few"),
        (file_with(b"", length=0), "claims 0 bytes"),
        (file_with(GOOD, bytes(24), length=10_000), "claims 10000 bytes"),
        (file_with(GOOD, bytes(24), length=2**64 - 1), "claims 18446744073709551615 bytes"),
        (file_with(GOOD, bytes(24), length=2**63), "claims 9223372036854775808 bytes"),
        (file_with(b"[" * 100_000), "not valid JSON"),
        (file_with(b'{"a":' * 100_000), "not valid JSON"),
        (file_with(b'{"a":' + b"9" * 10_000 + b"}"), "not valid JSON"),
        (file_with(b"\xff\xfe{}"), "not valid JSON"),
        (file_with(b" " * ((1 << 20) + 1)), "are read"),
        (file_with(TWICE, bytes(4)), "a key stands twice"),
        (file_with([1]), "not a JSON object"),
        (file_with({"embeddings": 3}), "needs dtype"),
        (file_with({"embeddings": entry([2, 3], 0, 24) | {"more": 1}}, bytes(24)), "nothing else"),
        (file_with({"embeddings": entry([2, 3], 0, 24, "F31")}, bytes(24)), "unknown dtype"),
        (file_with({"embeddings": entry([2, 3], 0, 24, ["F32"])}, bytes(24)), "unknown dtype"),
        (file_with({"embeddings": entry([2, 3], 0, 12, "F16")}, bytes(12)), "dtype F16; F32"),
        (file_with({"embeddings": entry([2, 3], 0, 48, "F64")}, bytes(48)), "dtype F64; F32"),
        (file_with({"other": entry([2, 3], 0, 24)}, bytes(24)), "no tensor 'embeddings'"),
        (file_with({}), "no tensor"),
        (file_with({"embeddings": entry([-1, 3], 0, 24)}, bytes(24)), "shape that is none"),
        (file_with({"embeddings": entry([True, 6], 0, 24)}, bytes(24)), "shape that is none"),
        (file_with({"embeddings": entry([2.0, 3], 0, 24)}, bytes(24)), "shape that is none"),
        (file_with({"embeddings": entry("23", 0, 24)}, bytes(24)), "shape that is none"),
        (file_with({"embeddings": entry([1] * 9, 0, 4)}, bytes(4)), "shape that is none"),
        (file_with({"embeddings": entry([2**64, 1], 0, 0)}), "shape that is none"),
        (file_with({"embeddings": entry([2**32, 2**32], 0, 0)}), "does not take"),
        (file_with({"embeddings": entry([2**62, 4], 0, 0)}), "does not take"),
        (file_with({"embeddings": entry([4194305, 4194305, 211106198978564], 0, 16)}, bytes(16)), "does not take"),
        (file_with({"embeddings": entry([0, 2**62], 0, 4)}, bytes(4)), "does not take"),
        (file_with({"embeddings": entry([2, 3], 24, 0)}, bytes(24)), "does not take"),
        (file_with({"embeddings": entry([2, 3], -24, 0)}, bytes(24)), "data_offsets that are none"),
        (
            file_with({"embeddings": {**GOOD["embeddings"], "data_offsets": [0]}}, bytes(24)),
            "data_offsets that are none",
        ),
        (file_with({"embeddings": entry([2, 3], 0, 24), "b": entry([1], 20, 24)}, bytes(24)), "overlap"),
        (file_with({"embeddings": entry([2, 3], 4, 28)}, bytes(28)), "hole"),
        (file_with({"embeddings": entry([2, 3], 0, 24), "b": entry([1], 28, 32)}, bytes(32)), "hole"),
        (file_with(GOOD, bytes(23)), "damaged"),
        (file_with(GOOD, bytes(25)), "damaged"),
        (file_with(GOOD, bytes(24) + b"PK\x05\x06" + bytes(18)), "damaged"),
        (file_with(json.dumps(GOOD).encode() + b" " * (1 - len(json.dumps(GOOD)) % 4), bytes(24)), "not aligned"),
    ],
)
def test_hostile_files(tmp_path, content, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        safetensors.map_tensor(path, "embeddings", "F32")
    assert len(str(caught.value)) < 400 + len(str(path))


def test_many_tensors_are_no_trouble(tmp_path):
    header = {f"t{i}": entry([1], 4 * i, 4 * i + 4) for i in range(10_000)}
    path = tmp_path / "many"
    path.write_bytes(file_with(header, bytes(40_000)))
    assert len(safetensors.read_header(path)) == 10_000
    header = {f"t{i}": entry([1], 4 * i, 4 * i + 4) for i in range(100_000)}
    path.write_bytes(file_with(header, bytes(400_000)))
    with pytest.raises(FormatError, match="are read"):
        safetensors.read_header(path)


def test_missing_and_special_files(tmp_path):
    with pytest.raises(NotFoundError):
        safetensors.read_header(tmp_path / "none")
    with pytest.raises(FormatError, match="regular file"):
        safetensors.read_header(tmp_path)


def test_the_reference_package_reads_what_is_written_and_the_other_way_round(tmp_path):
    from safetensors.numpy import load_file, save_file

    first, second = np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((1, 3), dtype=np.float32)
    counts = np.array([2**63, 5], dtype=np.uint64)
    ours = tmp_path / "ours"
    safetensors.write(ours, {"embeddings": [first, second], "counts": [counts]})
    read = load_file(ours)
    np.testing.assert_array_equal(read["embeddings"], np.vstack([first, second]))
    np.testing.assert_array_equal(read["counts"], counts)
    assert safetensors.read_header(ours)["embeddings"].begin % 64 == 0
    theirs = tmp_path / "theirs"
    save_file({"embeddings": first, "empty": np.zeros((0, 3), dtype=np.float32)}, theirs, {"format": "np"})
    np.testing.assert_array_equal(safetensors.map_tensor(theirs, "embeddings", "F32"), first)
    assert safetensors.map_tensor(theirs, "empty", "F32").shape == (0, 3)
