"""Real vector files: gensim and we read the same bits, and what we refuse is refused by name."""

from pathlib import Path

import gensim
import pytest
from gensim.models import KeyedVectors

from wordgeo import formats
from wordgeo.errors import FormatError

GENSIM_DATA = Path(gensim.__file__).parent / "test/test_data"
KINDS = {
    "word2vec_pre_kv_c": "word2vec",
    "euclidean_vectors.bin": "word2vec-binary",
    "high_precision.kv.bin": "word2vec-binary",
    "high_precision.kv.txt": "word2vec",
    "lee_fasttext.vec": "word2vec",
    "pang_lee_polarity_fasttext.vec": "word2vec",
    "test_glove.txt": "glove",
    "crime-and-punishment.vec": "word2vec",
    "toy-model.vec": "word2vec",
    "EN.1-10.cbow1_wind5_hs0_neg10_size300_smpl1e-05.txt": "word2vec",
    "finalfusion_test_data/embeddings.w2v": "word2vec-binary",
    "finalfusion_test_data/utf8-incomplete.bin": "word2vec-binary",
    "glove.6B.50d.top5k.txt": "glove",
    "googlenews.300d.top1000.unit.bin": "word2vec-binary",
}
BROKEN_WORDS = {"pang_lee_polarity_fasttext.vec": 5, "finalfusion_test_data/utf8-incomplete.bin": 1}
REFUSED = {
    "toy-model.bin": "fastText",
    "crime-and-punishment.bin": "fastText",
    "non_ascii_fasttext.bin": "not a vector file",
    "lee_background.cor": "not a word and numbers",
    "finalfusion_test_data/embeddings.fifu": "finalfusion",
    "finalfusion_test_data/fasttext.bin": "fastText",
}


def find(name, request):
    if (GENSIM_DATA / name).is_file():
        return GENSIM_DATA / name
    vectors = request.getfixturevalue("shared_data") / "vectors"
    found = [path for path in (vectors / name, vectors / "gensim_test_data" / name) if path.is_file()]
    if not found:
        pytest.skip(f"{name} is neither in gensim's package nor in the folder of real data")
    return found[0]


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_the_same_bits_as_gensim(name, kind, request):
    path = find(name, request)
    if name in BROKEN_WORDS:
        with pytest.raises(FormatError, match="not UTF-8"):
            formats.load(path)
    ours = formats.load(path, encoding_errors="replace")
    theirs = KeyedVectors.load_word2vec_format(
        path, binary=kind == "word2vec-binary", no_header=kind == "glove", unicode_errors="replace"
    )
    assert ours.provenance["imported"]["format"] == kind
    assert ours.provenance["imported"]["words_with_replaced_bytes"] == BROKEN_WORDS.get(name, 0)
    assert ours.words == theirs.index_to_key
    assert ours.vectors.tobytes() == theirs.vectors.tobytes()


@pytest.mark.parametrize(("name", "message"), REFUSED.items())
def test_what_is_not_read_is_named(name, message, request):
    with pytest.raises(FormatError, match=message):
        formats.load(find(name, request))
