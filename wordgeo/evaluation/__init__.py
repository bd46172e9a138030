"""Benchmarks of analogies, relations and similarities, with protocols that reproduce other tools, and intervals."""

from wordgeo.evaluation.analogy_report import AnalogyReport
from wordgeo.evaluation.categories import CategoryReport
from wordgeo.evaluation.choices import ChoiceReport
from wordgeo.evaluation.compare import ComparisonReport, compare_models
from wordgeo.evaluation.objectives import METHODS
from wordgeo.evaluation.protocol_report import ProtocolReport, compare_protocols
from wordgeo.evaluation.protocols import PROTOCOLS, Protocol
from wordgeo.evaluation.registry import SUITES, SuiteList, SuiteRecipe, fetch_suite, find_suite, load_suite, suites
from wordgeo.evaluation.relations import RelationReport
from wordgeo.evaluation.run import evaluate
from wordgeo.evaluation.similarity_report import SimilarityReport
from wordgeo.evaluation.suites import AnalogySuite, CategorySuite, ChoiceSuite, RelationSuite, SimilaritySuite

__all__ = [
    "METHODS",
    "PROTOCOLS",
    "SUITES",
    "AnalogyReport",
    "AnalogySuite",
    "CategoryReport",
    "CategorySuite",
    "ChoiceReport",
    "ChoiceSuite",
    "ComparisonReport",
    "Protocol",
    "ProtocolReport",
    "RelationReport",
    "RelationSuite",
    "SimilarityReport",
    "SimilaritySuite",
    "SuiteList",
    "SuiteRecipe",
    "compare_models",
    "compare_protocols",
    "evaluate",
    "fetch_suite",
    "find_suite",
    "load_suite",
    "suites",
]
