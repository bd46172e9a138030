"""Vectors of character n-grams, from which FastText puts together the vector of a word that it has never seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wordgeo.errors import FormatError
from wordgeo.validate import whole_number

__all__ = ["MOST_BUCKETS", "Subwords", "ngram_buckets"]

MOST_BUCKETS = 2**31 - 1
FNV_OFFSET, FNV_PRIME = 2166136261, 16777619


class Subwords:
    """The vectors of n-gram buckets: `buckets` (uint32 [rows], ascending) are the numbers of the `vectors` [rows, d].

    Only those buckets are kept that some word of the vocabulary uses; all others were never trained.

    Reference: Bojanowski, Grave, Joulin & Mikolov 2017.
    """

    def __init__(
        self,
        buckets: npt.NDArray[np.uint32],
        vectors: npt.NDArray[np.float32],
        *,
        min_n: int,
        max_n: int,
        bucket: int,
    ) -> None:
        self.min_n = whole_number("min_n", min_n, 1, 1_000)
        self.max_n = whole_number("max_n", max_n, self.min_n, 1_000)
        self.bucket = whole_number("bucket", bucket, 1, MOST_BUCKETS)
        if buckets.ndim != 1 or vectors.ndim != 2 or len(buckets) != len(vectors):
            raise FormatError(f"{len(buckets)} n-gram buckets but {len(vectors)} vectors; give one for each bucket")
        if len(buckets) and (int(buckets[-1]) >= bucket or (buckets[1:] <= buckets[:-1]).any()):
            raise FormatError(f"the numbers of the n-gram buckets do not ascend from 0 to {bucket - 1}")
        self.buckets = buckets
        self.vectors = vectors.view()
        self.vectors.flags.writeable = False

    def __len__(self) -> int:
        return len(self.buckets)

    def compose(self, word: str) -> npt.NDArray[np.float32] | None:
        """The mean of the vectors of the word's n-grams, float32 [d]; None where no bucket of them is kept.

        n-grams whose bucket is not kept are left out of the mean: what stood in such a bucket was the noise with
        which training began. Where all are kept, the bytes are those of gensim.
        """
        try:
            asked = np.array(ngram_buckets(word, self.min_n, self.max_n, self.bucket), dtype=np.uint32)
        except UnicodeEncodeError:  # a lone surrogate, which no text has
            return None
        at = np.searchsorted(self.buckets, asked)
        rows = at[(at < len(self)) & (self.buckets[np.minimum(at, len(self) - 1)] == asked)] if len(self) else at[:0]
        if not len(rows):
            return None
        total = np.zeros(self.vectors.shape[1], dtype=np.float32)
        for row in rows.tolist():  # one after another: another order of the sum has other bytes
            total += self.vectors[row]
        return total / np.float32(len(rows))


def ngram_buckets(word: str, min_n: int, max_n: int, bucket: int) -> list[int]:
    """The bucket of each n-gram of `<word>`, from the left, short ones first: FastText's FNV-1a hash modulo `bucket`.

    n-grams are counted in characters and hashed as UTF-8; bytes above 127 are hashed as negative numbers, as in
    FastText, whose hash takes them for signed. `<` and `>` alone are no n-grams.

    >>> ngram_buckets("of", 3, 4, 2_000_000)
    [997102, 1164528, 728930]
    """
    text = f"<{word}>"
    found = []
    for begin in range(len(text)):
        for end in range(begin + min_n, min(begin + max_n, len(text)) + 1):
            if end - begin > 1 or 0 < begin < len(text) - 1:
                found.append(_hash(text[begin:end].encode()) % bucket)
    return found


def _hash(data: bytes) -> int:
    value = FNV_OFFSET
    for byte in data:
        signed = byte | 0xFFFFFF00 if byte & 0x80 else byte
        value = (value ^ signed) * FNV_PRIME & 0xFFFFFFFF
    return value
