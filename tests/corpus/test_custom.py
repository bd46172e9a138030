"""Words by the user's own function: whole documents go in, what comes out is checked, and nothing is run unasked."""

import itertools
import json
import random
import sys

import pytest

from wordgeo.corpus import Documents, EncodedCorpus, encode, encode_cached, readers, stats
from wordgeo.errors import CorpusError, OptionError
from wordgeo.formats import save
from wordgeo.training import TrainingConfig, train
from wordgeo.training.reproduction import reproduce

MODULE = """
import pathlib

pathlib.Path(__file__).with_suffix(".imported").touch()
seen = []
answer = None

def lines(document):
    seen.append(document)
    return (iter(line.split()) for line in document.splitlines())

def flat(document):
    yield from document.split()

def given(document):
    if isinstance(answer, Exception):
        raise answer
    return answer

class Tokens:
    @staticmethod
    def upper(document):
        return [document.upper().split()]

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that can be imported, and is not yet."""
    (tmp_path / "lib" / "mine").mkdir(parents=True)
    (tmp_path / "lib" / "mine" / "words.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    yield "mine.words"
    for name in ("mine.words", "mine"):
        sys.modules.pop(name, None)


def imported(tmp_path):
    return (tmp_path / "lib" / "mine" / "words.imported").exists()


def texts(corpus):
    words = corpus.vocabulary.words
    sentences = [[words[i] for i in corpus.ids[a:b]] for a, b in itertools.pairwise(corpus.sentences.tolist())]
    return [sentences[a:b] for a, b in itertools.pairwise(corpus.documents.tolist())]


def some_text(seed):
    rng = random.Random(seed)
    words = ["The", "Cat", "été", "e\u0301te\u0301", "中国", "x\u00a0y", "Σ", "  "]
    ends = ["\n", "\n\n", "\r\n", "\r\n \t\r\n", "\r", "\n\n\n"]
    return "".join(" ".join(rng.choices(words, k=rng.randrange(30))) + rng.choice(ends) for _ in range(300))


@pytest.mark.parametrize("documents", ["blank", "line"])
@pytest.mark.parametrize("case", ["lower", "keep"])
def test_a_function_that_splits_lines_gives_what_whitespace_gives(tmp_path, module, monkeypatch, documents, case):
    (tmp_path / "a.txt").write_bytes(some_text(1).encode())
    (tmp_path / "b.jsonl").write_text("".join(json.dumps({"text": some_text(i)[:500]}) + "\n" for i in range(9)))
    (tmp_path / "c.txt").write_bytes(b"last \xff\0one" + b" word" * 200)
    sources = [tmp_path / "a.txt", tmp_path / "b.jsonl", tmp_path / "c.txt", Documents(["", "One\n\ntwo", "three"])]
    expected = encode(sources, tmp_path / "w", tokens="whitespace", documents=documents, case=case)
    first = None
    for size, threads in [(1 << 20, 1), (300, 1), (300, 3)]:
        monkeypatch.setattr(
            readers.Reader.__init__, "__kwdefaults__", readers.Reader.__init__.__kwdefaults__ | {"block_bytes": size}
        )
        corpus = encode(
            sources,
            tmp_path / "c",
            tokens=f"{module}:lines",
            documents=documents,
            case=case,
            threads=threads,
            overwrite=True,
        )
        corpus.check()
        assert texts(corpus) == texts(expected)
        for name in ("replaced", "nul_characters", "sources"):
            assert corpus.info[name] == expected.info[name]
        first = first or corpus.fingerprint
        assert corpus.fingerprint == first != expected.fingerprint


def test_documents_come_whole_and_flat_words_are_one_sentence(tmp_path, module):
    (tmp_path / "x.txt").write_text("\n\none\ntwo\n  \n\nthree\0")
    encode([tmp_path / "x.txt", Documents(["a\n\nb", " "])], tmp_path / "a", tokens=f"{module}:lines")
    assert sys.modules[module].seen == ["one\ntwo", "three", "a\n\nb"]
    flat = encode(tmp_path / "x.txt", tmp_path / "b", tokens=f"{module}:flat")
    assert texts(flat) == [[["one", "two"]], [["three"]]]
    upper = encode(tmp_path / "x.txt", tmp_path / "c", tokens=f"{module}:Tokens.upper", case="keep")
    assert texts(upper) == [[["ONE", "TWO"]], [["THREE"]]]
    filtered = encode(tmp_path / "x.txt", tmp_path / "d", tokens=f"{module}:flat", min_length=4)
    assert texts(filtered) == [[["three"]]]


def test_the_name_is_recorded_and_the_code_belongs_to_the_cache(tmp_path, module, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x").write_text("one two")
    corpus = encode_cached(tmp_path / "x", tokens=f"{module}:flat")
    assert corpus.info["tokens"] == "mine.words:flat" and len(corpus.info["tokens_blake2b"]) == 64
    assert encode_cached(tmp_path / "x", tokens=f"{module}:flat").path == corpus.path
    assert encode_cached(tmp_path / "x", tokens=f"{module}:lines").path != corpus.path
    source = tmp_path / "lib" / "mine" / "words.py"
    source.write_text(source.read_text() + "\n# another state\n")
    assert encode_cached(tmp_path / "x", tokens=f"{module}:flat").path != corpus.path


def test_what_a_corpus_or_a_model_names_is_never_imported(tmp_path, module):
    (tmp_path / "x").write_text("one two three\n" * 20)
    name = f"{module}:flat"
    encode(tmp_path / "x", tmp_path / "c", tokens=name)
    sys.modules.pop(module)
    (tmp_path / "lib" / "mine" / "words.imported").unlink()
    config = TrainingConfig(dim=4, epochs=1, min_count=1, threads=1, sample=0)
    corpus = EncodedCorpus.open(tmp_path / "c")
    stats(corpus)
    model = train(corpus, config, tokens=name)
    save(model, tmp_path / "m")
    reproduce(tmp_path / "m", tmp_path / "again", corpus=tmp_path / "c")
    with pytest.raises(OptionError, match=r"tokens is 'unicode', but .* 'mine.words:flat'"):
        train(corpus, config, tokens="unicode")
    with pytest.raises(CorpusError, match="encode the text with it"):
        reproduce(tmp_path / "m", tmp_path / "more", corpus=tmp_path / "x")
    assert not imported(tmp_path) and module not in sys.modules
    train(tmp_path / "x", config, tokens=name)  # asked for
    assert imported(tmp_path)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ("mine.wrods:flat", "mine.wrods cannot be imported"),
        ("nowhere:flat", "PYTHONPATH"),
        ("mine.words:falt", "mine.words has no falt"),
        ("mine.words:Tokens.lower", "no Tokens.lower"),
        ("mine.words:number", "of type int"),
        ("mine.broken:flat", "raises ZeroDivisionError"),
        ("mine.words:", "choose one of unicode, whitespace, package.module:function"),
        (":flat", "choose one of"),
        ("mine/words:flat", "choose one of"),
        (".words:flat", "choose one of"),
        ("words", "choose one of"),
        (None, "choose one of"),
    ],
)
def test_wrong_names(tmp_path, module, tokens, message):
    (tmp_path / "lib" / "mine" / "broken.py").write_text("1 / 0")
    with pytest.raises(OptionError, match=message) as problem:
        encode(Documents(["a"]), tmp_path / "c", tokens=tokens)
    assert "\n" not in str(problem.value) and not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "returns NoneType"),
        (7, "returns int"),
        ("one two", "returns str"),
        (b"one", "returns bytes"),
        ([1, 2], "sentence of type int"),
        ([b"one"], "sentence of type bytes"),
        ([["a"], "b"], "sentence of type str"),
        ([["a", 3]], "word of type int"),
        ([["a", b"b"]], "word of type bytes"),
        ([["a", "b c"]], "'b c'.*white space"),
        ([["a", "b\u3000"]], "white space"),
        (["a", ""], "not empty"),
        ([["a\0"]], "NUL"),
        ([["a", "\ud800x"]], "surrogate"),
        (ValueError("of\nmine"), "raises ValueError: of mine"),
        ([], "no word"),
        ([[], []], "no word"),
    ],
)
def test_what_a_function_must_not_give(tmp_path, module, answer, message):
    encode(Documents(["a"]), tmp_path / "first", tokens=f"{module}:flat")
    sys.modules[module].answer = answer
    with pytest.raises(CorpusError, match=message) as problem:
        encode(Documents(["", "text"]), tmp_path / "c", tokens=f"{module}:given")
    assert "\n" not in str(problem.value) and not (tmp_path / "c").exists()
    if message != "no word":
        assert "documents from Python, document 1: mine.words:given" in str(problem.value)
