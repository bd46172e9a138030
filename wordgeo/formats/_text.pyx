"""Lines of a word and numbers, and rows of word2vec binary. Every array comes from reader.py, which checks it all.

A number with at most 19 significant digits, below 2^53 without its point, times or over a power of ten up to 10^22 is
one exact integer and one exactly rounded operation away from the nearest double (Clinger, 1990). Any other token goes
to the function behind Python's float(), under the GIL. So a field always gives float32(float(field)).
"""

from cpython.exc cimport PyErr_Clear
from cpython.object cimport PyObject
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcpy

cdef extern from "Python.h":
    # -1 with an error set for what is no number; infinite, without an error, for what is too large.
    double PyOS_string_to_double(const char *text, char **end, PyObject *overflow)
    PyObject *PyErr_Occurred()

cpdef enum:
    GOOD = 0
    BLANK = 1
    EMPTY_WORD = 2
    TOO_FEW = 3
    TOO_MANY = 4
    NO_NUMBER = 5
    NOT_FINITE = 6

cdef double[23] POWERS
POWERS[:] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
]


cdef inline bint separates(uint8_t byte) noexcept nogil:
    return byte == b' ' or byte == b'\t'


cdef double exactly(const uint8_t *text, const uint8_t **end) noexcept with gil:
    """What Python's float() makes of the number at the front of `text`; *end stays at `text` if there is none."""
    cdef char *stop = <char *> text
    cdef double value = PyOS_string_to_double(<const char *> text, &stop, NULL)
    end[0] = <const uint8_t *> stop
    if PyErr_Occurred() != NULL:
        PyErr_Clear()
        end[0] = text
    return value


cdef inline int number(const uint8_t *text, const uint8_t *line_end, const uint8_t **next, float *value) noexcept nogil:
    """Reads one field; GOOD, NO_NUMBER or NOT_FINITE. A byte that ends any number follows the line."""
    cdef const uint8_t *p = text
    cdef uint64_t mantissa = 0
    cdef int digits = 0, seen = 0, scale = 0, exponent = 0
    cdef bint negative = False, exponent_negative = False, plain = True
    cdef double result
    cdef uint8_t digit
    if p < line_end and (p[0] == b'-' or p[0] == b'+'):
        negative = p[0] == b'-'
        p += 1
    while p < line_end:
        digit = <uint8_t> (p[0] - <uint8_t> b'0')
        if digit > 9:
            break
        seen = 1
        mantissa = mantissa * 10 + digit  # may wrap, to 0 even, but only beyond 19 digits, which are not used
        digits += mantissa != 0 or digits != 0
        p += 1
    if p < line_end and p[0] == b'.':
        p += 1
        while p < line_end:
            digit = <uint8_t> (p[0] - <uint8_t> b'0')
            if digit > 9:
                break
            seen = 1
            mantissa = mantissa * 10 + digit
            digits += mantissa != 0 or digits != 0
            scale -= 1
            p += 1
    if seen and p < line_end and (p[0] == b'e' or p[0] == b'E'):
        p += 1
        if p < line_end and (p[0] == b'-' or p[0] == b'+'):
            exponent_negative = p[0] == b'-'
            p += 1
        seen = 0
        while p < line_end:
            digit = <uint8_t> (p[0] - <uint8_t> b'0')
            if digit > 9:
                break
            seen = 1
            if exponent < 100000:
                exponent = exponent * 10 + digit
            p += 1
        scale += -exponent if exponent_negative else exponent
    plain = seen and digits <= 19 and mantissa < (<uint64_t> 1 << 53) and -22 <= scale <= 22
    if plain and (p == line_end or separates(p[0])):
        result = <double> mantissa
        result = result / POWERS[-scale] if scale < 0 else result * POWERS[scale]
        if negative:
            result = -result
    else:
        result = exactly(text, &p)
        if p == text or (p < line_end and not separates(p[0])):
            return NO_NUMBER
    next[0] = p
    value[0] = <float> result
    return GOOD if isfinite(value[0]) else NOT_FINITE


cdef int numbers(const uint8_t *p, const uint8_t *end, Py_ssize_t count, float *row) noexcept nogil:
    """Reads `count` fields that fill the rest of a line."""
    cdef Py_ssize_t i
    cdef int status
    for i in range(count):
        while p < end and separates(p[0]):
            p += 1
        if p == end:
            return TOO_FEW
        status = number(p, end, &p, row + i)
        if status != GOOD:
            return status
    return GOOD if p == end else TOO_MANY


cdef int line(const uint8_t *begin, const uint8_t **word_end, const uint8_t *end, Py_ssize_t count,
              float *row) noexcept nogil:
    """Splits a line without leading and trailing separators into a word, which ends at *word_end, and its numbers."""
    cdef const uint8_t *p = begin
    cdef const uint8_t *last
    cdef float ignored
    while p < end and not separates(p[0]):
        p += 1
    word_end[0] = p
    if numbers(p, end, count, row) == GOOD:
        return GOOD
    # The word may have spaces in it: then the numbers are the last fields, and no number stands before them.
    p = end
    for _ in range(count):
        while p > begin and separates((p - 1)[0]):
            p -= 1
        while p > begin and not separates((p - 1)[0]):
            p -= 1
    last = p
    while last > begin and separates((last - 1)[0]):
        last -= 1
    if last == begin:
        return TOO_FEW
    word_end[0] = last
    while last > begin and not separates((last - 1)[0]):
        last -= 1
    if last > begin and number(last, word_end[0], &last, &ignored) != NO_NUMBER:
        return TOO_MANY
    return numbers(p, end, count, row)


def parse_lines(
    const uint8_t[::1] text,              # IN, with a newline after the last line
    const int64_t[::1] begins,            # IN, where each line begins
    const int64_t[::1] ends,              # IN, where its newline is
    float[:, ::1] rows,                   # OUT, the numbers
    int64_t[::1] word_begins,             # OUT
    int64_t[::1] word_ends,               # OUT
    uint8_t[::1] states,                  # OUT, GOOD or what is wrong
):
    """Parses lines of a word and rows.shape[1] numbers, separated by spaces or tabs."""
    cdef Py_ssize_t i, count = rows.shape[1]
    cdef const uint8_t *base = &text[0]
    cdef const uint8_t *begin
    cdef const uint8_t *end
    cdef const uint8_t *word_end
    cdef bint indented
    with nogil:
        for i in range(rows.shape[0]):
            begin, end = base + begins[i], base + ends[i]
            while end > begin and (separates((end - 1)[0]) or (end - 1)[0] == b'\r'):
                end -= 1
            indented = begin < end and separates(begin[0])
            while begin < end and separates(begin[0]):
                begin += 1
            word_end = begin
            if begin == end:
                states[i] = BLANK
            elif indented and numbers(begin, end, count, &rows[i, 0]) == GOOD:
                states[i] = EMPTY_WORD
            else:
                states[i] = <uint8_t> line(begin, &word_end, end, count, &rows[i, 0])
            word_begins[i] = begin - base
            word_ends[i] = word_end - base


def parse_rows(
    const uint8_t[::1] data,              # IN
    Py_ssize_t most_word,                 # bytes
    float[:, ::1] rows,                   # OUT
    int64_t[::1] word_begins,             # OUT
    int64_t[::1] word_ends,               # OUT
):
    """Reads whole rows of word2vec binary; returns how many, where they end, and whether a word is too long."""
    cdef const uint8_t *base = &data[0]
    cdef const uint8_t *p = base
    cdef const uint8_t *end = base + data.shape[0]
    cdef const uint8_t *begin
    cdef const uint8_t *space
    cdef size_t size = 4 * <size_t> rows.shape[1], room
    cdef Py_ssize_t i = 0
    cdef bint endless = False
    with nogil:
        while i < rows.shape[0]:
            begin = p
            while begin < end and begin[0] == b'\n':
                begin += 1
            room = min(<size_t> (end - begin), <size_t> most_word + 1)
            space = <const uint8_t *> memchr(begin, b' ', room)
            if space == NULL:
                endless = room > <size_t> most_word
                break
            if <size_t> (end - space - 1) < size:
                break
            memcpy(&rows[i, 0], space + 1, size)
            word_begins[i] = begin - base
            word_ends[i] = space - base
            p = space + 1 + size
            i += 1
    return i, p - base, endless


def gather(
    const uint8_t[::1] text,              # IN
    const int64_t[::1] begins,            # IN
    const uint64_t[::1] offsets,          # IN, where each piece goes; pieces + 1
    uint8_t[::1] blob,                    # OUT, the pieces end to end
):
    """Lays pieces of a text end to end."""
    cdef Py_ssize_t i
    with nogil:
        for i in range(begins.shape[0]):
            memcpy(&blob[0] + offsets[i], &text[0] + begins[i], <size_t> (offsets[i + 1] - offsets[i]))
