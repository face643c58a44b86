"""How a network starts: means and deviations of its units, and its first answer."""

import pytest
import torch
from torch import nn

from aulib.model import build_model
from companion.methods.start import HIDDEN, answer, standardise


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
