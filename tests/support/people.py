"""Crops of several people, random levels and a small VGG16."""

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models.vgg import VGG, cfgs, make_layers

from aulib import UNKNOWN
from aulib.model import DROPOUT
from companion.bp4d import AU_NAMES
from companion.crops.store import CropStore, write_crops


def write_store(folder: Path) -> CropStore:
    """Write crops of 32 to 40 pixels; the direction of their stripes tells AU12.

    Eight people have 3 to 10 training frames, three have 6 evaluation frames.
    """
    frames_of = {f"F{number:03d}": ("train", 3 + number) for number in range(8)}
    frames_of |= {f"M{number:03d}": ("evaluation", 6) for number in range(3)}
    generator = np.random.default_rng(0)
    (folder / "tree").mkdir()
    y, x = np.mgrid[:50, :40]
    rows = []
    for person, (split, count) in frames_of.items():
        for number in range(count):
            levels = generator.integers(0, 6, 5)
            angle = np.pi / 7 * levels[2] + generator.normal(0, 0.03)
            stripes = np.sin(0.9 * (x * np.cos(angle) + y * np.sin(angle)))
            image = 128 + 60 * stripes[:, :, None] + generator.normal(0, 5, (50, 40, 3))
            path = f"{person}_{number}.png"
            Image.fromarray(image.astype(np.uint8)).save(folder / "tree" / path)
            rows.append((person, "T1", number, split, path, *levels))
    columns = ["subject", "task", "frame", "split", "path", *AU_NAMES]
    frames = pd.DataFrame(rows, columns=columns)
    frames[list(AU_NAMES)] = frames[list(AU_NAMES)].astype(np.int8)
    frames.loc[len(frames) - 1, "AU10"] = UNKNOWN
    frames[["x0", "y0", "x1", "y1"]] = [0.0, 0.0, 40.0, 50.0]
    frames["kept"] = True
    write_crops(folder / "crops", folder / "tree", frames, size=32, workers=1)
    return CropStore(folder / "crops")


def random_levels(seed: int, count: int, unknown: float = 0.0) -> torch.Tensor:
    """Levels 0..5, int64 (count, 5); `unknown` is the share of `UNKNOWN` among them."""
    generator = np.random.default_rng(seed)
    levels = generator.integers(0, 6, (count, 5))
    levels[generator.random((count, 5)) < unknown] = UNKNOWN
    return torch.from_numpy(levels)


class Narrow(VGG):
    """VGG16 at an eighth of its width, with 32 units in each hidden layer, not 4,096.

    With 4,096 units a checkpoint would take 240 MB.
    """

    def __init__(self, name, num_aus=5, weights=None, width=1.0):
        nn.Module.__init__(self)
        channels = [c if c == "M" else int(c * width) for c in cfgs["D"]]
        self.features = make_layers(channels)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            *(nn.Linear(64 * 7 * 7, 32), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(32, 32), nn.ReLU(), nn.Dropout(DROPOUT[name])),
            nn.Linear(32, num_aus),
        )


def replace_networks(monkeypatch: pytest.MonkeyPatch, build: Callable) -> None:
    """Let every method call `build` instead of `aulib.model.build_model`."""
    for name in ("objective", "classifier", "structured"):
        module = importlib.import_module(f"companion.methods.{name}")
        monkeypatch.setattr(module, "build_model", build)
