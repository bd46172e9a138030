"""Every kind of source gives the same documents, names its places in errors, and takes bounded memory."""

from __future__ import annotations

import bz2
import functools
import gzip
import http.server
import io
import itertools
import json
import lzma
import re
import subprocess
import sys
import tarfile
import textwrap
import threading
import zipfile

import pytest
import zstandard

from wordgeo.corpus import Documents, encode, encode_cached
from wordgeo.corpus.wikipedia import articles, plain_text
from wordgeo.errors import CorpusError, OptionError

TEXTS = ["The cat sat. The dog, too.", 'One "quoted"\nline\n\nand another', "Ünïcödé 中 😀"]


def documents(corpus):
    words = corpus.vocabulary.words
    offsets = corpus.sentences[corpus.documents].tolist()
    return [" ".join(words[i] for i in corpus.ids[a:b]) for a, b in itertools.pairwise(offsets)]


@pytest.fixture
def read(tmp_path):
    numbers = iter(range(10_000))

    def read(source, **options):
        return encode(source, tmp_path / f"corpus-{next(numbers)}", **options)

    return read


@pytest.fixture
def expected(read):
    return documents(read(Documents(TEXTS)))


def fails(read, source, error=CorpusError, **options):
    with pytest.raises(error) as problem:
        read(source, **options)
    assert "\n" not in str(problem.value)
    return str(problem.value)


# ---- packed files ----

PACKERS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_packed_text_is_told_by_its_content(tmp_path, read, pack):
    text = "".join(f"word{i % 700} and\n" for i in range(300_000)).encode()
    (tmp_path / "plain").write_bytes(text)
    half = text.index(b"\n", len(text) // 2) + 1
    (tmp_path / "packed").write_bytes(pack(text[:half]) + pack(text[half:]))  # several streams in one file
    assert read(tmp_path / "packed").fingerprint == read(tmp_path / "plain").fingerprint


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_packed_text_that_is_damaged(tmp_path, read, pack):
    packed = pack(b"".join(b"%d words\n" % i for i in range(5000)))
    for content in (packed[:-1], packed[: len(packed) // 2], packed[:12], packed + b"trailing bytes"):
        (tmp_path / "x").write_bytes(content)
        assert re.search(r"/x is a (damaged|truncated) \w+ file", fails(read, tmp_path / "x"))


def peak_kilobytes(code):
    """What the code takes beyond the imports, measured in a process of its own, which may not take 2 GB."""
    script = f"""
    import resource, sys
    resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
    from wordgeo.corpus import readers, sources
    from wordgeo.errors import CorpusError
    try:
        import pyarrow.parquet
    except ImportError:
        pass
    import mwparserfromhell
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    def size(path, **options):
        reader = readers.Reader(sources.resolve_sources(path), report=print, **options)
        return sum(len(block.text) for block in reader.blocks())
    try:
        print({code})
    except CorpusError as problem:
        print(problem)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    said, kilobytes = done.stdout.splitlines()
    return said, int(kilobytes)


LINE = (b"a" * 999 + b"\n") * 1000  # runs, which bzip2 packs fast


def bomb_zip(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("text", "w") as file:
        for _ in range(30):
            file.write(LINE)


def bomb_tar(path):
    with gzip.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        info = tarfile.TarInfo("text")
        info.size = 30 * len(LINE)

        class Endless:
            def read(self, size):
                return (LINE * 2)[:size]

        archive.addfile(info, Endless())


def bomb_packed(pack):
    def write(path):
        path.write_bytes(pack(LINE * 30))

    return write


BOMBS = {
    "bz2": bomb_packed(functools.partial(bz2.compress, compresslevel=1)),
    "xz": bomb_packed(functools.partial(lzma.compress, preset=0)),
    "zip": bomb_zip,
    "tar.gz": bomb_tar,
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_bounded_memory(tmp_path, bomb):
    bomb(tmp_path / "bomb")
    assert (tmp_path / "bomb").stat().st_size < 2_000_000
    said, kilobytes = peak_kilobytes(f"size({str(tmp_path / 'bomb')!r})")
    assert int(said) == 30 * len(LINE)
    assert kilobytes < 25_000


def test_an_xz_file_that_asks_for_gigabytes(tmp_path, read):
    big = lzma.compress(b"a b c", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    (tmp_path / "x").write_bytes(big)
    assert "xz" in fails(read, tmp_path / "x")


# ---- archives ----


def write_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_members_of_an_archive_are_documents_in_its_order(tmp_path, read, kind):
    members = {
        "b/2.txt": b"Two\n\nthree",
        "a.jsonl.gz": gzip.compress(b'{"text": "one"}\n{"text": "and"}'),
        ".hidden": b"no",
        "__MACOSX/x": b"no",
        "../../escape.txt": b"escaped",
    }
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        write_zip(path, members)
    else:
        write_tar(path, members, f"w:{kind[4:]}")
    corpus = read(path)
    assert documents(corpus) == ["two", "three", "one", "and", "escaped"]
    assert corpus.info["sources"][0]["bytes"] == path.stat().st_size
    assert not list(tmp_path.parent.glob("escape*"))


def test_errors_in_members_name_archive_and_member(tmp_path, read):
    write_zip(tmp_path / "x.zip", {"a.txt": b"fine", "b.jsonl": b'{"text": "fine"}\n{"body": 1}'})
    assert f"{tmp_path}/x.zip/b.jsonl, line 2" in fails(read, tmp_path / "x.zip")
    write_zip(tmp_path / "y.zip", {"a.txt": b"fine\n" * 9, "b.txt": b"fine\n\xff"})
    assert f"{tmp_path}/y.zip/b.txt, line 2: not UTF-8" in fails(read, tmp_path / "y.zip", encoding_errors="strict")
    corpus = read(tmp_path / "y.zip")
    assert corpus.info["replaced"]["places"] == [{"source": f"{tmp_path}/y.zip/b.txt", "line": 2}]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_damaged_archives(tmp_path, read, kind):
    path = tmp_path / "x"
    (write_zip if kind == "zip" else write_tar)(path, {f"{i}.txt": b"some text %d\n" % i * 500 for i in range(9)})
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    for content in (whole[: len(whole) // 2], whole[:-30] if kind == "zip" else whole[:1000], bytes(flipped)):
        if kind == "tar" and content == flipped:
            continue  # tar has no checksum of contents
        path.write_bytes(content)
        assert f"{path} is a damaged" in fails(read, path)


def test_archives_that_are_not_read(tmp_path, read):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("x", "text")
    write_zip(tmp_path / "x.zip", {"inner.zip": inner.getvalue()})
    assert "inner.zip is a zip archive inside an archive" in fails(read, tmp_path / "x.zip")
    write_zip(tmp_path / "y.zip", {"x": b"secret"})
    locked = bytearray((tmp_path / "y.zip").read_bytes())
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(magic) + at] |= 1
    (tmp_path / "y.zip").write_bytes(locked)
    assert "encrypted" in fails(read, tmp_path / "y.zip")
    write_tar(tmp_path / "in.tar", {"x": b"text"})
    write_tar(tmp_path / "out.tar", {"in.tar": (tmp_path / "in.tar").read_bytes()})
    assert "inside another" in fails(read, tmp_path / "out.tar")


def test_a_tar_header_of_gigabytes_is_not_read(tmp_path, read):
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 3 << 30
    (tmp_path / "x.tar").write_bytes(info.tobuf() + b"30 path=x\n" * 500)
    assert "header" in fails(read, tmp_path / "x.tar")


# ---- fields and columns ----


def test_csv_and_tsv(tmp_path, read, expected):
    import csv

    with (tmp_path / "x.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([["id", "body"], *enumerate(TEXTS)])
    assert documents(read(tmp_path / "x.csv", field="body")) == expected
    (tmp_path / "x.csv.bz2").write_bytes(bz2.compress((tmp_path / "x.csv").read_bytes()))
    assert documents(read(tmp_path / "x.csv.bz2", field="body")) == expected
    (tmp_path / "x.tsv").write_text('id\ttext\n1\tan "open quote\r\n\n2\tsecond\n')
    assert documents(read(tmp_path / "x.tsv")) == ["an open quote", "second"]
    (tmp_path / "x").write_text("text\nforced\n")
    assert documents(read(tmp_path / "x", input_format="csv")) == ["forced"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,body\n1,x\n", "line 1: no column 'text' among id, body"),
        ('id,text\n1,"two\nlines"\n2\n', "line 4: 1 fields"),
        ('id,text\n1,"x"y\n', "line 2: not CSV"),
    ],
)
def test_csv_errors_name_the_line(tmp_path, read, content, message):
    (tmp_path / "x.csv").write_text(content)
    assert f"{tmp_path / 'x.csv'}, {message}" in fails(read, tmp_path / "x.csv")


def test_a_quote_that_is_never_closed_takes_bounded_memory(tmp_path):
    with (tmp_path / "x.csv").open("w") as file:
        file.write('text\n"')
        for _ in range(100):
            file.write("to be or not to be\n" * 50_000)
    said, kilobytes = peak_kilobytes(f"size({str(tmp_path / 'x.csv')!r})")
    assert "is a quote open?" in said
    assert kilobytes < 700_000


def test_a_line_of_a_gigabyte_is_refused_early(tmp_path):
    for name in ("x.jsonl", "x.csv", "x.html"):
        path = tmp_path / name
        with path.open("wb") as file:
            file.write(b'{"text": "' if name == "x.jsonl" else b"<p ")
            file.truncate(1 << 30)  # a hole of NUL characters
        said, kilobytes = peak_kilobytes(f"size({str(path)!r})")
        assert f"{name}, line 1: more than 64 MB without a line end" in said
        assert kilobytes < 300_000


def table():
    pyarrow = pytest.importorskip("pyarrow")
    return pyarrow.table({"id": [1, 2, 3], "text": TEXTS})


@pytest.mark.parametrize("kind", ["parquet", "feather", "arrow file", "arrow stream"])
def test_parquet_and_arrow(tmp_path, read, expected, kind):
    data = table()
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    path = tmp_path / ("x.arrow" if kind == "arrow stream" else "x")
    if kind == "parquet":
        pa.parquet.write_table(data, path, row_group_size=2)
    elif kind == "feather":
        pa.feather.write_feather(data, path, compression="zstd")
    else:
        new = pa.ipc.new_file if kind == "arrow file" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as file, new(file, data.schema) as writer:
            writer.write_table(data)
    corpus = read(path)
    assert documents(corpus) == expected
    assert corpus.info["sources"][0]["bytes"] == path.stat().st_size
    assert "no column 'body' among id, text" in fails(read, path, field="body")
    assert "row 1: no text in the column 'id'" in fails(read, path, field="id")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert str(path) in fails(read, path)


def test_a_parquet_bomb(tmp_path):
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet

    # One text of 10 MB, a thousand times: 10 GB, if each were decoded by itself.
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), pa.array(["to be " * 1_700_000]))
    pa.parquet.write_table(pa.table({"text": text}), tmp_path / "x", compression="zstd")
    said, kilobytes = peak_kilobytes(f"sum(1 for _ in zip(range(50), readers.Reader(sources.resolve_sources("
                                     f"{str(tmp_path / 'x')!r}), report=print).blocks()))")  # fmt: skip
    assert said == "50"
    assert kilobytes < 500_000


class Rows:
    """A dataset as Hugging Face's `datasets` has them."""

    def __init__(self, rows, names):
        self.rows, self.column_names = rows, names

    def __iter__(self):
        return iter(self.rows)


def test_datasets_from_python(read, expected):
    rows = [{"id": i, "body": text} for i, text in enumerate(TEXTS)]
    assert documents(read(Rows(rows, ["id", "body"]), field="body")) == expected
    assert documents(read([Rows(rows, None)], field="body")) == expected
    assert "no column 'text' among id, body" in fails(read, Rows(rows, ["id", "body"]))
    assert "row 1: no text" in fails(read, Rows(rows, None))
    assert "train, test" in fails(read, Rows([], {"train": ["text"], "test": ["text"]}), OptionError)


# ---- markup ----

PAGE = """<!DOCTYPE html><html><head><title>A title</title><style>p {color: red}</style>
<script>var x = "<p>no</p>";</script></head><body><h1>Head</h1><p>Some <b>bo</b>ld &amp; caf&eacute;<br>text</p>
<!-- no --><div>more<p>and<script>no()</script> more</div><svg><text>no</text></svg></body></html>"""
PAGE_WORDS = "a title head some bold café text more and more"


def test_html_pages_and_folders(tmp_path, read):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.html").write_text(PAGE)
    (tmp_path / "pages" / "b").write_text(PAGE.replace("Head", "Second"))
    assert documents(read(tmp_path / "pages")) == [PAGE_WORDS, PAGE_WORDS.replace("head", "second")]
    (tmp_path / "x.html").write_bytes('<meta charset="iso-8859-1"><p>café</p>'.encode("latin-1"))
    assert documents(read(tmp_path / "x.html")) == ["café"]
    (tmp_path / "x.html").write_bytes(b'<meta charset="nonsense-9">x')
    assert "nonsense-9" in fails(read, tmp_path / "x.html")
    (tmp_path / "x.html").write_bytes(b"<p>\n\xff x")
    assert "x.html, line 2: not UTF-8" in fails(read, tmp_path / "x.html", encoding_errors="strict")


def test_html_markup_without_an_end(tmp_path, read):
    (tmp_path / "x.html").write_text("<p>text <!-- " + "no end\n" * 800_000)
    assert "does not end" in fails(read, tmp_path / "x.html")


def wiki(*pages, head="", end="</mediawiki>"):
    body = "".join(
        f"<page><title>{title}</title>{more}<revision><text>{text}</text></revision></page>"
        for title, more, text in pages
    )
    return f'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/">{head}{body}{end}'


NS0, NS1 = "<ns>0</ns>", "<ns>1</ns>"


@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress, lambda xml: xml.decode().encode("utf-16")])
def test_a_dump_of_mediawiki(tmp_path, read, pack):
    xml = wiki(
        ("Cat", NS0, "'''Cats''' eat [[fish|fishes]].\n\n== Food ==\nMuch."),
        ("Talk:Cat", NS1, "chatter"),
        ("Kitty", NS0 + '<redirect title="Cat" />', "#REDIRECT [[Cat]]"),
        ("Katze", NS0, "#WEITERLEITUNG [[Cat]]"),
        ("Dog", NS0, "A dog &amp;amp; a bone."),
    )
    (tmp_path / "dump").write_bytes(pack(xml.encode()))
    corpus = read(tmp_path / "dump")
    assert documents(corpus) == ["cats eat fishes food much", "a dog a bone"]
    assert corpus.info["sources"][0]["skipped"] == {"other_namespaces": 1, "redirects": 2}


def test_an_old_dump_that_is_cut_off(tmp_path, read, caplog):
    head = '<siteinfo><namespaces><namespace key="0" /><namespace key="1">Talk</namespace></namespaces></siteinfo>'
    xml = wiki(("Cat", "", "Cats."), ("Talk:Cat", "", "no"), head=head, end="<page><title>Dog</title><revi")
    (tmp_path / "enwik").write_text(xml)
    corpus = read(tmp_path / "enwik")
    assert documents(corpus) == ["cats"]
    assert corpus.info["sources"][0]["skipped"] == {"cut_off": 1, "other_namespaces": 1}
    assert "in the middle of a page" in caplog.text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("a{{cite|{{x}}|b=1}} b<ref>no</ref><ref name=x /> c", "a b c"),
        ("a\n{| class=x\n|-\n| cell || cell\n|}\nb", "a b"),
        ("[[File:x.jpg|thumb|A [[caption]]]] [[Category:X]] [[de:Katze]] [[:Category:Cats]]", "Category:Cats"),
        ("[http://x.org a site] http://y.org/z [http://x.org]", "a site"),
        ("''it'' '''b''' '''''both'''''", "it b both"),
        ("== Head ==\n* one\n* [[two#part|2]]\n", "Head one 2"),
        ("x<!-- no -->y &nbsp;&lt;b&gt; <math>E=mc^2</math>z", "xy <b> z"),
        ("<nowiki>[[a]]</nowiki> __NOTOC__ a<br>b", "[[a]] a b"),
        ("[[open {{never [closed", "[[open {{never [closed"),
    ],
)
def test_wikitext_becomes_plain_text(wikitext, text):
    assert " ".join(plain_text(wikitext).split()) == text


LAUGHS = "<!DOCTYPE x [<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {b} '&{a};&{a};&{a};&{a};&{a};&{a};&{a};&{a};'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<?xml version='1.0'?>" + LAUGHS + "]><mediawiki>&i;</mediawiki>", "document type"),
        ("<!DOCTYPE x SYSTEM 'file:///etc/passwd'><mediawiki/>", "document type"),
        ("<mediawiki>&undefined;</mediawiki>", "line 1: not the XML"),
        ("<mediawiki>" + "<a>" * 100_000, "deep"),
        ("<mediawiki>\n<page><title>x</page>", "line 2: not the XML"),
        ("<mediawiki><page><title>\xff\xfe".encode("latin-1"), "not the XML"),
        ("<html></html>", "not of a MediaWiki dump"),
        ("<mediawiki>", "no MediaWiki dump"),
    ],
)
def test_xml_that_is_hostile_or_no_dump(tmp_path, read, xml, message):
    (tmp_path / "x").write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    assert message in fails(read, tmp_path / "x", input_format="mediawiki")


def test_xml_bombs_take_bounded_memory(tmp_path):
    for begin, middle in (("<mediawiki><page><text>", "to be or not "), ("<mediawiki><page ", "a" * 13)):
        with gzip.open(tmp_path / "x.gz", "wt", compresslevel=1) as file:
            file.write(begin)
            for _ in range(66):
                file.write(middle * 80_000)
        said, kilobytes = peak_kilobytes(f"size({str(tmp_path / 'x.gz')!r})")
        assert "MB" in said or "without an end" in said
        assert kilobytes < 500_000


def test_the_real_dumps(shared_data, read):
    folder = shared_data / "ingest"
    found = list(articles(folder / "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"))
    assert len(found) == 106
    for _, text in found:
        assert not re.search(r"\{\{\s*(cite|infobox)|<ref|\{\|", text, re.IGNORECASE)
    corpus = read(folder / "bgwiki-latest-pages-articles-shortened.xml.bz2")
    assert len(corpus.documents) > 1 and corpus.info["replaced"]["count"] == 0


# ---- elsewhere ----


def test_an_address_is_read_as_a_stream(tmp_path, read):
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(json.dumps({"text": "far away"}).encode()))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/"
        assert documents(read(address + "x.jsonl.gz")) == ["far away"]
        assert "absent cannot be opened" in fails(read, address + "absent")
    finally:
        server.shutdown()
        server.server_close()
    assert documents(read((tmp_path / "x.jsonl.gz").as_uri())) == ["far away"]
    assert "nothing://x" in fails(read, "nothing://x")


def test_what_needs_a_file_is_refused_from_a_stream(tmp_path):
    write_zip(tmp_path / "x.zip", {"x": b"text"})
    code = f"from wordgeo.corpus import encode; encode('-', {str(tmp_path / 'c')!r})"
    with (tmp_path / "x.zip").open("rb") as file:
        done = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, text=True, check=False)
    assert "- is zip, which cannot be read as a stream; give a file" in done.stderr


def test_the_position_ends_at_the_size(tmp_path, read):
    class Seen:
        total = done = 0

        def start(self, task, total, unit):
            self.total = total

        def advance(self, amount, note=""):
            assert amount >= 0
            self.done += amount

        def finish(self):
            pass

    write_zip(tmp_path / "x.zip", {"a": b"text " * 100_000, "b": b"more " * 500_000})
    (tmp_path / "y.txt.bz2").write_bytes(bz2.compress(b"text"))
    seen = Seen()
    read([tmp_path / "x.zip", tmp_path / "y.txt.bz2"], progress=seen)
    assert seen.done == seen.total == sum((tmp_path / name).stat().st_size for name in ("x.zip", "y.txt.bz2"))


def test_the_cache_tells_formats_that_only_the_name_tells(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    for name in ("x.csv", "x.txt"):
        (tmp_path / name).write_text("text\nonly a cell\n")
    assert documents(encode_cached(tmp_path / "x.txt")) == ["text only a cell"]
    assert documents(encode_cached(tmp_path / "x.csv")) == ["only a cell"]
