"""The three-word corpus of docs/glove.md: what is worked out there by hand is what comes out."""

from pathlib import Path

import numpy as np
import pytest

from wordgeo.training import _glove, glove
from wordgeo.training.counting import CountingOptions, count
from wordgeo.training.ppmi import ppmi

PAGE = (Path(__file__).parents[2] / "docs" / "glove.md").read_text(encoding="utf-8")


@pytest.fixture
def counts(encoded, tmp_path):
    options = CountingOptions(window=2, words=["the", "cat", "sat"])
    return count(encoded([["the", "cat", "sat"]]), tmp_path / "counts", options)


def in_the_page(number, digits):
    assert f"{number:.{digits}f}" in PAGE


def test_the_counts(counts):
    assert counts.unit == 2
    assert counts.to_scipy().toarray().tolist() == [[0, 1, 0.5], [1, 0, 1], [0.5, 1, 0]]


def test_ppmi(counts):
    plain = ppmi(counts, context_smoothing=1).toarray()
    assert np.isclose(plain[0, 1], np.log(5 / 3)) and np.isclose(plain[0, 2], np.log(10 / 9))
    smoothed = ppmi(counts, context_smoothing=0.75).toarray()
    for number in (plain[0, 1], plain[0, 2], smoothed[0, 1], smoothed[1, 0]):
        in_the_page(number, 4)


@pytest.mark.parametrize("loop", range(len(_glove.instruction_sets())))
def test_glove(loop):
    from wordgeo import _fast

    if _glove.instruction_sets()[loop] not in _fast.instruction_sets():
        pytest.skip("this processor does not run it")
    words, contexts = np.zeros((2, 1, 32), dtype=np.float32)
    words[0, :2], contexts[0, :2] = (0.5, 0.1), (0.2, 0)
    words[:, 16:] = contexts[:, 16:] = 1
    example = np.zeros(1, dtype=glove.EXAMPLE)
    example["weight"] = (1 / 100) ** 0.75
    loss = _glove.train_block(loop, words, contexts, 1, example, 0.05, 1.0, 100.0)
    in_the_page(loss, 8)
    assert np.allclose(words[0, :2], [0.49993675, 0.09367544], atol=3e-8, rtol=0)
    assert np.allclose(contexts[0, :2], [0.19984189, -0.00632456], atol=3e-8, rtol=0)
    for number in (0.49993675, 0.09367544, 0.19984189, -0.00632456):
        in_the_page(number, 8)
