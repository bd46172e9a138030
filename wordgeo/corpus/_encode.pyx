"""Blocks of text as numbered words. Every array is allocated by the caller; see blocks.py."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "tokenize.h" nogil:
    ctypedef struct wordtable:
        uint64_t *slots
        uint64_t mask
        uint8_t *blob
        uint64_t blob_size
        uint64_t *offsets
        uint64_t words
    ctypedef struct token_sink:
        int unicode
        int lower
        int blank_ends
        int line_ends
        wordtable table
        uint64_t most_words
        uint64_t *counts
        uint32_t *foreign
        uint64_t foreigns
        uint8_t *word
        uint32_t *ids
        uint64_t tokens
        uint64_t *sentences
        uint64_t sentence_ends
        uint64_t *documents
        uint64_t document_ends
        uint64_t lines
    int c_tokenize "tokenize"(token_sink *sink, const uint8_t *text, size_t size, int mid_line)
    void end_document(token_sink *sink)
    size_t utf8_valid_prefix(const uint8_t *text, size_t size)
    uint8_t character_properties(uint32_t code_point)

cdef extern from "unicode_tables.h" nogil:
    const char *UNICODE_TABLES_VERSION

TABLES_VERSION = UNICODE_TABLES_VERSION.decode()


def tokenize(
    const uint8_t[::1] text,              # IN, valid UTF-8, not empty
    const uint64_t[::1] breaks,           # IN, where in the text documents end, ascending
    bint mid_line,                        # IN, the text begins within a line
    bint unicode,                         # IN, settings as in tokenize.h
    bint lower,
    bint blank_ends,
    bint line_ends,
    uint64_t[::1] slots,                  # INOUT, all EMPTY on entry
    uint8_t[::1] blob,                    # OUT, as long as the text
    uint64_t[::1] offsets,                # OUT, words + 1
    uint64_t[::1] counts,                 # OUT, its length is how many words there may be
    uint32_t[::1] foreign,                # OUT, as long as counts: the words that are not all ASCII
    uint8_t[::1] word,                    # scratch, as long as the text
    uint32_t[::1] ids,                    # OUT, two longer than the text
    uint64_t[::1] sentences,              # OUT, as long as ids
    uint64_t[::1] documents,              # OUT, as long as ids
):
    """(words, foreign words, tokens, sentence ends, document ends, line ends), or None if there are too many words."""
    cdef token_sink sink
    cdef size_t begin = 0, end, size = <size_t> text.shape[0]
    cdef Py_ssize_t i
    cdef int full = 0
    sink.unicode, sink.lower, sink.blank_ends, sink.line_ends = unicode, lower, blank_ends, line_ends
    sink.table.slots, sink.table.mask = &slots[0], <uint64_t> slots.shape[0] - 1
    sink.table.blob, sink.table.blob_size = &blob[0], 0
    sink.table.offsets, sink.table.words = &offsets[0], 0
    sink.most_words, sink.counts = <uint64_t> counts.shape[0], &counts[0]
    sink.foreign, sink.foreigns = &foreign[0], 0
    sink.word = &word[0]
    sink.ids, sink.tokens = &ids[0], 0
    sink.sentences, sink.sentence_ends = &sentences[0], 0
    sink.documents, sink.document_ends = &documents[0], 0
    sink.lines = 0
    offsets[0] = 0
    with nogil:
        for i in range(breaks.shape[0] + 1):
            end = breaks[i] if i < breaks.shape[0] else size
            full = c_tokenize(&sink, &text[0] + begin, end - begin, mid_line and i == 0)
            if full:
                break
            if i < breaks.shape[0]:
                end_document(&sink)
            begin = end
    if full:
        return None
    return sink.table.words, sink.foreigns, sink.tokens, sink.sentence_ends, sink.document_ends, sink.lines


def valid_prefix(
    const uint8_t[::1] text,              # IN, not empty
):
    """How many bytes of the text are valid UTF-8 before the first that is not."""
    cdef size_t valid
    with nogil:
        valid = utf8_valid_prefix(&text[0], <size_t> text.shape[0])
    return valid


def properties(
    const uint32_t[::1] code_points,      # IN
    uint8_t[::1] found,                   # OUT, the class and bits of unicode_tables.h
):
    """What the tokeniser knows of each code point."""
    cdef Py_ssize_t i
    for i in range(code_points.shape[0]):
        found[i] = character_properties(code_points[i])
