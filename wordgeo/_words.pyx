"""Tables of words: merging, look-up and order. Every array is allocated by the caller; see vocabulary.py."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

cdef extern from "wordtable.h" nogil:
    ctypedef struct wordtable:
        uint64_t *slots
        uint64_t mask
        uint8_t *blob
        uint64_t blob_size
        uint64_t *offsets
        uint64_t words
    uint64_t wordtable_hash(const uint8_t *word, size_t size)
    uint64_t wordtable_probe(const wordtable *table, const uint8_t *word, size_t size, uint64_t hash, int64_t *index)
    uint64_t wordtable_add(wordtable *table, const uint8_t *word, size_t size)


cdef wordtable view(const uint64_t[::1] slots, const uint8_t[::1] blob, const uint64_t[::1] offsets,
                    uint64_t words) noexcept nogil:
    cdef wordtable table
    table.slots = <uint64_t *> &slots[0]
    table.mask = <uint64_t> slots.shape[0] - 1
    table.blob = <uint8_t *> &blob[0]
    table.blob_size = <uint64_t> blob.shape[0]
    table.offsets = <uint64_t *> &offsets[0]
    table.words = words
    return table


def merge(
    const uint8_t[::1] source_blob,       # IN
    const uint64_t[::1] source_offsets,   # IN, words + 1
    const uint64_t[::1] source_counts,    # IN
    uint64_t[::1] slots,                  # INOUT
    uint8_t[::1] blob,                    # INOUT, with room for all of source_blob
    uint64_t[::1] offsets,                # INOUT, with room for all words of the source
    uint64_t[::1] counts,                 # INOUT, likewise
    uint64_t words,                       # how many the table holds
    uint32_t[::1] mapping,                # OUT, source index -> table index
):
    """Adds the words and counts of a source to a table and returns how many words the table then holds."""
    cdef wordtable table = view(slots, blob, offsets, words)
    cdef Py_ssize_t i, n = source_counts.shape[0]
    cdef uint64_t before, at
    with nogil:
        for i in range(n):
            before = table.words
            at = wordtable_add(&table, &source_blob[0] + source_offsets[i],
                               <size_t> (source_offsets[i + 1] - source_offsets[i]))
            if table.words > before:
                counts[at] = 0
            counts[at] += source_counts[i]
            mapping[i] = <uint32_t> at
    return table.words


def index(
    const uint8_t[::1] blob,              # IN
    const uint64_t[::1] offsets,          # IN, words + 1
    uint64_t[::1] slots,                  # OUT, all EMPTY on entry
):
    """Fills the slots for a list of words; returns (-1, -1), or the indices of the first word that stands twice."""
    cdef Py_ssize_t n = offsets.shape[0] - 1
    cdef wordtable table = view(slots, blob, offsets, n)
    cdef uint64_t slot, hash
    cdef int64_t found = -1
    cdef Py_ssize_t i
    cdef size_t size
    with nogil:
        for i in range(n):
            size = <size_t> (offsets[i + 1] - offsets[i])
            hash = wordtable_hash(&blob[0] + offsets[i], size)
            slot = wordtable_probe(&table, &blob[0] + offsets[i], size, hash, &found)
            if found >= 0:
                break
            table.slots[slot] = ((hash >> 32) << 32) | <uint64_t> i
    if found >= 0:
        return found, i
    return -1, -1


def find(
    const uint8_t[::1] blob,              # IN, the table
    const uint64_t[::1] offsets,          # IN
    const uint64_t[::1] slots,            # IN
    const uint8_t[::1] wanted_blob,       # IN, the words looked for
    const uint64_t[::1] wanted_offsets,   # IN
    int64_t[::1] found,                   # OUT, index or -1
):
    """Looks up many words at once."""
    cdef wordtable table = view(slots, blob, offsets, offsets.shape[0] - 1)
    cdef Py_ssize_t i
    cdef size_t size
    cdef const uint8_t *word
    with nogil:
        for i in range(found.shape[0]):
            size = <size_t> (wanted_offsets[i + 1] - wanted_offsets[i])
            word = &wanted_blob[0] + wanted_offsets[i]
            wordtable_probe(&table, word, size, wordtable_hash(word, size), &found[i])


cdef inline bint before(uint32_t a, uint32_t b, const uint64_t *counts, const uint64_t *offsets,
                        const uint8_t *blob) noexcept nogil:
    # Higher count first, then code points ascending (the order of UTF-8 bytes).
    cdef uint64_t size_a, size_b
    cdef int order
    if counts[a] != counts[b]:
        return counts[a] > counts[b]
    size_a = offsets[a + 1] - offsets[a]
    size_b = offsets[b + 1] - offsets[b]
    order = memcmp(blob + offsets[a], blob + offsets[b], size_a if size_a < size_b else size_b)
    return order < 0 or (order == 0 and size_a < size_b)


def sort(
    const uint8_t[::1] blob,              # IN
    const uint64_t[::1] offsets,          # IN
    const uint64_t[::1] counts,           # IN
    uint32_t[::1] order,                  # INOUT, 0..n-1 on entry, on return the indices by rank
    uint32_t[::1] scratch,                # as long as order
):
    """Sorts indices by (count descending, code points ascending): a bottom-up merge sort."""
    cdef size_t n = <size_t> order.shape[0], width = 1, low, middle, high, i, j, k
    cdef uint32_t *source = &order[0]
    cdef uint32_t *target = &scratch[0]
    cdef const uint64_t *c = &counts[0]
    cdef const uint64_t *o = &offsets[0]
    cdef const uint8_t *b = &blob[0]
    with nogil:
        while width < n:
            low = 0
            while low < n:
                middle = low + width if low + width < n else n
                high = middle + width if middle + width < n else n
                i, j = low, middle
                for k in range(low, high):
                    if i < middle and (j >= high or not before(source[j], source[i], c, o, b)):
                        target[k] = source[i]
                        i += 1
                    else:
                        target[k] = source[j]
                        j += 1
                low = high
            source, target = target, source
            width *= 2
        if source != &order[0]:
            for k in range(n):
                order[k] = source[k]
