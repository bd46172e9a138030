"""Answers with their trust against a count by hand, scores over runs, where variation comes from."""

import numpy as np
import pytest

import wordgeo as wg
from wordgeo.errors import FormatError, NotFoundError, OptionError, UnknownWordError
from wordgeo.evaluation.statistics import wilson_interval
from wordgeo.formats import save
from wordgeo.stability import Ensemble, scores_over_runs
from wordgeo.stability.sources import variation

WORDS = [f"w{i}" for i in range(80)]


def space(seed, near=None, noise=0.5, words=WORDS, provenance=None):
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(len(words), 6))
    vectors = vectors if near is None else near.vectors + noise * vectors
    model = wg.from_arrays(words, vectors.astype(np.float32), range(len(words), 0, -1))
    model.provenance.update(provenance or {})
    return model


@pytest.fixture(scope="module")
def runs():
    first = space(0)
    return Ensemble([first, *(space(i, near=first) for i in range(1, 6))])


def test_trusted_neighbours_are_the_count_over_runs(runs):
    k = 5
    found = runs.similar("w3", k=k)
    lists = [model.similar("w3", k=79).words for model in runs]
    scores = [dict(zip(each.words, each.scores, strict=True)) for each in (m.similar("w3", k=79) for m in runs)]
    share = {word: np.mean([word in each[:k] for each in lists]) for word in WORDS}
    mean = {word: np.mean([float(each[word]) for each in scores]) for word in WORDS if word != "w3"}
    expected = sorted((w for w in mean if share[w]), key=lambda w: (-share[w], -mean[w]))
    assert found.words == tuple(expected[:k])
    assert found.others == len(expected) - k
    for i, word in enumerate(found.words):
        assert found.share[i] == share[word]
        assert (found.low[i], found.high[i]) == wilson_interval(round(share[word] * 6), 6)
        assert found.cosine[i] == pytest.approx(mean[word])
        assert found.deviation[i] == pytest.approx(np.std([float(each[word]) for each in scores], ddof=1))
        ranks = [each.index(word) + 1 for each in lists]
        assert (found.rank_min[i], found.rank_max[i]) == (min(ranks), max(ranks))
        assert found.rank_median[i] == np.median(ranks)
    assert list(found.share) == sorted(found.share, reverse=True)
    (table,) = found.tables()
    assert table.rows[0][0] == found.words[0]
    assert len(found) == k


def test_trusted_neighbours_take_filters(runs):
    found = runs.similar("w3", k=5, top=20)
    allowed = set(WORDS[:20])
    assert set(found.words) <= allowed
    alone = [model.similar("w3", k=5, top=20).words for model in runs]
    assert found.share.tolist() == [np.mean([word in each for each in alone]) for word in found.words]
    assert set(runs.similar("w3", k=5, words=["w1", "w2"]).words) == {"w1", "w2"}


def test_other_vocabularies_answer_with_what_they_share(runs):
    fewer = WORDS[40:] + WORDS[:30]
    ensemble = Ensemble([runs[0], space(7, words=fewer)])
    found = ensemble.similar("w3", k=10)
    assert not set(found.words) & set(WORDS[30:40])
    same = Ensemble([wg.from_arrays(fewer, model.vectors[model.vocabulary.rows(fewer)]) for model in ensemble])
    assert found.words == same.similar("w3", k=10).words
    answers = ensemble.analogy("w1", "w2", "w3", k=4)
    assert answers.words == same.analogy("w1", "w2", "w3", k=4).words
    with pytest.raises(UnknownWordError):
        ensemble.similar("w35")


def test_trusted_answers_are_the_count_over_runs(runs):
    found = runs.analogy("w1", "w2", "w3", k=4, method="3cosmul")
    alone = [model.analogy("w1", "w2", "w3", k=4, method="3cosmul").words for model in runs]
    for i, word in enumerate(found.words):
        assert found.share[i] == np.mean([each[0] == word for each in alone])
        assert found.among[i] == np.mean([word in each for each in alone])
    assert found.share.sum() <= 1
    assert found.to_dict()["query"] == "w1 is to w2 as w3 is to ?"


def test_bad_questions(runs):
    for k, message in ((0, "k is 0"), (80, "share 80 words")):
        with pytest.raises(OptionError, match=message):
            runs.similar("w1", k=k)
    with pytest.raises(OptionError, match="the one string"):
        runs.similar_batch("w1")
    with pytest.raises(UnknownWordError):
        runs.analogy("w1", "w2", "nothing")


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "questions.txt"
    draw = np.random.default_rng(1)
    lines = [" ".join(WORDS[i] for i in draw.choice(80, 4, replace=False)) for _ in range(60)]
    path.write_text(": made up\n" + "\n".join([*lines, "w1 w2 w3 unknown"]) + "\n")
    return path


def test_scores_over_runs_are_mean_deviation_and_flips(runs, suite):
    reports = [wg.evaluate(model, suite, records=True) for model in runs]
    found = scores_over_runs(reports)
    scores = [report.score for report in reports]
    assert found.mean == pytest.approx(np.mean(scores))
    assert found.deviation == pytest.approx(np.std(scores, ddof=1))
    answers = [[r.answer for r in report.records if r.correct is not None] for report in reports]
    right = [[r.correct for r in report.records if r.correct is not None] for report in reports]
    flips = [np.mean([x != y for x, y in zip(a, b, strict=True)])
             for i, a in enumerate(answers) for b in answers[i + 1 :]]  # fmt: skip
    assert (found.flip_rate, found.flip_low, found.flip_high) == pytest.approx((np.mean(flips), min(flips), max(flips)))
    assert found.right_in_all == np.all(right, axis=0).mean()
    assert found.right_in_none == (~np.any(right, axis=0)).mean()
    assert found.right_in_all + found.right_in_some + found.right_in_none == pytest.approx(1)
    assert found.questions == 60
    assert found.low < found.mean < found.high
    assert scores_over_runs(reports[:4]).low is None
    with pytest.raises(OptionError, match="two or more reports"):
        scores_over_runs(reports[:1])


def test_variation_is_told_apart():
    """Cosines that vary twice as far have four times the variance; what is beyond the seeds comes from the samples."""
    base = space(0, words=[f"w{i}" for i in range(300)])

    def ensemble(noise, seeds, samples):
        return Ensemble(
            space(100 * i + len(noise_of), near=base, noise=noise, words=base.words,
                  provenance={"seed": seed, "resample": sample and {"how": "bootstrap", "seed": sample}})
            for i, (seed, sample) in enumerate(zip(seeds, samples, strict=True))
        )  # fmt: skip

    noise_of = [1]
    seeds = ensemble(0.01, range(1, 7), [None] * 6)
    noise_of.append(2)
    both = ensemble(0.02, range(1, 7), range(1, 7))
    report = variation({"a": seeds, "b": both}, k=5)
    first, second = report.sources
    assert (first.varies, second.varies) == ("seed", "seed and sample")
    assert 3 < second.variance / first.variance < 5
    assert report.sampling == pytest.approx(second.variance - first.variance)
    assert first.low < first.variance < first.high < second.low
    fixed = ensemble(0.02, [1] * 6, range(1, 7))
    assert variation({"a": seeds, "b": fixed}, k=5).ratio == pytest.approx(
        variation({"a": seeds, "b": fixed}, k=5).sources[1].variance / first.variance
    )
    with pytest.raises(OptionError, match="two or more ensembles"):
        variation({"a": seeds})


def test_models_of_any_source_together(runs, tmp_path):
    save(runs[0], tmp_path / "model")
    from wordgeo.formats import export

    export(runs[1], tmp_path / "two.bin")
    ensemble = Ensemble.of([tmp_path / "model", str(tmp_path / "two.bin"), runs[2]])
    assert [len(model) for model in ensemble] == [80, 80, 80]
    assert ensemble.names == [str(tmp_path / "model"), str(tmp_path / "two.bin"), "model 3"]
    expected = Ensemble(list(runs)[:3]).similar("w1").share.tolist()
    assert ensemble.similar("w1").share.tolist() == expected
    with pytest.raises(NotFoundError, match="none does not exist"):
        Ensemble.of([tmp_path / "none", runs[0]])
    with pytest.raises(OptionError, match="at least one"):
        Ensemble.of([])


def test_more_vector_files_than_memory_are_refused(tmp_path, runs, monkeypatch):
    (tmp_path / "large.bin").write_bytes(b"x" * 1000)
    monkeypatch.setattr("wordgeo.stability.ensemble.available_memory", lambda: 999)
    with pytest.raises(OptionError, match="wordgeo convert"):
        Ensemble.of([tmp_path / "large.bin", runs[0]])


def test_a_model_that_is_named_twice_is_noticed(runs, tmp_path, caplog):
    save(runs[0], tmp_path / "model")
    Ensemble.of([tmp_path / "model", tmp_path / "model"])
    assert "named 2 times" in caplog.text


def test_differences_of_models_are_named():
    def made(**known):
        return space(1, provenance={"algorithm": "skipgram", "corpus": {"fingerprint": "a"}, **known})

    same = made(seed=1, parameters={"dim": 6, "window": 5})
    other = made(seed=2, parameters={"dim": 6, "window": 10}, corpus={"fingerprint": "b"})
    assert Ensemble([same, same]).differences() == []
    drawn = made(seed=1, parameters={"dim": 6, "window": 5}, resample={"how": "bootstrap", "seed": 1})
    assert Ensemble([same, drawn, space(1)]).differences() == ["resample: none, bootstrap"]
    assert Ensemble([same, other]).differences() == ["corpus: a, b", "window: 5, 10"]
    assert "Warning: the models differ in window: 5, 10" in repr(wg.stability([same, other], k=3))


def test_damaged_runs_are_left_out_only_if_asked(runs, tmp_path):
    from wordgeo.formats.ensemble import write_manifest

    path = tmp_path / "ensemble"
    path.mkdir()
    for i, model in enumerate(runs, start=1):
        save(model, path / f"run-{i:03}")
    write_manifest(path, [{"seed": i} for i in range(len(runs))])
    tensors = path / "run-002" / "model.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-8])
    with pytest.raises(FormatError, match="run-002"):
        wg.stability(Ensemble.open(path), k=3)
    ensemble = Ensemble.open(path, skip_damaged=True)
    assert len(ensemble) == 5
    report = wg.stability(ensemble, k=3)
    assert len(report.skipped) == 1
    assert "Left out: " in repr(report)
    assert "run-002" in repr(report)
    for folder in path.glob("run-*"):
        (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(FormatError, match="every one of its 6 runs"):
        Ensemble.open(path, skip_damaged=True)
