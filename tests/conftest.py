"""Small data that several test modules share."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from PIL import Image

from companion.bp4d import AU_NAMES
from companion.crops.store import CropStore, write_crops

# Machines that are shared are slow at times: no example fails for its duration.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> CropStore:
    """48 crops of 32 to 40 pixels in which brightness tells AU06, noise the rest."""
    root = tmp_path_factory.mktemp("tree")
    generator = np.random.default_rng(0)
    rows = []
    for number in range(48):
        intensities = generator.integers(0, 6, 5)
        image = generator.integers(0, 60, (50, 40, 3)) + 30 * intensities[0]
        path = f"{number}.png"
        Image.fromarray(image.astype(np.uint8)).save(root / path)
        split = "train" if number < 32 else "evaluation"
        rows.append(("F001", "T1", number, split, path, *intensities))
    columns = ["subject", "task", "frame", "split", "path", *AU_NAMES]
    frames = pd.DataFrame(rows, columns=columns)
    frames[list(AU_NAMES)] = frames[list(AU_NAMES)].astype(np.int8)
    frames.loc[40, "AU10"] = 9
    frames[["x0", "y0", "x1", "y1"]] = [0.0, 0.0, 40.0, 50.0]
    frames["kept"] = True
    directory = tmp_path_factory.mktemp("crops")
    write_crops(directory, root, frames, size=32, workers=1)
    return CropStore(directory)
