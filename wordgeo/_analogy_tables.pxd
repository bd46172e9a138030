"""What the screen of analogies takes from the tables: a tile of rows, a question's aims, and what fills them."""

from libc.stdint cimport int16_t, int32_t, uint32_t

from wordgeo._analogy_rule cimport space

cdef extern from "analogies.h" nogil:
    ctypedef struct aims_of_question "wordgeo_aims":
        double floor
        double gold
        double slack
        double shift
        double more

# A tile of rows, and the sums of one question or several with it: those of questions with the same (a, b) begin alike.
cdef struct tile:
    Py_ssize_t at  # its first place among the rows that may answer
    Py_ssize_t count
    double row_error  # of the rows' codes
    double unit  # what a cosine of 1 is in the table
    const int16_t *base  # of a and b
    const int16_t *terms  # of c: one line for each word of the group
    size_t width  # of a line
    uint32_t *zeros  # zero rows score 0 by DIRECTION, which no sum knows
    size_t n_zeros


cdef bint quantise_tile(const space *where, tile *here, int16_t[::1] row, int16_t[::1] codes) noexcept nogil
cdef bint tabulate(const space *where, const tile *here, const int16_t[::1] codes, const int16_t[:, ::1] words,
                   const double[::1] word_errors, const int32_t *members, Py_ssize_t n, int16_t[:, ::1] word_codes,
                   int16_t[:, ::1] table, int16_t[:, ::1] made, double *errors, int32_t *alone) noexcept nogil
cdef void set_slack(const space *where, const tile *here, const int32_t *words, const int32_t *places,
                    const double[::1] word_errors, const double *errors, double length, double shift, double margin,
                    aims_of_question *aims) noexcept nogil
