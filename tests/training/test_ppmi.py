"""PPMI and SVD: the formula written out, LAPACK as the oracle, and no draw anywhere."""

import os
import subprocess
import sys

import numpy as np
import pytest

import wordgeo as wg
from wordgeo.errors import OptionError, TrainingError
from wordgeo.formats import load
from wordgeo.training import TrainingConfig, reproduce, train
from wordgeo.training.counting import CountingOptions, count
from wordgeo.training.ppmi import ppmi, train_ppmi, truncated_svd

SMALL = TrainingConfig(algorithm="ppmi", dim=8, min_count=2, threads=1)


@pytest.fixture(scope="module")
def counts(zipf_corpus, tmp_path_factory):
    return count(zipf_corpus, tmp_path_factory.mktemp("ppmi") / "counts", CountingOptions(min_count=2, sides="left"))


@pytest.fixture(scope="module")
def large():
    """A random sparse matrix beyond what is computed densely, with singular values that are well apart."""
    from scipy.sparse import csr_array, random_array

    rng = np.random.default_rng(2)
    low = random_array((700, 12), density=0.2, rng=rng) @ random_array((12, 900), density=0.2, rng=rng)
    return csr_array(low + random_array((700, 900), density=0.01, rng=rng))


@pytest.mark.parametrize(("smoothing", "shift"), [(1.0, 1.0), (0.75, 1.0), (0.5, 5.0), (0.0, 1.0)])
def test_the_formula(counts, smoothing, shift):
    x = counts.to_scipy().toarray()
    found = ppmi(counts, context_smoothing=smoothing, shift=shift)
    smoothed = np.where(x.sum(axis=0) > 0, x.sum(axis=0), np.nan) ** smoothing
    together, word, context = x / x.sum(), x.sum(axis=1) / x.sum(), smoothed / np.nansum(smoothed)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.log(together / np.outer(word, context)) - np.log(shift)
    expected = np.where(x > 0, np.maximum(expected, 0), 0)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-12)
    assert found.nnz == np.count_nonzero(found.toarray())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_svd_is_lapacks(large, threads):
    left, singular, right = truncated_svd(large, 9, threads=threads)
    u, s, vt = np.linalg.svd(large.toarray())
    np.testing.assert_allclose(singular, s[:9], rtol=1e-12)
    for mine, theirs in ((left, u[:, :9]), (right, vt[:9].T)):
        np.testing.assert_allclose(mine.T @ mine, np.eye(9), atol=1e-12)
        np.testing.assert_allclose(np.abs((mine * theirs).sum(axis=0)), 1, atol=1e-9)
    np.testing.assert_allclose(left * singular, large @ right, atol=1e-9)
    largest = np.abs(left).argmax(axis=0)
    assert (left[largest, np.arange(9)] > 0).all()
    for part, first in zip((left, singular, right), truncated_svd(large, 9, threads=1), strict=True):
        assert part.tobytes() == first.tobytes()


def test_another_processor_gives_the_same_subspace(large, tmp_path):
    """OpenBLAS takes the kernels of the processor that it is told to; other libraries do not listen."""
    from scipy.linalg import subspace_angles
    from scipy.sparse import save_npz

    save_npz(tmp_path / "matrix.npz", large)
    script = (
        "import sys, numpy; from scipy.sparse import load_npz; from wordgeo.training.ppmi import truncated_svd\n"
        "left, singular, _ = truncated_svd(load_npz(sys.argv[1]), 9)\n"
        "numpy.savez(sys.argv[2], left=left, singular=singular)"
    )
    found = []
    for processor in ("Haswell", "Prescott"):
        command = [sys.executable, "-c", script, str(tmp_path / "matrix.npz"), str(tmp_path / f"{processor}.npz")]
        subprocess.run(command, env={**os.environ, "OPENBLAS_CORETYPE": processor}, check=True)
        found.append(np.load(tmp_path / f"{processor}.npz"))
    one, other = found
    assert np.abs(one["singular"] - other["singular"]).max() <= 1e-6 * one["singular"].max()
    assert subspace_angles(one["left"], other["left"]).max() < 1e-6


def test_small_matrices_are_done_densely(counts):
    matrix = ppmi(counts)
    left, singular, right = truncated_svd(matrix, 5)
    np.testing.assert_allclose(singular, np.linalg.svd(matrix.toarray())[1][:5], rtol=1e-12)
    np.testing.assert_allclose(left * singular, matrix @ right, atol=1e-10)


def test_vectors(zipf_corpus, tmp_path):
    counts = count(zipf_corpus, tmp_path / "counts", CountingOptions(window=5, weighting="dynamic", min_count=2))
    left, singular, right = truncated_svd(ppmi(counts), 8)
    for power, combine, expected in [
        (0.5, "word", left * singular**0.5),
        (0, "word", left),
        (1, "context", right * singular),
        (0.5, "sum", (left + right) * singular**0.5),
    ]:
        config = TrainingConfig(algorithm="ppmi", dim=8, min_count=2, eigenvalue_power=power, combine=combine)
        np.testing.assert_allclose(train_ppmi(zipf_corpus, config).vectors, expected, atol=1e-6)


def test_the_same_bytes_whatever_the_threads_and_the_seed(zipf_corpus, tmp_path):
    models = [
        train(zipf_corpus, TrainingConfig(algorithm="ppmi", dim=8, min_count=2, threads=threads, seed=seed))
        for threads, seed in ((1, 1), (3, 1), (2, 9))
    ]
    assert len({model.vectors.tobytes() for model in models}) == 1
    model = train(zipf_corpus, SMALL, output=tmp_path / "model")
    assert model.vectors.tobytes() == models[0].vectors.tobytes()
    found = load(tmp_path / "model")
    assert (found.provenance["engine"], found.provenance["reproducible"]) == ("native", True)
    assert found.run["singular_values"] == sorted(found.run["singular_values"], reverse=True)
    assert reproduce(tmp_path / "model", tmp_path / "again", corpus=zipf_corpus).same


def test_what_is_told(zipf_corpus, encoded):
    with pytest.raises(OptionError, match=r"dim is 10000; \d+ words have"):
        train(zipf_corpus, TrainingConfig(algorithm="ppmi", dim=10_000))
    with pytest.raises(TrainingError, match="no pair of words has positive information"):
        train(zipf_corpus, TrainingConfig(algorithm="ppmi", dim=2, shift=1e6))
    with pytest.raises(TrainingError, match="lower min_count"):
        train(encoded([["a", "b"]]), TrainingConfig(algorithm="ppmi"))


def test_words_that_stand_alike_come_close(encoded):
    rng = np.random.default_rng(5)
    themes = [["king", "queen", "crown", "throne"], ["cat", "dog", "kitten", "paw"]]
    corpus = encoded([["the", *rng.permutation(themes[i % 2]).tolist(), f"n{i % 5}"] for i in range(600)])
    model = wg.train(corpus, algorithm="ppmi", dim=4)
    for theme in themes:
        assert set(model.similar(theme[0], k=3, words=[*themes[0], *themes[1]]).words) == set(theme[1:])
