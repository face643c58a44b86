"""What the page margin computes is what aulib computes."""

import numpy as np
import pytest
import torch
from javascript import evaluate

from aulib.inference import to_intensity
from aulib.loss import scaled_smooth_l1
from companion.analysis.margins import shared_margin

FACTORS = [step / 4 for step in range(2, 17)]
"""All positions of the page's slider."""

PLACES = range(-100, 601, 5)
"""Hundredths of a level, with all ties of rounding and all bends of whole factors."""


@pytest.fixture(scope="module")
def computed() -> np.ndarray:
    """Answer, loss, pull and quadratic, of each factor, level and output."""
    expression = """DATA.factors.map((f) => [0, 1, 2, 3, 4, 5].map((y) =>
        DATA.places.map((place) => {
            const e = EXPLORABLES.equations, out = (f * place) / 100;
            return [e.toIntensity(out, f), e.loss(out, y, f), e.pull(out, y, f),
                    Number(e.isQuadratic(out, y, f))];
        })))"""
    data = {"factors": FACTORS, "places": list(PLACES)}
    return np.array(evaluate(["equations.js"], expression, data))


@pytest.mark.parametrize("number, factor", [*enumerate(FACTORS)])
def test_answers_losses_and_pulls_are_aulibs(computed, number, factor):
    outputs = factor * torch.tensor(PLACES, dtype=torch.float64) / 100
    for level in range(6):
        answer, loss, pull, quadratic = computed[number, level].T
        expected = to_intensity(outputs[:, None], factor)[:, 0]
        np.testing.assert_array_equal(answer, expected)
        points = outputs[:, None].clone().requires_grad_()
        levels = torch.full_like(points, level)
        losses = [
            scaled_smooth_l1(point[None], each[None], factor)
            for point, each in zip(points, levels)
        ]
        np.testing.assert_allclose(loss, [each.item() for each in losses], atol=1e-12)
        (slopes,) = torch.autograd.grad(sum(losses), points)
        np.testing.assert_allclose(pull, factor * slopes[:, 0].abs(), atol=1e-12)
        np.testing.assert_array_equal(quadratic, slopes[:, 0].abs() < 1)


def test_the_shares_are_those_of_notebook_03():
    expression = """DATA.map((f) => [
        EXPLORABLES.equations.sharedMargin(f, [1, 2, 3, 4], 0, 5),
        EXPLORABLES.equations.sharedMargin(f, [0, 1, 2, 3, 4, 5], 0, 5),
        EXPLORABLES.equations.sharedMargin(f, [0, 5], -3, 8)])"""
    factors = [0.5, 1, 1.5, 2, 2.75, 4]
    for factor, found in zip(factors, evaluate(["equations.js"], expression, factors)):
        expected = [
            shared_margin(factor),
            shared_margin(factor, levels=tuple(range(6))),
            shared_margin(factor, levels=(0, 5), outputs=(-3, 8)),
        ]
        assert found == pytest.approx(expected, abs=2e-3)


def test_with_factor_2_the_four_cases_are_two_inside_the_scale():
    expression = """DATA.map((f) => Array.from(new Set([1, 2, 3, 4].flatMap((y) =>
        Array.from({length: 699}, (_, i) => EXPLORABLES.equations.judge(
            f * (i - 99.5) / 100, y, f))))).sort())"""
    baseline, paper, steep = evaluate(["equations.js"], expression, [1, 2, 4])
    assert paper == ["rightQuadratic", "wrongLinear"]
    assert baseline == ["rightQuadratic", "wrongLinear", "wrongQuadratic"]
    assert steep == ["rightLinear", "rightQuadratic", "wrongLinear"]
