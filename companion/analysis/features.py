"""The 4,096 features that the last layer reads, of many frames (Section III)."""

import numpy as np
import torch
from torchvision.models.vgg import VGG
from tqdm import tqdm

from aulib.model import features
from companion.crops.batches import central_batches
from companion.crops.store import CropStore
from companion.training.loop import EVALUATION_BATCH


def extract_features(network: VGG, store: CropStore, rows: np.ndarray) -> np.ndarray:
    """The features of the central crops of `rows`: float32 array (N, 4096).

    The network is moved to the GPU if there is one. See `aulib.model.features`.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network.to(device).eval()
    batches = central_batches(store, rows, EVALUATION_BATCH, device)
    extracted = []
    with torch.inference_mode():
        for images in tqdm(batches, "features", leave=False):
            extracted.append(features(network, images).cpu().numpy())
    return np.concatenate(extracted)
