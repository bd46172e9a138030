"""The compiled engine: exact cosine scores and the k best of them.

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

Nothing here validates or allocates; `wordgeo.query` does. Every function that scores or makes codes has a twin in
reference.py.
"""

cdef enum:
    PAIRS_AHEAD = 8  # how early the rows of a pair are asked for

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
    cdef Py_ssize_t i, ahead
    cdef size_t d = <size_t> matrix.shape[1]
    with nogil:
        for i in range(a.shape[0]):
            ahead = i + PAIRS_AHEAD
            if ahead < a.shape[0]:
                if a[ahead] != a[i]:
                    fetch(&matrix[a[ahead], 0], d)
                fetch(&matrix[b[ahead], 0], d)
            out[i] = <float> cosine(kernels.dot(&matrix[a[i], 0], &matrix[b[i], 0], d), norms[a[i]], norms[b[i]])


def scores(
    const float[:, ::1] matrix,    # IN [n, d]
    const double[::1] norms,       # IN [n]
    const double[::1] query,       # IN [d] widened from float32
    double query_norm,
    float[::1] out,                # OUT [n]
    double[::1] scratch,           # [n]
):
    """out[i] = cos(matrix[i], query), for all rows."""
    cdef Py_ssize_t i
    with nogil:
        kernels.dots(&matrix[0, 0], <size_t> matrix.shape[0], <size_t> matrix.shape[1], &query[0], &scratch[0])
        for i in range(matrix.shape[0]):
            out[i] = <float> cosine(scratch[i], norms[i], query_norm)


def cosines(
    const float[:, ::1] matrix,    # IN [n, d]
    const double[::1] norms,       # IN [n]
    const int64_t[::1] rows,       # IN [m]
    const float[:, ::1] queries,   # IN [m, d]
    const double[::1] query_norms,     # IN [m]
    double[::1] out,               # OUT [m]
):
    """out[i] = cos(matrix[rows[i]], queries[i]), not yet rounded to float32."""
    cdef Py_ssize_t i
    cdef size_t d = <size_t> matrix.shape[1]
    with nogil:
        for i in range(rows.shape[0]):
            out[i] = cosine(kernels.dot(&matrix[rows[i], 0], &queries[i, 0], d), norms[rows[i]], query_norms[i])


def combine(
    const float[:, ::1] matrix,    # IN [n, d]
    const double[::1] norms,       # IN [n]
    const int64_t[:, ::1] rows,    # IN [m, t] operands, -1 for none
    const double[:, ::1] weights,  # IN [m, t]
    float[:, ::1] out,             # OUT [m, d]
    double[::1] lengths,           # OUT [m] of the sums
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
            length = lengths[i] = sqrt((lane[0] + lane[2]) + (lane[1] + lane[3]))
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
    const float[:, ::1] unit,          # IN [m, d] the queries at unit length
    const float[:, ::1] queries,       # IN [m, d]
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
                         const float *query, double query_norm, const int64_t[:, ::1] exclude, Py_ssize_t q,
                         float slack, best_list *best, uint32_t *chosen) noexcept nogil:
    # Stretches grow with what has been seen, so that the threshold is worth something before many rows pass it.
    cdef Py_ssize_t at = 0, stop, i, found, row
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
            best_offer(best, score(matrix, norms, row, query, query_norm), first + row)
        at = stop


def has_int8():
    """Whether the instruction set in use multiplies int8, which `screen8` needs."""
    return kernels.tile8 != NULL


def quantise(
    const float[:, ::1] matrix,        # IN [n, d]
    const double[::1] norms,           # IN [n]
    Py_ssize_t begin,                  # first row, a multiple of 16
    Py_ssize_t count,                  # rows
    const int64_t[::1] leading,        # IN [bounds] elements, multiples of 4 that ascend
    const int64_t[::1] shifts,         # IN [bounds + 1] powers of 2 in those up to each, and behind the last
    uint8_t[::1] codes,                # OUT, see _kernels/quantised.h
    float[::1] scales,                 # OUT [n up to a multiple of 16]
    float[::1] errors,                 # OUT [n up to a multiple of 16]
    float[:, :] leading_errors,        # OUT [bounds, as errors or more] of these elements alone
):
    """Codes of a run of rows."""
    with nogil:
        quantise_rows(kernels.quantise16, &matrix[0, 0], &norms[0], <size_t> begin, <size_t> count,
                      <size_t> matrix.shape[1], &leading[0] if leading.shape[0] else NULL,
                      &shifts[0], <size_t> leading.shape[0], &codes[0], &scales[0], &errors[0],
                      &leading_errors[0, 0] if leading.shape[0] else NULL,
                      <size_t> leading_errors.strides[0] // sizeof(float))


def quantise_queries(
    const float[:, ::1] unit,          # IN [m, d] of unit length, or zero
    int parts,                         # 1 or 2 bytes for each element
    int8_t[:, :, ::1] codes,           # OUT [m, 2, 4 * steps] high and low
    int32_t[:, ::1] corrections,       # OUT [m, 2]
    float[::1] scales,                 # OUT [m]
    float[::1] errors,                 # OUT [m] bounds of |q - q'|
):
    """Codes of queries."""
    cdef Py_ssize_t q
    with nogil:
        for q in range(unit.shape[0]):
            errors[q] = <float> quantise_query(&unit[q, 0], <size_t> unit.shape[1], <size_t> codes.shape[2] // 4,
                                               parts, &codes[q, 0, 0], &codes[q, 1, 0], &corrections[q, 0], &scales[q])


cdef inline Py_ssize_t select_flagged(const float *values, const float *errors, const uint8_t *flags, Py_ssize_t count,
                                      float floor, uint32_t *chosen) noexcept nogil:
    # The i < count where values[i] + errors[i] is not below floor, among those that `tile8` flags; returns how many.
    cdef size_t found = 0, begin = 0, end, n = <size_t> count
    while begin < n:
        end = begin + 64 if n - begin > 64 else n
        if flags[begin // 64]:
            found += kernels.select_sum(values, errors, begin, end, floor, chosen + found)
        begin = end
    return <Py_ssize_t> found


def screen8(
    const float[:, ::1] matrix,        # IN [n, d] all rows
    const double[::1] norms,           # IN [n]
    const uint8_t[::1] codes,          # IN of all rows
    const float[::1] scales,           # IN
    const float[::1] errors,           # IN bounds of |u - u'|
    float worst,                       # the largest of these
    Py_ssize_t begin,                  # the run of rows, begin a multiple of 16
    Py_ssize_t end,
    const int8_t[:, :, ::1] query_codes,    # IN [m, 2, 4 * steps]
    int parts,
    const int32_t[:, ::1] corrections,      # IN [m, 2]
    const float[::1] query_scales,     # IN [m]
    const float[::1] slack,            # IN [m] what the query's codes add to the bound
    const float[:, ::1] queries,       # IN [m, d]
    const double[::1] query_norms,     # IN [m]
    const int64_t[:, ::1] exclude,     # IN [m, e]
    float[:, ::1] best_scores,         # INOUT [m, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [m, k]
    int64_t[::1] held,                 # INOUT [m]
    float[:, ::1] tile,                # scratch [m, rows at a time, a multiple of 64]
    uint8_t[:, ::1] flags,             # scratch [m, rows at a time / 64]
    float[::1] floors,                 # scratch [m]
    float[::1] most,                   # scratch [rows at a time]
    uint32_t[::1] chosen,              # scratch [rows at a time]
    float[:, ::1] lower,               # scratch [m, k]
    uint32_t[:, ::1] pool_rows,        # scratch [m, room]
    float[:, ::1] pool_upper,          # scratch [m, room]
    pools,                             # scratch, bytes of m pools
):
    """The same as `scan`, with the rows screened by int8 products.

    The product of the codes is off from the cosine by at most error + slack (quantised.h; slack covers the rounding of
    the unit query and of the last few float32 operations). Rows that may be among the k best by these bounds wait in
    a pool; those that still may be at the end are scored by the rule.
    """
    cdef Py_ssize_t width = tile.shape[1], m = queries.shape[0], at, count, q, i, found, row
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef best_list best
    cdef float value, error
    cdef rows8 rows
    cdef queries8 asked
    asked.codes, asked.stride, asked.count = &query_codes[0, 0, 0], <size_t> query_codes.shape[2], <size_t> m
    asked.parts, asked.corrections, asked.scales = parts, &corrections[0, 0], &query_scales[0]
    asked.floors, rows.steps = &floors[0], asked.stride // 4
    rows.stride = rows.steps
    with nogil:
        for q in range(m):
            waiting[q] = empty(lower, pool_rows, pool_upper, q)
            best = list_of(best_scores, best_rows, held, q)
            settle(&waiting[q], &best)
        at = begin
        while at < end:
            count = width if width < end - at else end - at
            for q in range(m):
                floors[q] = waiting[q].floor - slack[q] - worst
            rows.codes, rows.scales = &codes[<size_t> at * asked.stride], &scales[at]
            rows.groups = <size_t> (count + 15) // 16
            kernels.tile8(&rows, &asked, &tile[0, 0], <size_t> width, &flags[0, 0])
            for q in range(m):
                if waiting[q].floor == -INFINITY:
                    first_floor(&waiting[q], &tile[q, 0], &errors[at], slack[q], count, <size_t> exclude.shape[1],
                                &most[0])
                found = select_flagged(&tile[q, 0], &errors[at], &flags[q, 0], count, waiting[q].floor - slack[q],
                                       &chosen[0])
                for i in range(found):
                    row = at + chosen[i]
                    value = tile[q, chosen[i]]
                    error = errors[row] + slack[q]
                    if value + error < waiting[q].floor or is_excluded(row, exclude, q):
                        continue
                    if not pool_offer(&waiting[q], <uint32_t> row, value - error, value + error):
                        best = list_of(best_scores, best_rows, held, q)
                        empty_pool(&waiting[q], matrix, norms, &queries[q, 0], query_norms[q], &best)
                        held[q] = <int64_t> best.held
                        pool_offer(&waiting[q], <uint32_t> row, value - error, value + error)
            at += count
        for q in range(m):
            pool_tidy(&waiting[q])
            best = list_of(best_scores, best_rows, held, q)
            empty_pool(&waiting[q], matrix, norms, &queries[q, 0], query_norms[q], &best)
            held[q] = <int64_t> best.held


cdef void empty_pool(pool *waiting, const float[:, ::1] matrix, const double[::1] norms, const float *query,
                     double query_norm, best_list *best) noexcept nogil:
    # Scores what waits by the rule, the most promising first, so that much of the rest cannot matter any more. What is
    # now the k-th best bounds what may still come.
    cdef size_t i, ahead
    if waiting.count > waiting.k:
        kth_highest(waiting.upper, waiting.rows, waiting.count, waiting.k)
    for i in range(waiting.count):
        ahead = i + 4
        if ahead < waiting.count and not waiting.upper[ahead] < threshold(best, 0):
            fetch(&matrix[waiting.rows[ahead], 0], <size_t> matrix.shape[1])
        if not waiting.upper[i] < threshold(best, 0):
            best_offer(best, score(matrix, norms, waiting.rows[i], query, query_norm), waiting.rows[i])
    settle(waiting, best)


def pool_bytes():
    """Bytes of one pool of `screen8`."""
    return sizeof(pool)


def prepare_pools(
    float[:, ::1] lower,               # [m, k]
    uint32_t[:, ::1] pool_rows,        # [m, room]
    float[:, ::1] pool_upper,          # [m, room]
    pools,                             # OUT bytes of m pools
):
    """Empty pools, which point into the other three arrays."""
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef Py_ssize_t q
    for q in range(lower.shape[0]):
        waiting[q] = empty(lower, pool_rows, pool_upper, q)


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
