"""Statistics of a corpus, the recipes that are installed, and the articles of a MediaWiki dump."""

import bz2
import csv
import dataclasses
import io
import json
import math

import pytest

from wordgeo.corpus import Documents, encode, recipes, stats
from wordgeo.corpus.recipes import find_recipe
from wordgeo.corpus.wikipedia import articles
from wordgeo.errors import CorpusError, NotFoundError


def zipfian(exponent, words=400, largest=100_000):
    """A text in which the word of rank r occurs about largest / r^exponent times."""
    return " ".join(word for rank in range(1, words + 1) for word in [f"w{rank}"] * round(largest / rank**exponent))


def test_counts_coverage_and_cuts(tmp_path):
    text = "\n".join(["a " * 60, "b " * 25 + "c " * 10, "d d d d e"])
    report = stats(encode(Documents([text, "e f"]), tmp_path / "c"))
    assert (report.tokens, report.types, report.sentences, report.documents) == (102, 6, 4, 2)
    assert report.mean_sentence_length == 102 / 4
    assert {cut.min_count: (cut.types, cut.tokens) for cut in report.cuts} == {
        2: (5, 101),
        5: (3, 95),
        10: (3, 95),
        20: (2, 85),
        50: (1, 60),
        100: (0, 0),
    }
    assert report.top_words == (("a", 60), ("b", 25), ("c", 10), ("d", 4), ("e", 2), ("f", 1))
    assert report.coverage == ()
    json.dumps(report.to_dict(), allow_nan=False)
    assert "min_count" in repr(report)
    rows = list(csv.reader(io.StringIO(report.tables()[2].to_csv())))
    assert rows[2][:3] == ["5", "3", "3"]


def test_coverage_is_the_share_of_the_most_frequent_words(tmp_path):
    corpus = encode(Documents([" ".join(f"w{i} " * (2 if i < 500 else 1) for i in range(6000))]), tmp_path / "c")
    assert [(part.words, part.share) for part in stats(corpus).coverage] == [(1000, 1500 / 6500), (5000, 5500 / 6500)]


@pytest.mark.parametrize("exponent", [0.8, 1.0, 1.2])
def test_the_zipf_slope_is_found_again(tmp_path, exponent):
    corpus = encode(Documents([zipfian(exponent)]), tmp_path / "c", tokens="whitespace")
    assert stats(corpus).zipf_slope == pytest.approx(-exponent, abs=2e-3)
    assert math.isnan(stats(encode(Documents(["a a b"]), tmp_path / "d")).zipf_slope)


def test_the_recipes_that_are_installed(monkeypatch, tmp_path):
    pytest.importorskip("wordgeo_corpora", reason="the recipes come with the installed package")
    assert "gensim-wikipedia" in [recipe.name for recipe in recipes()]
    recipe = find_recipe("gensim-wikipedia")
    assert recipe.locate().stat().st_size == recipe.bytes
    with pytest.raises(NotFoundError, match="gensim-wikipedia"):
        find_recipe("no such corpus")
    with pytest.raises(CorpusError, match="checksum"):
        dataclasses.replace(recipe, sha256="0" * 64).locate()
    with pytest.raises(NotFoundError, match="install it"):
        dataclasses.replace(recipe, package="no_such_package").locate()


PAGE = "<page><title>{title}</title><ns>{ns}</ns><id>{id}</id><revision><id>1</id><text>{text}</text></revision></page>"


def dump(path, *pages):
    body = "".join(PAGE.format(title=title, ns=ns, id=i, text=text) for i, (title, ns, text) in enumerate(pages, 1))
    xml = f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/">{body}</mediawiki>'
    path.write_bytes(bz2.compress(xml.encode()))
    return path


def test_articles_are_plain_text_in_the_order_of_the_dump(tmp_path):
    path = dump(
        tmp_path / "dump.xml.bz2",
        (
            "Cat",
            0,
            "'''Cats''' are [[animal|animals]].{{cite|x}}\n\n== Food ==\nThey ''eat'' &amp;quot;fish&amp;quot;.",
        ),
        ("Talk:Cat", 1, "chatter"),
        ("Kitty", 0, "#REDIRECT [[Cat]]"),
        ("Dog", 0, "A dog."),
    )
    found = list(articles(path))
    assert [title for title, _ in found] == ["Cat", "Dog"]
    assert found[0][1].split() == ["Cats", "are", "animals.", "Food", "They", "eat", '"fish".']


def test_what_is_no_dump(tmp_path):
    with pytest.raises(NotFoundError):
        list(articles(tmp_path / "absent"))
    path = dump(tmp_path / "dump.xml.bz2", ("Cat", 0, "Cats."))
    whole = path.read_bytes()
    for content in (
        whole[: len(whole) // 2],
        b"no bzip2 at all",
        bz2.compress(b"<mediawiki><page>"),
        bz2.compress(b""),
    ):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match=r"dump\.xml\.bz2"):
            list(articles(path))
