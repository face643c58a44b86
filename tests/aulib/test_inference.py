"""Eq. 3 against exact arithmetic: ties above all."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from aulib.inference import to_intensity

HALVES = [step / 2 for step in range(-2, 23)]  # -1, -0.5, 0 … 11
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def exactly(output: float, scale: float) -> int:
    """Eq. 3 in rational numbers: y where y - 1/2 <= output / scale < y + 1/2."""
    nearest = math.floor(Fraction(float(output)) / Fraction(scale) + Fraction(1, 2))
    return max(0, min(5, nearest))


def answer(outputs: np.ndarray, scale: float) -> list[int]:
    return to_intensity(torch.from_numpy(np.atleast_1d(outputs)), scale).tolist()


@DTYPES
@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("half", HALVES)
def test_a_half_rounds_up_and_what_is_below_it_down(half, scale, dtype):
    """Not to the even neighbour, and not as floor(x + .5) does near .5."""
    tie = dtype(half * scale)
    below, above = np.nextafter(tie, dtype(-99)), np.nextafter(tie, dtype(99))
    assert below < tie < above
    expected = [exactly(x, scale) for x in (below, tie, above)]
    assert answer(np.array([below, tie, above]), scale) == expected
    if half in (0.5, 1.5, 2.5, 3.5, 4.5):
        assert expected == [half - 0.5, half + 0.5, half + 0.5]


def test_the_ties_by_hand():
    outputs = torch.tensor([[1.0, 3.0, 5.0, 7.0, 9.0]])
    assert to_intensity(outputs).tolist() == [[1, 2, 3, 4, 5]]
    assert torch.round(outputs / 2).tolist() == [[0, 2, 2, 4, 4]]  # what to avoid


@DTYPES
@given(data=st.data())
def test_any_output(data, dtype):
    width = 8 * dtype().itemsize
    finite = st.floats(allow_nan=False, allow_infinity=False, width=width)
    near = st.floats(-3, 15, width=width)
    output = dtype(data.draw(st.one_of(near, finite)))
    scale = data.draw(st.sampled_from([1.0, 2.0]))
    assert answer(output, scale) == [exactly(output, scale)]


@given(st.integers(-4, 24))
@example(1)
def test_half_precision_is_exact_too(quarters):
    for dtype in (torch.float16, torch.bfloat16):
        output = torch.tensor([quarters / 2], dtype=dtype)
        assert to_intensity(output).item() == exactly(output.item(), 2.0)


def test_clips_at_both_ends():
    outputs = torch.tensor([[-1e30, -0.51, -0.0, 5.49, 5.5, 1e30]])
    assert to_intensity(outputs, scale=1.0).tolist() == [[0, 0, 0, 5, 5, 5]]


def test_shape_and_type():
    levels = to_intensity(torch.zeros(3, 5))
    assert levels.shape == (3, 5)
    assert levels.dtype == torch.int64
    assert to_intensity(torch.zeros(0, 5)).shape == (0, 5)


def test_keeps_what_it_is_given():
    outputs = torch.tensor([[2.4, 99.0]])
    to_intensity(outputs)
    assert outputs.tolist() == [[pytest.approx(2.4), 99.0]]


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_an_output_that_is_no_number(odd):
    with pytest.raises(ValueError, match="NaN or infinity"):
        to_intensity(torch.tensor([[0.0, odd]]))
