#include "quantised.h"

#include <math.h>
#include <string.h>

static float largest(const float *x, size_t size) {
    uint32_t most = 0; /* floats without a sign are ordered like the integers of the same bits, which compilers do better */
    for (size_t i = 0; i < size; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= INT32_MAX;
        most = bits > most ? bits : most;
    }
    float value;
    memcpy(&value, &most, sizeof value);
    return value;
}

static float error_of(double off, double part) {
    return part > 0.0 ? (float)(sqrt(off) * part * (1.0 + 1e-6) + 1e-6) : 0.0f;
}

void wordgeo_quantise_rows(wordgeo_quantise16 quantise16, const float *rows, const double *norms, size_t begin,
                           size_t count, size_t size, const int64_t *leading, const int64_t *shifts,
                           size_t bounds, uint8_t *codes, float *scales, float *errors, float *leading_errors, size_t stride) {
    enum { SOME = 256 };
    const size_t steps = (size + 3) / 4;
    for (size_t r = begin; r < begin + count; r++) {
        const float *x = rows + r * size, most = largest(x, size);
        uint8_t *to = codes + (r / WORDGEO_GROUP * steps * WORDGEO_GROUP + r % WORDGEO_GROUP) * 4;
        /* all in double, where subnormal rows have an inverse */
        const double even = most > 0.0f ? 2.0 * floor(63.5 * norms[r] / (double)most) : 0.0;
        const double units = even < WORDGEO_MOST_UNITS ? even : WORDGEO_MOST_UNITS;
        const double inverse = most > 0.0f ? units / norms[r] : 0.0;
        /* u - u' has length sqrt(off) part; the factor covers the roundings of these few operations and
         * of the scale to float (2**-24 of a vector no longer than 1 + error). */
        const double part = most > 0.0f ? 1.0 / units : 0.0;
        double off = 0.0;
        size_t bound = 0;
        for (size_t i = 0, some; i < size; i += some) {
            for (; bound < bounds && (size_t)leading[bound] <= i; bound++)
                leading_errors[bound * stride + r] = error_of(off, part);
            const size_t end = bound < bounds ? (size_t)leading[bound] : size;
            some = end - i < SOME ? end - i : SOME;
            int16_t nearest[SOME];
            uint8_t bytes[SOME + 3];
            off += ldexp(quantise16(x + i, inverse, some, nearest), (int)(-2 * shifts[bound]));
            for (size_t j = 0; j < some; j++)
                bytes[j] = (uint8_t)(nearest[j] + 128);
            memset(bytes + some, 128, 3);
            for (size_t j = 0; j < some; j += 4)
                memcpy(to + (i + j) * WORDGEO_GROUP, bytes + j, 4);
        }
        for (; bound < bounds; bound++)
            leading_errors[bound * stride + r] = error_of(off, part);
        scales[r] = (float)part;
        errors[r] = error_of(off, part);
    }
}

double wordgeo_quantise_query(const float *query, size_t size, size_t steps, int parts, int8_t *high, int8_t *low,
                              int32_t *corrections, float *scale) {
    const double levels = parts == 1 ? 127.0 : 32512.0; /* 256 * 127 */
    double most = 0.0, off = 0.0;
    int32_t sums[2] = {0, 0};
    memset(high, 0, 4 * steps);
    memset(low, 0, 4 * steps);
    for (size_t i = 0; i < size; i++)
        most = fabs((double)query[i]) > most ? fabs((double)query[i]) : most;
    const double step = most / levels;
    for (size_t i = 0; i < size && most > 0.0; i++) {
        const double scaled = (double)query[i] / step;
        const int value = (int)floor(scaled + 0.5);
        off += (scaled - value) * (scaled - value);
        const int upper = parts == 1 ? value : (value + 128) >> 8; /* low = value - 256 upper is in -128..127 */
        high[i] = (int8_t)upper;
        sums[0] += upper;
        if (parts == 2) {
            low[i] = (int8_t)(value - 256 * upper);
            sums[1] += value - 256 * upper;
        }
    }
    corrections[0] = -128 * sums[0];
    corrections[1] = -128 * sums[1];
    *scale = (float)step;
    return sqrt(off) * step * (1.0 + 1e-6) + 1e-6;
}

float wordgeo_kth_highest(float *x, uint32_t *along, size_t n, size_t k) {
    size_t begin = 0, end = n; /* it is among these (Hoare 1961) */
    while (end - begin > 1) {
        const float pivot = x[begin + (end - begin - 1) / 2];
        size_t i = begin, j = end - 1;
        for (;; i++, j--) {
            while (x[i] > pivot)
                i++;
            while (x[j] < pivot)
                j--;
            if (i >= j)
                break;
            const float value = x[i];
            x[i] = x[j], x[j] = value;
            if (along) {
                const uint32_t other = along[i];
                along[i] = along[j], along[j] = other;
            }
        }
        if (k <= j + 1) /* up to j none is below the pivot, behind it none is above */
            end = j + 1;
        else
            begin = j + 1;
    }
    return x[begin];
}

static void sink(float *heap, size_t size) {
    for (size_t i = 0, child; (child = 2 * i + 1) < size; i = child) {
        if (child + 1 < size && heap[child + 1] < heap[child])
            child++;
        if (heap[i] <= heap[child])
            return;
        const float value = heap[i];
        heap[i] = heap[child], heap[child] = value;
    }
}

static void raise_floor(wordgeo_pool *pool, float lower) {
    if (pool->held < pool->k) {
        size_t i = pool->held++;
        for (; i > 0 && pool->lower[(i - 1) / 2] > lower; i = (i - 1) / 2)
            pool->lower[i] = pool->lower[(i - 1) / 2];
        pool->lower[i] = lower;
    } else if (lower > pool->lower[0]) {
        pool->lower[0] = lower;
        sink(pool->lower, pool->k);
    }
    if (pool->held == pool->k && pool->lower[0] > pool->floor)
        pool->floor = pool->lower[0];
}

void wordgeo_pool_tidy(wordgeo_pool *pool) {
    size_t kept = 0;
    for (size_t i = 0; i < pool->count; i++)
        if (!(pool->upper[i] < pool->floor))
            pool->rows[kept] = pool->rows[i], pool->upper[kept++] = pool->upper[i];
    pool->count = kept;
}

int wordgeo_pool_offer(wordgeo_pool *pool, uint32_t row, float lower, float upper) {
    if (upper < pool->floor)
        return 1;
    if (pool->count == pool->room) {
        wordgeo_pool_tidy(pool);
        if (pool->count > pool->room / 2)
            return 0;
    }
    raise_floor(pool, lower);
    pool->rows[pool->count] = row;
    pool->upper[pool->count++] = upper;
    return 1;
}
