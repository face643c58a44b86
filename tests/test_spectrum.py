import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aulib.spectrum import (
    components_for,
    covariance,
    effective_rank,
    explained_variance,
    spectrum,
)


@given(
    st.integers(2, 40).flatmap(
        lambda n: arrays(np.float64, (n, 5), elements=st.floats(-1e3, 1e3))
    ),
    st.integers(1, 11),
)
def test_streamed_covariance_equals_numpys(rows, batch):
    batches = (rows[start : start + batch] for start in range(0, len(rows), batch))
    mean, matrix, count = covariance(batches)
    assert count == len(rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(matrix, np.cov(rows.T), rtol=1e-9, atol=1e-7)


def test_large_offset_does_not_swallow_the_variance():
    rows = np.random.default_rng(0).normal(1e8, 1, (1000, 3))
    _, matrix, _ = covariance(np.array_split(rows, 7))
    np.testing.assert_allclose(matrix, np.cov(rows.T), rtol=1e-6, atol=1e-9)


def test_explained_variance_equals_squared_singular_values():
    rows = np.random.default_rng(1).normal(size=(30, 8))
    _, matrix, _ = covariance([rows])
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(explained_variance(matrix), singular**2 / 29)


@pytest.mark.parametrize("n", [2, 5, 8, 9, 50])
def test_spectrum_is_the_same_on_both_of_its_ways(n):
    rows = np.random.default_rng(n).normal(size=(n, 8))
    expected = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    np.testing.assert_allclose(spectrum(rows, batch=3), expected, atol=1e-12)


def test_a_covariance_needs_two_rows():
    with pytest.raises(ValueError, match="two rows"):
        covariance([np.ones((1, 3))])


@pytest.mark.parametrize(
    "share, components", [(0.5, 1), (0.51, 2), (0.8, 2), (0.95, 3), (1.0, 4)]
)
def test_components_for_a_share(share, components):
    assert components_for(np.array([5, 3, 1.5, 0.5]), share) == components


def test_effective_rank_of_equal_variances_is_their_number():
    assert effective_rank(np.ones(7)) == pytest.approx(7)
    assert effective_rank(np.array([1.0, 0, 0])) == pytest.approx(1)
