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
#define WHICH __mmask32
#define ABOVE(x, limit) _mm512_cmpgt_epi16_mask(x, limit)
#define COUNT(n, which) _mm512_mask_sub_epi16(n, which, n, SPREAD16(-1))
#define CHOSEN(low, high, reach) (((low) ^ (high)) | (reach))
#define BITS(which) (uint32_t)(which)
#define ADD_UP(x) (uint32_t)_mm512_reduce_add_epi32(_mm512_madd_epi16(x, SPREAD16(1)))
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
#define WHICH __m256i
#define ABOVE(x, limit) _mm256_cmpgt_epi16(x, limit)
#define COUNT(n, which) _mm256_sub_epi16(n, which)
#define CHOSEN(low, high, reach) _mm256_or_si256(_mm256_xor_si256(low, high), reach)
#define BITS(which)                                                                                                    \
    (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm256_castsi256_si128(which), _mm256_extracti128_si256(which, 1)))
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
#define WHICH __m128i
#define ABOVE(x, limit) _mm_cmpgt_epi16(x, limit)
#define COUNT(n, which) _mm_sub_epi16(n, which)
#define CHOSEN(low, high, reach) _mm_or_si128(_mm_xor_si128(low, high), reach)
#define BITS(which) (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(which, _mm_setzero_si128()))
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

/* For sums, and for sums in which x has a factor: a constant, so that each has its own loop. */
TARGET static inline __attribute__((always_inline)) size_t NAME(sweeps16)(
    const int product, const int16_t *base, const int16_t *table, size_t stride, size_t begin, size_t end,
    const int32_t *places, size_t n, const int16_t *marks, uint32_t *over, uint32_t *found, uint32_t *chosen,
    size_t room) {
    size_t q = 0;
    for (; q < n && room >= end - begin; q++, places += 3, marks += 5) {
        const int16_t *x = table + (size_t)places[2] * stride;
        uint32_t above = 0;
        size_t many = 0, i = begin;
#ifdef INT16S
        const VECTOR least = SPREAD16(marks[0]), low = SPREAD16(marks[1]), high = SPREAD16(marks[2]);
        const VECTOR to_reach = SPREAD16(marks[3]), to_pass = SPREAD16(marks[4]);
        VECTOR count = SPREAD16(0);
        for (; i + INT16S <= end; i += INT16S) {
            const VECTOR first = READ(base + i), second = READ(x + i);
            const VECTOR value = SUM(first, product ? UPPER(second, to_pass) : second);
            const VECTOR other = product ? SUM(first, UPPER(second, to_reach)) : value;
            const WHICH passed = ABOVE(value, high);
            count = COUNT(count, passed);
            for (uint32_t bits = BITS(CHOSEN(ABOVE(value, low), passed, ABOVE(other, least))); bits; bits &= bits - 1)
                chosen[many++] = (uint32_t)(i + (size_t)__builtin_ctz(bits));
        }
#ifdef ADD_UP
        above = ADD_UP(count);
#else
        int16_t lanes[INT16S];
        memcpy(lanes, &count, sizeof lanes);
        for (size_t j = 0; j < INT16S; j++)
            above += (uint32_t)lanes[j];
#endif
#endif
        for (; i < end; i++) {
            const int value = wordgeo_sum16(product, base[i], x[i], marks[4]);
            const int other = wordgeo_sum16(product, base[i], x[i], marks[3]);
            above += value > marks[2];
            if (other > marks[0] || (value > marks[1] && value <= marks[2]))
                chosen[many++] = (uint32_t)i;
        }
        over[q] += above;
        found[q] = (uint32_t)many;
        chosen += many, room -= many;
    }
    return q;
}

TARGET static size_t NAME(sweep16)(int product, const int16_t *base, const int16_t *table, size_t stride, size_t begin,
                                   size_t end, const int32_t *places, size_t n, const int16_t *marks, uint32_t *over,
                                   uint32_t *found, uint32_t *chosen, size_t room) {
    return product
               ? NAME(sweeps16)(1, base, table, stride, begin, end, places, n, marks, over, found, chosen, room)
               : NAME(sweeps16)(0, base, table, stride, begin, end, places, n, marks, over, found, chosen, room);
}

/* Plain loops, which compilers make vectors of. Conversion to integers cuts, so it is done where all is positive. */
TARGET static void NAME(differences16)(const int16_t *x, const int16_t *y, size_t count, float factor, int16_t *out) {
    for (size_t i = 0; i < count; i++)
        out[i] = (int16_t)((int32_t)((float)(x[i] - y[i]) * factor + 32768.5f) - 32768);
}

TARGET static void NAME(logarithms16)(const int16_t *x, size_t count, float zero, float scale, int16_t *out) {
    const int least = (int)(0.0625f / scale - zero + 1.0f);
    for (size_t i = 0; i < count; i++) {
        const int cut = x[i] > least ? x[i] : least;
        const float value = ((float)cut + zero) * scale;
        int32_t bits;
        memcpy(&bits, &value, 4);
        const float power = (float)((bits >> 23) - 127);
        bits = (bits & 0x7fffff) | 0x3f800000; /* from 1 to 2 */
        float f;
        memcpy(&f, &bits, 4);
        f -= 1.0f;
        const float logarithm =
            ((((0.046385292f * f - 0.19626948f) * f + 0.41759565f) * f - 0.7096628f) * f + 1.4419656f) * f;
        out[i] = (int16_t)((int32_t)((power + logarithm) * 4096.0f + 32768.5f) - 32768);
    }
}

TARGET static void NAME(distances16)(const int16_t *x, size_t count, float scale, int16_t *out) {
    const int16_t most = (int16_t)(2.0f / scale);
    for (size_t i = 0; i < count; i++) {
        const int cut = x[i] > most ? most : x[i] < -most ? -most : x[i];
        out[i] = (int16_t)(int32_t)(sqrtf(2.0f - (float)cut * scale) * 16383.0f + 0.5f);
    }
}

TARGET static float NAME(dot_float)(const float *x, const float *y, size_t size) {
#if LANES == AVX512
    __m512 sum = _mm512_setzero_ps(), other = _mm512_setzero_ps();
    size_t i = 0;
    for (; i + 32 <= size; i += 32) {
        sum = _mm512_fmadd_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i), sum);
        other = _mm512_fmadd_ps(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(y + i + 16), other);
    }
    for (; i < size; i += 16) {
        const __mmask16 mask = size - i >= 16 ? 0xffff : (__mmask16)((1u << (size - i)) - 1);
        sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_maskz_loadu_ps(mask, y + i), sum);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum, other));
#else
    float lane[32] = {0.0f};
    size_t i = 0;
    for (; i + 32 <= size; i += 32)
        for (size_t j = 0; j < 32; j++)
            lane[j] += x[i + j] * y[i + j];
    for (; i < size; i++)
        lane[i % 32] += x[i] * y[i];
    for (size_t many = 16; many > 0; many /= 2)
        for (size_t j = 0; j < many; j++)
            lane[j] += lane[j + many];
    return lane[0];
#endif
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
#undef COUNT
#undef WHICH
#undef ABOVE
#undef CHOSEN
#undef BITS
#undef ADD_UP
#undef WORDS_AT_ONCE
#undef GROUPS_AT_ONCE
#undef VECTORS
