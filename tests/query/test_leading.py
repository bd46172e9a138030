"""Rows along their principal axes: bounds that are never below the cosine, and graphs that are the same with them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wordgeo as wg
from wordgeo import _fast
from wordgeo.query import graph, leading
from wordgeo.query.leading import LeadingCopy, _evened, _principal_axes, leading_axes
from wordgeo.query.screens import GROUP


def concentrated(n, d, rank, noise, seed=0):
    """Rows near a space of a few dimensions, as those of GloVe are; some zero, some twice."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + noise * rng.standard_normal((n, d))
    matrix[rng.random(n) < 0.02] = 0
    matrix[n // 2 : n // 2 + 5] = matrix[0]
    return matrix.astype(np.float32)


def unit_rows(matrix):
    wide = matrix.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    return wide / np.where(norms > 0, norms, 1)[:, None], norms


@given(
    n=st.integers(1, 60), d=st.integers(2, 70), seed=st.integers(0, 2**32 - 1),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    noise=st.sampled_from([0.0, 1e-6, 0.01, 0.3, 10.0]), size=st.sampled_from([1e-17, 1.0, 1e17]),
    own=st.booleans(), words=st.integers(0, 60),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_bounds_of_codes_are_never_below_the_cosine(n, d, seed, shares, noise, size, own, words):
    matrix = concentrated(n, d, max(1, d // 8), noise, seed) * np.float32(size)
    unit, norms = unit_rows(matrix)
    axes = _principal_axes(unit.T @ unit if own else np.eye(d))
    leading = [min(4 * round(part * (d - 1) / 4), d - 1) // 4 * 4 for part in sorted(shares)]
    copy = LeadingCopy(matrix, norms, axes, leading, min(words, n))
    assert sorted(copy.order.tolist()) == list(range(n)) and (copy.order[: min(words, n)] < words).all()
    leading, shifts, numbers, pairs = copy.for_graphs()
    codes, corrections = copy.as_queries(0, n, leading)
    groups = copy.codes.reshape(-1, copy.steps, GROUP, 4).swapaxes(1, 2).reshape(len(copy.scales), -1)
    codes, groups = codes.astype(np.int64), groups[:n].astype(np.int64)
    scales, units, errors, *bounds = numbers[:, :n].astype(float)
    head, rests, half_units = (x[:n].astype(float) for x in (pairs[0, :, 0], pairs[1:, :, 0].T, pairs[1, :, 1]))
    cosines = (unit @ unit.T)[np.ix_(copy.order, copy.order)]
    sums = [np.outer(head, head)]
    for first, last, shift, correction in zip([0, *leading], [*leading, None], shifts, corrections, strict=True):
        product = codes[:, first:last] @ groups[:, first:last].T + correction[:, :1]
        sums.append(sums[-1] + np.floor(product / 4.0**shift + 0.5))
    assert (np.abs(sums[-1] * np.outer(scales, scales) - cosines) <= errors + copy.slack(errors)[:, None]).all()
    least = np.random.default_rng(seed).uniform(-1, 1, (n, 1))
    for leads, rest, some, lengths in zip(sums[1:], rests.T, bounds[:2], bounds[2:], strict=False):
        bound = leads + np.outer(rest, rest)
        off = np.outer(some, lengths) + np.outer(lengths, some) + copy.rounding
        assert (bound * np.outer(scales, scales) + off >= cosines).all()
        # as the kernel asks: whether it may reach the least that matters, rounded down to an integer of 16 bits
        off = some[:, None] * lengths.max() + lengths[:, None] * some.max() + copy.rounding
        asked = np.floor(np.minimum(least - off, 1) * 2 * units[:, None])
        assert (bound >= asked * half_units)[cosines >= least].all()
    assert np.allclose(units * scales, 1) and (2 * half_units == units).all() and np.abs(pairs).max() <= 4001


def test_axes_are_orthonormal_and_the_first_have_most():
    unit, _ = unit_rows(concentrated(500, 40, 6, 0.05))
    axes = _principal_axes(unit.T @ unit)
    np.testing.assert_allclose(axes @ axes.T, np.eye(40), atol=1e-6)
    assert np.sum((unit @ axes[:6].T) ** 2) > 0.99 * np.sum(unit**2)
    mixed = _evened(axes[:6])
    np.testing.assert_allclose(mixed @ mixed.T, np.eye(6), atol=1e-6)
    np.testing.assert_allclose(mixed.T @ mixed, axes[:6].T @ axes[:6], atol=1e-6)  # the same space


def test_a_bound_that_is_worth_it_is_used_and_changes_nothing(monkeypatch):
    if not _fast.has_int8():
        pytest.skip("the processor has no int8 products")
    matrix = concentrated(8192, 96, 12, 0.1)
    model = wg.from_arrays([f"w{i}" for i in range(8192)], matrix)
    axes = leading_axes(model, 8192, 10)
    assert axes is not None and axes[0].shape == (96, 96) and axes[1][0] <= axes[1][1] < 96
    with_bounds = graph.neighbor_graph(model, k=10, threads=2)
    monkeypatch.setattr(leading, "WORDS_A_DIMENSION", 1 << 60)
    assert leading_axes(model, 8192, 10) is None
    whole = graph.neighbor_graph(model, k=10, threads=2)
    np.testing.assert_array_equal(with_bounds.rows, whole.rows)
    assert with_bounds.scores.tobytes() == whole.scores.tobytes()


def test_near_rows_are_put_together():
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((64, 30))
    of = rng.integers(64, size=4096)
    matrix = (centres[of] + 0.05 * rng.standard_normal((4096, 30))).astype(np.float32)
    unit, norms = unit_rows(matrix)
    copy = LeadingCopy(matrix, norms, _principal_axes(unit.T @ unit), (8, 16), 1000)
    kinds = [len(set(of[rows].tolist())) for rows in copy.order[1008:].reshape(-1, 16)]
    assert np.mean(kinds) < 4  # as they came it is 14
    # rows that are near a word are so by their place
    others = copy.order[1000:]
    beside = [of[others[max(0, near - 100) : near + 100]] for near in copy.near.tolist()]
    assert (
        np.mean([np.mean(x == of[word]) for x, word in zip(beside, copy.order, strict=False)]) > 0.2
    )  # of others at random a 64th is


def test_it_is_left_where_it_cannot_help():
    rng = np.random.default_rng(1)
    names = [f"w{i}" for i in range(8192)]
    flat = wg.from_arrays(names, rng.standard_normal((8192, 96)).astype(np.float32))
    assert leading_axes(flat, 8192, 10) is None
    good = concentrated(8192, 96, 12, 0.1)
    assert leading_axes(wg.from_arrays(names, good), 100, 10) is None  # too few words
    good[7] *= np.float32(1e-25)  # where float32 products are not to be relied on
    assert leading_axes(wg.from_arrays(names, good), 8192, 10) is None
