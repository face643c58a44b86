"""VGG16's layers in blocks, read off a network: what notebook 03 draws."""

import pandas as pd
import torch
from torch import nn
from torchvision.models.vgg import VGG


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
