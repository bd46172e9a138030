"""Analogies a : b = c : x over unit vectors, through tables of cosines, question words x rows, tile by tile.

    ADD        cos(x, b - a + c)                                              Mikolov, Yih & Zweig 2013
    MUL        s(x, b) s(x, c) / (s(x, a) + epsilon), s = (cos + 1) / 2       Levy & Goldberg 2014
    DIRECTION  cos(b - a, x - c) = (cos(x, p) - cos(c, p)) / sqrt(2 - 2 cos(x, c)) with p along b - a; 0 where x = c

The rule scores all three from float64 cosines, rounded once. A table is made of int16 products; ADD and MUL, a sum of
logarithms, are then sums of three int16 for each row and question, and DIRECTION the sum of what a and b make and the
distance from c times the score it is compared with. _kernels/analogies.h has the bounds. Rows whose upper bound reaches
the k-th highest lower bound wait in a pool, as in `_fast.screen8`, and are scored by the rule. For the rank of a gold
answer, rows whose sums are too near to its score are compared by products in float, and scored only where these are
too near as well. Questions are taken in groups that have few words, so that a table is small and tiles are wide.

Nothing here validates or allocates; `wordgeo.query.analogies` does. The twins are in reference.py.
"""

from libc.math cimport INFINITY, NAN, sqrt
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

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
    settle,
    stretch,
)

cdef extern from "analogies.h" nogil:
    enum:
        ADD "WORDGEO_ADD"
        MUL "WORDGEO_MUL"
        DIRECTION "WORDGEO_DIRECTION"
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
    double error_of "wordgeo_analogy_error"(int, const int16_t *, size_t, double, double, int32_t *)
    float factor_of "wordgeo_analogy_factor"(int, double, double)
    int sum16 "wordgeo_sum16"(int, int16_t, int16_t, int16_t)
    int marks_of "wordgeo_analogy_marks"(int, const aims_of_question *, int16_t *)
    void direction_slack "wordgeo_direction_slack"(double, double, double, double, double, double, aims_of_question *)
    analogy_bounds sum_bounds "wordgeo_sum_bounds"(int, int, int, const aims_of_question *, double, double)
    bint is_safe "wordgeo_is_safe"(double)
    double float_error "wordgeo_float_error"(size_t)
    analogy_bounds bounds_of "wordgeo_analogy_bounds"(int, const double *, double, double, double)

cdef enum:
    ROW_LENGTH = 32767  # of a row's codes; see analogies.h

cdef double ROOM = 1.05  # bounds are taken so much wider than a tile needs, and then hold for most of those that follow

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


cdef space space_of(int method, const float[:, ::1] matrix, const double[::1] norms, const int64_t[::1] ids,
                    const float[:, ::1] vectors, const double[::1] word_norms, double epsilon) noexcept nogil:
    cdef space made
    made.method, made.epsilon, made.d = method, epsilon, <size_t> matrix.shape[1]
    made.matrix, made.norms, made.ids = &matrix[0, 0], &norms[0], &ids[0] if ids.shape[0] else NULL
    made.vectors, made.word_norms, made.error = &vectors[0, 0], &word_norms[0], float_error(made.d)
    return made


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
    return place if where.ids == NULL else where.ids[place]


cdef inline double cosine_of(const space *where, Py_ssize_t row, const float *y, double norm) noexcept nogil:
    return cosine(kernels.dot(where.matrix + <size_t> row * where.d, y, where.d), where.norms[row], norm)


cdef float analogy_score(const space *where, const question *asked, Py_ssize_t row) noexcept nogil:
    # the rule, for each method
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
    const float[:, ::1] vectors,       # IN [w, d] as in `analogies`
    const double[::1] word_norms,      # IN [w]
    const int32_t[:, ::1] questions,   # IN [m, 3]
    const float[:, ::1] queries,       # IN [m, d]
    const double[::1] query_norms,     # IN [m]
    const double[::1] shifts,          # IN [m]
    double epsilon,
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


def terms(
    int method,
    const int16_t[::1] cosines,        # IN [n]
    double unit,                       # what a cosine of 1 is
    double epsilon,                    # for MUL
    int16_t[::1] out,                  # OUT [n]
):
    """What sums take from cosines: logarithms of s + epsilon for MUL, distances for DIRECTION."""
    with nogil:
        fill_terms(method, &cosines[0], <size_t> cosines.shape[0], unit, epsilon, &out[0])


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


cdef inline void fill_terms(int method, const int16_t *cosines, size_t count, double unit, double epsilon,
                            int16_t *out) noexcept nogil:
    if method == MUL:
        kernels.logarithms16(cosines, count, <float> (unit * (1 + 2 * epsilon)), <float> (0.5 / unit), out)
    else:
        kernels.distances16(cosines, count, <float> (2 / unit), out)


# A tile of rows, and the sums of one question or several with it: those of questions with the same (a, b) begin alike.
cdef struct tile:
    Py_ssize_t at
    Py_ssize_t count
    double row_error  # of the rows' codes
    const int16_t *base
    const int16_t *terms
    size_t width
    double unit
    uint32_t *zeros  # zero rows score 0 by DIRECTION, which no sum knows
    size_t n_zeros

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
    cdef double row_error
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
            row_error = quantise_tile(&where, &here, row, codes)
            rows_changed = row_error > here.row_error
            if rows_changed:
                here.row_error = row_error * ROOM
            for g in range(cuts.shape[0] - 1):
                q, last, first_word = cuts[g, 0], cuts[g + 1, 0], cuts[g, 1]
                n_words = cuts[g + 1, 1] - first_word
                if tabulate(&where, &here, codes, words, word_errors, &members[first_word], n_words, unit, word_codes,
                            table, made, &errors[first_word], &alone[first_word]) or rows_changed:
                    for p in range(q, last):
                        set_slack(&where, &here, &questions[p, 0], &places[p, 0], word_errors, &errors[first_word],
                                  lengths[p], shifts[p], unit, margin, &aims[p])
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


cdef double quantise_tile(const space *where, tile *here, int16_t[::1] row, int16_t[::1] codes) noexcept nogil:
    # Codes of the rows; returns a bound of their errors.
    cdef size_t pairs = <size_t> row.shape[0] // 2, r
    cdef double worst = 0, error
    cdef Py_ssize_t x
    here.n_zeros = 0
    row[row.shape[0] - 1] = 0
    if here.count % 16:
        memset(&codes[here.count // 16 * 32 * <Py_ssize_t> pairs], 0, pairs * 32 * sizeof(int16_t))
    for r in range(<size_t> here.count):
        x = row_of(where, here.at + <Py_ssize_t> r)
        error = quantised(where.matrix + <size_t> x * where.d, where.norms[x], ROW_LENGTH, where.d, &row[0])
        worst = error if error > worst else worst
        put_in_group(&row[0], pairs, r % 16, &codes[r // 16 * pairs * 32])
        if where.method == DIRECTION and not where.norms[x] > 0:
            here.zeros[here.n_zeros] = <uint32_t> r
            here.n_zeros += 1
    return worst


cdef bint tabulate(const space *where, const tile *here, const int16_t[::1] codes, const int16_t[:, ::1] words,
                   const double[::1] word_errors, const int32_t *members, Py_ssize_t n, double unit,
                   int16_t[:, ::1] word_codes, int16_t[:, ::1] table, int16_t[:, ::1] made, double *errors,
                   int32_t *alone) noexcept nogil:
    # Cosines of a group's words with a tile of rows, and what is made of them; returns whether the errors changed.
    cdef size_t count = <size_t> here.count, pairs = <size_t> words.shape[1] // 2
    cdef bint changed = False
    cdef double error
    cdef Py_ssize_t w
    for w in range(n):
        memcpy(&word_codes[w, 0], &words[members[w], 0], 2 * pairs * sizeof(int16_t))
    kernels.tile16(&codes[0], (count + 15) // 16, pairs, &word_codes[0, 0], <size_t> n, &table[0, 0], here.width)
    for w in range(n):
        error = (1 + here.row_error) * word_errors[members[w]]
        if where.method != ADD:
            error = error_of(where.method, &table[w, 0], count, unit, here.row_error + error + 0.5 / unit, &alone[w])
            fill_terms(where.method, &table[w, 0], count, unit, 0, &made[w, 0])
        if where.method == MUL:  # of a only those of s + epsilon are asked for, of b and c those of s
            kernels.logarithms16(&table[w, 0], count, <float> (unit * (1 + 2 * where.epsilon)), <float> (0.5 / unit),
                                 &table[w, 0])
        if error > errors[w] or errors[w] == INFINITY:
            changed = True
            errors[w] = error * ROOM
    return changed


cdef void set_slack(const space *where, const tile *here, const int32_t *words, const int32_t *places,
                    const double[::1] word_errors, const double *errors, double length, double shift, double unit,
                    double margin, aims_of_question *aims) noexcept nogil:
    # How far off the sums of a question can be.
    if where.method == DIRECTION:
        direction_slack(here.row_error, (1 + here.row_error) * (word_errors[words[0]] + word_errors[words[1]]),
                        errors[places[2]], unit, length, shift, aims)
        if not where.word_norms[words[2]] > 0:
            aims.slack = INFINITY
        return
    aims.slack = errors[places[0]] + errors[places[1]] + errors[places[2]] + margin
    if where.method == ADD:
        aims.slack = unit * (aims.slack + length * (here.row_error + 1e-6)) + 1.5
        if not length > 1e-3:
            aims.slack = INFINITY


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
