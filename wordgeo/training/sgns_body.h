/* The loop of sgns.h for one instruction set. Included once for each, with
 *     SET               the suffix of its functions
 *     TARGET, INLINE    attributes that let a function use it, and that put one into its caller
 *     LANES, V          floats in a register, and its type; LOAD, STORE, SET1, FMADD and ADD work on it
 *     WHOLE             the type of as many whole numbers; CONVERT by value, BITS by what they are in memory
 *     CONTEXTS, NOISE   how many rows of either side have all their products in registers
 */
#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(function) JOIN(function, SET)

/* sums[j * n + i] = parts of the product of context i and target j, one in each lane. */
TARGET static INLINE void NAME(multiply_block)(float *const *context, float *const *target, int near, int count,
                                               int64_t floats, float *sums, int n) {
    V sum[CONTEXTS][NOISE];
    for (int i = 0; i < near; i++)
        for (int j = 0; j < count; j++)
            sum[i][j] = SET1(0.0f);
    for (int64_t k = 0; k < floats; k += LANES) {
        V t[NOISE];
        for (int j = 0; j < count; j++)
            t[j] = LOAD(target[j] + k);
        for (int i = 0; i < near; i++) {
            const V x = LOAD(context[i] + k);
            for (int j = 0; j < count; j++)
                sum[i][j] = FMADD(x, t[j], sum[i][j]);
        }
    }
    for (int i = 0; i < near; i++)
        for (int j = 0; j < count; j++)
            STORE(sums + (size_t)(j * n + i) * LANES, sum[i][j]);
}

#define CASE(I, J)                                                                                                     \
    case (I) * 8 + (J):                                                                                                \
        NAME(multiply_block)(context + i, target + j, I, J, floats, sums + (size_t)(j * n + i) * LANES, n);            \
        break;

TARGET static void NAME(multiply)(float *const *context, float *const *target, int n, int count, int64_t floats,
                                  float *sums) {
    for (int j = 0; j < count; j += NOISE)
        for (int i = 0; i < n; i += CONTEXTS) {
            const int near = n - i < CONTEXTS ? n - i : CONTEXTS, targets = count - j < NOISE ? count - j : NOISE;
            switch (near * 8 + targets) { /* the compiler unrolls each */
                CASE(1, 1) CASE(1, 2) CASE(1, 3)
                CASE(2, 1) CASE(2, 2) CASE(2, 3)
                CASE(3, 1) CASE(3, 2) CASE(3, 3)
                CASE(4, 1) CASE(4, 2) CASE(4, 3)
#if NOISE > 3
                CASE(1, 4) CASE(1, 5) CASE(1, 6)
                CASE(2, 4) CASE(2, 5) CASE(2, 6)
                CASE(3, 4) CASE(3, 5) CASE(3, 6)
                CASE(4, 4) CASE(4, 5) CASE(4, 6)
#endif
            }
        }
}
#undef CASE

/* out[i] = the sum of the lanes sums[i], for 16 at once. */
TARGET static INLINE void NAME(add_lanes)(const float *sums, float *out) {
#if LANES == 16
    V a[8], b[4];
    for (int i = 0; i < 8; i++) {
        const V even = LOAD(sums + 32 * i), odd = LOAD(sums + 32 * i + 16);
        a[i] = ADD(_mm512_unpacklo_ps(even, odd), _mm512_unpackhi_ps(even, odd));
    }
    for (int i = 0; i < 4; i++) {
        const __m512d even = _mm512_castps_pd(a[2 * i]), odd = _mm512_castps_pd(a[2 * i + 1]);
        b[i] = ADD(_mm512_castpd_ps(_mm512_unpacklo_pd(even, odd)), _mm512_castpd_ps(_mm512_unpackhi_pd(even, odd)));
    }
    const V c = ADD(_mm512_shuffle_f32x4(b[0], b[1], 0x88), _mm512_shuffle_f32x4(b[0], b[1], 0xdd));
    const V d = ADD(_mm512_shuffle_f32x4(b[2], b[3], 0x88), _mm512_shuffle_f32x4(b[2], b[3], 0xdd));
    STORE(out, ADD(_mm512_shuffle_f32x4(c, d, 0x88), _mm512_shuffle_f32x4(c, d, 0xdd)));
#elif LANES == 8
    for (int half = 0; half < 2; half++, sums += 64, out += 8) {
        V a[4];
        for (int i = 0; i < 4; i++)
            a[i] = _mm256_hadd_ps(LOAD(sums + 16 * i), LOAD(sums + 16 * i + 8));
        const V c = _mm256_hadd_ps(a[0], a[1]), d = _mm256_hadd_ps(a[2], a[3]);
        STORE(out, ADD(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31)));
    }
#else
    for (int i = 0; i < 16; i++) {
        float sum = sums[i * LANES];
        for (int j = 1; j < LANES; j++)
            sum += sums[i * LANES + j];
        out[i] = sum;
    }
#endif
}

/* Asks for a line of each row that a later task needs: some in each step of another loop, since a processor waits for
 * few at once. */
#define FETCH(k)                                                                                                       \
    if (LANES == LINE || (k) % LINE == 0)                                                                              \
        for (int j = 0; j < ROWS_AHEAD; j++)                                                                           \
            PREFETCH(later[j] + (k));

/* Both sides move by the rows of the other as they were: step[j * n + i] is that of context i and target j. */
TARGET static INLINE void NAME(move_block)(float *const *context, float *const *target, int n, int count,
                                           int64_t floats, const float *step, const float *const *later) {
    for (int64_t k = 0; k < floats; k += LANES) {
        FETCH(k)
        V old[TARGETS], new[TARGETS];
        for (int j = 0; j < count; j++)
            new[j] = old[j] = LOAD(target[j] + k);
        for (int i = 0; i < n; i++) {
            const V x = LOAD(context[i] + k);
            V moved = x;
            for (int j = 0; j < count; j++) {
                const V s = SET1(step[j * n + i]);
                moved = FMADD(s, old[j], moved);
                new[j] = FMADD(s, x, new[j]);
            }
            STORE(context[i] + k, moved);
        }
        for (int j = 0; j < count; j++)
            STORE(target[j] + k, new[j]);
    }
}

TARGET static void NAME(move)(float *const *context, float *const *target, int n, int count, int64_t floats,
                              const float *step, const float *const *later) {
    switch (count) {
    case 1: NAME(move_block)(context, target, n, 1, floats, step, later); break;
    case 2: NAME(move_block)(context, target, n, 2, floats, step, later); break;
    case 3: NAME(move_block)(context, target, n, 3, floats, step, later); break;
    case 4: NAME(move_block)(context, target, n, 4, floats, step, later); break;
    case 5: NAME(move_block)(context, target, n, 5, floats, step, later); break;
    case 6: NAME(move_block)(context, target, n, 6, floats, step, later); break;
    }
}

/* x = scale times the sum of the rows of the context, from k on, in so many registers. */
TARGET static INLINE void NAME(gather_block)(const wordgeo_sgns *model, const task *t, int64_t slice, int registers,
                                             int64_t k, float scale, float *x) {
    V sum[REGISTERS];
    for (int r = 0; r < registers; r++)
        sum[r] = SET1(0.0f);
    for (int32_t i = 0; i < t->near; i++) {
        const float *row = row_of(model, model->in, slice, context_row(t, i)) + k;
        for (int r = 0; r < registers; r++)
            sum[r] = ADD(sum[r], LOAD(row + r * LANES));
    }
    for (int r = 0; r < registers; r++)
        STORE(x + k + r * LANES, FMADD(sum[r], SET1(scale), SET1(0.0f)));
}

/* The rows of the context move by what is the same for all. */
TARGET static INLINE void NAME(spread_block)(const wordgeo_sgns *model, const task *t, int64_t slice, int registers,
                                             int64_t k, const float *moved) {
    V step[REGISTERS];
    for (int r = 0; r < registers; r++)
        step[r] = LOAD(moved + k + r * LANES);
    for (int32_t i = 0; i < t->near; i++) {
        float *row = row_of(model, model->in, slice, context_row(t, i)) + k;
        for (int r = 0; r < registers; r++)
            STORE(row + r * LANES, ADD(LOAD(row + r * LANES), step[r]));
    }
}

/* BLOCK(registers, k) for all of a row, the compiler unrolling each. */
#define BLOCKS(BLOCK)                                                                                                  \
    for (int64_t k = 0, left; (left = (floats - k) / LANES) > 0; k += REGISTERS * LANES)                               \
        switch (left) {                                                                                                \
        case 1: BLOCK(1, k); break;                                                                                    \
        case 2: BLOCK(2, k); break;                                                                                    \
        case 3: BLOCK(3, k); break;                                                                                    \
        case 4: BLOCK(4, k); break;                                                                                    \
        case 5: BLOCK(5, k); break;                                                                                    \
        case 6: BLOCK(6, k); break;                                                                                    \
        case 7: BLOCK(7, k); break;                                                                                    \
        default: BLOCK(8, k);                                                                                          \
        }

TARGET static void NAME(gather)(const wordgeo_sgns *model, const task *t, int64_t slice, float scale, float *x) {
    const int64_t floats = (model->lines[slice + 1] - model->lines[slice]) * LINE;
#define BLOCK(registers, k) NAME(gather_block)(model, t, slice, registers, k, scale, x)
    BLOCKS(BLOCK)
#undef BLOCK
}

/* Targets move by x; `moved` is scale times the sum of what they would have moved x. */
TARGET static INLINE void NAME(move_targets)(float *const *target, int count, int64_t floats, const float *step,
                                             float scale, const float *x, float *moved, const float *const *later) {
    for (int64_t k = 0; k < floats; k += LANES) {
        FETCH(k)
        const V value = LOAD(x + k);
        V sum = SET1(0.0f);
        for (int j = 0; j < count; j++) {
            const V s = SET1(step[j]), old = LOAD(target[j] + k);
            sum = FMADD(s, old, sum);
            STORE(target[j] + k, FMADD(s, value, old));
        }
        STORE(moved + k, FMADD(sum, SET1(scale), SET1(0.0f)));
    }
}

/* Targets move by x; every row of the context by scale times the sum of what they would have moved x. */
TARGET static void NAME(scatter)(const wordgeo_sgns *model, const task *t, int64_t slice, float *const *target,
                                 const float *step, float scale, const float *x, float *moved,
                                 const float *const *later) {
    const int64_t floats = (model->lines[slice + 1] - model->lines[slice]) * LINE;
    switch (t->count) {
    case 1: NAME(move_targets)(target, 1, floats, step, scale, x, moved, later); break;
    case 2: NAME(move_targets)(target, 2, floats, step, scale, x, moved, later); break;
    case 3: NAME(move_targets)(target, 3, floats, step, scale, x, moved, later); break;
    case 4: NAME(move_targets)(target, 4, floats, step, scale, x, moved, later); break;
    case 5: NAME(move_targets)(target, 5, floats, step, scale, x, moved, later); break;
    case 6: NAME(move_targets)(target, 6, floats, step, scale, x, moved, later); break;
    }
#define BLOCK(registers, k) NAME(spread_block)(model, t, slice, registers, k, moved)
    BLOCKS(BLOCK)
#undef BLOCK
}
#undef BLOCKS

TARGET static INLINE V NAME(select)(WHOLE yes, V a, V b) {
    return BITS(V, (yes & BITS(WHOLE, a)) | (~yes & BITS(WHOLE, b)));
}

#if LANES > 1
#define BELOW(a, b) ((WHOLE)((a) < (b))) /* all bits of a lane, or none */
#else
#define BELOW(a, b) (-(WHOLE)((a) < (b)))
#endif

/* From the products of all slices and labels (1 or 0) to steps, and the sum of the losses, if asked for, lane by lane.
 * exp to 2e-7 of its value by a polynomial after x = n log 2 + r; log(1 + e) = 2 artanh(e / (2 + e)) to 2e-7. */
TARGET static void NAME(logistic)(const float *parts, int64_t slices, const float *labels, int count, float alpha,
                                  float *step, double *total) { /* total may be NULL */
    const V one = SET1(1.0f), zero = SET1(0.0f), most = SET1(30.0f);
    ALIGNED float losses[LANES];
    for (int i = 0; i < count; i += LANES) {
        V f = LOAD(parts + i);
        for (int64_t s = 1; s < slices; s++)
            f = ADD(f, LOAD(parts + s * PRODUCTS + i));
        const V y = LOAD(labels + i);
        const WHOLE negative = BELOW(f, zero);
        V size = NAME(select)(negative, zero - f, f);
        /* No number has no whole part, but stays in `size`. Lanes behind `count` may hold anything, and tell nothing. */
        const V bounded = NAME(select)(BELOW(size, most), size, most);
        size = NAME(select)(BELOW(most, size), most, size);
        const WHOLE n = CONVERT(bounded * SET1(1.44269504f) + SET1(0.5f), WHOLE);
        const V whole = CONVERT(n, V), r = whole * SET1(0.693145752f) - size + whole * SET1(1.42860677e-6f);
        V p = SET1(1.98412698e-4f);
        p = FMADD(p, r, SET1(1.38888889e-3f));
        p = FMADD(p, r, SET1(8.33333333e-3f));
        p = FMADD(p, r, SET1(4.16666667e-2f));
        p = FMADD(p, r, SET1(1.66666667e-1f));
        p = FMADD(p, r, SET1(0.5f));
        p = FMADD(p, r, one);
        p = FMADD(p, r, one);
        const V e = p * BITS(V, (127 - n) << 23);   /* exp(-size) */
        const V small = e / (one + e);              /* s(-size) */
        const V sigma = NAME(select)(negative, small, one - small);
        STORE(step + i, SET1(alpha) * (y - sigma));
        if (!total)
            continue;
        const V z = e / (SET1(2.0f) + e), square = z * z;
        V q = SET1(1.0f / 13.0f);
        q = FMADD(q, square, SET1(1.0f / 11.0f));
        q = FMADD(q, square, SET1(1.0f / 9.0f));
        q = FMADD(q, square, SET1(1.0f / 7.0f));
        q = FMADD(q, square, SET1(1.0f / 5.0f));
        q = FMADD(q, square, SET1(1.0f / 3.0f));
        q = FMADD(q, square, one);
        /* the loss is log(1 + exp(-size)), and `size` above it on the wrong side */
        const WHOLE wrong = BELOW(zero, y) ^ ~negative;
        STORE(losses, SET1(2.0f) * z * q + NAME(select)(wrong, size, zero));
        for (int j = count - i; j < LANES; j++)
            losses[j] = 0.0f;
        for (int j = 0; j < LANES; j++)
            total[j] += losses[j];
    }
}
#undef BELOW

/* The rows of a task that are likely not at hand: its targets, and the word by which its window went on. */
TARGET static INLINE void NAME(rows_ahead)(const wordgeo_sgns *model, const task *t, int64_t slice, const float **later) {
    later[0] = row_of(model, model->in, slice, context_row(t, t->near - 1));
    for (int j = 1; j < ROWS_AHEAD; j++)
        later[j] = row_of(model, model->out, slice, t->target[j <= t->count ? j - 1 : 0]);
}

TARGET static double NAME(train)(const wordgeo_sgns *model, const wordgeo_plan *plan, float alpha, int first_slice,
                                 int last_slice, wordgeo_team *team, float *own, float *parts, int64_t *products) {
    enum { RING = 4 * GROUP };
    ALIGNED float lanes[PRODUCTS * LANES], step[PRODUCTS], labels[PRODUCTS];
    float *context[GROUP][SHARE], *target[GROUP][TARGETS];
    const float *later[ROWS_AHEAD];
    const int64_t stride = model->lines[model->slices] * LINE;
    const int counts_loss = team->me == 0 || team->threads == 1; /* all have the same */
    task ring[RING];
    int64_t ready = 0, at = 0; /* tasks that were read, and done */
    place next = {0, 0, 0};
    int more = 1;
    double total[LINE] = {0}, sum = 0;
    *products = 0;
    for (;;) {
        while (more && ready - at < RING - 1) {
            more = next_task(model, plan, &next, &ring[ready % RING]);
            ready += more;
        }
        const int group = (int)(ready - at < GROUP ? ready - at : GROUP);
        if (group == 0)
            break;
        float *shared = parts + (team->at & 1) * model->slices * PRODUCTS;
        int count = 0;
        for (int64_t slice = first_slice; slice < last_slice; slice++) {
            const int64_t floats = (model->lines[slice + 1] - model->lines[slice]) * LINE;
            count = 0;
            for (int g = 0; g < group; g++) {
                const task *t = &ring[(at + g) % RING];
                for (int j = 0; j < t->count; j++)
                    target[g][j] = row_of(model, model->out, slice, t->target[j]);
                int n = 1;
                if (model->cbow) {
                    context[g][0] = own + 2 * g * stride + model->lines[slice] * LINE;
                    NAME(gather)(model, t, slice, model->mean ? 1.0f / (float)t->near : 1.0f, context[g][0]);
                } else {
                    n = t->near;
                    for (int i = 0; i < n; i++)
                        context[g][i] = row_of(model, model->in, slice, t->context[i]);
                }
                NAME(multiply)(context[g], target[g], n, t->count, floats, lanes + (size_t)count * LANES);
                for (int i = 0; slice == first_slice && i < n * t->count; i++)
                    labels[count + i] = i < n && t->positive ? 1.0f : 0.0f;
                count += n * t->count;
            }
            for (int i = 0; i < count; i += 16)
                NAME(add_lanes)(lanes + (size_t)i * LANES, shared + slice * PRODUCTS + i);
        }
        wordgeo_meet(team);
        NAME(logistic)(shared, model->slices, labels, count, alpha, step, counts_loss ? total : NULL);
        *products += count;
        for (int64_t slice = first_slice; slice < last_slice; slice++) {
            const int64_t floats = (model->lines[slice + 1] - model->lines[slice]) * LINE;
            int done = 0;
            for (int g = 0; g < group; g++) {
                const task *t = &ring[(at + g) % RING];
                NAME(rows_ahead)(model, at + g + AHEAD < ready ? &ring[(at + g + AHEAD) % RING] : t, slice, later);
                for (int j = 0; j < t->count; j++)
                    target[g][j] = row_of(model, model->out, slice, t->target[j]);
                if (model->cbow) {
                    float *x = own + 2 * g * stride + model->lines[slice] * LINE;
                    NAME(scatter)(model, t, slice, target[g], step + done, model->mean ? 1.0f : 1.0f / (float)t->near,
                                  x, x + stride, later);
                    done += t->count;
                } else {
                    for (int i = 0; i < t->near; i++)
                        context[g][i] = row_of(model, model->in, slice, t->context[i]);
                    NAME(move)(context[g], target[g], t->near, t->count, floats, step + done, later);
                    done += t->near * t->count;
                }
            }
        }
        at += group;
    }
    for (int j = 0; j < LINE; j++)
        sum += total[j];
    return sum;
}

#undef SET
#undef TARGET
#undef INLINE
#undef LANES
#undef V
#undef WHOLE
#undef CONVERT
#undef BITS
#undef LOAD
#undef STORE
#undef SET1
#undef FMADD
#undef ADD
#undef CONTEXTS
#undef NOISE
#undef JOIN2
#undef JOIN
#undef FETCH
#undef NAME
