"""Tables for the screen of analogies: int16 cosines of question words x a tile of rows, and bounds of their errors.

A table is made of int16 products of codes. ADD sums its cosines as they are; MUL sums logarithms of them, and DIRECTION
takes distances |x - c| made of them. _kernels/analogies.h has the bounds.

Nothing here validates or allocates; `wordgeo.query.analogies` does. The twin of `quantise_words` is in reference.py.
"""

from libc.math cimport INFINITY, sqrt
from libc.stdint cimport int16_t, int32_t, uint32_t
from libc.string cimport memcpy, memset

from wordgeo._analogy_rule cimport ADD, DIRECTION, MUL, row_of, space
from wordgeo._fast cimport kernels

cdef extern from "analogies.h" nogil:
    void put_in_group "wordgeo_put_in_group"(const int16_t *, size_t, size_t, int16_t *)
    double error_of "wordgeo_analogy_error"(int, const int16_t *, size_t, double, double, int32_t *)
    void direction_slack "wordgeo_direction_slack"(double, double, double, double, double, double, aims_of_question *)

cdef enum:
    ROW_LENGTH = 32767  # of a row's codes; see analogies.h

cdef double ROOM = 1.05  # bounds are taken so much wider than a tile needs, and then hold for most of those that follow


def quantise_words(
    const float[:, ::1] matrix,        # IN [w, d]
    const double[::1] norms,           # IN [w]
    double length,                     # of the codes
    int16_t[:, ::1] codes,             # OUT [w, d up to an even number]
    double[::1] errors,                # OUT [w] bounds of |x / |x| - codes / length|
):
    """Codes of question words."""
    cdef Py_ssize_t w
    with nogil:
        memset(&codes[0, 0], 0, <size_t> (codes.shape[0] * codes.shape[1]) * sizeof(int16_t))
        for w in range(matrix.shape[0]):
            errors[w] = quantised(&matrix[w, 0], norms[w], length, <size_t> matrix.shape[1], &codes[w, 0])


cdef inline double quantised(const float *x, double norm, double length, size_t d, int16_t *codes) noexcept nogil:
    # The margins cover the roundings in float64.
    return sqrt(kernels.quantise16(x, length / norm if norm > 0 else 0, d, codes)) / length * (1 + 1e-6) + 1e-9


def terms(
    int method,
    const int16_t[::1] cosines,        # IN [n]
    double unit,                       # what a cosine of 1 is
    double epsilon,                    # for MUL
    int16_t[::1] out,                  # OUT [n]
):
    """What sums take from cosines: logarithms of s + epsilon for MUL, distances for DIRECTION."""
    with nogil:
        fill_terms(method, &cosines[0], <size_t> cosines.shape[0], unit, epsilon, &out[0])


cdef inline void fill_terms(int method, const int16_t *cosines, size_t count, double unit, double epsilon,
                            int16_t *out) noexcept nogil:
    if method == MUL:
        kernels.logarithms16(cosines, count, <float> (unit * (1 + 2 * epsilon)), <float> (0.5 / unit), out)
    else:
        kernels.distances16(cosines, count, <float> (2 / unit), out)


cdef bint quantise_tile(const space *where, tile *here, int16_t[::1] row, int16_t[::1] codes) noexcept nogil:
    # Codes of the rows; returns whether the bound of their errors changed.
    cdef size_t pairs = <size_t> row.shape[0] // 2, r
    cdef double worst = 0, error
    cdef Py_ssize_t x
    here.n_zeros = 0
    row[row.shape[0] - 1] = 0
    if here.count % 16:
        memset(&codes[here.count // 16 * 32 * <Py_ssize_t> pairs], 0, pairs * 32 * sizeof(int16_t))
    for r in range(<size_t> here.count):
        x = row_of(where, here.at + <Py_ssize_t> r)
        error = quantised(where.matrix + <size_t> x * where.d, where.norms[x], ROW_LENGTH, where.d, &row[0])
        worst = error if error > worst else worst
        put_in_group(&row[0], pairs, r % 16, &codes[r // 16 * pairs * 32])
        if where.method == DIRECTION and not where.norms[x] > 0:
            here.zeros[here.n_zeros] = <uint32_t> r
            here.n_zeros += 1
    if not worst > here.row_error:
        return False
    here.row_error = worst * ROOM
    return True


cdef bint tabulate(const space *where, const tile *here, const int16_t[::1] codes, const int16_t[:, ::1] words,
                   const double[::1] word_errors, const int32_t *members, Py_ssize_t n, int16_t[:, ::1] word_codes,
                   int16_t[:, ::1] table, int16_t[:, ::1] made, double *errors, int32_t *alone) noexcept nogil:
    # Cosines of a group's words with a tile of rows, and what is made of them; returns whether the errors changed.
    cdef size_t count = <size_t> here.count, pairs = <size_t> words.shape[1] // 2
    cdef bint changed = False
    cdef double unit = here.unit, error
    cdef Py_ssize_t w
    for w in range(n):
        memcpy(&word_codes[w, 0], &words[members[w], 0], 2 * pairs * sizeof(int16_t))
    kernels.tile16(&codes[0], (count + 15) // 16, pairs, &word_codes[0, 0], <size_t> n, &table[0, 0], here.width)
    for w in range(n):
        error = (1 + here.row_error) * word_errors[members[w]]
        if where.method != ADD:
            error = error_of(where.method, &table[w, 0], count, unit, here.row_error + error + 0.5 / unit, &alone[w])
            fill_terms(where.method, &table[w, 0], count, unit, 0, &made[w, 0])
        if where.method == MUL:  # of a only those of s + epsilon are asked for, of b and c those of s
            fill_terms(MUL, &table[w, 0], count, unit, where.epsilon, &table[w, 0])
        if error > errors[w] or errors[w] == INFINITY:
            changed = True
            errors[w] = error * ROOM
    return changed


cdef void set_slack(const space *where, const tile *here, const int32_t *words, const int32_t *places,
                    const double[::1] word_errors, const double *errors, double length, double shift, double margin,
                    aims_of_question *aims) noexcept nogil:
    # How far off the sums of a question can be.
    if where.method == DIRECTION:
        direction_slack(here.row_error, (1 + here.row_error) * (word_errors[words[0]] + word_errors[words[1]]),
                        errors[places[2]], here.unit, length, shift, aims)
        if not where.word_norms[words[2]] > 0:
            aims.slack = INFINITY
        return
    aims.slack = errors[places[0]] + errors[places[1]] + errors[places[2]] + margin
    if where.method == ADD:
        aims.slack = here.unit * (aims.slack + length * (here.row_error + 1e-6)) + 1.5
        if not length > 1e-3:
            aims.slack = INFINITY
