"""Suites by name: their recipes, and fetching them from a web server on this machine."""

import hashlib
import http.server
import io
import threading
import tomllib
import zipfile
from pathlib import Path

import pytest

from wordgeo.errors import CorpusError, NotFoundError, OptionError
from wordgeo.evaluation import SUITES, SuiteRecipe, fetch_suite, find_suite, load_suite, suites

RECIPES = Path(__file__).parents[2] / "corpora" / "suites"
PAIRS = b"car\tautomobile\t3.92\ngem\tjewel\t3.84\n"
NAMED = (
    "google google-phrases msr bats semeval2012 sat wordsim353 wordsim353-sim wordsim353-rel simlex999 men rw "
    "simverb3500 mturk287 mturk771 rg65 mc30 yp130 ap bless battig"
)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path.split("?")[0])
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.asked = {}, []
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def recipe(site, body, *, path="/EN.txt", **changes):
    site.files[path.split("?")[0]] = body
    facts = {
        "name": "n", "title": "T", "description": "d", "licence": "CC BY", "source": "s", "verified": "v",
        "kind": "similarities", "reference": "r", "url": f"http://127.0.0.1:{site.server_port}{path}",
    }  # fmt: skip
    return SuiteRecipe(**{**facts, **changes})


def packed(**members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/"), text)
    return data.getvalue()


def test_every_suite_that_is_promised_has_a_recipe():
    assert sorted(NAMED.split()) == [one.name for one in suites().suites]


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_says_what_is_needed(path):
    found = SuiteRecipe(**tomllib.loads(path.read_text(encoding="utf-8")))
    assert found.name == path.stem
    assert found.kind in ("analogies", "relations", "choices", "similarities", "categories")
    assert sum(way is not None for way in (found.package, found.url, found.instructions)) == 1
    assert found.url is None or found.url.startswith("https://")
    assert all([found.title, found.description, found.licence, found.source, found.verified, found.reference])
    # Where nothing is known to compare a download with, the recipe says so.
    assert found.url is None or found.checksum or "recorded on the first download" in found.verified


def test_those_of_gensims_package_are_here_whole_and_as_described(monkeypatch, tmp_path):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path))
    here = {one.name: place for one, place in zip(suites().suites, suites().places, strict=True) if place}
    assert sorted(here) == sorted(SUITES)  # size and SHA-256 are compared
    assert load_suite("google").path == here["google"]


def test_a_suite_is_fetched_once_its_licence_is_accepted(site):
    known = recipe(site, PAIRS, sha256=hashlib.sha256(PAIRS).hexdigest(), bytes=len(PAIRS))
    assert known.place() is None
    with pytest.raises(OptionError, match="CC BY"):
        fetch_suite(known)
    assert not site.asked
    path = fetch_suite(known, accept_licence=True)
    assert path.read_bytes() == PAIRS and path.name == "EN.txt" and known.place() == path
    assert fetch_suite(known) == path and site.asked == ["/EN.txt"]
    assert len(load_suite(path).pairs) == 2


def test_another_file_than_described_is_refused(site):
    known = recipe(site, PAIRS, sha256="0" * 64)
    with pytest.raises(CorpusError, match="another file than expected"):
        fetch_suite(known, accept_licence=True)
    assert known.place() is None
    sha1 = recipe(site, PAIRS, sha1=hashlib.sha1(PAIRS).hexdigest())
    assert fetch_suite(sha1, accept_licence=True).exists()


def test_without_a_checksum_that_of_the_first_download_is_recorded(site, caplog):
    known = recipe(site, PAIRS, path="/EN.txt?dl=1")
    path = fetch_suite(known, accept_licence=True)
    assert hashlib.sha256(PAIRS).hexdigest() in caplog.text
    path.unlink()
    site.files["/EN.txt"] = PAIRS[::-1]
    with pytest.raises(CorpusError, match="another file"):
        fetch_suite(known, accept_licence=True)


def test_archives_are_unpacked_beside_themselves(site):
    body = packed(**{"set__I__I01 [a - b].txt": "cat\tcats\ndog\tdogs\n", "set__E__E01 [c - d].txt": "a\tb/c\nd\te\n"})
    known = recipe(site, body, path="/SET.zip", kind="analogies")
    suite = load_suite(fetch_suite(known, accept_licence=True))
    assert [(s.name, s.group, len(s.questions)) for s in suite.sections] == [
        ("E01 [c - d]", "E", 2),
        ("I01 [a - b]", "I", 2),
    ]
    assert fetch_suite(known) == known.place() and site.asked == ["/SET.zip"]
    words = packed(**{"animal.txt": "cat\ndog\n", "tree.txt": "oak\nelm\n"})  # packed, though the address does not say
    sets = recipe(site, words, path="/sh/x/AAC?dl=1", name="m", kind="categories")
    assert load_suite(fetch_suite(sets, accept_licence=True)).categories == ("animal", "animal", "tree", "tree")


@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "a\\..\\out.txt"])
def test_members_that_would_lead_out_of_their_folder_are_refused(site, tmp_path, name):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, "x")
    known = recipe(site, data.getvalue(), path="/SET.zip")
    with pytest.raises(CorpusError, match="out of its folder"):
        fetch_suite(known, accept_licence=True)
    assert known.place() is None and not list(tmp_path.rglob("out.txt"))


def test_names_that_are_not_here_yet_say_how_they_come(monkeypatch, tmp_path):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path))
    with pytest.raises(NotFoundError, match=r"wordgeo eval --suite men --fetch"):
        load_suite("men")
    with pytest.raises(NotFoundError, match="SemEval-2012-Complete-Data-Package"):
        load_suite("semeval2012")
    with pytest.raises(NotFoundError, match="Ask Peter Turney"):
        fetch_suite("sat", accept_licence=True)
    with pytest.raises(OptionError, match="choose one of ap, bats"):
        find_suite("gogle")


def test_the_list_says_what_is_here_and_what_is_known(monkeypatch, tmp_path):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path))
    rows = {row[0]: row[1:] for row in suites().tables()[0].rows}
    assert rows["google"] == ("analogies", "here", "0.6 MB", "sha256", "Apache 2.0 (with word2vec)")
    assert rows["bats"][1:4] == ("to fetch", "unknown", "sha1")
    assert rows["msr"][1:4] == ("to fetch", "unknown", "of the first download")
    assert rows["sat"][1] == "by hand"
