/* Words and sentences of UTF-8 text; reference.py is the same in Python, and says the rules as patterns. */
#include "tokenize.h"

#include <string.h>

#include "unicode_tables.h"

#define FULL 1

typedef const uint8_t *text_at;

/* A character at a place of the text: its length in bytes (0 at the end), code point and properties. */
typedef struct {
    uint32_t point;
    uint8_t length, properties, class;
} character;

uint8_t character_properties(uint32_t point) {
    return point > 0x10FFFF ? 0 : char_properties[char_pages[point / CHAR_PAGE] * CHAR_PAGE + point % CHAR_PAGE];
}

static inline character peek(text_at p, text_at end) {
    character c = {0, 0, 0, CHAR_OTHER};
    if (p >= end)
        return c;
    if (p[0] < 0x80)
        c.point = p[0], c.length = 1;
    else if (p[0] < 0xE0)
        c.point = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu), c.length = 2;
    else if (p[0] < 0xF0)
        c.point = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu), c.length = 3;
    else
        c.point = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu), c.length = 4;
    c.properties = character_properties(c.point);
    c.class = c.properties & CHAR_CLASS;
    return c;
}

static inline int is_alphanumeric(character c) { return c.class == CHAR_LETTER || c.class == CHAR_NUMBER; }
static inline int is_extending(character c) { return c.class == CHAR_EXTEND || c.class == CHAR_FORMAT; }
static inline int is_line_end(character c) { return c.point == '\n' || c.point == '\r'; }
static inline int is_blank(character c) { return c.properties & CHAR_SPACE && !is_line_end(c); }

static inline uint8_t ascii_lower(uint8_t byte) { return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte; }

static text_at after_extending(text_at p, text_at end) {
    for (character c = peek(p, end); is_extending(c); c = peek(p, end))
        p += c.length;
    return p;
}

/* ---- what comes out ---- */

static int emit(token_sink *sink, const uint8_t *word, size_t size) {
    const uint64_t hash = wordtable_hash(word, size);
    int64_t index;
    const uint64_t slot = wordtable_probe(&sink->table, word, size, hash, &index);
    if (index == WORDTABLE_ABSENT) {
        if (sink->table.words == sink->most_words)
            return FULL;
        index = (int64_t)wordtable_put(&sink->table, word, size, hash, slot);
        sink->counts[index] = 0;
        for (size_t i = 0; i < size; i++)
            if (word[i] >= 0x80) {
                sink->foreign[sink->foreigns++] = (uint32_t)index;
                break;
            }
    }
    sink->counts[index]++;
    sink->ids[sink->tokens++] = (uint32_t)index;
    return 0;
}

static void end_sentence(token_sink *sink) {
    if (sink->sentence_ends == 0 || sink->sentences[sink->sentence_ends - 1] != sink->tokens)
        sink->sentences[sink->sentence_ends++] = sink->tokens;
}

void end_document(token_sink *sink) {
    end_sentence(sink);
    if (sink->document_ends == 0 || sink->documents[sink->document_ends - 1] != sink->sentence_ends)
        sink->documents[sink->document_ends++] = sink->sentence_ends;
}

/* Takes one line end (\n, \r or \r\n) and returns what follows it. */
static text_at end_line(token_sink *sink, text_at p, text_at end, int blank) {
    p += p[0] == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
    sink->lines++;
    if (sink->line_ends || (sink->blank_ends && blank))
        end_document(sink);
    else
        end_sentence(sink);
    return p;
}

/* ---- words of prose ---- */

/* Copies the text to the scratch without format characters, curly apostrophes and hyphens as ASCII. */
static size_t copy(const token_sink *sink, text_at p, text_at end, size_t size) {
    while (p < end) {
        const character c = peek(p, end);
        if (c.class == CHAR_APOSTROPHE)
            sink->word[size++] = '\'';
        else if (c.class == CHAR_HYPHEN)
            sink->word[size++] = '-';
        else if (c.length == 1)
            sink->word[size++] = sink->lower ? ascii_lower(p[0]) : p[0];
        else if (c.class != CHAR_FORMAT) {
            memcpy(sink->word + size, p, c.length);
            size += c.length;
        }
        p += c.length;
    }
    return size;
}

/* `u.s.`: two or more single letters, each followed by a full stop. Returns its end, or `p`. */
static text_at acronym_end(text_at p, text_at end) {
    text_at found = p;
    for (int letters = 0;; letters++) {
        const character c = peek(p, end);
        const text_at stop = after_extending(p + c.length, end);
        if (c.class != CHAR_LETTER || stop >= end || *stop != '.')
            return letters >= 2 ? p : found;
        p = stop + 1;
    }
}

static text_at digits_end(text_at p, text_at end) {
    for (character c = peek(p, end); c.class == CHAR_NUMBER; c = peek(p, end))
        p += c.length;
    return p;
}

/* Whether exactly three digits begin at `p`, of which *after is the end; more may follow. */
static int three_digits(text_at p, text_at end, text_at *after) {
    for (int i = 0; i < 3; i++) {
        const character c = peek(p, end);
        if (c.class != CHAR_NUMBER)
            return 0;
        p += c.length;
    }
    *after = p;
    return 1;
}

static int number_may_end(text_at p, text_at end) {
    const character c = peek(p, end);
    return !is_alphanumeric(c) && c.class != CHAR_EXTEND;
}

/* The end of decimals such as `.25` at `p`, or NULL. */
static text_at decimals_end(text_at p, text_at end) {
    if (p >= end || *p != '.')
        return NULL;
    const text_at after = digits_end(p + 1, end);
    return after > p + 1 && number_may_end(after, end) ? after : NULL;
}

/* `1,234,567.8` and `3.5`: the end of a number whose comma or full stop belongs to it, or `p`. */
static text_at number_end(text_at p, text_at end) {
    const text_at whole = digits_end(p, end);
    text_at after = whole, before = p, three;
    int few = three_digits(p, end, &three) ? three == whole : whole > p; /* at most three digits */
    while (few && after < end && *after == ',' && three_digits(after + 1, end, &three)) {
        before = after == whole ? p : after;
        after = three;
    }
    const text_at decimals = decimals_end(after, end);
    if (decimals)
        return decimals;
    if (after == whole)
        return p;
    return number_may_end(after, end) ? after : before;
}

/* Letters and digits with what extends them, and single apostrophes, hyphens and middle dots inside. */
static text_at word_end(text_at p, text_at end, int *wordlike) {
    character c = peek(p, end);
    for (;;) {
        const uint8_t class = c.class;
        *wordlike |= c.properties & CHAR_WORDLIKE;
        p = after_extending(p + c.length, end);
        c = peek(p, end);
        if (is_alphanumeric(c))
            continue;
        text_at next = p + c.length;
        if (c.class == CHAR_MIDDLE && class == CHAR_LETTER)
            next = after_extending(next, end);
        else if (c.class != CHAR_APOSTROPHE && c.class != CHAR_HYPHEN)
            return p;
        const character follows = peek(next, end);
        if (!(c.class == CHAR_MIDDLE ? follows.class == CHAR_LETTER : is_alphanumeric(follows)))
            return p;
        p = next;
        c = follows;
    }
}

/* The word, or what else stands at `*p`: emits it and moves on. `s` after an apostrophe is a word of its own. */
static int take_word(token_sink *sink, text_at *at, text_at end, character c) {
    text_at p = *at, after;
    int wordlike = c.properties & CHAR_WORDLIKE, clitic = 0;
    size_t size = 0;
    if (c.class == CHAR_APOSTROPHE && p + c.length < end && ascii_lower(p[c.length]) == 's') {
        int unused = 0;
        after = p + c.length;
        if (acronym_end(after, end) > after || word_end(after, end, &unused) != after + 1) {
            *at = after;
            return 0;
        }
        *at = after + 1;
        return emit(sink, sink->word, copy(sink, p, *at, 0));
    }
    if (c.class == CHAR_NUMBER && (after = number_end(p, end)) > p) {
        for (; p < after; p++)
            if (*p != ',')
                sink->word[size++] = *p;
    } else if (c.class == CHAR_LETTER && (after = acronym_end(p, end)) > p) {
        size = copy(sink, p, after, 0);
    } else if (is_alphanumeric(c)) {
        after = word_end(p, end, &wordlike);
        size = copy(sink, p, after, 0);
        clitic = size > 2 && sink->word[size - 2] == '\'' && ascii_lower(sink->word[size - 1]) == 's';
    } else {
        after = after_extending(p + c.length, end);
        for (character d = peek(after, end); c.class == CHAR_KATAKANA && d.class == CHAR_KATAKANA;
             d = peek(after, end)) {
            wordlike |= d.properties & CHAR_WORDLIKE;
            after = after_extending(after + d.length, end);
        }
        size = wordlike ? copy(sink, p, after, 0) : 0;
    }
    *at = after;
    if (!wordlike)
        return 0;
    if (clitic)
        return emit(sink, sink->word, size - 2) || emit(sink, sink->word + size - 2, 2);
    return emit(sink, sink->word, size);
}

/* ---- sentences of prose ---- */

/* A small first letter here may be a capital in the text (but `MS.` is no `Ms.`); `ft` is feet, `Ft` a fort. */
static const char *const ABBREVIATIONS[] = {
    "adm", "al", "approx", "apr", "aug", "ave", "b", "bros", "c", "ca", "capt", "cf", "cmdr", "co", "col", "corp",
    "d", "dec", "dept", "dr", "ed", "eds", "esp", "esq", "est", "etc", "feb", "fig", "fl", "fr", "gen", "gov",
    "hon", "inc", "jan", "jr", "jul", "jun", "lt", "ltd", "maj", "mar", "messrs", "mme", "mr", "mrs", "ms", "mt",
    "no", "nos", "nov", "oct", "op", "p", "ph", "pp", "prof", "rd", "rep", "rev", "sec", "sen", "sep", "sept",
    "sgt", "spp", "sr", "st", "v", "viz", "vol", "vs", "Ft",
};

static int is_abbreviation(text_at p, text_at end) {
    for (size_t i = 0; i < sizeof ABBREVIATIONS / sizeof *ABBREVIATIONS; i++) {
        const char *known = ABBREVIATIONS[i];
        text_at q = p;
        while (q < end && *known && (*q == (uint8_t)*known || (q == p && ascii_lower(*q) == (uint8_t)*known)))
            q++, known++;
        if (q == end && !*known)
            return 1;
    }
    return 0;
}

static int is_closing(uint32_t c) {
    return c == '"' || c == '\'' || c == ')' || c == ']' || c == '}' || c == 0xBB || c == 0x2019 || c == 0x201D;
}

static int is_opening(uint32_t c) {
    return c == '"' || c == '\'' || c == '(' || c == '[' || c == '{' || c == 0xAB || c == 0x2018 || c == 0x201C;
}

/* The last character before `p` in a text that begins at `first`; nothing where there is none. */
static character peek_back(text_at first, text_at p) {
    text_at q = p;
    while (q > first && (*--q & 0xC0) == 0x80)
        ;
    return peek(q, p);
}

/* Whether the full stop after the word begin..end marks an abbreviation or a single initial. */
static int is_shortened(text_at first, text_at begin, text_at end) {
    for (text_at q = end; q > begin; q--)
        if (q[-1] == '-') { /* `Lee-St.` */
            first = begin = q;
            break;
        }
    const character c = peek(begin, end), before = peek_back(first, begin);
    if (c.class == CHAR_LETTER && !(c.properties & CHAR_LOWER) && after_extending(begin + c.length, end) == end)
        return !before.length || before.properties & CHAR_SPACE || is_opening(before.point) || before.point == '.' ||
               before.point == '-';
    return is_abbreviation(begin, end);
}

/* Whether the full stop, question or exclamation mark at `p` ends a sentence. `word` is where the word right before
 * it begins, or NULL; the text begins at `first`. */
static int is_sentence_end(text_at first, text_at word, text_at p, text_at end) {
    text_at q = p;
    while (q < end && (*q == '.' || *q == '?' || *q == '!'))
        q++;
    character c = peek(q, end);
    if (q == p + 1 && *p == '.' && word && is_blank(c) && is_shortened(first, word, p))
        return 0;
    for (; is_closing(c.point); c = peek(q, end))
        q += c.length;
    if (!is_blank(c))
        return 0;
    for (; is_blank(c); c = peek(q, end))
        q += c.length;
    for (; is_opening(c.point); c = peek(q, end))
        q += c.length;
    return c.properties & CHAR_WORDLIKE && !(c.properties & CHAR_LOWER);
}

static int tokenize_prose(token_sink *sink, text_at p, text_at end, int mid_line) {
    const text_at first = p;
    text_at begin = NULL, after = NULL; /* of the last word */
    int blank = !mid_line;
    while (p < end) {
        size_t size = 0;
        text_at q = p;
        /* A word of ASCII letters alone is most of what there is. */
        for (uint8_t folded; q < end && (uint8_t)((folded = *q | 0x20) - 'a') < 26; q++)
            sink->word[size++] = sink->lower ? folded : *q;
        if (size && (q == end || (*q < 0x80 && *q != '\'' && *q != '`' && *q != '-' && (uint8_t)(*q - '0') > 9 &&
                                  (*q != '.' || size > 1)))) {
            if (emit(sink, sink->word, size))
                return FULL;
            begin = p;
            p = after = q;
            blank = 0;
            continue;
        }
        const character c = peek(p, end);
        if (is_line_end(c)) {
            p = end_line(sink, p, end, blank);
            blank = 1;
            continue;
        }
        if (!(c.properties & CHAR_SPACE))
            blank = 0;
        if (c.point == '.' || c.point == '?' || c.point == '!') {
            if (is_sentence_end(first, after == p ? begin : NULL, p, end))
                end_sentence(sink);
            while (p < end && (*p == '.' || *p == '?' || *p == '!'))
                p++;
        } else if (c.class == CHAR_APOSTROPHE || c.class == CHAR_KATAKANA || is_alphanumeric(c) ||
                   (c.properties & CHAR_WORDLIKE)) {
            begin = p;
            if (take_word(sink, &p, end, c))
                return FULL;
            after = p;
        } else {
            p += c.length;
        }
    }
    return 0;
}

/* ---- text that is tokenised already ---- */

static int tokenize_lines(token_sink *sink, text_at p, text_at end, int mid_line) {
    int blank = !mid_line;
    while (p < end) {
        size_t size = 0;
        for (; p < end; p++) {
            if (*p > ' ' && *p < 0x80) {
                sink->word[size++] = sink->lower ? ascii_lower(*p) : *p;
                continue;
            }
            const character c = peek(p, end);
            if (c.properties & CHAR_SPACE || !c.point)
                break;
            memcpy(sink->word + size, p, c.length);
            size += c.length;
            p += c.length - 1;
        }
        if (size) {
            if (emit(sink, sink->word, size))
                return FULL;
            blank = 0;
        }
        if (p < end) {
            const character c = peek(p, end);
            if (is_line_end(c)) {
                p = end_line(sink, p, end, blank);
                blank = 1;
            } else {
                p += c.length;
            }
        }
    }
    return 0;
}

int tokenize(token_sink *sink, const uint8_t *text, size_t size, int mid_line) {
    return (sink->unicode ? tokenize_prose : tokenize_lines)(sink, text, text + size, mid_line);
}

/* ---- UTF-8 ---- */

size_t utf8_valid_prefix(const uint8_t *text, size_t size) {
    size_t i = 0;
    while (i < size) {
        uint64_t eight;
        while (i + 8 <= size && (memcpy(&eight, text + i, 8), !(eight & UINT64_C(0x8080808080808080))))
            i += 8;
        if (i == size)
            break;
        const uint8_t first = text[i];
        if (first < 0x80) {
            i++;
            continue;
        }
        /* The second byte's range keeps out surrogates, overlong forms and what lies beyond U+10FFFF. */
        const size_t more = first >= 0xC2 && first < 0xE0 ? 1 : first >= 0xE0 && first < 0xF0 ? 2
                          : first >= 0xF0 && first < 0xF5 ? 3 : 0;
        const uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        const uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (!more || i + more >= size || text[i + 1] < low || text[i + 1] > high)
            return i;
        for (size_t k = 2; k <= more; k++)
            if ((text[i + k] & 0xC0) != 0x80)
                return i;
        i += more + 1;
    }
    return size;
}
