"""How many runs are enough: intervals against the number of runs, foretold from those at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wordgeo.results import Table
from wordgeo.stability.intervals import LEAST_MODELS, jackknife
from wordgeo.stability.lists import PairSums

__all__ = ["RunsNeeded", "runs_needed"]

RUNS = (5, 7, 10, 15, 20, 30, 50, 100)
PRECISION, WORD_PRECISION = 0.02, 0.1


@dataclass(frozen=True)
class RunsNeeded:
    """Half the width of the interval of mean overlap (`overall`), and of a single word's (`word`), for `runs` runs.

    The jackknife's error over the runs at hand falls with their root, and t with their number. `enough` is the least
    number of runs with ± 0.02 for the mean, `enough_word` that with ± 0.1 for the median word; None beyond 1,000.
    """

    runs: tuple[int, ...]
    overall: tuple[float, ...]
    word: tuple[float, ...]
    enough: int | None
    enough_word: int | None

    def table(self) -> Table:
        """One row for each number of runs."""
        notes = [
            f"For ± {PRECISION:g} of the mean: {_said(self.enough)}; "
            f"for ± {WORD_PRECISION:g} of a single word (median): {_said(self.enough_word)}."
        ]
        rows = list(zip(self.runs, self.overall, self.word, strict=True))
        return Table(("runs", "± mean overlap", "± overlap of a word"), rows, "how many runs are enough", notes)


def runs_needed(sums: PairSums, level: float) -> RunsNeeded | None:
    """From the overlaps of at least 5 runs; None for fewer."""
    from scipy.special import stdtrit

    count = sums.of_model["overlap"].shape[1]
    if count < LEAST_MODELS:
        return None
    of_pairs = len(sums.pairs)
    total, of_model = sums.words["overlap"] * of_pairs, sums.of_model["overlap"]
    ends = jackknife(total.mean(), of_model.mean(axis=0), level), jackknife(total, of_model, level)
    assert ends[0] is not None and ends[1] is not None
    now = [float(np.median((high - low) / 2)) for low, high in (ends[0], ends[1])]
    unit = [half / stdtrit(count - 1, (1 + level) / 2) * count**0.5 for half in now]

    def half(error: float, runs: int) -> float:
        return float(error * stdtrit(runs - 1, (1 + level) / 2) / runs**0.5)

    def least(error: float, precision: float) -> int | None:
        return next((runs for runs in range(LEAST_MODELS, 1001) if half(error, runs) <= precision), None)

    return RunsNeeded(
        RUNS,
        tuple(half(unit[0], runs) for runs in RUNS),
        tuple(half(unit[1], runs) for runs in RUNS),
        least(unit[0], PRECISION),
        least(unit[1], WORD_PRECISION),
    )


def _said(runs: int | None) -> str:
    return "more than 1000 runs" if runs is None else f"{runs} runs"
