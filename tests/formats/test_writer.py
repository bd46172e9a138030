"""Writing vector files: gensim and we read back the same bits, and words that do not fit are refused."""

import gzip

import numpy as np
import pytest
from gensim.models import KeyedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wordgeo import formats
from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError, OutputError
from wordgeo.vocabulary import Vocabulary

NAMES = {"v.vec": "word2vec", "v.txt": "word2vec", "v.bin": "word2vec-binary", "v.glove": "glove"}


def make(words, matrix=None):
    if matrix is None:
        matrix = np.arange(1, 2 * len(words) + 1, dtype=np.float32).reshape(-1, 2) / 3
    return Embeddings(Vocabulary.from_words(words), matrix)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("name", "kind"), NAMES.items())
def test_gensim_and_we_read_the_same_bits(embeddings, tmp_path, name, kind, suffix):
    path = tmp_path / (name + suffix)
    formats.export(embeddings, path)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == bool(suffix)
    ours = formats.load(path)
    theirs = KeyedVectors.load_word2vec_format(path, binary=kind == "word2vec-binary", no_header=kind == "glove")
    assert ours.words == theirs.index_to_key == embeddings.words
    assert ours.vectors.tobytes() == theirs.vectors.tobytes() == embeddings.vectors.tobytes()
    assert ours.provenance["imported"]["format"] == kind


@pytest.mark.parametrize("name", ["a.vec.gz", "a.bin.gz"])
def test_compressed_files_have_the_same_bytes_whatever_the_time_and_the_name(embeddings, tmp_path, name, monkeypatch):
    formats.export(embeddings, tmp_path / name)
    monkeypatch.setattr(gzip.time, "time", lambda: 1.0)
    formats.export(embeddings, tmp_path / f"other-{name}")
    assert (tmp_path / name).read_bytes() == (tmp_path / f"other-{name}").read_bytes()


def test_the_layouts(tmp_path):
    model = make(["a", "bc"], np.array([[0.5, -1], [1e-8, 3]], dtype=np.float32))
    formats.export(model, tmp_path / "t", format="word2vec")
    assert (tmp_path / "t").read_bytes() == b"2 2\na 0.5 -1\nbc 9.99999994e-09 3\n"
    formats.export(model, tmp_path / "g", format="glove")
    assert (tmp_path / "g").read_bytes() == b"a 0.5 -1\nbc 9.99999994e-09 3\n"
    formats.export(model, tmp_path / "b", format="word2vec-binary")
    rows = [b"a " + model.vectors[0].tobytes() + b"\n", b"bc " + model.vectors[1].tobytes() + b"\n"]
    assert (tmp_path / "b").read_bytes() == b"2 2\n" + b"".join(rows)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_anything_that_is_written_is_read_back(tmp_path_factory, data):
    word = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters=" \t\n\r\v\f"), min_size=1)
    words = data.draw(st.lists(word, min_size=1, max_size=5, unique=True))
    matrix = data.draw(arrays(np.float32, (len(words), data.draw(st.integers(1, 4))), elements=finite))
    kind = data.draw(st.sampled_from(sorted(set(NAMES.values()))))
    path = tmp_path_factory.getbasetemp() / "any"
    try:
        formats.export(make(words, matrix), path, format=kind, overwrite=True)
    except OptionError:  # a first row that would pass for a header
        assert kind == "glove"
        return
    read = formats.load(path, format=kind)
    assert read.words == words
    assert read.vectors.tobytes() == matrix.tobytes()


@pytest.mark.parametrize("space", [" ", "\n", "\t", "\r", "\v", "\f"])
@pytest.mark.parametrize("kind", ["word2vec", "word2vec-binary", "glove"])
def test_words_with_spaces(tmp_path, space, kind):
    model = make(["new" + space + "york", "old"])
    with pytest.raises(OptionError, match=r"1 of 2 words have one.*replace_spaces=\"_\""):
        formats.export(model, tmp_path / "v", format=kind)
    assert not list(tmp_path.iterdir())
    formats.export(model, tmp_path / "v", format=kind, replace_spaces="_")
    assert formats.load(tmp_path / "v").words == ["new_york", "old"]


def test_replacing_spaces_must_not_join_words(tmp_path):
    model = make(["new_york", "new york"])
    with pytest.raises(OptionError, match="'new_york' and 'new york' become the same word"):
        formats.export(model, tmp_path / "v.vec", replace_spaces="_")
    for sign in ("", " ", "\n"):
        with pytest.raises(OptionError, match="replace_spaces is"):
            formats.export(model, tmp_path / "v.vec", replace_spaces=sign)
    formats.export(model, tmp_path / "v.vec", replace_spaces="::")
    assert formats.load(tmp_path / "v.vec").words == ["new_york", "new::york"]


@pytest.mark.parametrize("word", ["5", "\ufeffa"])
def test_a_first_row_that_reads_as_a_header(tmp_path, word):
    model = make([word, "b"], np.array([[3], [4]], dtype=np.float32))
    with pytest.raises(OptionError, match="would be read as a header"):
        formats.export(model, tmp_path / "v.glove")
    formats.export(model, tmp_path / "v.vec")
    assert formats.load(tmp_path / "v.vec").words == [word, "b"]


def test_names_and_formats_that_are_none(embeddings, tmp_path):
    for name in ("v", "v.kv", "v.gz", "v.npy"):
        with pytest.raises(OptionError, match=r"the suffix says no vector format \(.txt, .vec, .bin, .glove"):
            formats.export(embeddings, tmp_path / name)
    with pytest.raises(OptionError, match="choose one of word2vec"):
        formats.export(embeddings, tmp_path / "v.vec", format="wordgeo")
    with pytest.raises(OptionError, match="no words"):
        formats.export(make([], np.empty((0, 2), dtype=np.float32)), tmp_path / "v.vec")
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept_unless_told_otherwise(embeddings, tmp_path):
    (tmp_path / "v.vec").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        formats.export(embeddings, tmp_path / "v.vec")
    assert (tmp_path / "v.vec").read_text() == "precious"
    formats.export(embeddings, tmp_path / "v.vec", overwrite=True)
    assert formats.load(tmp_path / "v.vec").words == embeddings.words


def test_convert_goes_by_the_name_of_the_target(embeddings, tmp_path):
    formats.save(embeddings, tmp_path / "model")
    formats.convert(tmp_path / "model", tmp_path / "v.bin.gz")
    converted = formats.convert(tmp_path / "v.bin.gz", tmp_path / "again")
    assert formats.is_model(tmp_path / "again")
    assert converted.provenance["imported"]["format"] == "word2vec-binary"
    assert formats.load(tmp_path / "again").vectors.tobytes() == embeddings.vectors.tobytes()
    formats.convert(tmp_path / "again", tmp_path / "odd.vec", format="wordgeo")
    assert formats.is_model(tmp_path / "odd.vec")
    formats.convert(tmp_path / "again", tmp_path / "plain", format="glove")
    assert formats.load(tmp_path / "plain").provenance["imported"]["format"] == "glove"
