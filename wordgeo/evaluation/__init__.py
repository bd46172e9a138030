"""Benchmarks of analogies and word similarities, with protocols that reproduce other tools, and intervals."""

from wordgeo.evaluation.categories import CategoryReport
from wordgeo.evaluation.compare import ComparisonReport, ProtocolReport, compare_models, compare_protocols
from wordgeo.evaluation.objectives import METHODS
from wordgeo.evaluation.protocols import PROTOCOLS, Protocol
from wordgeo.evaluation.report import AnalogyReport, SimilarityReport
from wordgeo.evaluation.run import evaluate
from wordgeo.evaluation.suites import SUITES, AnalogySuite, CategorySuite, SimilaritySuite, load_suite

__all__ = [
    "METHODS",
    "PROTOCOLS",
    "SUITES",
    "AnalogyReport",
    "AnalogySuite",
    "CategoryReport",
    "CategorySuite",
    "ComparisonReport",
    "Protocol",
    "ProtocolReport",
    "SimilarityReport",
    "SimilaritySuite",
    "compare_models",
    "compare_protocols",
    "evaluate",
    "load_suite",
]
