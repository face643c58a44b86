import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from companion.analysis.spectrum import (
    components_for,
    effective_rank,
    judge_components,
    spectrum,
)


@given(
    st.tuples(st.integers(2, 20), st.integers(1, 9)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=st.floats(-1e3, 1e3))
    )
)
def test_the_spectrum_is_the_squared_singular_values(rows):
    """With fewer rows than columns and with more."""
    n, dimension = rows.shape
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    expected = np.pad(singular**2 / (n - 1), (0, max(dimension - n, 0)))
    found = spectrum(rows)
    assert found.shape == (dimension,) and (found >= 0).all()
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("n", [2, 5, 8, 9, 50])
def test_the_spectrum_is_the_eigenvalues_of_numpys_covariance(n):
    rows = np.random.default_rng(n).normal(size=(n, 8))
    expected = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    np.testing.assert_allclose(spectrum(rows), expected, atol=1e-12)


@pytest.mark.parametrize("n", [3, 1000])
def test_a_large_offset_does_not_swallow_the_variance(n):
    rows = np.random.default_rng(0).normal(1e8, 1, (n, 5))
    expected = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    np.testing.assert_allclose(spectrum(rows), expected, rtol=1e-6, atol=1e-9)


def test_float32_features_are_centred_in_float64():
    rows = np.random.default_rng(0).normal(1e4, 1, (40, 5)).astype(np.float32)
    expected = spectrum(rows.astype(np.float64))
    np.testing.assert_array_equal(spectrum(rows), expected)


def test_a_variance_needs_two_rows():
    with pytest.raises(ValueError, match="at least two rows, not 1"):
        spectrum(np.ones((1, 3)))


@pytest.mark.parametrize("n", [2, 3, 50, 100])
def test_few_frames_have_few_components(n):
    """Fewer than the share asks for of the columns, and none to spare."""
    rows = np.random.default_rng(0).normal(size=(n, 4096)).astype(np.float32)
    variances = spectrum(rows)
    assert variances.shape == (4096,) and not variances[n:].any()
    assert 1 <= components_for(variances, 0.95) <= n - 1
    assert components_for(variances, 1.0) <= n
    assert 1 <= effective_rank(variances) <= n - 1 + 1e-9


def test_equal_frames_have_no_components():
    variances = spectrum(np.ones((5, 3)))
    assert components_for(variances, 0.95) == 0
    assert effective_rank(variances) == 0


@pytest.mark.parametrize(
    "share, components", [(0.5, 1), (0.51, 2), (0.8, 2), (0.95, 3), (1.0, 4)]
)
def test_components_for_a_share(share, components):
    assert components_for(np.array([5, 3, 1.5, 0.5]), share) == components


def test_effective_rank_of_equal_variances_is_their_number():
    assert effective_rank(np.ones(7)) == pytest.approx(7)
    assert effective_rank(np.array([1.0, 0, 0])) == pytest.approx(1)


def test_a_verdict_on_the_papers_count_needs_its_network_and_many_frames():
    assert "2300 frames could not have shown it" in judge_components(60, 2300, 1.0)
    too_little = "too few frames, or another network"
    assert too_little in judge_components(60, 9_999, 1.0)
    assert too_little in judge_components(60, 41_328, 0.125)
    found = "2250 components here, about 2,300 in the paper"
    assert judge_components(2250, 41_328, 1.0) == found
