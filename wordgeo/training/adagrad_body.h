/* The loop of adagrad.h for one instruction set. Included once for each, with
 *     SET        the suffix of its functions
 *     TARGET     the attribute that lets a function use it
 *     LANES      floats in a register, V its type, OP(name) an instruction on it, ROOT its guess of 1 / sqrt
 */
#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(function) JOIN(function, SET)

TARGET static inline float NAME(total)(V sum) {
    float lane[LANES];
    OP(storeu)(lane, sum);
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            lane[j] += lane[j + half];
    return lane[0];
}

/* The processor's guess is good to 12 or 14 bits; one of Newton's steps doubles them. */
TARGET static inline V NAME(inverse_root)(V x) {
    const V y = ROOT(x);
    const V half = OP(mul)(OP(set1)(0.5f), OP(mul)(x, y));
    return OP(mul)(y, OP(fnmadd)(half, y, OP(set1)(1.5f)));
}

TARGET static double NAME(train)(float *words, float *contexts, size_t stride, size_t dim,
                                 const wordgeo_example *examples, size_t count, float rate, float bias_rate,
                                 float clip) {
    const size_t record = 2 * stride;
    const V most = OP(set1)(rate * clip), least = OP(set1)(-rate * clip);
    double loss = 0;
    for (size_t e = 0; e < count; e++) {
        float *w = words + examples[e].row * record, *c = contexts + examples[e].column * record;
        float *ws = w + stride, *cs = c + stride;
        if (e + AHEAD < count)
            fetch(words, contexts, record, &examples[e + AHEAD]);
        V even = OP(setzero)(), odd = OP(setzero)();
        size_t k = 0;
        for (; k + 2 * LANES <= stride; k += 2 * LANES) {
            even = OP(fmadd)(OP(loadu)(w + k), OP(loadu)(c + k), even);
            odd = OP(fmadd)(OP(loadu)(w + k + LANES), OP(loadu)(c + k + LANES), odd);
        }
        for (; k < stride; k += LANES)
            even = OP(fmadd)(OP(loadu)(w + k), OP(loadu)(c + k), even);
        const float dot = NAME(total)(OP(add)(even, odd));
        const float diff = dot - w[dim] * c[dim] + w[dim] + c[dim] - examples[e].log_count;
        const float g = examples[e].weight * diff;
        loss += 0.5 * (double)g * (double)diff;
        const float step = bias_rate * clipped(g, clip);
        const bias wb = stepped(w[dim], ws[dim], step), cb = stepped(c[dim], cs[dim], step);
        const V scale = OP(set1)(rate * g);
        for (k = 0; k < stride; k += LANES) {
            const V wk = OP(loadu)(w + k), ck = OP(loadu)(c + k), wsk = OP(loadu)(ws + k), csk = OP(loadu)(cs + k);
            const V sw = OP(min)(OP(max)(OP(mul)(scale, ck), least), most);
            const V sc = OP(min)(OP(max)(OP(mul)(scale, wk), least), most);
            OP(storeu)(w + k, OP(fnmadd)(sw, NAME(inverse_root)(wsk), wk));
            OP(storeu)(c + k, OP(fnmadd)(sc, NAME(inverse_root)(csk), ck));
            OP(storeu)(ws + k, OP(fmadd)(sw, sw, wsk));
            OP(storeu)(cs + k, OP(fmadd)(sc, sc, csk));
        }
        w[dim] = wb.value, ws[dim] = wb.squares;
        c[dim] = cb.value, cs[dim] = cb.squares;
    }
    return loss;
}

#undef SET
#undef TARGET
#undef LANES
#undef V
#undef OP
#undef ROOT
#undef JOIN2
#undef JOIN
#undef NAME
