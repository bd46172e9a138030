"""What the modules of analogies share: the methods, a question, and what the rule says of a row for it."""

from libc.stdint cimport int32_t, int64_t

cdef extern from "analogies.h" nogil:
    enum:
        ADD "WORDGEO_ADD"
        MUL "WORDGEO_MUL"
        DIRECTION "WORDGEO_DIRECTION"
    ctypedef struct analogy_bounds "wordgeo_bounds":
        float low
        float high
    bint is_safe "wordgeo_is_safe"(double)

# The rows that may answer and the words of the questions, as the rule reads them.
cdef struct space:
    int method
    double epsilon
    size_t d
    const float *matrix
    const double *norms
    const int64_t *ids  # NULL for all rows
    const float *vectors
    const double *word_norms
    double error  # of a cosine in float

# What the rule asks of a question, apart from its row.
cdef struct question:
    const float *query  # the combined query for ADD, the direction b - a for DIRECTION
    double query_norm
    double shift  # cos(c, direction) for DIRECTION
    const float *words[3]  # a, b, c
    double[3] norms
    bint safe  # for products in float


cdef inline question question_of(const space *where, const int32_t[:, ::1] questions, const float[:, ::1] queries,
                                 const double[::1] query_norms, const double[::1] shifts, Py_ssize_t q) noexcept nogil:
    cdef question asked
    cdef int i
    asked.query, asked.query_norm, asked.shift = &queries[q, 0], query_norms[q], shifts[q]
    asked.safe = where.method == MUL or is_safe(asked.query_norm)
    for i in range(3):
        asked.words[i] = where.vectors + <size_t> questions[q, i] * where.d
        asked.norms[i] = where.word_norms[questions[q, i]]
        asked.safe = asked.safe and is_safe(asked.norms[i])
    return asked


cdef inline Py_ssize_t row_of(const space *where, Py_ssize_t place) noexcept nogil:
    # The row at a place among those that may answer.
    return place if where.ids == NULL else where.ids[place]


cdef space space_of(int method, const float[:, ::1] matrix, const double[::1] norms, const int64_t[::1] ids,
                    const float[:, ::1] vectors, const double[::1] word_norms, double epsilon) noexcept nogil
cdef float analogy_score(const space *where, const question *asked, Py_ssize_t row) noexcept nogil
cdef analogy_bounds bounds_of_row(const space *where, const question *asked, Py_ssize_t row) noexcept nogil
