"""Analogies a : b = c : x over unit vectors, through one table of cosines, question words x rows, tile by tile.

    ADD        cos(x, b - a + c)                                              Mikolov, Yih & Zweig 2013
    MUL        s(x, b) s(x, c) / (s(x, a) + epsilon), s = (cos + 1) / 2       Levy & Goldberg 2014
    DIRECTION  cos(b - a, x - c) = (cos(x, p) - cos(c, p)) / sqrt(2 - 2 cos(x, c)) with p along b - a; 0 where x = c

The rule scores all three from float64 cosines, rounded once. The table is made of int16 products; ADD and MUL, a sum of
logarithms, are then sums of three int16 for each row and question, and DIRECTION the sum of what a and b make and the
distance from c times the score it is compared with. _kernels/analogies.h has the bounds. Rows whose
upper bound reaches the k-th highest lower bound wait in a pool, as in `_fast.screen8`, and are scored by the rule; for
the rank of a gold answer only the rows are scored that its score lies too near to.

Nothing here validates or allocates; `wordgeo.query.analogies` does. The twins are in reference.py.
"""

from libc.math cimport INFINITY, NAN, sqrt
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

from wordgeo._fast cimport (
    best_list,
    best_offer,
    cosine,
    is_excluded,
    kernels,
    list_of,
    pool,
    pool_offer,
    pool_tidy,
    score,
    settle,
    stretch,
)

cdef extern from "analogies.h" nogil:
    enum:
        ADD "WORDGEO_ADD"
        MUL "WORDGEO_MUL"
        DIRECTION "WORDGEO_DIRECTION"
        ANY_MAY_REACH "WORDGEO_ANY_MAY_REACH"
        ANY_MAY_BE_NEAR "WORDGEO_ANY_MAY_BE_NEAR"
    ctypedef struct analogy_bounds "wordgeo_bounds":
        float low
        float high
    void fetch "wordgeo_fetch"(const float *, size_t)
    void put_in_group "wordgeo_put_in_group"(const int16_t *, size_t, size_t, int16_t *)
    ctypedef struct aims_of_question "wordgeo_aims":
        double floor
        double gold
        double slack
        double shift
        double more
    double aim_of "wordgeo_analogy_aim"(int, double, double, double)
    double floor_of "wordgeo_analogy_floor"(int, const int16_t *, const int16_t *, size_t, size_t, double, double,
                                            double)
    double terms_of "wordgeo_analogy_terms"(int, const int16_t *, size_t, const int16_t *, double, double, int16_t *,
                                            int32_t *)
    size_t index_of "wordgeo_analogy_index"(int16_t)
    int marks_of "wordgeo_analogy_marks"(int, const aims_of_question *, int16_t *)
    void direction_base "wordgeo_direction_base"(const int16_t *, const int16_t *, double, double, size_t, int16_t *)
    void direction_slack "wordgeo_direction_slack"(double, double, double, double, double, double, aims_of_question *)
    int direction_side "wordgeo_direction_side"(double, double, double, double)
    analogy_bounds bounds_of "wordgeo_analogy_bounds"(int, double, double, double, double, double, double, double,
                                                      double, double)

cdef enum:
    ROW_LENGTH = 32767  # of a row's codes; see analogies.h
    REACHES = 1  # what a sweep may find
    IS_NEAR = 2

cdef double ROOM = 1.05  # bounds are taken so much wider than a tile needs, and then hold for most of those that follow

# What the rule asks of a question, apart from its row.
cdef struct question:
    int method
    int a
    int b
    int c
    const float *query  # the combined query for ADD, the direction b - a for DIRECTION
    double query_norm
    double shift  # cos(c, direction) for DIRECTION
    double epsilon  # for MUL


cdef inline question question_of(int method, const int32_t[:, ::1] questions, const float[:, ::1] queries,
                                 const double[::1] query_norms, const double[::1] shifts, double epsilon,
                                 Py_ssize_t q) noexcept nogil:
    cdef question asked
    asked.method, asked.epsilon = method, epsilon
    asked.a, asked.b, asked.c = questions[q, 0], questions[q, 1], questions[q, 2]
    asked.query, asked.query_norm, asked.shift = &queries[q, 0], query_norms[q], shifts[q]
    return asked


cdef float analogy_score(question *asked, const float[:, ::1] matrix, const double[::1] norms, Py_ssize_t row,
                         const float[:, ::1] vectors, const double[::1] word_norms) noexcept nogil:
    # the rule, for each method
    cdef size_t d = <size_t> matrix.shape[1]
    cdef const float *x = &matrix[row, 0]
    cdef double of_a, of_b, of_c, square
    if asked.method == ADD:
        return score(matrix, norms, row, asked.query, asked.query_norm)
    of_c = cosine(kernels.dot(x, &vectors[asked.c, 0], d), norms[row], word_norms[asked.c])
    if asked.method == MUL:
        of_a = cosine(kernels.dot(x, &vectors[asked.a, 0], d), norms[row], word_norms[asked.a])
        of_b = cosine(kernels.dot(x, &vectors[asked.b, 0], d), norms[row], word_norms[asked.b])
        return <float> (((of_b + 1) / 2) * ((of_c + 1) / 2) / ((of_a + 1) / 2 + asked.epsilon))
    square = 2 - 2 * of_c
    if not (norms[row] > 0 and word_norms[asked.c] > 0 and asked.query_norm > 0 and square > 0):
        return 0
    return <float> ((cosine(kernels.dot(x, asked.query, d), norms[row], asked.query_norm) - asked.shift) / sqrt(square))


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
    cdef question asked
    with nogil:
        for q in range(rows.shape[0]):
            asked = question_of(method, questions, queries, query_norms, shifts, epsilon, q)
            out[q] = NAN if rows[q] < 0 else analogy_score(&asked, matrix, norms, rows[q], vectors, word_norms)


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


cdef inline Py_ssize_t row_of(const int64_t[::1] ids, Py_ssize_t place) noexcept nogil:
    return ids[place] if ids.shape[0] else place


cdef double tabulate(const float[:, ::1] matrix, const double[::1] norms, const int64_t[::1] ids, Py_ssize_t at,
                     Py_ssize_t count, const int16_t[:, ::1] words, int16_t[::1] row, int16_t[::1] codes,
                     int16_t[:, ::1] table) noexcept nogil:
    # Cosines of the words with a tile of rows; returns a bound of the error of the rows' codes.
    cdef size_t pairs = <size_t> words.shape[1] // 2, groups = <size_t> (count + 15) // 16, r
    cdef double worst = 0, error
    cdef Py_ssize_t x
    row[row.shape[0] - 1] = 0
    if count % 16:
        memset(&codes[(groups - 1) * pairs * 32], 0, pairs * 32 * sizeof(int16_t))
    for r in range(<size_t> count):
        x = row_of(ids, at + <Py_ssize_t> r)
        error = quantised(&matrix[x, 0], norms[x], ROW_LENGTH, <size_t> matrix.shape[1], &row[0])
        worst = error if error > worst else worst
        put_in_group(&row[0], pairs, r % 16, &codes[r // 16 * pairs * 32])
    kernels.tile16(&codes[0], groups, pairs, &words[0, 0], <size_t> words.shape[0], &table[0, 0],
                   <size_t> table.shape[1])
    return worst


def analogies(
    int method,
    const float[:, ::1] matrix,        # IN [n, d]
    const double[::1] norms,           # IN [n]
    const int64_t[::1] ids,            # IN the rows that may answer, or empty: all. Answers are places among them
    Py_ssize_t begin,                  # the run of places
    Py_ssize_t end,
    const int32_t[:, ::1] questions,   # IN [m, 3] a, b, c as places among the words; equal (a, b) side by side
    const float[:, ::1] vectors,       # IN [w, d] the words
    const double[::1] word_norms,      # IN [w]
    const double[::1] lengths,         # IN [m] over unit vectors, |b - a + c| for ADD, |b - a| for DIRECTION
    const float[:, ::1] queries,       # IN [m, d] the combined query for ADD, the direction b - a for DIRECTION
    const double[::1] query_norms,     # IN [m]
    const double[::1] shifts,          # IN [m] cos(c, direction) for DIRECTION
    double epsilon,                    # for MUL
    const int64_t[:, ::1] exclude,     # IN [m, e] places that are no answers
    const float[::1] gold,             # IN [m] score of the gold word; NaN where none is asked for
    int64_t[:, ::1] ranks,             # INOUT [m, 2] how many rows, excluded too, score above gold, and at least it
    float[::1] floors,                 # INOUT [m] scores that k other rows are known to reach
    float[:, ::1] best_scores,         # INOUT [m, k] heaps
    int64_t[:, ::1] best_rows,         # INOUT [m, k]
    int64_t[::1] held,                 # INOUT [m]
    pools,                             # INOUT pools of all questions; see `finish`
    const int16_t[:, ::1] words,       # IN [w, 2 * pairs] the words' codes
    const double[::1] word_errors,     # IN [w]
    double unit,                       # what a cosine of 1 is in the table
    int16_t[::1] row,                  # scratch [2 * pairs]
    int16_t[::1] codes,                # scratch [rows at a time * 2 * pairs]
    int16_t[:, ::1] table,             # scratch [w, rows at a time, a multiple of 16]: cosines of words and rows
    uint32_t[::1] chosen,              # scratch [rows at a time]
    const int16_t[:, ::1] lists,       # IN [2, 16384] from the lowest cosine. For MUL, logarithms of s and of
                                       # s + epsilon; for DIRECTION, distances first
    double margin,                     # added to the errors of every question
    int16_t[:, ::1] looked_up,         # scratch, the same shape as table for MUL and DIRECTION: logarithms or distances
    int16_t[::1] base,                 # scratch [rows at a time]: what all questions with the same (a, b) share
    double[::1] errors,                # scratch [w] of the table's cosines, of the logarithms or the distances
    int32_t[::1] alone,                # scratch [w] the row of a tile that the distance from it does not hold for
    double[:, ::1] aims_memory,        # scratch [m, 5]: see `wordgeo_aims`
    int16_t[:, ::1] marks,             # scratch [m, 5]
    uint32_t[::1] over,                # scratch [m] how many sums are above gold without doubt
    uint8_t[::1] hits,                 # scratch [m]
    uint8_t[::1] unclear,              # scratch [m]
):
    """Offers a run of rows to the k best of each question, and counts those before its gold answer."""
    cdef Py_ssize_t width = table.shape[1], m = questions.shape[0], at = begin, count, q, p, w, i, next_
    cdef double row_error, error, more
    cdef bint stale, any_zero
    cdef int a, b
    cdef const int16_t *of_a
    cdef const int16_t *of_b
    cdef int16_t[:, ::1] terms = table if method == ADD else looked_up
    cdef aims_of_question *aims = <aims_of_question *> &aims_memory[0, 0]
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef best_list best
    cdef question asked
    cdef tile here
    with nogil:
        for q in range(m):
            if floors[q] > waiting[q].floor:
                waiting[q].floor = floors[q]
            aims[q].floor = aim_of(method, waiting[q].floor, lengths[q], unit)
            aims[q].gold = aim_of(method, gold[q], lengths[q], unit) if gold[q] == gold[q] else INFINITY
            over[q] = 0
        for w in range(words.shape[0]):
            errors[w] = -1
        here.base, here.chosen, here.row_error = &base[0], &chosen[0], -1
        while at < end:
            count = width if width < end - at else end - at
            row_error = tabulate(matrix, norms, ids, at, count, words, row, codes, table)
            stale = row_error > here.row_error
            if stale:
                here.row_error = row_error * ROOM
            more = 1 + here.row_error
            for w in range(words.shape[0]):
                error = more * word_errors[w]
                if method != ADD:
                    error = terms_of(method, &table[w, 0], <size_t> count, &lists[0, 0], unit,
                                     here.row_error + error + 1 / unit, &looked_up[w, 0], &alone[w])
                if error > errors[w] or errors[w] == INFINITY:
                    stale = True
                    errors[w] = error * ROOM
            if stale:
                for q in range(m):
                    if method == DIRECTION:
                        direction_slack(here.row_error,
                                        more * (word_errors[questions[q, 0]] + word_errors[questions[q, 1]]),
                                        errors[questions[q, 2]], unit, lengths[q], shifts[q], &aims[q])
                        if not word_norms[questions[q, 2]] > 0:
                            aims[q].slack = INFINITY
                    else:
                        aims[q].slack = (errors[questions[q, 0]] + errors[questions[q, 1]] + errors[questions[q, 2]]
                                         + margin)
                    if method == ADD:
                        aims[q].slack = unit * (aims[q].slack + lengths[q] * (here.row_error + 1e-6)) + 1.5
                        if not lengths[q] > 1e-3:
                            aims[q].slack = INFINITY
                    unclear[q] = <uint8_t> marks_of(method, &aims[q], &marks[q, 0])
            any_zero = False  # zero rows score 0 by DIRECTION, which no bound knows
            if method == DIRECTION:
                for i in range(at, at + count):
                    any_zero |= not norms[row_of(ids, i)] > 0
            here.at, here.count = at, count
            q = 0
            while q < m:
                a, b = questions[q, 0], questions[q, 1]
                of_a, of_b = &table[a, 0], &terms[b, 0]
                if method == ADD:
                    for i in range(count):
                        base[i] = of_b[i] - of_a[i]
                elif method == MUL:
                    for i in range(count):
                        base[i] = of_b[i] - lists[1, index_of(of_a[i])]
                else:
                    direction_base(of_a, &table[b, 0], unit, lengths[q], <size_t> count, &base[0])
                next_ = q + 1
                while next_ < m and questions[next_, 0] == a and questions[next_, 1] == b:
                    next_ += 1
                if any_zero:
                    for p in range(q, next_):
                        hits[p] = REACHES | IS_NEAR
                else:
                    kernels.sweep16(method == DIRECTION, &base[0], &terms[0, 0], <size_t> width, <size_t> count,
                                    &questions[q, 0], <size_t> (next_ - q), &marks[q, 0], &over[q], &hits[q])
                for p in range(q, next_):
                    here.alone = alone[questions[p, 2]] if method == DIRECTION else -1
                    if here.alone >= 0 and not any_zero:
                        hits[p] |= REACHES | IS_NEAR
                        over[p] -= (base[here.alone] + (terms[questions[p, 2], here.alone] * marks[p, 4] >> 16)
                                    > marks[p, 2])
                    if not hits[p] | unclear[p]:
                        continue
                    asked = question_of(method, questions, queries, query_norms, shifts, epsilon, p)
                    here.of_a, here.of_b, here.of_c = of_a, &table[b, 0], &table[asked.c, 0]
                    here.term, here.length = &terms[asked.c, 0], lengths[p]
                    here.unknown = any_zero or not word_norms[asked.c] > 0
                    if (unclear[p] & ANY_MAY_BE_NEAR or hits[p] & IS_NEAR) and gold[p] == gold[p]:
                        count_near(&asked, &here, any_zero or unclear[p] & ANY_MAY_BE_NEAR, &marks[p, 0], gold[p],
                                   unit, word_errors, matrix, norms, ids, vectors, word_norms, &ranks[p, 0])
                    if unclear[p] & ANY_MAY_REACH or hits[p] & REACHES:
                        best = list_of(best_scores, best_rows, held, p)
                        offer_tile(&asked, &here, &aims[p], unit, word_errors, exclude, p, matrix, norms, ids, vectors,
                                   word_norms, &waiting[p], &best)
                        held[p] = <int64_t> best.held
                        unclear[p] = <uint8_t> marks_of(method, &aims[p], &marks[p, 0])
                q = next_
            at += count
        for q in range(m):
            floors[q] = waiting[q].floor
            ranks[q, 0] += over[q]
            ranks[q, 1] += over[q]


def finish(
    int method,                        # IN as for `analogies`
    const float[:, ::1] matrix,
    const double[::1] norms,
    const int64_t[::1] ids,
    const int32_t[:, ::1] questions,
    const float[:, ::1] vectors,
    const double[::1] word_norms,
    const float[:, ::1] queries,
    const double[::1] query_norms,
    const double[::1] shifts,
    double epsilon,
    const float[::1] floors,
    float[:, ::1] best_scores,         # INOUT
    int64_t[:, ::1] best_rows,         # INOUT
    int64_t[::1] held,                 # INOUT
    pools,                             # INOUT
):
    """Scores what still waits by the rule."""
    cdef Py_ssize_t q
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef best_list best
    cdef question asked
    with nogil:
        for q in range(questions.shape[0]):
            if floors[q] > waiting[q].floor:
                waiting[q].floor = floors[q]
            pool_tidy(&waiting[q])
            asked = question_of(method, questions, queries, query_norms, shifts, epsilon, q)
            best = list_of(best_scores, best_rows, held, q)
            score_pool(&waiting[q], &asked, matrix, norms, ids, vectors, word_norms, &best)
            held[q] = <int64_t> best.held


cdef struct tile:
    # The sums of one question with a tile of rows, and the cosines they come from.
    Py_ssize_t at
    Py_ssize_t count
    double row_error
    const int16_t *base
    const int16_t *term
    const int16_t *of_a
    const int16_t *of_b
    const int16_t *of_c
    double length
    bint unknown  # there are scores by DIRECTION that no bound knows
    int32_t alone  # the row whose sum says nothing, or -1
    uint32_t *chosen


cdef inline analogy_bounds bounds_of_row(question *asked, tile *here, size_t at, double unit,
                                         const double[::1] word_errors) noexcept nogil:
    # Bounds of a score by MUL or DIRECTION from its own cosines: closer than those of sums, which hold for a tile.
    cdef double error = here.row_error + 0.5 / unit, more = 1 + here.row_error
    cdef analogy_bounds known
    known.low, known.high = -INFINITY, INFINITY
    if asked.method == DIRECTION and here.unknown:
        return known
    return bounds_of(asked.method, here.of_a[at] / unit, here.of_b[at] / unit, here.of_c[at] / unit,
                     error + more * word_errors[asked.a], error + more * word_errors[asked.b],
                     error + more * word_errors[asked.c], asked.epsilon, here.length, asked.shift)


cdef inline size_t with_alone(tile *here, Py_ssize_t begin, Py_ssize_t end, size_t found) noexcept nogil:
    # The row whose sum says nothing is always among those that were chosen.
    cdef size_t i
    if begin <= here.alone < end:
        for i in range(found):
            if here.chosen[i] == <uint32_t> here.alone:
                return found
        here.chosen[found] = <uint32_t> here.alone
        return found + 1
    return found


cdef void count_near(question *asked, tile *here, bint every, const int16_t *marks, float gold, double unit,
                     const double[::1] word_errors, const float[:, ::1] matrix, const double[::1] norms,
                     const int64_t[::1] ids, const float[:, ::1] vectors, const double[::1] word_norms,
                     int64_t *ranks) noexcept nogil:
    # Scores the rows that the sums leave undecided, and adds those above gold and those at least as high.
    cdef size_t i, at, d = <size_t> matrix.shape[1], found = <size_t> here.count
    cdef Py_ssize_t row
    cdef float exact
    cdef int side
    cdef double error = here.row_error + 0.5 / unit + (1 + here.row_error) * word_errors[asked.c]
    cdef analogy_bounds known
    if not every:
        found = kernels.select16(asked.method == DIRECTION, here.base, here.term, marks[4], 0, found, marks[1],
                                 marks[2], here.chosen)
        found = with_alone(here, 0, here.count, found)
    for i in range(found):
        at = i if every else here.chosen[i]
        if asked.method == MUL or asked.method == DIRECTION and every:
            known = bounds_of_row(asked, here, at, unit, word_errors)
            if known.low > gold or known.high < gold:
                ranks[0] += known.low > gold
                ranks[1] += known.low > gold
                continue
        if i + 1 < found:
            fetch(&matrix[row_of(ids, here.at + <Py_ssize_t> (i + 1 if every else here.chosen[i + 1])), 0], d)
        row = row_of(ids, here.at + <Py_ssize_t> at)
        if asked.method == DIRECTION and not here.unknown:  # the direction's cosine alone decides nearly always
            side = direction_side(cosine(kernels.dot(&matrix[row, 0], asked.query, d), norms[row], asked.query_norm)
                                  - asked.shift, here.of_c[at] / unit, error, gold)
            if side:
                ranks[0] += side > 0
                ranks[1] += side > 0
                continue
        exact = analogy_score(asked, matrix, norms, row, vectors, word_norms)
        ranks[0] += exact > gold
        ranks[1] += exact >= gold


cdef void offer_tile(question *asked, tile *here, aims_of_question *aims, double unit, const double[::1] word_errors,
                     const int64_t[:, ::1] exclude, Py_ssize_t q, const float[:, ::1] matrix, const double[::1] norms,
                     const int64_t[::1] ids, const float[:, ::1] vectors, const double[::1] word_norms, pool *waiting,
                     best_list *best) noexcept nogil:
    # Puts the rows that may be among the k best into the pool.
    cdef Py_ssize_t p = 0, stop, place
    cdef size_t i, at, found
    cdef int16_t[5] marks
    cdef bint every
    cdef double value, error, length = here.length, inverse = 1 / (unit * length) if length > 1e-3 else INFINITY
    cdef analogy_bounds known
    if not waiting.floor > -INFINITY:
        value = floor_of(asked.method, here.base, here.term, <size_t> here.count,
                         waiting.k + <size_t> exclude.shape[1], aims.slack, length, unit)
        if value > waiting.floor:
            waiting.floor = <float> value
            aims.floor = aim_of(asked.method, waiting.floor, length, unit)
    while p < here.count:
        stop = here.count
        if not waiting.floor > -INFINITY:  # nothing is known at the first rows: see `stretch`
            stop = p + stretch(here.at + p, waiting.k)
            stop = stop if stop < here.count else here.count
        every = marks_of(asked.method, aims, marks) & ANY_MAY_REACH or asked.method == DIRECTION and here.unknown
        found = <size_t> (stop - p)
        if not every:
            found = kernels.select16(asked.method == DIRECTION, here.base, here.term, marks[3], <size_t> p,
                                     <size_t> stop, marks[0], 32767, here.chosen)
            found = with_alone(here, p, stop, found)
        for i in range(found):
            at = <size_t> p + i if every else here.chosen[i]
            place = here.at + <Py_ssize_t> at
            known.low, known.high = -INFINITY, INFINITY
            if asked.method == ADD:
                if length > 1e-3:
                    value = (here.base[at] + here.term[at]) * inverse
                    error = aims.slack * inverse
                    known.low, known.high = <float> (value - error), <float> (value + error)
            else:
                known = bounds_of_row(asked, here, at, unit, word_errors)
            if known.high < waiting.floor or is_excluded(place, exclude, q):
                continue
            if not pool_offer(waiting, <uint32_t> place, known.low, known.high):
                score_pool(waiting, asked, matrix, norms, ids, vectors, word_norms, best)
                pool_offer(waiting, <uint32_t> place, known.low, known.high)
        aims.floor = aim_of(asked.method, waiting.floor, length, unit)
        p = stop


cdef void score_pool(pool *waiting, question *asked, const float[:, ::1] matrix, const double[::1] norms,
                     const int64_t[::1] ids, const float[:, ::1] vectors, const double[::1] word_norms,
                     best_list *best) noexcept nogil:
    cdef size_t i
    for i in range(waiting.count):
        if i + 1 < waiting.count:
            fetch(&matrix[row_of(ids, waiting.rows[i + 1]), 0], <size_t> matrix.shape[1])
        best_offer(best, analogy_score(asked, matrix, norms, row_of(ids, waiting.rows[i]), vectors, word_norms),
                   waiting.rows[i])
    settle(waiting, best)
