/* Splits UTF-8 text into words, sentences and documents, and numbers the words, all on memory that the caller owns.
 *
 * The text is valid UTF-8. Results go to a `token_sink`; `tokenize` returns 0, or 1 when the table of words is full
 * (the caller then enlarges it and begins again). A sentence ends where `sentences` says how many tokens precede its
 * end, a document where `documents` says how many sentence ends precede it. Ends that repeat are written once.
 */
#ifndef WORDGEO_TOKENIZE_H
#define WORDGEO_TOKENIZE_H

#include <stddef.h>
#include <stdint.h>

#include "wordtable.h"

typedef struct {
    /* settings */
    int unicode;    /* UAX #29 words and sentences in prose; else words between white space, a sentence a line */
    int lower;      /* ASCII letters become lower case here; other letters are left to the caller */
    int blank_ends; /* a line of white space alone ends a document */
    int line_ends;  /* every line end ends a document */
    /* the words: room for `most_words`, for all bytes of the text, and at least twice as many slots as words */
    wordtable table;
    uint64_t most_words;
    uint64_t *counts;
    uint32_t *foreign; /* indices of the words that are not all ASCII */
    uint64_t foreigns;
    uint8_t *word; /* scratch, as long as the text */
    /* the text as numbers: room for as many of each as the text has bytes, and two more */
    uint32_t *ids;
    uint64_t tokens;
    uint64_t *sentences;
    uint64_t sentence_ends;
    uint64_t *documents;
    uint64_t document_ends;
    uint64_t lines; /* line ends seen */
} token_sink;

/* Adds a text to the sink. `mid_line` says that it begins within a line whose beginning was not blank. */
int tokenize(token_sink *sink, const uint8_t *text, size_t size, int mid_line);

/* Ends the sentence and the document that are open. */
void end_document(token_sink *sink);

/* Where the first byte that is not UTF-8 lies, or `size`. */
size_t utf8_valid_prefix(const uint8_t *text, size_t size);

/* The properties (unicode_tables.h) of a code point. */
uint8_t character_properties(uint32_t code_point);

#endif
