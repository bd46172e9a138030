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
#undef MULTIPLY_ADD
#undef TARGET
