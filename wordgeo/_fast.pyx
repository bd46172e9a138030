"""The compiled engine: exact cosine scores, the k best of them, and analogies.

The rule of scores. The score of a row x for a query q is

    cos(x, q) = (x . q) / (|x| |q|)      in float64, summed in the fixed order of _kernels/kernels.h, rounded once

to float32, and 0 where x or q is zero. Rows are ordered by score, then by index. So a query gives the same rows and
the same bytes alone, in any batch, with any number of threads and on any instruction set.

Screen, then rescore. For batches, a float32 matrix product finds the rows that could be among the k best, and only
these are scored by the rule. With u = 2**-24 and d dimensions, and the query scaled to unit length in float32:

    |fl(x . q') - x . q'|  <=  d u / (1 - d u) |x| |q'|     for any order of summation (Higham 2002, section 3.1,
                                                            and Cauchy-Schwarz), underflow apart
    |x . q' - x . q/|q||   <=  u |x|                        each element of q' is rounded once
    fl(fl(x . q') scale)                                    scale = fl(1 / |x|): two more roundings, 2 u together

so the screened cosine is off by less than (d + 8) u / (1 - (d + 8) u). Underflow adds at most 2**-126 for each of
2 d operations, which is nothing beside |x| u as long as |x| > 2**-60; rows with a norm outside [2**-60, 2**60] get
scale = NaN and are always rescored (a NaN passes every screen). `slack` is this bound and a margin for the rounding
of scores to float32. Where it excludes nothing, every row is rescored: slower, and still right.

Nothing here validates or allocates; `wordgeo.query.search` does. Every function has a twin in reference.py.
"""

from libc.math cimport INFINITY, nextafterf, sqrt
from libc.stdint cimport int64_t, uint32_t
from scipy.linalg.cython_blas cimport sgemm

cdef extern from "kernels.h" nogil:
    ctypedef struct kernel_set "wordgeo_kernels":
        const char *name
        double (*dot)(const float *, const float *, size_t) noexcept nogil
        void (*dots)(const float *, size_t, size_t, const double *, double *) noexcept nogil
        size_t (*select)(const float *, const float *, size_t, size_t, float, uint32_t *) noexcept nogil
        void (*cosmul_bound)(const float *, float *, const float *, const float *, size_t, float, float) noexcept nogil
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

cdef const kernel_set *kernels = wordgeo_kernel_sets[0]


def instruction_sets():
    """The instruction sets that this build has and this processor can run, the best last."""
    names = []
    cdef int i = 0
    while wordgeo_kernel_sets[i] != NULL:
        if wordgeo_processor_has(wordgeo_kernel_sets[i].name):
            names.append(wordgeo_kernel_sets[i].name.decode())
        i += 1
    return names


def instruction_set():
    """The instruction set in use."""
    return kernels.name.decode()


def use_instruction_set(name):
    """Switches to an instruction set from `instruction_sets()`; False where that cannot be."""
    global kernels
    cdef int i = 0
    if name not in instruction_sets():
        return False
    while wordgeo_kernel_sets[i].name.decode() != name:
        i += 1
    kernels = wordgeo_kernel_sets[i]
    return True


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


def norms(
    const float[:, ::1] matrix,    # IN [n, d]
    double[::1] out,               # OUT [n]
):
    """out[i] = |matrix[i]|, summed in the fixed order."""
    cdef Py_ssize_t i
    cdef size_t d = <size_t> matrix.shape[1]
    with nogil:
        for i in range(matrix.shape[0]):
            out[i] = sqrt(kernels.dot(&matrix[i, 0], &matrix[i, 0], d))


def pair_scores(
    const float[:, ::1] matrix,    # IN [n, d]
    const double[::1] norms,       # IN [n]
    const int64_t[::1] a,          # IN [m] rows
    const int64_t[::1] b,          # IN [m] rows
    float[::1] out,                # OUT [m]
):
    """out[i] = cos(matrix[a[i]], matrix[b[i]])."""
    cdef Py_ssize_t i
    cdef size_t d = <size_t> matrix.shape[1]
    with nogil:
        for i in range(a.shape[0]):
            out[i] = <float> cosine(kernels.dot(&matrix[a[i], 0], &matrix[b[i], 0], d), norms[a[i]], norms[b[i]])


def combine(
    const float[:, ::1] matrix,    # IN [n, d]
    const double[::1] norms,       # IN [n]
    const int64_t[:, ::1] rows,    # IN [m, t] operands, -1 for none
    const double[:, ::1] weights,  # IN [m, t]
    float[:, ::1] out,             # OUT [m, d]
    double[::1] scratch,           # [d]
):
    """out[i] = the unit vector along the sum of weights[i, j] matrix[rows[i, j]] / |matrix[rows[i, j]]|.

    Summed in float64 in the order of the operands and rounded once; zero where the sum is zero.
    """
    cdef Py_ssize_t i, j, e, row, d = matrix.shape[1]
    cdef double length
    cdef double[16] lane
    with nogil:
        for i in range(rows.shape[0]):
            for e in range(d):
                scratch[e] = 0
            for j in range(rows.shape[1]):
                row = rows[i, j]
                if row >= 0 and norms[row] > 0:
                    for e in range(d):
                        scratch[e] = scratch[e] + weights[i, j] * (<double> matrix[row, e] / norms[row])
            for e in range(16):
                lane[e] = 0
            for e in range(d):
                lane[e % 16] += scratch[e] * scratch[e]
            for e in range(8):
                lane[e] = lane[e] + lane[e + 8]
            for e in range(4):
                lane[e] = lane[e] + lane[e + 4]
            length = sqrt((lane[0] + lane[2]) + (lane[1] + lane[3]))
            for e in range(d):
                out[i, e] = <float> (scratch[e] / length) if length > 0 else 0.0


def scan(
    const float[:, ::1] matrix,        # IN [n, d] a run of rows
    const double[::1] norms,           # IN [n]
    int64_t first,                     # index of the run's first row
    const double[:, ::1] queries,      # IN [m, d] widened from float32
    const double[::1] query_norms,     # IN [m]
    const int64_t[:, ::1] exclude,     # IN [m, e] rows to leave out, -1 for none
    float[:, ::1] best_scores,         # INOUT [m, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [m, k]
    int64_t[::1] held,                 # INOUT [m] how many of the k are filled
    double[::1] scratch,               # [block], rows at a time
):
    """Offers every row of the run to the k best of each query, by the rule: for few queries."""
    cdef Py_ssize_t n = matrix.shape[0], block = scratch.shape[0], begin, count, i, q
    cdef size_t d = <size_t> matrix.shape[1]
    cdef best_list best
    cdef float score
    with nogil:
        begin = 0
        while begin < n:
            count = block if block < n - begin else n - begin
            for q in range(queries.shape[0]):
                best = list_of(best_scores, best_rows, held, q)
                kernels.dots(&matrix[begin, 0], <size_t> count, d, &queries[q, 0], &scratch[0])
                for i in range(count):
                    score = <float> cosine(scratch[i], norms[begin + i], query_norms[q])
                    if best.held == best.room and not score > best.scores[0]:
                        continue
                    if not is_excluded(first + begin + i, exclude, q):
                        best_offer(&best, score, first + begin + i)
                held[q] = <int64_t> best.held
            begin += count


def screen(
    const float[:, ::1] matrix,        # IN [n, d] a run of rows
    const double[::1] norms,           # IN [n]
    const float[::1] scale,            # IN [n] 1 / norm, 0 for a zero row, NaN where the bound does not hold
    int64_t first,                     # index of the run's first row
    const float[:, ::1] unit,          # IN [m, d] queries of unit length
    const double[:, ::1] queries,      # IN [m, d] the queries, widened from float32
    const double[::1] query_norms,     # IN [m]
    const int64_t[:, ::1] exclude,     # IN [m, e] rows to leave out, -1 for none
    float slack,                       # bound of the screen's error
    float[:, ::1] best_scores,         # INOUT [m, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [m, k]
    int64_t[::1] held,                 # INOUT [m]
    float[:, ::1] tile,                # scratch [m, rows at a time]
    uint32_t[::1] chosen,              # scratch [rows at a time]
):
    """The same as `scan`, with the rows screened by a float32 product: for batches."""
    cdef Py_ssize_t n = matrix.shape[0], width = tile.shape[1], m = queries.shape[0], begin, count, q
    cdef int d = <int> matrix.shape[1]
    cdef best_list best
    with nogil:
        begin = 0
        while begin < n:
            count = width if width < n - begin else n - begin
            gemm(&unit[0, 0], &matrix[begin, 0], &tile[0, 0], <int> m, <int> count, d, <int> width)
            for q in range(m):
                best = list_of(best_scores, best_rows, held, q)
                rescore_cosine(matrix, norms, scale, begin, count, first, &tile[q, 0], &queries[q, 0],
                               query_norms[q], exclude, q, slack, &best, &chosen[0])
                held[q] = <int64_t> best.held
            begin += count


cdef void rescore_cosine(const float[:, ::1] matrix, const double[::1] norms, const float[::1] scale,
                         Py_ssize_t begin, Py_ssize_t count, int64_t first, const float *screened,
                         const double *query, double query_norm, const int64_t[:, ::1] exclude, Py_ssize_t q,
                         float slack, best_list *best, uint32_t *chosen) noexcept nogil:
    # Stretches grow with what has been seen, so that the threshold is worth something before many rows pass it.
    cdef Py_ssize_t at = 0, stop, i, found, row
    cdef double dot
    while at < count:
        stop = at + stretch(begin + at, best.room)
        if stop > count:
            stop = count
        found = <Py_ssize_t> kernels.select(screened, &scale[begin], <size_t> at, <size_t> stop,
                                            threshold(best, slack), chosen)
        for i in range(found):
            row = begin + chosen[i]
            if screened[chosen[i]] * scale[row] < threshold(best, slack) or is_excluded(first + row, exclude, q):
                continue
            kernels.dots(&matrix[row, 0], 1, <size_t> matrix.shape[1], query, &dot)
            best_offer(best, <float> cosine(dot, norms[row], query_norm), first + row)
        at = stop


cdef inline Py_ssize_t stretch(Py_ssize_t seen, size_t room) noexcept nogil:
    cdef Py_ssize_t least = <Py_ssize_t> room if room > 16 else 16
    return seen if seen > least else least


def screen_cosmul(
    const float[:, ::1] matrix,        # IN [n, d] a run of rows
    const double[::1] norms,           # IN [n]
    const float[::1] scale,            # IN [n] as in `screen`
    const float[::1] ones,             # IN [rows at a time] all 1
    int64_t first,                     # index of the run's first row
    const float[:, ::1] unit,          # IN [3 m, d] unit vectors: all a, then all b, then all c
    const double[:, ::1] queries,      # IN [3 m, d] the vectors as they are, widened from float32
    const double[::1] query_norms,     # IN [3 m]
    const int64_t[:, ::1] exclude,     # IN [m, e]
    double epsilon,
    float slack,                       # bound of the error of a screened cosine
    float[:, ::1] best_scores,         # INOUT [m, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [m, k]
    int64_t[::1] held,                 # INOUT [m]
    float[:, ::1] tile,                # scratch [3 m, rows at a time]
    uint32_t[::1] chosen,              # scratch [rows at a time]
):
    """3CosMul (Levy & Goldberg 2014): s(x, b) s(x, c) / (s(x, a) + epsilon) with s = (cos + 1) / 2, in float64.

    The screen is interval arithmetic on the float32 cosines: the bound is taken with b and c high and a low.
    """
    cdef Py_ssize_t n = matrix.shape[0], width = tile.shape[1], m = best_scores.shape[0]
    cdef Py_ssize_t begin, count, q, at, stop, i, found, row, t
    cdef int d = <int> matrix.shape[1]
    cdef best_list best
    cdef double dot
    cdef double[3] s
    cdef float limit
    with nogil:
        begin = 0
        while begin < n:
            count = width if width < n - begin else n - begin
            gemm(&unit[0, 0], &matrix[begin, 0], &tile[0, 0], <int> (3 * m), <int> count, d, <int> width)
            for q in range(m):
                best = list_of(best_scores, best_rows, held, q)
                kernels.cosmul_bound(&tile[q, 0], &tile[m + q, 0], &tile[2 * m + q, 0], &scale[begin],
                                     <size_t> count, slack, <float> epsilon)
                at = 0
                while at < count:
                    stop = at + stretch(begin + at, best.room)
                    if stop > count:
                        stop = count
                    limit = cosmul_limit(&best, slack)
                    found = <Py_ssize_t> kernels.select(&tile[m + q, 0], &ones[0], <size_t> at, <size_t> stop, limit,
                                                        &chosen[0])
                    for i in range(found):
                        row = begin + chosen[i]
                        if tile[m + q, chosen[i]] < cosmul_limit(&best, slack) or is_excluded(first + row, exclude, q):
                            continue
                        for t in range(3):
                            kernels.dots(&matrix[row, 0], 1, <size_t> d, &queries[t * m + q, 0], &dot)
                            s[t] = (cosine(dot, norms[row], query_norms[t * m + q]) + 1.0) / 2.0
                        best_offer(&best, <float> (s[1] * s[2] / (s[0] + epsilon)), first + row)
                    at = stop
                held[q] = <int64_t> best.held
            begin += count


cdef inline float cosmul_limit(const best_list *best, float slack) noexcept nogil:
    # The bound is positive, and off by its last four roundings only: those before are within the spare half of slack.
    if best.held < best.room or not slack < 1:
        return -INFINITY
    return best.scores[0] * (1.0 - 1e-5)


def sort_best(
    float[:, ::1] best_scores,         # INOUT [m, k] heaps, on return the best first
    int64_t[:, ::1] best_rows,         # INOUT [m, k]
    const int64_t[::1] held,           # IN [m]
):
    """Turns heaps into lists: by score, then by row."""
    cdef Py_ssize_t q
    cdef best_list best
    with nogil:
        for q in range(held.shape[0]):
            best.scores = &best_scores[q, 0]
            best.rows = &best_rows[q, 0]
            best.held = <size_t> held[q]
            best.room = <size_t> best_scores.shape[1]
            best_sort(&best)


use_instruction_set(list(instruction_sets()).pop())
