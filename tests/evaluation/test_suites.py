"""Suites: those of gensim's package, files of one's own, and files that are not as they should be."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.evaluation import load_suite
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.suites import (
    AnalogySuite,
    CategorySuite,
    Crossed,
    Note,
    Pair,
    Question,
    SimilaritySuite,
    WordPair,
)


@pytest.fixture
def file(tmp_path):
    def write(content: bytes | str, name: str = "suite.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_google_has_its_14_sections_and_19544_questions():
    suite = load_suite("google")
    assert isinstance(suite, AnalogySuite)
    assert [(s.name, len(s.questions)) for s in suite.sections[:2]] == [
        ("capital-common-countries", 506),
        ("capital-world", 4524),
    ]
    assert len(suite.sections) == 14 and len(suite.questions) == 19544 and not suite.notes
    assert sum(len(s.questions) for s in suite.sections if s.syntactic) == 10675
    assert suite.questions[-1].line == 19544 + 14


def test_similarity_sets_are_whole_and_keep_the_pair_that_stands_twice():
    wordsim, simlex = load_suite("wordsim353"), load_suite("simlex999")
    assert isinstance(wordsim, SimilaritySuite) and isinstance(simlex, SimilaritySuite)
    assert (len(wordsim.pairs), len(simlex.pairs)) == (353, 999)
    assert [p.score for p in wordsim.pairs if (p.a, p.b) == ("money", "cash")] == [9.15, 9.08]
    assert simlex.pairs[0] == Pair(3, "old", "new", 1.58)
    assert not wordsim.notes and not simlex.notes


def test_named_suites_are_read_without_importing_gensim():
    code = "import sys; from wordgeo.evaluation import load_suite; load_suite('google'); print('gensim' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_own_files_of_both_kinds_are_told_apart_by_their_content(file):
    analogies = load_suite(file(": family\nboy girl he she\n\n: gram1\na\tb  c d\n: empty\n"))
    assert analogies.name == "suite.txt"
    assert [(s.name, s.syntactic) for s in analogies.sections] == [("family", False), ("gram1", True), ("empty", False)]
    assert tuple(analogies.questions) == (Question(2, "boy", "girl", "he", "she"), Question(5, "a", "b", "c", "d"))
    assert analogies.notes == (Note(6, "the section 'empty' has no question", False),)
    pairs = load_suite(str(file("# two words, a score\nnew york\tbig apple\t9.5\ntiger\tcat\t-1e1\n", "pairs.tsv")))
    assert pairs.pairs == (Pair(2, "new york", "big apple", 9.5), Pair(3, "tiger", "cat", -10.0))


def test_bad_lines_of_analogies_are_skipped_and_noted(file):
    suite = load_suite(file(b": s\na b c\na b c d\na b c d e\n:t\nx \xff y z\n\n:) happy :( sad\n"))
    assert [q.line for q in suite.questions] == [3, 8]
    assert suite.notes == (
        Note(2, "3 words, not 4", True),
        Note(4, "5 words, not 4", True),
        Note(5, "1 word, not 4; a section line is ': name', with a space", True),
        Note(6, "not UTF-8 at byte 2", True),
    )


def test_bad_lines_of_similarities_are_skipped_and_noted(file):
    suite = load_suite(
        file(b"word1\tword2\tscore\na\tb\t1\na b 2\na\tb\tnan\n\tb\t3\na\tb\t1,5\nc\xe9\td\t1\na\tb\t2\t3\n")
    )
    assert [p.line for p in suite.pairs] == [2]
    assert [(note.line, note.skipped) for note in suite.notes] == [(1, False), *((i, True) for i in (3, 4, 5, 6, 7, 8))]
    assert suite.notes[0].problem == "a header line, which is left out"
    assert suite.notes[1].problem == "1 field, not 3"


def test_byte_order_marks_and_carriage_returns_are_read_and_noted(file):
    suite = load_suite(file(b"\xef\xbb\xbf: s\r\na b c d\r\na b\rc d\ne f g h\ri j k l\r\n"))
    assert [q.line for q in suite.questions] == [2, 3]
    assert suite.sections[0].name == "s"
    assert suite.notes == (
        Note(1, "a byte order mark, which is left out", False),
        Note(1, "CR before the line end, in 3 lines from here on", False),
        Note(3, "a CR character inside the line, which is read as a space", False),
        Note(4, "a CR character inside the line, which is read as a space", False),
        Note(4, "8 words, not 4", True),
    )
    pairs = load_suite(file(b"a\tb\t1\r\nnew\ryork\td\t2\r\n")).pairs
    assert pairs == (Pair(1, "a", "b", 1.0), Pair(2, "new york", "d", 2.0))


@pytest.mark.parametrize("content", [b"a b c d\n: s\na b c d\n", b"\nx\n: s\na b c d\n", b"# note\n: s\na b c d\n"])
def test_questions_before_the_first_section_are_an_error_here_and_in_gensim(file, content):
    path = file(content)
    with pytest.raises(FormatError, match=r"suite.txt, line [12]: stands before the first section") as caught:
        load_suite(path)
    assert caught.value.line == (2 if content.startswith(b"\n") else 1)
    from gensim.models import KeyedVectors

    with pytest.raises(ValueError, match="Missing section header"):
        KeyedVectors(2).evaluate_word_analogies(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither analogies"),
        (b"\n \n", "neither analogies"),
        (b"# only a comment\n", "neither analogies"),
        (b"\x00\x01\xff\xfe", "line 1: not UTF-8 at byte 2; save the file as UTF-8"),
        (": s\na b c d\n".encode("utf-16"), "line 1: not UTF-8 at byte 0; save the file as UTF-8"),
        (b": s\n", "no question"),
        (b": s\na b c\n", "no question"),
        (b"a\tb\tc\n", "no scored pair"),
    ],
)
def test_files_with_nothing_to_ask_are_errors_that_name_them(file, content, message):
    with pytest.raises(FormatError, match=message) as caught:
        load_suite(file(content))
    assert "suite.txt" in str(caught.value)


def test_names_and_paths_that_lead_nowhere(tmp_path):
    with pytest.raises(OptionError, match=r"choose one of ap, bats, .*google, .*yp130"):
        load_suite("gogle")
    for missing in (tmp_path / "none", str(tmp_path / "none"), "none.txt"):
        with pytest.raises(NotFoundError, match="no such file"):
            load_suite(missing)
    with pytest.raises(FormatError, match="a folder without a benchmark"):
        load_suite(tmp_path)


LANGUAGES = "peru\tspanish/quechua,aymara/\nålan\tsvenska\nbad\n"
LINES = st.lists(
    st.sampled_from([b": s", b"a b c d", b"a b c", b"a\tb\t1", b"a\tb\tx", b"# c", b"", b"\xff", b"a\rb c d", b":x"])
    | st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")),
    max_size=12,
)


@given(lines=LINES, end=st.sampled_from([b"\n", b"\r\n"]))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_line_is_used_or_noted(file, lines, end):
    path = file(end.join(lines))
    try:
        suite = load_suite(path)
    except FormatError:
        return
    noted = {note.line for note in suite.notes if note.skipped}
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    filled = {i for i, raw in enumerate(data, 1) if i in noted or raw.replace(b"\r", b" ").decode().strip()}
    if isinstance(suite, CategorySuite):
        comments = sum(data[i - 1].startswith(b"#") for i in filled - noted)
        assert len(suite.words) + len(noted) + comments == len(filled)
        return
    if isinstance(suite, AnalogySuite):
        used = {q.line for q in suite.questions} | {p.line for s in suite.sections for p in s.pairs}
    else:
        used = {p.line for p in suite.pairs} | {note.line for note in suite.notes if "header" in note.problem}
    assert not noted & used
    assert all(data[i - 1].startswith((b"#", b": ")) for i in filled - used - noted)


def test_folders_of_pairs_have_sections_groups_and_alternatives(tmp_path):
    folder = tmp_path / "bats"
    for group, name, text in (
        ("1_Inflectional", "I01 [noun - plural].txt", b"cat\tcats\r\ndog\tdogs\r\nox\toxen"),
        (
            "3_Encyclopedic",
            "E02 [country - language].txt",
            "peru\tspanish/quechua,aymara/\nålan\tsvenska\nbad\n".encode(),
        ),
        ("3_Encyclopedic", "E03 [x - y].txt", b"\xff\nx y z\n"),
        ("3_Encyclopedic", "E05 [x - y].tsv", b"x\ty\n"),
        ("3_Encyclopedic", "E06 [x - y].csv", b"x,y\n"),
    ):
        (folder / group).mkdir(parents=True, exist_ok=True)
        (folder / group / name).write_bytes(text)
    suite = load_suite(folder)
    assert isinstance(suite, AnalogySuite)
    assert [(s.name, s.group, len(s.pairs), len(s.questions)) for s in suite.sections] == [
        ("I01 [noun - plural]", "1_Inflectional", 3, 6),
        ("E02 [country - language]", "3_Encyclopedic", 2, 2),
        ("E05 [x - y]", "3_Encyclopedic", 1, 0),
    ]
    asked = suite.sections[1].questions[1]
    assert asked == Question(1, "ålan", "svenska", "peru", "spanish", ("quechua", "aymara"), ())
    assert suite.sections[1].questions[0].also_b == ("quechua", "aymara")
    places = [(note.file.split("/")[-1], note.line, note.skipped) for note in suite.notes]
    assert places == [
        ("E06 [x - y].csv", 1, True),
        ("I01 [noun - plural].txt", 1, False),
        ("E02 [country - language].txt", 3, True),
        ("E03 [x - y].txt", 1, True),
        ("E03 [x - y].txt", 1, True),
        ("bats", 1, False),
    ]
    assert suite.notes[-1].problem.startswith("36 relations of BATS's 40 are not in the folder: I02, I03,")
    one = load_suite(folder / "1_Inflectional" / "I01 [noun - plural].txt")
    assert len(one.questions) == 6


def test_questions_without_sections_as_in_msr(tmp_path, file):
    plain = load_suite(file("good better rough rougher\nbig bigger long longer\nx y z\n"))
    assert [(s.name, len(s.questions)) for s in plain.sections] == [("suite", 2)] and len(plain.notes) == 1
    tagged = load_suite(file("good better rough rougher JJ JJR JJ JJR\ncat cats dog dogs NN NNS NN NNS\n"))
    assert [s.name for s in tagged.sections] == ["JJ_JJR", "NN_NNS"]
    named = load_suite(file("good better rough JJ_JJR rougher\ncat cats dog NN_NNS dogs\n"))
    assert [(s.name, s.questions[0].expected) for s in named.sections] == [("JJ_JJR", "rougher"), ("NN_NNS", "dogs")]
    (tmp_path / "r.questions").write_text("good better rough\ncat cats dog\nbig bigger\n")
    with pytest.raises(FormatError, match=r"put r\.answers beside it"):
        load_suite(tmp_path / "r.questions")
    (tmp_path / "r.answers").write_text("JJ_JJR rougher\nNN_NNS dogs\nJJ_JJR x\n")
    paired = load_suite(tmp_path / "r.questions")
    assert [(s.name, s.questions[0].expected) for s in paired.sections] == [("JJ_JJR", "rougher"), ("NN_NNS", "dogs")]
    assert [note.line for note in paired.notes] == [3]
    (tmp_path / "r.answers").write_bytes(b"JJ_JJR rougher\nNN_NNS \xff\nJJ_JJR bigger\nJJ_JJR x\n")
    (tmp_path / "r.questions").write_text("good better rough\ncat cats dog\nbig bigger big\n")
    (tmp_path / "read.txt").write_text("What this is.\n")
    (tmp_path / "more").mkdir()
    for name in ("s.questions", "s.answers"):
        (tmp_path / "more" / name).write_bytes((tmp_path / f"r{name[1:]}").read_bytes())
    folder = load_suite(tmp_path)
    assert [q.expected for q in folder.questions] == ["rougher", "bigger"] * 2
    assert [(note.file, note.line) for note in folder.notes if "answer without" in note.problem] == [
        ("more/s.answers", 4),
        ("r.answers", 4),
    ]
    assert {note.file for note in folder.notes if note.problem == "not UTF-8 at byte 7"} == {
        "more/s.answers",
        "r.answers",
    }


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        ("Word 1,Word 2,Human (mean)\ntiger,cat,7.35\nlove,sex,6.77\n", [7.35, 6.77]),  # WordSim-353
        ("word1\tword2\tPOS\tSimLex999\tconc(w1)\nold\tnew\tA\t1.58\t2.72\nsmart\tbig\tA\t9.2\t1.75\n", [1.58, 9.2]),
        ("take\tremove\tV\t6.81\tSYNONYMS\nwalk\ttrail\tV\t4.81\tNONE\n", [6.81, 4.81]),  # SimVerb-3500
        ("squishing\tsquirt\t5.88\t7\t5\t6\nundated\tundatable\t5.83\t10\t9\t4\n", [5.88, 5.83]),  # RW
        ("gem jewel 3.94\nmidday noon 3.9\n", [3.94, 3.9]),
        ("gem;jewel;3.94\nmidday;noon;3.9\n", [3.94, 3.9]),
    ],
)
def test_columns_of_similarity_files(file, text, scores):
    suite = load_suite(file(text))
    assert isinstance(suite, SimilaritySuite)
    assert [pair.score for pair in suite.pairs] == scores
    assert not any(note.skipped for note in suite.notes)


def test_parts_of_speech_behind_every_word_are_left_out_and_noted(file):
    suite = load_suite(file("sun-n sunlight-n 50.0\nrun-v go-v 30.0\n"))
    assert [(pair.a, pair.b) for pair in suite.pairs] == [("sun", "sunlight"), ("run", "go")]
    assert "part of speech" in suite.notes[0].problem
    assert load_suite(file("t-n sunlight 5\na b 3\n")).pairs[0].a == "t-n"


def test_categories_in_one_file_or_a_file_each(file, tmp_path):
    suite = load_suite(file("cat animal\ndog animal\ncow animal\noak tree\nelm tree\nfir tree\nbad line here\n"))
    assert isinstance(suite, CategorySuite)
    assert suite.words[:2] == ("cat", "dog") and suite.categories[3] == "tree" and len(suite.notes) == 1
    for name, words in (("animal", "cat\ndog\n"), ("tree", "oak\nelm\n")):
        (tmp_path / "sets").mkdir(exist_ok=True)
        (tmp_path / "sets" / f"{name}.txt").write_text(words)
    assert load_suite(tmp_path / "sets").categories == ("animal", "animal", "tree", "tree")


def test_real_bats_is_whole(shared_data):
    suite = load_suite(shared_data / "analogy" / "bats")
    assert (len(suite.sections), len(suite.questions)) == (40, 98_000)
    assert not any(note.skipped for note in suite.notes) and len(suite.notes) == 2  # CR in E02 and L08
    phrases = load_suite(shared_data / "analogy" / "google" / "questions-phrases.txt")
    assert (len(phrases.sections), len(phrases.questions)) == (5, 3218)


SIZES = {
    "men": 3000, "mturk287": 287, "rg65": 65, "simlex999": 999, "wordsim353": 353, "wordsim353-rel": 252,
    "wordsim353-sim": 203,
}  # fmt: skip


@pytest.mark.parametrize(("name", "pairs"), SIZES.items())
def test_real_similarities_are_whole(shared_data, name, pairs):
    suite = load_suite(shared_data / "similarity" / f"{name}.tsv")
    assert len(suite.pairs) == pairs and not suite.notes


@given(n=st.integers(0, 6))
def test_crossed_pairs_are_the_permutations_of_two(n):
    pairs = tuple(WordPair(i, f"a{i}", f"b{i}", (f"c{i}",)) for i in range(n))
    plain = [Question(q.line, p.a, p.b, q.a, q.b, q.also, p.also) for p, q in itertools.permutations(pairs, 2)]
    crossed = Crossed(pairs)
    assert list(crossed) == plain and len(crossed) == len(plain) and crossed[:3] == tuple(plain[:3])
    assert crossed == Crossed(pairs) and hash(crossed) == hash(Crossed(pairs)) and crossed != plain
    assert not plain or crossed[-1] == plain[-1]
    with pytest.raises(IndexError):
        crossed[len(plain)]


@given(words=st.lists(st.text("aAbBß\n", min_size=1, max_size=3), unique=True, max_size=12))
def test_folded_words_are_found_and_have_their_variants(words):
    for fold, plain in (("upper", str.upper), ("lower", str.lower), ("none", str)):
        lookup = Protocol("p", "p", fold=fold, fold_model=True).lookup(words)
        folded = [plain(word) for word in words]
        assert lookup.same.tolist() == [folded.index(word) for word in folded]
        asked = np.array([-1, *range(len(words))])
        place, row = lookup.variants(asked)
        expected = [(i, j) for i, own in enumerate(asked.tolist()) if own >= 0
                    for j in range(len(words)) if j != own and lookup.same[j] == own]  # fmt: skip
        assert list(zip(place.tolist(), row.tolist(), strict=True)) == expected
        assert lookup.rows(words).tolist() == lookup.same.tolist() and lookup.rows(["zz"]).tolist() == [-1]
