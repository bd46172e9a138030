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
        const size_t steps = rows->steps, query_stride = queries->stride;                                              \
        const uint8_t *codes = rows->codes + group * steps * 64;                                                       \
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
                some[g] = _mm512_loadu_si512(codes + (g * steps + s) * 64);                                            \
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

/* Some groups of rows, as wordgeo_rows8 from the first of them on, and where their products go that may matter. */
typedef struct {
    const uint8_t *codes;
    const float *scales, *units, *errors, *head, *rest, *needed;
    float worst_leading;  /* of their leading errors */
    size_t group, stride; /* the first, and rows from one query to the next among places */
    float *values;
    uint32_t *places;
    size_t found;
} found8;

/* Takes in those of a group's products with query q. */
TARGET static inline void take8(found8 *of, __m512 value, __mmask16 which, size_t q, int g) {
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i first = _mm512_set1_epi32((int)(q * of->stride + 16 * (of->group + (size_t)g)));
    _mm512_storeu_ps(of->values + of->found, _mm512_maskz_compress_ps(which, value));
    _mm512_storeu_si512(of->places + of->found, _mm512_maskz_compress_epi32(which, _mm512_add_epi32(lanes, first)));
    of->found += (size_t)__builtin_popcount(which);
}

/* What waits for the other codes: sums of the first ones, and of which queries they are. */
typedef struct {
    __m512i sum[4][WORDGEO_MOST_QUERIES];
    uint32_t query[4][WORDGEO_MOST_QUERIES];
    size_t count[4];
} waiting8;

/* Which sums of some queries and groups may matter: these wait, or are found where the sums are whole. Bounds are in units
 * of both the row and the query. `both` is whether rows need something as words. */
TARGET static inline __attribute__((always_inline)) void sift8(found8 *of, const wordgeo_queries8 *queries, size_t query,
                                                               int count, int groups, int whole, int both,
                                                               const __m512i *sums, waiting8 *waiting) {
    __m512 units[4], head[4], rest[4];
    _Pragma("GCC unroll 4") for (int g = 0; g < groups; g++) {
        units[g] = _mm512_loadu_ps(of->units + 16 * g);
        head[g] = whole ? units[g] : _mm512_loadu_ps(of->head + 16 * g);
        rest[g] = whole ? units[g] : _mm512_loadu_ps(of->rest + 16 * g);
    }
    for (size_t q = query; q < query + (size_t)count; q++, sums += groups) {
        const float unit = queries->units[q], error = queries->leading_slack[q] + of->worst_leading;
        const __m512 floor = _mm512_set1_ps((queries->floors[q] + queries->slack[q] - error) * unit);
        const __m512 less = _mm512_set1_ps(error);
        __mmask16 which[4];
        unsigned any = 0;
        _Pragma("GCC unroll 4") for (int g = 0; g < groups; g++) {
            __m512 product = _mm512_cvtepi32_ps(sums[g]), least = floor;
            if (!whole) {
                product = _mm512_fmadd_ps(_mm512_set1_ps(queries->head[q]), head[g], product);
                product = _mm512_fmadd_ps(_mm512_set1_ps(queries->rest[q]), rest[g], product);
            }
            if (both) {
                const __m512 needed = _mm512_sub_ps(_mm512_loadu_ps(of->needed + 16 * g), less);
                least = _mm512_min_ps(_mm512_mul_ps(needed, _mm512_set1_ps(unit)), least);
            }
            which[g] = _mm512_cmp_ps_mask(product, _mm512_mul_ps(least, units[g]), _CMP_NLT_UQ);
            any |= which[g];
        }
        if (!any)
            continue;
        _Pragma("GCC unroll 4") for (int g = 0; g < groups; g++) {
            if (!whole) {
                const size_t at = waiting->count[g];
                waiting->sum[g][at] = sums[g], waiting->query[g][at] = (uint32_t)q;
                waiting->count[g] = at + (which[g] != 0);
            } else if (which[g]) {
                const __m512 scale = _mm512_set1_ps(queries->scales[q]);
                const __m512 scales = _mm512_mul_ps(_mm512_loadu_ps(of->scales + 16 * g), scale);
                take8(of, _mm512_mul_ps(_mm512_cvtepi32_ps(sums[g]), scales), which[g], q, g);
            }
        }
    }
}

/* `GROUPS` groups of rows times `QUERIES` queries by their first codes, all sums in registers. */
#define LEAD8(QUERIES, GROUPS)                                                                                         \
    TARGET static inline __attribute__((always_inline)) void lead8_##QUERIES##_##GROUPS(                               \
        found8 *of, const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, size_t query, waiting8 *waiting) {     \
        const size_t steps = rows->steps, leading = rows->leading, stride = queries->stride;                           \
        const uint8_t *codes = of->codes;                                                                              \
        const int8_t *of_queries = queries->codes + 2 * query * stride;                                                \
        const int32_t *corrections = queries->corrections + 2 * query;                                                 \
        __m512i sum[QUERIES][GROUPS], sums[QUERIES * GROUPS];                                                          \
        _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++)                                                      \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                                   \
                sum[q][g] = _mm512_set1_epi32(corrections[2 * q] - corrections[2 * q + 1]);                            \
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
        _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++)                                                      \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                                   \
                sums[q * GROUPS + g] = sum[q][g];                                                                      \
        if (of->needed)                                                                                                \
            sift8(of, queries, query, QUERIES, GROUPS, 0, 1, sums, waiting);                                           \
        else if (leading < steps)                                                                                      \
            sift8(of, queries, query, QUERIES, GROUPS, 0, 0, sums, waiting);                                           \
        else                                                                                                           \
            sift8(of, queries, query, QUERIES, GROUPS, 1, 0, sums, waiting);                                           \
    }

LEAD8(6, 4)
LEAD8(1, 4)
LEAD8(6, 1)
LEAD8(1, 1)
#undef LEAD8

enum { AT_A_TIME = 6 }; /* so many sums hide how long each step takes */

/* What waits times the other codes. */
TARGET static inline void rest8(found8 *of, const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, int g,
                                 const waiting8 *those) {
    const __m512i *part = those->sum[g];
    const uint32_t *waiting = those->query[g];
    const size_t waits = those->count[g];
    const uint8_t *codes = of->codes + (size_t)g * rows->steps * 64;
    for (size_t begin = 0; begin < waits; begin += AT_A_TIME) {
        const int8_t *of_query[AT_A_TIME];
        __m512i sum[AT_A_TIME];
        _Pragma("GCC unroll 8") for (size_t i = 0; i < AT_A_TIME; i++) {
            const size_t at = begin + i < waits ? begin + i : begin, q = waiting[at];
            of_query[i] = queries->codes + 2 * q * queries->stride;
            sum[i] = _mm512_add_epi32(part[at], _mm512_set1_epi32(queries->corrections[2 * q + 1]));
        }
        for (size_t s = rows->leading; s < rows->steps; s++) {
            const __m512i some = _mm512_loadu_si512(codes + 64 * s);
            _Pragma("GCC unroll 8") for (size_t i = 0; i < AT_A_TIME; i++) {
                int32_t four;
                memcpy(&four, of_query[i] + 4 * s, 4);
                MULTIPLY_ADD(sum[i], some, _mm512_set1_epi32(four));
            }
        }
        _Pragma("GCC unroll 8") for (size_t i = 0; i < AT_A_TIME; i++) {
            const size_t q = waiting[begin + i < waits ? begin + i : begin];
            const __m512 head = _mm512_mul_ps(_mm512_set1_ps(queries->head[q]), _mm512_loadu_ps(of->head + 16 * g));
            const __m512 product = _mm512_mul_ps(_mm512_add_ps(_mm512_cvtepi32_ps(sum[i]), head),
                                                 _mm512_loadu_ps(of->scales + 16 * g));
            const __m512 value = _mm512_mul_ps(product, _mm512_set1_ps(queries->scales[q]));
            const __m512 most = _mm512_add_ps(value, _mm512_loadu_ps(of->errors + 16 * g));
            __m512 least = _mm512_set1_ps(queries->floors[q]);
            if (of->needed) {
                const __m512 slack = _mm512_set1_ps(queries->slack[q]);
                least = _mm512_min_ps(_mm512_sub_ps(_mm512_loadu_ps(of->needed + 16 * g), slack), least);
            }
            const __mmask16 which = _mm512_cmp_ps_mask(most, least, _CMP_NLT_UQ);
            if (which && begin + i < waits)
                take8(of, value, which, q, g);
        }
    }
}

#define SWEEP(GROUPS)                                                                                                  \
    for (; group + GROUPS <= rows->groups; group += GROUPS) {                                                          \
        size_t q = 0;                                                                                                  \
        memset(waiting.count, 0, sizeof waiting.count);                                                                \
        const size_t at = 16 * group;                                                                                  \
        of.group = group, of.codes = rows->codes + group * rows->steps * 64, of.scales = rows->scales + at;            \
        of.units = rows->units + at, of.errors = rows->errors + at, of.head = rows->head + at;                         \
        of.rest = rows->rest + at, of.needed = rows->needed ? rows->needed + at : NULL;                                \
        __m512 worst = _mm512_loadu_ps(rows->leading_errors + at);                                                     \
        for (int g = 1; g < GROUPS; g++)                                                                               \
            worst = _mm512_max_ps(worst, _mm512_loadu_ps(rows->leading_errors + at + 16 * g));                         \
        of.worst_leading = _mm512_reduce_max_ps(worst);                                                                \
        for (; q + 6 <= queries->count; q += 6)                                                                        \
            lead8_6_##GROUPS(&of, rows, queries, q, &waiting);                                                         \
        for (; q < queries->count; q++)                                                                                \
            lead8_1_##GROUPS(&of, rows, queries, q, &waiting);                                                         \
        for (int g = 0; g < GROUPS; g++)                                                                               \
            rest8(&of, rows, queries, g, &waiting);                                                                    \
    }

TARGET static size_t leading8_vnni(const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, float *values,
                                   uint32_t *places) {
    waiting8 waiting;
    found8 of = {.stride = 16 * rows->groups, .values = values, .places = places};
    size_t group = 0;
    SWEEP(4)
    SWEEP(1)
    return of.found;
}

#undef SWEEP
#undef MULTIPLY_ADD
#undef TARGET
