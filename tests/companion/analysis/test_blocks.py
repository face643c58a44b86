"""The table of VGG16's blocks against the paper's reference [17] and torchvision."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from aulib.model import DROPOUT, build_model
from companion.analysis.blocks import draw_blocks, draw_network, network_blocks
from companion.base.figures import TEXT_WIDTH


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


@pytest.mark.parametrize("name, pre_trained", [("proposed", True), ("baseline", False)])
def test_the_drawing_has_the_shapes_and_what_the_paper_changes(name, pre_trained):
    network = build_model(name, width=1 / 8)
    (ax,) = draw_network(network, 112, pre_trained).axes
    said = [text.get_text() for text in ax.texts]
    for text in ("112 × 112\n× 3", "56 × 56\n× 8", "7 × 7\n× 64", "4,096", "5"):
        assert text in said
    assert f"{5 * 4097:,}" in said  # the last layer's weights
    assert f"dropout\n{DROPOUT[name]}" in said
    assert any("pre-trained" in text for text in said) == pre_trained
    boxes = [patch.get_bbox() for patch in ax.patches]
    assert len(boxes) == 9
    assert all(a.x1 < b.x0 for a, b in zip(boxes, boxes[1:]))


def test_no_words_of_the_drawing_overlap():
    """At the width of a page, with VGG16's numbers, which are the longest."""
    blocks = [("conv 1", 2, 64, 112, 38_720), ("conv 2", 2, 128, 56, 221_440)]
    blocks += [("fc 1", 1, 4096, 1, 102_764_544), ("fc 2", 1, 4096, 1, 16_781_312)]
    columns = ["block", "layers", "channels", "cells", "parameters"]
    table = pd.DataFrame(2 * blocks, columns=columns)
    figure, ax = plt.subplots(figsize=(TEXT_WIDTH, 2.4))
    draw_blocks(ax, table, 224)
    ax.set_ylim(-1.35, 1.55)
    figure.draw_without_rendering()
    boxes = [t.get_window_extent() for t in ax.texts if t.get_text()]
    for number, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[number + 1 :])
    plt.close(figure)
