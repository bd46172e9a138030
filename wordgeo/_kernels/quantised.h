/* The quantised copy of the rows for the int8 screen, and a pool of rows that may turn out to be among the best.
 *
 * Codes. Row r has unit vector u = x / |x| (u = 0 for a zero row) and is kept as codes c[i] in 1..255 with
 *     u ~ scale (c - 128),     error >= |u - scale (c - 128)|      (Euclidean norms; both rounded to the safe side)
 * where scale is one over an even number up to WORDGEO_MOST_UNITS, so that this number of units is 1 exactly,
 * in groups of 16 rows: byte ((group * steps + i / 4) * 16 + r % 16) * 4 + i % 4, with steps = ceil(d / 4).
 * Elements and rows that fill up a group are 128, with scale 0.
 *
 * A query of unit length is kept as q ~ query_scale (256 high + low), or query_scale high where one part is enough,
 * with its own error. By Cauchy-Schwarz
 *     |u . q - u' . q'|  <=  |u - u'| |q| + |u'| |q - q'|  <=  error_u + (1 + error_u) error_q.
 */
#ifndef WORDGEO_QUANTISED_H
#define WORDGEO_QUANTISED_H

#include <stddef.h>
#include <stdint.h>

#define WORDGEO_GROUP 16
#define WORDGEO_MOST_UNITS 4000 /* so that a number up to 4 in halves of these units has 16 bits */

typedef double (*wordgeo_quantise16)(const float *, double, size_t, int16_t *); /* the kernel of that name */

/* Codes of rows [begin, begin + count) of a matrix with all rows; begin is a multiple of 16. The errors of the first
 * leading[b] elements alone, multiples of four that ascend, go to leading_errors[b * stride + row]. Those up to bound b,
 * and with the last shift those behind all bounds, are 2^shifts[b] times what they stand for, and so are their codes; none
 * may be longer than 63 times the row. */
void wordgeo_quantise_rows(wordgeo_quantise16 quantise16, const float *rows, const double *norms, size_t begin,
                           size_t count, size_t size, const int64_t *leading, const int64_t *shifts,
                           size_t bounds, uint8_t *codes, float *scales, float *errors, float *leading_errors, size_t stride);

/* One query of unit length: `parts` is 1 (high only) or 2. high and low hold 4 * steps bytes each; the query's two
 * corrections take the codes' offset of 128 out of the sums. Returns a bound of |q - q'|. */
double wordgeo_quantise_query(const float *query, size_t size, size_t steps, int parts, int8_t *high, int8_t *low,
                              int32_t *corrections, float *scale);

/* The k-th highest of n numbers, none of them NaN, 1 <= k <= n. Changes their order, and in the same way that of what is
 * along with them (or NULL), so that the k highest come first. */
float wordgeo_kth_highest(float *x, uint32_t *along, size_t n, size_t k);

/* Rows that may be among the k best: those whose upper bound reaches the k-th highest lower bound. */
typedef struct {
    float *lower;   /* [k] heap of the highest lower bounds */
    uint32_t *rows; /* [room] */
    float *upper;   /* [room] */
    size_t k, held, room, count;
    float floor; /* no row with an upper bound below this can be among the k best */
} wordgeo_pool;

/* Takes in a row unless it cannot be among the best. Returns 0 if there is no room, even after the pool has been
 * cleared of rows that can no longer be among the best. */
int wordgeo_pool_offer(wordgeo_pool *pool, uint32_t row, float lower, float upper);

/* Drops the rows that can no longer be among the best. */
void wordgeo_pool_tidy(wordgeo_pool *pool);

#endif
