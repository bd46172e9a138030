"""GloVe's examples in their blocks, and the training on a block. Arrays are allocated by the caller; see glove.py."""

from libc.math cimport log, pow
from libc.stdint cimport uint16_t, uint32_t, uint64_t

cdef extern from "draws.h" nogil:
    uint64_t draw(uint64_t key, uint64_t i)

cdef extern from "adagrad.h" nogil:
    ctypedef struct wordgeo_example:
        uint16_t row
        uint16_t column
        float log_count
        float weight
    ctypedef double (*train_block_function "wordgeo_train_block")(
        float *words, float *contexts, size_t stride, size_t dim,
        const wordgeo_example *examples, size_t count, float rate, float bias_rate, float clip) noexcept
    ctypedef struct wordgeo_trainer:
        const char *name
        train_block_function train
    const wordgeo_trainer *wordgeo_trainers


def instruction_sets():
    """The instruction sets for which this build has a loop, the best last."""
    names = []
    cdef int i = 0
    while wordgeo_trainers[i].name != NULL:
        names.append(wordgeo_trainers[i].name.decode())
        i += 1
    return names


def draws(
    uint64_t key,
    uint64_t[::1] out,                 # OUT
):
    """out[i] = draw i of the stream `key`."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(out.shape[0]):
            out[i] = draw(key, <uint64_t> i)


def begin_records(
    uint64_t key,
    const uint32_t[::1] words,         # IN [n], the word of each record
    size_t dim,
    float[:, ::1] records,             # OUT [n, 2 stride], see adagrad.h
):
    """Vectors and biases uniform in [-0.5, 0.5) / dim, each by its word's number; squared steps begin at 1."""
    cdef Py_ssize_t i
    cdef uint64_t drawn
    cdef size_t k, stride = <size_t> records.shape[1] // 2
    with nogil:
        for i in range(records.shape[0]):
            for k in range(stride):
                records[i, k] = 0
                records[i, stride + k] = 1
            for k in range(dim + 1):
                drawn = draw(key, words[i] * <uint64_t> (dim + 1) + k) >> 40  # 24 bits are what a float holds
                records[i, k] = <float> ((drawn / 16777216.0 - 0.5) / dim)


def count_examples(
    const uint64_t[::1] rows,          # IN [words + 1], the matrix as in Counts
    const uint32_t[::1] columns,       # IN
    Py_ssize_t first,                  # rows first..last - 1
    Py_ssize_t last,
    Py_ssize_t panels,
    bint symmetric,
    uint64_t[:, ::1] counts,           # INOUT [panels, panels]
):
    """Counts the examples of some rows by block; False at a damaged column."""
    cdef Py_ssize_t row, words = rows.shape[0] - 1, p
    cdef uint64_t i
    cdef uint32_t column
    cdef bint good = True
    with nogil:
        for row in range(first, last):
            p = row % panels
            for i in range(rows[row], rows[row + 1]):
                column = columns[i]
                if column >= words or (symmetric and column > row):
                    good = False
                    break
                counts[p, column % panels] += 1
                if symmetric and column != row:
                    counts[column % panels, p] += 1
            if not good:
                break
    return good


def place_examples(
    const uint64_t[::1] rows,          # IN, as above; columns were checked
    const uint32_t[::1] columns,       # IN
    const uint64_t[::1] sums,          # IN
    double unit,
    Py_ssize_t first,
    Py_ssize_t last,
    Py_ssize_t panels,
    bint symmetric,
    double x_max,
    double alpha,
    uint64_t[:, ::1] at,               # INOUT [panels, panels], where the next example of each block goes
    wordgeo_example[::1] examples,     # OUT
):
    """Writes the examples of some rows into their blocks."""
    cdef Py_ssize_t row, p, q
    cdef uint64_t i
    cdef uint32_t column
    cdef double x
    cdef wordgeo_example example
    with nogil:
        for row in range(first, last):
            p = row % panels
            for i in range(rows[row], rows[row + 1]):
                column = columns[i]
                q = column % panels
                x = sums[i] / unit
                example.log_count = <float> log(x)
                example.weight = <float> pow(x / x_max, alpha) if x < x_max else 1
                example.row = <uint16_t> (row // panels)
                example.column = <uint16_t> (column // panels)
                examples[at[p, q]] = example
                at[p, q] += 1
                if symmetric and column != row:
                    example.row = <uint16_t> (column // panels)
                    example.column = <uint16_t> (row // panels)
                    examples[at[q, p]] = example
                    at[q, p] += 1


def shuffle(
    uint64_t key,
    wordgeo_example[::1] examples,     # INOUT
):
    """Puts examples into an order that depends on `key` and their number alone (Fisher & Yates)."""
    cdef Py_ssize_t i, j
    cdef wordgeo_example example
    with nogil:
        for i in range(examples.shape[0] - 1, 0, -1):
            j = <Py_ssize_t> (((draw(key, <uint64_t> i) >> 32) * <uint64_t> (i + 1)) >> 32)
            example = examples[i]
            examples[i] = examples[j]
            examples[j] = example


def train_block(
    int instruction_set,               # its place in `instruction_sets()`
    float[:, ::1] words,               # INOUT [rows of the panel, 2 stride]
    float[:, ::1] contexts,            # INOUT [columns of the panel, 2 stride]
    size_t dim,
    const wordgeo_example[::1] examples,   # IN
    float rate,                        # of vectors
    float bias_rate,
    float clip,
):
    """Trains on the examples of a block, in their order; the sum of the losses."""
    cdef double loss = 0
    if examples.shape[0] == 0:
        return loss
    with nogil:
        loss = wordgeo_trainers[instruction_set].train(
            &words[0, 0], &contexts[0, 0], <size_t> words.shape[1] // 2, dim,
            &examples[0], <size_t> examples.shape[0], rate, bias_rate, clip)
    return loss
