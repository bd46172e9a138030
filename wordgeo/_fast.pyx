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

Nothing here validates or allocates; `wordgeo.query` does. Every function that scores has a twin in
reference.py; `quantise` is held against exact integers, `overlaps` against sets (tests).
"""

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
    cdef Py_ssize_t i
    cdef size_t d = <size_t> matrix.shape[1]
    with nogil:
        for i in range(a.shape[0]):
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
    uint8_t[::1] codes,                # OUT, see _kernels/quantised.h
    float[::1] scales,                 # OUT [n up to a multiple of 16]
    float[::1] errors,                 # OUT [n up to a multiple of 16]
):
    """Codes of a run of rows."""
    with nogil:
        quantise_rows(&matrix[0, 0], &norms[0], <size_t> begin, <size_t> count, <size_t> matrix.shape[1], &codes[0],
                      &scales[0], &errors[0])


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


def screen8(
    const float[:, ::1] matrix,        # IN [n, d] all rows
    const double[::1] norms,           # IN [n]
    const uint8_t[::1] codes,          # IN of all rows
    const float[::1] scales,           # IN
    const float[::1] errors,           # IN bounds of |u - u'|
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
    float[:, ::1] tile,                # scratch [m, rows at a time, a multiple of 16]
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
    cdef Py_ssize_t width = tile.shape[1], m = queries.shape[0], at, count, q, p, stop, i, found, row
    cdef size_t steps = <size_t> query_codes.shape[2] // 4
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef best_list best
    cdef float value, error
    with nogil:
        for q in range(m):
            waiting[q] = empty(lower, pool_rows, pool_upper, q)
            best = list_of(best_scores, best_rows, held, q)
            settle(&waiting[q], &best)
        at = begin
        while at < end:
            count = width if width < end - at else end - at
            kernels.tile8(&codes[<size_t> at * 4 * steps], <size_t> (count + 15) // 16, steps, &query_codes[0, 0, 0],
                          4 * steps, <size_t> m, parts, &corrections[0, 0], &query_scales[0], &scales[at],
                          &tile[0, 0], <size_t> width)
            for q in range(m):
                p = 0
                while p < count:
                    stop = p + stretch(at - begin + p, waiting[q].k)
                    if stop > count:
                        stop = count
                    found = <Py_ssize_t> kernels.select_sum(&tile[q, 0], &errors[at], <size_t> p, <size_t> stop,
                                                            waiting[q].floor - slack[q], &chosen[0])
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
                    p = stop
            at += count
        for q in range(m):
            pool_tidy(&waiting[q])
            best = list_of(best_scores, best_rows, held, q)
            empty_pool(&waiting[q], matrix, norms, &queries[q, 0], query_norms[q], &best)
            held[q] = <int64_t> best.held


cdef void empty_pool(pool *waiting, const float[:, ::1] matrix, const double[::1] norms, const float *query,
                     double query_norm, best_list *best) noexcept nogil:
    # Scores what waits by the rule. What is now the k-th best bounds what may still come.
    cdef size_t i
    for i in range(waiting.count):
        best_offer(best, score(matrix, norms, waiting.rows[i], query, query_norm), waiting.rows[i])
    settle(waiting, best)


def pool_bytes():
    """Bytes of one pool of `screen8`."""
    return sizeof(pool)


def analogies(
    int method,                        # ADD, MUL or DIRECTION
    const float[:, ::1] matrix,        # IN [n, d] a run of rows
    const double[::1] norms,           # IN [n]
    int64_t first,                     # index of the run's first row
    const float[::1] scale,            # IN [n] for tables by float32 products, as in `screen`; else empty
    const uint8_t[::1] codes,          # IN for tables by int8 products: the run's codes; else empty
    const float[::1] code_scales,      # IN [n up to a multiple of 16]
    const float[::1] code_errors,      # IN likewise
    const float[:, ::1] unit,          # IN [w, d] the words of the questions at unit length
    const int8_t[:, :, ::1] word_codes,     # IN [w, 2, 4 * steps]
    const int32_t[:, ::1] corrections,      # IN [w, 2]
    const float[::1] word_scales,      # IN [w]
    const float[::1] word_errors,      # IN [w] what a word adds to the error of its cosines
    const int32_t[:, ::1] questions,   # IN [m, 3] a, b, c as places among the words; equal (a, b) side by side
    const double[::1] lengths,         # IN [m] |b - a + c| for ADD, |b - a| for DIRECTION, over unit vectors
    const float[:, ::1] queries,       # IN [m, d] the combined query for ADD, the direction b - a for DIRECTION
    const double[::1] query_norms,     # IN [m]
    const double[::1] shifts,          # IN [m] cos(c, direction) for DIRECTION
    const float[:, ::1] vectors,       # IN [w, d] the words as they are
    const double[::1] word_norms,      # IN [w]
    double epsilon,                    # for MUL
    const int64_t[:, ::1] exclude,     # IN [m, e] rows that are no answers
    const float[::1] gold,             # IN [m] score of the gold word; NaN where none is asked for
    int64_t[:, ::1] ranks,             # INOUT [m, 2] how many answers score above gold, and how many at least as much
    float[:, ::1] best_scores,         # INOUT [m, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [m, k]
    int64_t[::1] held,                 # INOUT [m]
    float[:, ::1] table,               # scratch [w, rows at a time, a multiple of 16]: cosines of words and rows
    float[:, ::1] factors,             # scratch, the same shape for MUL and DIRECTION
    float[::1] base,                   # scratch [rows at a time]: what all questions with the same (a, b) share
    uint32_t[::1] chosen,              # scratch [rows at a time]
    float[:, ::1] lower,               # scratch [m, k]
    uint32_t[:, ::1] pool_rows,        # scratch [m, room]
    float[:, ::1] pool_upper,          # scratch [m, room]
    pools,                             # scratch, bytes of m pools
):
    """Analogies a : b = c : x over unit vectors, through one table of cosines, question words x rows, tile by tile.

    ADD        cos(x, b - a + c)                                      Mikolov, Yih & Zweig 2013
    MUL        s(x, b) s(x, c) / (s(x, a) + epsilon), s = (cos + 1) / 2       Levy & Goldberg 2014
    DIRECTION  cos(b - a, x - c) = (cos(x, p) - cos(c, p)) / sqrt(2 - 2 cos(x, c)) with p along b - a; 0 where x = c

    The rule scores all three from float64 cosines, rounded once. The table's cosines are off by at most
    e(w) = error of the row + word_errors[w], so a score lies within

    bounds (_kernels/analogies.h), and rows whose upper bound reaches the k-th highest lower bound wait in a pool, as in
    `screen8`.
    """
    cdef Py_ssize_t n = matrix.shape[0], width = table.shape[1], m = questions.shape[0], words = unit.shape[0]
    cdef Py_ssize_t at = 0, count, q, p, w, i, stop, found, row
    cdef Py_ssize_t steps = word_codes.shape[2] // 4
    cdef int d = <int> matrix.shape[1]
    cdef int a = -1, b = -1, c
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef best_list best
    cdef float row_error, exact, least, needed, value, inverse, spread
    cdef double error
    cdef analogy_bounds known
    cdef bint ranked, vague
    with nogil:
        for q in range(m):
            waiting[q] = empty(lower, pool_rows, pool_upper, q)
            best = list_of(best_scores, best_rows, held, q)
            settle(&waiting[q], &best)
        while at < n:
            count = width if width < n - at else n - at
            row_error = 0
            if codes.shape[0]:
                kernels.tile8(&codes[at * 4 * steps], <size_t> (count + 15) // 16, <size_t> steps,
                              &word_codes[0, 0, 0], <size_t> (4 * steps), <size_t> words, 2, &corrections[0, 0],
                              &word_scales[0], &code_scales[at], &table[0, 0], <size_t> width)
                for i in range(count):
                    if code_errors[at + i] > row_error:
                        row_error = code_errors[at + i]
            else:
                gemm(&unit[0, 0], &matrix[at, 0], &table[0, 0], <int> words, <int> count, d, <int> width)
                for w in range(words):
                    for i in range(count):
                        table[w, i] = table[w, i] * scale[at + i]
            if method != ADD:
                for w in range(words):
                    analogy_factor(method, &table[w, 0], row_error + word_errors[w], <size_t> count, &factors[w, 0])
            a = b = -1
            for q in range(m):
                if questions[q, 0] != a or questions[q, 1] != b:
                    a = questions[q, 0]
                    b = questions[q, 1]
                    analogy_base(method, &table[a, 0], &table[b, 0], row_error + word_errors[a],
                                 row_error + word_errors[b], epsilon, lengths[q], <size_t> count, &base[0])
                c = questions[q, 2]
                ranked = gold[q] == gold[q]
                error = row_error * lengths[q] + word_errors[a] + word_errors[b] + word_errors[c]
                if ranked and method == ADD and lengths[q] > 1e-3:
                    ranked = False  # what lies clearly above or below gold needs no look at each
                    ranks[q, 0] += count_above(&base[0], &table[c, 0], at, count, gold[q], lengths[q], error, matrix,
                                               norms, first, &queries[q, 0], query_norms[q], exclude, q, &ranks[q, 1],
                                               &chosen[0])
                # Where a direction does not exist every score is 0, which no bound knows.
                vague = method == DIRECTION and not (word_norms[c] > 0 and query_norms[q] > 0)
                p = 0
                while p < count:
                    stop = count if ranked else p + stretch(at + p, waiting[q].k)
                    if stop > count:
                        stop = count
                    least = gold[q] if ranked and gold[q] < waiting[q].floor else waiting[q].floor
                    needed = -INFINITY if vague else analogy_threshold(method, least, lengths[q], error)
                    inverse = <float> (1 / lengths[q]) if lengths[q] > 0 else INFINITY
                    spread = <float> (error / lengths[q] if lengths[q] > 0 else INFINITY)
                    if method == ADD:
                        found = <Py_ssize_t> kernels.select_sum(&base[0], &table[c, 0], <size_t> p, <size_t> stop,
                                                                needed, &chosen[0])
                    else:
                        found = <Py_ssize_t> kernels.select_product(&base[0], analogy_shift(method, shifts[q]),
                                                                    &factors[c, 0], <size_t> p, <size_t> stop,
                                                                    needed, &chosen[0])
                    for i in range(found):
                        row = at + chosen[i]
                        known.low, known.high = -INFINITY, INFINITY
                        if method == ADD and lengths[q] > 1e-3 and norms[row] > 0:
                            value = (base[chosen[i]] + table[c, chosen[i]]) * inverse
                            if value == value:
                                known.low, known.high = value - spread, value + spread
                        elif not vague and norms[row] > 0:
                            known = bounds_of(method, table[a, chosen[i]], table[b, chosen[i]], table[c, chosen[i]],
                                              row_error + word_errors[a], row_error + word_errors[b],
                                              row_error + word_errors[c], epsilon, lengths[q], shifts[q])
                        if known.high < least or is_excluded(first + row, exclude, q):
                            continue
                        if ranked and known.high >= gold[q]:
                            exact = known.low
                            if not exact > gold[q]:
                                exact = analogy_score(method, matrix, norms, row, vectors, word_norms, a, b, c,
                                                      &queries[q, 0], query_norms[q], shifts[q], epsilon)
                            ranks[q, 0] += exact > gold[q]
                            ranks[q, 1] += exact >= gold[q]
                        if known.high < waiting[q].floor:
                            continue
                        if not pool_offer(&waiting[q], <uint32_t> row, known.low, known.high):
                            best = list_of(best_scores, best_rows, held, q)
                            score_pool(&waiting[q], method, matrix, norms, first, vectors, word_norms, a, b, c,
                                       &queries[q, 0], query_norms[q], shifts[q], epsilon, &best)
                            held[q] = <int64_t> best.held
                            pool_offer(&waiting[q], <uint32_t> row, known.low, known.high)
                    p = stop
            at += count
        for q in range(m):
            pool_tidy(&waiting[q])
            best = list_of(best_scores, best_rows, held, q)
            score_pool(&waiting[q], method, matrix, norms, first, vectors, word_norms, questions[q, 0],
                       questions[q, 1], questions[q, 2], &queries[q, 0], query_norms[q], shifts[q], epsilon, &best)
            held[q] = <int64_t> best.held


cdef int64_t count_above(const float *base, const float *of_c, Py_ssize_t begin, Py_ssize_t count, float gold,
                         double length, double error, const float[:, ::1] matrix, const double[::1] norms,
                         int64_t first, const float *query, double query_norm, const int64_t[:, ::1] exclude,
                         Py_ssize_t q, int64_t *at_least, uint32_t *chosen) noexcept nogil:
    # How many rows of a tile score above gold by 3CosAdd; those at least as high are added to at_least.
    cdef float high = <float> (gold * length + error), exact
    cdef size_t n_chosen = 0, i
    cdef int64_t above, row, e
    above = <int64_t> kernels.count_sum(base, of_c, <size_t> count, <float> (gold * length - error), high, chosen,
                                        &n_chosen)
    for e in range(exclude.shape[1]):
        row = exclude[q, e] - first - begin
        if 0 <= row < count and base[row] + of_c[row] > high and not is_repeated(exclude, q, e):
            above -= 1
    at_least[0] += above
    for i in range(n_chosen):
        row = begin + chosen[i]
        if not is_excluded(first + row, exclude, q):
            exact = score(matrix, norms, row, query, query_norm)
            above += exact > gold
            at_least[0] += exact >= gold
    return above


cdef inline bint is_repeated(const int64_t[:, ::1] exclude, Py_ssize_t q, Py_ssize_t e) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(e):
        if exclude[q, i] == exclude[q, e]:
            return True
    return False


cdef float analogy_score(int method, const float[:, ::1] matrix, const double[::1] norms, Py_ssize_t row,
                         const float[:, ::1] vectors, const double[::1] word_norms, int a, int b, int c,
                         const float *query, double query_norm, double shift, double epsilon) noexcept nogil:
    # the rule, for each method
    cdef size_t d = <size_t> matrix.shape[1]
    cdef const float *x = &matrix[row, 0]
    cdef double of_a, of_b, of_c, square
    if method == ADD:
        return score(matrix, norms, row, query, query_norm)
    of_c = cosine(kernels.dot(x, &vectors[c, 0], d), norms[row], word_norms[c])
    if method == MUL:
        of_a = cosine(kernels.dot(x, &vectors[a, 0], d), norms[row], word_norms[a])
        of_b = cosine(kernels.dot(x, &vectors[b, 0], d), norms[row], word_norms[b])
        return <float> (((of_b + 1) / 2) * ((of_c + 1) / 2) / ((of_a + 1) / 2 + epsilon))
    square = 2 - 2 * of_c
    if not (norms[row] > 0 and word_norms[c] > 0 and query_norm > 0 and square > 0):
        return 0
    return <float> ((cosine(kernels.dot(x, query, d), norms[row], query_norm) - shift) / sqrt(square))


def analogy_scores(
    int method,
    const float[:, ::1] matrix,        # IN [n, d]
    const double[::1] norms,           # IN [n]
    const int64_t[::1] rows,           # IN [m] the row to score for each question, -1 for none
    const float[:, ::1] vectors,       # IN [w, d] as in `analogies`
    const double[::1] word_norms,      # IN [w]
    const int32_t[:, ::1] questions,   # IN [m, 3]
    const float[:, ::1] queries,       # IN [m, d]
    const double[::1] query_norms,     # IN [m]
    const double[::1] shifts,          # IN [m]
    double epsilon,
    float[::1] out,                    # OUT [m], NaN for none
):
    """The scores of given rows by the rule."""
    cdef Py_ssize_t q
    with nogil:
        for q in range(rows.shape[0]):
            out[q] = NAN if rows[q] < 0 else analogy_score(
                method, matrix, norms, rows[q], vectors, word_norms, questions[q, 0], questions[q, 1],
                questions[q, 2], &queries[q, 0], query_norms[q], shifts[q], epsilon)


cdef void score_pool(pool *waiting, int method, const float[:, ::1] matrix, const double[::1] norms, int64_t first,
                     const float[:, ::1] vectors, const double[::1] word_norms, int a, int b, int c,
                     const float *query, double query_norm, double shift, double epsilon,
                     best_list *best) noexcept nogil:
    cdef size_t i
    for i in range(waiting.count):
        best_offer(best, analogy_score(method, matrix, norms, waiting.rows[i], vectors, word_norms, a, b, c, query,
                                       query_norm, shift, epsilon), first + waiting.rows[i])
    settle(waiting, best)


def overlaps(
    const int64_t[:, :, ::1] lists,    # IN [models, words, k] neighbours by rank, as rows of a shared vocabulary
    double p,                          # persistence of rank-biased overlap, in (0, 1)
    int64_t[:, ::1] common,            # OUT [words, pairs] how many neighbours two models share, (0, 1), (0, 2)...
    double[:, ::1] rbo,                # OUT [words, pairs]
    int64_t[:, ::1] joint,             # OUT [words, 2] how many are in all lists, and in any
    int64_t[::1] stamps,               # scratch [shared rows], all 0 on entry; needs a new array for each call
    int64_t[::1] ranks,                # scratch [shared rows]
    int64_t[::1] depths,               # scratch [k + 1]
):
    """How far lists of neighbours agree, for every word and every pair of models.

    rbo is rank-biased overlap, extrapolated (Webber, Moffat & Zobel 2010, equation 32, for lists of the same length):
    X(k)/k p^k + (1 - p)/p sum over d = 1..k of X(d)/d p^d, where X(d) is the overlap of the first d.
    """
    cdef Py_ssize_t models = lists.shape[0], words = lists.shape[1], k = lists.shape[2], w, i, j, r, pair
    cdef int64_t mark = 0, shared, item
    cdef double total, weight
    with nogil:
        for w in range(words):
            pair = 0
            for i in range(models):
                mark += 1
                for r in range(k):
                    stamps[lists[i, w, r]] = mark
                    ranks[lists[i, w, r]] = r
                for j in range(i + 1, models):
                    for r in range(k + 1):
                        depths[r] = 0
                    for r in range(k):
                        item = lists[j, w, r]
                        if stamps[item] == mark:
                            depths[(ranks[item] if ranks[item] > r else r) + 1] += 1
                    shared = 0
                    total = 0
                    weight = 1
                    for r in range(1, k + 1):
                        shared += depths[r]
                        weight *= p
                        total += <double> shared / r * weight
                    common[w, pair] = shared
                    rbo[w, pair] = <double> shared / k * weight + (1 - p) / p * total
                    pair += 1
            # in all and in any: how often each neighbour is met
            mark += 1
            joint[w, 0] = joint[w, 1] = 0
            for i in range(models):
                for r in range(k):
                    item = lists[i, w, r]
                    if stamps[item] != mark:
                        stamps[item] = mark
                        ranks[item] = 0
                        joint[w, 1] += 1
                    ranks[item] += 1
                    if ranks[item] == models:
                        joint[w, 0] += 1


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
