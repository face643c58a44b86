"""The 4,096 features that the last layer reads, of many frames (Section III)."""

import numpy as np
import torch
from torchvision.models.vgg import VGG
from tqdm import tqdm

from aulib.model import features
from companion.crops.batches import central_batches
from companion.crops.store import CropStore
from companion.training.device import memory_advice, open_accelerator
from companion.training.loop import evaluation_batch


def extract_features(
    network: VGG, store: CropStore, rows: np.ndarray, accumulation: int = 1
) -> np.ndarray:
    """The features of the central crops of `rows`: float32 array (N, 4096).

    The network is moved to the GPU if there is one. See `aulib.model.features`.

    Args:
        network: VGG16 of any width.
        store: the crops.
        rows: int array (N,), N >= 1.
        accumulation: the profile's, see `companion.training.loop.evaluation_batch`.

    Raises:
        torch.OutOfMemoryError: a batch does not fit into memory.
    """
    accelerator, batch_size = open_accelerator(), evaluation_batch(accumulation)
    device = accelerator.device
    fewer = f"multiply `accumulation` in the profile: {batch_size} frames were computed"
    extracted = []
    with memory_advice(accelerator, "the features", f"{fewer} at a time"):
        network.to(device).eval()
        batches = central_batches(store, rows, batch_size, device)
        with torch.inference_mode():
            for images in tqdm(batches, "features", leave=False):
                extracted.append(features(network, images).cpu().numpy())
    return np.concatenate(extracted)
