/* The int16 kernels of kernels.h for one instruction set; included by kernels.c for each, like kernels_body.h.
 *
 * A vector holds one pair of elements of several rows, and sums of two products are one instruction on all of x86-64.
 */
#if LANES == AVX512
#define INT16S 32
#define VECTOR __m512i
#define READ(from) _mm512_loadu_si512(from)
#define SPREAD32(value) _mm512_set1_epi32(value)
#define SPREAD16(value) _mm512_set1_epi16(value)
#ifndef MULTIPLY_ADD
#define MULTIPLY_ADD(sum, x, y) sum = _mm512_add_epi32(sum, _mm512_madd_epi16(x, y))
#endif
#define PUT(sum, to) _mm256_storeu_si256((__m256i *)(to), _mm512_cvtepi32_epi16(_mm512_srai_epi32((sum)[0], 17)))
#define SUM(x, y) _mm512_adds_epi16(x, y)
#define UPPER(x, y) _mm512_mulhi_epi16(x, y)
#define LARGER(x, y) _mm512_max_epi16(x, y)
#define COUNT(n, x, limit) _mm512_mask_sub_epi16(n, _mm512_cmpgt_epi16_mask(x, limit), n, _mm512_set1_epi16(-1))
#define ANY_ABOVE(x, limit) (_mm512_cmpgt_epi16_mask(x, limit) != 0)
#define DIFFER(x, y) (_mm512_cmpneq_epi16_mask(x, y) != 0)
#define ADD_UP(x) (uint32_t)_mm512_reduce_add_epi32(_mm512_madd_epi16(x, SPREAD16(1)))
#define BETWEEN(x, low, high) (uint32_t)(_mm512_cmpgt_epi16_mask(x, low) & ~_mm512_cmpgt_epi16_mask(x, high))
#define WORDS_AT_ONCE 6
#define GROUPS_AT_ONCE 4
#elif LANES == AVX2
#define INT16S 16
#define VECTOR __m256i
#define READ(from) _mm256_loadu_si256((const __m256i *)(from))
#define SPREAD32(value) _mm256_set1_epi32(value)
#define SPREAD16(value) _mm256_set1_epi16(value)
#define MULTIPLY_ADD(sum, x, y) sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, y))
#define PACKED(x, y) _mm256_permute4x64_epi64(_mm256_packs_epi32(x, y), 0xd8)
#define PUT(sum, to)                                                                                                   \
    _mm256_storeu_si256((__m256i *)(to), PACKED(_mm256_srai_epi32((sum)[0], 17), _mm256_srai_epi32((sum)[1], 17)))
#define SUM(x, y) _mm256_adds_epi16(x, y)
#define UPPER(x, y) _mm256_mulhi_epi16(x, y)
#define LARGER(x, y) _mm256_max_epi16(x, y)
#define COUNT(n, x, limit) _mm256_sub_epi16(n, _mm256_cmpgt_epi16(x, limit))
#define ANY_ABOVE(x, limit) (_mm256_movemask_epi8(_mm256_cmpgt_epi16(x, limit)) != 0)
#define DIFFER(x, y) (_mm256_movemask_epi8(_mm256_cmpeq_epi16(x, y)) != -1)
#define INSIDE(x, low, high) _mm256_andnot_si256(_mm256_cmpgt_epi16(x, high), _mm256_cmpgt_epi16(x, low))
#define NARROW(m) _mm_packs_epi16(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1))
#define BETWEEN(x, low, high) (uint32_t)_mm_movemask_epi8(NARROW(INSIDE(x, low, high)))
#define WORDS_AT_ONCE 6
#define GROUPS_AT_ONCE 1
#elif defined(WORDGEO_X86) /* SSE2 */
#define INT16S 8
#define VECTOR __m128i
#define READ(from) _mm_loadu_si128((const __m128i *)(from))
#define SPREAD32(value) _mm_set1_epi32(value)
#define SPREAD16(value) _mm_set1_epi16(value)
#define MULTIPLY_ADD(sum, x, y) sum = _mm_add_epi32(sum, _mm_madd_epi16(x, y))
#define PUT_HALF(sum, to)                                                                                              \
    _mm_storeu_si128((__m128i *)(to), _mm_packs_epi32(_mm_srai_epi32((sum)[0], 17), _mm_srai_epi32((sum)[1], 17)))
#define PUT(sum, to) (PUT_HALF(sum, to), PUT_HALF((sum) + 2, (to) + 8))
#define SUM(x, y) _mm_adds_epi16(x, y)
#define UPPER(x, y) _mm_mulhi_epi16(x, y)
#define LARGER(x, y) _mm_max_epi16(x, y)
#define COUNT(n, x, limit) _mm_sub_epi16(n, _mm_cmpgt_epi16(x, limit))
#define ANY_ABOVE(x, limit) (_mm_movemask_epi8(_mm_cmpgt_epi16(x, limit)) != 0)
#define DIFFER(x, y) (_mm_movemask_epi8(_mm_cmpeq_epi16(x, y)) != 0xffff)
#define INSIDE(x, low, high) _mm_andnot_si128(_mm_cmpgt_epi16(x, high), _mm_cmpgt_epi16(x, low))
#define BETWEEN(x, low, high) (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(INSIDE(x, low, high), _mm_setzero_si128()))
#define WORDS_AT_ONCE 3
#define GROUPS_AT_ONCE 1
#endif

/* The nearest integer comes from adding, and taking away, a number that leaves no room for fractions. */
TARGET static double NAME(quantise16)(const float *row, double inverse, size_t size, int16_t *out) {
    const double magic = 6755399441055744.0; /* 1.5 * 2^52 */
    double off[8] = {0.0};
    for (size_t i = 0; i < size; i += 8) {
        const size_t some = size - i < 8 ? size - i : 8;
        if (some == 8) { /* the same loop with a length that compilers know */
            for (size_t j = 0; j < 8; j++) {
                const double value = (double)row[i + j] * inverse, nearest = (value + magic) - magic;
                out[i + j] = (int16_t)(int32_t)nearest;
                off[j] += (value - nearest) * (value - nearest);
            }
        } else {
            for (size_t j = 0; j < some; j++) {
                const double value = (double)row[i + j] * inverse, nearest = (value + magic) - magic;
                out[i + j] = (int16_t)(int32_t)nearest;
                off[j] += (value - nearest) * (value - nearest);
            }
        }
    }
    return ((off[0] + off[4]) + (off[2] + off[6])) + ((off[1] + off[5]) + (off[3] + off[7]));
}

#ifdef INT16S

#define VECTORS(groups) ((groups) * 32 / INT16S)

/* `many` words times `groups` groups of rows: constants, so that all sums stay in registers. */
TARGET static inline __attribute__((always_inline)) void NAME(products16)(
    const int many, const int groups, const int16_t *rows, size_t pairs, const int16_t *words, int16_t *out,
    size_t stride) {
    VECTOR sum[WORDS_AT_ONCE][VECTORS(GROUPS_AT_ONCE)];
    _Pragma("GCC unroll 6") for (int w = 0; w < many; w++)
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS(groups); v++)
            sum[w][v] = SPREAD32(1 << 16);
    for (size_t s = 0; s < pairs; s++) {
        VECTOR row[VECTORS(GROUPS_AT_ONCE)];
        _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS(groups); v++)
            row[v] = READ(rows + ((size_t)(v / VECTORS(1)) * pairs + s) * 32 + v % VECTORS(1) * INT16S);
        _Pragma("GCC unroll 6") for (int w = 0; w < many; w++) {
            int32_t two;
            memcpy(&two, words + 2 * (pairs * (size_t)w + s), 4);
            const VECTOR spread = SPREAD32(two);
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS(groups); v++)
                MULTIPLY_ADD(sum[w][v], row[v], spread);
        }
    }
    _Pragma("GCC unroll 6") for (int w = 0; w < many; w++)
        _Pragma("GCC unroll 4") for (int g = 0; g < groups; g++)
            PUT(sum[w] + VECTORS(g), out + (size_t)w * stride + 16 * g);
}

TARGET static void NAME(tile16)(const int16_t *rows, size_t groups, size_t pairs, const int16_t *words, size_t n_words,
                                int16_t *out, size_t stride) {
    for (size_t g = 0; g < groups; g += groups - g >= GROUPS_AT_ONCE ? GROUPS_AT_ONCE : 1) {
        const int16_t *some = rows + g * pairs * 32;
        int16_t *to = out + 16 * g;
        size_t w = 0;
        if (groups - g >= GROUPS_AT_ONCE) {
            for (; w + WORDS_AT_ONCE <= n_words; w += WORDS_AT_ONCE)
                NAME(products16)(WORDS_AT_ONCE, GROUPS_AT_ONCE, some, pairs, words + 2 * pairs * w, to + w * stride,
                                 stride);
            for (; w < n_words; w++)
                NAME(products16)(1, GROUPS_AT_ONCE, some, pairs, words + 2 * pairs * w, to + w * stride, stride);
        } else {
            for (; w < n_words; w++)
                NAME(products16)(1, 1, some, pairs, words + 2 * pairs * w, to + w * stride, stride);
        }
    }
}

#else

static void NAME(tile16)(const int16_t *rows, size_t groups, size_t pairs, const int16_t *words, size_t n_words,
                         int16_t *out, size_t stride) {
    for (size_t g = 0; g < groups; g++)
        for (size_t w = 0; w < n_words; w++) {
            int32_t sum[16];
            for (int r = 0; r < 16; r++)
                sum[r] = 1 << 16;
            for (size_t s = 0; s < pairs; s++)
                for (int r = 0; r < 16; r++)
                    sum[r] += rows[((g * pairs + s) * 16 + r) * 2] * words[2 * (pairs * w + s)] +
                              rows[((g * pairs + s) * 16 + r) * 2 + 1] * words[2 * (pairs * w + s) + 1];
            for (int r = 0; r < 16; r++)
                out[w * stride + 16 * g + r] = (int16_t)(sum[r] >> 17);
        }
}

#endif

static inline int NAME(cut)(int x, int y) {
    const int value = x + y;
    return value > INT16_MAX ? INT16_MAX : value < INT16_MIN ? INT16_MIN : value;
}

/* For sums, and for sums in which x has a factor: a constant, so that each has its own loop. */
TARGET static inline __attribute__((always_inline)) void NAME(sweeps16)(
    const int product, const int16_t *base, const int16_t *table, size_t stride, size_t count, const int32_t *places,
    size_t n, const int16_t *marks, uint32_t *over, uint8_t *hits) {
    for (size_t q = 0; q < n; q++, places += 3, marks += 5) {
        const int16_t *x = table + (size_t)places[2] * stride;
        uint32_t found = 0;
        int hit = 0;
        size_t i = 0;
#ifdef INT16S
        const VECTOR least = SPREAD16(marks[0]), low = SPREAD16(marks[1]), high = SPREAD16(marks[2]);
        const VECTOR to_reach = SPREAD16(marks[3]), to_pass = SPREAD16(marks[4]);
        VECTOR most = SPREAD16(INT16_MIN), above = SPREAD16(0), reach = SPREAD16(0);
        for (; i + INT16S <= count; i += INT16S) {
            const VECTOR first = READ(base + i), second = READ(x + i);
            const VECTOR value = SUM(first, product ? UPPER(second, to_pass) : second);
            most = LARGER(most, product ? SUM(first, UPPER(second, to_reach)) : value);
            above = COUNT(above, value, high);
            reach = COUNT(reach, value, low);
        }
        hit = ANY_ABOVE(most, least) | DIFFER(above, reach) << 1;
#ifdef ADD_UP
        found = ADD_UP(above);
#else
        int16_t lanes[INT16S];
        memcpy(lanes, &above, sizeof lanes);
        for (size_t j = 0; j < INT16S; j++)
            found += (uint32_t)lanes[j];
#endif
#endif
        for (; i < count; i++) {
            const int value = NAME(cut)(base[i], product ? (x[i] * marks[4]) >> 16 : x[i]);
            const int other = product ? NAME(cut)(base[i], (x[i] * marks[3]) >> 16) : value;
            found += value > marks[2];
            hit |= (other > marks[0]) | (value > marks[1] && value <= marks[2]) << 1;
        }
        over[q] += found;
        hits[q] = (uint8_t)hit;
    }
}

TARGET static void NAME(sweep16)(int product, const int16_t *base, const int16_t *table, size_t stride, size_t count,
                                 const int32_t *places, size_t n, const int16_t *marks, uint32_t *over,
                                 uint8_t *hits) {
    if (product)
        NAME(sweeps16)(1, base, table, stride, count, places, n, marks, over, hits);
    else
        NAME(sweeps16)(0, base, table, stride, count, places, n, marks, over, hits);
}

TARGET static size_t NAME(select16)(int product, const int16_t *x, const int16_t *y, int16_t factor, size_t begin,
                                    size_t end, int16_t low, int16_t high, uint32_t *chosen) {
    size_t found = 0, i = begin;
#ifdef BETWEEN
    const VECTOR lows = SPREAD16(low), highs = SPREAD16(high), times = SPREAD16(factor);
    for (; i + INT16S <= end; i += INT16S) {
        const VECTOR second = READ(y + i), value = SUM(READ(x + i), product ? UPPER(second, times) : second);
        for (uint32_t bits = BETWEEN(value, lows, highs); bits; bits &= bits - 1)
            chosen[found++] = (uint32_t)(i + (size_t)__builtin_ctz(bits));
    }
#endif
    for (; i < end; i++) {
        const int value = NAME(cut)(x[i], product ? (y[i] * factor) >> 16 : y[i]);
        if (value > low && value <= high)
            chosen[found++] = (uint32_t)i;
    }
    return found;
}

#undef INT16S
#undef VECTOR
#undef READ
#undef SPREAD32
#undef SPREAD16
#undef MULTIPLY_ADD
#undef PUT
#undef PUT_HALF
#undef PACKED
#undef SUM
#undef UPPER
#undef LARGER
#undef COUNT
#undef ANY_ABOVE
#undef DIFFER
#undef ADD_UP
#undef BETWEEN
#undef INSIDE
#undef NARROW
#undef WORDS_AT_ONCE
#undef GROUPS_AT_ONCE
#undef VECTORS
