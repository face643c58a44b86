"""How a network starts: its layers' sizes, and its first answer.

With torchvision's random start, a VGG16 that is trained at .01 stays at a constant
answer for epochs, or for good. Within some fifty steps the outputs of every layer
shrink, and with them what tells one face from another; no unit dies. It happens more
often where a step is larger or noisier: with smaller batches, larger hidden layers or a
larger last layer. We read it so: activations are above 0, so all weights take part in
fitting the labels' mean, and the batches' noise drives them down.
`tests/scripts/bench_tried.md` has the measurements.

The paper leaves the start open. Ours takes the mean away: of every unit, over training
images (`standardise`, after Krähenbühl et al., Data-dependent initializations of
convolutional neural networks, ICLR 2016), and of the labels (`answer`).
"""

import torch
from torch import nn
from torchvision.models.vgg import VGG

HIDDEN = (0.3, 0.1)
"""Deviations of the hidden layers' outputs before ReLU. With .5 and .3 the constant
answer of the first epoch is back."""


@torch.no_grad()
def standardise(network: VGG, images: torch.Tensor) -> None:
    """Rescale and shift each layer but the last, so that its outputs have mean 0.

    A channel of a convolution gets mean 0 and deviation 1 over all places of all
    images. A unit of a hidden layer gets mean 0 and the deviation in `HIDDEN` over the
    images. A unit that is constant keeps its weights.

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
