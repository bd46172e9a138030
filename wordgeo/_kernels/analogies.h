/* Bounds of the three objectives of analogies from cosines that are known up to an error.
 *
 * For a question a : b = c : x, of_a is about cos(x, a), and so on; error_a bounds |of_a - cos(x, a)|.
 *     ADD        (cos(x, b) - cos(x, a) + cos(x, c)) / length         length = |b - a + c| over unit vectors
 *     MUL        s(x, b) s(x, c) / (s(x, a) + epsilon)                s = (cos + 1) / 2
 *     DIRECTION  ((cos(x, b) - cos(x, a)) / length - shift) / sqrt(2 - 2 cos(x, c))
 *                                                                     length = |b - a|, shift = cos(c, b - a)
 */
#ifndef WORDGEO_ANALOGIES_H
#define WORDGEO_ANALOGIES_H

#include <math.h>
#include <stddef.h>

enum { WORDGEO_ADD, WORDGEO_MUL, WORDGEO_DIRECTION };

typedef struct {
    float low, high; /* the score lies between them; infinite where nothing is known */
} wordgeo_bounds;

/* What all questions with the same (a, b) share, for a run of rows: for ADD the difference of cosines; for MUL and
 * DIRECTION the most that the factor of b and a can be. */
static inline void wordgeo_analogy_base(int method, const float *of_a, const float *of_b, float error_a, float error_b,
                                        double epsilon, double length, size_t count, float *out) {
    const float inverse = length > 0 ? (float)(1.0 / length) : INFINITY, least = (float)epsilon;
    if (method == WORDGEO_ADD) {
        for (size_t i = 0; i < count; i++)
            out[i] = of_b[i] - of_a[i];
    } else if (method == WORDGEO_MUL) {
        for (size_t i = 0; i < count; i++) {
            const float low = (of_a[i] + 1.0f - error_a) * 0.5f;
            out[i] = (of_b[i] + 1.0f + error_b) * 0.5f / ((low > 0.0f ? low : 0.0f) + least);
        }
    } else {
        for (size_t i = 0; i < count; i++)
            out[i] = (of_b[i] - of_a[i] + (error_a + error_b)) * inverse;
    }
}

/* The other factor: the most that s(x, c) can be for MUL, that 1 / |x - c| can be for DIRECTION. */
static inline void wordgeo_analogy_factor(int method, const float *of_c, float error_c, size_t count, float *out) {
    if (method == WORDGEO_MUL) {
        for (size_t i = 0; i < count; i++)
            out[i] = (of_c[i] + 1.0f + error_c) * 0.5f;
    } else {
        for (size_t i = 0; i < count; i++) {
            const float square = 2.0f - 2.0f * of_c[i] - 2.0f * error_c;
            out[i] = square > 0.0f ? 1.0f / sqrtf(square) : INFINITY;
        }
    }
}

/* The least sum (ADD) or product (MUL, DIRECTION) of base and factor of a row whose score can reach `least`. A negative
 * product says nothing: its factor is the largest, where the least would bound it. 1e-5 covers the float32 roundings of
 * a product of positive terms, 1e-5 added to the base those of DIRECTION's difference. */
static inline float wordgeo_analogy_threshold(int method, float least, double length, double error) {
    if (method == WORDGEO_ADD)
        return (float)((double)least * length - error);
    return least > 0.0f ? least * (1.0f - 1e-5f) : -INFINITY;
}

static inline float wordgeo_analogy_shift(int method, double shift) {
    return method == WORDGEO_DIRECTION ? (float)(1e-5 - shift) : 0.0f;
}

static inline double wordgeo_positive(double value) { return value > 0.0 ? value : 0.0; }

/* error_row is the part that the errors of a, b and c have in common, as that of the row in each of its cosines. */
static inline wordgeo_bounds wordgeo_analogy_bounds(int method, double of_a, double of_b, double of_c, double error_a,
                                                    double error_b, double error_c, double error_row, double epsilon,
                                                    double length, double shift) {
    double low = -INFINITY, high = INFINITY;
    if (method == WORDGEO_ADD && length > 1e-3) {
        const double middle = (of_b - of_a + of_c) / length;
        const double error = error_row + (error_a + error_b + error_c - 3.0 * error_row) / length;
        low = middle - error, high = middle + error;
    } else if (method == WORDGEO_MUL) {
        const double a = of_a + 1.0, b = of_b + 1.0, c = of_c + 1.0; /* 2 s */
        low = wordgeo_positive(b - error_b) * wordgeo_positive(c - error_c) / (2.0 * (a + error_a + 2.0 * epsilon));
        high = (b + error_b) * (c + error_c) / (2.0 * (wordgeo_positive(a - error_a) + 2.0 * epsilon));
        low -= 1e-6 * low + 1e-7, high += 1e-6 * high + 1e-7; /* scores are rounded to float */
    } else if (method == WORDGEO_DIRECTION) {
        const double least = 2.0 - 2.0 * of_c - 2.0 * error_c, most = 2.0 - 2.0 * of_c + 2.0 * error_c;
        if (length > 1e-3 && least > 1e-6) {
            const double middle = (of_b - of_a) / length - shift, error = (error_a + error_b) / length;
            low = (middle - error) / sqrt(middle - error > 0.0 ? most : least);
            high = (middle + error) / sqrt(middle + error > 0.0 ? least : most);
            low -= 1e-6 * fabs(low) + 1e-7, high += 1e-6 * fabs(high) + 1e-7;
        }
    }
    if (!(low == low && high == high)) /* a cosine that is not known */
        low = -INFINITY, high = INFINITY;
    return (wordgeo_bounds){(float)low, (float)high};
}

#endif
