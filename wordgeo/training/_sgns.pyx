"""Skip-gram and CBOW on blocks of an encoded corpus. Arrays are allocated by the caller; see native.py and sgns.h."""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

import numpy as np

cdef extern from "sgns.h" nogil:
    int WORDGEO_LINE, WORDGEO_INPUTS, WORDGEO_TARGETS, WORDGEO_MOST_NOISES, WORDGEO_VECTORS_OF_OWN
    enum: WORDGEO_MOST_SLICES
    ctypedef struct wordgeo_flag:
        int64_t at
    ctypedef struct wordgeo_team:
        pass
    ctypedef struct wordgeo_sgns:
        float *input "in"
        float *output "out"
        int64_t words, slices
        const int64_t *lines
        const uint32_t *ids
        const uint64_t *tokens
        int64_t known
        const uint32_t *sums
        const uint32_t *guide
        int64_t window, negative, streams, noises
        int64_t shrink, cbow, mean
        uint32_t held
        int64_t only_held
        uint64_t key, noise_key, held_key
    ctypedef struct wordgeo_plan:
        uint32_t *kept
        int32_t *low
        int32_t *high
        uint32_t *noise
        float *times
        int64_t *count
    ctypedef struct wordgeo_done:
        double loss[WORDGEO_MOST_SLICES]
        int64_t trained, products, damaged
    ctypedef struct wordgeo_block:
        const int64_t *spans
        const int64_t *chunks
        const int64_t *positions
        const float *alphas
        int64_t count
    ctypedef int64_t (*wordgeo_train_chunk)(
        const wordgeo_sgns *model, const wordgeo_plan *plan, float alpha, int first_slice, int last_slice,
        wordgeo_team *team, float *own, float *shared, double *loss) noexcept
    ctypedef struct wordgeo_loop:
        const char *name
        wordgeo_train_chunk train
    const wordgeo_loop *wordgeo_loops
    const int64_t wordgeo_common_floats
    void wordgeo_train_block(
        wordgeo_train_chunk train, const wordgeo_sgns *model, const wordgeo_block *block, int threads, int me, int racy,
        wordgeo_plan *plans, wordgeo_flag *flags, float *own, float *shared, wordgeo_done *done)
    void wordgeo_plan_chunk(
        const wordgeo_sgns *model, const int64_t *spans, int64_t sentences, int64_t position, wordgeo_plan *plan,
        wordgeo_done *done)

LINE, INPUTS, TARGETS, MOST_NOISES = WORDGEO_LINE, WORDGEO_INPUTS, WORDGEO_TARGETS, WORDGEO_MOST_NOISES
MOST_SLICES = WORDGEO_MOST_SLICES
DONE = np.dtype([("loss", "<f8", (MOST_SLICES,)), ("trained", "<i8"), ("products", "<i8"), ("damaged", "<i8")])
FLAG_BYTES = sizeof(wordgeo_flag)
SHARED_FLOATS = wordgeo_common_floats
VECTORS_OF_OWN = WORDGEO_VECTORS_OF_OWN
MOST_THREADS = 128


def instruction_sets():
    """The instruction sets for which this build has a loop, the best last."""
    names = []
    cdef int i = 0
    while wordgeo_loops[i].name != NULL:
        names.append(wordgeo_loops[i].name.decode())
        i += 1
    return names


cdef class Model:
    """The vectors that are trained, and everything that stays the same in an epoch; see sgns.h."""

    cdef wordgeo_sgns c
    cdef object held_alive

    def __init__(
        self,
        float[::1] vectors,          # INOUT [words * stride], slice by slice
        float[::1] outputs,          # INOUT, the same shape
        const int64_t[::1] lines,    # IN [slices + 1]
        const uint32_t[::1] ids,     # IN, the corpus
        const uint64_t[::1] tokens,  # IN [known]
        const uint32_t[::1] sums,    # IN [words]
        const uint32_t[::1] guide,   # IN [words]
        *,
        int64_t window, int64_t negative, int64_t streams, int64_t noises, bint shrink, bint cbow,
        bint mean, uint32_t held, bint only_held, uint64_t key, uint64_t noise_key, uint64_t held_key,
    ):
        self.held_alive = (vectors, outputs, lines, ids, tokens, sums, guide)
        self.c.input, self.c.output = &vectors[0], &outputs[0]
        self.c.words, self.c.slices, self.c.lines = sums.shape[0], lines.shape[0] - 1, &lines[0]
        self.c.ids, self.c.tokens, self.c.known = &ids[0], &tokens[0], tokens.shape[0]
        self.c.sums, self.c.guide = &sums[0], &guide[0]
        self.c.window, self.c.negative, self.c.streams, self.c.noises = window, negative, streams, noises
        self.c.shrink, self.c.cbow, self.c.mean = shrink, cbow, mean
        self.c.held, self.c.only_held = held, only_held
        self.c.key, self.c.noise_key, self.c.held_key = key, noise_key, held_key


def train_block(
    int loop,                            # index into instruction_sets()
    Model model,
    const int64_t[:, ::1] spans,         # IN [sentences, 2]
    const int64_t[::1] chunks,           # IN [count + 1]
    const int64_t[::1] positions,        # IN [count]
    const float[::1] alphas,             # IN [count]
    int threads,                         # at most MOST_THREADS
    int me,
    bint racy,
    uint32_t[:, ::1] kept,               # OUT [2 threads, capacity]
    int32_t[:, :, ::1] bounds,           # OUT [2 threads, 2, capacity]
    uint32_t[:, ::1] noise,              # OUT [2 threads, sets * noises], where streams * sets are `capacity`
    float[:, ::1] times,                 # OUT, the same shape
    int64_t[::1] counts,                 # OUT [2 threads]
    int64_t[::1] flags,                  # INOUT, zero
    float[::1] own,                      # OUT [VECTORS_OF_OWN * stride]
    float[::1] shared,                   # OUT [SHARED_FLOATS]
    wordgeo_done[::1] done,              # OUT [count], zero
):
    """What thread `me` does of a block of chunks; all threads have to call it at the same time, unless racy."""
    cdef wordgeo_plan[256] plans
    cdef wordgeo_block block
    cdef int i
    block.spans, block.chunks, block.positions, block.alphas = &spans[0, 0], &chunks[0], &positions[0], &alphas[0]
    block.count = positions.shape[0]
    with nogil:
        for i in range(2 * threads):
            plans[i].kept, plans[i].noise, plans[i].times = &kept[i, 0], &noise[i, 0], &times[i, 0]
            plans[i].low, plans[i].high, plans[i].count = &bounds[i, 0, 0], &bounds[i, 1, 0], &counts[i]
        wordgeo_train_block(
            wordgeo_loops[loop].train, &model.c, &block, threads, me, racy, plans, <wordgeo_flag *> &flags[0], &own[0],
            &shared[0], &done[0])


def plan_chunk(
    Model model,
    const int64_t[:, ::1] spans,         # IN [sentences, 2]
    int64_t position,
    uint32_t[::1] kept,                  # OUT [capacity]
    int32_t[:, ::1] bounds,              # OUT [2, capacity]
    uint32_t[::1] noise,                 # OUT [sets * noises]
    float[::1] times,                    # OUT, the same shape
):
    """Plans one chunk alone; returns how many words were kept."""
    cdef wordgeo_plan plan
    cdef wordgeo_done done
    cdef int64_t count
    plan.kept, plan.low, plan.high = &kept[0], &bounds[0, 0], &bounds[1, 0]
    plan.noise, plan.times, plan.count = &noise[0], &times[0], &count
    wordgeo_plan_chunk(&model.c, &spans[0, 0], spans.shape[0], position, &plan, &done)
    return count
