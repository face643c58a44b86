"""How a network starts: means and deviations of its units, and its first answer."""

import pytest
import torch
from torch import nn

from aulib.model import build_model, features
from companion.methods.start import HIDDEN, answer, pair_units, standardise


@pytest.fixture
def network():
    torch.manual_seed(0)
    return build_model("baseline", width=1 / 16)


@pytest.fixture
def images():
    """Pictures that differ little, as faces do."""
    torch.manual_seed(1)
    return torch.randn(1, 3, 64, 64) + 0.2 * torch.randn(24, 3, 64, 64)


def outputs_of(network, images) -> dict[str, torch.Tensor]:
    """What each convolution and linear layer gives, units first."""
    found = {}
    hooks = [
        layer.register_forward_hook(
            lambda layer, _, out, name=name: found.__setitem__(
                name,
                out.transpose(0, 1).flatten(1).clone(),  # ReLU works in place
            )
        )
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with torch.inference_mode():
        network(images)
    for hook in hooks:
        hook.remove()
    return found


def test_paired_units_make_a_network_without_poolings_linear():
    torch.manual_seed(0)
    network = build_model("baseline", width=1 / 16).double().eval()
    layers = [x for x in network.features if not isinstance(x, nn.MaxPool2d)]
    network.features = nn.Sequential(*layers)
    for layer in layers[::2]:
        nn.init.normal_(layer.bias)
    first, second = torch.randn(2, 3, 7, 7, dtype=torch.float64)

    def bend():
        """How far the features are from linear between two images."""
        with torch.inference_mode():
            images = torch.stack([first, second, (first + second) / 2])
            pairs = features(network, images)
        a, b, middle = pairs[:, ::2] - pairs[:, 1::2]
        return ((a + b) / 2 - middle).norm() / middle.norm()

    assert bend() > 0.01
    pair_units(network)
    assert bend() < 1e-9


def test_a_unit_without_a_partner_keeps_its_weights():
    network = build_model("baseline", width=1 / 64)  # one channel at first
    before = network.features[0].weight.clone()
    pair_units(network)
    assert torch.equal(network.features[0].weight, before)
    weight = network.classifier[3].weight
    assert torch.equal(weight[1::2], -weight[::2])


def test_every_unit_has_mean_0_and_its_layers_deviation(network, images):
    before = outputs_of(network.eval(), images)
    standardise(network.train(), images)
    assert network.training
    found = outputs_of(network.eval(), images)
    assert len(found) == len(before) == 16
    *layers, last = found
    for name in layers:
        size = dict(zip(("classifier.0", "classifier.3"), HIDDEN)).get(name, 1.0)
        torch.testing.assert_close(
            found[name].mean(1), torch.zeros(len(found[name])), atol=1e-4, rtol=0
        )
        deviation = found[name].std(1, correction=0)
        torch.testing.assert_close(
            deviation, torch.full_like(deviation, size), rtol=1e-3, atol=0
        )
        # each unit of a layer is only scaled and shifted, by the layer's own inputs
    first = "features.0"
    r = torch.corrcoef(torch.stack([before[first][3], found[first][3]]))
    assert r[0, 1] == pytest.approx(1, abs=1e-5)
    # the last layer is the method's
    assert torch.equal(network.classifier[6].bias, torch.zeros(5))


def test_images_differ_more_in_the_features_than_before(network, images):
    """The deviation between images, as a share of the features' size."""

    def share():
        out = outputs_of(network.eval(), images)["classifier.3"].relu()
        return out.std(1).mean() / out.square().mean().sqrt()

    before = share()
    standardise(network, images)
    assert share() > 3 * before


def test_a_constant_unit_keeps_its_weights(network, images):
    with torch.no_grad():
        network.features[0].weight[2] = 0
    standardise(network, images)
    assert not network.features[0].weight[2].any()
    assert all(value.isfinite().all() for value in network.state_dict().values())


def test_the_same_images_give_the_same_start(images):
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        network = build_model("baseline", width=1 / 16)
        standardise(network, images)
        states.append(network.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_the_first_answer(network, images):
    wanted = torch.tensor([0.1, 2.0, -3.0, 0.0, 5.0])
    answer(network.classifier[6], wanted)
    with torch.inference_mode():
        assert torch.equal(network.train()(images), wanted.expand(24, 5))
