/* Random numbers that depend on their number alone, so that threads never show in them. */
#ifndef WORDGEO_DRAWS_H
#define WORDGEO_DRAWS_H

#include <stdint.h>

/* The finalizer of SplitMix64 (Steele, Lea & Flood 2014). */
static inline uint64_t mixed(uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* Draw `i` of the stream `key`. */
static inline uint64_t draw(uint64_t key, uint64_t i) {
    return mixed(mixed(key) ^ (i * 0xD1342543DE82EF95u));
}

#endif
