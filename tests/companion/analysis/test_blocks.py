"""The table of VGG16's blocks against the paper's reference [17] and torchvision."""

import torch

from aulib.model import build_model
from companion.analysis.blocks import network_blocks


def test_vgg16_is_configuration_d_of_its_paper():
    """Simonyan and Zisserman 2015, Table 1: 2, 2, 3, 3, 3 convolutions, 3 connected."""
    torch.manual_seed(0)
    network = build_model("baseline")
    table = network_blocks(network, 32)
    assert table["layers"].tolist() == [2, 2, 3, 3, 3, 1, 1, 1]
    assert table["channels"].tolist() == [64, 128, 256, 512, 512, 4096, 4096, 5]
    assert table["cells"].tolist() == [16, 8, 4, 2, 1, 1, 1, 1]
    assert table["parameters"].sum() == 134_281_029


def test_vgg16_in_small():
    network = build_model("proposed", width=1 / 8)
    table = network_blocks(network, 112)
    assert table["block"].tolist()[3:7] == ["conv 4", "conv 5", "fc 1", "fc 2"]
    assert table["channels"].tolist() == [8, 16, 32, 64, 64, 512, 4096, 5]
    assert table["cells"].tolist() == [56, 28, 14, 7, 7, 1, 1, 1]
    count = sum(p.numel() for p in network.parameters())
    assert table["parameters"].sum() == count
