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

/* A product of two rows of numbers of 16 bits, two a lane, in the same way. */
#define MULTIPLY_ADD16(acc, x, y) __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(x), "v"(y))

/* Some groups of rows, as wordgeo_rows8 from the first of them on; what a query asks of their bounds; and where products go
 * that may matter. */
typedef struct {
    const uint8_t *codes;
    const float *scales, *units, *errors, *needed;
    const int16_t *head, *rests[WORDGEO_MOST_BOUNDS];
    float error[WORDGEO_MOST_BOUNDS][WORDGEO_MOST_QUERIES];   /* what the bound is short of at most, with any of the rows */
    float least[WORDGEO_MOST_BOUNDS][WORDGEO_MOST_QUERIES];   /* from where on it matters to the query, in its units */
    int32_t asked[WORDGEO_MOST_BOUNDS][WORDGEO_MOST_QUERIES]; /* the rest, and above it what makes up for that */
    size_t group, stride; /* the first, and rows from one query to the next among places */
    float *values;
    uint32_t *places;
    size_t found;
} found8;

/* Takes in those of a group's products with query q. */
TARGET static inline void take8(found8 *of, const wordgeo_queries8 *queries, __m512i sum, __mmask16 which, size_t q, int g) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i first = _mm512_set1_epi32((int)(q * of->stride + 16 * (of->group + (size_t)g)));
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

/* Negative where a sum by the codes up to a bound, with the bound of the others, cannot matter. `both` is whether rows need
 * something as words. */
TARGET static inline __attribute__((always_inline)) __m512i sift8(const found8 *of, const wordgeo_queries8 *queries, int bound,
                                                                  size_t q, int g, int both, __m512i sum) {
    const __m512i rests = _mm512_loadu_si512(of->rests[bound] + 32 * g);
    if (!both) {
        MULTIPLY_ADD16(sum, rests, _mm512_set1_epi32(of->asked[bound][q]));
        return sum;
    }
    MULTIPLY_ADD16(sum, rests, _mm512_set1_epi32(of->asked[bound][q] & 0xffff));
    const __m512 needed = _mm512_sub_ps(_mm512_loadu_ps(of->needed + 16 * g), _mm512_set1_ps(of->error[bound][q]));
    const __m512 least = _mm512_min_ps(_mm512_mul_ps(needed, _mm512_set1_ps(queries->units[q])),
                                       _mm512_set1_ps(of->least[bound][q]));
    /* What is below all integers becomes the lowest; nothing is above them, since the query's own is not. */
    const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(least, _mm512_loadu_ps(of->units + 16 * g)));
    return _mm512_movm_epi32(_mm512_cmplt_epi32_mask(_mm512_add_epi32(sum, _mm512_set1_epi32(1)), whole));
}

TARGET static inline void wait8(waiting8 *waiting, __m512i sum, size_t q, __m512i sifted) {
    const size_t at = waiting->count;
    waiting->sum[at] = sum, waiting->query[at] = (uint32_t)q;
    waiting->count = at + (_mm512_movepi32_mask(sifted) != 0xffff);
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
                    int32_t two;                                                                                       \
                    memcpy(&two, queries->head + 2 * (query + q), 4);                                                  \
                    const __m512i head = _mm512_loadu_si512(of->head + 32 * g);                                        \
                    MULTIPLY_ADD16(sum[q][g], head, _mm512_set1_epi32(two));                                           \
                }                                                                                                      \
                sifted[g] = sift8(of, queries, 0, query + q, g, both, sum[q][g]);                                      \
                all = _mm512_and_si512(all, sifted[g]);                                                                \
            }                                                                                                          \
            if (!often && _mm512_movepi32_mask(all) == 0xffff)                                                         \
                continue;                                                                                              \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++) {                                                 \
                const __mmask16 which = (__mmask16)~_mm512_movepi32_mask(sifted[g]);                                   \
                if (!whole)                                                                                            \
                    wait8(waiting + g, sum[q][g], query + q, sifted[g]);                                               \
                else if (which)                                                                                        \
                    take8(of, queries, sum[q][g], which, query + q, g);                                                \
            }                                                                                                          \
        }                                                                                                              \
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
                                                               const wordgeo_queries8 *queries, int g, size_t bound, int both,
                                                               const waiting8 *those, waiting8 *waiting) {
    const size_t last = bound < rows->bounds ? rows->leading[bound] : rows->steps;
    const uint8_t *codes = of->codes + (size_t)g * rows->steps * 64;
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
            if (bound < rows->bounds) {
                wait8(waiting, sum[i], q, sift8(of, queries, (int)bound, q, g, both, sum[i]));
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
}

/* What the queries ask of the bounds of some groups. Returns whether all of it goes into 16 bits: whether all of it is
 * above -1, as a cosine is. */
TARGET static int ask8(found8 *of, const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, size_t at, size_t groups) {
    __mmask16 low = 0;
    for (size_t bound = 0; bound < rows->bounds; bound++) {
        __m512 most = _mm512_loadu_ps(rows->bound_errors[bound] + at);
        for (size_t g = 1; g < groups; g++)
            most = _mm512_max_ps(most, _mm512_loadu_ps(rows->bound_errors[bound] + at + 16 * g));
        const __m512 worst = _mm512_set1_ps(_mm512_reduce_max_ps(most));
        for (size_t q = 0; q < queries->count; q += 16) {
            const __mmask16 these = (__mmask16)(queries->count - q < 16 ? (1 << (queries->count - q)) - 1 : 0xffff);
            const __m512 units = _mm512_maskz_loadu_ps(these, queries->units + q);
            const __m512 error = _mm512_add_ps(_mm512_maskz_loadu_ps(these, queries->bound_slack[bound] + q), worst);
            const __m512 floor = _mm512_maskz_loadu_ps(these, queries->floors + q);
            const __m512 slack = _mm512_maskz_loadu_ps(these, queries->slack + q);
            const __m512 needed = _mm512_min_ps(_mm512_sub_ps(_mm512_add_ps(floor, slack), error), _mm512_set1_ps(1.0f));
            const __m512 least = _mm512_mul_ps(needed, units);
            const __m512i down = _mm512_cvt_roundps_epi32(least, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
            const __m512i rests = _mm512_maskz_loadu_epi32(these, queries->rests[bound] + 2 * q);
            const __m512i up = _mm512_slli_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), down), 16);
            _mm512_storeu_ps(of->error[bound] + q, error);
            _mm512_storeu_ps(of->least[bound] + q, least);
            _mm512_storeu_si512(of->asked[bound] + q, _mm512_mask_blend_epi16(0xaaaaaaaa, rests, up));
            low |= _mm512_mask_cmp_ps_mask(these, needed, _mm512_set1_ps(-1.0f), _CMP_NGE_UQ);
        }
    }
    return !low;
}

#define QUERIES8(GROUPS, WHOLE, BOTH, SOME)                                                                            \
    {                                                                                                                  \
        for (; q + 6 <= queries->count; q += 6)                                                                        \
            lead8_6_##GROUPS(&of, rows, queries, q, WHOLE, BOTH, SOME, waiting);                                       \
        for (; q < queries->count; q++)                                                                                \
            lead8_1_##GROUPS(&of, rows, queries, q, WHOLE, BOTH, SOME, waiting);                                       \
    }

#define SWEEP(GROUPS)                                                                                                  \
    for (; group + GROUPS <= rows->groups; group += GROUPS) {                                                          \
        size_t q = 0, bound;                                                                                           \
        const size_t at = 16 * group;                                                                                  \
        of.group = group, of.codes = rows->codes + group * rows->steps * 64, of.scales = rows->scales + at;            \
        of.units = rows->units + at, of.errors = rows->errors + at, of.head = rows->head + 2 * at;                     \
        for (bound = 0; bound < rows->bounds; bound++)                                                                 \
            of.rests[bound] = rows->rests[bound] + 2 * at;                                                             \
        of.needed = rows->needed ? rows->needed + at : nothing;                                                        \
        for (int g = 0; g < GROUPS; g++)                                                                               \
            waiting[g].count = 0;                                                                                      \
        if (rows->leading[0] == rows->steps && both)                                                                   \
            QUERIES8(GROUPS, 1, 1, 0)                                                                                  \
        else if (rows->leading[0] == rows->steps)                                                                      \
            QUERIES8(GROUPS, 1, 0, 0)                                                                                  \
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
            for (bound = 1; bound <= rows->bounds; bound++) {                                                          \
                next->count = 0;                                                                                       \
                if (both)                                                                                              \
                    more8(&of, rows, queries, g, bound, 1, those, next);                                               \
                else                                                                                                   \
                    more8(&of, rows, queries, g, bound, 0, those, next);                                               \
                waiting8 *other = those;                                                                               \
                those = next, next = other;                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }

TARGET static size_t leading8_vnni(const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, float *values,
                                   uint32_t *places) {
    waiting8 waiting[5];
    float nothing[64]; /* that rows need as words */
    for (int i = 0; i < 64; i++)
        nothing[i] = HUGE_VALF;
    found8 of = {.stride = 16 * rows->groups, .values = values, .places = places};
    size_t group = 0;
    const int both = !ask8(&of, rows, queries, 0, rows->groups) || rows->needed;
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
