"""Stop words, digits and lengths: the same as filtering the words of the plain encoding, counted, for any threads."""

import itertools
import json
import logging
import re

import pytest

from wordgeo.corpus import Documents, EncodedCorpus, encode, encode_cached, joiner, readers
from wordgeo.errors import CorpusError, FormatError, NotFoundError, OptionError
from wordgeo.formats import load
from wordgeo.training import TrainingConfig, train

TEXT = (
    "The cat saw 1984 mice in 2001. They were 19th-century mice, of course!\n\n"
    "Of the.\n\nÉtés and ٣٤ are ½ of an e\u0301te\u0301 at 10.04.\nA bb ccc dddd 3.5 3.6\n"
) * 9


def texts(corpus):
    words = corpus.vocabulary.words
    sentences = [[words[i] for i in corpus.ids[a:b]] for a, b in itertools.pairwise(corpus.sentences.tolist())]
    return [sentences[a:b] for a, b in itertools.pairwise(corpus.documents.tolist())]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def stop_words(tmp_path):
    path = tmp_path / "stop.txt"
    path.write_bytes("\ufeffTHE\r\n\r\nof\n  été \nnever-seen\n1984".encode())
    return path


def test_the_defaults_are_what_they_were_before_there_were_filters(tmp_path):
    documents = Documents(["The cat sat in 1984. New York!\n\nDr. Smith, été", "x"])
    plain = encode(documents, tmp_path / "a")
    assert plain.fingerprint == "087a62e156e8d131611e9e0c42d7281d"
    given = encode(
        documents,
        tmp_path / "b",
        digits="keep",
        min_length=1,
        max_length=None,
        phrases=0,
        phrases_min_count=5,
        phrases_threshold=10.0,
    )
    assert contents(plain.path) == contents(given.path)
    assert not {"digits", "dropped", "phrases"} & set(plain.info)


def test_filters_do_what_a_loop_over_the_words_does(tmp_path, stop_words, monkeypatch, caplog):
    monkeypatch.setattr(joiner, "REMAP_TOKENS", 11)
    plain = encode(Documents([TEXT]), tmp_path / "plain")
    dropped = {"stop_words": [], "min_length": [], "max_length": []}

    def kept(word):
        if word in ("the", "of", "été", "1984"):
            dropped["stop_words"].append(word)
            return None
        word = re.sub(r"\d", "0", word)
        short, long = len(word) < 2, len(word) > 4
        if short or long:
            dropped["min_length" if short else "max_length"].append(word)
        return None if short or long else word

    expected = [[[new for word in s if (new := kept(word))] for s in document] for document in texts(plain)]
    expected = [[s for s in document if s] for document in expected]
    options = {"stop_words": stop_words, "digits": "zero", "min_length": 2, "max_length": 4}
    with caplog.at_level(logging.WARNING):
        corpus = encode(Documents([TEXT]), tmp_path / "c", **options)
    assert texts(corpus) == [document for document in expected if document]
    assert {"0000", "00", "0.0"} <= set(corpus.vocabulary.words) and "2001" not in corpus.vocabulary.words
    corpus.check()
    info = json.loads((tmp_path / "c" / "corpus.json").read_text())
    assert {name: part["tokens"] for name, part in info["dropped"].items()} == {k: len(v) for k, v in dropped.items()}
    assert info["dropped"]["stop_words"]["types"] == 4
    total = sum(part["tokens"] for part in info["dropped"].values())
    assert total == len(plain) - len(corpus) > 0 and f"{total} tokens were dropped" in caplog.text
    assert (info["digits"], info["min_length"], info["max_length"]) == ("zero", 2, 4)
    assert info["stop_words"]["words"] == 5 and len(info["stop_words"]["blake2b"]) == 64
    assert info["pruned"] == {"types": 0, "tokens": 0}
    pruned = encode(Documents([TEXT]), tmp_path / "p", **options, max_vocab=3)
    assert pruned.vocabulary.words == corpus.vocabulary.words[:3]
    assert pruned.info["pruned"] == {"types": len(corpus.vocabulary) - 3, "tokens": len(corpus) - len(pruned)}
    assert pruned.info["dropped"] == corpus.info["dropped"]


def test_threads_and_blocks_do_not_matter(tmp_path, stop_words, monkeypatch):
    (tmp_path / "x").write_text(TEXT)
    options = {"stop_words": stop_words, "digits": "zero", "min_length": 2, "phrases": 2, "phrases_min_count": 1}
    first = None
    for size, threads in [(1 << 20, 1), (200, 1), (200, 3)]:
        monkeypatch.setattr(
            readers.Reader.__init__, "__kwdefaults__", readers.Reader.__init__.__kwdefaults__ | {"block_bytes": size}
        )
        corpus = encode(tmp_path / "x", tmp_path / "c", threads=threads, overwrite=True, **options)
        first = first or contents(corpus.path)
        assert contents(corpus.path) == first


def test_filters_belong_to_the_fingerprint_and_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x").write_text("one two")
    for name, text in {"a": "zzz\n", "b": "zzz\n", "c": "yyy\n"}.items():
        (tmp_path / name).write_text(text)
    # None of them changes a word, and still each is another way to make them.
    ways = [{}, {"digits": "zero"}, {"max_length": 9}, {"stop_words": tmp_path / "a"}, {"stop_words": tmp_path / "c"}]
    ways += [{"phrases": 1}, {"phrases": 1, "phrases_threshold": 11.0}, {"phrases": 1, "phrases_min_count": 6}]
    made = [encode_cached(tmp_path / "x", **way) for way in ways]
    assert len({corpus.path for corpus in made}) == len({corpus.fingerprint for corpus in made}) == len(ways)
    assert encode_cached(tmp_path / "x", stop_words=str(tmp_path / "b")).path == made[3].path  # the content counts


def test_stop_words_keep_their_case_where_the_text_does(tmp_path, stop_words):
    corpus = encode(Documents(["the THE of Of"]), tmp_path / "c", case="keep", stop_words=stop_words)
    assert texts(corpus) == [[["the", "Of"]]]


def test_text_of_signs_is_refused_even_where_short_words_go(tmp_path):
    with pytest.raises(CorpusError, match="segmenter"):
        encode(Documents(["中国人民 hello world"]), tmp_path / "c", min_length=2)


@pytest.mark.parametrize(
    "options",
    [
        {"digits": "drop"},
        {"min_length": 0},
        {"max_length": 0},
        {"max_length": 2, "min_length": 3},
        {"min_length": "2"},
        {"stop_words": ""},
        {"stop_words": 7},
    ],
)
def test_wrong_options(tmp_path, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        encode(Documents(["a"]), tmp_path / "c", **options)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no word"), (b"\n \n", "no word"), (b"a\nb c\n", "line 2"), (b"a\n\xff", "byte 2 is not UTF-8")],
)
def test_wrong_files_of_stop_words(tmp_path, content, message):
    (tmp_path / "stop").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        encode(Documents(["a"]), tmp_path / "c", stop_words=tmp_path / "stop")
    with pytest.raises(NotFoundError, match="one word a line"):
        encode(Documents(["a"]), tmp_path / "c", stop_words=tmp_path / "none")
    with pytest.raises(FormatError, match="cannot be read"):
        encode(Documents(["a"]), tmp_path / "c", stop_words=tmp_path)
    assert not (tmp_path / "c").exists()


def test_nothing_left_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(CorpusError, match="no word is left"):
        encode(Documents(["a bb"]), tmp_path / "c", min_length=3)
    assert not (tmp_path / "c").exists()


def test_training_refuses_what_contradicts_the_corpus(tmp_path, stop_words):
    config = TrainingConfig(dim=4, epochs=1, min_count=1, threads=1)
    plain = encode(Documents([TEXT]), tmp_path / "plain")
    train(plain, config, digits="keep", phrases=0, min_length=1)  # what it is
    for option in ({"digits": "zero"}, {"stop_words": stop_words}, {"min_length": 2}, {"phrases": 1}):
        with pytest.raises(OptionError, match=f"{next(iter(option))} is"):
            train(plain, config, **option)
    made = encode(Documents([TEXT]), tmp_path / "made", stop_words=stop_words, digits="zero", phrases=1)
    moved = tmp_path / "moved.txt"
    moved.write_bytes(stop_words.read_bytes())
    train(EncodedCorpus.open(made.path), config, stop_words=str(moved), digits="zero", phrases=1)
    moved.write_text("other")
    for option in ({"digits": "keep"}, {"stop_words": moved}, {"phrases": 2}, {"phrases_threshold": 3.0}):
        with pytest.raises(OptionError, match=f"{next(iter(option))} is"):
            train(made, config, **option)


def test_the_command_line_takes_all_of_them(tmp_path, stop_words, monkeypatch):
    from wordgeo.cli import main

    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x.txt").write_text(TEXT)
    out = str(tmp_path / "c")
    how = ["--stop-words", str(stop_words), "--digits", "zero", "--min-length", "2", "--max-length", "20"]
    how += ["--phrases", "1", "--phrases-min-count", "2", "--phrases-threshold", "0.5"]

    def run(*arguments):
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        return leaving.value.code

    assert run("corpus", "encode", str(tmp_path / "x.txt"), "-o", out, *how) == 0
    info = EncodedCorpus.open(out).info
    assert (info["digits"], info["min_length"], info["max_length"]) == ("zero", 2, 20)
    assert (info["phrases"], info["phrases_min_count"], info["phrases_threshold"]) == (1, 2, 0.5)
    small = ["--dim", "4", "--epochs", "1", "--threads", "1"]
    for source, name in ((out, "m1"), (str(tmp_path / "x.txt"), "m2")):  # encoded already, and text
        assert run("train", source, "-o", str(tmp_path / name), *small, *how) == 0
    one, other = load(tmp_path / "m1"), load(tmp_path / "m2")
    assert one.words == other.words and one.vectors.tobytes() == other.vectors.tobytes()
    assert run("train", out, "-o", str(tmp_path / "m3"), *small, "--digits", "keep") == 2
    assert run("corpus", "encode", str(tmp_path / "x.txt"), "-o", out + "2", "--tokens", "nowhere:f") == 2
