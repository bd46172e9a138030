#include "adagrad.h"

#include <string.h>

#include "hints.h"

#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define WORDGEO_X86
#include <immintrin.h>
#endif

#define LINE 16 /* floats in a line of the cache */
#define AHEAD 2

/* Asks for the records of a later example. */
static inline void fetch(const float *words, const float *contexts, size_t record, const wordgeo_example *example) {
    const float *w = words + example->row * record, *c = contexts + example->column * record;
    for (size_t k = 0; k < record; k += LINE) {
        PREFETCH(w + k);
        PREFETCH(c + k);
    }
}

static inline float clipped(float value, float clip) {
    return value > clip ? clip : value < -clip ? -clip : value;
}

/* 1 / sqrt(x) for normal x: a first guess from the bits of x, and three of Newton's steps, which a compiler can
 * make of any vector instructions it has. */
static inline float inverse_root(float x) {
    uint32_t bits;
    float y;
    memcpy(&bits, &x, sizeof bits);
    bits = 0x5f3759df - (bits >> 1);
    memcpy(&y, &bits, sizeof y);
    const float half = 0.5f * x;
    y = y * (1.5f - half * y * y);
    y = y * (1.5f - half * y * y);
    return y * (1.5f - half * y * y);
}

/* The biases are not part of the product of the vectors: their step is made apart, from the values of before. */
typedef struct {
    float value, squares;
} bias;

static inline bias stepped(float value, float squares, float step) {
    const bias next = {value - step * inverse_root(squares), squares + step * step};
    return next;
}

static double train_baseline(float *words, float *contexts, size_t stride, size_t dim,
                             const wordgeo_example *examples, size_t count, float rate, float bias_rate,
                             float clip) {
    const size_t record = 2 * stride;
    double loss = 0;
    for (size_t e = 0; e < count; e++) {
        float *w = words + examples[e].row * record, *c = contexts + examples[e].column * record;
        float *ws = w + stride, *cs = c + stride;
        if (e + AHEAD < count)
            fetch(words, contexts, record, &examples[e + AHEAD]);
        float lane[LINE] = {0};
        for (size_t k = 0; k < stride; k += LINE)
            for (size_t j = 0; j < LINE; j++)
                lane[j] += w[k + j] * c[k + j];
        float dot = 0;
        for (size_t j = 0; j < LINE; j++)
            dot += lane[j];
        const float diff = dot - w[dim] * c[dim] + w[dim] + c[dim] - examples[e].log_count;
        const float g = examples[e].weight * diff;
        loss += 0.5 * (double)g * (double)diff;
        const float step = bias_rate * clipped(g, clip);
        const bias wb = stepped(w[dim], ws[dim], step), cb = stepped(c[dim], cs[dim], step);
        for (size_t k = 0; k < stride; k++) {
            const float sw = rate * clipped(g * c[k], clip), sc = rate * clipped(g * w[k], clip);
            w[k] -= sw * inverse_root(ws[k]);
            c[k] -= sc * inverse_root(cs[k]);
            ws[k] += sw * sw;
            cs[k] += sc * sc;
        }
        w[dim] = wb.value, ws[dim] = wb.squares;
        c[dim] = cb.value, cs[dim] = cb.squares;
    }
    return loss;
}

#ifdef WORDGEO_X86

#define SET avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define V __m256
#define OP(name) _mm256_##name##_ps
#define ROOT _mm256_rsqrt_ps
#include "adagrad_body.h"

#define SET avx512
#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")))
#define LANES 16
#define V __m512
#define OP(name) _mm512_##name##_ps
#define ROOT _mm512_rsqrt14_ps
#include "adagrad_body.h"

#endif

const wordgeo_trainer wordgeo_trainers[] = {
    {"baseline", train_baseline},
#ifdef WORDGEO_X86
    {"avx2", train_avx2},
    {"avx512", train_avx512},
#endif
    {NULL, NULL},
};
