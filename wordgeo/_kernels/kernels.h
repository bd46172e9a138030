/* The inner loops that have one version for each instruction set, behind a table of function pointers.
 *
 * All versions give the same bytes. The product of two floats is exact in double, so a fused multiply-add rounds
 * exactly like a multiplication followed by an addition; and the order of the additions is fixed:
 *
 *     lane[j] = x[j] y[j] + x[j + 16] y[j + 16] + ...        j = 0..15, from the left
 *     r8[j] = lane[j] + lane[j + 8]   r4[j] = r8[j] + r8[j + 4]   r2[j] = r4[j] + r4[j + 2]   sum = r2[0] + r2[1]
 */
#ifndef WORDGEO_KERNELS_H
#define WORDGEO_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define WORDGEO_MOST_BOUNDS 2

/* Rows as int8 codes, in whole groups of 16 (see quantised.h). */
typedef struct {
    const uint8_t *codes;
    size_t groups, steps; /* of four elements */
    size_t stride;        /* steps from one group to the next */
    const float *scales;
    /* for leading8 alone: */
    size_t bounds, leading[WORDGEO_MOST_BOUNDS]; /* the steps of which each is made, ascending; or one of all steps */
    int shifts[WORDGEO_MOST_BOUNDS + 1];         /* of the elements up to each, 0 at first, and behind the last: times so
                                                  * many powers of 2 */
    const float *units;                          /* one over scales */
    const float *errors;                         /* of all elements; and of those up to a bound, with their lengths: */
    const float *bound_errors[WORDGEO_MOST_BOUNDS], *lengths[WORDGEO_MOST_BOUNDS];
    const int16_t *head;                       /* two numbers a row that codes have beside their bytes, in units */
    const int16_t *rests[WORDGEO_MOST_BOUNDS]; /* two a row: how long is what does not lead, and a half, in units */
    const float *needed;                       /* a product matters to the row, as a word, from here on; or NULL */
} wordgeo_rows8;

/* Queries as int8 codes of one or two parts; `stride` bytes for each part, used or not. */
typedef struct {
    const int8_t *codes;
    size_t stride, count;
    int parts;
    const int32_t *corrections; /* of each part */
    const float *scales, *floors;
    /* for leading8 alone: the same; what the query's errors add to those of rows; and what is rounded beside codes */
    const int32_t *part_corrections[WORDGEO_MOST_BOUNDS + 1]; /* of the elements up to each bound, and behind the last */
    const float *units, *slack, *bound_errors[WORDGEO_MOST_BOUNDS], *lengths[WORDGEO_MOST_BOUNDS];
    const int16_t *head, *rests[WORDGEO_MOST_BOUNDS];
    float rounding;
} wordgeo_queries8;

#define WORDGEO_MOST_QUERIES 336 /* at a time, of leading8; many, since rows come from far for each so many */

typedef struct {
    const char *name;
    /* sum of x[i] y[i], in double */
    double (*dot)(const float *x, const float *y, size_t size);
    /* out[r] = sum of rows[r][i] query[i], for `count` rows that lie end to end; query holds widened floats */
    void (*dots)(const float *rows, size_t count, size_t size, const double *query, double *out);
    /* positions i of [begin, end) where scores[i] * scale[i] is not below threshold (so NaN is taken), ascending */
    size_t (*select)(const float *scores, const float *scale, size_t begin, size_t end, float threshold,
                     uint32_t *chosen);
    /* the same where x[i] + y[i] is not below threshold */
    size_t (*select_sum)(const float *x, const float *y, size_t begin, size_t end, float threshold, uint32_t *chosen);
    /* out[i] = the integer nearest to row[i] inverse; returns the sum of the squares of what was rounded off */
    double (*quantise16)(const float *row, double inverse, size_t size, int16_t *out);
    /* out[w][r] = row . word / 2^17, rounded to the nearest integer: rows in groups of 16 as [group][pair][row][2], words
     * as [word][pair][2]. The products of their lengths are at most 16383 * 2^17. */
    void (*tile16)(const int16_t *rows, size_t groups, size_t pairs, const int16_t *words, size_t n_words, int16_t *out,
                   size_t stride);
    /* Sums base[i] + x[i], cut to int16, for i from begin to end, with rows x of a table: those of places[3 q + 2] for
     * q = 0..n, each with five marks. over[q] grows by how many are above the third. chosen takes those i of each q whose
     * sum is above the first, or above the second and not above the third, ascending; found[q] says how many. With
     * `product`, x[i] factor / 2^16, rounded down, is added instead of x[i]: the factor is the fourth mark where a sum is
     * compared with the first, the fifth for the rest. Returns for how many q there was room: each needs end - begin. */
    size_t (*sweep16)(int product, const int16_t *base, const int16_t *table, size_t stride, size_t begin, size_t end,
                      const int32_t *places, size_t n, const int16_t *marks, uint32_t *over, uint32_t *found,
                      uint32_t *chosen, size_t room);
    /* out[i] = (x[i] - y[i]) factor, rounded to the nearest integer */
    void (*differences16)(const int16_t *x, const int16_t *y, size_t count, float factor, int16_t *out);
    /* out[i] = 4096 log2(s), not off by more than 0.6, for s = (x[i] + zero) scale between 1/16 and 2; lower s are cut */
    void (*logarithms16)(const int16_t *x, size_t count, float zero, float scale, int16_t *out);
    /* out[i] = 16383 sqrt(2 - x[i] scale), not off by more than 0.6 from a distance of 1/4 on */
    void (*distances16)(const int16_t *x, size_t count, float scale, int16_t *out);
    /* The sum of x[i] y[i] in float, in any order: a term goes through one multiplication, at most size / 32 + 2
     * additions to its lane and 5 that add the lanes up. */
    float (*dot_float)(const float *x, const float *y, size_t size);
    /* Where the processor multiplies int8, else NULL: out[q][r] = the product of a query and a row, `stride` floats (a
     * multiple of 64) between queries, and flags[q][r / 64] = whether any of these is not below the query's floor. */
    void (*tile8)(const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, float *out, size_t stride, uint8_t *flags);
    /* The products of queries of one part, up to WORDGEO_MOST_QUERIES, and rows that with their errors are not below the
     * query's floor (which is less its slack), or with both's not below what the row needs; returns how many there are,
     * and some that are below. places takes q << 16 | r, of at most 4,096 groups; it and values have room for 16 more
     * than there can be. The leading steps up to a bound are multiplied, and more where these, with the product of what
     * they leave out at most, do not tell. */
    size_t (*leading8)(const wordgeo_rows8 *rows, const wordgeo_queries8 *queries, float *values, uint32_t *places);
} wordgeo_kernels;

/* The instruction sets of this build, the best last; NULL ends the list. */
extern const wordgeo_kernels *const wordgeo_kernel_sets[];

/* Whether this processor (and its system) can run the set of that name. */
int wordgeo_processor_has(const char *name);

/* Asks for a row that is needed soon. */
static inline void wordgeo_fetch(const float *row, size_t size) {
#ifdef __GNUC__
    for (size_t i = 0; i < size; i += 16)
        __builtin_prefetch(row + i);
#else
    (void)row, (void)size;
#endif
}

#endif
