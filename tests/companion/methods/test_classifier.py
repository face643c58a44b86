"""The classification: a softmax over six levels for each AU."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from people import random_levels
from sklearn.metrics import log_loss

from aulib import UNKNOWN
from companion.methods.classifier import class_loss, classifier, estimate


@pytest.fixture(scope="module")
def objective():
    torch.manual_seed(0)
    return classifier(None, 0.125)


@pytest.mark.parametrize("seed", range(5))
def test_class_loss_is_scikit_learns_log_loss_of_the_known_levels(seed):
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
    """Equal outputs cost ln 6. With ln 5 added, a level has half of the probability."""
    outputs = torch.zeros(1, 30)
    levels = torch.full((1, 5), UNKNOWN)
    levels[0, 3] = 2
    assert class_loss(outputs, levels).item() == pytest.approx(np.log(6))
    outputs[0, 3 * 6 + 2] = np.log(5)
    outputs[0, :18] = 7.0  # of AUs that are unknown
    assert class_loss(outputs, levels).item() == pytest.approx(np.log(2))


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_the_level_is_that_of_the_largest_output_and_the_value_the_mean(seed, count):
    outputs = np.random.default_rng(seed).normal(0, 4, (count, 30)).astype(np.float32)
    found = estimate(torch.from_numpy(outputs))
    assert found.values.shape == found.levels.shape == (count, 5)
    assert found.values.dtype == torch.float32 and found.levels.dtype == torch.int64
    assert not found.rounded
    for row, au in product(range(count), range(5)):
        six = outputs[row, 6 * au : 6 * au + 6].astype(float)
        total = sum(np.exp(six))
        expectation = sum(level * np.exp(six[level]) / total for level in range(6))
        assert found.levels[row, au] == max(range(6), key=lambda level: six[level])
        assert found.values[row, au].item() == pytest.approx(expectation, abs=1e-5)


def test_the_network_has_thirty_outputs_and_all_of_it_learns(objective):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    network, levels = objective.network.train(), random_levels(0, 2)
    outputs = network(images)
    assert outputs.shape == (2, 30)
    assert network.classifier[5].p == 0.5  # VGG16's own dropout
    loss = objective.loss(outputs, levels, 0)
    assert loss == objective.loss(outputs, levels, 7) == class_loss(outputs, levels)
    loss.backward()
    assert all(weight.grad.any() for weight in network.parameters())


def test_to_an_untrained_network_all_levels_are_about_equally_probable(objective):
    network = objective.network.eval()
    with torch.inference_mode():
        outputs = network(torch.randn(4, 3, 32, 32))
    loss = objective.evaluation_loss(outputs, random_levels(1, 4))
    assert loss.item() == pytest.approx(np.log(6), abs=0.2)
