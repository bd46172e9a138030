"""What survives another run: several models of the same corpus side by side, and change that is more than that.

The module can be called: `wordgeo.stability(models)` is `wordgeo.stability.measure.stability(models)`, since users type
`wg.stability(...)` and the package of this name is an attribute of `wordgeo` as soon as anything imports it.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from wordgeo.stability.alignment import Alignment, Precision, align, read_dictionary
from wordgeo.stability.compare import ChangeReport, compare_spaces
from wordgeo.stability.ensemble import Agreement, Ensemble
from wordgeo.stability.measure import stability as _stability
from wordgeo.stability.report import StabilityReport
from wordgeo.stability.scores import RunScores, scores_over_runs
from wordgeo.stability.shape import Isometry, isometry
from wordgeo.stability.trust import TrustedAnswers, TrustedNeighbors

__all__ = [
    "Agreement",
    "Alignment",
    "ChangeReport",
    "Ensemble",
    "Isometry",
    "Precision",
    "RunScores",
    "StabilityReport",
    "TrustedAnswers",
    "TrustedNeighbors",
    "align",
    "compare_spaces",
    "isometry",
    "read_dictionary",
    "scores_over_runs",
]


class _Callable(ModuleType):
    def __call__(self, *models: Any, **options: Any) -> StabilityReport:
        return _stability(*models, **options)


_Callable.__call__.__doc__ = _stability.__doc__
sys.modules[__name__].__class__ = _Callable
