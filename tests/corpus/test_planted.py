"""The planted world: its text, its truth, its knobs, and that a model of it answers the Google analogies."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources

import numpy as np
import pytest

import wordgeo as wg
from wordgeo.cli import main
from wordgeo.corpus.planted import NAMES_A_ROW, generate, write
from wordgeo.corpus.planted_facts import read_facts, words_of
from wordgeo.errors import OptionError, OutputError
from wordgeo.evaluation import load_suite

try:
    resources.files("wordgeo_corpora")
except ModuleNotFoundError:
    pytest.skip("wordgeo is only on the path here, and its tables are not installed", allow_module_level=True)


def sentences(world, part=None):
    return [sentence for document in world.documents(part) for sentence in document.split("\n")]


def row_names(world, row):
    """The names that stand with the words of one row alone."""
    at = NAMES_A_ROW * world.facts.rows.index(row)
    return {name.lower() for name in world.names[at : at + NAMES_A_ROW]}


def contexts(lines, word):
    """How often each word stands in a sentence with `word`."""
    found = Counter()
    for line in lines:
        if word in line.lower() and word in (words := words_of(line)):
            found.update(words)
    return found


def test_no_planted_word_is_used_in_a_phrase() -> None:
    facts = read_facts()
    assert facts.phrase_words() & {place.word.lower() for place in facts.places} == set()
    assert {place.role for place in facts.places} <= set(facts.roles)
    assert set(facts.pairs) == set(facts.statements)


def test_every_google_question_is_a_planted_fact() -> None:
    truth = generate(1).truth
    planted = {pair for pairs in truth.pairs.values() for pair in pairs}
    planted |= {(b, a) for a, b in planted}
    questions = load_suite("google").questions
    asked = {(a.lower(), b.lower()) for q in questions for a, b in ((q.a, q.b), (q.c, q.expected))}
    assert asked - planted == set()


def test_the_text_depends_on_the_seed_alone() -> None:
    first = sentences(generate(50_000, seed=4))
    assert first == sentences(generate(50_000, seed=4))
    assert first != sentences(generate(50_000, seed=5))
    assert len(set(first)) > 0.99 * len(first)
    words = sum(len(words_of(line)) for line in first)
    assert 50_000 <= words < 50_000 + 40


def test_the_encoder_counts_the_words_that_were_asked_for(tmp_path) -> None:
    world = generate(20_000, seed=2)
    corpus = wg.encode(wg.Documents(world.documents()), tmp_path / "c")
    assert 20_000 <= len(corpus.ids) < 20_000 * 1.01  # "world's" is two tokens
    assert len(corpus.documents) - 1 == sum(1 for _ in world.documents())
    assert len(corpus.sentences) - 1 == len(sentences(world))


def test_noise_is_the_share_of_strange_contexts() -> None:
    row = "countries: France"
    for noise in (0.0, 0.4):
        world = generate(200_000, seed=3, noise=noise, zipf=0, tables=("countries",))
        near = contexts(sentences(world), "france")
        names = {name.lower() for name in world.names}
        own = sum(count for word, count in near.items() if word in row_names(world, row))
        every = sum(count for word, count in near.items() if word in names)
        assert every > 100
        assert 1 - own / every == pytest.approx(noise, abs=0.1)


def test_zipf_makes_rows_fall_off() -> None:
    def spread(zipf):
        lines = sentences(generate(200_000, seed=6, zipf=zipf))
        counts = Counter(word for line in lines for word in words_of(line))
        of_capitals = sorted((counts[b] for _, b in generate(1).truth.pairs["country-capital"]), reverse=True)
        return of_capitals[0] / of_capitals[len(of_capitals) // 2]

    assert spread(0) < 2 < 5 < spread(1)


def test_drifted_words_change_places_and_no_others() -> None:
    world = generate(300_000, seed=7, drift=0.2, noise=0, zipf=0, tables=("countries", "verbs"))
    drifted = world.truth.drifted
    assert 60 < len(drifted) < 110
    assert {d.word for d in drifted}.isdisjoint(world.truth.two_roles)
    slices = [sentences(world, part) for part in (1, 2)]
    for drift in drifted[:4]:
        for lines, (row, _) in zip(slices, (drift.before, drift.after), strict=True):
            near = contexts(lines, drift.word)
            own = sum(near[name] for name in row_names(world, row))
            assert own > 0.4 * near[drift.word]
    before, after = (sum(contexts(lines, d.word)[d.word] for d in drifted[:10]) for lines in slices)
    assert 0.75 < before / after < 1.33  # the counts stay
    changed = {d.word for d in drifted}
    still = next(word for word in world.truth.pairs["country-capital"][10] if word not in changed)
    near = contexts(slices[1], still)
    assert sum(near[name] for name in row_names(world, world.truth.roles[still][0][0])) > 0.4 * near[still]
    assert len(list(world.documents())) == sum(len(list(world.documents(part))) for part in (1, 2))


def test_truth_knows_words_of_two_roles_and_neighbors() -> None:
    truth = generate(1).truth
    assert truth.roles["read"] == [("verbs: read", "infinitive"), ("verbs: read", "past")]
    assert {"dollar", "peso", "slow", "georgia", "glendale", "read", "hit"} == set(truth.two_roles)
    assert truth.roles["slow"] == [("verbs: slow", "infinitive"), ("adjectives: slow", "adjective")]
    assert set(truth.neighbors["croatia"]) == {"zagreb", "croatian", "kuna"}
    assert truth.drifted == []


def test_what_is_planted_is_found(tmp_path) -> None:
    """Two of the tables, so that little text is enough; docs/planted.md has the whole world."""
    world = generate(300_000, seed=1, tables=("countries", "verbs"))
    corpus = wg.encode(wg.Documents(world.documents()), tmp_path / "c")
    model = wg.train(corpus, dim=50, epochs=10, seed=1, threads=1)
    report = wg.evaluate(model, "google")
    asked = [section for section in report.sections if section.in_vocabulary == section.questions]
    assert len(asked) == 7
    assert report.total.in_vocabulary == sum(section.questions for section in asked)
    assert min(section.correct / section.questions for section in asked) > 0.9
    # Of all capitals the nearest to a country is its own, and so for every relation.
    for pairs in world.truth.pairs.values():
        a, b = (model.vocabulary.rows(words) for words in zip(*pairs, strict=True))
        unit = model.vectors / model.norms[:, None]
        nearest = b[(unit[a] @ unit[b].T).argmax(axis=1)]
        assert np.mean(nearest == b) > 0.9


def test_written_files(tmp_path, capsys) -> None:
    def run(*args):
        with pytest.raises(SystemExit) as leaving:
            main(["corpus", "planted", *map(str, args)])
        return leaving.value.code, capsys.readouterr()

    code, printed = run("-o", tmp_path / "w.txt", "--size", 5000, "--seed", 9, "--format", "json")
    assert code == 0, printed.err
    text = (tmp_path / "w.txt").read_text(encoding="utf-8")
    assert text.strip().split("\n\n") == list(generate(5000, seed=9).documents())
    truth = json.loads((tmp_path / "w.truth.json").read_text(encoding="utf-8"))
    assert truth["seed"] == 9
    assert ["paris", "france"][::-1] in truth["pairs"]["country-capital"]
    assert json.loads(printed.out)["words"] == len(truth["roles"])

    code, printed = run("-o", tmp_path / "w.txt")
    assert code == 1
    assert "--overwrite" in printed.err
    assert run("-o", tmp_path / "w.txt", "--overwrite", "--size", 3000, "--drift", 0.1)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w.1.txt", "w.2.txt", "w.truth.json", "w.txt"]
    assert json.loads((tmp_path / "w.truth.json").read_text(encoding="utf-8"))["drifted"]
    assert run("-o", tmp_path / "x.txt", "--size", 0)[0] == 2


def test_wrong_options() -> None:
    for wrong in ({"size": 0}, {"seed": -1}, {"noise": 1.5}, {"zipf": -1}, {"drift": float("nan")}):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            generate(**wrong)
    with pytest.raises(OptionError, match="slice"):
        list(generate(100).documents(2))


def test_nothing_is_written_over(tmp_path) -> None:
    (tmp_path / "w.truth.json").write_text("mine")
    with pytest.raises(OutputError, match=r"w\.truth\.json"):
        write(generate(100), tmp_path / "w.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["w.truth.json"]
