/* Products of int8 codes on AVX-512 VNNI; see quantised.h for the layout. Included by kernels.c. */

#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx2,fma")))

/* One instruction of sixteen sums of four products; written out because compilers copy the accumulator around. */
#define MULTIPLY_ADD(acc, codes, query) __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(codes), "v"(query))

/* `GROUPS` groups of rows, up to four, times `QUERIES` queries of PARTS parts, all sums in registers. A flag comes from the
 * largest product of each lane: masks of all products take as long as looking for them later. */
#define TILE8(QUERIES, PARTS, GROUPS)                                                                                  \
    TARGET static inline __attribute__((always_inline)) void tile8_##QUERIES##_##PARTS##_##GROUPS(                     \
        const wordgeo_rows8 *rows, size_t group, const wordgeo_queries8 *queries, size_t query, float *out,            \
        size_t stride, uint8_t *flags) {                                                                               \
        const size_t steps = rows->steps, row_stride = rows->stride, query_stride = queries->stride;                   \
        const uint8_t *codes = rows->codes + group * row_stride * 64;                                                  \
        const int8_t *of_queries = queries->codes + 2 * query * query_stride;                                          \
        const float *scales = rows->scales + 16 * group, *query_scales = queries->scales + query;                      \
        const float *floors = queries->floors + query;                                                                 \
        const int32_t *corrections = queries->corrections + 2 * query;                                                 \
        out += query * stride + 16 * group, flags += query * (stride / 64) + group / 4;                                \
        __m512i sum[QUERIES][PARTS][GROUPS];                                                                           \
        _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++)                                                      \
            _Pragma("GCC unroll 2") for (int p = 0; p < PARTS; p++)                                                    \
                _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                               \
                    sum[q][p][g] = _mm512_set1_epi32(corrections[2 * q + p]);                                          \
        for (size_t s = 0; s < steps; s++) {                                                                           \
            __m512i some[GROUPS];                                                                                      \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                                   \
                some[g] = _mm512_loadu_si512(codes + (g * row_stride + s) * 64);                                       \
            _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++)                                                  \
                _Pragma("GCC unroll 2") for (int p = 0; p < PARTS; p++) {                                              \
                    int32_t four;                                                                                      \
                    memcpy(&four, of_queries + (2 * (size_t)q + p) * query_stride + 4 * s, 4);                         \
                    const __m512i spread = _mm512_set1_epi32(four);                                                    \
                    _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                           \
                        MULTIPLY_ADD(sum[q][p][g], some[g], spread);                                                   \
                }                                                                                                      \
        }                                                                                                              \
        _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++) {                                                    \
            const __m512 query_scale = _mm512_set1_ps(query_scales[q]);                                                \
            __m512 most = _mm512_setzero_ps();                                                                         \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++) {                                                 \
                __m512 value = _mm512_cvtepi32_ps(sum[q][0][g]);                                                       \
                if (PARTS == 2)                                                                                        \
                    value = _mm512_fmadd_ps(value, _mm512_set1_ps(256.0f), _mm512_cvtepi32_ps(sum[q][PARTS - 1][g]));  \
                value = _mm512_mul_ps(value, _mm512_mul_ps(query_scale, _mm512_loadu_ps(scales + 16 * g)));            \
                _mm512_storeu_ps(out + q * stride + 16 * g, value);                                                    \
                most = g ? _mm512_max_ps(most, value) : value;                                                         \
            }                                                                                                          \
            const uint8_t any = _mm512_cmp_ps_mask(most, _mm512_set1_ps(floors[q]), _CMP_NLT_UQ) != 0;                 \
            uint8_t *flag = flags + q * (stride / 64);                                                                 \
            *flag = GROUPS == 4 || group % 4 == 0 ? any : *flag | any;                                                 \
        }                                                                                                              \
    }

TILE8(6, 1, 4)
TILE8(1, 1, 4)
TILE8(6, 1, 1)
TILE8(1, 1, 1)
TILE8(3, 2, 4)
TILE8(1, 2, 4)
TILE8(3, 2, 1)
TILE8(1, 2, 1)
#undef TILE8

#define SWEEP(QUERIES, PARTS)                                                                                          \
    for (; q + QUERIES <= queries->count; q += QUERIES) {                                                              \
        size_t g = 0;                                                                                                  \
        for (; g + 4 <= rows->groups; g += 4)                                                                          \
            tile8_##QUERIES##_##PARTS##_4(rows, g, queries, q, out, stride, flags);                                    \
        for (; g < rows->groups; g++)                                                                                  \
            tile8_##QUERIES##_##PARTS##_1(rows, g, queries, q, out, stride, flags);                                    \
    }

TARGET static void tile8_vnni(const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, float *out, size_t stride,
                              uint8_t *flags) {
    size_t q = 0;
    if (queries->parts == 1) {
        SWEEP(6, 1)
        SWEEP(1, 1)
    } else {
        SWEEP(3, 2)
        SWEEP(1, 2)
    }
}

#undef SWEEP

enum { ROWS_AT_A_TIME = 64 };

/* Of sixteen lanes as many as are left. */
static inline __mmask16 first16(size_t left) {
    return (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
}

/* A product of two rows of numbers of 16 bits, two a lane, in the same way. */
#define MULTIPLY_ADD16(acc, x, y) __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(y))

/* Some groups of rows, as wordgeo_rows8 from the first of them on, and where products go that may matter. What asks has two
 * numbers of 16 bits for each bound: how long is its own rest, and how much of a product it needs, less than zero. With the
 * other's, which are the rest and the unit, they make up the difference between the bound and what is needed. */
typedef struct {
    const uint8_t *codes;
    const float *scales, *errors, *needed;
    const int16_t *head, *rests[WORDGEO_MOST_BOUNDS];
    int32_t of_queries[WORDGEO_MOST_BOUNDS][WORDGEO_MOST_QUERIES];
    int32_t of_rows[WORDGEO_MOST_BOUNDS][ROWS_AT_A_TIME]; /* where they are words that look among the queries */
    size_t group; /* the first */
    float *values;
    uint32_t *places;
    size_t found;
} found8;

/* Takes in those of a group's products with query q. */
TARGET static inline void take8(found8 *of, const wordgeo_queries8 *queries, __m512i sum, __mmask16 which, size_t q, int g) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i first = _mm512_set1_epi32((int)(q << 16 | 16 * (of->group + (size_t)g)));
    const __m512 scales = _mm512_mul_ps(_mm512_loadu_ps(of->scales + 16 * g), _mm512_set1_ps(queries->scales[q]));
    const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scales);
    _mm512_storeu_ps(of->values + of->found, _mm512_maskz_compress_ps(which, value));
    _mm512_storeu_si512(of->places + of->found, _mm512_maskz_compress_epi32(which, _mm512_add_epi32(lanes, first)));
    of->found += (size_t)__builtin_popcount(which);
}

/* What waits for more codes of a group: sums so far, and of which queries they are. */
typedef struct {
    __m512i sum[WORDGEO_MOST_QUERIES];
    uint32_t query[WORDGEO_MOST_QUERIES];
    size_t count;
} waiting8;

static inline int32_t two16(const int16_t *pair) {
    int32_t two;
    memcpy(&two, pair, 4);
    return two;
}

/* Negative where a sum by the codes up to a bound, with the bound of the others, cannot matter: to the query, and with `both`
 * to the rows. */
TARGET static inline __attribute__((always_inline)) __m512i sift8(const found8 *of, const wordgeo_queries8 *queries, int bound,
                                                                  size_t q, int g, int both, __m512i sum) {
    __m512i to_rows = sum;
    MULTIPLY_ADD16(sum, _mm512_loadu_si512(of->rests[bound] + 32 * g), _mm512_set1_epi32(of->of_queries[bound][q]));
    if (!both)
        return sum;
    const __m512i rests = _mm512_set1_epi32(two16(queries->rests[bound] + 2 * q));
    MULTIPLY_ADD16(to_rows, _mm512_loadu_si512(of->of_rows[bound] + 16 * g), rests);
    return _mm512_and_si512(sum, to_rows);
}

/* Takes in a query at the place `at`; the place of the next. */
TARGET static inline size_t wait8(waiting8 *waiting, size_t at, __m512i sum, size_t q, __m512i sifted) {
    waiting->sum[at] = sum, waiting->query[at] = (uint32_t)q;
    return at + (_mm512_movepi32_mask(sifted) != 0xffff);
}

/* `GROUPS` groups of rows times `QUERIES` queries by their first codes, all sums in registers. What may matter waits, or
 * is found where the sums are whole. Where some `often` do, it is not worth a branch that is guessed wrong as often. */
#define LEAD8(QUERIES, GROUPS)                                                                                         \
    TARGET static inline __attribute__((always_inline)) void lead8_##QUERIES##_##GROUPS(                               \
        found8 *of, const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, size_t query, int whole, int both,     \
        int often, waiting8 *waiting) {                                                                                \
        const size_t steps = rows->steps, leading = rows->leading[0], stride = queries->stride;                        \
        const uint8_t *codes = of->codes;                                                                              \
        const int8_t *of_queries = queries->codes + 2 * query * stride;                                                \
        const int32_t *corrections = queries->part_corrections[0] + 2 * query;                                         \
        __m512i sum[QUERIES][GROUPS];                                                                                  \
        size_t at[GROUPS];                                                                                             \
        _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                                       \
            at[g] = waiting[g].count;                                                                                  \
        _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++)                                                      \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                                   \
                sum[q][g] = _mm512_set1_epi32(corrections[2 * q]);                                                     \
        for (size_t s = 0; s < leading; s++) {                                                                         \
            __m512i some[GROUPS];                                                                                      \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                                   \
                some[g] = _mm512_loadu_si512(codes + (g * steps + s) * 64);                                            \
            _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++) {                                                \
                int32_t four;                                                                                          \
                memcpy(&four, of_queries + 2 * (size_t)q * stride + 4 * s, 4);                                         \
                const __m512i spread = _mm512_set1_epi32(four);                                                        \
                _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                               \
                    MULTIPLY_ADD(sum[q][g], some[g], spread);                                                          \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++) {                                                    \
            __m512i sifted[GROUPS], all = _mm512_set1_epi32(-1);                                                       \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++) {                                                 \
                if (!whole) {                                                                                          \
                    const __m512i head = _mm512_set1_epi32(two16(queries->head + 2 * (query + q)));                    \
                    MULTIPLY_ADD16(sum[q][g], _mm512_loadu_si512(of->head + 32 * g), head);                            \
                }                                                                                                      \
                sifted[g] = sift8(of, queries, 0, query + q, g, both, sum[q][g]);                                      \
                all = _mm512_and_si512(all, sifted[g]);                                                                \
            }                                                                                                          \
            if (!often && _mm512_movepi32_mask(all) == 0xffff)                                                         \
                continue;                                                                                              \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++) {                                                 \
                const __mmask16 which = (__mmask16)~_mm512_movepi32_mask(sifted[g]);                                   \
                if (!whole)                                                                                            \
                    at[g] = wait8(waiting + g, at[g], sum[q][g], query + q, sifted[g]);                                \
                else if (which)                                                                                        \
                    take8(of, queries, sum[q][g], which, query + q, g);                                                \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                                       \
            waiting[g].count = at[g];                                                                                  \
    }

LEAD8(6, 4)
LEAD8(1, 4)
LEAD8(6, 1)
LEAD8(1, 1)
#undef LEAD8

_Static_assert(WORDGEO_MOST_QUERIES % 48 == 0, "queries are taken by six, and what they ask by sixteen");

enum {
    AT_A_TIME = 6, /* so many sums hide how long each step takes */
    OFTEN = 8      /* one of so many */
};

/* What waits times the codes from one bound to the next, where it goes on waiting, or to the end, where it is found. */
TARGET static inline __attribute__((always_inline)) void more8(found8 *of, const wordgeo_rows8 *rows,
                                                               const wordgeo_queries8 *queries, int g, size_t bound,
                                                               int to_end, int both, const waiting8 *those,
                                                               waiting8 *waiting) {
    const size_t last = to_end ? rows->steps : rows->leading[bound];
    const uint8_t *codes = of->codes + (size_t)g * rows->steps * 64;
    size_t at = 0;
    const int twice = 2 * rows->shifts[bound], half = twice ? 1 << (twice - 1) : 0;
    for (size_t begin = 0; begin < those->count; begin += AT_A_TIME) {
        const int8_t *of_query[AT_A_TIME];
        __m512i sum[AT_A_TIME];
        const size_t some = those->count - begin < AT_A_TIME ? those->count - begin : AT_A_TIME;
        _Pragma("GCC unroll 8") for (size_t i = 0; i < AT_A_TIME; i++) {
            const size_t q = those->query[begin + (i < some ? i : 0)];
            of_query[i] = queries->codes + 2 * q * queries->stride;
            sum[i] = _mm512_set1_epi32(queries->part_corrections[bound][2 * q] + half);
        }
        for (size_t s = rows->leading[bound - 1]; s < last; s++) {
            const __m512i row_codes = _mm512_loadu_si512(codes + 64 * s);
            _Pragma("GCC unroll 8") for (size_t i = 0; i < AT_A_TIME; i++) {
                int32_t four;
                memcpy(&four, of_query[i] + 4 * s, 4);
                MULTIPLY_ADD(sum[i], row_codes, _mm512_set1_epi32(four));
            }
        }
        _Pragma("GCC unroll 8") for (size_t i = 0; i < AT_A_TIME; i++) {
            if (i >= some)
                break;
            const size_t q = those->query[begin + i];
            sum[i] = _mm512_add_epi32(those->sum[begin + i], _mm512_sra_epi32(sum[i], _mm_cvtsi32_si128(twice)));
            if (!to_end) {
                at = wait8(waiting, at, sum[i], q, sift8(of, queries, (int)bound, q, g, both, sum[i]));
                continue;
            }
            const __m512 scales = _mm512_mul_ps(_mm512_loadu_ps(of->scales + 16 * g), _mm512_set1_ps(queries->scales[q]));
            const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[i]), scales);
            __m512 least = _mm512_set1_ps(queries->floors[q]);
            if (both) {
                const __m512 slack = _mm512_set1_ps(queries->slack[q]);
                least = _mm512_min_ps(_mm512_sub_ps(_mm512_loadu_ps(of->needed + 16 * g), slack), least);
            }
            const __m512 most = _mm512_add_ps(value, _mm512_loadu_ps(of->errors + 16 * g));
            const __mmask16 which = _mm512_cmp_ps_mask(most, least, _CMP_NLT_UQ);
            if (which)
                take8(of, queries, sum[i], which, q, g);
        }
    }
    waiting->count = at;
}

/* Functions of their own: put into their caller, all four, they keep their pointers in memory instead of registers. */
#define MORE8(TO_END, BOTH)                                                                                            \
    TARGET static __attribute__((noinline)) void more8_##TO_END##_##BOTH(                                              \
        found8 *of, const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, int g, size_t bound,                   \
        const waiting8 *those, waiting8 *waiting) {                                                                    \
        more8(of, rows, queries, g, bound, TO_END, BOTH, those, waiting);                                              \
    }

MORE8(0, 0)
MORE8(0, 1)
MORE8(1, 0)
MORE8(1, 1)
#undef MORE8

TARGET static float largest8(const float *x, size_t count) {
    __m512 most = _mm512_setzero_ps();
    for (size_t i = 0; i < count; i += 16)
        most = _mm512_max_ps(most, _mm512_maskz_loadu_ps(first16(count - i), x + i));
    return _mm512_reduce_max_ps(most);
}

/* What each asks of a bound: `least` (and `more` of each, if any), less what the bound may be short of, which is the error of
 * either times the length of the other, the others' `most` each, and `rounding`. In halves of units. Where this is below -1,
 * as no cosine is, it is -4, which no bound is below: a code is at most twice what it stands for. */
typedef struct {
    float error, length;
} most8;

TARGET static void ask8(const float *least, const float *more, const float *units, const float *errors, const float *lengths,
                        most8 most, float rounding, const int16_t *rests, size_t count, int32_t *asked) {
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 these = first16(count - i);
        const __m512 own = _mm512_mul_ps(_mm512_maskz_loadu_ps(these, errors + i), _mm512_set1_ps(most.length));
        const __m512 others = _mm512_mul_ps(_mm512_maskz_loadu_ps(these, lengths + i), _mm512_set1_ps(most.error));
        const __m512 error = _mm512_add_ps(_mm512_add_ps(own, others), _mm512_set1_ps(rounding));
        __m512 needed = _mm512_maskz_loadu_ps(these, least + i);
        if (more)
            needed = _mm512_add_ps(needed, _mm512_maskz_loadu_ps(these, more + i));
        needed = _mm512_min_ps(_mm512_sub_ps(needed, error), _mm512_set1_ps(1.0f));
        const __mmask16 any = _mm512_cmp_ps_mask(needed, _mm512_set1_ps(-1.0f), _CMP_NGE_UQ);
        needed = _mm512_mask_mov_ps(needed, any, _mm512_set1_ps(-4.0f));
        const __m512 twice = _mm512_mul_ps(_mm512_maskz_loadu_ps(these, units + i), _mm512_set1_ps(2.0f));
        const __m512 least_units = _mm512_mul_ps(needed, twice);
        const __m512i down = _mm512_cvt_roundps_epi32(least_units, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
        const __m512i up = _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), down), 16);
        const __m512i rest = _mm512_maskz_loadu_epi32(these, rests + 2 * i);
        _mm512_storeu_si512(asked + i, _mm512_mask_blend_epi16(0xaaaaaaaa, rest, up));
    }
}

#define QUERIES8(GROUPS, WHOLE, BOTH, SOME)                                                                            \
    {                                                                                                                  \
        for (; q + 6 <= queries->count; q += 6)                                                                        \
            lead8_6_##GROUPS(&of, rows, queries, q, WHOLE, BOTH, SOME, waiting);                                       \
        for (; q < queries->count; q++)                                                                                \
            lead8_1_##GROUPS(&of, rows, queries, q, WHOLE, BOTH, SOME, waiting);                                       \
    }

/* What is behind the first bound of a group's codes is asked for a group early: queries pushed it out of the cache. */
#define SWEEP(GROUPS)                                                                                                  \
    for (; group + GROUPS <= rows->groups; group += GROUPS) {                                                          \
        size_t q = 0, bound;                                                                                           \
        const size_t at = 16 * group;                                                                                  \
        of.group = group, of.codes = rows->codes + group * rows->steps * 64, of.scales = rows->scales + at;            \
        of.errors = rows->errors + at, of.head = rows->head + 2 * at;                                                  \
        of.needed = both ? rows->needed + at : NULL;                                                                   \
        for (bound = 0; bound < rows->bounds; bound++) {                                                               \
            of.rests[bound] = rows->rests[bound] + 2 * at;                                                             \
            if (both)                                                                                                  \
                ask8(of.needed, NULL, rows->units + at, rows->bound_errors[bound] + at, rows->lengths[bound] + at,     \
                     of_queries[bound], queries->rounding, of.rests[bound], 16 * GROUPS, of.of_rows[bound]);           \
        }                                                                                                              \
        for (int g = 0; g < GROUPS; g++)                                                                               \
            waiting[g].count = 0;                                                                                      \
        if (rows->leading[0] == rows->steps && both)                                                                   \
            QUERIES8(GROUPS, 1, 1, 0)                                                                                  \
        else if (rows->leading[0] == rows->steps)                                                                      \
            QUERIES8(GROUPS, 1, 0, 0)                                                                                  \
        else if (both && often)                                                                                        \
            QUERIES8(GROUPS, 0, 1, 1)                                                                                  \
        else if (both)                                                                                                 \
            QUERIES8(GROUPS, 0, 1, 0)                                                                                  \
        else if (often)                                                                                                \
            QUERIES8(GROUPS, 0, 0, 1)                                                                                  \
        else                                                                                                           \
            QUERIES8(GROUPS, 0, 0, 0)                                                                                  \
        size_t waits = 0;                                                                                              \
        for (int g = 0; g < GROUPS; g++)                                                                               \
            waits += waiting[g].count;                                                                                 \
        often = waits * OFTEN > queries->count * GROUPS;                                                               \
        for (int g = 0; g < GROUPS; g++) {                                                                             \
            waiting8 *those = waiting + g, *next = waiting + GROUPS;                                                   \
            for (size_t s = rows->leading[0]; g + 1 < GROUPS && s < rows->leading[rows->bounds - 1]; s++)              \
                _mm_prefetch((const char *)of.codes + ((size_t)(g + 1) * rows->steps + s) * 64, _MM_HINT_T0);          \
            for (bound = 1; bound <= rows->bounds; bound++) {                                                          \
                (bound < rows->bounds ? both ? more8_0_1 : more8_0_0 : both ? more8_1_1 : more8_1_0)(                  \
                    &of, rows, queries, g, bound, those, next);                                                        \
                waiting8 *other = those;                                                                               \
                those = next, next = other;                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }

TARGET static size_t leading8_vnni(const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, float *values,
                                   uint32_t *places) {
    waiting8 waiting[5];
    found8 of = {.values = values, .places = places};
    const int both = rows->needed != NULL;
    most8 of_queries[WORDGEO_MOST_BOUNDS] = {{0}};
    for (size_t bound = 0; bound < rows->bounds; bound++) {
        const float *errors = queries->bound_errors[bound], *lengths = queries->lengths[bound];
        const most8 of_rows = {largest8(rows->bound_errors[bound], 16 * rows->groups),
                               largest8(rows->lengths[bound], 16 * rows->groups)};
        of_queries[bound].error = largest8(errors, queries->count);
        of_queries[bound].length = largest8(lengths, queries->count);
        ask8(queries->floors, queries->slack, queries->units, errors, lengths, of_rows, queries->rounding,
             queries->rests[bound], queries->count, of.of_queries[bound]);
    }
    size_t group = 0;
    int often = 0;
    SWEEP(4)
    SWEEP(1)
    return of.found;
}

#undef SWEEP
#undef QUERIES8
#undef MULTIPLY_ADD
#undef MULTIPLY_ADD16
#undef TARGET
