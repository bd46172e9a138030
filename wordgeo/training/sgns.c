#include "sgns.h"

#include <string.h>

#include "draws.h"
#include "hints.h"

#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define WORDGEO_X86
#include <immintrin.h>
#endif

#define LINE WORDGEO_LINE
#define GROUP WORDGEO_GROUP
#define SHARE WORDGEO_SHARE
#define TARGETS WORDGEO_TARGETS
#define PRODUCTS WORDGEO_PRODUCTS
#define STREAMS WORDGEO_STREAMS
#define AHEAD (GROUP + 1) /* tasks, for rows that are asked for before they are needed */
#define ROWS_AHEAD (TARGETS + 1)
#define REGISTERS 8 /* of a row of CBOW at once */

/* ---- Planning ---- */

#define TOKENS_AHEAD 8 /* how early tables are asked for what they tell */
#define WORDS_AHEAD 3

static inline uint64_t noise_entry(const wordgeo_sgns *model, uint64_t drawn) {
    return (drawn >> 32) * (uint64_t)model->words >> 32;
}

static inline uint32_t noise_word(const wordgeo_sgns *model, uint64_t drawn) {
    const uint64_t i = noise_entry(model, drawn), entry = model->noise[i];
    return (uint32_t)drawn < (uint32_t)entry ? (uint32_t)i : (uint32_t)(entry >> 32);
}

/* Asks for what tells whether the token is kept, in two steps. */
static inline void fetch_token(const wordgeo_sgns *model, int64_t i, int64_t end) {
    if (i + 2 * TOKENS_AHEAD < end && model->ids[i + 2 * TOKENS_AHEAD] < model->known)
        PREFETCH(model->rows + model->ids[i + 2 * TOKENS_AHEAD]);
    if (i + TOKENS_AHEAD < end && model->ids[i + TOKENS_AHEAD] < model->known) {
        const uint32_t row = model->rows[model->ids[i + TOKENS_AHEAD]];
        if (row < model->words)
            PREFETCH(model->keep + row);
    }
}

/* The words of a chunk in streams of CBOW, which are trained in turns: first words of all streams, second words... */
static inline int64_t words_a_stream(int64_t count) { return (count + STREAMS - 1) / STREAMS; }

/* Draws the noise of each word of the first stream, for the words of the others at the same place too: far apart in the
 * text, they have little else in common. The first noise word of each has the place of its draws. */
static void share_noise(const wordgeo_sgns *model, const wordgeo_plan *plan, uint64_t begun) {
    const int64_t n = *plan->count, length = words_a_stream(n), negative = model->negative;
    const uint64_t width = (uint64_t)negative + 1;
    for (int64_t i = 0; i < length; i++) {
        if (i + WORDS_AHEAD < length) {
            const uint64_t later = begun + plan->noise[(i + WORDS_AHEAD) * negative];
            for (int64_t j = 0; j < negative; j++)
                PREFETCH(model->noise + noise_entry(model, draw(model->key, later * width + 1 + (uint64_t)j)));
        }
        const uint64_t at = begun + plan->noise[i * negative];
        for (int64_t j = 0; j < negative; j++) {
            const uint32_t row = noise_word(model, draw(model->key, at * width + 1 + (uint64_t)j));
            for (int64_t word = i; word < n; word += length)
                plan->noise[word * negative + j] = row == plan->kept[word] ? UINT32_MAX : row;
        }
    }
}

/* The token at position p of the walk has the draws p * width ...: the first for itself and its window, the others for
 * its noise. */
void wordgeo_plan_chunk(const wordgeo_sgns *model, const int64_t *spans, int64_t sentences, int64_t position,
                        wordgeo_plan *plan, wordgeo_done *done) {
    const int64_t draws = model->sets * model->negative;
    const uint64_t width = (uint64_t)draws + 1;
    const uint64_t begun = (uint64_t)position;
    int64_t n = 0;
    done->trained = 0;
    for (int64_t s = 0; s < sentences; s++) {
        const int64_t begin = spans[2 * s], end = spans[2 * s + 1], first = n;
        const uint64_t place = (uint64_t)position;
        position += end - begin;
        const int held = (uint32_t)(draw(model->held_key, place) >> 32) < model->held;
        if (held != (model->only_held != 0))
            continue;
        for (int64_t i = begin; i < end; i++) {
            const uint32_t id = model->ids[i];
            fetch_token(model, i, end);
            if (id >= model->known) {
                done->damaged = 1 + i;
                continue;
            }
            const uint32_t row = model->rows[id];
            if (row >= model->words)
                continue;
            const uint64_t at = place + (uint64_t)(i - begin), drawn = draw(model->key, at * width);
            if (model->keep[row] < (uint32_t)(drawn >> 32))
                continue;
            /* the window for now, and where the word's draws are, in the place of its bounds */
            plan->kept[n] = row;
            plan->low[n] = (int32_t)(i - begin);
            plan->high[n] = model->shrink ? (int32_t)((drawn & UINT32_MAX) * (uint64_t)model->window >> 32) : 0;
            n++;
        }
        for (int64_t i = first; i < n; i++) {
            if (i + WORDS_AHEAD < n && !model->cbow) {
                const uint64_t later = place + (uint64_t)plan->low[i + WORDS_AHEAD];
                for (int64_t j = 0; j < model->negative; j++)
                    PREFETCH(model->noise + noise_entry(model, draw(model->key, later * width + 1 + (uint64_t)j)));
            }
            const uint64_t at = place + (uint64_t)plan->low[i];
            const int64_t reach = model->window - plan->high[i];
            plan->low[i] = (int32_t)(i - first < reach ? first : i - reach);
            plan->high[i] = (int32_t)(n - 1 - i < reach ? n - 1 : i + reach);
            uint32_t *noise = plan->noise + i * draws;
            const int64_t near = plan->high[i] - plan->low[i];
            done->trained += near > 0;
            if (model->cbow) { /* see `share_noise` */
                noise[0] = (uint32_t)(at - begun);
                continue;
            }
            const int64_t sets = (near + model->share - 1) / model->share;
            const int64_t used = (sets < model->sets ? sets : model->sets) * model->negative;
            for (int64_t j = 0; j < used; j++) {
                const uint32_t row = noise_word(model, draw(model->key, at * width + 1 + (uint64_t)j));
                noise[j] = row == plan->kept[i] ? UINT32_MAX : row;
            }
        }
    }
    *plan->count = n;
    if (model->cbow)
        share_noise(model, plan, begun);
}

/* ---- Tasks ---- */

typedef struct {
    const uint32_t *kept;
    int32_t center, first, last; /* the context: kept[first .. last] without kept[center] */
    int32_t near;                /* words of the context */
    int32_t count;               /* targets */
    int32_t positive;            /* 1 where the first target is the word in the middle */
    uint32_t target[TARGETS];
    uint32_t context[SHARE]; /* rows, for skip-gram */
} task;

typedef struct {
    int64_t word, near, noise; /* the next task: word, how many of its context and noise words are done */
} place;

static inline uint32_t context_row(const task *t, int32_t i) {
    const int32_t at = t->first + i;
    return t->kept[at < t->center || t->center < t->first ? at : at + 1];
}

/* The task at a place, which moves on; 0 at the end. */
static int next_task(const wordgeo_sgns *model, const wordgeo_plan *plan, place *at, task *t) {
    int32_t near = 0;
    const int64_t length = words_a_stream(*plan->count), all = model->cbow ? length * STREAMS : *plan->count;
    int64_t word = 0;
    for (; at->word < all; at->word++) {
        word = model->cbow ? at->word % STREAMS * length + at->word / STREAMS : at->word;
        if (word < *plan->count && (near = plan->high[word] - plan->low[word]) > 0)
            break;
    }
    if (at->word == all)
        return 0;
    const int64_t pieces = model->cbow ? 1 : (near + model->share - 1) / model->share;
    const int64_t piece = at->near;
    const uint32_t *noise = plan->noise + (word * model->sets + piece % model->sets) * model->negative;
    t->kept = plan->kept;
    t->center = (int32_t)word;
    const int32_t low = plan->low[word], begin = (int32_t)(near * piece / pieces);
    t->near = (int32_t)(near * (piece + 1) / pieces) - begin;
    t->first = low + begin + (low + begin >= t->center); /* beyond the middle, one place further */
    if (!model->cbow)
        for (int32_t i = 0; i < t->near; i++)
            t->context[i] = context_row(t, i);
    t->positive = at->noise == 0;
    t->count = 0;
    if (t->positive)
        t->target[t->count++] = plan->kept[word];
    while (at->noise < model->negative && t->count < TARGETS) {
        const uint32_t row = noise[at->noise++];
        int known = row == UINT32_MAX;
        for (int32_t j = 0; j < t->count; j++)
            known |= t->target[j] == row;
        if (!known)
            t->target[t->count++] = row;
    }
    if (at->noise == model->negative) {
        at->noise = 0;
        if (++at->near == pieces)
            at->near = 0, at->word++;
    }
    return 1;
}

static inline float *row_of(const wordgeo_sgns *model, float *matrix, int64_t slice, uint32_t row) {
    const int64_t begin = model->lines[slice], lines = model->lines[slice + 1] - begin;
    return matrix + (model->words * begin + (int64_t)row * lines) * LINE;
}

/* ---- The loop, for each instruction set ---- */

#if defined(__GNUC__) || defined(__clang__)
typedef float four __attribute__((vector_size(16)));
typedef int32_t four_whole __attribute__((vector_size(16)));
static inline four load_four(const float *p) {
    four v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void store_four(float *p, four v) { memcpy(p, &v, sizeof v); }
#define SET baseline
#define TARGET
#define INLINE inline __attribute__((always_inline))
#define LANES 4
#define V four
#define WHOLE four_whole
#define CONVERT __builtin_convertvector
#define BITS(type, x) ((type)(x))
#define LOAD load_four
#define STORE store_four
#define SET1(x) ((four){(x), (x), (x), (x)})
#define FMADD(a, b, c) ((a) * (b) + (c))
#define ADD(a, b) ((a) + (b))
#define CONTEXTS 4
#define NOISE 3
#include "sgns_body.h"
#else
static inline int32_t BITS_int32_t(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline float BITS_float(int32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
#define SET baseline
#define TARGET
#define INLINE inline
#define LANES 1
#define V float
#define WHOLE int32_t
#define CONVERT(x, type) ((type)(x))
#define BITS(type, x) BITS_##type(x)
#define LOAD *
#define STORE(p, v) (*(p) = (v))
#define SET1(x) (x)
#define FMADD(a, b, c) ((a) * (b) + (c))
#define ADD(a, b) ((a) + (b))
#define CONTEXTS 4
#define NOISE 3
#include "sgns_body.h"
#endif

#ifdef WORDGEO_X86

typedef int32_t eight_whole __attribute__((vector_size(32)));
typedef int32_t sixteen_whole __attribute__((vector_size(64)));

#define SET avx2
#define TARGET __attribute__((target("avx2,fma")))
#define INLINE inline __attribute__((always_inline))
#define LANES 8
#define V __m256
#define WHOLE eight_whole
#define CONVERT __builtin_convertvector
#define BITS(type, x) ((type)(x))
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define SET1 _mm256_set1_ps
#define FMADD _mm256_fmadd_ps
#define ADD _mm256_add_ps
#define CONTEXTS 4
#define NOISE 3
#include "sgns_body.h"

#define SET avx512
#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")))
#define INLINE inline __attribute__((always_inline))
#define LANES 16
#define V __m512
#define WHOLE sixteen_whole
#define CONVERT __builtin_convertvector
#define BITS(type, x) ((type)(x))
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define SET1 _mm512_set1_ps
#define FMADD _mm512_fmadd_ps
#define ADD _mm512_add_ps
#define CONTEXTS 4
#define NOISE 6
#include "sgns_body.h"

#endif

const wordgeo_loop wordgeo_loops[] = {
    {"baseline", train_baseline},
#ifdef WORDGEO_X86
    {"avx2", train_avx2},
    {"avx512", train_avx512},
#endif
    {NULL, NULL},
};

/* ---- Threads ---- */

void wordgeo_train_block(wordgeo_train_chunk train, const wordgeo_sgns *model, const wordgeo_block *block, int threads,
                         int me, int racy, wordgeo_plan *plans, wordgeo_flag *flags, float *own, float *parts,
                         wordgeo_done *done) {
    wordgeo_team team = {flags, racy ? 1 : threads, me, 0};
    const int first = racy ? 0 : (int)(model->slices * me / threads);
    const int last = racy ? (int)model->slices : (int)(model->slices * (me + 1) / threads);
    const int step = racy ? 1 : threads; /* chunks that are planned before they are trained, one by each thread */
    for (int64_t c = racy ? me : 0, round = 0; c < block->count; c += threads, round++) {
        wordgeo_plan *planned = plans + (racy ? me : (round & 1) * threads);
        const int64_t mine = racy ? c : c + me;
        if (mine < block->count)
            wordgeo_plan_chunk(model, block->spans + 2 * block->chunks[mine],
                               block->chunks[mine + 1] - block->chunks[mine], block->positions[mine],
                               planned + (racy ? 0 : me), done + mine);
        wordgeo_meet(&team);
        for (int64_t k = c; k < c + step && k < block->count; k++) {
            int64_t products;
            const double loss =
                train(model, planned + (k - c), block->alphas[k], first, last, &team, own, parts, &products);
            if (racy || me == 0)
                done[k].loss = loss, done[k].products = products;
        }
    }
}
