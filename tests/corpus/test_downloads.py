"""Fetching files from a web server on this machine that does all that servers do: break off, redirect, change, lie."""

from __future__ import annotations

import hashlib
import http.server
import threading
import tomllib
from pathlib import Path

import pytest

from wordgeo.corpus import Recipe, fetch, fetch_file
from wordgeo.errors import CorpusError, NotFoundError, OptionError

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
RECIPES = Path(__file__).parents[2] / "corpora"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        site = self.server.site
        site.requests.append((self.path, self.headers.get("Range")))
        if self.path == "/moved":
            self.answer(302, {"Location": "/file.bin"})
        elif self.path == "/loop":
            self.answer(302, {"Location": "/loop"})
        elif self.path in ("/file.bin", "/nds.bin"):
            self.serve(site)
        else:
            self.answer(404, {})

    def answer(self, status, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def serve(self, site):
        begin, status = 0, 200
        wanted = self.headers.get("Range")
        if wanted and site.ranges and self.headers.get("If-Range") in (None, site.tag):
            begin, status = int(wanted[6:-1]), 206
            if begin >= len(site.content):
                return self.answer(416, {"Content-Range": f"bytes */{len(site.content)}"})
        body = site.content[begin:]
        self.send_response(status)
        if site.sized:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        if site.tag:
            self.send_header("ETag", site.tag)
        if status == 206:
            self.send_header("Content-Range", f"bytes {begin}-{len(site.content) - 1}/{len(site.content)}")
        self.end_headers()
        cut = site.cuts.pop(0) if site.cuts else len(body)
        self.wfile.write(body[:cut])
        if cut < len(body) or not site.sized:
            self.close_connection = True


class Site:
    def __init__(self):
        self.content, self.tag, self.ranges, self.sized = CONTENT, '"one"', True, True
        self.cuts, self.requests = [], []


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    found = Site()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = found
    found.url = f"http://127.0.0.1:{server.server_port}/file.bin"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


def left(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_is_fetched_once(site, tmp_path):
    path = fetch_file(site.url, checksum=f"sha256:{SHA256}", size=len(CONTENT))
    assert path == tmp_path / "cache" / "downloads" / "file.bin"
    assert path.read_bytes() == CONTENT
    assert left(path.parent) == ["file.bin"]
    assert fetch_file(site.url, checksum=SHA256) == path
    assert len(site.requests) == 1


def test_an_interrupted_download_goes_on_by_itself(site, tmp_path):
    site.cuts = [300_000, 1, 400_000]
    path = fetch_file(site.url, checksum=SHA256, folder=tmp_path / "f")
    assert path.read_bytes() == CONTENT
    assert [wanted for _, wanted in site.requests] == [None, "bytes=300000-", "bytes=300001-", "bytes=700001-"]
    assert left(path.parent) == ["file.bin"]


def test_a_download_goes_on_in_a_later_call(site, tmp_path):
    site.cuts = [300_000, 0]
    with pytest.raises(CorpusError, match="300000 bytes are kept, call again"):
        fetch_file(site.url, checksum=SHA256, folder=tmp_path / "f")
    assert left(tmp_path / "f") == ["file.bin.part", "file.bin.part.json"]
    assert fetch_file(site.url, checksum=SHA256, folder=tmp_path / "f").read_bytes() == CONTENT
    assert site.requests[-1][1] == "bytes=300000-"


@pytest.mark.parametrize("how", ["it changed", "no tag", "no ranges"])
def test_what_cannot_go_on_safely_begins_anew(site, tmp_path, how):
    site.cuts = [300_000, 0]
    site.tag = None if how == "no tag" else site.tag
    with pytest.raises(CorpusError, match="fetched"):
        fetch_file(site.url, folder=tmp_path / "f")
    site.cuts = []
    if how == "it changed":
        site.content, site.tag = CONTENT[::-1], '"two"'
    site.ranges = how != "no ranges"
    assert fetch_file(site.url, folder=tmp_path / "f").read_bytes() == site.content


def test_a_part_that_is_whole_already(site, tmp_path):
    site.cuts = [300_000, 0]
    with pytest.raises(CorpusError):
        fetch_file(site.url, checksum=SHA256, folder=tmp_path / "f")
    (tmp_path / "f" / "file.bin.part").write_bytes(CONTENT)
    assert fetch_file(site.url, checksum=SHA256, folder=tmp_path / "f").read_bytes() == CONTENT


def test_a_server_that_does_not_say_how_long_it_is(site, tmp_path):
    site.sized = False
    assert fetch_file(site.url, checksum=SHA256, folder=tmp_path / "f").read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_the_file_removed(site, tmp_path):
    with pytest.raises(CorpusError, match="another file than expected"):
        fetch_file(site.url, checksum="md5:" + "0" * 32, folder=tmp_path / "f")
    assert left(tmp_path / "f") == []


@pytest.mark.parametrize("sized", [True, False])
def test_a_wrong_size_is_refused_before_the_end(site, tmp_path, sized):
    site.sized = sized
    with pytest.raises(CorpusError, match="were expected"):
        fetch_file(site.url, size=1000, folder=tmp_path / "f")
    assert left(tmp_path / "f") == []


def test_without_a_checksum_the_first_one_is_trusted(site, tmp_path, caplog):
    path = fetch_file(site.url, folder=tmp_path / "f")
    assert SHA256 in caplog.text
    path.unlink()
    assert fetch_file(site.url, folder=tmp_path / "f").read_bytes() == CONTENT
    path.write_bytes(b"damaged")  # what was damaged here is fetched again
    assert fetch_file(site.url, folder=tmp_path / "f").read_bytes() == CONTENT
    path.unlink()
    site.content = CONTENT[::-1]
    with pytest.raises(CorpusError, match=r"if it may change, remove .*file\.bin\.seen\.json"):
        fetch_file(site.url, folder=tmp_path / "f")
    assert left(tmp_path / "f") == ["file.bin.seen.json"]


def test_redirections_are_followed_to_an_end(site, tmp_path):
    moved = site.url.replace("file.bin", "moved")
    assert fetch_file(moved, name="x.bin", checksum=SHA256, folder=tmp_path / "f").read_bytes() == CONTENT
    with pytest.raises(CorpusError, match="redirects"):
        fetch_file(site.url.replace("file.bin", "loop"), folder=tmp_path / "f")
    with pytest.raises(CorpusError, match="404"):
        fetch_file(site.url.replace("file.bin", "absent"), folder=tmp_path / "f")
    assert left(tmp_path / "f") == ["x.bin"]


def test_without_a_network(site, tmp_path):
    with pytest.raises(CorpusError, match=r"127\.0\.0\.1:9/x cannot be fetched \(.*refused.*check the network"):
        fetch_file("http://127.0.0.1:9/x", folder=tmp_path / "f")
    assert left(tmp_path / "f") == []


def test_two_do_not_write_one_file(site, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "file.bin.part").write_bytes(b"other")
    with (tmp_path / "file.bin.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CorpusError, match="another process"):
            fetch_file(site.url, folder=tmp_path)
    assert (tmp_path / "file.bin.part").read_bytes() == b"other"


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/x", "x.zip", "https://", "http://host/", "http://host/..", "http://h/.x"]
)
def test_what_is_no_address_of_a_file(url, tmp_path):
    with pytest.raises(OptionError):
        fetch_file(url, folder=tmp_path)


@pytest.mark.parametrize("checksum", ["", "sha256:12", "crc32:12345678", "z" * 64])
def test_what_is_no_checksum(checksum, tmp_path):
    with pytest.raises(OptionError, match="checksum"):
        fetch_file("http://host/x", checksum=checksum, folder=tmp_path)


def recipe(**changes):
    facts = {"name": "n", "title": "T", "description": "d", "licence": "CC BY", "source": "s", "verified": "v"}
    return Recipe(**{**facts, **changes})


def test_a_corpus_is_fetched_when_its_licence_is_accepted(site, tmp_path):
    known = recipe(url=site.url, sha256=SHA256, bytes=len(CONTENT))
    with pytest.raises(OptionError, match="CC BY"):
        fetch(known)
    assert not site.requests
    assert fetch(known, accept_licence=True).read_bytes() == CONTENT
    with pytest.raises(OptionError, match="language"):
        fetch(known, accept_licence=True, language="de")


def test_a_corpus_of_each_language(site, tmp_path):
    known = recipe(url=site.url.replace("file", "{language}"))
    with pytest.raises(OptionError, match="language"):
        fetch(known, accept_licence=True)
    with pytest.raises(OptionError, match="code"):
        fetch(known, accept_licence=True, language="../x")
    assert fetch(known, accept_licence=True, language="nds").exists()


def test_a_corpus_that_is_had_by_hand():
    with pytest.raises(NotFoundError, match="Write a letter"):
        fetch(recipe(instructions="Write a letter."), accept_licence=True)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_says_what_is_needed(path):
    found = Recipe(**tomllib.loads(path.read_text(encoding="utf-8")))
    assert found.name == path.stem
    assert sum(way is not None for way in (found.package, found.url, found.instructions)) == 1
    assert found.url is None or found.url.startswith("https://") or found.checksum
    assert all([found.title, found.description, found.licence, found.source, found.verified])
    assert found.tokens in ("unicode", "whitespace")
