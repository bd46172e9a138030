#include "best.h"

static int worse(const wordgeo_best *best, size_t i, size_t j) {
    if (best->scores[i] != best->scores[j])
        return best->scores[i] < best->scores[j];
    return best->rows[i] > best->rows[j];
}

static void swap(wordgeo_best *best, size_t i, size_t j) {
    const float score = best->scores[i];
    const int64_t row = best->rows[i];
    best->scores[i] = best->scores[j], best->rows[i] = best->rows[j];
    best->scores[j] = score, best->rows[j] = row;
}

static void sink(wordgeo_best *best, size_t i, size_t size) {
    for (size_t child; (child = 2 * i + 1) < size; i = child) {
        if (child + 1 < size && worse(best, child + 1, child))
            child++;
        if (!worse(best, child, i))
            return;
        swap(best, i, child);
    }
}

void wordgeo_best_offer(wordgeo_best *best, float score, int64_t row) {
    if (best->held < best->room) {
        size_t i = best->held++;
        best->scores[i] = score, best->rows[i] = row;
        for (; i > 0 && worse(best, i, (i - 1) / 2); i = (i - 1) / 2)
            swap(best, i, (i - 1) / 2);
    } else if (best->room > 0 &&
               (score > best->scores[0] || (score == best->scores[0] && row < best->rows[0]))) {
        best->scores[0] = score, best->rows[0] = row;
        sink(best, 0, best->held);
    }
}

void wordgeo_best_sort(wordgeo_best *best) {
    for (size_t size = best->held; size > 1; size--) {
        swap(best, 0, size - 1);
        sink(best, 0, size - 1);
    }
}
