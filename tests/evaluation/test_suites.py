"""Suites: those of gensim's package, files of one's own, and files that are not as they should be."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.evaluation.suites import AnalogySuite, CategorySuite, Note, Pair, Question, SimilaritySuite, load_suite


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
    assert analogies.questions == (Question(2, "boy", "girl", "he", "she"), Question(5, "a", "b", "c", "d"))
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
        Note(1, "CR before the line end, here and in all 3 lines", False),
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
        (b"\x00\x01\xff\xfe", "neither analogies"),
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
    with pytest.raises(OptionError, match="choose one of google, wordsim353, simlex999"):
        load_suite("gogle")
    for missing in (tmp_path / "none", str(tmp_path / "none"), "none.txt"):
        with pytest.raises(NotFoundError, match="no such file"):
            load_suite(missing)
    with pytest.raises(FormatError, match="a folder without a benchmark"):
        load_suite(tmp_path)


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
