/* Skip-gram and CBOW with negative sampling (Mikolov et al. 2013), window by window, in single precision.
 *
 * A chunk of sentences is first *planned* (which words are kept, how far each window reaches, which noise words it is
 * given), then *trained* task by task. A task of skip-gram is up to `share` words of one window against the word in the
 * middle and its noise: a small matrix of products, each noise word serving all words of the task (Ji et al. 2016). A
 * task of CBOW is the mean (or sum) of the window against the same; the words of a chunk are then `STREAMS` streams,
 * trained in turns, whose windows at the same place share their noise. With x the row of a context word (or the mean), t
 * that of a target, y = 1 for the word in the middle and 0 for noise:
 *
 *     loss = -log s(x.t) for y = 1, -log s(-x.t) for y = 0     s(z) = 1 / (1 + exp(-z))
 *     g = alpha (y - s(x.t))        x += sum over targets of g t        t += sum over contexts of g x
 *
 * with all sums from the values of before; a noise word that is drawn twice for a task counts once. As in gensim, CBOW adds the whole sum to each word where x is the mean, and
 * its n-th part where x is the sum. Products are taken for `GROUP` tasks at once, so they are older than the steps of up
 * to GROUP - 1 tasks before.
 *
 * Threads. The vectors are cut into slices of their dimensions, each a matrix of its own, and a thread has slices: every
 * thread goes through all tasks, multiplies its part of the rows, leaves the products for the others, waits for theirs,
 * and makes the steps of its part. So nobody ever writes what another reads, the steps are those of one thread, and the
 * bytes do not depend on the number of threads: only on the slices, whose sums are added in order. Planning is shared
 * out by chunks. Without waiting (`racy`) each thread has chunks of its own, as in Hogwild (Niu et al. 2011).
 */
#ifndef WORDGEO_SGNS_H
#define WORDGEO_SGNS_H

#include <stddef.h>
#include <stdint.h>

#include "team.h"

enum {
    WORDGEO_LINE = 16,     /* floats in a line of the cache; rows are whole lines */
    WORDGEO_GROUP = 2,     /* tasks whose products are taken at once */
    WORDGEO_SHARE = 16,    /* most context words of a task of skip-gram */
    WORDGEO_TARGETS = 6,   /* most targets of a task */
    WORDGEO_STREAMS = 2,   /* of a chunk, for CBOW */
    WORDGEO_PRODUCTS = WORDGEO_GROUP * WORDGEO_SHARE * WORDGEO_TARGETS,
};

typedef struct {
    float *in, *out; /* vectors of words, and of words as targets: slice by slice [words, lines of the slice * LINE] */
    int64_t words;
    int64_t slices;
    const int64_t *lines;   /* [slices + 1], where each slice begins in a vector, in lines */
    const uint32_t *ids;    /* the corpus */
    const uint32_t *rows;   /* [known] the row of each id, `words` or more where it is not trained */
    int64_t known;
    const uint32_t *keep;   /* [words] a word is left out where 32 random bits are above */
    const uint64_t *noise;  /* [words] alias table: below, a coin's 32 bits to stay; above, the row to take else */
    int64_t window, negative, share, sets; /* sets: how many draws of noise a window has at most */
    int64_t shrink, cbow, mean;
    uint32_t held; /* sentences whose 32 random bits are below are held out */
    int64_t only_held;
    uint64_t key, held_key; /* streams of draws */
} wordgeo_sgns;

/* A planned chunk of *count words. Word i (its row is kept[i]) has the window low[i]..high[i] of words around it, and the noise words
 * noise[i * sets * negative ...], UINT32_MAX where the draw was the word itself. */
typedef struct {
    uint32_t *kept;
    int32_t *low, *high;
    uint32_t *noise;
    int64_t *count;
} wordgeo_plan;

/* What was done in a chunk. */
typedef struct {
    double loss;
    int64_t trained, products; /* words in the middle of a window, and terms of the loss */
    int64_t damaged;           /* 1 + the place of an id beyond the known ones, else 0 */
} wordgeo_done;

typedef struct {
    const int64_t *spans;     /* [sentences, 2] first token and the one behind the last */
    const int64_t *chunks;    /* [count + 1] chunk i has the sentences chunks[i] .. chunks[i + 1] - 1 */
    const int64_t *positions; /* [count] how many tokens were walked before each */
    const float *alphas;      /* [count] */
    int64_t count;
} wordgeo_block;

/* One thread's memory: `own` for the values of CBOW (2 * GROUP vectors), `parts` shared by the team, for the products
 * [2, slices, PRODUCTS]. */
typedef double (*wordgeo_train_chunk)(const wordgeo_sgns *model, const wordgeo_plan *plan, float alpha, int first_slice,
                                      int last_slice, wordgeo_team *team, float *own, float *parts, int64_t *products);

typedef struct {
    const char *name;
    wordgeo_train_chunk train;
} wordgeo_loop;

extern const wordgeo_loop wordgeo_loops[];

/* What thread `me` of `threads` does of a block; each has to call it. `plans` are 2 * threads; `flags` zero. */
void wordgeo_train_block(wordgeo_train_chunk train, const wordgeo_sgns *model, const wordgeo_block *block, int threads,
                         int me, int racy, wordgeo_plan *plans, wordgeo_flag *flags, float *own, float *parts,
                         wordgeo_done *done);

/* Plans one chunk; for tests too. */
void wordgeo_plan_chunk(const wordgeo_sgns *model, const int64_t *spans, int64_t sentences, int64_t position,
                        wordgeo_plan *plan, wordgeo_done *done);

#endif
