/* Products of int8 codes on AVX-512 VNNI; see quantised.h for the layout. Included by kernels.c. */

#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx2,fma")))

/* One instruction of sixteen sums of four products; written out because compilers copy the accumulator around. */
#define MULTIPLY_ADD(acc, codes, query) __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(codes), "v"(query))

/* `GROUPS` groups of rows times `QUERIES` queries of PARTS parts, all sums in registers. */
#define TILE8(QUERIES, PARTS, GROUPS)                                                                                  \
    TARGET static inline __attribute__((always_inline)) void tile8_##QUERIES##_##PARTS##_##GROUPS(                     \
        const uint8_t *codes, size_t steps, const int8_t *queries, size_t query_stride, const int32_t *corrections,    \
        const float *query_scales, const float *scales, float *out, size_t stride) {                                   \
        __m512i sum[QUERIES][PARTS][GROUPS];                                                                           \
        _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++)                                                      \
            _Pragma("GCC unroll 2") for (int p = 0; p < PARTS; p++)                                                    \
                _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                               \
                    sum[q][p][g] = _mm512_set1_epi32(corrections[2 * q + p]);                                          \
        for (size_t s = 0; s < steps; s++) {                                                                           \
            __m512i rows[GROUPS];                                                                                      \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                                   \
                rows[g] = _mm512_loadu_si512(codes + (g * steps + s) * 64);                                            \
            _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++)                                                  \
                _Pragma("GCC unroll 2") for (int p = 0; p < PARTS; p++) {                                              \
                    int32_t four;                                                                                      \
                    memcpy(&four, queries + (2 * (size_t)q + p) * query_stride + 4 * s, 4);                            \
                    const __m512i spread = _mm512_set1_epi32(four);                                                    \
                    _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                           \
                        MULTIPLY_ADD(sum[q][p][g], rows[g], spread);                                                   \
                }                                                                                                      \
        }                                                                                                              \
        _Pragma("GCC unroll 8") for (int q = 0; q < QUERIES; q++) {                                                    \
            const __m512 query_scale = _mm512_set1_ps(query_scales[q]);                                                \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++) {                                                 \
                __m512 value = _mm512_cvtepi32_ps(sum[q][0][g]);                                                       \
                if (PARTS == 2)                                                                                        \
                    value = _mm512_fmadd_ps(value, _mm512_set1_ps(256.0f), _mm512_cvtepi32_ps(sum[q][PARTS - 1][g]));  \
                value = _mm512_mul_ps(value, _mm512_mul_ps(query_scale, _mm512_loadu_ps(scales + 16 * g)));            \
                _mm512_storeu_ps(out + q * stride + 16 * g, value);                                                    \
            }                                                                                                          \
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
    for (; q + QUERIES <= n_queries; q += QUERIES) {                                                                   \
        size_t g = 0;                                                                                                  \
        for (; g + 4 <= groups; g += 4)                                                                                \
            tile8_##QUERIES##_##PARTS##_4(codes + g * steps * 64, steps, queries + 2 * q * query_stride, query_stride, \
                                          corrections + 2 * q, query_scales + q, scales + 16 * g,                      \
                                          out + q * stride + 16 * g, stride);                                          \
        for (; g < groups; g++)                                                                                        \
            tile8_##QUERIES##_##PARTS##_1(codes + g * steps * 64, steps, queries + 2 * q * query_stride, query_stride, \
                                          corrections + 2 * q, query_scales + q, scales + 16 * g,                      \
                                          out + q * stride + 16 * g, stride);                                          \
    }

TARGET static void tile8_vnni(const uint8_t *codes, size_t groups, size_t steps, const int8_t *queries,
                              size_t query_stride, size_t n_queries, int parts, const int32_t *corrections,
                              const float *query_scales, const float *scales, float *out, size_t stride) {
    size_t q = 0;
    if (parts == 1) {
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
