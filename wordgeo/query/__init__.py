"""Questions to one model: neighbours, analogies, arithmetic, the odd one out."""

from wordgeo.query.wordvectors import Neighbors, OddOneOut, WordVectors

__all__ = ["Neighbors", "OddOneOut", "WordVectors"]
