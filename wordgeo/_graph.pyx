"""The neighbourhood graph: the k nearest rows of many rows, each pair of rows multiplied once.

Products of the rows I and J serve the rows of I, which look among J, and those of J, which look among I. What may still
be among the k nearest waits in a pool for each word (see `_fast.screen8`, whose bounds hold here too).
"""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint32_t
from libc.math cimport INFINITY, ldexp, sqrt
from libc.string cimport memcpy

from wordgeo._fast cimport (best_list, best_offer, best_sort, empty_pool, fetch, first_floor, gemm, kernels,
                            kth_highest, list_of, pool, pool_offer, pool_tidy, queries8, rows8, score, settle)

cdef extern from "kernels.h" nogil:
    enum:
        MOST_QUERIES "WORDGEO_MOST_QUERIES"
        MOST_BOUNDS "WORDGEO_MOST_BOUNDS"

cdef enum:  # the numbers that go with the codes of a row, or of a word
    SCALE
    UNIT           # one over the scale
    ERROR          # of a word what it adds to the bound
    BOUND_ERRORS   # of the elements up to each bound; behind them how long these are

cdef enum:
    ROWS_AHEAD = 4  # how early a row that is guessed is asked for
    POOLS_AHEAD = 4  # and what waits for a word, its pool twice as early
    MOST_SEEDS = 64  # in a list, since what waits is compared with each

WORDS_A_SWEEP = MOST_QUERIES  # words whose floors are read at a time


def project(
    const float[:, ::1] matrix,        # IN [n, d] rows
    const double[::1] norms,           # IN [n]
    const float[:, ::1] axes,          # IN [a, d]
    float[:, ::1] out,                 # OUT [n, a] of rows at unit length
):
    """The products of rows with some axes."""
    cdef Py_ssize_t i, j
    cdef int a = <int> axes.shape[0]
    with nogil:
        gemm(&matrix[0, 0], &axes[0, 0], &out[0, 0], <int> matrix.shape[0], a, <int> matrix.shape[1], a)
        for i in range(matrix.shape[0]):
            if norms[i] > 0:
                for j in range(a):
                    out[i, j] = <float> (out[i, j] / norms[i])


def turn(
    const float[:, ::1] matrix,        # IN [n, d] rows
    const double[::1] norms,           # IN [n]
    const float[:, ::1] axes,          # IN [d, d] of unit length
    const int64_t[::1] leading,        # IN [bounds]
    const int64_t[::1] shifts,         # IN [bounds + 1] powers of 2 in the axes up to each bound, and behind the last
    float[:, ::1] out,                 # OUT [n, d] products with the axes, the last of which are zero here
    float[::1] head,                   # OUT [n] and here, of rows at unit length
    float[:, :] rests,                 # OUT [bounds, n] and here the lengths of those behind the leading ones
):
    """The same for codes along all axes, with what they do not hold."""
    cdef Py_ssize_t i, bound, begin, end, d = matrix.shape[1]
    cdef double squares, of_part
    with nogil:
        gemm(&matrix[0, 0], &axes[0, 0], &out[0, 0], <int> matrix.shape[0], <int> d, <int> d, <int> d)
        for i in range(matrix.shape[0]):
            head[i] = <float> (out[i, d - 1] / norms[i]) if norms[i] > 0 else 0
            squares, end = 0, d - 1
            for bound in range(leading.shape[0] - 1, -1, -1):
                begin = leading[bound]
                if begin < end:
                    of_part = kernels.dot(&out[i, begin], &out[i, begin], <size_t> (end - begin))
                    squares += ldexp(of_part, <int> (-2 * shifts[bound + 1]))
                    end = begin
                rests[bound, i] = <float> (sqrt(squares) / norms[i]) if norms[i] > 0 else 0
            out[i, d - 1] = 0


def seed(
    const float[:, ::1] matrix,        # IN [n, d] all rows
    const double[::1] norms,           # IN [n]
    const int64_t[:, ::1] guess,       # IN [words, any number] rows that may be near, of which some may be the same
    float[:, ::1] guessed,             # OUT [words, as many] their scores
    float[::1] floors,                 # OUT [words] what the k-th best of each is not below
    const uint32_t[::1] these,         # IN the words whose lists begin, if they did not
    uint32_t[::1] met,                 # scratch [n], zero or of other words
    float[::1] scores,                 # scratch [n]
    int64_t[::1] chosen,               # scratch, as many as are guessed
    pools,                             # INOUT pools of all words, empty
    float[:, ::1] best_scores,         # INOUT [words, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [words, k]
    int64_t[::1] held,                 # INOUT [words]
):
    """The best of what is guessed, by the rule; where k is above `MOST_SEEDS`, only what its k-th best says."""
    cdef Py_ssize_t w, word, i, count
    cdef size_t d = <size_t> matrix.shape[1]
    cdef int64_t row
    cdef best_list best
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    with nogil:
        for w in range(these.shape[0]):
            word = these[w]
            best, count = list_of(best_scores, best_rows, held, word), 0
            if best.held:
                continue
            for i in range(guess.shape[1]):
                row = guess[word, i]
                if met[row] != <uint32_t> word + 1:
                    met[row], chosen[count] = <uint32_t> word + 1, row
                    count += 1
            for i in range(count):
                row = chosen[i]
                if i + ROWS_AHEAD < count:
                    fetch(&matrix[chosen[i + ROWS_AHEAD], 0], d)
                scores[row] = score(matrix, norms, row, &matrix[word, 0], norms[word])
                if row != word:
                    best_offer(&best, scores[row], row)
            for i in range(guess.shape[1]):
                guessed[word, i] = scores[guess[word, i]]
            settle(&waiting[word], &best)
            floors[word] = waiting[word].floor
            if best.room <= MOST_SEEDS:
                held[word] = <int64_t> best.held


def visit(
    const float[:, ::1] matrix,        # IN [n, d] all rows
    const double[::1] norms,           # IN [n]
    const float[::1] scale,            # IN [n] as in `_fast.screen`
    const float[::1] errors,           # IN [n] zero
    Py_ssize_t first,                  # the words I: rows first .. first + m
    const float[:, ::1] unit,          # IN [m, d] these rows at unit length
    const float[::1] slack,            # IN [m] bound of a product's error
    Py_ssize_t begin,                  # the rows J
    Py_ssize_t end,
    bint both,                         # whether those of the rows J that are words look among I too
    pools,                             # INOUT pools of all words
    float[:, ::1] best_scores,         # INOUT [words, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [words, k]
    int64_t[::1] held,                 # INOUT [words]
    float[:, ::1] tile,                # scratch [words at a time, rows at a time]
    float[::1] needed,                 # scratch [rows in a first tile, which has fewer words in their place]
    uint32_t[::1] chosen,              # scratch [rows in a first tile]
):
    """Offers the rows J to the words I and, with `both`, the rows I to the words J, by float32 products."""
    cdef Py_ssize_t width = tile.shape[1], height = tile.shape[0], at, count, others, q, block = 0, high, i, found
    cdef Py_ssize_t m = slack.shape[0], words = held.shape[0], d = matrix.shape[1], row, word
    cdef float *values
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    with nogil:
        if waiting[first].floor == -INFINITY:  # see `first_floor`
            width, height = needed.shape[0], height * width // needed.shape[0]
        while block < m:
            high = height if height < m - block else m - block
            at = begin
            while at < end:
                count = width if width < end - at else end - at
                gemm(&unit[block, 0], &matrix[at, 0], &tile[0, 0], <int> high, <int> count, <int> d, <int> width)
                for q in range(high):
                    row, values = first + block + q, &tile[0, 0] + q * width
                    for i in range(count):
                        values[i] = values[i] * scale[at + i]
                    if waiting[row].floor == -INFINITY:
                        first_floor(&waiting[row], values, &errors[at], slack[block + q], count, 1, &needed[0])
                    found = <Py_ssize_t> kernels.select_sum(values, &errors[at], 0, <size_t> count,
                                                            waiting[row].floor - slack[block + q], &chosen[0])
                    for i in range(found):
                        if not offer(waiting, row, at + chosen[i], values[chosen[i]], slack[block + q]):
                            empty(&waiting[row], row, matrix, norms, best_scores, best_rows, held)
                            offer(waiting, row, at + chosen[i], values[chosen[i]], slack[block + q])
                if both and at < words:
                    others = count if count < words - at else words - at
                    for i in range(others):
                        needed[i] = -waiting[at + i].floor
                    for q in range(high):
                        row, values = first + block + q, &tile[0, 0] + q * width
                        found = <Py_ssize_t> kernels.select_sum(values, &needed[0], 0, <size_t> others,
                                                                -slack[block + q], &chosen[0])
                        for i in range(found):
                            word = at + chosen[i]
                            if not offer(waiting, word, row, values[chosen[i]], slack[block + q]):
                                empty(&waiting[word], word, matrix, norms, best_scores, best_rows, held)
                                offer(waiting, word, row, values[chosen[i]], slack[block + q])
                at += count
            block += high


def visit8(
    const float[:, ::1] matrix,        # IN [n, d] all rows
    const double[::1] norms,           # IN [n]
    const uint8_t[::1] codes,          # IN of all rows
    const float[:, ::1] of_rows,       # IN [BOUND_ERRORS + 2 * bounds, n up to a multiple of 16]
    const int16_t[:, :, ::1] row_pairs,     # IN [1 + bounds, as many, 2] an element beside the codes; the length of
                                            # what is behind each bound, and a half; all in units
    const uint32_t[::1] order,         # IN [n] the row of each place; codes and all that follows go by places
    const int64_t[::1] leading,        # IN [bounds] elements, in fours, of which each is made; of a single one all
    const int64_t[::1] shifts,         # IN [bounds + 1] powers of 2 in the codes up to each, 0, and behind the last
    Py_ssize_t first,                  # the words I: first .. first + m
    const int8_t[:, ::1] word_codes,   # IN [m, 4 * steps] their int8 codes
    const int32_t[:, :, ::1] part_corrections,  # IN [bounds + 1, m, 2] for those up to each bound, and behind the last
    const float[:, ::1] of_words,      # IN [BOUND_ERRORS + 2 * bounds, m]
    const int16_t[:, :, ::1] word_pairs,    # IN [1 + bounds, m, 2]
    float rounding,                    # of a bound, beside the errors
    Py_ssize_t begin,                  # the rows J, begin a multiple of 16
    Py_ssize_t end,
    bint both,                         # whether those of the rows J that are words look among I too
    pools,                             # INOUT pools of all words
    float[:, ::1] best_scores,         # INOUT [words, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [words, k]
    int64_t[::1] held,                 # INOUT [words]
    float[:, ::1] tile,                # scratch [words at a time, rows at a time, a multiple of 64]
    float[::1] needed,                 # scratch [rows in a first tile, which has fewer words in their place]
    uint32_t[::1] chosen,              # scratch [rows in a first tile]
    uint8_t[:, ::1] flags,             # scratch [words at a time, rows at a time / 64], which goes unread
    float[::1] floors,                 # scratch [MOST_QUERIES]
    float[::1] values,                 # scratch [MOST_QUERIES * rows at a time + 16]
    uint32_t[::1] places,              # scratch, as many
    float[:, ::1] part,                # scratch, as tile
):
    """The same by int8 products; where those of the leading elements do not leave it open, of these alone."""
    cdef Py_ssize_t width = tile.shape[1], height = tile.shape[0], at, count, q, block = 0, high, i, found, word, row
    cdef Py_ssize_t m = of_words.shape[1], words = held.shape[0], place, bound, bounds = leading.shape[0]
    cdef float error
    cdef float *products
    cdef bint unmet
    cdef rows8 rows
    cdef queries8 asked
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    rows.steps, rows.bounds = <size_t> word_codes.shape[1] // 4, <size_t> bounds
    asked.stride, asked.parts = 2 * rows.steps, 1  # half of a word's, since codes of one part leave out the second
    asked.floors, asked.rounding = &floors[0], rounding
    rows.stride = rows.steps
    for bound in range(bounds):
        rows.leading[bound] = <size_t> leading[bound] // 4
    for bound in range(shifts.shape[0]):
        rows.shifts[bound] = <int> shifts[bound]
    with nogil:
        unmet = waiting[order[first]].floor == -INFINITY and not both
        if unmet:  # see `first_floor`
            width, height = needed.shape[0], height * width // needed.shape[0]
        else:
            height = MOST_QUERIES
        at = begin
        while at < end:
            count = width if width < end - at else end - at
            rows.codes, rows.groups = &codes[4 * <size_t> at * rows.steps], <size_t> (count + 15) // 16
            rows.scales, rows.units = &of_rows[SCALE, at], &of_rows[UNIT, at]
            rows.errors, rows.head = &of_rows[ERROR, at], &row_pairs[0, at, 0]
            for bound in range(bounds):
                rows.bound_errors[bound] = &of_rows[BOUND_ERRORS + bound, at]
                rows.lengths[bound] = &of_rows[BOUND_ERRORS + bounds + bound, at]
                rows.rests[bound] = &row_pairs[1 + bound, at, 0]
            block = 0
            while block < m:
                high = height if height < m - block else m - block
                asked.codes = &word_codes[block, 0]
                for bound in range(part_corrections.shape[0]):
                    asked.part_corrections[bound] = &part_corrections[bound, block, 0]
                asked.count = <size_t> high
                asked.scales, asked.units = &of_words[SCALE, block], &of_words[UNIT, block]
                asked.slack, asked.head = &of_words[ERROR, block], &word_pairs[0, block, 0]
                for bound in range(bounds):
                    asked.bound_errors[bound] = &of_words[BOUND_ERRORS + bound, block]
                    asked.lengths[bound] = &of_words[BOUND_ERRORS + bounds + bound, block]
                    asked.rests[bound] = &word_pairs[1 + bound, block, 0]
                for q in range(high):
                    floors[q] = waiting[order[first + block + q]].floor - asked.slack[q]
                if unmet:
                    multiply_parts(rows, asked, &tile[0, 0], &part[0, 0], width, &flags[0, 0])
                    for q in range(high):
                        word, products = order[first + block + q], &tile[0, 0] + q * width
                        for i in range(count):
                            products[i] += asked.head[2 * q] * asked.scales[q] * rows.head[2 * i] * rows.scales[i]
                        if waiting[word].floor == -INFINITY:
                            first_floor(&waiting[word], products, rows.errors, asked.slack[q], count, 1, &needed[0])
                        found = <Py_ssize_t> kernels.select_sum(products, rows.errors, 0, <size_t> count,
                                                                waiting[word].floor - asked.slack[q], &chosen[0])
                        for i in range(found):
                            row, error = order[at + chosen[i]], rows.errors[chosen[i]] + asked.slack[q]
                            if not offer(waiting, word, row, products[chosen[i]], error):
                                empty(&waiting[word], word, matrix, norms, best_scores, best_rows, held)
                                offer(waiting, word, row, products[chosen[i]], error)
                else:
                    rows.needed = NULL
                    if both and at < words:
                        rows.needed = &needed[0]
                        for i in range(16 * <Py_ssize_t> rows.groups):
                            needed[i] = waiting[order[at + i]].floor if at + i < words else INFINITY
                    found = <Py_ssize_t> kernels.leading8(&rows, &asked, &values[0], &places[0])
                    for i in range(found):
                        if i + 2 * POOLS_AHEAD < found:
                            place = at + (places[i + 2 * POOLS_AHEAD] & 0xffff)
                            fetch_pool(&waiting[order[first + block + (places[i + 2 * POOLS_AHEAD] >> 16)]])
                            if both and place < words:
                                fetch_pool(&waiting[order[place]])
                        if i + POOLS_AHEAD < found:
                            place = at + (places[i + POOLS_AHEAD] & 0xffff)
                            fetch_waiting(&waiting[order[first + block + (places[i + POOLS_AHEAD] >> 16)]])
                            if both and place < words:
                                fetch_waiting(&waiting[order[place]])
                        q, place = places[i] >> 16, places[i] & 0xffff
                        if place >= count:
                            continue
                        word, row = order[first + block + q], order[at + place]
                        error = rows.errors[place] + asked.slack[q]
                        if not offer(waiting, word, row, values[i], error):
                            empty(&waiting[word], word, matrix, norms, best_scores, best_rows, held)
                            offer(waiting, word, row, values[i], error)
                        if both and at + place < words and not offer(waiting, row, word, values[i], error):
                            empty(&waiting[row], row, matrix, norms, best_scores, best_rows, held)
                            offer(waiting, row, word, values[i], error)
                block += high
            at += count


cdef void multiply_parts(rows8 rows, queries8 asked, float *out, float *part, Py_ssize_t width,
                         uint8_t *flags) noexcept nogil:
    # Products of all elements, those up to each bound and behind the last for themselves.
    cdef size_t i, bound, begin, end = 0, steps = rows.steps
    cdef const uint8_t *codes = rows.codes
    cdef const int8_t *of_words = asked.codes
    cdef float power
    for bound in range(rows.bounds + 1):
        begin, end = end, rows.leading[bound] if bound < rows.bounds else steps
        rows.codes, rows.steps, asked.codes = codes + 64 * begin, end - begin, of_words + 4 * begin
        asked.corrections = asked.part_corrections[bound]
        if bound == 0:
            kernels.tile8(&rows, &asked, out, <size_t> width, flags)
        elif begin < end:
            kernels.tile8(&rows, &asked, part, <size_t> width, flags)
            power = <float> ldexp(1, -2 * rows.shifts[bound])
            for i in range(asked.count * <size_t> width):
                out[i] += power * part[i]


cdef inline void fetch_pool(const pool *waiting) noexcept nogil:
    fetch(<const float *> waiting, sizeof(pool) // sizeof(float))


cdef inline void fetch_waiting(const pool *waiting) noexcept nogil:
    fetch(waiting.lower, waiting.k)
    fetch(<const float *> waiting.rows + waiting.count, 1)
    fetch(waiting.upper + waiting.count, 1)


cdef inline bint offer(pool *waiting, Py_ssize_t word, Py_ssize_t row, float value, float error) noexcept nogil:
    # False where the pool is full. Called for every row that a screen lets through, so it passes no memoryviews.
    cdef float low = value - error, high = value + error
    if row == word or high < waiting[word].floor:
        return True
    if not low == low or not high == high:  # the float32 product does not know this row
        low, high = -INFINITY, INFINITY
    return pool_offer(&waiting[word], <uint32_t> row, low, high)


cdef void empty(pool *waiting, Py_ssize_t word, const float[:, ::1] matrix, const double[::1] norms,
                float[:, ::1] best_scores, int64_t[:, ::1] best_rows, int64_t[::1] held) noexcept nogil:
    # Scores what waits by the rule, but for what is in the list since it was guessed.
    cdef best_list best = list_of(best_scores, best_rows, held, word)
    cdef size_t i, others = 0
    if best.room <= MOST_SEEDS:
        for i in range(waiting.count):
            waiting.rows[others], waiting.upper[others] = waiting.rows[i], waiting.upper[i]
            others += not is_held(&best, waiting.rows[i])
        waiting.count = others
    empty_pool(waiting, matrix, norms, &matrix[word, 0], norms[word], &best)
    held[word] = <int64_t> best.held


cdef inline bint is_held(const best_list *best, int64_t row) noexcept nogil:
    cdef size_t i
    cdef bint found = False
    for i in range(best.held):
        found |= best.rows[i] == row
    return found


def halve(
    const float[:, ::1] points,        # IN [n, a], up to 64 of a
    uint32_t[::1] order,               # INOUT some of the n
    uint32_t[::1] scratch,             # as many
):
    """Parts points across the axis along which they differ most; how many are before the cut.

    Where and along which axis is said by some of them.
    """
    cdef Py_ssize_t before
    with nogil:
        before = split(&points[0, 0], points.shape[1], &order[0], &scratch[0], order.shape[0])
    return before


def cells(
    const float[:, ::1] points,        # IN as above
    uint32_t[::1] order,               # INOUT
    uint32_t[::1] scratch,
):
    """Parts points, and the parts, and so on down to sixteen (as in a k-d tree, Bentley 1975).

    In this order points that are near each other are so too, mostly.
    """
    with nogil:
        part(&points[0, 0], points.shape[1], &order[0], &scratch[0], order.shape[0])


cdef void part(const float *points, Py_ssize_t a, uint32_t *order, uint32_t *scratch, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t low
    if n > 16:
        low = split(points, a, order, scratch, n)
        if 0 < low < n:
            part(points, a, order, scratch, low)
            part(points, a, order + low, scratch, n - low)


cdef Py_ssize_t split(const float *points, Py_ssize_t a, uint32_t *order, uint32_t *scratch,
                      Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, j, axis = 0, low = 0, high = 0, below, some = 0, step = (n + 63) // 64
    cdef float[64] x
    cdef float total, squares, most = -1, middle
    for j in range(a):
        total, squares, some, i = 0, 0, 0, 0
        while i < n:
            x[some] = points[order[i] * a + j]
            total += x[some]
            squares += x[some] * x[some]
            i += step
            some += 1
        if squares - total * total / some > most:
            axis, most = j, squares - total * total / some
    for i in range(some):
        x[i] = points[order[i * step] * a + axis]
    middle = kth_highest(x, NULL, <size_t> some, <size_t> (some // 2))
    for i in range(n):
        j = order[i]
        order[low], scratch[high] = <uint32_t> j, <uint32_t> j
        below = points[j * a + axis] < middle
        low += below
        high += 1 - below
    memcpy(order + low, scratch, <size_t> high * sizeof(uint32_t))
    return low


def finish(
    const float[:, ::1] matrix,        # IN [n, d]
    const double[::1] norms,           # IN [n]
    const uint32_t[::1] these,         # IN the words whose lists end
    pools,                             # INOUT
    float[:, ::1] best_scores,         # INOUT [words, k] heaps, on return the best first
    int64_t[:, ::1] best_rows,         # INOUT [words, k]
    int64_t[::1] held,                 # INOUT [words]
):
    """Scores what still waits by the rule, and sorts the lists."""
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef Py_ssize_t w
    cdef best_list best
    with nogil:
        for w in range(these.shape[0]):
            pool_tidy(&waiting[these[w]])
            empty(&waiting[these[w]], these[w], matrix, norms, best_scores, best_rows, held)
            best = list_of(best_scores, best_rows, held, these[w])
            best_sort(&best)
