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
 * MUL is a sum of three logarithms, each looked up for its T (two T share one, another 1/2): those of s lie within WORDGEO_LOG_STEPS steps of a factor
 * 2 (int16), and a cosine off by 2 h moves log2 s by at most log2(1 + h / (s - h)) <= h / (s - h) / ln 2.
 * DIRECTION is above a given t where (cos(x, b) - cos(x, a)) / length - t |x - c| > shift: B = 16383 / 2 times the first
 * term is what all questions with the same (a, b) share, 16383 |x - c| is looked up for T, and the upper half of its
 * product with 32768 t is B t |x - c|, rounded down. For |t| < 1, all together is off by at most
 *     B (e(x) + ((1 + e(x)) (e(a) + e(b)) + 1 / unit) / length + |t| e(|x - c|)) + 3/2
 * (1/2 for the shared term, 1/4 each for t and |x - c|, 1/2 for the product after its mean is taken off), and a distance
 * sqrt(u) is off by at most h / sqrt(u - 2 h) where the cosine is off by h: not known in tiles with x too near to c.
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
#define WORDGEO_DIRECTION_UNIT 8191.5 /* B: with distances 16383 |x - c|, a sum is within three times as much */
#define WORDGEO_LEAST_LENGTH 0.05
#define WORDGEO_LEAST_SQUARE 0.09

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

/* What a score is as a sum of int16: negative infinity where it says nothing; itself for DIRECTION. */
static inline double wordgeo_analogy_aim(int method, double score, double length, double unit) {
    if (method == WORDGEO_ADD)
        return score * length * unit;
    if (method == WORDGEO_DIRECTION)
        return score;
    return score > 0.0 ? WORDGEO_LOG_STEPS * log2(score) : -INFINITY;
}

/* A score that at least `many` of the rows reach, from their sums: the largest in each of 32 lanes belong to different
 * rows. Negative infinity where it cannot be had so cheaply. */
static inline double wordgeo_analogy_floor(int method, const int16_t *base, const int16_t *term, size_t count, size_t many,
                                           double slack, double length, double unit) {
    int lanes[32], best[32];
    if (method == WORDGEO_DIRECTION || many == 0 || many > 32 || count < 64 || !(slack < 32768.0))
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

/* Where a cosine stands in a list: two share one, so that what is used of the list stays in the first-level cache. */
static inline size_t wordgeo_analogy_index(int16_t cosine) { return (size_t)((int)cosine + 16384) >> 1; }

/* Looks up the cosines of one word and a run of rows in a list of logarithms for MUL, of distances for DIRECTION; returns
 * how far off these can be, in steps for MUL, infinite where a cosine is too near to -1 or 1. `error` bounds that of the
 * cosines. One row too near to 1, as a rule the word itself, is left to the caller: its place is in `alone`, else -1. */
static inline double wordgeo_analogy_terms(int method, const int16_t *cosines, size_t count, const int16_t *list,
                                           double unit, double error, int16_t *out, int32_t *alone) {
    int16_t least = INT16_MAX, most = INT16_MIN;
    *alone = -1;
    for (size_t i = 0; i < count; i++) {
        least = cosines[i] < least ? cosines[i] : least;
        most = cosines[i] > most ? cosines[i] : most;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = list[wordgeo_analogy_index(cosines[i])];
    if (method == WORDGEO_DIRECTION) {
        double square = 2 - 2 * ((double)most + 1) / unit - 2 * error;
        if (!(square > WORDGEO_LEAST_SQUARE)) {
            int16_t second = INT16_MIN;
            for (size_t i = 0; i < count; i++)
                if (*alone < 0 && cosines[i] == most)
                    *alone = (int32_t)i;
                else
                    second = cosines[i] > second ? cosines[i] : second;
            square = 2 - 2 * ((double)second + 1) / unit - 2 * error;
        }
        return square > WORDGEO_LEAST_SQUARE ? error / sqrt(square) : INFINITY;
    }
    const double h = error / 2, s = (((double)least - 1) / unit + 1) / 2;
    return s - h > WORDGEO_LEAST_LOGARITHM ? WORDGEO_LOG_STEPS / 0.6931 * h / (s - h) + 0.5 : INFINITY;
}

/* What all questions with the same (a, b) share for DIRECTION. Conversion cuts, so it is done where all is positive. */
static inline void wordgeo_direction_base(const int16_t *of_a, const int16_t *of_b, double unit, double length,
                                          size_t count, int16_t *base) {
    const float factor = length > WORDGEO_LEAST_LENGTH ? (float)(WORDGEO_DIRECTION_UNIT / (unit * length)) : 0.0f;
    for (size_t i = 0; i < count; i++)
        base[i] = (int16_t)((int32_t)((float)(of_b[i] - of_a[i]) * factor + 32768.5f) - 32768);
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

/* Whether middle / sqrt(2 - 2 cos(x, c)) is above gold (1), below it (-1), or may be either (0), by a cosine known up to
 * an error. The margins cover the roundings of a score. */
static inline int wordgeo_direction_side(double middle, double of_c, double error, double gold) {
    const double most = (2 - 2 * of_c + 2 * error) * gold * gold, least = (2 - 2 * of_c - 2 * error) * gold * gold;
    const int sign = middle > 0 ? 1 : -1;
    if (!(2 - 2 * of_c - 2 * error > 1e-3) || fabs(middle) < 1e-6)
        return 0;
    if ((gold < 0) == (middle < 0) && gold != 0)
        return middle * middle * (1 - 1e-5) > most ? sign : middle * middle * (1 + 1e-5) < least ? -sign : 0;
    return sign;
}

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
