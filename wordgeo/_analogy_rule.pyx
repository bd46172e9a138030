"""The rule of analogies a : b = c : x over unit vectors: the score of a row for a question.

    ADD        cos(x, b - a + c)                                              Mikolov, Yih & Zweig 2013
    MUL        s(x, b) s(x, c) / (s(x, a) + epsilon), s = (cos + 1) / 2       Levy & Goldberg 2014
    DIRECTION  cos(b - a, x - c) = (cos(x, p) - cos(c, p)) / sqrt(2 - 2 cos(x, c)) with p along b - a; 0 where x = c

All three are made of float64 cosines and rounded once. Products in float give bounds of a score, which decide for most
rows whether it has to be known; _kernels/analogies.h has the proof.

Nothing here validates or allocates; `wordgeo.query.analogies` does.
"""

from libc.math cimport INFINITY, NAN, sqrt
from libc.stdint cimport int32_t, int64_t

from wordgeo._fast cimport cosine, kernels

cdef extern from "analogies.h" nogil:
    double float_error "wordgeo_float_error"(size_t)
    analogy_bounds bounds_of "wordgeo_analogy_bounds"(int, const double *, double, double, double)


cdef space space_of(int method, const float[:, ::1] matrix, const double[::1] norms, const int64_t[::1] ids,
                    const float[:, ::1] vectors, const double[::1] word_norms, double epsilon) noexcept nogil:
    cdef space made
    made.method, made.epsilon, made.d = method, epsilon, <size_t> matrix.shape[1]
    made.matrix, made.norms, made.ids = &matrix[0, 0], &norms[0], &ids[0] if ids.shape[0] else NULL
    made.vectors, made.word_norms, made.error = &vectors[0, 0], &word_norms[0], float_error(made.d)
    return made


cdef inline double cosine_of(const space *where, Py_ssize_t row, const float *y, double norm) noexcept nogil:
    return cosine(kernels.dot(where.matrix + <size_t> row * where.d, y, where.d), where.norms[row], norm)


cdef float analogy_score(const space *where, const question *asked, Py_ssize_t row) noexcept nogil:
    # The rule, for each method.
    cdef double of_a, of_b, of_c, square
    if where.method == ADD:
        return <float> cosine_of(where, row, asked.query, asked.query_norm)
    if where.method == DIRECTION and not (where.norms[row] > 0 and asked.norms[2] > 0 and asked.query_norm > 0):
        return 0
    of_c = cosine_of(where, row, asked.words[2], asked.norms[2])
    if where.method == MUL:
        of_a = cosine_of(where, row, asked.words[0], asked.norms[0])
        of_b = cosine_of(where, row, asked.words[1], asked.norms[1])
        return <float> (((of_b + 1) / 2) * ((of_c + 1) / 2) / ((of_a + 1) / 2 + where.epsilon))
    square = 2 - 2 * of_c
    if not square > 0:
        return 0
    return <float> ((cosine_of(where, row, asked.query, asked.query_norm) - asked.shift) / sqrt(square))


cdef inline double near_cosine(const space *where, const float *x, const float *y, double norms) noexcept nogil:
    return kernels.dot_float(x, y, where.d) / norms


cdef analogy_bounds bounds_of_row(const space *where, const question *asked, Py_ssize_t row) noexcept nogil:
    # Bounds of the score of a row by products in float.
    cdef const float *x = where.matrix + <size_t> row * where.d
    cdef double norm = where.norms[row]
    cdef double[3] cosines
    cdef analogy_bounds known
    cdef int i
    if not (asked.safe and is_safe(norm)):
        known.low, known.high = -INFINITY, INFINITY
        return known
    if where.method == MUL:
        for i in range(3):
            cosines[i] = near_cosine(where, x, asked.words[i], norm * asked.norms[i])
    else:
        cosines[0] = near_cosine(where, x, asked.query, norm * asked.query_norm)
        if where.method == DIRECTION:
            cosines[1] = near_cosine(where, x, asked.words[2], norm * asked.norms[2])
    return bounds_of(where.method, cosines, where.error, where.epsilon, asked.shift)


def analogy_scores(
    int method,
    const float[:, ::1] matrix,        # IN [n, d]
    const double[::1] norms,           # IN [n]
    const int64_t[::1] rows,           # IN [s] the rows to score, -1 for none
    const int64_t[::1] which,          # IN [s] the question of each
    const float[:, ::1] vectors,       # IN [w, d] the words
    const double[::1] word_norms,      # IN [w]
    const int32_t[:, ::1] questions,   # IN [m, 3] a, b, c as places among the words
    const float[:, ::1] queries,       # IN [m, d] the combined query for ADD, the direction b - a for DIRECTION
    const double[::1] query_norms,     # IN [m]
    const double[::1] shifts,          # IN [m] cos(c, direction) for DIRECTION
    double epsilon,                    # for MUL
    float[::1] out,                    # OUT [s], NaN for none
):
    """The scores of given rows by the rule."""
    cdef Py_ssize_t i
    cdef space where
    cdef question asked
    if not rows.shape[0]:
        return
    with nogil:
        where = space_of(method, matrix, norms, rows[:0], vectors, word_norms, epsilon)
        for i in range(rows.shape[0]):
            if rows[i] < 0:
                out[i] = NAN
                continue
            asked = question_of(&where, questions, queries, query_norms, shifts, which[i])
            out[i] = analogy_score(&where, &asked, rows[i])


def float_cosines(
    const float[:, ::1] matrix,        # IN [n, d]
    const double[::1] norms,           # IN [n]
    double[:, ::1] out,                # OUT [n, n]
):
    """All cosines of rows by products in float, and a bound of their errors: what rows are looked at again by."""
    cdef Py_ssize_t i, j
    cdef size_t d = <size_t> matrix.shape[1]
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[0]):
            out[i, j] = kernels.dot_float(&matrix[i, 0], &matrix[j, 0], d) / (norms[i] * norms[j])
    return float_error(d)
