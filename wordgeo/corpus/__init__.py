"""Text becomes numbers: readers, tokeniser, the encoded corpus and its statistics."""

from wordgeo.corpus.encode import encode, encode_cached
from wordgeo.corpus.encoded import EncodedCorpus
from wordgeo.corpus.readers import Documents

__all__ = ["Documents", "EncodedCorpus", "encode", "encode_cached"]
