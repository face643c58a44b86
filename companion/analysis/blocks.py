"""VGG16's layers in blocks, read off a network: what notebook 03 draws."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn
from torchvision.models.vgg import VGG

from aulib.model import build_model
from companion.base.figures import TEXT_WIDTH


def full_size(method: str) -> int:
    """Weights and biases of a method's network at full width.

    The network is built without memory for its numbers.

    Args:
        method: as in `aulib.model.build_model`.
    """
    with torch.device("meta"):
        network = build_model(method)
    return sum(parameter.numel() for parameter in network.parameters())


def network_blocks(network: VGG, size: int) -> pd.DataFrame:
    """The blocks between poolings, then the connected layers, and their outputs' sizes.

    Args:
        network: from `aulib.model.build_model`.
        size: pixels of a side of an image.

    Returns:
        One row for each block, in order, with the columns `block` ("conv 1", …, "fc 1",
        …), `layers` (convolutions or connected layers), `channels` (maps or units that
        it hands on), `cells` (of a side of each map; 1 for units) and `parameters`.
    """
    rows, maps = [], torch.zeros(1, 3, size, size)
    layers, parameters = 0, 0

    def end_block() -> None:
        name = f"conv {len(rows) + 1}"
        rows.append((name, layers, maps.shape[1], maps.shape[2], parameters))

    with torch.inference_mode():
        for layer in network.features:
            maps = layer(maps)
            layers += isinstance(layer, nn.Conv2d)
            parameters += sum(p.numel() for p in layer.parameters())
            if isinstance(layer, nn.MaxPool2d):
                end_block()
                layers, parameters = 0, 0
    if layers:
        end_block()
    connected = [layer for layer in network.classifier if isinstance(layer, nn.Linear)]
    for number, layer in enumerate(connected, 1):
        count = sum(p.numel() for p in layer.parameters())
        rows.append((f"fc {number}", 1, layer.out_features, 1, count))
    columns = ["block", "layers", "channels", "cells", "parameters"]
    return pd.DataFrame(rows, columns=columns)


def draw_blocks(ax: Axes, blocks: pd.DataFrame, size: int) -> np.ndarray:
    """Draw the image and the blocks side by side, with what each hands on.

    The height of a box grows with the square root of the side of its maps, its width
    with the logarithm of their number. Below it are the shape that it hands on, and its
    weights (and biases); above it, its name and layers. The boxes' middles are at
    height 0 and at most 1 high.

    Args:
        ax: where to draw.
        blocks: from `network_blocks`.
        size: pixels of a side of an image.

    Returns:
        float array (blocks + 1,): the middles of the image and the blocks.
    """
    image = {"block": "image", "layers": 0, "channels": 3, "cells": size}
    image = pd.DataFrame([image | {"parameters": 0}])
    names = {"size": 7, "ha": "center", "va": "center"}
    rows = pd.concat([image, blocks], ignore_index=True)
    for middle, block in enumerate(rows.itertuples()):
        connected = block.block.startswith("fc")
        width = 0.8 * np.log2(1 + block.channels) / np.log2(1 + rows["channels"].max())
        height = max(0.2, np.sqrt(block.cells / size))
        corner = middle - width / 2, -height / 2
        colour = "0.7" if not block.layers else "C4" if connected else "C0"
        ax.add_patch(Rectangle(corner, width, height, color=colour, alpha=0.8, lw=0))
        what = "layer" if block.layers == 1 else "layers"
        above = f"{block.block}\n{block.layers} {what}" if block.layers else "image"
        shape = f"{block.cells} × {block.cells}\n× {block.channels:,}"
        ax.text(middle, 0.75, above, **names)
        ax.text(middle, -0.78, f"{block.channels:,}" if connected else shape, **names)
        ax.text(middle, -1.15, f"{block.parameters:,}" if middle else "", **names)
    ax.text(-0.6, -0.78, "output shape", **names | {"ha": "right"})
    ax.text(-0.6, -1.15, "weights", **names | {"ha": "right"})
    ax.set(xlim=(-1.4, len(rows) - 0.4), ylim=(-1.35, 1.0))
    ax.axis("off")
    return np.arange(len(rows))


def draw_network(network: VGG, size: int, pre_trained: bool) -> Figure:
    """Draw a network's blocks, with what the paper changes in VGG16 marked in orange.

    The figure is returned and not shown.

    Args:
        network: from `aulib.model.build_model`.
        size: pixels of a side of an image.
        pre_trained: whether training starts from the weights of another task.
    """
    figure, ax = plt.subplots(figsize=(TEXT_WIDTH, 2.4))
    middles = draw_blocks(ax, network_blocks(network, size), size)
    ax.patches[-1].set_color("C5")
    marks = {"color": "C5", "fontsize": 7, "ha": "center", "va": "bottom"}
    ax.plot(middles[[1, -2]] + [-0.4, 0.4], [1.08, 1.08], color="C5", lw=1)
    start = "pre-trained on another task" if pre_trained else "random weights"
    ax.text(middles[1:-1].mean(), 1.13, f"start: {start}", **marks)
    ax.plot(middles[-1] + np.array([-0.4, 0.4]), [1.08, 1.08], color="C5", lw=1)
    ax.text(middles[-1], 1.13, "linear, in place\nof 1,000 classes", **marks)
    between = middles[-2:].mean() + 0.13
    arrow = {"arrowstyle": "->", "color": "C5"}
    dropout = f"dropout\n{network.classifier[5].p}"
    ax.annotate(dropout, (between, 0), (between, 0.2), arrowprops=arrow, **marks)
    ax.set_ylim(-1.35, 1.55)
    plt.close(figure)
    return figure
