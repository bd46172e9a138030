"""Words and sentences: the rules by example, the compiled tokeniser against its slow twin, and against UAX #29."""

import itertools
import random
import unicodedata

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wordgeo.corpus import reference
from wordgeo.corpus.blocks import Block, Tokenizer


def documents_of(text, *, tokens="unicode", case="lower", documents="blank", breaks=(), mid_line=False, plain=True):
    """What the compiled tokeniser makes of one block."""
    tokenizer = Tokenizer(tokens=tokens, case=case, documents=documents)
    found = tokenizer.number(Block(text.encode(), 0, breaks, mid_line, plain))
    blob, offsets = found.blob.tobytes(), found.offsets.tolist()
    words = [blob[a:b].decode() for a, b in itertools.pairwise(offsets)]
    assert found.counts.sum() == len(found.ids)
    sentence_ends = [*found.sentences.tolist(), len(found.ids)]
    document_ends = [*found.documents.tolist(), len(sentence_ends)]
    sentences = [[words[i] for i in found.ids[a:b]] for a, b in zip([0, *sentence_ends], sentence_ends, strict=False)]
    grouped = [
        [sentence for sentence in sentences[a:b] if sentence]
        for a, b in zip([0, *document_ends], document_ends, strict=False)
    ]
    return [document for document in grouped if document]


def words(text, **options):
    return [word for document in documents_of(text, **options) for sentence in document for word in sentence]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, O'Brien!", "don't stop o'brien"),
        ("Don\u2019t stop the south\u2010east\u2011ern", "don't stop the south-east-ern"),
        ("the dog's tail, ANGEL'S, U2's", "the dog 's tail angel 's u2 's"),
        ("the dog 's tail", "the dog 's tail"),
        ("\"Review\"'s editor; T.I.'s song", "review 's editor t.i. 's song"),
        ("no-man's-land and bull's-eyes", "no-man's-land and bull's-eyes"),
        ("'s-Gravenhage 'sir'", "s-gravenhage sir"),
        ("rock 'n' roll, rock'n'roll", "rock n roll rock'n'roll"),
        ("U.S. and U.S.A, e.g. LL.B. and Ph.D.", "u.s. and u.s. a e.g. ll b and ph d"),
        ("V.I.Lenin T.O.M.O.row J.-M. Petit", "v.i. lenin t.o.m.o. row j m petit"),
        ("3.5 and 1,234,567.25", "3.5 and 1234567.25"),
        ("10.04.1 1,2-diol 1982,19 12,27,834 257,2", "10.04 1 1 2-diol 1982 19 12 27834 257 2"),
        ("3.5m 5,000m 1,500's 10,000-12,000 1.5-litre", "3 5m 5 000m 1500 's 10000 12000 1.5 litre"),
        ("19th 1984-85 1990\u201395 6'3\" 18:1-2.16", "19th 1984-85 1990 95 6'3 18 1-2 16"),
        ("snake_case a:b a;b a/b x@y.org", "snake case a b a b a b x y org"),
        ("self- governing -x- --a--b--", "self governing x a b"),
        ("e\u0301te\u0301 \u00c9T\u00c9", "été été"),
        ("co\u00adoper\u2060ate", "cooperate"),
        ("col·lecció", "col·lecció"),
        ("中国 ひら カタカナ", "中 国 ひ ら カタカナ"),
        ("İstanbul ΟΔΟΣ", "i̇stanbul οδος"),
        ("m² ½ Ⅷ", "m ² ½ ⅷ"),
        ("a\0b \ufffdc\ufffdd", "a b c d"),
        ("mandi`o MC´A `code`", "mandi'o mc'a code"),
    ],
)
def test_words_of_prose(text, expected):
    assert words(text) == expected.split(" ")
    slow = reference.documents_of(text, tokens="unicode", case="lower", documents="blank")
    assert [w for d in slow for s in d for w in s] == expected.split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It was. He went.", ["it was", "he went"]),
        ("It was! (He went?) Yes", ["it was", "he went", "yes"]),
        ('He said "no." Then left.', ["he said no", "then left"]),
        ("It was. then he went.", ["it was then he went"]),
        ('He paused. "and then', ["he paused and then"]),
        ("Dr. Smith met Mr. J. Brown etc. In vain.", ["dr smith met mr j brown etc in vain"]),
        ("The U.S. Navy has ms. and MS. He knew.", ["the u.s. navy has ms and ms", "he knew"]),
        ("It costs 3.5. Two more at 20 °C. It rains.", ["it costs 3.5", "two more at 20 c", "it rains"]),
        ("Wait... What? - no", ["wait", "what no"]),
        ("Ft. Knox is 6 ft. In all, Lee-St. Clair et al. 2007", ["ft knox is 6 ft", "in all lee-st clair et al 2007"]),
        ("One\nTwo\r\nThree\rFour", ["one", "two", "three", "four"]),
        ("No.5 of p. 7, J.-M. Petit", ["no 5 of p 7 j m petit"]),
    ],
)
def test_sentences_of_prose(text, expected):
    assert [" ".join(s) for d in documents_of(text) for s in d] == expected
    slow = reference.documents_of(text, tokens="unicode", case="lower", documents="blank")
    assert [" ".join(s) for d in slow for s in d] == expected


def test_a_blank_line_ends_a_document_and_a_line_may_be_one():
    text = "One two\nthree\n \t\r\n\n\nfour\n\nfive"
    assert documents_of(text) == [[["one", "two"], ["three"]], [["four"]], [["five"]]]
    assert documents_of(text, documents="line") == [[["one", "two"]], [["three"]], [["four"]], [["five"]]]
    assert documents_of(text, plain=False, breaks=(5,)) == [[["one", "t"]], [["wo"], ["three"], ["four"], ["five"]]]


def test_whitespace_words_are_those_of_str_split():
    separators = [chr(c) for c in range(0x110000) if chr(c).isspace()]
    text = "".join(f"A{i}{s}b'.{s}{s}É" for i, s in enumerate(separators))
    assert words(text, tokens="whitespace", case="keep", documents="line") == text.split()
    others = "".join(chr(c) for c in range(1, 0x3100) if not chr(c).isspace())
    assert words(others, tokens="whitespace", case="keep") == [unicodedata.normalize("NFC", others)]
    assert words("a\0b", tokens="whitespace") == ["a", "b"]


# Every class of character that a rule speaks of, and what breaks naive readers.
ALPHABET = (
    "aAsSzéÉßıİΣσςÅK\u212bдיא\u05f3\u05f4ا \u0301\u0308\u0327\u093e\u0e33ก中ひ\u309cカー\uff76\uff9e한\u1100\u1161"
    "019²½Ⅷ٣\u0660𝟘.,,..''’‘`´-‐‑–—_:;·‧/\"“”()[]{}«»!?…&@#°+\u00ad\u200b\u200c\u200d\u2060\ufeff\ufffd"
    "\t\n\r\r\n\x00\x0b\x0c\x1c\x85\u00a0\u2028\u3000ⓐ🅰😀\U0001f1e9\U0001f3fd\U000e0041\U00010400"
)
PIECES = [
    "a.",
    "A. ",
    ". ",
    '." ',
    "'s",
    "'S ",
    "1,234",
    ",000",
    "3.5",
    "Dr.",
    "St. ",
    "-St. ",
    "e.g. ",
    "word ",
    "\n\n",
    "\r\n",
    "I. ",
    "(",
    "? X",
    "... ",
    ' "Y',
    "Mr. ",
    "MS. ",
]
texts = st.lists(st.sampled_from([*ALPHABET, *PIECES]) | st.characters(exclude_categories=["Cs"]), max_size=40).map(
    "".join
)


@settings(max_examples=1000, deadline=None)
@given(
    texts,
    st.sampled_from(["unicode", "whitespace"]),
    st.sampled_from(["lower", "keep"]),
    st.sampled_from(["blank", "line"]),
)
@example("A.B.\u0301C. D", "unicode", "lower", "blank")
@example("x's'S's", "unicode", "keep", "blank")
@example("1,234,5", "unicode", "lower", "blank")
def test_the_compiled_tokeniser_and_its_twin_agree(text, tokens, case, documents):
    options = {"tokens": tokens, "case": case, "documents": documents}
    assert documents_of(text, **options) == reference.documents_of(text, **options)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts | st.just("a"), max_size=8), st.sampled_from(["unicode", "whitespace"]))
def test_breaks_part_documents_whatever_stands_beside_them(parts, tokens):
    ends = list(itertools.accumulate(len(part.encode()) for part in parts))
    found = documents_of("".join(parts), tokens=tokens, breaks=tuple(ends), plain=False)
    alone = [documents_of(part, tokens=tokens, plain=False) for part in parts]
    assert found == [document for documents in alone for document in documents]


@pytest.mark.parametrize("piece", ["a²", "a\u0e01", "x's", "'s", "a.", "1²", "a\n", "²", "a中"])
@pytest.mark.parametrize("count", [1, 2, 1000])
def test_dense_text_has_room(piece, count):
    text = piece * count
    expected = reference.documents_of(text, tokens="unicode", case="lower", documents="line")
    assert documents_of(text, documents="line") == expected
    breaks = tuple(range(1, count + 1))
    assert documents_of("a" * count, plain=False, breaks=breaks) == [[["a"]]] * count


@settings(max_examples=500, deadline=None)
@given(texts)
def test_tokens_are_stable(text):
    """Words are not empty, hold no white space, and tokenise to themselves."""
    found = words(text)
    assert all(word and not any(c.isspace() or c == "\0" for c in word) for word in found)
    for word in found:
        # Of two clitics in a row (`x's's`) only the last is split off, and that may leave a symbol alone (`ⓐ's`).
        if not word.lower().endswith("'s") and (reference.properties(word) & reference.WORDLIKE).any():
            assert words(word) == [word]


# What no tailoring speaks of: letters, digits, marks and symbols of many scripts, without . , ' - _ : and joiners.
UNTAILORED = [
    chr(c)
    for c in [
        *range(0x20, 0x250),
        *range(0x300, 0x590),
        *range(0x5D0, 0x700),
        *range(0x900, 0xE80),
        *range(0x3041, 0x3100),
        *range(0x4E00, 0x4E20),
        *range(0xAC00, 0xAC20),
        *range(0x10400, 0x10450),
    ]
    if not regex.match(
        r"[\p{WB=MidLetter}\p{WB=MidNum}\p{WB=MidNumLet}\p{WB=Single_Quote}\p{WB=Double_Quote}\p{WB=ExtendNumLet}\p{WB=Format}"
        r"\p{WB=ZWJ}`´:\-\p{Cc}\p{Cn}]",
        chr(c),
    )
]


def test_what_is_not_tailored_follows_uax_29():
    segments = regex.compile(r"(?wV1)\b")
    rng = random.Random(29)
    for _ in range(1500):
        # (The regex package takes marks at the very beginning into the word that follows; a letter stands before them.)
        text = "x" + "".join(rng.choices(UNTAILORED, k=rng.randrange(1, 30)))
        expected = [s for s in segments.split(text) if s and regex.search(r"[\p{L}\p{N}]", s)]
        expected = [unicodedata.normalize("NFC", s) for s in expected]
        assert words(text, case="keep") == expected, ascii(text)


def test_the_table_says_what_the_regex_package_says():
    points = [c for c in range(0, 0x110000, 7) if not 0xD800 <= c < 0xE000]
    text = "".join(map(chr, points))
    found = reference.properties(text)
    wordlike = [m.start() for m in regex.finditer(r"(?V1)[[\p{L}\p{N}]--\p{WB=Extend}]", text)]
    assert [i for i, bits in enumerate(found) if bits & reference.WORDLIKE] == wordlike
    spaces = [i for i, c in enumerate(text) if c.isspace()]
    assert [i for i, bits in enumerate(found) if bits & reference.SPACE] == spaces
    letters = [m.start() for m in regex.finditer(r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]", text)]
    assert [i for i, bits in enumerate(found) if bits & 15 == 1] == letters
