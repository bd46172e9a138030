"""The screen of analogies: which rows have to be scored, for the best answers and for the rank of a gold one.

Cosines come from a table, question words x rows, tile by tile (_analogy_tables.pyx). ADD and MUL, a sum of logarithms,
are then sums of three int16 for each row and question, and DIRECTION the sum of what a and b make and the distance from
c times the score it is compared with. _kernels/analogies.h has the bounds. Rows whose upper bound reaches the k-th
highest lower bound wait in a pool, as in `_fast.screen8`, and are scored by the rule (_analogy_rule.pyx). For the rank
of a gold answer, rows whose sums are too near to its score are compared by products in float, and scored only where
these are too near as well. Questions are taken in groups that have few words, so that a table is small and tiles are
wide.

Nothing here validates or allocates; `wordgeo.query.analogies` does.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t

from wordgeo._analogy_rule cimport (
    ADD,
    DIRECTION,
    MUL,
    analogy_bounds,
    analogy_score,
    bounds_of_row,
    question,
    question_of,
    row_of,
    space,
    space_of,
)
from wordgeo._analogy_tables cimport aims_of_question, quantise_tile, set_slack, tabulate, tile
from wordgeo._fast cimport (
    best_list,
    best_offer,
    fetch,
    is_excluded,
    kernels,
    list_of,
    pool,
    pool_offer,
    pool_tidy,
    settle,
    stretch,
)

cdef extern from "analogies.h" nogil:
    enum:
        ANY_MAY_BE_NEAR "WORDGEO_ANY_MAY_BE_NEAR"
    double aim_of "wordgeo_analogy_aim"(int, double, double, double)
    float factor_of "wordgeo_analogy_factor"(int, double, double)
    int sum16 "wordgeo_sum16"(int, int16_t, int16_t, int16_t)
    int marks_of "wordgeo_analogy_marks"(int, const aims_of_question *, int16_t *)
    analogy_bounds sum_bounds "wordgeo_sum_bounds"(int, int, int, const aims_of_question *, double, double)

# All that is known of one question.
cdef struct state:
    question asked
    float gold
    const int16_t *term  # of c
    int32_t alone  # the row whose sum says nothing, or -1
    aims_of_question *aims
    int16_t *marks
    pool *waiting
    best_list best
    int64_t *ranks
    double length


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
    const int32_t[:, ::1] cuts,        # IN [g + 1, 2] where groups begin among the questions and the members
    const int32_t[::1] members,        # IN the words of each group
    const int32_t[:, ::1] places,      # IN [m, 3] a, b, c as places among the members of their group
    double margin,                     # added to the errors of every question
    int16_t[::1] row,                  # scratch [2 * pairs]
    int16_t[::1] codes,                # scratch [rows at a time * 2 * pairs]
    int16_t[:, ::1] word_codes,        # scratch [members of the largest group, 2 * pairs]
    int16_t[:, ::1] table,             # scratch [members of the largest group, rows at a time, a multiple of 16]
    int16_t[:, ::1] made,              # scratch, the same shape as table for MUL and DIRECTION: logarithms or distances
    int16_t[::1] base,                 # scratch [rows at a time]: what all questions with the same (a, b) share
    double[::1] errors,                # scratch [members] of the table's cosines, of the logarithms or the distances
    int32_t[::1] alone,                # scratch [members] the row of a tile that the distance from it does not hold for
    double[:, ::1] aims_memory,        # scratch [m, 5]: see `wordgeo_aims`
    int16_t[:, ::1] marks,             # scratch [m, 5]
    uint32_t[::1] over,                # scratch [m] how many sums are above gold without doubt
    uint32_t[::1] found,               # scratch [m]
    uint32_t[::1] chosen,              # scratch [several times the rows at a time]
    uint32_t[::1] zeros,               # scratch [rows at a time]
    uint8_t[::1] unclear,              # scratch [m]
):
    """Offers a run of rows to the k best of each question, and counts those before its gold answer."""
    cdef Py_ssize_t m = questions.shape[0], at = begin, i, q, p, done, last, stop, g, first_word, n_words
    cdef bint rows_changed
    cdef float floor
    cdef size_t used, kept
    cdef uint32_t many
    cdef int16_t[:, ::1] terms = table if method == ADD else made
    cdef aims_of_question *aims = <aims_of_question *> &aims_memory[0, 0]
    cdef uint8_t[::1] memory = pools
    cdef pool *waiting = <pool *> &memory[0]
    cdef space where
    cdef state now
    cdef tile here
    with nogil:
        where = space_of(method, matrix, norms, ids, vectors, word_norms, epsilon)
        for q in range(m):
            if floors[q] > waiting[q].floor:
                waiting[q].floor = floors[q]
            aims[q].floor = aim_of(method, waiting[q].floor, lengths[q], unit)
            aims[q].gold = aim_of(method, gold[q], lengths[q], unit) if gold[q] == gold[q] else INFINITY
            over[q] = 0
        for i in range(errors.shape[0]):
            errors[i] = -1
        here.base, here.terms, here.width = &base[0], &terms[0, 0], <size_t> table.shape[1]
        here.zeros, here.row_error, here.unit = &zeros[0], -1, unit
        while at < end:
            here.at, here.count = at, table.shape[1] if table.shape[1] < end - at else end - at
            rows_changed = quantise_tile(&where, &here, row, codes)
            for g in range(cuts.shape[0] - 1):
                q, last, first_word = cuts[g, 0], cuts[g + 1, 0], cuts[g, 1]
                n_words = cuts[g + 1, 1] - first_word
                if tabulate(&where, &here, codes, words, word_errors, &members[first_word], n_words, word_codes,
                            table, made, &errors[first_word], &alone[first_word]) or rows_changed:
                    for p in range(q, last):
                        set_slack(&where, &here, &questions[p, 0], &places[p, 0], word_errors, &errors[first_word],
                                  lengths[p], shifts[p], margin, &aims[p])
                        unclear[p] = <uint8_t> marks_of(method, &aims[p], &marks[p, 0])
                while q < last:
                    kernels.differences16(&terms[places[q, 1], 0] if method == MUL else &table[places[q, 1], 0],
                                          &table[places[q, 0], 0], <size_t> here.count,
                                          factor_of(method, unit, lengths[q]), &base[0])
                    stop = q + 1
                    while stop < last and places[stop, 0] == places[q, 0] and places[stop, 1] == places[q, 1]:
                        stop += 1
                    while q < stop:
                        p = q
                        while p < stop and not unclear[p]:
                            p += 1
                        done = q + <Py_ssize_t> kernels.sweep16(
                            method == DIRECTION, &base[0], here.terms, here.width, 0, <size_t> here.count,
                            &places[q, 0], <size_t> (p - q), &marks[q, 0], &over[q], &found[q], &chosen[0],
                            <size_t> chosen.shape[0])
                        if done == q:  # an unclear one
                            done += 1
                            found[q] = 0
                        used = kept = 0
                        for p in range(q, done):
                            now.alone = alone[first_word + places[p, 2]] if method == DIRECTION else -1
                            if not (found[p] or unclear[p] or now.alone >= 0 or here.n_zeros):
                                continue
                            now.asked = question_of(&where, questions, queries, query_norms, shifts, p)
                            now.gold, now.length = gold[p], lengths[p]
                            now.term = here.terms + <size_t> places[p, 2] * here.width
                            now.aims, now.marks, now.waiting = &aims[p], &marks[p, 0], &waiting[p]
                            now.best = list_of(best_scores, best_rows, held, p)
                            now.ranks, floor = &ranks[p, 0], waiting[p].floor
                            if unclear[p]:
                                visit_in_steps(&where, &here, &now, exclude, p, &places[p, 0], &over[p], &chosen[0],
                                               <size_t> chosen.shape[0])
                            else:
                                if method == DIRECTION:
                                    uncount_odd(&where, &here, &now, 0, here.count, &over[p])
                                many = found[p]
                                found[p] = take(&where, &here, &now, exclude, p, &chosen[used], many, 0, &chosen[kept])
                                used += many
                                kept += found[p]
                            if method == DIRECTION:
                                take_odd(&where, &here, &now, exclude, p)
                            held[p] = <int64_t> now.best.held
                            if waiting[p].floor > floor:
                                aims[p].floor = aim_of(method, waiting[p].floor, lengths[p], unit)
                                unclear[p] = <uint8_t> marks_of(method, &aims[p], &marks[p, 0])
                        used = 0
                        for p in range(q, done):  # those of all these questions one after the other: memory is slow
                            if found[p]:
                                now.asked = question_of(&where, questions, queries, query_norms, shifts, p)
                                now.gold, now.ranks = gold[p], &ranks[p, 0]
                                compare_all(&where, &here, &now, &chosen[used], found[p], kept - used)
                                used += found[p]
                        q = done
            at += here.count
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
    cdef space where
    cdef question asked
    with nogil:
        where = space_of(method, matrix, norms, ids, vectors, word_norms, epsilon)
        for q in range(questions.shape[0]):
            if floors[q] > waiting[q].floor:
                waiting[q].floor = floors[q]
            pool_tidy(&waiting[q])
            asked = question_of(&where, questions, queries, query_norms, shifts, q)
            best = list_of(best_scores, best_rows, held, q)
            score_pool(&where, &asked, &waiting[q], &best)
            held[q] = <int64_t> best.held


cdef void visit_in_steps(const space *where, const tile *here, state *now, const int64_t[:, ::1] exclude,
                         Py_ssize_t q, const int32_t *places, uint32_t *over, uint32_t *chosen,
                         size_t room) noexcept nogil:
    # A question of which nothing is known at first (see `stretch`), or whose sums say nothing.
    cdef Py_ssize_t begin = 0, end, i
    cdef uint32_t found
    cdef int unclear
    while begin < here.count:
        end = begin + stretch(here.at + begin, now.waiting.k)
        end = end if end < here.count else here.count
        now.aims.floor = aim_of(where.method, now.waiting.floor, now.length, here.unit)
        unclear = marks_of(where.method, now.aims, now.marks)
        if unclear:
            found = <uint32_t> (end - begin)
            for i in range(begin, end):
                chosen[i - begin] = <uint32_t> i
        else:
            kernels.sweep16(where.method == DIRECTION, here.base, here.terms, here.width, <size_t> begin, <size_t> end,
                            places, 1, now.marks, over, &found, chosen, room)
            uncount_odd(where, here, now, begin, end, over)
        found = take(where, here, now, exclude, q, chosen, found, unclear, chosen)
        compare_all(where, here, now, chosen, found, found)
        begin = end


cdef inline bint is_odd(const space *where, const state *now, uint32_t at, Py_ssize_t row) noexcept nogil:
    return where.method == DIRECTION and (<int32_t> at == now.alone or not where.norms[row] > 0)


cdef uint32_t take(const space *where, const tile *here, state *now, const int64_t[:, ::1] exclude, Py_ssize_t q,
                   const uint32_t *chosen, uint32_t found, int unclear, uint32_t *near) noexcept nogil:
    # Offers the chosen rows that may be among the k best; returns how many are near gold, and which.
    cdef uint32_t at, kept = 0, i
    cdef bint product = where.method == DIRECTION
    cdef int sum
    cdef Py_ssize_t row
    for i in range(found):
        at = chosen[i]
        row = row_of(where, here.at + at)
        if is_odd(where, now, at, row):
            continue
        if unclear or sum16(product, here.base[at], now.term[at], now.marks[3]) > now.marks[0]:
            if now.aims.slack < INFINITY:
                offer(where, now, exclude, q, here.at + at, sum_bounds(where.method, here.base[at], now.term[at],
                                                                       now.aims, now.length, here.unit))
            else:
                offer(where, now, exclude, q, here.at + at, bounds_of_row(where, &now.asked, row))
        sum = sum16(product, here.base[at], now.term[at], now.marks[4])
        if unclear & ANY_MAY_BE_NEAR or now.marks[1] < sum <= now.marks[2]:
            near[kept] = at
            kept += now.gold == now.gold
        elif unclear:
            now.ranks[0] += sum > now.marks[2]
            now.ranks[1] += sum > now.marks[2]
    return kept


cdef void compare_all(const space *where, const tile *here, state *now, const uint32_t *near, size_t n,
                      size_t ahead) noexcept nogil:
    # Compares rows with gold; what comes after them, up to `ahead`, is needed next.
    cdef size_t i
    for i in range(n):
        if i + 2 < ahead:
            fetch(where.matrix + <size_t> row_of(where, here.at + near[i + 2]) * where.d, where.d)
        compare(where, now, row_of(where, here.at + near[i]))


cdef inline int32_t odd_row(const tile *here, const state *now, size_t i) noexcept nogil:
    # Rows whose sums say nothing: zero ones, and the one left alone; -1 for none.
    return now.alone if i == here.n_zeros else <int32_t> here.zeros[i]


cdef void uncount_odd(const space *where, const tile *here, const state *now, Py_ssize_t begin, Py_ssize_t end,
                      uint32_t *over) noexcept nogil:
    # Takes back what a sweep has counted of them.
    cdef size_t i
    cdef int32_t at
    for i in range(here.n_zeros + 1):
        at = odd_row(here, now, i)
        if begin <= at < end:
            over[0] -= sum16(where.method == DIRECTION, here.base[at], now.term[at], now.marks[4]) > now.marks[2]


cdef void take_odd(const space *where, const tile *here, state *now, const int64_t[:, ::1] exclude,
                   Py_ssize_t q) noexcept nogil:
    # Offers and compares them.
    cdef size_t i
    cdef int32_t at
    for i in range(here.n_zeros + 1):
        at = odd_row(here, now, i)
        if at >= 0:
            offer(where, now, exclude, q, here.at + at, compare(where, now, row_of(where, here.at + at)))


cdef analogy_bounds compare(const space *where, state *now, Py_ssize_t row) noexcept nogil:
    # Compares the score of a row with gold, and returns its bounds.
    cdef analogy_bounds known = bounds_of_row(where, &now.asked, row)
    cdef float exact
    if known.low > now.gold:
        now.ranks[0] += 1
        now.ranks[1] += 1
    elif not known.high < now.gold and now.gold == now.gold:
        exact = analogy_score(where, &now.asked, row)
        now.ranks[0] += exact > now.gold
        now.ranks[1] += exact >= now.gold
    return known


cdef inline void offer(const space *where, state *now, const int64_t[:, ::1] exclude, Py_ssize_t q, Py_ssize_t place,
                       analogy_bounds known) noexcept nogil:
    # Lets a row that may be among the k best wait.
    if known.high < now.waiting.floor or is_excluded(place, exclude, q):
        return
    if not pool_offer(now.waiting, <uint32_t> place, known.low, known.high):
        score_pool(where, &now.asked, now.waiting, &now.best)
        pool_offer(now.waiting, <uint32_t> place, known.low, known.high)


cdef void score_pool(const space *where, const question *asked, pool *waiting, best_list *best) noexcept nogil:
    cdef size_t i
    for i in range(waiting.count):
        if i + 1 < waiting.count:
            fetch(where.matrix + <size_t> row_of(where, waiting.rows[i + 1]) * where.d, where.d)
        best_offer(best, analogy_score(where, asked, row_of(where, waiting.rows[i])), waiting.rows[i])
    settle(waiting, best)
