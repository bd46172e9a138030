/* Bounds of the three objectives of analogies from cosines that are known up to an error.
 *
 * For a question a : b = c : x, of_a is about cos(x, a), and so on; error_a bounds |of_a - cos(x, a)|.
 *     ADD        (cos(x, b) - cos(x, a) + cos(x, c)) / length         length = |b - a + c| over unit vectors
 *     MUL        s(x, b) s(x, c) / (s(x, a) + epsilon)                s = (cos + 1) / 2
 *     DIRECTION  ((cos(x, b) - cos(x, a)) / length - shift) / sqrt(2 - 2 cos(x, c))
 *                                                                     length = |b - a|, shift = cos(c, b - a)
 *
 * All in int16. Rows are kept as integers x' ~ 32767 x / |x|, words as w' ~ z w / |w|, and the table holds
 *     T = round(x' . w' / 2^17) ~ unit cos(x, w),         unit = 32767 z / 2^17
 * An exact product of integers differs from the product of what they stand for by their own errors alone
 * (quantised.h has the step by Cauchy-Schwarz), and rounding adds 1/2:
 *     |T / unit - cos(x, w)|  <=  e(x) + (1 + e(x)) e(w) + 1 / (2 unit)
 * z is chosen so that |T| <= 16383, and a difference of two T fits int16. ADD is a sum of three T, in which the error of
 * the row comes once, with the length of what it is multiplied with:
 *     |T_b - T_a + T_c - unit length score|  <=  unit (length e(x) + (1 + e(x)) (e(a) + e(b) + e(c))) + 3/2
 * MUL is a sum of three logarithms of T, each off by 0.6 at most: those of s lie within WORDGEO_LOG_STEPS steps of a
 * factor 2 (int16), and a cosine off by 2 h moves log2 s by at most log2(1 + h / (s - h)) <= h / (s - h) / ln 2.
 * DIRECTION is above a given t where (cos(x, b) - cos(x, a)) / length - t |x - c| > shift: B = 16383 / 2 times the first
 * term is what all questions with the same (a, b) share, 16383 |x - c| is made of T, and the upper half of its product
 * with 32768 t is B t |x - c|, rounded down. For |t| < 1, all together is off by at most
 *     B (e(x) + ((1 + e(x)) (e(a) + e(b)) + 1 / unit) / length + |t| e(|x - c|)) + 1.6
 * (1/2 for the shared term, 1/4 for t, 0.3 for |x - c|, 1/2 for the product after its mean is taken off), and a distance
 * sqrt(u) is off by at most h / sqrt(u - 2 h) where the cosine is off by h: not known in tiles with x too near to c.
 *
 * Rows whose sums decide nothing have their cosines taken once more, from products in float. A term of such a product
 * is rounded n = size / 32 + 8 times at most (kernels.h), each time by a factor within 1 +- u, u = 2^-24, so that
 *     |product - x . y|  <=  n u / (1 - n u) (|x_1 y_1| + |x_2 y_2| + ...)  <=  n u / (1 - n u) |x| |y|
 * by Cauchy-Schwarz, as long as nothing under- or overflows: for lengths within 2^-40 and 2^60, what is lost below the
 * smallest float is less than 2^-149 a term, against |x| |y| >= 2^-80.
 */
#ifndef WORDGEO_ANALOGIES_H
#define WORDGEO_ANALOGIES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels.h"

enum { WORDGEO_ADD, WORDGEO_MUL, WORDGEO_DIRECTION };

#define WORDGEO_LOG_STEPS 4096.0 /* sums of three, each within 2^-3.9 and 2^0.9, fit int16 but for the lowest */
#define WORDGEO_LEAST_LOGARITHM 0.067
#define WORDGEO_DIRECTION_UNIT 8191.5 /* B: with distances 16383 |x - c|, a sum is within three times as much */
#define WORDGEO_LEAST_LENGTH 0.05
#define WORDGEO_LEAST_SQUARE 0.09

typedef struct {
    float low, high; /* the score lies between them; infinite where nothing is known */
} wordgeo_bounds;

/* Puts a row of codes at its place among the 16 rows of a group. */
static inline void wordgeo_put_in_group(const int16_t *row, size_t pairs, size_t place, int16_t *group) {
    for (size_t s = 0; s < pairs; s++)
        memcpy(group + (16 * s + place) * 2, row + 2 * s, 2 * sizeof *row);
}

/* What a score is as a sum of int16: negative infinity where it says nothing; itself for DIRECTION. */
static inline double wordgeo_analogy_aim(int method, double score, double length, double unit) {
    if (method == WORDGEO_ADD)
        return score * length * unit;
    if (method == WORDGEO_DIRECTION)
        return score;
    return score > 0.0 ? WORDGEO_LOG_STEPS * log2(score) : -INFINITY;
}

/* How far off the logarithms (MUL, in steps) or distances (DIRECTION) are that are made of the cosines of one word and
 * a run of rows; infinite where a cosine is too near to -1 or 1. `error` bounds that of the cosines. One row too near to
 * 1, as a rule the word itself, is left to the caller: its place is in `alone`, else -1. */
static inline double wordgeo_analogy_error(int method, const int16_t *cosines, size_t count, double unit, double error,
                                           int32_t *alone) {
    int16_t least = INT16_MAX, most = INT16_MIN;
    *alone = -1;
    for (size_t i = 0; i < count; i++) {
        least = cosines[i] < least ? cosines[i] : least;
        most = cosines[i] > most ? cosines[i] : most;
    }
    if (method == WORDGEO_DIRECTION) {
        double square = 2 - 2 * (double)most / unit - 2 * error;
        if (!(square > WORDGEO_LEAST_SQUARE)) {
            int16_t second = INT16_MIN;
            for (size_t i = 0; i < count; i++)
                if (*alone < 0 && cosines[i] == most)
                    *alone = (int32_t)i;
                else
                    second = cosines[i] > second ? cosines[i] : second;
            square = 2 - 2 * (double)second / unit - 2 * error;
        }
        return square > WORDGEO_LEAST_SQUARE ? error / sqrt(square) : INFINITY;
    }
    const double h = error / 2, s = ((double)least / unit + 1) / 2;
    return s - h > WORDGEO_LEAST_LOGARITHM ? WORDGEO_LOG_STEPS / 0.6931 * h / (s - h) + 0.6 : INFINITY;
}

/* What the differences of two cosines are multiplied with to make what all questions with the same (a, b) share. */
static inline float wordgeo_analogy_factor(int method, double unit, double length) {
    if (method != WORDGEO_DIRECTION)
        return 1.0f;
    return length > WORDGEO_LEAST_LENGTH ? (float)(WORDGEO_DIRECTION_UNIT / (unit * length)) : 0.0f;
}

/* The sum of one row as `sweep16` has it, cut to int16. */
static inline int wordgeo_sum16(int product, int16_t base, int16_t term, int16_t factor) {
    const int sum = base + (product ? (term * factor) >> 16 : term);
    return sum > INT16_MAX ? INT16_MAX : sum < INT16_MIN ? INT16_MIN : sum;
}

/* What a question is measured by: scores as `wordgeo_analogy_aim` has them, how far off the sums can be, and for
 * DIRECTION where the shift lies among sums and how much farther off they are for each unit of the score. */
typedef struct {
    double floor, gold, slack, shift, more;
} wordgeo_aims;

/* Slack of DIRECTION; the errors are those of the row, of a and b together, and of the distance to c. */
static inline void wordgeo_direction_slack(double row_error, double word_errors, double distance_error, double unit,
                                           double length, double shift, wordgeo_aims *aims) {
    aims->slack = INFINITY;
    if (length > WORDGEO_LEAST_LENGTH)
        aims->slack = WORDGEO_DIRECTION_UNIT * (row_error + (word_errors + 1 / unit) / length + 1e-6) + 1.6;
    aims->more = WORDGEO_DIRECTION_UNIT * distance_error;
    aims->shift = WORDGEO_DIRECTION_UNIT * shift - 0.5;
}

/* The factor for a score by DIRECTION, which becomes what its sums are compared with. */
static inline int16_t wordgeo_direction_factor(const wordgeo_aims *aims, double *score, double *slack) {
    const double t = *score;
    if (!(fabs(t) < 0.9999)) {
        *score = t == INFINITY ? INFINITY : -INFINITY;
        return 0;
    }
    *score = aims->shift;
    *slack += aims->more < INFINITY ? fabs(t) * aims->more : INFINITY;
    return (int16_t)lrint(-32768.0 * t);
}

enum { WORDGEO_ANY_MAY_REACH = 1, WORDGEO_ANY_MAY_BE_NEAR = 2 };

/* Sums above marks[0] may reach the floor; those above marks[2] are above gold, those not above marks[1] are below.
 * marks[3] and marks[4] are the factors for the floor and for gold. What int16 cannot say is said by the result: all rows
 * have to be looked at. A sum that was cut at 32767 may be any larger one, so no row may be left out for being equal to
 * it. */
static inline int wordgeo_analogy_marks(int method, const wordgeo_aims *aims, int16_t *marks) {
    double floor_aim = aims->floor, gold_aim = aims->gold, floor_slack = aims->slack, gold_slack = aims->slack;
    marks[3] = marks[4] = 0;
    if (method == WORDGEO_DIRECTION) {
        marks[3] = wordgeo_direction_factor(aims, &floor_aim, &floor_slack);
        marks[4] = wordgeo_direction_factor(aims, &gold_aim, &gold_slack);
    }
    const double least = ceil(floor_aim - floor_slack) - 1, low = ceil(gold_aim - gold_slack) - 1;
    const double high = floor(gold_aim + gold_slack);
    const int reach = !(least >= -32768.0), near = !(low >= -32768.0);
    marks[0] = (int16_t)(reach ? INT16_MIN : least > 32766.0 ? 32766.0 : least);
    marks[1] = (int16_t)(near ? INT16_MIN : low > 32766.0 ? 32766.0 : low);
    marks[2] = (int16_t)(near || !(high < 32767.0) ? 32767.0 : high);
    return (reach ? WORDGEO_ANY_MAY_REACH : 0) | (near ? WORDGEO_ANY_MAY_BE_NEAR : 0);
}

static inline wordgeo_bounds wordgeo_rounded(double low, double high) {
    low -= 1e-6 * fabs(low) + 1e-7, high += 1e-6 * fabs(high) + 1e-7; /* scores are rounded to float */
    if (!(low == low && high == high)) /* a cosine that is not known */
        low = -INFINITY, high = INFINITY;
    return (wordgeo_bounds){(float)low, (float)high};
}

/* A quotient of what lies within `error` of its dividend and divisor. */
static inline wordgeo_bounds wordgeo_quotient(double middle, double error, double least, double most) {
    return wordgeo_rounded((middle - error) / (middle - error > 0.0 ? most : least),
                           (middle + error) / (middle + error > 0.0 ? least : most));
}

/* Bounds of a score from its sum: `base` and the term of c. 2^x <= 1 + 0.694 x + 0.31 x^2 and 2^-x >= 1 - 0.694 x for x
 * from 0 to 1. */
static inline wordgeo_bounds wordgeo_sum_bounds(int method, int base, int term, const wordgeo_aims *aims, double length,
                                                double unit) {
    if (method == WORDGEO_ADD) {
        const double inverse = 1.0 / (unit * length), score = (base + term) * inverse, error = aims->slack * inverse;
        return wordgeo_rounded(score - error, score + error);
    }
    if (method == WORDGEO_MUL) {
        const double score = exp2f((float)(base + term) / (float)WORDGEO_LOG_STEPS);
        const double x = aims->slack / WORDGEO_LOG_STEPS;
        if (x < 1.0)
            return wordgeo_rounded(score * (1.0 - 0.694 * x), score * (1.0 + 0.694 * x + 0.31 * x * x));
    } else {
        const double distance = term / 16383.0, error = aims->more / WORDGEO_DIRECTION_UNIT + 0.6 / 16383.0;
        if (distance - error > 0.1)
            return wordgeo_quotient((base - 0.5 - aims->shift) / WORDGEO_DIRECTION_UNIT,
                                    aims->slack / WORDGEO_DIRECTION_UNIT, distance - error, distance + error);
    }
    return (wordgeo_bounds){-INFINITY, INFINITY};
}

/* Whether products in float with a vector of this length are as near as they should be. */
static inline int wordgeo_is_safe(double length) { return length > 0x1p-40 && length < 0x1p60; }

/* A bound of the error of cosines from products in float; the factor covers what is done in double. */
static inline double wordgeo_float_error(size_t size) { return (double)(size / 32 + 8) * 0x1p-24 * 1.01 + 1e-12; }

static inline double wordgeo_positive(double value) { return value > 0.0 ? value : 0.0; }

/* Bounds of a score from cosines that are off by `error` at most: those with the combined query for ADD, with a, b and c
 * for MUL, with the direction and c for DIRECTION. */
static inline wordgeo_bounds wordgeo_analogy_bounds(int method, const double *cosines, double error, double epsilon,
                                                    double shift) {
    if (method == WORDGEO_ADD)
        return wordgeo_rounded(cosines[0] - error, cosines[0] + error);
    if (method == WORDGEO_MUL) {
        const double a = cosines[0] + 1.0, b = cosines[1] + 1.0, c = cosines[2] + 1.0; /* 2 s */
        return wordgeo_rounded(
            wordgeo_positive(b - error) * wordgeo_positive(c - error) / (2.0 * (a + error + 2.0 * epsilon)),
            (b + error) * (c + error) / (2.0 * (wordgeo_positive(a - error) + 2.0 * epsilon)));
    }
    const double least = 2.0 - 2.0 * cosines[1] - 2.0 * error, most = 2.0 - 2.0 * cosines[1] + 2.0 * error;
    if (least > 1e-6)
        return wordgeo_quotient(cosines[0] - shift, error, sqrt(least), sqrt(most));
    return (wordgeo_bounds){-INFINITY, INFINITY};
}

#endif
