r"""A trained network in small: hidden layers of low rank, weights of eight bits.

A hidden layer answers :math:`y = W x + b`. Weigh each unit by g, how strongly the
network's outputs follow it. Let C, (r, units), hold the first r principal components of
the weighted answers g y to the training frames, and m the mean answers. Then

.. math::

    y \approx m + D (W x + b - m) = (C / g)^T (C g) W x + b', \quad D = (C / g)^T (C g)

are two narrow layers in the place of a wide one. No other pair of layers of r units
comes nearer to the weighted answers of the training frames (in squares). Every matrix
is then rounded to whole numbers from -127 to 127, with one float factor for each row.
So a network of 4 million parameters fits into a page of the web.

A small network is a list of layers, in order, each a dictionary:

    {"kind": "conv", "relu": True, "values": int8 (out, in * 9), "scales": float32
     (out,), "bias": float32 (out,)}    3 x 3, with a border of zeros
    {"kind": "pool"}                    the largest of every 2 x 2 values
    {"kind": "linear", "relu": …}       as "conv", with values (out, in)
"""

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional
from torchvision.models.vgg import VGG

from aulib.icc import icc_per_au
from aulib.inference import to_intensity
from companion.training.outputs import mean_score

LARGEST = 64
"""The largest rank that is tried."""

BOUND = 0.001
"""How much of the mean ICC of the training frames may be lost."""

Layer = dict[str, object]


def to_int8(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers and a factor for each row whose product is nearly the matrix.

    Args:
        matrix: float array (rows, columns).

    Returns:
        int8 array (rows, columns) in -127..127, and float32 array (rows,).
    """
    largest = np.abs(matrix).max(axis=1)
    scales = (np.where(largest > 0, largest, 1) / 127).astype(np.float32)
    return np.rint(matrix / scales[:, None]).astype(np.int8), scales


def weights(layer: Layer) -> torch.Tensor:
    """The matrix of a layer: float32 tensor (out, columns)."""
    return torch.from_numpy(layer["values"] * layer["scales"][:, None])


def run(layers: list[Layer], images: torch.Tensor) -> torch.Tensor:
    """The answers of a small network, or of a part of one.

    Args:
        layers: of the network, in order.
        images: float (N, 3, S, S), normalised; or what the layers before gave.

    Returns:
        float (N, Q), if the layers go to the network's end.
    """
    values = images
    for layer in layers:
        if layer["kind"] == "pool":
            values = functional.max_pool2d(values, 2)
            continue
        matrix, bias = weights(layer), torch.from_numpy(layer["bias"])
        if layer["kind"] == "conv":
            kernels = matrix.view(len(matrix), -1, 3, 3)
            values = functional.conv2d(values, kernels, bias, padding=1)
        else:
            values = functional.linear(values.flatten(1), matrix, bias)
        if layer["relu"]:
            values = functional.relu(values)
    return values


def small_maps(network: VGG) -> list[Layer]:
    """The convolutions and poolings of a network, in eight bits.

    Raises:
        ValueError: a layer is none of VGG16's.
    """
    layers = []
    for module in network.features:
        if isinstance(module, nn.Conv2d):
            layers.append(_layer("conv", True, *_arrays(module)))
        elif isinstance(module, nn.MaxPool2d):
            layers.append({"kind": "pool"})
        elif not isinstance(module, nn.ReLU):
            raise ValueError(f"{type(module).__name__}: VGG16 has no such layer")
    return layers


def fit_components(
    network: VGG, maps: torch.Tensor
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What both hidden layers answer, before the ReLU, in principal components.

    Args:
        network: in evaluation mode, on the processor.
        maps: float (N, C * 7 * 7), its last maps of the training frames.

    Returns:
        For the first and the second hidden layer: up to `LARGEST` components of the
        weighted answers (r, units); the units' weights (units,), the root mean square
        of the outputs' slopes; and the mean answers (units,). All float64.
    """
    found = []
    for answers, slopes in _answers_and_slopes(network, maps):
        weight = np.sqrt(slopes)
        weight = np.maximum(weight, 1e-3 * weight.max())  # it divides
        count = min(LARGEST, *answers.shape)
        fitted = PCA(count, svd_solver="randomized", random_state=0)
        fitted.fit(answers * weight)
        mean = answers.mean(axis=0)
        found.append((fitted.components_.astype(np.float64), weight, mean))
    return found


def _answers_and_slopes(
    network: VGG, maps: torch.Tensor
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Both hidden layers' answers (N, units), and the outputs' mean squared slopes."""
    relu, layers = functional.relu, network.classifier
    with torch.enable_grad():
        first = layers[0](maps.clone()).detach().requires_grad_()
        second = layers[3](relu(first))
        outputs = layers[6](relu(second))
        squares = [0.0, 0.0]
        for au in range(outputs.shape[1]):
            ends = torch.autograd.grad(
                outputs[:, au].sum(), (first, second), retain_graph=True
            )
            for number, slope in enumerate(ends):
                squares[number] += slope.double().square().mean(dim=0).numpy()
    answers = (first.detach().double().numpy(), second.detach().double().numpy())
    return list(zip(answers, squares))


def small_classifier(network: VGG, components: list, rank: int) -> list[Layer]:
    """The hidden layers of a network at a rank, and its last layer, in eight bits.

    Args:
        network: whose layers they are.
        components: from `fit_components`.
        rank: of both hidden layers.
    """
    layers, hidden = [], (network.classifier[0], network.classifier[3])
    for module, (basis, weight, mean) in zip(hidden, components):
        matrix, bias = _arrays(module)
        inwards, outwards = basis[:rank] * weight, basis[:rank].T / weight[:, None]
        rest = mean + outwards @ (inwards @ (bias - mean))
        layers.append(_layer("linear", False, inwards @ matrix, np.zeros(rank)))
        layers.append(_layer("linear", True, outwards, rest))
    layers.append(_layer("linear", False, *_arrays(network.classifier[6])))
    return layers


def shrink_classifier(
    network: VGG,
    maps: torch.Tensor,
    small: torch.Tensor,
    labels: np.ndarray,
    scale: float,
) -> list[Layer]:
    """The connected layers at the smallest rank that costs less than `BOUND`.

    What it costs is of the mean ICC(3,1) of training frames, against the network
    itself; the eight bits of all layers count too.

    Args:
        network: in evaluation mode, on the processor.
        maps: float (N, C * 7 * 7), its last maps of the training frames.
        small: the same from its `small_maps`.
        labels: int array (N, Q), the coder's levels, 0..5 or unknown.
        scale: of Eq. 3.

    Raises:
        ValueError: no rank up to `LARGEST` is good enough.
    """
    components = fit_components(network, maps)
    with torch.inference_mode():
        whole = mean_icc(labels, network.classifier(maps), scale)
    losses = []
    for rank in range(1, min(len(basis) for basis, *_ in components) + 1):
        layers = small_classifier(network, components, rank)
        losses.append(whole - mean_icc(labels, run(layers, small), scale))
        if losses[-1] < BOUND:
            return layers
    raise ValueError(
        f"no rank up to {len(losses)} loses less than {BOUND} of the mean ICC (the "
        f"least is {min(losses):.4f}): raise LARGEST or BOUND in "
        "companion/analysis/compression.py"
    )


def mean_icc(labels: np.ndarray, outputs: torch.Tensor, scale: float) -> float:
    """Mean over the AUs of the ICC(3,1) of outputs after Eq. 3."""
    levels = to_intensity(outputs, scale).numpy()
    return float(mean_score(icc_per_au(labels, levels)))


def _arrays(module: nn.Conv2d | nn.Linear) -> tuple[np.ndarray, np.ndarray]:
    """A layer's matrix, float64 (out, columns), and bias, float64 (out,)."""
    matrix = module.weight.detach().flatten(1).numpy().astype(np.float64)
    return matrix, module.bias.detach().numpy().astype(np.float64)


def _layer(kind: str, relu: bool, matrix: np.ndarray, bias: np.ndarray) -> Layer:
    values, scales = to_int8(matrix)
    numbers = {"values": values, "scales": scales, "bias": bias.astype(np.float32)}
    return {"kind": kind, "relu": relu, **numbers}
