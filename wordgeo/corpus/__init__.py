"""Text becomes numbers: readers, tokeniser, the encoded corpus and its statistics."""

from wordgeo.corpus.encoded import EncodedCorpus
from wordgeo.corpus.encoding import encode, encode_cached
from wordgeo.corpus.readers import Documents
from wordgeo.corpus.recipes import Recipe, find_recipe, recipes
from wordgeo.corpus.statistics import CorpusStats, stats

__all__ = [
    "CorpusStats",
    "Documents",
    "EncodedCorpus",
    "Recipe",
    "encode",
    "encode_cached",
    "find_recipe",
    "recipes",
    "stats",
]
