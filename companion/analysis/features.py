"""The 4,096 features that the last layer reads, of many frames (Section III)."""

import numpy as np
import torch
from torch.nn.functional import interpolate
from torchvision.models.vgg import VGG
from tqdm import tqdm

from aulib.model import build_model, features, imagenet_file
from companion.analysis.spectrum import measure, spectrum
from companion.crops.batches import central_batches
from companion.crops.store import CropStore
from companion.training.device import memory_advice, open_accelerator
from companion.training.loop import evaluation_batch


def extract_features(
    network: VGG,
    store: CropStore,
    rows: np.ndarray,
    accumulation: int = 1,
    side: int | None = None,
) -> np.ndarray:
    """The features of the central crops of `rows`: float32 array (N, 4096).

    The network is moved to the GPU if there is one. See `aulib.model.features`.

    Args:
        network: VGG16 of any width.
        store: the crops.
        rows: int array (N,), N >= 1.
        accumulation: the profile's, see `companion.training.loop.evaluation_batch`.
        side: pixels of a side of the images that the network gets; None for the crops'
            own. Other sizes are interpolated.

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
                if side and side != images.shape[-1]:
                    images = interpolate(images, (side, side), mode="bilinear")
                extracted.append(features(network, images).cpu().numpy())
    return np.concatenate(extracted)


def describe_imagenet(
    store: CropStore, rows: np.ndarray, share: float, accumulation: int = 1
) -> str:
    """The spectrum of VGG16's features with ImageNet's weights, in one line.

    Nothing is downloaded: where the weights are not on this machine, the line says how
    to get them. VGG16 at full width gets images of 224 pixels, as on ImageNet.

    Args:
        store: the crops.
        rows: int array (N,), N >= 2.
        share: of the variance, 0..1.
        accumulation: as in `extract_features`.

    Raises:
        ValueError: the file of weights is damaged.
        torch.OutOfMemoryError: a batch does not fit into memory.
    """
    if not imagenet_file().is_file():
        return (
            "ImageNet's weights are not on this machine. "
            'build_model("proposed", weights="imagenet") downloads them once (528 MB); '
            "then run this cell again."
        )
    network = build_model("proposed", weights="imagenet")
    found = spectrum(extract_features(network, store, rows, accumulation, side=224))
    numbers = measure(found, share)
    return (
        f"VGG16 with ImageNet's weights, {len(rows)} frames: {numbers['components']} "
        f"components hold {share:.0%} of the variance (no more than {len(rows) - 1} "
        f"could), the first alone {numbers['first']:.0%}; effective rank "
        f"{numbers['effective rank']:.1f}"
    )
