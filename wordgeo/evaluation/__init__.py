"""Benchmarks of analogies and word similarities, with protocols that reproduce other tools, and intervals."""

from wordgeo.evaluation.protocols import PROTOCOLS, Protocol
from wordgeo.evaluation.report import AnalogyReport, SimilarityReport
from wordgeo.evaluation.run import evaluate
from wordgeo.evaluation.suites import SUITES, AnalogySuite, SimilaritySuite, load_suite

__all__ = [
    "PROTOCOLS",
    "SUITES",
    "AnalogyReport",
    "AnalogySuite",
    "Protocol",
    "SimilarityReport",
    "SimilaritySuite",
    "evaluate",
    "load_suite",
]
