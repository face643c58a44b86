"""The structured model, against closed forms, brute force and other libraries."""

from collections import Counter
from itertools import product

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from people import random_levels
from scipy import integrate, stats
from torch.autograd import gradcheck

from aulib import AUS, UNKNOWN
from companion.methods.structured import (
    PAIRS,
    Ordinal,
    OrdinalPairs,
    cumulative,
    frank,
    joint,
    most_probable,
    pair_loss,
    structured,
    turn,
    unary_loss,
)

THETAS = st.one_of(
    st.floats(-12.5, 12.5),
    st.floats(-3e-4, 3e-4),
    st.sampled_from([0.0, 1e-300, -1e-12, 1e-4, -1e-4, 12.5, -12.5]),
)
PROBABILITIES = st.floats(0, 1)
# Where θ is large and u, v are near 1, the copula is the logarithm of a number near
# e^−12.5. That number is rounded by 2e-16, which is 5e-12 of the copula.
ROUNDING = 1e-11


def double(value) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


# -- one AU


@given(
    arrays(np.float64, 4, elements=st.floats(-60, 60)),
    arrays(np.float64, 5, elements=st.floats(0, 8)),
    st.floats(0.05, 20),
)
def test_cumulative_is_the_logistic_distribution_from_0_to_1(scores, steps, scale):
    thresholds = np.cumsum(steps) - 10
    arguments = (torch.from_numpy(values) for values in (scores, thresholds))
    found = cumulative(*arguments, double(scale)).numpy()
    assert found.shape == (4, 7) and found.dtype == np.float64
    assert (found[:, 0] == 0).all() and (found[:, 6] == 1).all()
    assert (np.diff(found, axis=1) >= -1e-15).all()
    expected = stats.logistic.cdf(thresholds, loc=scores[:, None], scale=scale)
    np.testing.assert_allclose(found[:, 1:6], expected, rtol=1e-9, atol=1e-300)


def test_at_first_the_six_levels_are_equally_probable():
    below = Ordinal(3).below(torch.zeros(1))
    np.testing.assert_allclose(below[0].detach(), np.arange(7) / 6, atol=1e-7)
    torch.manual_seed(0)
    weight = Ordinal(4096).weight.detach()  # from N(0, .01), as VGG16's last layer
    assert stats.kstest(weight.numpy(), stats.norm(0, 0.01).cdf).pvalue > 0.01


@pytest.mark.parametrize("root", [0.5, -2.0])
def test_the_scale_is_a_square(root):
    au, scores = Ordinal(3), torch.tensor([-1.0, 0.3, 4.0])
    with torch.no_grad():
        au.root_scale.fill_(root)
        expected = stats.logistic.cdf(
            au.thresholds().numpy(), loc=scores[:, None], scale=root**2
        )
        np.testing.assert_allclose(au.below(scores)[:, 1:6], expected, rtol=1e-6)


@given(arrays(np.float32, 5, elements=st.floats(-1000, 1000, width=32)))
def test_thresholds_ascend_for_all_parameters(values):
    au = Ordinal(2)
    with torch.no_grad():
        au.first.copy_(torch.tensor(values[0]))
        au.roots.copy_(torch.tensor(values[1:]))
    assert (au.thresholds().diff() >= 0).all()


@pytest.mark.parametrize("rate", [1.0, 30.0])
def test_thresholds_still_ascend_after_large_steps(rate):
    torch.manual_seed(0)
    au = Ordinal(8)
    optimizer = torch.optim.SGD(au.parameters(), lr=rate, momentum=0.9)
    features, levels = torch.randn(40, 8), random_levels(2, 40)[:, :1]
    before = au.thresholds().detach().clone()
    for _ in range(6):
        optimizer.zero_grad()
        loss = unary_loss(au.below(features @ au.weight)[:, None], levels)
        loss.backward()
        optimizer.step()
        thresholds = au.thresholds().detach()
        assert torch.isfinite(thresholds).all() and (thresholds.diff() >= 0).all()
    assert (thresholds - before).abs().max() > 0.1


# -- the copula


@given(PROBABILITIES, PROBABILITIES, THETAS)
def test_frank_is_its_closed_form(u, v, theta):
    """400 digits are enough for the smallest θ."""
    found = frank(double(u), double(v), double(theta)).item()
    with mpmath.workdps(400):
        if theta == 0:
            expected = mpmath.mpf(u) * mpmath.mpf(v)
        else:
            t = mpmath.mpf(theta)
            above = (mpmath.exp(-t * u) - 1) * (mpmath.exp(-t * v) - 1)
            expected = -mpmath.log(1 + above / (mpmath.exp(-t) - 1)) / t
    assert found == pytest.approx(float(expected), rel=0, abs=ROUNDING)


def test_frank_is_the_copula_of_statsmodels():
    copulas = pytest.importorskip("statsmodels.distributions.copula.api")
    points = np.random.default_rng(0).random((200, 2))
    for theta in (-12.5, -3.0, -0.5, 0.5, 3.0, 12.5):
        found = frank(*torch.from_numpy(points).T, double(theta))
        expected = copulas.FrankCopula(theta, k_dim=2).cdf(points)
        np.testing.assert_allclose(found, expected, atol=1e-9)


@given(PROBABILITIES, PROBABILITIES, THETAS)
def test_frank_keeps_the_bounds_of_frechet_and_hoeffding(u, v, theta):
    found = frank(double(u), double(v), double(theta)).item()
    assert max(u + v - 1, 0) - ROUNDING <= found <= min(u, v) + ROUNDING


@given(PROBABILITIES, PROBABILITIES)
def test_where_theta_is_0_a_pair_is_independent(u, v):
    assert frank(double(u), double(v), double(0.0)).item() == u * v
    tiny = frank(double(u), double(v), double(1e-13)).item()
    assert tiny == pytest.approx(u * v, abs=1e-13)


@given(PROBABILITIES, PROBABILITIES, st.sampled_from([-1, 1]))
def test_frank_and_its_slope_are_continuous_where_the_formula_changes(u, v, sign):
    theta = sign * 1e-4 * torch.tensor([1 - 1e-12, 1 + 1e-12], dtype=torch.float64)
    theta.requires_grad_(True)
    inner, outer = frank(double(u), double(v), theta)
    assert abs(inner.item() - outer.item()) < ROUNDING
    (inner + outer).backward()
    assert abs(theta.grad[0] - theta.grad[1]).item() < 1e-6


@pytest.mark.parametrize("theta", [-12.5, -4.0, -0.01, 1e-5, 0.3, 4.0, 12.5])
def test_spearmans_rho_is_the_one_of_the_debye_functions(theta):
    """ρ = 12 ∫∫ C du dv − 3 = 1 − 12/θ (D₁(θ) − D₂(θ)); Nelsen 2006, 5.1."""

    def debye(order: int) -> float:
        def integrand(t):
            return t**order / np.expm1(t) if t else float(order == 1)

        return order / theta**order * integrate.quad(integrand, 0, theta)[0]

    nodes, weights = np.polynomial.legendre.leggauss(60)
    u, w = torch.from_numpy(nodes / 2 + 0.5), torch.from_numpy(weights / 2)
    found = 12 * (w @ frank(u[:, None], u[None, :], double(theta)) @ w) - 3
    rough = theta / 6 if abs(theta) < 1e-3 else 1 - 12 / theta * (debye(1) - debye(2))
    assert found.item() == pytest.approx(rough, abs=1e-7)
    assert np.sign(found.item()) == np.sign(theta)


def marginals(seed: int, count: int = 3, spread: float = 3.0) -> torch.Tensor:
    """`cumulative` of five AUs: float64 (N, 5, 7)."""
    generator = np.random.default_rng(seed)
    columns = []
    for _ in AUS:
        thresholds = np.cumsum([generator.normal(-3, 1), *generator.random(4) * 3])
        scores = torch.from_numpy(generator.normal(0, spread, count))
        scale = double(generator.uniform(0.3, 2))
        columns.append(cumulative(scores, torch.from_numpy(thresholds), scale))
    return torch.stack(columns, 1)


@given(st.integers(0, 2**32 - 1), THETAS, st.sampled_from([1.0, 5.0, 30.0]))
def test_a_joint_distribution_has_the_unaries_for_its_marginals(seed, theta, spread):
    first, second = marginals(seed, spread=spread).unbind(1)[:2]
    found = joint(first, second, double(theta))
    assert found.shape == (3, 6, 6)
    assert found.min() >= -ROUNDING
    np.testing.assert_allclose(found.sum((1, 2)), 1, atol=ROUNDING)
    np.testing.assert_allclose(found.sum(2), first.diff(dim=1), atol=ROUNDING)
    np.testing.assert_allclose(found.sum(1), second.diff(dim=1), atol=ROUNDING)


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 12.5), st.sampled_from([-1, 1]))
def test_levels_go_together_where_theta_is_positive(seed, theta, sign):
    """Kendall's tau: pairs of frames in equal order less pairs in opposite order."""
    first, second = marginals(seed, 1, 1.0).unbind(1)[:2]
    table = joint(first, second, double(sign * theta))[0].numpy()
    tau = 0.0
    for (a, b), (c, d) in product(np.ndindex(6, 6), repeat=2):
        tau += table[a, b] * table[c, d] * np.sign((a - c) * (b - d))
    assert np.sign(tau) == sign


# -- losses and estimates


def plain_frank(u: float, v: float, theta: float) -> float:
    if abs(theta) < 1e-9:
        return u * v
    product_of_two = (np.exp(-theta * u) - 1) * (np.exp(-theta * v) - 1)
    return -np.log(1 + product_of_two / (np.exp(-theta) - 1)) / theta


def plain_pair(p: np.ndarray, q: np.ndarray, theta: float) -> np.ndarray:
    """P(l, m) by the four corners of each cell, from two `cumulative` (7,)."""
    table = np.empty((6, 6))
    for k, m in np.ndindex(6, 6):
        corners = [(k + 1, m + 1), (k, m + 1), (k + 1, m), (k, m)]
        a, b, c, d = (plain_frank(p[i], q[j], theta) for i, j in corners)
        table[k, m] = a - b - c + d
    return table


@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_both_losses_by_the_letter(unknown):
    below, levels = marginals(5, 20), random_levels(5, 20, unknown)
    thetas = np.random.default_rng(5).uniform(-8, 8, 10)
    rows, truth = below.numpy(), levels.numpy()
    unary, pairs = [], []
    for frame in range(20):
        for q in range(5):
            level = truth[frame, q]
            if level != UNKNOWN:
                share = rows[frame, q, level + 1] - rows[frame, q, level]
                unary.append(-np.log(max(share, 1e-20)))
        for theta, (q, r) in zip(thetas, PAIRS):
            k, m = truth[frame, [q, r]]
            if UNKNOWN not in (k, m):
                table = plain_pair(rows[frame, q], rows[frame, r], theta)
                pairs.append(-np.log(max(table[k, m], 1e-20)))
    found = unary_loss(below, levels)
    assert found.item() == pytest.approx(np.mean(unary), rel=1e-9)
    found = pair_loss(below, levels, torch.from_numpy(thetas))
    assert found.item() == pytest.approx(np.mean(pairs), rel=1e-4)


def test_an_impossible_level_costs_the_logarithm_of_the_cut():
    below = torch.tensor([[[0.0, 1, 1, 1, 1, 1, 1]]], dtype=torch.float64)
    level = torch.tensor([[3]])
    assert unary_loss(below, level).item() == pytest.approx(20 * np.log(10))
    both, levels = below.repeat(1, 2, 1), level.repeat(1, 2)
    found = pair_loss(both, levels, double([2.0]), PAIRS[:1])
    assert found.item() == pytest.approx(20 * np.log(10))


def test_the_gradient_of_the_unary_loss():
    levels = torch.tensor([[0, 3], [5, UNKNOWN], [2, 1]])
    scores = torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).double()
    thresholds = double([-2.0, -0.7, 0.1, 0.9, 2.4])

    def loss(scores, thresholds, scale):
        columns = [cumulative(column, thresholds, scale) for column in scores.T]
        return unary_loss(torch.stack(columns, 1), levels)

    inputs = (scores, thresholds, double(1.3))
    assert gradcheck(loss, [value.requires_grad_(True) for value in inputs])


@pytest.mark.parametrize("theta", [-12.5, -1.0, 0.0, 5e-5, 2e-4, 0.3, 6.0, 12.5])
def test_the_gradient_of_the_pair_loss(theta):
    levels = torch.tensor([[0, 3], [5, UNKNOWN], [2, 1], [4, 4]])
    scores = torch.randn(4, 2, generator=torch.Generator().manual_seed(1)).double()
    thresholds = double([-2.0, -0.7, 0.1, 0.9, 2.4])

    def loss(scores, thresholds, theta):
        scale = double(1.3)
        columns = [cumulative(column, thresholds, scale) for column in scores.T]
        return pair_loss(torch.stack(columns, 1), levels, theta, PAIRS[:1])

    inputs = (scores, thresholds, double([theta]))
    assert gradcheck(loss, [value.requires_grad_(True) for value in inputs])


@pytest.mark.parametrize("seed", range(4))
def test_the_most_probable_state_by_brute_force(seed):
    below = marginals(seed, 40, spread=1.5)
    thetas = np.random.default_rng(seed).uniform(-12.5, 12.5, 10)
    found = most_probable(below, torch.from_numpy(thetas)).tolist()
    states = np.array(list(product(range(6), repeat=5)))
    for row, levels in zip(below.numpy(), found):
        scores = np.zeros(len(states))
        for q in range(5):
            unary = np.log(np.maximum(np.diff(row[q]), 1e-20))
            scores += unary[states[:, q]] / 5
        for theta, (q, r) in zip(thetas, PAIRS):
            pair = np.log(np.maximum(plain_pair(row[q], row[r], theta), 1e-20))
            scores += pair[states[:, q], states[:, r]] / 10
        assert levels == states[scores.argmax()].tolist()


def test_strong_ties_change_the_estimate():
    below = marginals(8, 300, spread=1.5)
    alone = below.diff(dim=2).argmax(2)
    tied = most_probable(below, torch.full((10,), 12.5, dtype=torch.float64))
    changed = (alone != tied).any(dim=1)
    assert 0.1 < changed.double().mean() < 1
    assert tied[changed].double().std(1).mean() < alone[changed].double().std(1).mean()


def test_without_ties_each_au_has_its_own_most_probable_level():
    """More frames than are scored together."""
    below = marginals(9, 300, spread=1.5)
    found = most_probable(below, torch.zeros(10, dtype=torch.float64))
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found, below.diff(dim=2).argmax(2))


def test_the_last_layer_gives_a_score_for_each_au_twice_in_training():
    head, features = OrdinalPairs(7), torch.randn(4, 7)
    expected = torch.stack([features @ au.weight for au in head.aus], 1)
    torch.testing.assert_close(head.eval()(features), expected)
    scores, separate = head.train()(features)
    torch.testing.assert_close(scores, expected)
    torch.testing.assert_close(torch.stack(separate, 1), expected)


@pytest.fixture(scope="module")
def ordinal():
    torch.manual_seed(0)
    return structured(None, 0.125)


def test_estimates_are_the_most_probable_state_and_expectations(ordinal):
    head = ordinal.network.classifier[6]
    assert ordinal.network.classifier[5].p == 0.5  # VGG16's own dropout
    outputs = torch.from_numpy(np.random.default_rng(3).normal(0, 3, (9, 5)))
    found = ordinal.estimate(outputs.float())
    assert not found.rounded and found.values.dtype == torch.float32
    thetas = head.thetas().detach()
    expected = [25 / (1 + np.exp(-0.01)) - 12.5] * 10
    assert thetas.tolist() == pytest.approx(expected, abs=1e-5)
    below = np.stack(
        [
            stats.logistic.cdf(
                np.append(-np.inf, np.append(au.thresholds().detach(), np.inf)),
                loc=outputs.float()[:, [column]],
            )
            for column, au in enumerate(head.aus)
        ],
        axis=1,
    )
    expectation = (np.diff(below) * np.arange(6)).sum(axis=2)
    np.testing.assert_allclose(found.values, expectation, atol=1e-5)
    expected = most_probable(torch.from_numpy(below), thetas)
    np.testing.assert_array_equal(found.levels, expected)


def test_the_evaluation_loss_is_the_sum_of_both_losses_of_known_levels(ordinal):
    head = ordinal.network.classifier[6]
    outputs, levels = torch.randn(9, 5), random_levels(4, 9, unknown=0.3)
    found = ordinal.evaluation_loss(outputs, levels).item()
    below = head.below(outputs).detach()
    both = unary_loss(below, levels), pair_loss(below, levels, head.thetas().detach())
    assert found == pytest.approx(sum(both).item())
    assert not ordinal.evaluation_loss(outputs, levels).requires_grad


def own_part(batch: int, names: list[str]) -> set[str]:
    """The weights that a batch of this number moves."""
    kind, which = turn(batch)
    if kind == 0:
        head = {f"classifier.6.aus.{au}.weight" for au in range(5)}
        return head | {name for name in names if not name.startswith("classifier.6.")}
    if kind == 1:
        parts = ("weight", "first", "roots", "root_scale")
        return {f"classifier.6.aus.{which}.{part}" for part in parts}
    return {f"classifier.6.raw.{which}"}


@pytest.mark.parametrize("batch", [0, 1, 2, 13, 29, 30])
def test_gradients_reach_only_a_batchs_own_part(ordinal, batch):
    network = ordinal.network.train()
    network.zero_grad()
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ordinal.loss(network(images), random_levels(6, 3), batch).backward()
    weights = dict(network.named_parameters())
    reached = {name for name, weight in weights.items() if weight.grad is not None}
    assert reached == own_part(batch, list(weights))
    assert all(weights[name].grad.any() for name in reached)


def test_a_step_moves_only_a_batchs_own_part():
    """The other parts stay, in spite of momentum and weight decay."""
    torch.manual_seed(0)
    objective = structured(None, 0.125)
    network = objective.network.train()
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, weight_decay=0.01, fused=True
    )
    for weight in network.parameters():
        optimizer.state[weight]["momentum_buffer"] = torch.ones_like(weight)
    for batch in range(4):
        before = {name: w.detach().clone() for name, w in network.named_parameters()}
        optimizer.zero_grad()
        images, levels = torch.randn(2, 3, 32, 32), random_levels(batch, 2)
        objective.loss(network(images), levels, batch).backward()
        optimizer.step()
        after = network.named_parameters()
        moved = {name for name, w in after if not torch.equal(w, before[name])}
        assert moved == own_part(batch, list(before))


@pytest.mark.parametrize("batch", [0, 4, 8])
def test_the_loss_of_a_batch_is_the_loss_of_its_own_part(ordinal, batch):
    network, head = ordinal.network.train(), ordinal.network.classifier[6]
    levels = random_levels(7, 6)
    outputs = network(torch.randn(6, 3, 32, 32))
    below = head.below(outputs[0]).detach()
    kind, which = turn(batch)
    thetas = head.thetas().detach()
    pair = PAIRS[which : which + 1]
    expected = {
        0: unary_loss(below, levels) + pair_loss(below, levels, thetas),
        1: unary_loss(below[:, [which]], levels[:, [which]]),
        2: pair_loss(below, levels, thetas[which : which + 1], pair),
    }
    found = ordinal.loss(outputs, levels, batch)
    assert found.item() == pytest.approx(expected[kind].item(), rel=1e-6)


def test_every_au_and_every_pair_has_its_turn_equally_often():
    turns = Counter(turn(batch) for batch in range(90))
    assert turns == {
        **{(0, 0): 30},
        **{(1, au): 6 for au in range(5)},
        **{(2, pair): 3 for pair in range(10)},
    }
    assert [turn(batch)[0] for batch in range(6)] == [0, 1, 2, 0, 1, 2]
