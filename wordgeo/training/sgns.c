#include "sgns.h"

#include <string.h>

#include "draws.h"
#include "hints.h"

#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define WORDGEO_X86
#include <immintrin.h>
#endif

#define LINE WORDGEO_LINE
#define INPUTS WORDGEO_INPUTS
#define TARGETS WORDGEO_TARGETS
#define MOST_NOISES WORDGEO_MOST_NOISES
#define PRODUCTS WORDGEO_PRODUCTS
#if defined(__GNUC__) || defined(__clang__)
#define APART __attribute__((noinline)) /* has the registers for itself */
#else
#define APART
#endif
#ifdef WORDGEO_X86
#define KEEP(v) __asm__("" : "+v"(v)) /* in a register: else it is read again where it is used again */
#else
#define KEEP(v) ((void)0)
#endif
#define TILE 4 /* rows that move at once; what INPUTS and noise words are a multiple of */

/* ---- Planning ---- */

#define TOKENS_AHEAD 24 /* how early a table is asked for what it tells */
#define SETS_AHEAD 2

/* The noise word at a place among 2^32, where each has its share of them, one behind the other. */
static inline uint32_t noise_word(const wordgeo_sgns *model, uint64_t place) {
    const uint64_t at = place * model->sums[model->words - 1] >> 32;
    uint32_t word = model->guide[place * (uint64_t)model->words >> 32];
    while (model->sums[word] <= at)
        word++;
    return word;
}

/* Asks for what is known of a token. */
static inline void fetch_token(const wordgeo_sgns *model, int64_t i) {
    if (model->ids[i] < model->known)
        PREFETCH_SECOND(model->tokens + model->ids[i]);
}

static inline int64_t words_a_stream(const wordgeo_sgns *model, int64_t count) {
    return (count + model->streams - 1) / model->streams;
}

/* Draws the noise words of all blocks: those of set i have the draws (position + i) * noises ... of their stream. Each
 * of a set is drawn from a part of its own, so that every set has its share of frequent and rare words. */
static void draw_noise(const wordgeo_sgns *model, const wordgeo_plan *plan, int64_t position) {
    const int64_t sets = words_a_stream(model, *plan->count), n = model->noises;
    const uint64_t key = model->noise_key;
    uint32_t places[SETS_AHEAD + 1][MOST_NOISES];
    for (int64_t i = 0; i < sets + SETS_AHEAD; i++) {
        for (int64_t j = 0; i < sets && j < n; j++) {
            const uint64_t drawn = draw(key, (uint64_t)((position + i) * n + j)) >> 32;
            const uint64_t place = ((uint64_t)j << 32 | drawn) / (uint64_t)n;
            PREFETCH_SECOND(model->guide + (place * (uint64_t)model->words >> 32));
            PREFETCH_SECOND(model->sums + (place * (uint64_t)model->words >> 32));
            places[i % (SETS_AHEAD + 1)][j] = (uint32_t)place;
        }
        const int64_t set = i - SETS_AHEAD;
        if (set < 0)
            continue;
        uint32_t *noise = plan->noise + set * n;
        float *times = plan->times + set * n;
        for (int64_t j = 0, first = 0; j < n; j++) {
            noise[j] = noise_word(model, places[set % (SETS_AHEAD + 1)][j]);
            if (noise[j] != noise[first])
                first = j;
            times[j] = (float)(j == first);
            times[first] += (float)(j > first);
        }
    }
}

/* The token at position p of the walk has draw p, for itself and its window. */
void wordgeo_plan_chunk(const wordgeo_sgns *model, const int64_t *spans, int64_t sentences, int64_t position,
                        wordgeo_plan *plan, wordgeo_done *done) {
    const int64_t begun = position;
    const uint64_t key = model->key, held_key = model->held_key;
    const uint64_t window = model->shrink ? (uint64_t)model->window : 0;
    uint32_t *const kept = plan->kept;
    int32_t *const low = plan->low, *const high = plan->high;
    int64_t n = 0, trained = 0;
    for (int64_t s = 0; s < sentences; s++) {
        const int64_t begin = spans[2 * s], end = spans[2 * s + 1], first = n;
        const uint64_t place = (uint64_t)position;
        for (int64_t i = 0; s + 1 < sentences && i < TOKENS_AHEAD && i < spans[2 * s + 3] - spans[2 * s + 2]; i++)
            fetch_token(model, spans[2 * s + 2] + i);
        position += end - begin;
        const int held = (uint32_t)(draw(held_key, place) >> 32) < model->held;
        if (held != (model->only_held != 0))
            continue;
        for (int64_t i = begin; i < end; i++) {
            const uint32_t id = model->ids[i];
            if (i + TOKENS_AHEAD < end)
                fetch_token(model, i + TOKENS_AHEAD);
            if (id >= model->known) {
                done->damaged = 1 + i;
                continue;
            }
            const uint64_t token = model->tokens[id], drawn = draw(key, place + (uint64_t)(i - begin));
            kept[n] = (uint32_t)token;
            high[n] = (int32_t)((drawn & UINT32_MAX) * window >> 32);
            /* not a branch, which could not be foreseen */
            n += ((uint32_t)token < model->words) & (token >> 32 >= drawn >> 32);
        }
        for (int64_t i = first; i < n; i++) {
            const int64_t reach = model->window - high[i];
            low[i] = (int32_t)(i - first < reach ? first : i - reach);
            high[i] = (int32_t)(n - 1 - i < reach ? n - 1 : i + reach);
            trained += high[i] > low[i];
        }
    }
    done->trained = trained;
    *plan->count = n;
    draw_noise(model, plan, begun);
}

/* ---- Blocks ---- */

typedef struct {
    int32_t inputs, targets;
    int32_t word[INPUTS];      /* the word of each, its place in the chunk */
    int32_t first[INPUTS + 1]; /* where the targets of each begin */
    uint32_t target[INPUTS * TARGETS];
    const uint32_t *noise;
    ALIGNED float weights[MOST_NOISES * INPUTS]; /* noise word by noise word */
} block;

/* What the threads of a team share. Who is ahead writes what the others do not read any more. */
typedef struct {
    float products[2][WORDGEO_MOST_SLICES][PRODUCTS];
    block blocks[3];
} common;

const int64_t wordgeo_common_floats = sizeof(common) / sizeof(float);

/* Where the streams are: the word that comes next in each, and where its targets go on. */
typedef struct {
    int64_t word[INPUTS], target[INPUTS];
    int64_t set;
} place;

/* The first that may be a target of a word: in skip-gram, the words to whose windows it belongs. */
static inline int64_t first_target(const wordgeo_sgns *model, int64_t word) {
    return word < model->window ? 0 : word - model->window;
}

static void begin_streams(const wordgeo_sgns *model, const wordgeo_plan *plan, place *at) {
    for (int64_t s = 0; s < model->streams; s++) {
        at->word[s] = s * words_a_stream(model, *plan->count);
        at->target[s] = first_target(model, at->word[s]);
    }
    at->set = 0;
}

/* Adds the targets of a word, from one on; where to go on if there may be more than fit, else -1. */
static inline int64_t add_targets(const wordgeo_sgns *model, const wordgeo_plan *plan, int64_t word, int64_t target,
                                  block *b) {
    if (model->cbow) {
        b->target[b->targets] = plan->kept[word];
        b->targets += plan->high[word] > plan->low[word];
        return -1;
    }
    const int64_t last = *plan->count - 1, end = word + model->window < last ? word + model->window : last;
    int32_t n = b->targets;
    const int32_t full = n + TARGETS;
    for (; target <= end && n < full; target++) {
        b->target[n] = plan->kept[target];
        n += (plan->low[target] <= word) & (plan->high[target] >= word) & (target != word);
    }
    b->targets = n;
    return target <= end ? target : -1;
}

/* The weights of the block's noise for its inputs. */
static void weigh_noise(const wordgeo_sgns *model, const float *times, block *b) {
    const float each = (float)model->negative / (float)model->noises;
    float targets[INPUTS] = {0};
    uint64_t seen[8] = {0}; /* where a word may be among the noise */
    for (int i = 0; i < b->inputs; i++)
        targets[i] = (float)(b->first[i + 1] - b->first[i]);
    for (int64_t j = 0; j < model->noises; j++) {
        seen[b->noise[j] >> 6 & 7] |= (uint64_t)1 << (b->noise[j] & 63);
        for (int i = 0; i < INPUTS; i++)
            b->weights[j * INPUTS + i] = targets[i] * (each * times[j]);
    }
    for (int i = 0; i < b->inputs; i++)
        for (int t = b->first[i]; t < b->first[i + 1]; t++)
            if (seen[b->target[t] >> 6 & 7] >> (b->target[t] & 63) & 1)
                for (int64_t j = 0; j < model->noises; j++)
                    if (b->noise[j] == b->target[t])
                        b->weights[j * INPUTS + i] -= each * times[j];
}

/* The next block; without inputs at the end. */
static void next_block(const wordgeo_sgns *model, const wordgeo_plan *plan, place *at, block *b) {
    const int64_t length = words_a_stream(model, *plan->count);
    b->inputs = b->targets = b->first[0] = 0;
    for (int64_t s = 0; s < model->streams; s++) {
        const int64_t end = (s + 1) * length < *plan->count ? (s + 1) * length : *plan->count;
        while (at->word[s] < end && b->targets == b->first[b->inputs]) { /* until a word has targets */
            const int64_t more = add_targets(model, plan, at->word[s], at->target[s], b);
            b->word[b->inputs] = (int32_t)at->word[s];
            at->word[s] += more < 0;
            at->target[s] = more < 0 ? first_target(model, at->word[s]) : more;
        }
        if (b->targets > b->first[b->inputs])
            b->first[++b->inputs] = b->targets;
    }
    if (b->inputs == 0)
        return;
    b->noise = plan->noise + at->set * model->noises;
    weigh_noise(model, plan->times + at->set * model->noises, b);
    at->set = at->set + 1 < length ? at->set + 1 : 0;
}

/* How many of what is left to take at once: no few are left for the end. */
static inline int64_t piece_of(int64_t left, int64_t most) {
    return left <= most ? left : left < 2 * most ? (left + 1) / 2 : most;
}

static inline float *row_of(const wordgeo_sgns *model, float *matrix, int64_t slice, uint32_t row) {
    const int64_t begin = model->lines[slice], lines = model->lines[slice + 1] - begin;
    return matrix + (model->words * begin + (int64_t)row * lines) * LINE;
}

/* The rows of a block in one slice, and those by which the windows of its words will go on in the block after it. */
typedef struct {
    int64_t inputs, noises;
    float *word[INPUTS], *window[INPUTS], *target[INPUTS * TARGETS + TILE], *noise[MOST_NOISES];
} rows;

static void find_rows(const wordgeo_sgns *model, const wordgeo_plan *plan, const block *b, int64_t slice, rows *at) {
    float *const of_words = model->cbow ? model->out : model->in;
    float *const of_windows = model->cbow ? model->in : model->out;
    at->inputs = b->inputs;
    at->noises = b->inputs ? model->noises : 0;
    for (int i = b->inputs; i < INPUTS; i++)
        at->word[i] = at->window[i] = row_of(model, of_words, slice, 0); /* any: they are asked for too */
    if (b->inputs == 0)
        return;
    for (int i = 0; i < b->inputs; i++) {
        const int64_t ahead = b->word[i] + model->window + model->cbow, last = *plan->count - 1;
        at->word[i] = row_of(model, of_words, slice, plan->kept[b->word[i]]);
        at->window[i] = row_of(model, of_windows, slice, plan->kept[ahead < last ? ahead : last]);
    }
    for (int t = 0; t < b->targets; t++)
        at->target[t] = row_of(model, model->out, slice, b->target[t]);
    for (int t = 0; t < TILE; t++)
        at->target[b->targets + t] = at->target[0];
    for (int64_t j = 0; j < at->noises; j++)
        at->noise[j] = row_of(model, model->out, slice, b->noise[j]);
}

/* ---- Windows of CBOW ---- */

/* The words low..high without the one in the middle; none if high is below. */
typedef struct {
    int64_t low, high, word;
} window;

static inline window window_of(const wordgeo_plan *plan, const block *b, int i) {
    if (i >= b->inputs)
        return (window){0, -1, -1};
    return (window){plan->low[b->word[i]], plan->high[b->word[i]], b->word[i]};
}

/* Of 64 words of the text, a bit each: those whose rows leave a window, stay or come to it. */
typedef struct {
    uint64_t leaves, stays, comes;
} change;

/* A window that goes over into another. */
typedef struct {
    float *matrix;
    int64_t floats; /* of a row */
    const uint32_t *kept;
    int64_t words; /* of the text from the first to the last of both windows, which count from there */
    window now, then;
    float scale, then_scale; /* of their steps and of their sum */
    change first;            /* of the first 64 words, which are nearly always all */
} sliding;

/* The lowest n bits. */
static inline uint64_t lowest(int64_t n) { return n >= 64 ? ~(uint64_t)0 : n <= 0 ? 0 : ((uint64_t)1 << n) - 1; }

/* Which of 64 words from one on are in a window. */
static inline uint64_t words_around(const window *w, int64_t from) {
    const int64_t word = w->word - from;
    return lowest(w->high + 1 - from) & ~lowest(w->low - from) & ~((uint64_t)(word >= 0 && word < 64) << (word & 63));
}

static inline change change_of(const sliding *w, int64_t from) {
    const uint64_t now = words_around(&w->now, from), then = words_around(&w->then, from);
    return (change){now & ~then, now & then, ~now & then};
}

static inline sliding slide_of(const wordgeo_sgns *model, const wordgeo_plan *plan, int64_t slice, window now,
                               window then) {
    const int64_t line = model->lines[slice], floats = (model->lines[slice + 1] - line) * LINE;
    const int64_t words = now.high - now.low, then_words = then.high - then.low; /* without those in the middle */
    const int64_t begin = then_words <= 0 || (words > 0 && now.low < then.low) ? now.low : then.low;
    const int64_t end = then_words <= 0 || (words > 0 && now.high > then.high) ? now.high : then.high;
    sliding w = {
        .matrix = model->in + model->words * line * LINE,
        .floats = floats,
        .kept = plan->kept + begin,
        .words = end + 1 - begin,
        .now = {now.low - begin, now.high - begin, now.word - begin},
        .then = {then.low - begin, then.high - begin, then.word - begin},
        .scale = words > 0 && !model->mean ? 1.0f / (float)words : 1.0f,
        .then_scale = then_words > 0 && model->mean ? 1.0f / (float)then_words : 1.0f,
    };
    w.first = change_of(&w, 0);
    return w;
}

static inline int first_bit(uint64_t bits) {
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_ctzll(bits);
#else
    int i = 0;
    while (!(bits >> i & 1))
        i++;
    return i;
#endif
}

/* For each word that leaves, stays or comes: it is the first of `bits`, from `from` on. */
#define EACH_WORD(w, which)                                                                                            \
    for (int64_t from = 0; from < (w)->words; from += 64)                                                              \
        for (uint64_t bits = from ? change_of((w), from).which : (w)->first.which; bits; bits &= bits - 1)

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
#define REGISTERS 3
#define SPAN 7
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
#define REGISTERS 3
#define SPAN 7
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
#define REGISTERS 3
#define SPAN 7
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
#define REGISTERS 5
#define SPAN 13
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
                         int me, int racy, wordgeo_plan *plans, wordgeo_flag *flags, float *own, float *shared,
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
            const int64_t products =
                train(model, planned + (k - c), block->alphas[k], first, last, &team, own, shared, done[k].loss);
            if (racy || me == 0)
                done[k].products = products;
        }
    }
}
