/* Bounds of the three objectives of analogies from cosines that are known up to an error.
 *
 * For a question a : b = c : x, of_a is about cos(x, a), and so on; error_a bounds |of_a - cos(x, a)|.
 *     ADD        (cos(x, b) - cos(x, a) + cos(x, c)) / length         length = |b - a + c| over unit vectors
 *     MUL        s(x, b) s(x, c) / (s(x, a) + epsilon)                s = (cos + 1) / 2
 *     DIRECTION  ((cos(x, b) - cos(x, a)) / length - shift) / sqrt(2 - 2 cos(x, c))
 *                                                                     length = |b - a|, shift = cos(c, b - a)
 *
 * ADD and MUL in int16. Rows are kept as integers x' ~ 32767 x / |x|, words as w' ~ z w / |w|, and the table holds
 *     T = round(x' . w' / 2^17) ~ unit cos(x, w),         unit = 32767 z / 2^17
 * An exact product of integers differs from the product of what they stand for by their own errors alone
 * (quantised.h has the step by Cauchy-Schwarz), and rounding adds 1/2:
 *     |T / unit - cos(x, w)|  <=  e(x) + (1 + e(x)) e(w) + 1 / (2 unit)
 * z is chosen so that |T| <= 16383, and a difference of two T fits int16. ADD is a sum of three T, in which the error of
 * the row comes once, with the length of what it is multiplied with:
 *     |T_b - T_a + T_c - unit length score|  <=  unit (length e(x) + (1 + e(x)) (e(a) + e(b) + e(c))) + 3/2
 * MUL is a sum of three logarithms, each looked up for its T (two T share one, another 1/2): those of s lie within WORDGEO_LOG_STEPS steps of a factor
 * 2 (int16), and a cosine off by 2 h moves log2 s by at most log2(1 + h / (s - h)) <= h / (s - h) / ln 2.
 */
#ifndef WORDGEO_ANALOGIES_H
#define WORDGEO_ANALOGIES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WORDGEO_ADD, WORDGEO_MUL, WORDGEO_DIRECTION };

#define WORDGEO_LOG_STEPS 4096.0 /* sums of three, each within 2^-3.9 and 2^0.9, fit int16 but for the lowest */
#define WORDGEO_LEAST_LOGARITHM 0.067

typedef struct {
    float low, high; /* the score lies between them; infinite where nothing is known */
} wordgeo_bounds;

/* Asks for a row that is needed soon. */
static inline void wordgeo_fetch(const float *row, size_t size) {
#ifdef __GNUC__
    for (size_t i = 0; i < size; i += 16)
        __builtin_prefetch(row + i);
#else
    (void)row, (void)size;
#endif
}

/* Puts a row of codes at its place among the 16 rows of a group. */
static inline void wordgeo_put_in_group(const int16_t *row, size_t pairs, size_t place, int16_t *group) {
    for (size_t s = 0; s < pairs; s++)
        memcpy(group + (16 * s + place) * 2, row + 2 * s, 2 * sizeof *row);
}

/* What a score is as a sum of int16: negative infinity where it says nothing. */
static inline double wordgeo_analogy_aim(int method, double score, double length, double unit) {
    if (method == WORDGEO_ADD)
        return score * length * unit;
    return score > 0.0 ? WORDGEO_LOG_STEPS * log2(score) : -INFINITY;
}

/* A score that at least `many` of the rows reach, from their sums: the largest in each of 32 lanes belong to different
 * rows. Negative infinity where it cannot be had so cheaply. */
static inline double wordgeo_analogy_floor(int method, const int16_t *base, const int16_t *term, size_t count, size_t many,
                                           double slack, double length, double unit) {
    int lanes[32], best[32];
    if (many == 0 || many > 32 || count < 64 || !(slack < 32768.0))
        return -INFINITY;
    for (size_t j = 0; j < 32; j++)
        lanes[j] = base[j] + term[j];
    for (size_t i = 32; i + 32 <= count; i += 32)
        for (size_t j = 0; j < 32; j++) {
            const int sum = base[i + j] + term[i + j];
            lanes[j] = sum > lanes[j] ? sum : lanes[j];
        }
    for (size_t j = 0; j < many; j++)
        best[j] = INT32_MIN;
    for (size_t j = 0; j < 32; j++)
        if (lanes[j] > best[many - 1]) {
            size_t at = many - 1;
            for (; at > 0 && best[at - 1] < lanes[j]; at--)
                best[at] = best[at - 1];
            best[at] = lanes[j];
        }
    const double least = best[many - 1] - slack;
    const double score = method == WORDGEO_ADD ? least / (unit * length) : exp2(least / WORDGEO_LOG_STEPS);
    return score - 1e-6 * (1.0 + fabs(score));
}

/* Where a cosine's logarithm stands: two share one, so that what is used of the list stays in the first-level cache. */
static inline size_t wordgeo_analogy_index(int16_t cosine) { return (size_t)((int)cosine + 16384) >> 1; }

/* Logarithms of the cosines of one word and a run of rows; returns how far off they can be, in steps, infinite where a
 * cosine is too near to -1. `error` bounds that of the cosines. */
static inline double wordgeo_analogy_logarithms(const int16_t *cosines, size_t count, const int16_t *logarithms,
                                                double unit, double error, int16_t *out) {
    int16_t least = INT16_MAX;
    for (size_t i = 0; i < count; i++)
        least = cosines[i] < least ? cosines[i] : least;
    for (size_t i = 0; i < count; i++)
        out[i] = logarithms[wordgeo_analogy_index(cosines[i])];
    const double h = error / 2, s = (((double)least - 1) / unit + 1) / 2;
    return s - h > WORDGEO_LEAST_LOGARITHM ? WORDGEO_LOG_STEPS / 0.6931 * h / (s - h) + 0.5 : INFINITY;
}

enum { WORDGEO_ANY_MAY_REACH = 1, WORDGEO_ANY_MAY_BE_NEAR = 2 };

/* Sums above marks[0] may reach `floor`; those above marks[2] are above `gold`, those not above marks[1] are below. Both
 * are aims, known up to `slack`. What int16 cannot say is said by the result: all rows have to be looked at. A sum that
 * was cut at 32767 may be any larger one, so no row may be left out for being equal to it. */
static inline int wordgeo_analogy_marks(double floor_aim, double gold_aim, double slack, int16_t *marks) {
    const double least = floor(floor_aim - slack) - 1, low = floor(gold_aim - slack) - 1, high = ceil(gold_aim + slack);
    const int reach = !(least >= -32768.0), near = !(low >= -32768.0);
    marks[0] = (int16_t)(reach ? INT16_MIN : least > 32766.0 ? 32766.0 : least);
    marks[1] = (int16_t)(near ? INT16_MIN : low > 32766.0 ? 32766.0 : low);
    marks[2] = (int16_t)(near || !(high < 32767.0) ? 32767.0 : high);
    return (reach ? WORDGEO_ANY_MAY_REACH : 0) | (near ? WORDGEO_ANY_MAY_BE_NEAR : 0);
}

/* For DIRECTION, the most that what all questions with the same (a, b) share can be, for a run of rows. */
static inline void wordgeo_direction_base(const float *of_a, const float *of_b, float error, double length, size_t count,
                                          float *out) {
    const float inverse = length > 0 ? (float)(1.0 / length) : INFINITY;
    for (size_t i = 0; i < count; i++)
        out[i] = (of_b[i] - of_a[i] + error) * inverse;
}

/* The other factor: the most that 1 / |x - c| can be. */
static inline void wordgeo_direction_factor(const float *of_c, float error, size_t count, float *out) {
    for (size_t i = 0; i < count; i++) {
        const float square = 2.0f - 2.0f * of_c[i] - 2.0f * error;
        out[i] = square > 0.0f ? 1.0f / sqrtf(square) : INFINITY;
    }
}

/* The least product of base and factor of a row whose score can reach `least`. A negative product says nothing: its
 * factor is the largest, where the least would bound it. 1e-5 covers the float32 roundings of a product of positive
 * terms, 1e-5 added to the base (`wordgeo_direction_shift`) those of the difference. */
static inline float wordgeo_direction_threshold(float least) {
    return least > 0.0f ? least * (1.0f - 1e-5f) : -INFINITY;
}

static inline float wordgeo_direction_shift(double shift) { return (float)(1e-5 - shift); }

static inline double wordgeo_positive(double value) { return value > 0.0 ? value : 0.0; }

/* Bounds of MUL and DIRECTION for one row. */
static inline wordgeo_bounds wordgeo_analogy_bounds(int method, double of_a, double of_b, double of_c, double error_a,
                                                    double error_b, double error_c, double epsilon, double length,
                                                    double shift) {
    double low = -INFINITY, high = INFINITY;
    if (method == WORDGEO_MUL) {
        const double a = of_a + 1.0, b = of_b + 1.0, c = of_c + 1.0; /* 2 s */
        low = wordgeo_positive(b - error_b) * wordgeo_positive(c - error_c) / (2.0 * (a + error_a + 2.0 * epsilon));
        high = (b + error_b) * (c + error_c) / (2.0 * (wordgeo_positive(a - error_a) + 2.0 * epsilon));
        low -= 1e-6 * low + 1e-7, high += 1e-6 * high + 1e-7; /* scores are rounded to float */
    } else {
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
