"""Text becomes numbers: readers, tokeniser, the encoded corpus and its statistics."""

from wordgeo.corpus.concordance import Concordance, ContextLine, context
from wordgeo.corpus.downloads import fetch_file
from wordgeo.corpus.encoded import EncodedCorpus
from wordgeo.corpus.encoding import encode, encode_cached
from wordgeo.corpus.recipes import Recipe, fetch, find_recipe, recipes
from wordgeo.corpus.sources import Documents
from wordgeo.corpus.statistics import CorpusStats, stats

__all__ = [
    "Concordance",
    "ContextLine",
    "CorpusStats",
    "Documents",
    "EncodedCorpus",
    "Recipe",
    "context",
    "encode",
    "encode_cached",
    "fetch",
    "fetch_file",
    "find_recipe",
    "recipes",
    "stats",
]
