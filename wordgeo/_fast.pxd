"""What the compiled modules share: the C kernels, the rule of scores, and the small steps around the lists of the best.
"""

from libc.math cimport INFINITY, nextafterf, sqrt
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t
from scipy.linalg.cython_blas cimport sgemm

cdef extern from "kernels.h" nogil:
    void fetch "wordgeo_fetch"(const float *, size_t)
    ctypedef struct rows8 "wordgeo_rows8":
        const uint8_t *codes
        size_t groups
        size_t steps
        size_t stride
        const float *scales
        size_t bounds
        size_t *leading
        int *shifts
        const float *units
        const float *errors
        const float **bound_errors
        const float **lengths
        const int16_t *head
        const int16_t **rests
        const float *needed
    ctypedef struct queries8 "wordgeo_queries8":
        const int8_t *codes
        size_t stride
        size_t count
        int parts
        const int32_t *corrections
        const float *scales
        const float *floors
        const int32_t **part_corrections
        const float *units
        const float *slack
        const float **bound_errors
        const float **lengths
        const int16_t *head
        const int16_t **rests
        float rounding
    ctypedef struct kernel_set "wordgeo_kernels":
        const char *name
        double (*dot)(const float *, const float *, size_t) noexcept nogil
        void (*dots)(const float *, size_t, size_t, const double *, double *) noexcept nogil
        size_t (*select)(const float *, const float *, size_t, size_t, float, uint32_t *) noexcept nogil
        size_t (*select_sum)(const float *, const float *, size_t, size_t, float, uint32_t *) noexcept nogil
        double (*quantise16)(const float *, double, size_t, int16_t *) noexcept nogil
        void (*tile16)(const int16_t *, size_t, size_t, const int16_t *, size_t, int16_t *, size_t) noexcept nogil
        size_t (*sweep16)(int, const int16_t *, const int16_t *, size_t, size_t, size_t, const int32_t *, size_t,
                          const int16_t *, uint32_t *, uint32_t *, uint32_t *, size_t) noexcept nogil
        void (*differences16)(const int16_t *, const int16_t *, size_t, float, int16_t *) noexcept nogil
        void (*logarithms16)(const int16_t *, size_t, float, float, int16_t *) noexcept nogil
        void (*distances16)(const int16_t *, size_t, float, int16_t *) noexcept nogil
        float (*dot_float)(const float *, const float *, size_t) noexcept nogil
        void (*tile8)(const rows8 *, const queries8 *, float *, size_t, uint8_t *) noexcept nogil
        size_t (*leading8)(const rows8 *, const queries8 *, float *, uint32_t *) noexcept nogil
    const kernel_set *wordgeo_kernel_sets[]
    int wordgeo_processor_has(const char *name)

cdef extern from "best.h" nogil:
    ctypedef struct best_list "wordgeo_best":
        float *scores
        int64_t *rows
        size_t held
        size_t room
    void best_offer "wordgeo_best_offer"(best_list *best, float score, int64_t row)
    void best_sort "wordgeo_best_sort"(best_list *best)

cdef extern from "quantised.h" nogil:
    ctypedef struct pool "wordgeo_pool":
        float *lower
        uint32_t *rows
        float *upper
        size_t k
        size_t held
        size_t room
        size_t count
        float floor
    ctypedef double (*quantise_kernel "wordgeo_quantise16")(const float *, double, size_t, int16_t *) noexcept nogil
    void quantise_rows "wordgeo_quantise_rows"(quantise_kernel, const float *, const double *, size_t, size_t, size_t,
                                               const int64_t *, const int64_t *, size_t, uint8_t *, float *, float *,
                                               float *, size_t)
    double quantise_query "wordgeo_quantise_query"(const float *, size_t, size_t, int, int8_t *, int8_t *, int32_t *,
                                                   float *)
    float kth_highest "wordgeo_kth_highest"(float *, uint32_t *, size_t, size_t)
    bint pool_offer "wordgeo_pool_offer"(pool *, uint32_t, float, float)
    void pool_tidy "wordgeo_pool_tidy"(pool *)

cdef const kernel_set *kernels  # of the instruction set in use


cdef inline void gemm(const float *queries, const float *rows, float *out, int n_queries, int n_rows, int size,
                      int stride) noexcept nogil:
    # out[q, r] = queries[q, :] . rows[r, :], row-major, `stride` floats from one q to the next
    cdef float one = 1, zero = 0
    cdef char transposed = b"T"
    cdef char plain = b"N"
    sgemm(&transposed, &plain, &n_rows, &n_queries, &size, &one, <float *> rows, &size, <float *> queries, &size,
          &zero, out, &stride)


cdef inline double cosine(double dot, double norm_x, double norm_y) noexcept nogil:
    return dot / (norm_x * norm_y) if norm_x > 0 and norm_y > 0 else 0.0


cdef inline float score(const float[:, ::1] matrix, const double[::1] norms, Py_ssize_t row, const float *query,
                        double query_norm) noexcept nogil:
    # the rule
    return <float> cosine(kernels.dot(&matrix[row, 0], query, <size_t> matrix.shape[1]), norms[row], query_norm)


cdef inline bint is_excluded(int64_t row, const int64_t[:, ::1] exclude, Py_ssize_t q) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(exclude.shape[1]):
        if exclude[q, i] == row:
            return True
    return False


cdef inline best_list list_of(float[:, ::1] best_scores, int64_t[:, ::1] best_rows, int64_t[::1] held,
                              Py_ssize_t q) noexcept nogil:
    cdef best_list best
    best.scores = &best_scores[q, 0]
    best.rows = &best_rows[q, 0]
    best.held = <size_t> held[q]
    best.room = <size_t> best_scores.shape[1]
    return best


cdef inline float threshold(const best_list *best, float slack) noexcept nogil:
    # A row whose screened score lies below this cannot enter the list. NaN slack excludes nothing.
    if best.held < best.room or not slack < 1:
        return -INFINITY
    return nextafterf(<float> (<double> best.scores[0] - slack), -INFINITY)


cdef inline Py_ssize_t stretch(Py_ssize_t seen, size_t room) noexcept nogil:
    cdef Py_ssize_t least = <Py_ssize_t> room if room > 16 else 16
    return seen if seen > least else least


cdef inline void first_floor(pool *waiting, const float *values, const float *errors, float slack, Py_ssize_t count,
                             size_t others, float *most) noexcept nogil:
    # A floor from the first rows that are seen, before any is offered. They are dealt out to some classes, and of the
    # highest lower bounds of these the (k + others)-th highest is reached by k rows beside `others` that do not count.
    # most is scratch of count.
    cdef size_t wanted = waiting.k + others, classes = 4 * wanted, n = <size_t> count, i, begin = 0, some
    cdef float low
    classes = classes if classes < n else n
    if classes < wanted or not slack < 1:
        return
    for i in range(classes):
        most[i] = -INFINITY
    while begin < n:
        some = classes if classes < n - begin else n - begin
        for i in range(some):
            low = values[begin + i] - errors[begin + i]
            most[i] = low if low > most[i] else most[i]
        begin += some
    low = kth_highest(most, NULL, classes, wanted) - slack
    if low > waiting.floor:
        waiting.floor = low


cdef inline pool empty(float[:, ::1] lower, uint32_t[:, ::1] rows, float[:, ::1] upper, Py_ssize_t q) noexcept nogil:
    # A pool on row q of three arrays.
    cdef pool made
    made.lower, made.rows, made.upper = &lower[q, 0], &rows[q, 0], &upper[q, 0]
    made.k, made.room = <size_t> lower.shape[1], <size_t> rows.shape[1]
    made.held = made.count = 0
    made.floor = -INFINITY
    return made


cdef inline void settle(pool *waiting, const best_list *best) noexcept nogil:
    cdef float known = threshold(best, 0)
    waiting.count = 0
    if known > waiting.floor:
        waiting.floor = known


cdef void empty_pool(pool *waiting, const float[:, ::1] matrix, const double[::1] norms, const float *query,
                     double query_norm, best_list *best) noexcept nogil
