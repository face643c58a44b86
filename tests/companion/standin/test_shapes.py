"""The functions that the stand-in's faces are built with."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from companion.standin import shapes


@pytest.mark.parametrize(
    "shape", [(90, 71), (64, 64), (2, 50), (1, 9), (33, 3), (47, 46)]
)
@pytest.mark.parametrize("deviation", [0.6, 2.4, 2.6, 4.3, 8.7, 17.0])
def test_a_blur_at_less_resolution_is_nearly_the_same(shape, deviation):
    generator = np.random.default_rng(5)
    field = generator.standard_normal(shape, np.float32)
    field = gaussian_filter(field, 1.0) + (np.arange(shape[1]) > 0.4 * shape[1])
    field = field.astype(np.float32)
    exact = gaussian_filter(field, deviation, truncate=4.0)
    quick = shapes.blur(field, deviation, truncate=4.0)
    assert quick.dtype == np.float32
    assert quick.shape == shape
    if deviation <= shapes.COARSEN:
        np.testing.assert_array_equal(quick, exact)
    assert np.abs(quick - exact).max() < 0.02 * (1 + np.ptp(field))


def test_a_blur_keeps_the_mean_and_constants():
    field = np.full((40, 30), 0.25, np.float32)
    np.testing.assert_allclose(shapes.blur(field, 9.0, 2.5), 0.25, rtol=1e-6)


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (7, 0), (1, 10**6), (100, 999)])
def test_bands_cover_all_rows_once(rows, columns):
    covered = [row for band in shapes.bands(rows, columns) for row in range(rows)[band]]
    assert covered == list(range(rows))
