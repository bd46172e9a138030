"""The model folder: what is written comes back, the same bytes each time, and nothing damaged opens."""

import json
import os
import shutil

import numpy as np
import pytest

from wordgeo import formats
from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError, NotFoundError, OptionError, OutputError
from wordgeo.vocabulary import Vocabulary

FILES = {
    "model.safetensors",
    "vocabulary",
    "wordgeo.json",
    "run.json",
    "config.json",
    "tokenizer.json",
    "modules.json",
    "README.md",
}


@pytest.fixture
def folder(embeddings, tmp_path):
    formats.save(embeddings, tmp_path / "model", run={"loss": [3.0, float("nan")]})
    return tmp_path / "model"


def test_what_is_saved_comes_back(embeddings, folder):
    opened = formats.load(folder)
    assert {file.name for file in folder.iterdir()} == FILES
    assert opened.words == embeddings.words
    assert opened.counts.tolist() == embeddings.counts.tolist()
    assert opened.vectors.tobytes() == embeddings.vectors.tobytes()
    assert opened.provenance == embeddings.provenance
    assert opened.run == {"loss": [3.0, None]}
    assert opened.path == folder
    assert "北京" in opened and "[UNK]" not in opened and len(opened) == len(embeddings)


def test_vectors_are_mapped_and_read_only(folder):
    vectors = formats.load(folder).vectors
    base = vectors
    while getattr(base, "base", None) is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert not vectors.flags.writeable
    assert vectors.ctypes.data % 64 == 0


def test_the_same_embeddings_give_the_same_bytes(embeddings, folder, tmp_path):
    formats.save(embeddings, tmp_path / "other", run={"seconds": 5})
    formats.save(formats.load(folder), tmp_path / "again", run={"seconds": 6})
    for name in FILES - {"run.json"}:
        first = (folder / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() == first, name
        assert (tmp_path / "again" / name).read_bytes() == first, name
    assert json.loads((tmp_path / "other/run.json").read_text()) == {"seconds": 5}


def test_a_matrix_larger_than_a_block_is_written_whole(tmp_path, monkeypatch):
    from wordgeo.formats import safetensors

    monkeypatch.setattr(safetensors, "BLOCK_BYTES", 100)
    matrix = np.arange(3000, dtype=np.float32).reshape(1000, 3)
    formats.save(Embeddings(Vocabulary.from_words(map(str, range(1000))), matrix), tmp_path / "m")
    np.testing.assert_array_equal(formats.load(tmp_path / "m").vectors, matrix)


def test_saving_over_the_model_that_is_mapped(folder):
    opened = formats.load(folder)
    before = opened.vectors.copy()
    formats.save(opened, folder, overwrite=True)
    np.testing.assert_array_equal(opened.vectors, before)
    np.testing.assert_array_equal(formats.load(folder).vectors, before)
    assert [entry.name for entry in folder.parent.iterdir()] == ["model"]


def test_an_existing_folder_is_kept_unless_told_otherwise(embeddings, folder, tmp_path):
    with pytest.raises(OutputError, match="exists already"):
        formats.save(embeddings, folder)
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter1.tex").write_text("precious")
    with pytest.raises(OutputError, match=r"another kind \(it has no wordgeo.json\)"):
        formats.save(embeddings, other, overwrite=True)
    assert (other / "chapter1.tex").read_text() == "precious"


def test_names_of_unfinished_things_are_refused(embeddings, folder, tmp_path):
    with pytest.raises(OutputError, match="not finished"):
        formats.save(embeddings, tmp_path / "model.training")
    for name in ("x.training", ".x.0123abcd.partial", ".x.0123abcd.aside"):
        folder = folder.rename(tmp_path / name)
        assert not formats.is_model(folder)
        with pytest.raises(FormatError, match=r"checkpoints|never finished"):
            formats.load(folder)


def test_no_words_are_nothing_to_save(tmp_path):
    nothing = Embeddings(Vocabulary.from_words([]), np.empty((0, 3), dtype=np.float32))
    with pytest.raises(OptionError, match="no words"):
        formats.save(nothing, tmp_path / "m")
    assert not list(tmp_path.iterdir())


def rewrite(name, change):
    def damage(folder):
        value = json.loads((folder / name).read_text())
        change(value)
        (folder / name).write_text(json.dumps(value))

    return damage


def longer_vocabulary(folder):
    with (folder / "vocabulary").open("wb") as file:
        Vocabulary.from_words("abcdefghi").write(file)


def unknown_row_not_zero(folder):
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] = 1
    (folder / "model.safetensors").write_bytes(data)


def a_fifo_for(name):
    def damage(folder):
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "wordgeo.json").unlink(), r"not a model folder|another tool"),
        (lambda f: (f / "vocabulary").unlink(), "vocabulary is missing"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
        (a_fifo_for("vocabulary"), "vocabulary is missing"),
        (a_fifo_for("run.json"), "not a regular file"),
        (rewrite("wordgeo.json", lambda v: v.update(format_version=2)), "install a newer wordgeo"),
        (rewrite("wordgeo.json", lambda v: v.update(format_version="1")), "format_version is '1'"),
        (rewrite("wordgeo.json", lambda v: v.update(format_version=True)), "format_version is True"),
        (rewrite("wordgeo.json", lambda v: v.pop("format_version")), "format_version is None"),
        (rewrite("wordgeo.json", lambda v: v.update(words=7)), "do not belong together"),
        (rewrite("wordgeo.json", lambda v: v.update(dimensions=4)), "do not belong together"),
        (rewrite("wordgeo.json", lambda v: v.update(algorithm="\ud800")), "not valid JSON"),
        (lambda f: (f / "wordgeo.json").write_text("[]"), "not an object"),
        (lambda f: (f / "wordgeo.json").write_text("[" * 100_000), "not valid JSON"),
        (lambda f: (f / "wordgeo.json").write_text('{"words":' + "9" * 10_000 + "}"), "not valid JSON"),
        (lambda f: (f / "wordgeo.json").write_bytes(b"\xff\xfe{}"), "not valid JSON"),
        (lambda f: (f / "run.json").write_text("{"), "not valid JSON"),
        (longer_vocabulary, "do not belong together"),
        (unknown_row_not_zero, "last row"),
        (lambda f: (f / "vocabulary").write_bytes(b""), "empty"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "too few"),
    ],
)
def test_a_damaged_model_does_not_open(folder, damage, message):
    damage(folder)
    with pytest.raises(FormatError, match=message) as caught:
        formats.load(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["vocabulary", "model.safetensors"])
def test_cut_off_at_every_byte(folder, name):
    data = (folder / name).read_bytes()
    for size in range(len(data)):
        (folder / name).write_bytes(data[:size])
        with pytest.raises(FormatError):
            formats.load(folder)


def test_other_places_say_what_they_are(tmp_path):
    for marker, message in (("corpus.json", "encoded corpus"), ("ensemble.json", "ensemble"), ("x", "not a model")):
        place = tmp_path / marker[:3]
        place.mkdir()
        (place / marker).write_text("{}")
        assert not formats.is_model(place)
        with pytest.raises(FormatError, match=message):
            formats.load(place)
    with pytest.raises(NotFoundError, match="does not exist"):
        formats.load(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in (tmp_path / "loop", "x" * 5000, "a\0b", tmp_path / "cor/corpus.json/below"):
        with pytest.raises(NotFoundError, match=r"cannot be opened|does not exist"):
            formats.load(place)
    os.mkfifo(tmp_path / "fifo")
    for place in (tmp_path / "fifo", "/dev/zero"):
        with pytest.raises(FormatError, match="regular file"):
            formats.load(place)


def test_a_replacement_that_was_cut_off_is_taken_back(folder):
    aside = folder.with_name(".model.0123abcd.aside")
    shutil.move(folder, aside)
    assert len(formats.load(folder)) == 8
    assert not aside.exists()
