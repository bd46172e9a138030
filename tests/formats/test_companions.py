"""The model folder as other packages open it, and the model card."""

import json
import subprocess
import sys

import numpy as np
import pytest

from wordgeo import formats
from wordgeo.embeddings import Embeddings
from wordgeo.formats.card import model_card
from wordgeo.vocabulary import Vocabulary

OFFLINE = """
import os, socket, sys
os.environ["HF_HUB_OFFLINE"] = "1"
socket.socket.connect = lambda *_: sys.exit("asked the network")
"""


def save(tmp_path, words, **provenance):
    matrix = np.random.default_rng(3).standard_normal((len(words), 4)).astype(np.float32)
    formats.save(Embeddings(Vocabulary.from_words(words), matrix, provenance=provenance), tmp_path / "m")
    return tmp_path / "m", matrix


def test_model2vec_gives_our_vectors_without_the_network(embeddings, tmp_path):
    formats.save(embeddings, tmp_path / "m")
    words = [*embeddings.words, "unheard-of", "THE", "cafe\u0301", "the of", "the unheard-of"]
    script = OFFLINE + (
        "import sys, numpy as np\nfrom model2vec import StaticModel\n"
        f"model = StaticModel.from_pretrained({str(tmp_path / 'm')!r})\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, model.encode({words!r}))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    out, rows = np.load(tmp_path / "out.npy"), embeddings.vectors
    n = len(embeddings)
    np.testing.assert_array_equal(out[:n], rows)  # not normalised
    assert not out[n].any()
    np.testing.assert_array_equal(out[n + 1], rows[0])  # the corpus was lower-cased
    np.testing.assert_array_equal(out[n + 2], rows[2])  # and in NFC
    np.testing.assert_allclose(out[n + 3], (rows[0] + rows[1]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(out[n + 4], rows[0])  # unknown words do not count


def test_tokenizers_gives_the_rows(tmp_path):
    from tokenizers import Tokenizer

    folder, _ = save(tmp_path, ["the", "[UNK]", "[[UNK]]", "The", "new york"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("the The [UNK] zebra [[UNK]] new york").ids == [0, 3, 1, 5, 2, 5, 5]
    assert tokenizer.get_vocab()["[[[UNK]]]"] == 5
    assert tokenizer.get_vocab_size() == 6


def test_a_vocabulary_with_the_unknown_token_in_it_works(tmp_path):
    from model2vec import StaticModel

    folder, matrix = save(tmp_path, ["the", "[UNK]"])
    np.testing.assert_array_equal(StaticModel.from_pretrained(folder).encode(["[UNK]", "the"]), matrix[[1, 0]])
    assert formats.load(folder).words == ["the", "[UNK]"]


def test_words_that_are_not_nfc_can_still_be_met(tmp_path):
    from tokenizers import Tokenizer

    folder, _ = save(tmp_path, ["cafe\u0301", "b"])
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).encode("cafe\u0301 b").ids == [0, 1]


def test_sentence_transformers_is_pointed_to_the_folder_itself(embeddings, tmp_path):
    formats.save(embeddings, tmp_path / "m")
    modules = json.loads((tmp_path / "m/modules.json").read_text())
    assert modules == [{"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}]


def test_long_texts_are_not_cut(tmp_path):
    from model2vec import StaticModel

    folder, matrix = save(tmp_path, ["a", "b"])
    out = StaticModel.from_pretrained(folder).encode(["a " * 1000 + "b " * 1000])
    np.testing.assert_allclose(out[0], matrix.mean(axis=0), rtol=1e-4)


def test_the_card_says_what_is_known(embeddings):
    card = model_card(embeddings)
    assert "8 words × 5 dimensions" in card and "skip-gram with negative sampling" in card
    assert "| corpus.fingerprint | abc |" in card and 'model.similar("the", k=10)' in card
    assert "bring it to lower case" in card


@pytest.mark.parametrize("word", ['say "no"', "back\\slash", "{braces}", "```"])
def test_odd_words_and_values_do_not_break_the_card(word):
    vectors = np.ones((1, 2), dtype=np.float32)
    card = model_card(Embeddings(Vocabulary.from_words([word]), vectors, provenance={"note|": "a|b\nc"}))
    assert f"model.encode([{json.dumps(word)}])" in card
    assert "| note\\| | a\\|b c |" in card
    assert "Vectors brought in from elsewhere" in card


def test_a_card_without_provenance():
    card = model_card(Embeddings(Vocabulary.from_words(["a"]), np.ones((1, 2), dtype=np.float32)))
    assert "Nothing is recorded about it." in card
