"""Co-occurrence counts on disk: compressed sparse rows in whole numbers, written row by row and opened by mapping."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo.corpus.encoded import NPY_HEADER_BYTES, npy_header
from wordgeo.errors import FormatError, NotFoundError
from wordgeo.files import is_partial, read_json, recover
from wordgeo.results import Result, Table
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["MARKER", "Counts", "RowsWriter", "open_rows"]

FORMAT, MARKER, VOCABULARY = "wordgeo counts 1", "counts.json", "vocabulary"
ROWS, COLUMNS, SUMS = "rows.npy", "columns.npy", "sums.npy"
DTYPES = {ROWS: "<u8", COLUMNS: "<u4", SUMS: "<u8"}

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]


class Counts(Result):
    """How often words stand near each other: a sparse matrix of exact sums, mapped read-only.

    Attributes
    ----------
    path : the folder
    vocabulary : the words, with their counts in the corpus; row i and column i are word i
    rows : uint64 [words + 1]; row i has the columns and sums rows[i]:rows[i + 1]
    columns : uint32 [entries], ascending within a row
    sums : uint64 [entries]; the count is sums / unit
    unit : what a count of 1 is in `sums`
    symmetric : then only columns up to the row are there, and the others are their mirror image
    info : what `counts.json` holds: `fingerprint`, `options`, `exact` (whether all weights are whole parts of `unit`),
        and `corpus`, the facts of the corpus
    """

    def __init__(
        self, path: Path, vocabulary: Vocabulary, rows: U64, columns: U32, sums: U64, info: dict[str, Any]
    ) -> None:
        self.path, self.vocabulary, self.info = path, vocabulary, info
        self.rows, self.columns, self.sums = rows, columns, sums
        self.unit: int = info["unit"]
        self.symmetric: bool = info["options"]["sides"] == "both"
        self.fingerprint: str = info["fingerprint"]

    @classmethod
    def open(cls, path: str | Path) -> Counts:
        """Maps the folder. Raises `NotFoundError`, or `FormatError` for one that does not hold counts."""
        path = Path(path)
        recover(path)
        if not (path / MARKER).is_file() or is_partial(path):
            if not path.exists():
                raise NotFoundError(f"{path} does not exist")
            raise FormatError(f"not a folder of counts (it has no {MARKER})", path)
        info = read_json(path / MARKER)
        words, entries = info.get("words"), info.get("entries")
        if info.get("format") != FORMAT or not isinstance(words, int) or not isinstance(entries, int):
            raise FormatError("not counts of this version of wordgeo, or damaged", path / MARKER)
        try:
            vocabulary = Vocabulary.open(path / VOCABULARY)
        except FileNotFoundError:
            raise FormatError("it has no vocabulary; it is damaged", path) from None
        rows, columns, sums = open_rows(path, words, entries)
        if len(vocabulary) != words:
            raise FormatError(f"the vocabulary is not the one of {words} words; it is damaged", path)
        return cls(path, vocabulary, rows, columns, sums, info)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __getitem__(self, pair: tuple[str, str]) -> float:
        """The count of a word and a context. Raises `UnknownWordError`."""
        row, column = (self.vocabulary.index(word) for word in pair)
        if self.symmetric and column > row:
            row, column = column, row
        begin, end = int(self.rows[row]), int(self.rows[row + 1])
        at = begin + int(np.searchsorted(self.columns[begin:end], column))
        return int(self.sums[at]) / self.unit if at < end and self.columns[at] == column else 0.0

    @property
    def entries(self) -> int:
        """How many pairs of a word and a context occur (both directions, where they are symmetric)."""
        if not self.symmetric:
            return len(self.columns)
        ends = self.rows[1:][self.rows[1:] > self.rows[:-1]] - np.uint64(1)
        words = np.flatnonzero(self.rows[1:] > self.rows[:-1])
        return 2 * len(self.columns) - int(np.count_nonzero(self.columns[ends] == words))

    def to_scipy(self) -> csr_array:
        """The whole matrix as float64 [words, words]."""
        from scipy.sparse import csr_array, tril

        shape, index = (len(self), len(self)), np.int32 if self.entries < 2**31 else np.int64
        stored = csr_array((self.sums / self.unit, self.columns.astype(index), self.rows.astype(index)), shape)
        return csr_array(stored + tril(stored, -1).T) if self.symmetric else stored

    def to_dict(self) -> dict[str, Any]:
        """What `counts.json` holds, and where that is."""
        return {"path": str(self.path), "pairs": self.entries, **self.info}

    def tables(self) -> list[Table]:
        """One row for each fact."""
        facts = self.to_dict()
        shown = {**facts.pop("options"), **{f"corpus.{name}": value for name, value in facts.pop("corpus").items()}}
        return [Table(("counts", "value"), [(name, str(value)) for name, value in {**facts, **shown}.items()])]

    def __repr__(self) -> str:
        return f"<Counts: {self.entries} pairs of {len(self)} words from {self.path}>"


class RowsWriter:
    """Writes rows of a sparse matrix one after another. `OSError` where that cannot be."""

    def __init__(self, folder: Path, words: int) -> None:
        self._folder, self._ends = folder, np.zeros(words + 1, dtype=np.uint64)
        self._row = 0
        self._columns, self._sums = ((folder / name).open("wb") for name in (COLUMNS, SUMS))
        for file in (self._columns, self._sums):
            file.write(bytes(NPY_HEADER_BYTES))

    def append(self, lengths: U32, columns: U32, sums: U64) -> None:
        """The next rows: how long each is, and their columns and sums end to end."""
        begin, end = self._row, self._row + len(lengths)
        self._ends[begin + 1 : end + 1] = self._ends[begin] + np.cumsum(lengths, dtype=np.uint64)
        self._row = end
        self._columns.write(np.ascontiguousarray(columns).data)
        self._sums.write(np.ascontiguousarray(sums).data)

    def finish(self) -> int:
        """Closes the files; returns how many entries they have."""
        entries = int(self._ends[-1])
        for name, file in ((COLUMNS, self._columns), (SUMS, self._sums)):
            file.seek(0)
            file.write(npy_header(DTYPES[name], entries))
            file.close()
        np.save(self._folder / ROWS, self._ends)
        return entries

    def close(self) -> None:
        """Lets go of the files, finished or not."""
        self._columns.close()
        self._sums.close()


def open_rows(folder: Path, words: int, entries: int) -> tuple[U64, U32, U64]:
    """Maps what `RowsWriter` wrote. Raises `FormatError`."""
    lengths = {ROWS: words + 1, COLUMNS: entries, SUMS: entries}
    rows, columns, sums = (_mapped(folder / name, DTYPES[name], length) for name, length in lengths.items())
    if int(rows[0]) != 0 or int(rows[-1]) != entries or (rows[1:] < rows[:-1]).any():
        raise FormatError("the ends of the rows run backwards; it is damaged", folder / ROWS)
    return rows, columns, sums


def _mapped(path: Path, dtype: str, length: int) -> np.ndarray:
    try:
        # An empty array cannot be mapped.
        array = np.load(path, mmap_mode="r" if length else None, allow_pickle=False)
    except FileNotFoundError:
        raise FormatError("the file is missing; the counts are damaged", path) from None
    except (ValueError, EOFError) as problem:
        raise FormatError(f"not an array ({problem}); the counts are damaged", path) from None
    if array.dtype.str != dtype or array.shape != (length,):
        raise FormatError(f"not an array of {length} numbers of type {dtype}; the counts are damaged", path)
    return array


def row_blocks(bounds: Iterable[int], most: int, work: npt.NDArray[np.uint64], most_work: int) -> list[tuple[int, int]]:
    """Cuts rows 0, 1, ... into blocks of at most `most` entries and `most_work` work, or of one row."""
    entries = np.concatenate([[0], np.cumsum(np.asarray(bounds, dtype=np.uint64))])
    effort = np.concatenate([[0], np.cumsum(work)])
    blocks, begin, rows = [], 0, len(entries) - 1
    while begin < rows:
        end = min(
            int(np.searchsorted(entries, entries[begin] + most, side="right")) - 1,
            int(np.searchsorted(effort, effort[begin] + most_work, side="right")) - 1,
        )
        end = max(end, begin + 1)
        blocks.append((begin, end))
        begin = end
    return blocks
