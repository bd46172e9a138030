/* The loop of sgns.h for one instruction set. Included once for each, with
 *     SET               the suffix of its functions
 *     TARGET, INLINE    attributes that let a function use it, and that put one into its caller
 *     LANES, V          floats in a register, and its type; LOAD, STORE, SET1, FMADD and ADD work on it
 *     WHOLE             the type of as many whole numbers; CONVERT by value, BITS by what they are in memory
 *     REGISTERS         of a row that move at once, with those of TILE - 1 others
 *     SPAN              registers of a row that move at once alone, while as many others add them up
 */
#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(function) JOIN(function, SET)

/* Lane i of the result is the sum of the lanes of a[i], for LANES registers. */
TARGET static INLINE V NAME(sums_of)(const V *a) {
#if LANES == 16
    V b[8], c[4];
    for (int i = 0; i < 8; i++)
        b[i] = ADD(_mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]), _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]));
    for (int i = 0; i < 4; i++) {
        const __m512d even = _mm512_castps_pd(b[2 * i]), odd = _mm512_castps_pd(b[2 * i + 1]);
        c[i] = ADD(_mm512_castpd_ps(_mm512_unpacklo_pd(even, odd)), _mm512_castpd_ps(_mm512_unpackhi_pd(even, odd)));
    }
    const V d = ADD(_mm512_shuffle_f32x4(c[0], c[1], 0x88), _mm512_shuffle_f32x4(c[0], c[1], 0xdd));
    const V e = ADD(_mm512_shuffle_f32x4(c[2], c[3], 0x88), _mm512_shuffle_f32x4(c[2], c[3], 0xdd));
    return ADD(_mm512_shuffle_f32x4(d, e, 0x88), _mm512_shuffle_f32x4(d, e, 0xdd));
#elif LANES == 8
    V b[4];
    for (int i = 0; i < 4; i++)
        b[i] = _mm256_hadd_ps(a[2 * i], a[2 * i + 1]);
    const V c = _mm256_hadd_ps(b[0], b[1]), d = _mm256_hadd_ps(b[2], b[3]);
    return ADD(_mm256_permute2f128_ps(c, d, 0x20), _mm256_permute2f128_ps(c, d, 0x31));
#elif LANES > 1
    V sums;
    for (int i = 0; i < LANES; i++)
        sums[i] = (a[i][0] + a[i][1]) + (a[i][2] + a[i][3]);
    return sums;
#else
    return a[0];
#endif
}

/* So many noise words and inputs have as many products as a register has lanes. */
enum { NAME(ACROSS) = LANES > 1 ? TILE : 1, NAME(DOWN) = LANES / NAME(ACROSS) };
#define ACROSS NAME(ACROSS)
#define DOWN NAME(DOWN)

/* products[j * INPUTS + i] for some inputs (they stand one behind the other) and noise words; each input has one of
 * the targets too, if there are any, and `parts` gets the lanes of their products, whose sums these are. */
TARGET static INLINE void NAME(multiply_some)(const float *inputs, float *const *noise, float *const *target,
                                              int64_t floats, float *const *later, float *products, float *parts) {
    V sum[LANES], own[DOWN];
    ALIGNED float sums[LANES];
    for (int l = 0; l < LANES; l++)
        sum[l] = SET1(0.0f);
    for (int r = 0; r < DOWN; r++)
        own[r] = SET1(0.0f);
    for (int64_t k = 0; k < floats; k += LANES) {
        V x[DOWN];
        for (int r = 0; r < DOWN; r++) {
            x[r] = LOAD(inputs + r * floats + k);
            KEEP(x[r]);
            if (target)
                own[r] = FMADD(x[r], LOAD(target[r] + k), own[r]);
        }
        for (int c = 0; c < ACROSS; c++) {
            V t = LOAD(noise[c] + k);
            KEEP(t);
            if (later)
                PREFETCH_SECOND(later[c] + k);
            for (int r = 0; r < DOWN; r++)
                sum[c * DOWN + r] = FMADD(x[r], t, sum[c * DOWN + r]);
        }
    }
    STORE(sums, NAME(sums_of)(sum));
    for (int c = 0; c < ACROSS; c++)
        memcpy(products + c * INPUTS, sums + c * DOWN, DOWN * sizeof *sums);
    for (int r = 0; target && r < DOWN; r++)
        STORE(parts + r * LANES, own[r]);
}

/* All products with noise, and behind them those of `targets` inputs (none for skip-gram) with one target each. */
APART TARGET static void NAME(multiply_noise)(const float *inputs, float *const *noise, int64_t noises,
                                              float *const *target, int targets, int64_t floats, float *products) {
    ALIGNED float parts[INPUTS * LANES];
    for (int64_t j = 0; j < noises; j += ACROSS) {
        float *const *later = j + 2 * ACROSS <= noises ? noise + j + ACROSS : NULL;
        for (int i = 0; i < INPUTS; i += DOWN) {
            const float *x = inputs + i * floats;
            float *here = products + j * INPUTS + i;
            if (j == 0 && i < targets)
                NAME(multiply_some)(x, noise, target + i, floats, NULL, here, parts + i * LANES);
            else
                NAME(multiply_some)(x, noise + j, NULL, floats, i == 0 ? later : NULL, here, NULL);
        }
    }
    for (int i = 0; i < targets; i += LANES) {
        V lanes[LANES];
        for (int l = 0; l < LANES; l++)
            lanes[l] = LOAD(parts + (i + l) * LANES);
        STORE(products + noises * INPUTS + i, NAME(sums_of)(lanes));
    }
}
#undef ACROSS
#undef DOWN

#define AT_ONCE 5 /* targets */

/* Targets move by an input, and `moved` is what they move it in turn. */
TARGET static INLINE void NAME(move_some)(int count, const float *x, float *const *target, int64_t floats,
                                          const float *step, float *moved, int begins) {
    V s[AT_ONCE];
    float *row[AT_ONCE]; /* as their own, which no store changes */
    for (int t = 0; t < count; t++)
        s[t] = SET1(step[t]), row[t] = target[t];
    for (int64_t k = 0; k < floats; k += LANES) {
        const V value = LOAD(x + k);
        V sum = begins ? SET1(0.0f) : LOAD(moved + k);
        for (int t = 0; t < count; t++) {
            V old = LOAD(row[t] + k);
            KEEP(old);
            sum = FMADD(s[t], old, sum);
            STORE(row[t] + k, FMADD(s[t], value, old));
        }
        STORE(moved + k, sum);
    }
}

/* products[t] = that of target t and its input. TILE at once, whose number nothing has to foresee: what is beyond the
 * targets is done in vain. */
APART TARGET static void NAME(multiply_targets)(const block *b, const float *inputs, float *const *target,
                                                int64_t floats, float *products) {
    ALIGNED float lanes[(INPUTS * TARGETS + LANES) * LANES];
    const float *input[INPUTS * TARGETS + TILE];
    for (int i = 0; i < b->inputs; i++)
        for (int t = b->first[i]; t < b->first[i + 1]; t++)
            input[t] = inputs + i * floats;
    for (int t = 0; t < TILE; t++)
        input[b->targets + t] = inputs;
    for (int t = 0; t < b->targets; t += TILE) {
        V sum[TILE];
        for (int i = 0; i < TILE; i++)
            sum[i] = SET1(0.0f);
        for (int64_t k = 0; k < floats; k += LANES)
            for (int i = 0; i < TILE; i++)
                sum[i] = FMADD(LOAD(input[t + i] + k), LOAD(target[t + i] + k), sum[i]);
        for (int i = 0; i < TILE; i++)
            STORE(lanes + (size_t)(t + i) * LANES, sum[i]);
    }
    for (int t = 0; t < b->targets; t += LANES) {
        V parts[LANES];
        for (int l = 0; l < LANES; l++)
            parts[l] = LOAD(lanes + (size_t)(t + l) * LANES);
        STORE(products + t, NAME(sums_of)(parts));
    }
}

/* Targets move by their inputs, one input after the other, and `moved` is what they move these. */
APART TARGET static void NAME(move_targets)(const block *b, const float *inputs, float *const *target, int64_t floats,
                                            const float *step, float *moved) {
    for (int i = 0; i < b->inputs; i++) {
        const float *x = inputs + i * floats;
        float *by = moved + i * floats;
        for (int64_t t = b->first[i], n; (n = piece_of(b->first[i + 1] - t, AT_ONCE)) > 0; t += n) {
            const int begins = t == b->first[i];
            switch (n) { /* the compiler unrolls each */
            case 1: NAME(move_some)(1, x, target + t, floats, step + t, by, begins); break;
            case 2: NAME(move_some)(2, x, target + t, floats, step + t, by, begins); break;
            case 3: NAME(move_some)(3, x, target + t, floats, step + t, by, begins); break;
            case 4: NAME(move_some)(4, x, target + t, floats, step + t, by, begins); break;
            case 5: NAME(move_some)(5, x, target + t, floats, step + t, by, begins); break;
            }
        }
    }
}
#undef AT_ONCE

/* Asks for a row that the next block needs. */
TARGET static INLINE void NAME(fetch)(const float *row, int64_t floats) {
    for (int64_t k = 0; k < floats; k += LINE)
        PREFETCH_SECOND(row + k);
}

TARGET static INLINE void NAME(copy)(const float *row, int64_t floats, float *to) {
    for (int64_t k = 0; k < floats; k += LANES)
        STORE(to + k, LOAD(row + k));
}

/* The same for registers of row i, if there are so many: in each step of another loop, since a processor waits for few
 * at once. */
#define FETCH(row, i, count, registers, k)                                                                             \
    if ((i) < (count))                                                                                                 \
    NAME(fetch)((row)[i] + (k), (registers) * LANES)

/* TILE inputs are moved by what targets have moved them and by the noise: up to `count` rows. */
TARGET static INLINE void NAME(move_tile)(int registers, int64_t k, int count, float *const *row, const float *moved,
                                          int64_t floats, float *const *noise, int64_t noises, const float *step,
                                          float *const *later, int64_t ahead) {
    V sum[TILE][REGISTERS];
    for (int i = 0; i < TILE; i++)
        for (int r = 0; r < registers; r++)
            sum[i][r] = LOAD(moved + i * floats + k + r * LANES);
    for (int64_t j = 0; j < noises; j++) {
        V t[REGISTERS];
        for (int r = 0; r < registers; r++)
            t[r] = LOAD(noise[j] + k + r * LANES);
        for (int i = 0; i < TILE; i++) {
            const V s = SET1(step[j * INPUTS + i]);
            for (int r = 0; r < registers; r++)
                sum[i][r] = FMADD(s, t[r], sum[i][r]);
        }
        FETCH(later, j, ahead, registers, k);
    }
    for (int i = 0; i < TILE && i < count; i++)
        for (int r = 0; r < registers; r++)
            STORE(row[i] + k + r * LANES, ADD(LOAD(row[i] + k + r * LANES), sum[i][r]));
}

/* TILE noise words move by all inputs. */
TARGET static INLINE void NAME(move_noise_tile)(int registers, int64_t k, float *const *noise, const float *inputs,
                                                int64_t floats, const float *step, float *const *later, int64_t ahead) {
    V sum[TILE][REGISTERS];
    for (int j = 0; j < TILE; j++)
        for (int r = 0; r < registers; r++)
            sum[j][r] = SET1(0.0f);
    for (int i = 0; i < INPUTS; i++) {
        V x[REGISTERS];
        for (int r = 0; r < registers; r++)
            x[r] = LOAD(inputs + i * floats + k + r * LANES);
        for (int j = 0; j < TILE; j++) {
            const V s = SET1(step[j * INPUTS + i]);
            for (int r = 0; r < registers; r++)
                sum[j][r] = FMADD(s, x[r], sum[j][r]);
        }
        FETCH(later, i, ahead, registers, k);
    }
    for (int j = 0; j < TILE; j++)
        for (int r = 0; r < registers; r++)
            STORE(noise[j] + k + r * LANES, ADD(LOAD(noise[j] + k + r * LANES), sum[j][r]));
}

/* FUNCTION(registers, k, ...) for all of a row, the compiler unrolling each. */
#if REGISTERS > 3
#define MORE_REGISTERS(FUNCTION, ...)                                                                                  \
    case 4: NAME(FUNCTION)(4, k, __VA_ARGS__); break;                                                                  \
    case 5: NAME(FUNCTION)(5, k, __VA_ARGS__); break;
#else
#define MORE_REGISTERS(FUNCTION, ...)
#endif
#define BY_REGISTERS(FUNCTION, ...)                                                                                    \
    for (int64_t k = 0, n; (n = piece_of((floats - k) / LANES, REGISTERS)) > 0; k += n * LANES)                        \
        switch (n) {                                                                                                   \
        case 1: NAME(FUNCTION)(1, k, __VA_ARGS__); break;                                                              \
        case 2: NAME(FUNCTION)(2, k, __VA_ARGS__); break;                                                              \
        case 3:                                                                                                        \
            NAME(FUNCTION)(3, k, __VA_ARGS__);                                                                         \
            break;                                                                                                     \
            MORE_REGISTERS(FUNCTION, __VA_ARGS__)                                                                      \
        }

APART TARGET static void NAME(move_inputs)(int count, float *const *row, const float *moved, int64_t floats,
                                           float *const *noise, int64_t noises, const float *step, float *const *later,
                                           int64_t ahead) {
    for (int i = 0; i < count; i += TILE) {
        BY_REGISTERS(move_tile, count - i, row + i, moved + i * floats, floats, noise, noises, step + i, later + i,
                     ahead - i < TILE ? ahead - i : TILE)
    }
}

APART TARGET static void NAME(move_noise)(float *const *noise, int64_t noises, const float *inputs, int64_t floats,
                                          const float *step, float *const *later, int64_t ahead) {
    for (int64_t j = 0; j < noises; j += TILE)
        BY_REGISTERS(move_noise_tile, noise + j, inputs, floats, step + j * INPUTS, later + j,
                     ahead - j < TILE ? ahead - j : TILE)
}

/* The steps of CBOW but for those of windows. Targets move by their inputs, one after the other, if it `begins`, and
 * `moved` is what they and TILE noise words, as they were `before`, move these; then the noise words move. */
APART TARGET static void NAME(move_means)(int begins, int inputs, float *const *target, float *const *noise,
                                          int64_t floats, const float *x, const float *before, const float *of_targets,
                                          const float *of_noise, const rows *later, float *moved) {
    for (int64_t k = 0; k < floats; k += LANES) {
        V old[TILE], by[TILE];
        for (int j = 0; j < TILE; j++)
            old[j] = LOAD(before + j * floats + k), by[j] = SET1(0.0f);
        for (int i = 0; i < inputs; i++) {
            const V value = LOAD(x + i * floats + k);
            V sum;
            if (begins) {
                const V t = LOAD(target[i] + k), s = SET1(of_targets[i]);
                sum = s * t;
                STORE(target[i] + k, FMADD(s, value, t));
                PREFETCH_SECOND(later->word[i] + k);
                PREFETCH_SECOND(later->window[i] + k);
            } else {
                sum = LOAD(moved + i * floats + k);
            }
            for (int j = 0; j < TILE; j++) {
                const V s = SET1(of_noise[j * INPUTS + i]);
                sum = FMADD(s, old[j], sum);
                by[j] = FMADD(s, value, by[j]);
            }
            STORE(moved + i * floats + k, sum);
        }
        for (int j = 0; j < TILE; j++)
            STORE(noise[j] + k, ADD(LOAD(noise[j] + k), by[j]));
    }
}

/* The rows of a window move by `moved`, and x becomes the mean (or sum) of those of the next one: a part of each. */
TARGET static INLINE void NAME(slide_piece)(int registers, int64_t k, const sliding *w, const float *moved, float *x) {
    float *const matrix = w->matrix + k;
    const uint32_t *const kept = w->kept;
    const int64_t floats = w->floats;
    V step[SPAN], sum[SPAN];
    for (int r = 0; r < registers; r++)
        step[r] = LOAD(moved + k + r * LANES) * SET1(w->scale), sum[r] = SET1(0.0f);
    EACH_WORD(w, leaves) {
        float *row = matrix + kept[from + first_bit(bits)] * floats;
        for (int r = 0; r < registers; r++)
            STORE(row + r * LANES, ADD(LOAD(row + r * LANES), step[r]));
    }
    EACH_WORD(w, stays) {
        float *row = matrix + kept[from + first_bit(bits)] * floats;
        for (int r = 0; r < registers; r++) {
            const V value = ADD(LOAD(row + r * LANES), step[r]);
            STORE(row + r * LANES, value);
            sum[r] = ADD(sum[r], value);
        }
    }
    EACH_WORD(w, comes) {
        const float *row = matrix + kept[from + first_bit(bits)] * floats;
        for (int r = 0; r < registers; r++)
            sum[r] = ADD(sum[r], LOAD(row + r * LANES));
    }
    for (int r = 0; r < registers; r++)
        STORE(x + k + r * LANES, sum[r] * SET1(w->then_scale));
}

#define CASE(n)                                                                                                        \
    case n: NAME(slide_piece)(n, k, w, moved, x); break
APART TARGET static void NAME(slide)(const sliding *w, const float *moved, float *x) {
    for (int64_t k = 0, n; (n = piece_of((w->floats - k) / LANES, SPAN)) > 0; k += n * LANES)
        switch (n) { /* the compiler unrolls each */
            CASE(1);
            CASE(2);
            CASE(3);
            CASE(4);
            CASE(5);
            CASE(6);
            CASE(7);
#if SPAN > 7
            CASE(8);
            CASE(9);
            CASE(10);
            CASE(11);
            CASE(12);
            CASE(13);
#endif
        }
}
#undef CASE
#undef BY_REGISTERS
#undef MORE_REGISTERS
#undef FETCH

TARGET static INLINE V NAME(select)(WHOLE yes, V a, V b) {
    return BITS(V, (yes & BITS(WHOLE, a)) | (~yes & BITS(WHOLE, b)));
}

#if LANES > 1
#define BELOW(a, b) ((WHOLE)((a) < (b))) /* all bits of a lane, or none */
#else
#define BELOW(a, b) (-(WHOLE)((a) < (b)))
#endif

/* From products (the sum of all slices' parts) to steps, and the sum of the losses, if asked for, lane by lane:
 * those of targets, which have no weights, or of noise. exp to 2e-7 of its value by a polynomial after x = n log 2 + r;
 * log(1 + e) = 2 artanh(e / (2 + e)) to 2e-7. */
APART TARGET static void NAME(logistic)(int positive, const float *parts, int64_t slices, const float *weights,
                                        int64_t begin, int64_t end, float alpha, float *step, double *total) {
    const V one = SET1(1.0f), zero = SET1(0.0f), most = SET1(30.0f);
    ALIGNED float losses[LANES];
    for (int64_t i = begin; i < end; i += LANES) {
        V f = LOAD(parts + i);
        for (int64_t s = 1; s < slices; s++)
            f = ADD(f, LOAD(parts + s * PRODUCTS + i));
        const WHOLE below = BELOW(f, zero);
        V size = NAME(select)(below, zero - f, f);
        /* No number has no whole part, but stays in `size`. Lanes behind the end may hold anything, and tell nothing.
         */
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
        const V e = p * BITS(V, (127 - n) << 23); /* exp(-size) */
        const V small = e / (one + e);            /* s(-size) */
        /* a target moves by 1 - s(f) = s(-f), noise by s(f) */
        const WHOLE right = positive ? ~below : below;
        V moved = NAME(select)(right, small, one - small) * SET1(positive ? alpha : -alpha);
        if (!positive)
            moved = moved * LOAD(weights + i);
        STORE(step + i, moved);
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
        V loss = SET1(2.0f) * z * q + NAME(select)(right, zero, size); /* log(1 + exp(-size)), and `size` if wrong */
        if (!positive)
            loss = loss * LOAD(weights + i);
        STORE(losses, loss);
        for (int64_t j = end - i; j < LANES; j++)
            losses[j] = 0.0f;
        for (int j = 0; j < LANES; j++)
            total[j] += losses[j];
    }
}
#undef BELOW

/* Inputs go over from one block to the next, of which either may be empty: those of CBOW with their windows. */
TARGET static void NAME(go_over)(const wordgeo_sgns *model, const wordgeo_plan *plan, const block *from,
                                 const block *to, const rows *at, int64_t slice, const float *moved, float *inputs) {
    const int64_t floats = (model->lines[slice + 1] - model->lines[slice]) * LINE;
    for (int i = 0; model->cbow && (i < from->inputs || i < to->inputs); i++) {
        const sliding w = slide_of(model, plan, slice, window_of(plan, from, i), window_of(plan, to, i));
        NAME(slide)(&w, moved + i * floats, inputs + i * floats);
    }
    for (int i = 0; !model->cbow && i < to->inputs; i++) {
        NAME(fetch)(at->word[i + 2 < to->inputs ? i + 2 : i], floats);
        NAME(copy)(at->word[i], floats, inputs + i * floats);
    }
    memset(inputs + to->inputs * floats, 0, (size_t)((INPUTS - to->inputs) * floats) * sizeof *inputs);
}

/* The products of a block. */
TARGET static void NAME(multiply)(const wordgeo_sgns *model, const block *b, const rows *at, int64_t floats,
                                  const float *inputs, float *products) {
    const int targets = model->cbow ? b->targets : 0;
    NAME(multiply_noise)(inputs, at->noise, model->noises, at->target, targets, floats, products);
    if (!model->cbow)
        NAME(multiply_targets)(b, inputs, at->target, floats, products + model->noises * INPUTS);
}

/* The steps of a block, whose inputs stay as they were: `moved` is for what they move, and CBOW's windows with them. */
TARGET static void NAME(move)(const wordgeo_sgns *model, const block *b, const rows *at, const rows *later,
                              int64_t floats, const float *inputs, const float *step, float *moved) {
    const float *of_targets = step + model->noises * INPUTS;
    if (model->cbow) {
        float *before = moved + INPUTS * floats;
        for (int64_t j = 0; j < model->noises; j++)
            NAME(copy)(at->noise[j], floats, before + j * floats);
        for (int64_t j = 0; j < model->noises; j += TILE)
            NAME(move_means)(j == 0, b->inputs, at->target, at->noise + j, floats, inputs, before + j * floats,
                             of_targets, step + j * INPUTS, later, moved);
        for (int64_t j = 0; j < later->noises; j++)
            NAME(fetch)(later->noise[j], floats);
    } else {
        NAME(move_targets)(b, inputs, at->target, floats, of_targets, moved);
        NAME(move_inputs)(b->inputs, at->word, moved, floats, at->noise, model->noises, step, later->word,
                          later->inputs);
        NAME(move_noise)(at->noise, model->noises, inputs, floats, step, later->noise, later->noises);
        for (int i = 0; i < later->inputs; i++)
            NAME(fetch)(later->window[i], floats);
    }
}

TARGET static int64_t NAME(train)(const wordgeo_sgns *model, const wordgeo_plan *plan, float alpha, int first_slice,
                                  int last_slice, wordgeo_team *team, float *own, float *shared, double *loss) {
    ALIGNED float step[PRODUCTS];
    double total[WORDGEO_MOST_SLICES][LINE] = {{0}};
    common *all = (common *)shared;
    block none;
    rows at[2][WORDGEO_MOST_SLICES];
    place streams;
    int64_t floats[WORDGEO_MOST_SLICES];
    float *inputs[WORDGEO_MOST_SLICES], *moved[WORDGEO_MOST_SLICES];
    const int64_t of_noise = model->noises * INPUTS, slices = model->slices;
    int64_t products = 0;
    begin_streams(model, plan, &streams);
    if (first_slice == 0)
        next_block(model, plan, &streams, &all->blocks[(team->at + 2) % 3]);
    wordgeo_meet(team);
    none.inputs = 0;
    for (int64_t slice = first_slice; slice < last_slice; slice++) {
        const block *first = &all->blocks[(team->at + 1) % 3];
        floats[slice] = (model->lines[slice + 1] - model->lines[slice]) * LINE;
        inputs[slice] = own + WORDGEO_VECTORS_OF_OWN * LINE * model->lines[slice];
        moved[slice] = inputs[slice] + INPUTS * floats[slice];
        find_rows(model, plan, first, slice, &at[0][slice]);
        NAME(go_over)(model, plan, &none, first, &at[0][slice], slice, moved[slice], inputs[slice]);
    }
    for (int now = 0; all->blocks[(team->at + 1) % 3].inputs; now = !now) {
        const block *b = &all->blocks[(team->at + 1) % 3];
        block *next = &all->blocks[(team->at + 2) % 3];
        float (*of_slices)[PRODUCTS] = all->products[team->at & 1];
        for (int64_t slice = first_slice; slice < last_slice; slice++)
            NAME(multiply)(model, b, &at[now][slice], floats[slice], inputs[slice], of_slices[slice]);
        if (first_slice == 0)
            next_block(model, plan, &streams, next);
        wordgeo_meet(team);
        for (int64_t slice = 0; slice < slices; slice++) { /* each counts a part of the losses */
            double *lanes = first_slice <= slice && slice < last_slice ? total[slice] : NULL;
            NAME(logistic)(0, *of_slices, slices, b->weights, of_noise / LINE * slice / slices * LINE,
                           of_noise / LINE * (slice + 1) / slices * LINE, alpha, step, lanes);
        }
        NAME(logistic)(1, *of_slices, slices, NULL, of_noise, of_noise + b->targets, alpha, step,
                       first_slice == 0 ? total[0] : NULL);
        products += b->inputs * model->noises + b->targets;
        for (int64_t slice = first_slice; slice < last_slice; slice++) {
            const rows *here = &at[now][slice];
            rows *later = &at[!now][slice];
            find_rows(model, plan, next, slice, later);
            NAME(move)(model, b, here, later, floats[slice], inputs[slice], step, moved[slice]);
            NAME(go_over)(model, plan, b, next, later, slice, moved[slice], inputs[slice]);
        }
    }
    for (int64_t slice = first_slice; slice < last_slice; slice++) {
        loss[slice] = 0;
        for (int j = 0; j < LINE; j++)
            loss[slice] += total[slice][j];
    }
    return products;
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
#undef REGISTERS
#undef SPAN
#undef JOIN2
#undef JOIN
#undef NAME
