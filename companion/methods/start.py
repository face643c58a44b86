"""How a network starts: its layers, and its first answer.

With torchvision's random start a small VGG16 that is trained at .01 stays at a constant
answer for epochs, or for good. Its features hardly tell one face from another: all of
them together mostly follow a single direction. Within some fifty steps the outputs of
every layer shrink, and with them what differs between faces; no unit dies. We read it
so: activations are above 0, so all weights take part in fitting the labels' mean, and
the batches' noise drives them down.

The paper leaves the start open. Ours has three parts, the first two for a network
without pre-trained weights. `standardise` takes the units' mean over training images
away, and `answer` the labels'. Alone, `standardise` lets faces differ, but wildly: what
comes out of thirteen random layers is no longer what went in. `pair_units` lets every
layer hand on all that it gets. Notebook 03 measures both, and
`tests/scripts/bench_tried.md` has what they do in training.
"""

import torch
from torch import nn
from torchvision.models.vgg import VGG

HIDDEN = (0.3, 0.1)
"""Deviations of the hidden layers' outputs before ReLU."""


@torch.no_grad()
def pair_units(network: VGG) -> None:
    """Give every two units of a layer opposite weights, so that no ReLU loses anything.

    What one unit of a pair cuts off, the other hands on: ReLU(x) - ReLU(-x) = x. The
    next layer's two weights of a pair are opposite too, so it gets x back, and but for
    its poolings the whole network is linear before the first step. That is the
    "looks-linear" start of Balduzzi et al., The shattered gradients problem, ICML 2017.

    Args:
        network: with random weights, of which every second unit's stay; changed in
            place. The last layer is left as it is.
    """
    convolutions = [x for x in network.features if isinstance(x, nn.Conv2d)]
    hidden = [x for x in network.classifier[:-1] if isinstance(x, nn.Linear)]
    maps = convolutions[-1].out_channels  # each of several cells
    units = None
    for layer in convolutions + hidden:
        if units is not None:
            units = maps if layer is hidden[0] else units
            inputs = layer.weight.unflatten(1, (units, -1))
            inputs[:, 1::2] = -inputs[:, : units // 2 * 2 : 2]
        units = len(layer.weight)  # an odd one out has no partner
        layer.weight[1::2] = -layer.weight[: units // 2 * 2 : 2]
        layer.bias[1::2] = -layer.bias[: units // 2 * 2 : 2]


@torch.no_grad()
def standardise(network: VGG, images: torch.Tensor) -> None:
    """Rescale and shift each layer but the last, so that its outputs have mean 0.

    A channel of a convolution gets mean 0 and deviation 1 over all places of all
    images. A unit of a hidden layer gets mean 0 and the deviation in `HIDDEN` over the
    images. A unit that is constant keeps its weights. Krähenbühl et al. do so in
    Data-dependent initializations of convolutional neural networks, ICLR 2016.

    Args:
        network: with random weights; changed in place.
        images: float (N, 3, S, S), normalised training images, on its device.
    """
    training = network.training
    network.eval()  # without dropout
    sizes = iter(HIDDEN)
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            _standardise(layer, layer(images), 1.0)
        images = layer(images)
    features = torch.flatten(network.avgpool(images), 1)
    for layer in network.classifier[:-1]:
        if isinstance(layer, nn.Linear):
            _standardise(layer, layer(features), next(sizes))
        features = layer(features)
    network.train(training)


def _standardise(layer: nn.Conv2d | nn.Linear, outputs, size: float) -> None:
    """Change a layer that gives these outputs: mean 0, and the deviation `size`."""
    units = outputs.transpose(0, 1).flatten(1)
    deviation, mean = torch.std_mean(units, dim=1, correction=0)
    factor = torch.where(deviation > 0, size / deviation, 1)
    layer.weight *= factor.view(-1, *[1] * (layer.weight.dim() - 1))
    layer.bias.copy_((layer.bias - mean) * factor)


@torch.no_grad()
def answer(last: nn.Linear, outputs: torch.Tensor) -> None:
    """Let a last layer give the same outputs, float (outputs,), to any image."""
    nn.init.zeros_(last.weight)
    last.bias.copy_(outputs)
