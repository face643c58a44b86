"""What a run can train: the four networks, and the paper's loss and estimates."""

import numpy as np
import pytest
import torch
from faults import small_network
from people import Narrow, random_levels, replace_networks

from aulib import UNKNOWN
from companion.methods import METHODS, build_objective


def test_unknown_methods_and_wrong_settings_are_refused():
    assert METHODS == ("baseline", "proposed", "classifier", "structured")
    with pytest.raises(ValueError, match="method 'hog' is unknown: choose one of"):
        build_objective("hog", None, 0.125, 1.0)
    for method in ("classifier", "structured"):
        with pytest.raises(ValueError, match="no targets to scale: scale 2.0 not 1"):
            build_objective(method, None, 0.125, 2.0)
    with pytest.raises(ValueError, match="width 0.3: choose 1, or 1/2"):
        build_objective("structured", None, 0.3, 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_builds_its_network_with_the_weights_and_the_width(
    method, monkeypatch
):
    def build(name, num_aus=5, weights=None, width=1.0):
        calls.append((name, num_aus, weights, width))
        return Narrow(name, num_aus, weights, width)

    calls = []
    replace_networks(monkeypatch, build)
    objective = build_objective(method, "some.pt", 0.125, 1.0)
    name = method if method in ("baseline", "proposed") else "baseline"
    count = 30 if method == "classifier" else 5
    assert calls == [(name, count, "some.pt", 0.125)]
    outputs = objective.network.eval()(torch.zeros(2, 3, 32, 32))
    assert outputs.shape == (2, count)


@pytest.mark.parametrize("method", METHODS)
def test_a_network_starts_with_the_answer_that_fits_all_frames_best(
    method, monkeypatch
):
    """The mean or the frequencies of the levels, whatever the image."""
    replace_networks(monkeypatch, Narrow)
    scale = 2.0 if method == "proposed" else 1.0
    objective = build_objective(method, None, 0.125, scale)
    levels = random_levels(5, 2000)
    levels[levels == 5] = 0
    objective.start(levels)
    shares = torch.stack([(levels == level).double().mean(0) for level in range(6)], 1)
    with torch.inference_mode():
        outputs = objective.network.eval()(torch.randn(3, 3, 32, 32))
        assert torch.equal(outputs[0], outputs[2]) and outputs.isfinite().all()
        if method in ("baseline", "proposed"):
            expected = scale * levels.double().mean(0)
            np.testing.assert_allclose(outputs[0], expected, rtol=1e-6)
        elif method == "classifier":
            found = outputs[0].reshape(5, 6).softmax(1)
            np.testing.assert_allclose(found, shares, atol=0.005)
        else:
            found = objective.network.classifier[6].below(outputs).diff(dim=2)[0]
            np.testing.assert_allclose(found, shares, atol=0.005)


@pytest.fixture(params=[1.0, 2.0])
def scale(request):
    return request.param


@pytest.fixture
def objective(scale, monkeypatch):
    monkeypatch.setattr("companion.methods.objective.build_model", small_network)
    return build_objective("proposed", None, 0.125, scale)


def test_the_papers_estimates_are_equation_3_of_the_outputs(objective, scale):
    outputs = torch.from_numpy(np.random.default_rng(2).normal(4, 5, (30, 5)))
    found = objective.estimate(outputs)
    assert found.rounded and torch.equal(found.values, outputs)
    expected = np.clip(np.floor(outputs.numpy() / scale + 0.5), 0, 5)
    np.testing.assert_array_equal(found.levels, expected)


def test_the_papers_losses_are_equation_4_of_the_known_levels(objective, scale):
    outputs = torch.from_numpy(np.random.default_rng(2).normal(4, 5, (30, 5)))
    levels = random_levels(2, 30, unknown=0.3)
    errors = (outputs - scale * levels).abs().numpy()
    losses = np.where(errors < 1, errors**2 / 2, errors - 0.5)
    known = levels.numpy() != UNKNOWN
    loss = objective.evaluation_loss(outputs, levels).item()
    assert loss == pytest.approx(losses[known].mean())
    frames = known.all(axis=1)  # in training all levels are known
    for batch in (0, 4):
        loss = objective.loss(outputs[frames], levels[frames], batch).item()
        assert loss == pytest.approx(losses[frames].mean())
