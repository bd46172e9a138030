"""The instruction set on which the kernels run: the best that there is, or the one that `WORDGEO_ISA` names."""

from __future__ import annotations

import os

from wordgeo import _fast
from wordgeo.errors import OptionError

__all__ = ["LEVELS", "choose_instruction_set"]

# Every level contains those before it. One without kernels of its own is not offered.
LEVELS = ("baseline", "avx2", "avx512", "vnni", "amx")


def choose_instruction_set() -> str:
    """Applies `WORDGEO_ISA` and returns the set in use.

    Raises `OptionError` if the variable names a set that this build or this processor does not have. Results are the
    same bytes on all of them; the variable serves tests and measurements.
    """
    wanted = os.environ.get("WORDGEO_ISA", "").strip()
    if wanted and not _fast.use_instruction_set(wanted):
        known = "" if wanted in LEVELS else f" (the names are {', '.join(LEVELS)})"
        raise OptionError(
            f"WORDGEO_ISA is {wanted!r}{known}; this build on this processor runs {', '.join(_fast.instruction_sets())}"
        )
    return str(_fast.instruction_set())
