"""The other rows of Table II, against closed forms, brute force and other libraries."""

import hashlib
import importlib
import json
import sys
from collections import Counter
from itertools import product
from types import SimpleNamespace

import faults
import mpmath
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import integrate, stats
from torch import nn
from torch.autograd import gradcheck
from torchvision.models.vgg import VGG, cfgs, make_layers

import aulib.training
from aulib import AU_NAMES, AUS, LEVEL_NAMES, OUTPUT_NAMES, UNKNOWN
from aulib.compared import METHODS, build_method, hog
from aulib.compared.classifier import answer, class_loss, classifier
from aulib.compared.joint import joint_weights
from aulib.compared.structured import (
    PAIRS,
    Ordinal,
    cumulative,
    frank,
    iterative_batches,
    joint,
    most_probable,
    pair_loss,
    structured,
    turn,
    unary_loss,
)
from aulib.faces import CropStore, write_crops
from aulib.icc import icc_per_au
from aulib.machine import open_accelerator, too_many_frames
from aulib.model import DROPOUT
from aulib.training import draw_epoch, train

OPTIONS = dict(
    seed=7,
    epochs=2,
    batch_size=16,
    accumulation=1,
    learning_rate=0.001,
    learning_rate_step=1,
    momentum=0.9,
    weight_decay=0.0005,
    scale=1.0,
    weights=None,
    width=0.125,
)
SAMPLERS = {
    "baseline": "joint",
    "proposed": "multinomial",
    "classifier": "shuffle",
    "structured": "iterative",
}
THETAS = st.one_of(
    st.floats(-12.5, 12.5),
    st.floats(-3e-4, 3e-4),
    st.sampled_from([0.0, 1e-300, -1e-12, 1e-4, -1e-4, 12.5, -12.5]),
)
PROBABILITIES = st.floats(0, 1)
# Where θ is large and u, v are near 1, the copula is the logarithm of a number near
# e^−12.5, which carries a rounding of 2e-16: that is 5e-12 of the copula.
ROUNDING = 1e-11


def write_store(folder, frames_of: dict[str, tuple[str, int]]) -> CropStore:
    """Crops of 32 to 40 pixels; the direction of the stripes tells AU12."""
    generator = np.random.default_rng(0)
    (folder / "tree").mkdir()
    y, x = np.mgrid[:50, :40]
    rows = []
    for person, (split, count) in frames_of.items():
        for number in range(count):
            levels = generator.integers(0, 6, 5)
            angle = np.pi / 7 * levels[2] + generator.normal(0, 0.03)
            stripes = np.sin(0.9 * (x * np.cos(angle) + y * np.sin(angle)))
            image = 128 + 60 * stripes[:, :, None] + generator.normal(0, 5, (50, 40, 3))
            path = f"{person}_{number}.png"
            Image.fromarray(image.astype(np.uint8)).save(folder / "tree" / path)
            rows.append((person, "T1", number, split, path, *levels))
    columns = ["subject", "task", "frame", "split", "path", *AU_NAMES]
    frames = pd.DataFrame(rows, columns=columns)
    frames[list(AU_NAMES)] = frames[list(AU_NAMES)].astype(np.int8)
    frames.loc[len(frames) - 1, "AU10"] = UNKNOWN
    frames[["x0", "y0", "x1", "y1"]] = [0.0, 0.0, 40.0, 50.0]
    frames["kept"] = True
    write_crops(folder / "crops", folder / "tree", frames, size=32, workers=1)
    return CropStore(folder / "crops")


@pytest.fixture(scope="module")
def people(tmp_path_factory) -> CropStore:
    """Eight people of 3 to 10 frames to train on, three of 6 to evaluate."""
    training = {f"F{number:03d}": ("train", 3 + number) for number in range(8)}
    others = {f"M{number:03d}": ("evaluation", 6) for number in range(3)}
    return write_store(tmp_path_factory.mktemp("people"), training | others)


def parts_of(store: CropStore) -> tuple[np.ndarray, np.ndarray]:
    split = store.index["split"].to_numpy()
    return np.flatnonzero(split == "train"), np.flatnonzero(split == "evaluation")


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def double(value) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def random_levels(seed: int, count: int, unknown: float = 0.0) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    levels = generator.integers(0, 6, (count, 5))
    levels[generator.random((count, 5)) < unknown] = UNKNOWN
    return torch.from_numpy(levels)


# -- classifier


@pytest.fixture(scope="module")
def classes():
    torch.manual_seed(0)
    return classifier(None, 0.125)


@pytest.mark.parametrize("seed", range(5))
def test_class_loss_is_scikit_learns_log_loss_of_what_is_known(seed):
    from sklearn.metrics import log_loss

    outputs = np.random.default_rng(seed).normal(0, 3, (40, 30))
    levels = random_levels(seed, 40, unknown=0.3)
    flat, truth = outputs.reshape(-1, 6), levels.numpy().reshape(-1)
    known = truth != UNKNOWN
    exponents = np.exp(flat)
    shares = exponents / exponents.sum(axis=1, keepdims=True)
    expected = log_loss(truth[known], shares[known], labels=range(6))
    found = class_loss(torch.from_numpy(outputs), levels)
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_class_loss_by_hand():
    """Equal outputs: ln 6. An output of ln 5 more: half of the probability."""
    outputs = torch.zeros(1, 30)
    levels = torch.full((1, 5), UNKNOWN)
    levels[0, 3] = 2
    assert class_loss(outputs, levels).item() == pytest.approx(np.log(6))
    outputs[0, 3 * 6 + 2] = np.log(5)
    outputs[0, :18] = 7.0  # of AUs that are unknown
    assert class_loss(outputs, levels).item() == pytest.approx(np.log(2))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_class_is_answered_by_the_largest_output(seed, count):
    outputs = np.random.default_rng(seed).normal(0, 4, (count, 30)).astype(np.float32)
    found = answer(torch.from_numpy(outputs))
    assert found.values.shape == found.levels.shape == (count, 5)
    assert found.values.dtype == torch.float32 and found.levels.dtype == torch.int64
    assert not found.rounded
    for row, au in product(range(count), range(5)):
        six = outputs[row, 6 * au : 6 * au + 6].astype(float)
        total = sum(np.exp(six))
        expectation = sum(level * np.exp(six[level]) / total for level in range(6))
        assert found.levels[row, au] == max(range(6), key=lambda level: six[level])
        assert found.values[row, au].item() == pytest.approx(expectation, abs=1e-5)


def test_the_classifier_has_thirty_outputs_and_all_of_it_learns(classes):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network = classes.network.train()
    outputs = network(images)
    assert outputs.shape == (2, 30)
    classes.loss(outputs, random_levels(0, 2), 0).backward()
    assert all(weight.grad.any() for weight in network.parameters())


def test_an_untrained_classifier_finds_all_levels_about_as_probable(classes):
    network = classes.network.eval()
    with torch.inference_mode():
        outputs = network(torch.randn(4, 3, 32, 32))
    loss = classes.evaluation_loss(outputs, random_levels(1, 4))
    assert loss.item() == pytest.approx(np.log(6), abs=0.2)


# -- structured: one AU


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
def test_thresholds_ascend_whatever_their_parameters(values):
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


# -- structured: the copula


@given(PROBABILITIES, PROBABILITIES, THETAS)
def test_frank_is_its_closed_form(u, v, theta):
    """With enough digits for the smallest θ that there is."""
    found = frank(double(u), double(v), double(theta)).item()
    with mpmath.workdps(400):
        if theta == 0:
            expected = mpmath.mpf(u) * mpmath.mpf(v)
        else:
            t = mpmath.mpf(theta)
            above = (mpmath.exp(-t * u) - 1) * (mpmath.exp(-t * v) - 1)
            expected = -mpmath.log(1 + above / (mpmath.exp(-t) - 1)) / t
    assert found == pytest.approx(float(expected), rel=0, abs=ROUNDING)


def test_frank_is_that_of_statsmodels():
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
def test_without_theta_a_pair_is_independent(u, v):
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
def test_spearmans_rho_is_that_of_the_debye_functions(theta):
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
    """Kendall's tau: pairs of frames in the same order less those in the other."""
    first, second = marginals(seed, 1, 1.0).unbind(1)[:2]
    table = joint(first, second, double(sign * theta))[0].numpy()
    tau = 0.0
    for (a, b), (c, d) in product(np.ndindex(6, 6), repeat=2):
        tau += table[a, b] * table[c, d] * np.sign((a - c) * (b - d))
    assert np.sign(tau) == sign


# -- structured: losses and answers


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


def test_strong_ties_change_the_answer():
    below = marginals(8, 300, spread=1.5)
    alone = below.diff(dim=2).argmax(2)
    tied = most_probable(below, torch.full((10,), 12.5, dtype=torch.float64))
    changed = (alone != tied).any(dim=1)
    assert 0.1 < changed.double().mean() < 1
    assert tied[changed].double().std(1).mean() < alone[changed].double().std(1).mean()


def test_without_ties_each_au_has_its_own_most_probable_level():
    """Of more frames than are looked at together."""
    below = marginals(9, 300, spread=1.5)
    found = most_probable(below, torch.zeros(10, dtype=torch.float64))
    assert found.dtype == torch.int64
    np.testing.assert_array_equal(found, below.diff(dim=2).argmax(2))


@pytest.fixture(scope="module")
def ordinal():
    torch.manual_seed(0)
    return structured(None, 0.125)


def test_answers_are_the_most_probable_state_and_expectations(ordinal):
    head = ordinal.network.classifier[6]
    outputs = torch.from_numpy(np.random.default_rng(3).normal(0, 3, (9, 5)))
    found = ordinal.answer(outputs.float())
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


def test_the_evaluation_loss_is_the_sum_of_both_without_the_unknown(ordinal):
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
def test_gradients_reach_a_batchs_own_part_only(ordinal, batch):
    network = ordinal.network.train()
    network.zero_grad()
    images = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ordinal.loss(network(images), random_levels(6, 3), batch).backward()
    weights = dict(network.named_parameters())
    reached = {name for name, weight in weights.items() if weight.grad is not None}
    assert reached == own_part(batch, list(weights))
    assert all(weights[name].grad.any() for name in reached)


def test_a_step_moves_a_batchs_own_part_only():
    """Though the others have a momentum and weight decay."""
    torch.manual_seed(0)
    method = structured(None, 0.125)
    network = method.network.train()
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, weight_decay=0.01, fused=True
    )
    for weight in network.parameters():
        optimizer.state[weight]["momentum_buffer"] = torch.ones_like(weight)
    for batch in range(4):
        before = {name: w.detach().clone() for name, w in network.named_parameters()}
        optimizer.zero_grad()
        images, levels = torch.randn(2, 3, 32, 32), random_levels(batch, 2)
        method.loss(network(images), levels, batch).backward()
        optimizer.step()
        after = network.named_parameters()
        moved = {name for name, w in after if not torch.equal(w, before[name])}
        assert moved == own_part(batch, list(before))


@pytest.mark.parametrize("batch", [0, 4, 8])
def test_the_loss_of_a_batch_is_that_of_its_own_part(ordinal, batch):
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


def test_a_network_that_does_not_fit_is_told_how_many_frames_would(ordinal):
    network = ordinal.network.train()
    answer = too_many_frames(open_accelerator(), network, 32, 4)
    assert "2 do: multiply `accumulation` in the profile by 2" in answer


def test_several_processes_cannot_share_it(people, tmp_path, monkeypatch):
    several = SimpleNamespace(num_processes=2)
    monkeypatch.setattr(aulib.training, "open_accelerator", lambda: several)
    options = OPTIONS | {"method": "structured", "sampler": "iterative"}
    with pytest.raises(ValueError, match="train it in one"):
        train(people, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


# -- structured: batches


def labelled_frames(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rare levels and people with few frames; level 4 of AU06 is nobody's."""
    generator = np.random.default_rng(seed)
    shares = [0.5, 0.2, 0.1, 0.1, 0.06, 0.04]
    levels = generator.choice(6, (count, 5), p=shares)
    levels[levels[:, 0] == 4, 0] = 0
    people = generator.choice(9, count, p=np.arange(1, 10) / 45)
    return levels, np.array([f"F{number:03d}" for number in people])


def test_every_au_and_every_pair_has_its_turn_equally_often():
    turns = Counter(turn(batch) for batch in range(90))
    assert turns == {
        **{(0, 0): 30},
        **{(1, au): 6 for au in range(5)},
        **{(2, pair): 3 for pair in range(10)},
    }
    assert [turn(batch)[0] for batch in range(6)] == [0, 1, 2, 0, 1, 2]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 99), st.integers(1, 9))
def test_an_epoch_has_three_batches_for_each_plain_one(count, batch_size, seed, epoch):
    levels, people = labelled_frames(seed, count)
    drawn = iterative_batches(levels, people, batch_size, seed, epoch)
    assert drawn.shape == (3 * int(np.ceil(count / batch_size)) * batch_size,)
    assert drawn.dtype == np.int64 and (0 <= drawn).all() and (drawn < count).all()
    again = draw_epoch(levels, "iterative", seed, epoch, people, batch_size)
    np.testing.assert_array_equal(drawn, again)


def test_iterative_batches_are_a_function_of_seed_and_epoch():
    levels, people = labelled_frames(0, 200)
    drawn = iterative_batches(levels, people, 20, 1, 1)
    for seed, epoch in ((1, 2), (2, 1)):
        assert (drawn != iterative_batches(levels, people, 20, seed, epoch)).any()


@pytest.fixture(scope="module")
def batches():
    """Levels and people of 3,000 frames; what was drawn by whose turn it was."""
    levels, people = labelled_frames(1, 3000)
    drawn: dict[tuple[int, int], list] = {}
    for epoch in range(1, 5):
        rows = iterative_batches(levels, people, 300, 5, epoch).reshape(-1, 300)
        for batch, part in enumerate(rows):
            drawn.setdefault(turn(batch), []).append(part)
    return levels, people, {key: np.concatenate(rows) for key, rows in drawn.items()}


def assert_balanced(groups: np.ndarray, drawn: np.ndarray) -> None:
    """Each group is as probable, and so is each frame within one."""
    known = np.unique(groups)
    found = pd.Series(groups[drawn]).value_counts()
    assert set(found.index) <= set(known)
    counts = found.reindex(known, fill_value=0)
    assert stats.chisquare(counts).pvalue > 0.001
    largest = pd.Series(groups).value_counts().index[0]
    members = np.flatnonzero(groups == largest)
    times = np.bincount(drawn, minlength=len(groups))[members]
    halves = times[: len(times) // 2].sum(), times[len(times) // 2 :].sum()
    expected = np.array([len(times) // 2, len(times) - len(times) // 2]) / len(times)
    assert stats.chisquare(halves, expected * sum(halves)).pvalue > 0.001


def test_the_first_kind_of_batch_is_balanced_over_people(batches):
    _, people, drawn = batches
    assert_balanced(people, drawn[0, 0])


@pytest.mark.parametrize("au", range(5))
def test_the_second_kind_is_balanced_over_the_levels_of_one_au(batches, au):
    levels, _, drawn = batches
    assert_balanced(levels[:, au], drawn[1, au])
    assert au or 4 not in levels[drawn[1, 0], 0]
    other = (au + 1) % 5  # whose levels stay as rare as they are
    counts = np.bincount(levels[drawn[1, au], other], minlength=6)
    assert counts[0] > 4 * counts[5]


@pytest.mark.parametrize("pair", range(10))
def test_the_third_kind_is_balanced_over_the_levels_of_a_pair(batches, pair):
    levels, _, drawn = batches
    q, r = PAIRS[pair]
    both = np.array([f"{a} {b}" for a, b in levels[:, [q, r]]])
    assert_balanced(both, drawn[2, pair])


def test_a_frame_is_drawn_as_often_as_others_of_its_group():
    """Ten frames of level 0 and one of level 1: chi-square of what was drawn."""
    levels, people = np.zeros((11, 5), dtype=int), np.array(["F001"] * 11)
    levels[10] = 1
    parts = [
        iterative_batches(levels, people, 1000, 3, epoch)[1000:2000]
        for epoch in range(1, 6)
    ]
    counts = np.bincount(np.concatenate(parts), minlength=11)
    expected = np.array([250.0] * 10 + [2500.0])
    assert stats.chisquare(counts, expected).pvalue > 0.001


# -- joint


@given(
    arrays(
        np.int64,
        st.tuples(st.integers(1, 40), st.integers(1, 5)),
        elements=st.integers(0, 2),
    )
)
def test_every_label_vector_is_as_probable_in_all(intensities):
    weights = joint_weights(intensities)
    assert weights.shape == (len(intensities),) and weights.dtype == np.float64
    frames = pd.DataFrame(intensities)
    counts = frames.value_counts()
    expected = [1 / counts[tuple(row)] for row in intensities.tolist()]
    np.testing.assert_array_equal(weights, expected)
    totals = pd.Series(weights).groupby([*intensities.T]).sum()
    assert len(totals) == len(counts)
    np.testing.assert_allclose(totals, 1)


def test_joint_draws_are_balanced_over_label_vectors():
    generator = np.random.default_rng(0)
    levels = generator.choice(3, (600, 2), p=[0.8, 0.15, 0.05])
    drawn = [draw_epoch(levels, "joint", 4, epoch) for epoch in range(1, 11)]
    vectors = pd.Series([f"{a} {b}" for a, b in levels])
    counts = vectors.iloc[np.concatenate(drawn)].value_counts()
    assert counts.sum() == 6000 and len(counts) == vectors.nunique()
    assert stats.chisquare(counts).pvalue > 0.001


# -- hog


def test_hog_features_are_those_of_scikit_image(people):
    import skimage.feature

    rows = np.array([5, 0, len(people) - 1])
    found = hog.hog_features(people, rows)
    assert found.shape == (3, 1764) and found.dtype == np.float32
    for row, values in zip(rows, found):
        crop = people[row]
        assert crop.shape == (40, 32, 3)
        expected = skimage.feature.hog(
            crop[4:36],
            orientations=9,
            pixels_per_cell=(4, 4),
            cells_per_block=(2, 2),
            block_norm="L2-Hys",
            channel_axis=-1,
        )
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-7)


def table_of_people(count: int = 7, frames: int = 6):
    """Features whose first is the person; their levels; whose they are."""
    generator = np.random.default_rng(1)
    subjects = np.repeat([f"F{number:03d}" for number in range(count)], frames)
    features = generator.normal(0, 1, (len(subjects), 12))
    levels = np.clip(np.round(2.5 + features[:, 1] + features[:, 2]), 0, 5)
    features[:, 0] = np.repeat(np.arange(count), frames)
    return features, levels.astype(int), subjects


def test_c_is_chosen_on_people_who_were_not_fitted(monkeypatch):
    fitted, asked = [], []

    class Watched(hog.StandardScaler):
        def fit(self, X, *arguments, **named):
            fitted.append(set(X[:, 0]))
            return super().fit(X, *arguments, **named)

        def transform(self, X, *arguments, **named):
            asked.append((fitted[-1], set(X[:, 0])))
            return super().transform(X, *arguments, **named)

    monkeypatch.setattr(hog, "StandardScaler", Watched)
    hog.fit(*table_of_people(), 3)
    assert len(fitted) == 5 * len(hog.CHOICES) + 1
    assert fitted[-1] == set(range(7))  # in the end with all of them
    scored = [(known, people) for known, people in asked if known != people]
    assert len(scored) == 5 * len(hog.CHOICES)
    for known, left_out in scored:
        assert not known & left_out and known | left_out == set(range(7))


def test_c_is_the_one_with_the_least_error_on_people_left_out():
    features, levels, subjects = table_of_people()
    search = hog.fit(features, levels, subjects, 3)
    errors = dict.fromkeys(hog.CHOICES, 0.0)
    for train_rows, test_rows in search.cv.split(features, levels, subjects):
        assert not {*subjects[train_rows]} & {*subjects[test_rows]}
        mean, scale = features[train_rows].mean(0), features[train_rows].std(0)
        scaled = (features - mean) / scale
        for c in errors:
            support = hog.LinearSVR(
                C=c, epsilon=0.1, loss="squared_epsilon_insensitive", dual=False
            )
            support.fit(scaled[train_rows], levels[train_rows])
            difference = support.predict(scaled[test_rows]) - levels[test_rows]
            errors[c] += np.abs(difference).mean() / 5
    assert len(set(errors.values())) == 4
    assert search.best_params_["linearsvr__C"] == min(errors, key=errors.get)
    assert -search.best_score_ == pytest.approx(min(errors.values()), rel=1e-4)


def test_the_parts_are_a_function_of_the_seed():
    table = table_of_people()
    parts = [
        [rows.tolist() for _, rows in hog.fit(*table, seed).cv.split(*table)]
        for seed in (3, 3, 4)
    ]
    assert parts[0] == parts[1] != parts[2]


def test_a_regressor_that_does_not_converge_is_refused(monkeypatch):
    def hasty(**named):
        return support(max_iter=1, tol=1e-12, **named)

    support = hog.LinearSVR
    monkeypatch.setattr(hog, "LinearSVR", hasty)
    with pytest.raises((ValueError, hog.ConvergenceWarning)):
        hog.fit(*table_of_people(), 3)


def test_fewer_people_than_parts():
    with pytest.raises(ValueError, match="^4 people: cross-validation wants 5 or more"):
        hog.fit(*table_of_people(4), 0)


@pytest.fixture(scope="module")
def described(people, tmp_path_factory):
    directory = tmp_path_factory.mktemp("hog") / "hog_3"
    return directory, hog.train(people, directory, seed=3)


def test_hog_writes_the_files_of_a_run(described, people):
    directory, metrics = described
    assert sorted(p.name for p in directory.iterdir()) == [
        "best.pt",
        "log.txt",
        "metrics.csv",
        "outputs.parquet",
        "parameters.json",
        "provenance.json",
    ]
    record = json.loads((directory / "provenance.json").read_text())
    assert record["parameters"]["method"] == "hog"
    assert record["network_parameters"] == 5 * 1765
    outputs = pd.read_parquet(directory / "outputs.parquet")
    evaluation = people.index.iloc[parts_of(people)[1]]
    np.testing.assert_array_equal(outputs[list(AU_NAMES)], evaluation[list(AU_NAMES)])
    assert (outputs["epoch"] == 1).all() and not {*LEVEL_NAMES} & {*outputs}
    levels = np.clip(np.floor(outputs[list(OUTPUT_NAMES)] + 0.5), 0, 5)
    scores = icc_per_au(outputs[list(AU_NAMES)].to_numpy(), levels.to_numpy())
    row = metrics.iloc[0]
    np.testing.assert_allclose(row[list(AU_NAMES)].to_numpy(float), scores)
    errors = (outputs[list(OUTPUT_NAMES)] - outputs[list(AU_NAMES)].to_numpy()).abs()
    known = outputs[list(AU_NAMES)].to_numpy() != UNKNOWN
    expected = errors.to_numpy()[known].mean()
    assert row["evaluation_loss"] == pytest.approx(expected, rel=1e-5)
    assert row["mean"] == pytest.approx(scores.mean())


def test_hog_reads_the_direction_of_stripes(described):
    _, metrics = described
    others = metrics[["AU06", "AU10", "AU14", "AU17"]].iloc[0]
    assert metrics["AU12"].iloc[0] > 0.8 > others.max()


def test_the_recorded_weights_give_the_outputs(described, people):
    directory, _ = described
    network = torch.load(directory / "best.pt", weights_only=True)
    features = hog.hog_features(people, parts_of(people)[1])
    outputs = pd.read_parquet(directory / "outputs.parquet")
    for name, column in zip(AU_NAMES, OUTPUT_NAMES):
        weight, bias = network[f"{name}.weight"], network[f"{name}.bias"]
        expected = features @ weight.numpy() + bias.numpy()
        np.testing.assert_allclose(outputs[column], expected, atol=1e-4)


def test_a_finished_hog_run_is_read_and_not_fitted_again(
    described, people, monkeypatch
):
    directory, metrics = described
    before = digest(directory / "provenance.json")
    with monkeypatch.context() as patch:
        patch.setattr(hog, "fit", None)  # calling it would fail
        patch.setattr(hog, "hog_features", None)
        again = hog.train(people, directory, seed=3)
    pd.testing.assert_frame_equal(again, metrics)
    assert digest(directory / "provenance.json") == before


def test_the_evaluation_frames_have_no_say_in_the_fit(described, people, tmp_path):
    other = CropStore(people.directory)
    rows = parts_of(people)[1]
    column = other.index.columns.get_loc("AU12")
    other.index.iloc[rows, column] = 5 - other.index.iloc[rows, column]
    hog.train(other, tmp_path / "run", seed=3)
    for run in (described[0], tmp_path / "run"):
        assert json.loads((run / "parameters.json").read_text())["seed"] == 3
    found = torch.load(tmp_path / "run" / "best.pt", weights_only=True)
    expected = torch.load(described[0] / "best.pt", weights_only=True)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_hog_run_that_was_stopped_at_its_end_comes_to_it(
    described, people, tmp_path, monkeypatch
):
    """Its epoch is on the disk; the files of a finished run are not."""

    def stop(*arguments):
        raise KeyboardInterrupt

    def noted(features, levels, subjects, seed):
        seeds.append(seed)
        return fit(features, levels, subjects, seed)

    run, seeds, fit = tmp_path / "hog_3", [], hog.fit
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(hog, "finish", stop)
        patch.setattr(hog, "fit", noted)
        hog.train(people, run, seed=3)
    assert seeds == [3] * 5
    metrics = hog.train(people, run, seed=3)
    pd.testing.assert_frame_equal(metrics, described[1])
    for name in ("outputs.parquet", "metrics.csv"):
        assert digest(run / name) == digest(described[0] / name)


def test_the_command_line_trains_a_grids_hog(described, people, tmp_path, monkeypatch):
    (tmp_path / "crops").symlink_to(people.directory)
    monkeypatch.setattr("aulib.notebook.run_directory", lambda profile: tmp_path)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    words = ["aulib.training", "tiny", "hog", "3", "--grid", "tiny"]
    monkeypatch.setattr(sys, "argv", words)
    aulib.training.main()
    outputs = tmp_path / "training" / "hog_3" / "outputs.parquet"
    assert digest(outputs) == digest(described[0] / "outputs.parquet")


# -- whole runs


class Narrow(VGG):
    """VGG16 at an eighth of its width whose hidden layers have 32 units, not 4,096.

    A checkpoint of those has 240 MB, and each of these runs writes four.
    """

    def __init__(self, name, num_aus=5, weights=None, width=1.0):
        nn.Module.__init__(self)
        channels = [c if c == "M" else int(c * width) for c in cfgs["D"]]
        self.features = make_layers(channels)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            *(nn.Linear(64 * 7 * 7, 32), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(32, 32), nn.ReLU(), nn.Dropout(DROPOUT[name])),
            nn.Linear(32, num_aus),
        )


@pytest.fixture
def narrow(monkeypatch):
    for name in ("method", "compared.classifier", "compared.structured"):
        module = importlib.import_module(f"aulib.{name}")
        monkeypatch.setattr(module, "build_model", Narrow)


@pytest.mark.parametrize("method", METHODS)
def test_a_stopped_run_of_each_method_ends_with_the_same_bytes(
    people, tmp_path, narrow, method
):
    def stop(metrics):
        raise KeyboardInterrupt

    options = OPTIONS | {"method": method, "sampler": SAMPLERS[method]}
    metrics = train(people, tmp_path / "whole", **options)
    assert len(metrics) == 2 and not metrics.isna().any().any()
    with pytest.raises(KeyboardInterrupt):
        train(people, tmp_path / "stopped", **options, after_epoch=stop)
    assert [p.name for p in (tmp_path / "stopped/epochs").iterdir()] == ["0001"]
    train(people, tmp_path / "stopped", **options)
    for name in ("outputs.parquet", "metrics.csv", "best.pt"):
        assert digest(tmp_path / "stopped" / name) == digest(tmp_path / "whole" / name)


@pytest.mark.parametrize("method", METHODS)
def test_levels_are_recorded_where_they_are_not_rounded(
    people, tmp_path, narrow, method
):
    options = OPTIONS | {"method": method, "sampler": SAMPLERS[method], "epochs": 1}
    metrics = train(people, tmp_path, **options)
    outputs = pd.read_parquet(tmp_path / "outputs.parquet")
    values = outputs[list(OUTPUT_NAMES)].to_numpy()
    if method in ("baseline", "proposed"):
        assert not {*LEVEL_NAMES} & {*outputs}
        levels = np.clip(np.floor(values + 0.5), 0, 5)
    else:
        assert (outputs[list(LEVEL_NAMES)].dtypes == np.int8).all()
        levels = outputs[list(LEVEL_NAMES)].to_numpy()
        assert np.isin(levels, range(6)).all()
        assert (0 <= values).all() and (values <= 5).all()
    scores = icc_per_au(outputs[list(AU_NAMES)].to_numpy(), levels)
    np.testing.assert_allclose(metrics[list(AU_NAMES)].iloc[0].to_numpy(float), scores)


def test_methods_that_are_none():
    assert METHODS == ("baseline", "proposed", "classifier", "structured")
    with pytest.raises(ValueError, match="method 'hog' is unknown: choose one of"):
        build_method("hog", None, 0.125, 1.0)
    for method in ("classifier", "structured"):
        with pytest.raises(ValueError, match="no targets to scale: scale 2.0 not 1"):
            build_method(method, None, 0.125, 2.0)
    with pytest.raises(ValueError, match="a part of a channel"):
        build_method("structured", None, 0.3, 1.0)


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_papers_answers_are_equation_3_of_their_outputs(scale, monkeypatch):
    monkeypatch.setattr("aulib.method.build_model", faults.small_network)
    method = build_method("proposed", None, 0.125, scale)
    outputs = torch.from_numpy(np.random.default_rng(2).normal(4, 5, (30, 5)))
    found = method.answer(outputs)
    assert found.rounded and torch.equal(found.values, outputs)
    expected = np.clip(np.floor(outputs.numpy() / scale + 0.5), 0, 5)
    np.testing.assert_array_equal(found.levels, expected)
    levels = random_levels(2, 30, unknown=0.3).numpy()
    errors = np.abs(outputs.numpy() - scale * levels)[levels != UNKNOWN]
    losses = np.where(errors < 1, errors**2 / 2, errors - 0.5)
    loss = method.evaluation_loss(outputs, torch.from_numpy(levels)).item()
    assert loss == pytest.approx(losses.mean())
