"""The neighbourhood graph: the k nearest rows of many rows, each pair of rows multiplied once.

A tile of products of the rows I and J serves the rows of I, which look among J, and those of J, which look among I.
What may still be among the k nearest waits in a pool for each word (see `_fast.screen8`, whose bounds hold here too).
Where the products only bound the cosine from above (query/leading.py), what they let through is multiplied in float32.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t
from libc.math cimport INFINITY, sqrt
from libc.string cimport memset

from wordgeo._fast cimport (best_list, empty_pool, fetch, first_floor, gemm, kernels, list_of, pool, pool_offer,
                            pool_tidy, queries8, rows8, select_flagged)


def turn(
    const float[:, ::1] matrix,        # IN [n, d] rows
    const double[::1] norms,           # IN [n]
    const float[:, ::1] axes,          # IN [h, d] of unit length
    double margin,                     # added to the square of what the axes leave out, as a share of the row's
    float[:, ::1] out,                 # OUT [n, h + 1]
):
    """The products of rows with some axes, and the length of what these leave out."""
    cdef Py_ssize_t i, h = axes.shape[0]
    cdef float squares
    cdef double rest
    with nogil:
        gemm(&matrix[0, 0], &axes[0, 0], &out[0, 0], <int> matrix.shape[0], <int> h, <int> matrix.shape[1],
             <int> (h + 1))
        for i in range(matrix.shape[0]):
            squares = kernels.dot_float(&out[i, 0], &out[i, 0], <size_t> h)
            rest = norms[i] * norms[i] * (1 + margin) - squares
            out[i, h] = <float> sqrt(rest) if rest > 0 else 0


def visit(
    const float[:, ::1] matrix,        # IN [n, d] all rows
    const double[::1] norms,           # IN [n]
    const float[::1] scale,            # IN [n] for float32 products, as in `_fast.screen`; may be empty with codes
    const uint8_t[::1] codes,          # IN of all rows for int8 products; else empty
    const float[::1] code_scales,      # IN
    const float[::1] errors,           # IN [n up to a multiple of 16] part of a row in the bound
    float worst,                       # the largest of these
    float fine,                        # with scale and codes: the products are bounds from above, and float32 products
                                       # of what they let through are not off by more than this
    Py_ssize_t first,                  # the words I: rows first .. first + m
    const float[:, ::1] unit,          # IN [m, d] these rows at unit length for float32 products; else empty
    const int8_t[:, :, ::1] word_codes,     # IN [m, 2, 4 * steps] their int8 codes, if not
    const int32_t[:, ::1] corrections,      # IN [m, 2]
    const float[::1] word_scales,      # IN [m]
    const float[::1] slack,            # IN [m] part of a word in the bound
    Py_ssize_t begin,                  # the rows J, begin a multiple of 16
    Py_ssize_t end,
    bint both,                         # whether those of the rows J that are words look among I too
    pools,                             # INOUT pools of all words
    float[:, ::1] best_scores,         # INOUT [words, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [words, k]
    int64_t[::1] held,                 # INOUT [words]
    float[:, ::1] tile,                # scratch [words at a time, rows at a time, a multiple of 64]
    uint8_t[:, ::1] flags,             # scratch [words at a time, rows at a time / 64]
    float[::1] floors,                 # scratch [words at a time]
    float[::1] needed,                 # scratch [rows in a first tile, which has fewer words in their place]
    uint32_t[::1] chosen,              # scratch [rows in a first tile]
):
    """Offers the rows J to the words I and, with `both`, the rows I to the words J."""
    cdef Py_ssize_t width = tile.shape[1], height = tile.shape[0], at, count, others, q, block, high, i, found
    cdef Py_ssize_t row, word
    cdef Py_ssize_t m = slack.shape[0], words = held.shape[0]
    cdef size_t d = <size_t> matrix.shape[1]
    cdef bint above = codes.shape[0] > 0 and scale.shape[0] > 0
    cdef float error, value
    cdef float *values
    cdef rows8 rows
    cdef queries8 asked
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    asked.stride, asked.parts, asked.floors = <size_t> word_codes.shape[2], 1, &floors[0]
    rows.steps = asked.stride // 4
    with nogil:
        if waiting[first].floor == -INFINITY:  # see `first_floor`
            width, height = needed.shape[0], height * width // needed.shape[0]
        block = 0
        while block < m:
            high = height if height < m - block else m - block
            at = begin
            while at < end:
                count = width if width < end - at else end - at
                if codes.shape[0]:
                    for q in range(high):
                        floors[q] = waiting[first + block + q].floor - slack[block + q] - worst
                    rows.codes, rows.scales = &codes[<size_t> at * asked.stride], &code_scales[at]
                    rows.groups = <size_t> (count + 15) // 16
                    asked.codes, asked.count = &word_codes[block, 0, 0], <size_t> high
                    asked.corrections, asked.scales = &corrections[block, 0], &word_scales[block]
                    kernels.tile8(&rows, &asked, &tile[0, 0], <size_t> width, &flags[0, 0])
                else:
                    gemm(&unit[block, 0], &matrix[at, 0], &tile[0, 0], <int> high, <int> count, <int> matrix.shape[1],
                         <int> width)
                    memset(&flags[0, 0], 1, <size_t> (high * (width // 64)))
                    for q in range(high):
                        values = &tile[0, 0] + q * width
                        for i in range(count):
                            values[i] = values[i] * scale[at + i]
                for q in range(high):
                    word, values = first + block + q, &tile[0, 0] + q * width
                    if waiting[word].floor == -INFINITY and not above:
                        first_floor(&waiting[word], values, &errors[at], slack[block + q], count, 1, &needed[0])
                    found = select_flagged(values, &errors[at], &flags[0, 0] + q * (width // 64), count,
                                           waiting[word].floor - slack[block + q], &chosen[0])
                    for i in range(found):
                        row = at + chosen[i]
                        if above:
                            if i + 2 < found:
                                fetch(&matrix[at + chosen[i + 2], 0], d)
                            value, error = product(matrix, scale, word, row), fine
                        else:
                            value, error = values[chosen[i]], errors[row] + slack[block + q]
                        if not offer(&waiting[word], word, row, value, error):
                            empty(&waiting[word], word, matrix, norms, best_scores, best_rows, held)
                            offer(&waiting[word], word, row, value, error)
                if both and at < words:
                    others = count if count < words - at else words - at
                    for i in range(others):
                        needed[i] = errors[at + i] - waiting[at + i].floor
                    for q in range(high):
                        row, values = first + block + q, &tile[0, 0] + q * width
                        found = <Py_ssize_t> kernels.select_sum(values, &needed[0], 0, <size_t> others,
                                                                -slack[block + q], &chosen[0])
                        for i in range(found):
                            word = at + chosen[i]
                            if above:
                                value, error = product(matrix, scale, word, row), fine
                            else:
                                value, error = values[chosen[i]], errors[word] + slack[block + q]
                            if not offer(&waiting[word], word, row, value, error):
                                empty(&waiting[word], word, matrix, norms, best_scores, best_rows, held)
                                offer(&waiting[word], word, row, value, error)
                at += count
            block += high


cdef inline float product(const float[:, ::1] matrix, const float[::1] scale, Py_ssize_t i,
                          Py_ssize_t j) noexcept nogil:
    return kernels.dot_float(&matrix[i, 0], &matrix[j, 0], <size_t> matrix.shape[1]) * scale[i] * scale[j]


cdef inline bint offer(pool *waiting, Py_ssize_t word, Py_ssize_t row, float value, float error) noexcept nogil:
    # False where the pool is full. Called for every row that a screen lets through, so it passes no memoryviews.
    cdef float low = value - error, high = value + error
    if row == word or high < waiting.floor:
        return True
    if not low == low or not high == high:  # the float32 product does not know this row
        low, high = -INFINITY, INFINITY
    return pool_offer(waiting, <uint32_t> row, low, high)


cdef void empty(pool *waiting, Py_ssize_t word, const float[:, ::1] matrix, const double[::1] norms,
                float[:, ::1] best_scores, int64_t[:, ::1] best_rows, int64_t[::1] held) noexcept nogil:
    # Scores what waits by the rule.
    cdef best_list best = list_of(best_scores, best_rows, held, word)
    empty_pool(waiting, matrix, norms, &matrix[word, 0], norms[word], &best)
    held[word] = <int64_t> best.held


def finish(
    const float[:, ::1] matrix,        # IN [n, d]
    const double[::1] norms,           # IN [n]
    Py_ssize_t begin,                  # words begin .. end
    Py_ssize_t end,
    pools,                             # INOUT
    float[:, ::1] best_scores,         # INOUT [words, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [words, k]
    int64_t[::1] held,                 # INOUT [words]
):
    """Scores what still waits by the rule."""
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef Py_ssize_t word
    with nogil:
        for word in range(begin, end):
            pool_tidy(&waiting[word])
            empty(&waiting[word], word, matrix, norms, best_scores, best_rows, held)
