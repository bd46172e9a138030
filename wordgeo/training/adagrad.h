/* GloVe's inner loop: examples of one block, one after another, by AdaGrad in single precision.
 *
 * A record is 2 * stride floats: the vector with its bias at index `dim` and zeros behind it, then as many sums of
 * squared steps. `stride` is a multiple of 16 above `dim`. For an example (w, c, log x, f) with learning rate r
 *
 *     diff = w.c + b + b' - log x        loss = f diff^2 / 2        g = f diff
 *     step of w[k] = r clip(g c[k])      w[k] -= step / sqrt(S[k])      S[k] += step^2      c likewise
 *     step of b = r' clip(g), b' likewise: biases have a learning rate r' of their own
 *
 * (Pennington, Socher & Manning 2014; Duchi, Hazan & Singer 2011), all four from the values of before.
 */
#ifndef WORDGEO_ADAGRAD_H
#define WORDGEO_ADAGRAD_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint16_t row, column; /* within the block */
    float log_count, weight;
} wordgeo_example;

/* Trains on `count` examples; returns the sum of their losses, each before its own step. */
typedef double (*wordgeo_train_block)(float *words, float *contexts, size_t stride, size_t dim,
                                      const wordgeo_example *examples, size_t count, float rate, float bias_rate,
                                      float clip);

typedef struct {
    const char *name;
    wordgeo_train_block train;
} wordgeo_trainer;

/* The instruction sets of this build, the best last; a NULL name ends the list. Who calls one asks the processor first. */
extern const wordgeo_trainer wordgeo_trainers[];

#endif
