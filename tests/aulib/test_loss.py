"""Eq. 4 against its closed form."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import smooth_l1_loss

from aulib.inference import to_intensity
from aulib.loss import scaled_smooth_l1

LEVELS = st.lists(st.integers(0, 5), min_size=5, max_size=5)
OUTPUTS = st.lists(st.floats(-20, 30), min_size=5, max_size=5)


def closed_form(outputs: list[float], levels: list[int], scale: float) -> float:
    """H of reference [20], written out: quadratic below an error of 1, then linear."""
    errors = [abs(output - scale * level) for output, level in zip(outputs, levels)]
    losses = [e**2 / 2 if e < 1 else e - 1 / 2 for e in errors]
    return sum(losses) / len(losses)


@given(OUTPUTS, LEVELS, st.sampled_from([1.0, 2.0]))
def test_closed_form(outputs, levels, scale):
    loss = scaled_smooth_l1(
        torch.tensor([outputs], dtype=torch.float64), torch.tensor([levels]), scale
    )
    assert loss.item() == pytest.approx(closed_form(outputs, levels, scale), rel=1e-12)


@given(OUTPUTS, LEVELS)
def test_is_twice_a_smooth_l1_of_the_intensities(outputs, levels):
    """Doubled targets are the margin of one half on the scale of the levels."""
    outputs = torch.tensor([outputs], dtype=torch.float64)
    levels = torch.tensor([levels])
    halves = smooth_l1_loss(outputs / 2, levels.to(outputs.dtype), beta=0.5)
    assert scaled_smooth_l1(outputs, levels).item() == pytest.approx(2 * halves.item())


@pytest.mark.parametrize(
    "output, level, expected",
    [(4.0, 2, 0.0), (4.5, 2, 0.125), (5.0, 2, 0.5), (6.0, 2, 1.5), (-3.0, 0, 2.5)],
)
def test_by_hand(output, level, expected):
    loss = scaled_smooth_l1(torch.tensor([[output]]), torch.tensor([[level]]))
    assert loss.item() == pytest.approx(expected)


@given(st.floats(-2.5, 12.5), st.integers(0, 5))
def test_turns_linear_where_the_rounding_turns_wrong(output, level):
    """Section III: the margin of H is the margin of Eq. 3 (within 0 to 5)."""
    outputs = torch.tensor([[output]], dtype=torch.float64, requires_grad=True)
    scaled_smooth_l1(outputs, torch.tensor([[level]])).backward()
    slope = outputs.grad.item()
    if to_intensity(outputs.detach()).item() != level:
        assert abs(slope) == 1
    elif abs(slope) == 1:  # right by clipping, or on the edge of the margin
        assert output <= -1 or output >= 11 or abs(output - 2 * level) == 1
    else:
        assert slope == pytest.approx(output - 2 * level)


def test_is_the_mean_over_frames_and_aus():
    """So its gradient does not grow with the number of AUs."""
    outputs = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    levels = torch.randint(0, 6, (6, 5), generator=torch.Generator().manual_seed(1))
    single = [
        scaled_smooth_l1(outputs[i : i + 1, j : j + 1], levels[i : i + 1, j : j + 1])
        for i in range(6)
        for j in range(5)
    ]
    mean = torch.stack(single).mean()
    assert scaled_smooth_l1(outputs, levels).item() == pytest.approx(mean.item())


def test_keeps_the_outputs_type():
    for dtype in (torch.float16, torch.float32, torch.float64):
        loss = scaled_smooth_l1(torch.zeros(2, 5, dtype=dtype), torch.ones(2, 5))
        assert loss.dtype == dtype and loss.shape == ()


def test_the_gradient():
    outputs = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    levels = torch.tensor([[0, 1, 2, 3, 4]] * 3)
    assert torch.autograd.gradcheck(lambda x: scaled_smooth_l1(x, levels), outputs)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 5), (5, 4)])
def test_shapes_must_be_the_same(shape):
    """Broadcasting would answer with another loss."""
    with pytest.raises(ValueError, match="one shape"):
        scaled_smooth_l1(torch.zeros(4, 5), torch.zeros(shape))
