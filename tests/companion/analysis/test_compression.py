import numpy as np
import pytest
import torch
from people import Narrow
from torch import nn

from companion.analysis import compression


@pytest.fixture(scope="module")
def network() -> Narrow:
    """A small VGG16 whose outputs spread over the levels."""
    torch.manual_seed(0)
    found = Narrow("proposed", width=1 / 8).eval()
    for layer in found.classifier[::3]:
        nn.init.normal_(layer.weight, 0, 2 / layer.in_features**0.5)
    return found


@pytest.fixture(scope="module")
def maps(network) -> torch.Tensor:
    """Made-up last maps of 300 frames, most of them in a few directions."""
    generator = torch.Generator().manual_seed(1)
    columns = network.classifier[0].in_features
    parts = torch.randn(300, 12, generator=generator) * torch.logspace(1, -1, 12)
    return (parts @ torch.randn(12, columns, generator=generator) * 0.02).relu()


def exact(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return matrix.astype(np.float32), np.ones(len(matrix), dtype=np.float32)


def test_eight_bits_are_half_a_step_off_at_most():
    matrix = np.random.default_rng(0).normal(0, [[1], [100], [1e-6]], (3, 500))
    matrix = np.vstack([matrix, np.zeros(500)])
    values, scales = compression.to_int8(matrix)
    assert values.dtype == np.int8 and scales.dtype == np.float32
    assert (np.abs(values).max(axis=1) == [127, 127, 127, 0]).all()
    off = np.abs(values * scales[:, None].astype(float) - matrix)
    assert (off <= 0.5001 * scales[:, None]).all()


def test_convolutions_in_eight_bits_are_nearly_the_networks(network):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.features(images)
        found = compression.run(compression.small_maps(network), images)
    assert found.shape == expected.shape
    off = (found - expected).norm() / expected.norm()
    assert 0 < off < 0.05
    kinds = [layer["kind"] for layer in compression.small_maps(network)]
    assert kinds.count("conv") == 13 and kinds.count("pool") == 5


def test_another_layer_is_refused(network):
    other = Narrow("proposed", width=1 / 8)
    other.features.append(nn.BatchNorm2d(64))
    with pytest.raises(ValueError, match="BatchNorm2d: VGG16 has no such layer"):
        compression.small_maps(other)


@pytest.mark.parametrize("rank", [1, 3, 32])
def test_the_first_layer_is_the_best_of_its_rank(network, maps, rank, monkeypatch):
    """Eckart and Young: no weighted answers of this rank come nearer."""
    monkeypatch.setattr(compression, "to_int8", exact)
    components = compression.fit_components(network, maps)
    first = compression.small_classifier(network, components, rank)[:2]
    first[1]["relu"] = False
    found = compression.run(first, maps).numpy()
    with torch.inference_mode():
        answers = network.classifier[0](maps).double().numpy()
    weight, mean = components[0][1], answers.mean(axis=0)
    parts = np.linalg.svd((answers - mean) * weight, full_matrices=False)
    left, strengths, right = parts
    best = mean + (left[:, :rank] * strengths[:rank]) @ right[:rank] / weight
    np.testing.assert_allclose(found, best, atol=2e-3 * answers.std())


def test_a_unit_weighs_as_much_as_the_outputs_follow_it(network, maps):
    """By differences: shift one unit's answer a little and see the outputs move."""
    classifier = network.classifier
    with torch.inference_mode():
        first = classifier[0](maps).double()
        copy = Narrow("proposed", width=1 / 8).eval().double()
        copy.load_state_dict(network.state_dict())

        def outputs(answers: torch.Tensor) -> torch.Tensor:
            hidden = copy.classifier[3](answers.relu()).relu()
            return copy.classifier[6](hidden)

        shift = torch.zeros(32, dtype=torch.float64)
        expected = []
        for unit in range(32):
            shift.zero_()[unit] = 1e-6
            slopes = (outputs(first + shift) - outputs(first - shift)) / 2e-6
            expected.append(slopes.square().sum(dim=1).mean().sqrt().item())
    weight = compression.fit_components(network, maps)[0][1]
    expected = np.maximum(expected, 1e-3 * max(expected))
    np.testing.assert_allclose(weight, expected, rtol=0.01)


def test_the_smallest_rank_within_the_bound_is_chosen(network, maps, monkeypatch):
    with torch.inference_mode():
        outputs = network.classifier(maps)
    labels = ((outputs - outputs.mean(0)) / outputs.std(0) * 1.5 + 2.5).round()
    labels = labels.clamp(0, 5).long().numpy()
    scaled = Narrow("proposed", width=1 / 8).eval()
    scaled.load_state_dict(network.state_dict())
    with torch.no_grad():  # outputs that Eq. 3 turns into the labels
        scaled.classifier[6].weight *= (3 / outputs.std(0))[:, None]
        middle = 5 - 3 * outputs.mean(0) / outputs.std(0)
        scaled.classifier[6].bias.copy_(
            network.classifier[6].bias * 3 / outputs.std(0) + middle
        )
    monkeypatch.setattr(compression, "BOUND", 0.03)
    chosen = compression.shrink_classifier(scaled, maps, maps, labels, 2.0)
    components = compression.fit_components(scaled, maps)
    with torch.inference_mode():
        whole = compression.mean_icc(labels, scaled.classifier(maps), 2.0)
    assert whole > 0.99
    losses = []
    for rank in range(1, 33):
        layers = compression.small_classifier(scaled, components, rank)
        found = compression.run(layers, maps)
        losses.append(whole - compression.mean_icc(labels, found, 2.0))
    expected = 1 + next(i for i, loss in enumerate(losses) if loss < 0.03)
    assert len(chosen[0]["values"]) == len(chosen[2]["values"]) == expected > 1
    monkeypatch.setattr(compression, "BOUND", -1)
    with pytest.raises(ValueError, match="no rank up to 32 loses less than -1"):
        compression.shrink_classifier(scaled, maps, maps, labels, 2.0)
