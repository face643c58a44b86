import numpy as np
import pytest
import torch
from torch.nn.functional import smooth_l1_loss

from aulib.inference import to_intensity
from companion.analysis.margins import draw_losses, draw_steps, shared_margin


def lines_of(ax) -> dict:
    return {line.get_label(): line.get_xydata().tolist() for line in ax.lines}


def test_steps_are_half_open_and_round_differs_at_even_levels():
    (ax,) = draw_steps(to_intensity).axes
    lines = lines_of(ax)
    ties = [1, 3, 5, 7, 9]
    assert lines["belongs to the step"] == [[t, (t + 1) / 2] for t in ties]
    assert lines["does not belong"] == [[t, (t - 1) / 2] for t in ties]
    assert lines["torch.round differs"] == [[1, 0], [5, 2], [9, 4]]
    (steps,) = ax.collections
    for level, ((start, y), (end, _)) in enumerate(steps.get_segments()):
        inside = torch.linspace(start, end - 1e-4, 9)
        assert y == level and (to_intensity(inside) == level).all()


def test_the_loss_bends_at_the_dots():
    (ax,) = draw_losses(lambda e: smooth_l1_loss(e, 0 * e, reduction="none")).axes
    once, its_dots, twice, dots = (line.get_xydata() for line in ax.lines)
    assert its_dots.tolist() == [[-1, 0.5], [1, 0.5]]
    assert dots.tolist() == [[-0.5, 0.5], [0.5, 0.5]]
    np.testing.assert_allclose(
        once[[0, 200, 300, 400], 1], [1.5, 0, 0.5, 1.5], atol=1e-6
    )
    np.testing.assert_allclose(
        twice[[0, 200, 250, 400], 1], [3.5, 0, 0.5, 3.5], atol=1e-6
    )
    (band,) = [p for p in ax.patches if "Eq. 3" in p.get_label()]
    assert (band.get_x(), band.get_width()) == (-0.5, 1)
    assert "levels 1 to 4" in band.get_label()  # 0 and 5 have no outer border


def test_margins_are_one_with_the_factor_2_alone():
    """By hand: without it, each level loses .5 on both sides, 1 of 5 levels."""
    assert shared_margin(2.0) == pytest.approx(1)
    assert shared_margin(1.0) == pytest.approx(0.8, abs=1e-3)
    assert shared_margin(4.0) == pytest.approx(0.9, abs=1e-3)
    # below -.5 the answer to level 0 is right and the loss a line: 2.5 of 11 levels
    ends = shared_margin(2.0, levels=(0, 5), outputs=(-3, 8))
    assert ends == pytest.approx(1 - 2.5 / 11, abs=1e-3)
    assert shared_margin(2.0, levels=(0, 5)) == pytest.approx(1)
