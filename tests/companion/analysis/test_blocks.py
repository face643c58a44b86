"""The table of VGG16's blocks against the paper's reference [17] and torchvision."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from aulib.model import DROPOUT, build_model
from companion.analysis.blocks import (
    draw_blocks,
    draw_network,
    full_size,
    network_blocks,
)
from companion.base.figures import TEXT_WIDTH


def test_vgg16_is_configuration_d_of_its_paper():
    """Simonyan and Zisserman 2015, Table 1: 2, 2, 3, 3, 3 convolutions, 3 connected."""
    torch.manual_seed(0)
    network = build_model("baseline")
    table = network_blocks(network, 32)
    assert table["layers"].tolist() == [2, 2, 3, 3, 3, 1, 1, 1]
    assert table["channels"].tolist() == [64, 128, 256, 512, 512, 4096, 4096, 5]
    assert table["cells"].tolist() == [16, 8, 4, 2, 1, 1, 1, 1]
    assert table["parameters"].sum() == 134_281_029 == full_size("baseline")


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
    weights = [38_720, 221_440, 1_475_328, 5_899_776, 7_079_424]
    channels = [64, 128, 256, 512, 512]
    columns = ["block", "layers", "channels", "cells", "parameters"]
    rows = [
        (f"conv {number + 1}", 3, channels[number], 112 >> number, weights[number])
        for number in range(5)
    ]
    rows += [("fc 1", 1, 4096, 1, 102_764_544), ("fc 2", 1, 4096, 1, 16_781_312)]
    rows += [("fc 3", 1, 5, 1, 20_485)]
    figure, ax = plt.subplots(figsize=(TEXT_WIDTH, 2.4), layout="constrained")
    draw_blocks(ax, pd.DataFrame(rows, columns=columns), 224)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    for number, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[number + 1 :])
    plt.close(figure)
