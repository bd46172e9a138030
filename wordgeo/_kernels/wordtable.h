/* An open-addressing table from words (UTF-8 bytes) to their indices, on memory that the caller owns.
 *
 * Word i is blob[offsets[i] .. offsets[i + 1]). A slot holds the upper half of the word's hash above its index, so
 * that most mismatches are settled without touching the blob; EMPTY marks a free slot. The number of slots is a
 * power of two. The same layout lies on disk, so nothing here may depend on the machine, and nothing read from a
 * file may lead outside the arrays: indices are checked and a probe never goes round more than once.
 */
#ifndef WORDGEO_WORDTABLE_H
#define WORDGEO_WORDTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORDTABLE_EMPTY UINT64_MAX
#define WORDTABLE_ABSENT (-1)

typedef struct {
    uint64_t *slots;
    uint64_t mask; /* number of slots - 1 */
    uint8_t *blob;
    uint64_t blob_size;
    uint64_t *offsets;
    uint64_t words;
} wordtable;

static inline uint64_t wordtable_mix(uint64_t value) {
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    value ^= value >> 32;
    value *= UINT64_C(0xd6e8feb86659fd93);
    return value ^ (value >> 32);
}

/* Eight bytes at a time, least significant first whatever the machine (a compiler makes one load of it). */
static inline uint64_t wordtable_load(const uint8_t *bytes, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static inline uint64_t wordtable_hash(const uint8_t *word, size_t size) {
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)size;
    for (; size >= 8; word += 8, size -= 8)
        hash = (hash ^ wordtable_load(word, 8)) * UINT64_C(0xff51afd7ed558ccd), hash ^= hash >> 29;
    return wordtable_mix(hash ^ wordtable_load(word, size));
}

/* The slot where the word lies or would be put; *index is its index or WORDTABLE_ABSENT. */
static inline uint64_t wordtable_probe(const wordtable *table, const uint8_t *word, size_t size, uint64_t hash,
                                       int64_t *index) {
    const uint64_t tag = hash >> 32;
    uint64_t slot = hash & table->mask;
    for (uint64_t tried = 0; tried <= table->mask; tried++, slot = (slot + 1) & table->mask) {
        const uint64_t held = table->slots[slot];
        if (held == WORDTABLE_EMPTY)
            break;
        const uint64_t i = held & UINT32_MAX;
        if (held >> 32 != tag || i >= table->words)
            continue;
        const uint64_t begin = table->offsets[i], end = table->offsets[i + 1];
        if (begin <= end && end <= table->blob_size && end - begin == size &&
            memcmp(table->blob + begin, word, size) == 0) {
            *index = (int64_t)i;
            return slot;
        }
    }
    *index = WORDTABLE_ABSENT;
    return slot;
}

/* Appends a word that the table does not have, at the slot that `wordtable_probe` found; returns its index.
 * The caller has made room in slots, blob and offsets. */
static inline uint64_t wordtable_put(wordtable *table, const uint8_t *word, size_t size, uint64_t hash,
                                     uint64_t slot) {
    const uint64_t at = table->offsets[table->words];
    memcpy(table->blob + at, word, size);
    table->blob_size = at + size;
    table->slots[slot] = (hash >> 32) << 32 | table->words;
    table->offsets[table->words + 1] = at + size;
    return table->words++;
}

/* The word's index, appended to the table where it is new. */
static inline uint64_t wordtable_add(wordtable *table, const uint8_t *word, size_t size) {
    const uint64_t hash = wordtable_hash(word, size);
    int64_t index;
    const uint64_t slot = wordtable_probe(table, word, size, hash, &index);
    return index != WORDTABLE_ABSENT ? (uint64_t)index : wordtable_put(table, word, size, hash, slot);
}

#endif
