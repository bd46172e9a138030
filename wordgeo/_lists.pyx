"""Lists of neighbours in several models, and how alike they are."""

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


def overlaps(
    const int64_t[:, :, ::1] lists,    # IN [models, words, k] neighbours by rank, as rows of a shared vocabulary
    double p,                          # persistence of rank-biased overlap, in (0, 1)
    int64_t[:, ::1] common,            # OUT [words, pairs] how many neighbours two models share, (0, 1), (0, 2)...
    double[:, ::1] rbo,                # OUT [words, pairs]
    int64_t[:, ::1] joint,             # OUT [words, 2] how many are in all lists, and in any
    int64_t[::1] stamps,               # scratch [shared rows], all 0 on entry; needs a new array for each call
    int64_t[::1] ranks,                # scratch [shared rows]
    int64_t[::1] depths,               # scratch [k + 1]
):
    """How far lists of neighbours agree, for every word and every pair of models. False where a list repeats a row.

    rbo is rank-biased overlap, extrapolated (Webber, Moffat & Zobel 2010, equation 32, for lists of the same length):
    X(k)/k p^k + (1 - p)/p sum over d = 1..k of X(d)/d p^d, where X(d) is the overlap of the first d.
    """
    cdef Py_ssize_t models = lists.shape[0], words = lists.shape[1], k = lists.shape[2], w, i, j, r, pair
    cdef int64_t mark = 0, shared, item
    cdef double total, weight
    cdef bint unique = True
    with nogil:
        for w in range(words):
            pair = 0
            for i in range(models):
                mark += 1
                for r in range(k):
                    item = lists[i, w, r]
                    if stamps[item] == mark:
                        unique = False
                    stamps[item] = mark
                    ranks[item] = r
                for j in range(i + 1, models):
                    for r in range(k + 1):
                        depths[r] = 0
                    for r in range(k):
                        item = lists[j, w, r]
                        if stamps[item] == mark:
                            depths[(ranks[item] if ranks[item] > r else r) + 1] += 1
                    shared = 0
                    total = 0
                    weight = 1
                    for r in range(1, k + 1):
                        shared += depths[r]
                        weight *= p
                        total += <double> shared / r * weight
                    common[w, pair] = shared
                    rbo[w, pair] = <double> shared / k * weight + (1 - p) / p * total
                    pair += 1
            # in all and in any: how often each neighbour is met
            mark += 1
            joint[w, 0] = joint[w, 1] = 0
            for i in range(models):
                for r in range(k):
                    item = lists[i, w, r]
                    if stamps[item] != mark:
                        stamps[item] = mark
                        ranks[item] = 0
                        joint[w, 1] += 1
                    ranks[item] += 1
                    if ranks[item] == models:
                        joint[w, 0] += 1
    return unique


def unions(
    const int64_t[:, :, ::1] lists,    # IN [models, words, k] neighbours, as rows of a shared vocabulary
    int64_t[::1] rows,                 # OUT [models * words * k] those in any list of a word, word after word
    int64_t[::1] counts,               # OUT [words] how many
    int64_t[:, :, ::1] places,         # OUT [models, words, k] where each neighbour is among them
    int64_t[::1] stamps,               # scratch [shared rows], all 0 on entry; needs a new array for each call
    int64_t[::1] at,                   # scratch [shared rows]
):
    """The neighbours that each word has in any model, by when they are met first. Returns how many there are."""
    cdef Py_ssize_t w, m, r
    cdef int64_t found = 0, item
    with nogil:
        for w in range(lists.shape[1]):
            counts[w] = -found
            for m in range(lists.shape[0]):
                for r in range(lists.shape[2]):
                    item = lists[m, w, r]
                    if stamps[item] != w + 1:
                        stamps[item], at[item], rows[found] = w + 1, found, item
                        found += 1
                    places[m, w, r] = at[item]
            counts[w] += found
    return found


def second_order(
    const int64_t[:, :, ::1] places,   # IN [models, words, k] as made by `unions`
    const uint8_t[:, ::1] member,      # IN [rows in any list, models] whether they are in the list of this model
    const float[:, ::1] cosines,       # IN [rows in any list, models] of the word and this row
    double[:, ::1] out,                # OUT [words, pairs], 0 where the cosines of either are
):
    """Cosines between the similarities that a word has in two models to its neighbours in either of them."""
    cdef Py_ssize_t models = places.shape[0], k = places.shape[2], w, i, j, r, u, pair
    cdef double product, x, y
    with nogil:
        for w in range(places.shape[1]):
            pair = 0
            for i in range(models):
                for j in range(i + 1, models):
                    product = x = y = 0
                    for r in range(2 * k):
                        u = places[i, w, r] if r < k else places[j, w, r - k]
                        if r < k or not member[u, i]:
                            product += <double> cosines[u, i] * cosines[u, j]
                            x += <double> cosines[u, i] * cosines[u, i]
                            y += <double> cosines[u, j] * cosines[u, j]
                    out[w, pair] = product / sqrt(x * y) if x * y > 0 else 0
                    pair += 1


def count_draws(
    const uint64_t[:, ::1] numbers,    # IN [resamples, words / 2, rounded up] at random
    double[:, ::1] counts,             # OUT [resamples, words] how often each is drawn
):
    """As many words as there are, drawn with replacement by the halves of numbers.

    A word's share of all 2**32 halves is off by less than one of them.
    """
    cdef Py_ssize_t words = counts.shape[1], sample, i
    cdef uint64_t number
    with nogil:
        for sample in range(counts.shape[0]):
            for i in range(words):
                counts[sample, i] = 0
            for i in range(words):
                number = numbers[sample, i // 2] >> 32 * (i % 2)
                counts[sample, <Py_ssize_t> (<uint64_t> <uint32_t> number * <uint64_t> words >> 32)] += 1
