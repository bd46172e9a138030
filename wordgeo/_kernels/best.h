/* The k best (score, row) seen so far: a heap on the caller's memory, its root the worst that is kept.
 * Order: score descending, then row ascending.
 */
#ifndef WORDGEO_BEST_H
#define WORDGEO_BEST_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    float *scores;
    int64_t *rows;
    size_t held, room;
} wordgeo_best;

/* Takes the pair in if it belongs among the best. */
void wordgeo_best_offer(wordgeo_best *best, float score, int64_t row);

/* Turns the heap into a list, the best first. */
void wordgeo_best_sort(wordgeo_best *best);

#endif
