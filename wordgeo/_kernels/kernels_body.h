/* The kernels of kernels.h for one instruction set. Included once for each, with
 *     SET        the suffix of its functions
 *     TARGET     the attribute that lets a function use it
 *     LANES      AVX512, AVX2 or PLAIN: how the 16 lanes are held
 */
#if LANES == AVX512

typedef struct {
    __m512d low, high;
} NAME(lanes);

TARGET static inline double NAME(total)(NAME(lanes) acc) {
    const __m512d r8 = _mm512_add_pd(acc.low, acc.high);
    const __m256d r4 = _mm256_add_pd(_mm512_castpd512_pd256(r8), _mm512_extractf64x4_pd(r8, 1));
    const __m128d r2 = _mm_add_pd(_mm256_castpd256_pd128(r4), _mm256_extractf128_pd(r4, 1));
    return _mm_cvtsd_f64(_mm_add_sd(r2, _mm_unpackhi_pd(r2, r2)));
}

TARGET static double NAME(dot)(const float *x, const float *y, size_t size) {
    NAME(lanes) acc = {_mm512_setzero_pd(), _mm512_setzero_pd()};
    for (size_t i = 0; i < size; i += 16) {
        const __mmask16 mask = size - i >= 16 ? 0xffff : (__mmask16)((1u << (size - i)) - 1);
        const __m512 a = _mm512_maskz_loadu_ps(mask, x + i), b = _mm512_maskz_loadu_ps(mask, y + i);
        acc.low = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(a)),
                                  _mm512_cvtps_pd(_mm512_castps512_ps256(b)), acc.low);
        acc.high = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)),
                                   _mm512_cvtps_pd(_mm512_extractf32x8_ps(b, 1)), acc.high);
    }
    return NAME(total)(acc);
}

/* One row after the other: rows side by side would hide the latency of the additions, but memory, which takes longer, is
 * read the fastest in order. */
TARGET static void NAME(dots)(const float *rows, size_t count, size_t size, const double *query, double *out) {
    const size_t whole = size & ~(size_t)15;
    const unsigned rest = (unsigned)(size - whole);
    const __mmask8 mask_low = rest >= 8 ? 0xff : (__mmask8)((1u << rest) - 1);
    const __mmask8 mask_high = rest <= 8 ? 0 : (__mmask8)((1u << (rest - 8)) - 1);
    for (size_t r = 0; r < count; r++, rows += size) {
        NAME(lanes) acc = {_mm512_setzero_pd(), _mm512_setzero_pd()};
        for (size_t i = 0; i < whole; i += 16) {
            const __m512d low = _mm512_loadu_pd(query + i), high = _mm512_loadu_pd(query + i + 8);
            acc.low = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm256_loadu_ps(rows + i)), low, acc.low);
            acc.high = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm256_loadu_ps(rows + i + 8)), high, acc.high);
        }
        if (rest) {
            const __m512d low = _mm512_maskz_loadu_pd(mask_low, query + whole);
            const __m512d high = _mm512_maskz_loadu_pd(mask_high, query + whole + 8);
            const __m256 a = _mm256_maskz_loadu_ps(mask_low, rows + whole);
            const __m256 b = _mm256_maskz_loadu_ps(mask_high, rows + whole + 8);
            acc.low = _mm512_fmadd_pd(_mm512_cvtps_pd(a), low, acc.low);
            acc.high = _mm512_fmadd_pd(_mm512_cvtps_pd(b), high, acc.high);
        }
        out[r] = NAME(total)(acc);
    }
}

#elif LANES == AVX2

typedef struct {
    __m256d lane[4]; /* lanes 0-3, 4-7, 8-11, 12-15 */
} NAME(lanes);

TARGET static inline double NAME(total)(NAME(lanes) acc) {
    const __m256d r8_low = _mm256_add_pd(acc.lane[0], acc.lane[2]), r8_high = _mm256_add_pd(acc.lane[1], acc.lane[3]);
    const __m256d r4 = _mm256_add_pd(r8_low, r8_high);
    const __m128d r2 = _mm_add_pd(_mm256_castpd256_pd128(r4), _mm256_extractf128_pd(r4, 1));
    return _mm_cvtsd_f64(_mm_add_sd(r2, _mm_unpackhi_pd(r2, r2)));
}

/* The last elements, padded with zeros to 16: adding +0 changes no lane, since none is -0. */
TARGET static inline void NAME(pad)(const float *from, size_t rest, float *to) {
    for (size_t j = 0; j < 16; j++)
        to[j] = j < rest ? from[j] : 0.0f;
}

TARGET static inline void NAME(add)(NAME(lanes) *acc, const float *x, const float *y) {
    for (size_t j = 0; j < 4; j++)
        acc->lane[j] = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + 4 * j)),
                                       _mm256_cvtps_pd(_mm_loadu_ps(y + 4 * j)), acc->lane[j]);
}

TARGET static inline void NAME(add_wide)(NAME(lanes) *acc, const float *x, const double *y) {
    for (size_t j = 0; j < 4; j++)
        acc->lane[j] =
            _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(x + 4 * j)), _mm256_loadu_pd(y + 4 * j), acc->lane[j]);
}

TARGET static double NAME(dot)(const float *x, const float *y, size_t size) {
    NAME(lanes) acc;
    for (size_t j = 0; j < 4; j++)
        acc.lane[j] = _mm256_setzero_pd();
    size_t i = 0;
    for (; i + 16 <= size; i += 16)
        NAME(add)(&acc, x + i, y + i);
    if (i < size) {
        float a[16], b[16];
        NAME(pad)(x + i, size - i, a);
        NAME(pad)(y + i, size - i, b);
        NAME(add)(&acc, a, b);
    }
    return NAME(total)(acc);
}

TARGET static void NAME(dots)(const float *rows, size_t count, size_t size, const double *query, double *out) {
    const size_t whole = size & ~(size_t)15, rest = size - whole;
    double last[16];
    for (size_t j = 0; j < 16; j++)
        last[j] = j < rest ? query[whole + j] : 0.0;
    for (size_t r = 0; r < count; r++, rows += size) { /* in order, as above */
        NAME(lanes) acc;
        for (size_t j = 0; j < 4; j++)
            acc.lane[j] = _mm256_setzero_pd();
        for (size_t i = 0; i < whole; i += 16)
            NAME(add_wide)(&acc, rows + i, query + i);
        if (rest) {
            float x[16];
            NAME(pad)(rows + whole, rest, x);
            NAME(add_wide)(&acc, x, last);
        }
        out[r] = NAME(total)(acc);
    }
}

#else /* PLAIN */

static inline double NAME(total)(const double lane[16]) {
    double r8[8], r4[4];
    for (int j = 0; j < 8; j++)
        r8[j] = lane[j] + lane[j + 8];
    for (int j = 0; j < 4; j++)
        r4[j] = r8[j] + r8[j + 4];
    return (r4[0] + r4[2]) + (r4[1] + r4[3]);
}

static double NAME(dot)(const float *x, const float *y, size_t size) {
    double lane[16] = {0.0};
    size_t i = 0;
    for (; i + 16 <= size; i += 16)
        for (size_t j = 0; j < 16; j++)
            lane[j] += (double)x[i + j] * (double)y[i + j];
    for (size_t j = 0; i + j < size; j++)
        lane[j] += (double)x[i + j] * (double)y[i + j];
    return NAME(total)(lane);
}

static void NAME(dots)(const float *rows, size_t count, size_t size, const double *query, double *out) {
    for (size_t r = 0; r < count; r++, rows += size) {
        double lane[16] = {0.0};
        size_t i = 0;
        for (; i + 16 <= size; i += 16)
            for (size_t j = 0; j < 16; j++)
                lane[j] += (double)rows[i + j] * query[i + j];
        for (size_t j = 0; i + j < size; j++)
            lane[j] += (double)rows[i + j] * query[i + j];
        out[r] = NAME(total)(lane);
    }
}

#endif

/* SELECT(...) is a function that collects the positions where a value is not below the threshold: VALUE(i) for a
 * vector at i, ONE(i) for a single i. Hits are rare, so finding none has to be fast. */
#if LANES == AVX512
#define WIDTH 16
#define LOAD(x) _mm512_loadu_ps(x)
#define ADD(x, y) _mm512_add_ps(x, y)
#define MUL(x, y) _mm512_mul_ps(x, y)
#define SPREAD(x) _mm512_set1_ps(x)
#define HITS(value) (unsigned)_mm512_cmp_ps_mask(value, _mm512_set1_ps(threshold), _CMP_NLT_UQ)
#elif LANES == AVX2
#define WIDTH 8
#define LOAD(x) _mm256_loadu_ps(x)
#define ADD(x, y) _mm256_add_ps(x, y)
#define MUL(x, y) _mm256_mul_ps(x, y)
#define SPREAD(x) _mm256_set1_ps(x)
#define HITS(value) (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(value, _mm256_set1_ps(threshold), _CMP_NLT_UQ))
#endif

#ifdef WIDTH
#define WIDE(VALUE)                                                                                                    \
    for (; i + 4 * WIDTH <= end; i += 4 * WIDTH) { /* one branch for four vectors */                                   \
        const unsigned h0 = HITS(VALUE(i)), h1 = HITS(VALUE(i + WIDTH)), h2 = HITS(VALUE(i + 2 * WIDTH)),              \
                       h3 = HITS(VALUE(i + 3 * WIDTH));                                                                \
        if (h0 | h1 | h2 | h3) {                                                                                       \
            uint64_t hits = (uint64_t)h0 | (uint64_t)h1 << WIDTH | (uint64_t)h2 << 2 * WIDTH;                          \
            hits |= (uint64_t)h3 << 3 * WIDTH;                                                                         \
            for (; hits; hits &= hits - 1)                                                                             \
                chosen[found++] = (uint32_t)(i + (size_t)__builtin_ctzll(hits));                                       \
        }                                                                                                              \
    }                                                                                                                  \
    for (; i + WIDTH <= end; i += WIDTH)                                                                               \
        for (unsigned hits = HITS(VALUE(i)); hits; hits &= hits - 1)                                                   \
            chosen[found++] = (uint32_t)(i + (size_t)__builtin_ctz(hits));
#define ANY(ONE)
#else
#define WIDE(VALUE)
#define ANY(ONE)                                                                                                       \
    for (; i + 16 <= end; i += 16) {                                                                                   \
        int any = 0;                                                                                                   \
        for (size_t j = i; j < i + 16; j++)                                                                            \
            any |= !(ONE(j) < threshold);                                                                              \
        for (size_t j = i; any && j < i + 16; j++)                                                                     \
            if (!(ONE(j) < threshold))                                                                                 \
                chosen[found++] = (uint32_t)j;                                                                         \
    }
#endif
#define SELECT(VALUE, ONE)                                                                                             \
    size_t found = 0, i = begin;                                                                                       \
    WIDE(VALUE)                                                                                                        \
    ANY(ONE)                                                                                                           \
    for (; i < end; i++)                                                                                               \
        if (!(ONE(i) < threshold))                                                                                     \
            chosen[found++] = (uint32_t)i;                                                                             \
    return found;

TARGET static size_t NAME(select)(const float *scores, const float *scale, size_t begin, size_t end, float threshold,
                                  uint32_t *chosen) {
#define VALUE(j) MUL(LOAD(scores + (j)), LOAD(scale + (j)))
#define ONE(j) (scores[j] * scale[j])
    SELECT(VALUE, ONE)
#undef VALUE
#undef ONE
}

TARGET static size_t NAME(select_sum)(const float *x, const float *y, size_t begin, size_t end, float threshold,
                                      uint32_t *chosen) {
#define VALUE(j) ADD(LOAD(x + (j)), LOAD(y + (j)))
#define ONE(j) (x[j] + y[j])
    SELECT(VALUE, ONE)
#undef VALUE
#undef ONE
}

static const wordgeo_kernels NAME(kernels) = {
    SET_NAME,         NAME(dot),    NAME(dots),    NAME(select),   NAME(select_sum),
    NAME(quantise16), NAME(tile16), NAME(sweep16), NAME(differences16), NAME(logarithms16),
    NAME(distances16), NAME(dot_float), NULL, NULL,
};

#undef SELECT
#undef WIDE
#undef ANY
#ifdef WIDTH
#undef WIDTH
#undef LOAD
#undef ADD
#undef MUL
#undef SPREAD
#undef HITS
#endif
#undef SET
#undef SET_NAME
#undef TARGET
#undef LANES
