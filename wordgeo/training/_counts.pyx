"""Pairs of neighbouring words, counted in whole numbers. Every array is allocated by the caller; see counting.py.

A stream is a piece of the corpus as rows of the vocabulary: END stands between units (sentences or documents), HOLE
for a word that was left out and keeps its place. Rows are counted one after another: all places of a row, with the
words around each, are added up in an array of one number for each column, whose touched elements are remembered in
two levels of bits. So no pair is ever written down or sorted.
"""

from libc.stdint cimport uint32_t, uint64_t

cdef extern from "hints.h" nogil:
    void PREFETCH(const void *address)

cdef extern from "draws.h" nogil:
    uint64_t mixed(uint64_t x)

cdef extern from *:
    """
    static inline unsigned lowest_bit(uint64_t word) {
    #if defined(__GNUC__) || defined(__clang__)
        return (unsigned)__builtin_ctzll(word);
    #else
        unsigned bit = 0;
        while (!(word & 1)) { word >>= 1; bit++; }
        return bit;
    #endif
    }
    """
    unsigned lowest_bit(uint64_t word) nogil

cdef uint32_t c_end = 0xFFFFFFFF, c_hole = 0xFFFFFFFE
END, HOLE = c_end, c_hole
cdef Py_ssize_t AHEAD = 8


def gather(
    const uint32_t[::1] ids,           # IN, the whole corpus
    const uint64_t[::1] begins,        # IN [units], where the units to read begin, in the order of the walk
    const uint64_t[::1] ends,          # IN [units], and end
    uint64_t position,                 # how many tokens were walked before
    Py_ssize_t unit,                   # the unit to go on with
    uint64_t within,                   # how many of its tokens were walked
    const uint32_t[::1] row_of,        # IN [types], HOLE for words that are left out
    const uint64_t[::1] kept,          # IN [types], of 2^32 occurrences so many are kept
    bint holes,                        # what is left out keeps its place
    uint32_t[::1] stream,              # INOUT
    Py_ssize_t filled,                 # of the stream, on entry
    uint64_t[::1] counts,              # INOUT [rows], how often each row is in the stream
):
    """Fills the stream: (filled, position, unit, within) after what was read, or None at an id beyond `row_of`."""
    cdef uint64_t types = <uint64_t> row_of.shape[0]
    cdef Py_ssize_t at = filled, room = stream.shape[0] - 1, units = begins.shape[0]
    cdef uint32_t id, row
    cdef bint bad = False
    with nogil:
        while unit < units and at < room:
            if begins[unit] + within < ends[unit]:
                id = ids[begins[unit] + within]
                if id >= types:
                    bad = True
                    break
                row = row_of[id]
                if row != c_hole and kept[id] >> 32 == 0 and mixed(position) >> 32 >= kept[id]:
                    row = c_hole
                if row != c_hole:
                    counts[row] += 1
                if row != c_hole or holes:
                    stream[at] = row
                    at += 1
                position += 1
                within += 1
            if begins[unit] + within >= ends[unit]:
                unit += 1
                within = 0
                stream[at] = c_end
                at += 1
    return None if bad else (at, position, unit, within)


def place(
    const uint32_t[::1] stream,        # IN
    uint32_t first,                    # rows first..last - 1 are placed
    uint32_t last,
    uint64_t[::1] at,                  # INOUT [rows], where the next place of each row goes
    uint32_t[::1] places,              # OUT, the places of each row in the stream, ascending
):
    """Lists the places of some rows."""
    cdef Py_ssize_t i
    cdef uint32_t row
    with nogil:
        for i in range(stream.shape[0]):
            row = stream[i]
            if row < last and row >= first:
                places[at[row]] = <uint32_t> i
                at[row] += 1


cdef inline void add(uint64_t *sums, uint64_t *bits, uint64_t *summary, uint32_t column, uint64_t value) noexcept nogil:
    if sums[column] == 0:
        bits[column >> 6] |= <uint64_t> 1 << (column & 63)
        summary[column >> 12] |= <uint64_t> 1 << ((column >> 6) & 63)
    sums[column] += value


cdef inline Py_ssize_t drain(
    uint64_t *sums, uint64_t *bits, uint64_t *summary, Py_ssize_t words, uint32_t *columns, uint64_t *values
) noexcept nogil:
    """Writes what was added up, by ascending column, and leaves everything at zero; returns how much that is."""
    cdef Py_ssize_t s, b, found = 0
    cdef uint32_t column
    for s in range(words):
        while summary[s]:
            b = (s << 6) + lowest_bit(summary[s])
            summary[s] &= summary[s] - 1
            while bits[b]:
                column = <uint32_t> ((b << 6) + lowest_bit(bits[b]))
                bits[b] &= bits[b] - 1
                columns[found] = column
                values[found] = sums[column]
                sums[column] = 0
                found += 1
    return found


def count_rows(
    const uint32_t[::1] stream,        # IN
    Py_ssize_t halo,                   # a pair counts where its later word stands here or further on
    const uint64_t[::1] starts,        # IN [rows + 1], into `places`
    const uint32_t[::1] places,        # IN
    Py_ssize_t first,                  # rows first..last - 1 are counted
    Py_ssize_t last,
    const uint64_t[::1] weights,       # IN [window + 1], weights[d] is what a pair d apart counts
    bint left,                         # whether the words before a word are its context
    bint right,                        # whether those after it are
    bint triangle,                     # only columns up to the row are counted
    uint64_t[::1] sums,                # scratch [columns], zero on entry and on return
    uint64_t[::1] bits,                # scratch [columns / 64, rounded up], the same
    uint64_t[::1] summary,             # scratch [columns / 4096, rounded up], the same
    uint32_t[::1] columns,             # OUT
    uint64_t[::1] values,              # OUT
    uint32_t[::1] lengths,             # OUT [last - first]
):
    """Counts some rows; returns how many columns they have together."""
    cdef Py_ssize_t row, q, p, k, end, size = stream.shape[0], window = weights.shape[0] - 1, found = 0, more
    cdef Py_ssize_t stop = <Py_ssize_t> starts[last]
    cdef uint32_t column, most
    with nogil:
        for row in range(first, last):
            most = <uint32_t> row if triangle else c_hole - 1
            for q in range(<Py_ssize_t> starts[row], <Py_ssize_t> starts[row + 1]):
                p = places[q]
                if q + AHEAD < stop:
                    PREFETCH(&stream[places[q + AHEAD]])
                if left and p >= halo:
                    end = p - window if p > window else 0
                    k = p - 1
                    while k >= end:
                        column = stream[k]
                        if column <= most:
                            add(&sums[0], &bits[0], &summary[0], column, weights[p - k])
                        elif column == c_end:
                            break
                        k -= 1
                if right:
                    end = p + window + 1 if p + window < size else size
                    for k in range(p + 1, end):
                        column = stream[k]
                        if column <= most:
                            if k >= halo:
                                add(&sums[0], &bits[0], &summary[0], column, weights[k - p])
                        elif column == c_end:
                            break
            more = drain(&sums[0], &bits[0], &summary[0], summary.shape[0], &columns[found], &values[found])
            lengths[row - first] = <uint32_t> more
            found += more
    return found


def merge_rows(
    const uint64_t[::1] run_columns,   # IN [runs], address of each run's columns
    const uint64_t[::1] run_values,    # IN [runs], of its values
    const uint64_t[:, ::1] starts,     # IN [runs, rows + 1], into those
    uint64_t[::1] sums,                # scratch, as above
    uint64_t[::1] bits,
    uint64_t[::1] summary,
    uint32_t[::1] columns,             # OUT
    uint64_t[::1] values,              # OUT
    uint32_t[::1] lengths,             # OUT [rows]
):
    """Adds up some rows of several runs; returns how many columns they have together, or -1 at a damaged column."""
    cdef Py_ssize_t row, run, found = 0, more
    cdef uint64_t i
    cdef const uint32_t *from_columns
    cdef const uint64_t *from_values
    cdef bint bad = False
    with nogil:
        for row in range(lengths.shape[0]):
            for run in range(run_columns.shape[0]):
                from_columns = <const uint32_t *> <size_t> run_columns[run]
                from_values = <const uint64_t *> <size_t> run_values[run]
                for i in range(starts[run, row], starts[run, row + 1]):
                    if from_columns[i] >= <uint64_t> sums.shape[0]:
                        bad = True
                        break
                    add(&sums[0], &bits[0], &summary[0], from_columns[i], from_values[i])
            if bad:
                break
            more = drain(&sums[0], &bits[0], &summary[0], summary.shape[0], &columns[found], &values[found])
            lengths[row] = <uint32_t> more
            found += more
    return -1 if bad else found
