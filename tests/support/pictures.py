"""Pictures for tests: noise and a portrait, with a box each."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from skimage import data

from companion.bp4d import AU_NAMES


def write_pictures(root: Path) -> pd.DataFrame:
    """Write ten pictures of noise and a portrait, 10.jpg; all are kept but 4.jpg."""
    generator = np.random.default_rng(0)
    for number in range(10):
        noise = generator.integers(0, 255, (90, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / f"{number}.jpg")
    Image.fromarray(data.astronaut()).save(root / "10.jpg", quality=95)
    rows = [("F001", "T1", n, "train", f"{n}.jpg") for n in range(11)]
    frames = pd.DataFrame(rows, columns=["subject", "task", "frame", "split", "path"])
    frames[list(AU_NAMES)] = np.zeros((11, 5), dtype=np.int8)
    generator = np.random.default_rng(1)
    frames[["x0", "y0"]] = generator.uniform(0, 20, (11, 2))
    frames[["x1", "y1"]] = generator.uniform(40, 70, (11, 2))
    frames["kept"] = frames["frame"] != 4
    return frames
