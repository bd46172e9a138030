/* Skip-gram and CBOW with negative sampling (Mikolov et al. 2013), block by block, in single precision.
 *
 * A chunk of sentences is first *planned* (which words are kept, how far each window reaches, which noise words are
 * drawn), then *trained*. Its words are cut into `streams` parts that are trained side by side: a block is what comes
 * next in each. An input of a block is a word of a stream, with the words to whose windows it belongs as targets, or
 * for CBOW the mean (or sum) of a window, with the word in the middle as target. All inputs of a block share its
 * `noises` noise words: far apart in the text, they have little else in common. With x the row of an input (or the
 * mean), t that of a target:
 *
 *     loss = -log s(x.t)        for each target of the input                      s(z) = 1 / (1 + exp(-z))
 *            - w log s(-x.t)    for each noise word, w = targets * negative / noises
 *     g = alpha (1 - s(x.t)) or -alpha w s(x.t)      x += sum over its targets and all noise of g t      t += g x
 *
 * which in the mean is gensim's loss, whose pairs have `negative` noise words each. A noise word that is drawn twice
 * for a block has twice the weight, and one that is a target of an input has none for that target. As in gensim, CBOW
 * adds the whole sum to each word where x is the mean, and its n-th part where x is the sum.
 *
 * All products of a block are taken before its steps. Those of skip-gram go through the targets of one input after the
 * other, then to the inputs, then to the noise words, and use targets as the steps before have left them, but inputs as
 * they were. Those of CBOW use noise as it was too, and end with the windows, one after the other: the rows of words
 * that leave a window move, then those that stay, which are then added up for the next window, then those that come to
 * it are. So the rows of two windows are read once, and a mean knows nothing of the windows of its block behind it.
 *
 * Threads. The vectors are cut into slices of their dimensions, each a matrix of its own, and a thread has slices:
 * every thread goes through all blocks, multiplies its part of the rows, leaves the products for the others, waits for
 * theirs, and makes the steps of its part. The first, which has the fewest lines, puts the blocks together. So nobody
 * ever writes what another reads, the steps are those of one thread, and the bytes do not depend on the number of
 * threads: only on the slices, whose sums are added in order. Planning is shared out by chunks. Without waiting
 * (`racy`) each thread has chunks of its own, as in Hogwild (Niu et al. 2011).
 */
#ifndef WORDGEO_SGNS_H
#define WORDGEO_SGNS_H

#include <stddef.h>
#include <stdint.h>

#include "team.h"

enum {
    WORDGEO_LINE = 16,         /* floats in a line of the cache; rows are whole lines */
    WORDGEO_INPUTS = 16,       /* most of a block */
    WORDGEO_TARGETS = 16,      /* most of an input: a window with more is several inputs */
    WORDGEO_MOST_NOISES = 128, /* of a block; a multiple of 4 */
    WORDGEO_MOST_SLICES = 4,
    WORDGEO_VECTORS_OF_OWN = 2 * WORDGEO_INPUTS + WORDGEO_MOST_NOISES,
    WORDGEO_PRODUCTS = WORDGEO_INPUTS * (WORDGEO_TARGETS + WORDGEO_MOST_NOISES),
};

typedef struct {
    float *in, *out; /* vectors of words, and of words as targets: slice by slice [words, lines of the slice * LINE] */
    int64_t words;
    int64_t slices;
    const int64_t *lines;   /* [slices + 1], where each slice begins in a vector, in lines */
    const uint32_t *ids;    /* the corpus */
    const uint64_t *tokens; /* [known] the row of each id, `words` or more where it is not trained; and in the upper
                               half, above how many of 2^32 draws it is left out */
    int64_t known;
    const uint32_t *sums;  /* [words] of noise weights up to and with each word */
    const uint32_t *guide; /* [words] the first whose sum is above i / words of all */
    int64_t window, negative;
    int64_t streams, noises; /* of a block: inputs, at most INPUTS, and noise words, a multiple of 4 */
    int64_t shrink, cbow, mean;
    uint32_t held; /* sentences whose 32 random bits are below are held out */
    int64_t only_held;
    uint64_t key, noise_key, held_key; /* streams of draws */
} wordgeo_sgns;

/* A planned chunk of *count words. Word i (its row is kept[i]) has the window low[i]..high[i] of words around it. The
 * chunk has as many sets of noise words as words in a stream, noise[set * noises ...]; a set is that of a block, and of
 * a later one if there are more. times[...] tells how often each was drawn, and 0 where it stands there again. */
typedef struct {
    uint32_t *kept;
    int32_t *low, *high;
    uint32_t *noise;
    float *times;
    int64_t *count;
} wordgeo_plan;

/* What was done in a chunk. */
typedef struct {
    double loss[WORDGEO_MOST_SLICES]; /* parts of it */
    int64_t trained, products;        /* words in the middle of a window, and products that were taken */
    int64_t damaged;                  /* 1 + the place of an id beyond the known ones, else 0 */
} wordgeo_done;

typedef struct {
    const int64_t *spans;     /* [sentences, 2] first token and the one behind the last */
    const int64_t *chunks;    /* [count + 1] chunk i has the sentences chunks[i] .. chunks[i + 1] - 1 */
    const int64_t *positions; /* [count] how many tokens were walked before each */
    const float *alphas;      /* [count] */
    int64_t count;
} wordgeo_block;

/* `own` is one thread's memory, for inputs, their steps and noise (VECTORS_OF_OWN), and `shared` that of the team
 * (wordgeo_common_floats). Writes its slices' parts of the loss. */
typedef int64_t (*wordgeo_train_chunk)(const wordgeo_sgns *model, const wordgeo_plan *plan, float alpha,
                                       int first_slice, int last_slice, wordgeo_team *team, float *own, float *shared,
                                       double *loss);

typedef struct {
    const char *name;
    wordgeo_train_chunk train;
} wordgeo_loop;

extern const wordgeo_loop wordgeo_loops[];
extern const int64_t wordgeo_common_floats;

/* What thread `me` of `threads` does of a block; each has to call it. `plans` are 2 * threads; `flags` zero. */
void wordgeo_train_block(wordgeo_train_chunk train, const wordgeo_sgns *model, const wordgeo_block *block, int threads,
                         int me, int racy, wordgeo_plan *plans, wordgeo_flag *flags, float *own, float *shared,
                         wordgeo_done *done);

/* Plans one chunk; for tests too. */
void wordgeo_plan_chunk(const wordgeo_sgns *model, const int64_t *spans, int64_t sentences, int64_t position,
                        wordgeo_plan *plan, wordgeo_done *done);

#endif
