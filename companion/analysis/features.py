"""The 4,096 features that the last layer reads, of many frames (Section III)."""

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import interpolate
from torchvision.models.vgg import VGG
from tqdm import tqdm

from aulib.model import build_model, features, imagenet_file
from companion.analysis.runs import runs_origin
from companion.analysis.spectrum import (
    measure,
    read_spectrum,
    spectrum,
    spectrum_source,
)
from companion.base.paths import ROOT, run_directory, training_directory
from companion.base.profiles import load_profile, training_settings
from companion.base.provenance import join_origins
from companion.base.tables import save_table
from companion.crops.batches import central_batches
from companion.crops.store import CropStore
from companion.training.device import memory_advice, open_accelerator
from companion.training.loop import evaluation_batch

MOSTLY_ZERO = 80
"""Per cent of a person's features that are 0, from which we say that they are off."""


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


def spectrum_without(
    profile: str, model: str, seed: int, store: CropStore, rows: np.ndarray, person: str
) -> np.ndarray | None:
    """The spectrum after fine-tuning of all frames but one person's: float64 (4096,).

    Where the run's `best.pt` is on this machine, its spectrum is computed and written
    to `runs/<profile>/pca/spectrum_without.csv`. As in `read_spectrum`, the recorded
    one (`data/recorded/<profile>`) comes before it.

    Args:
        profile, model, seed: which run.
        store: the crops.
        rows: int array (N,), N >= 2, the frames of the other people.
        person: who is left out; it names the column of the CSV.

    Returns:
        None if nothing is recorded for this person and the run has not been trained.

    Raises:
        torch.OutOfMemoryError: a batch does not fit into memory.
    """
    name, column = "spectrum_without.csv", f"variance without {person}"
    own = run_directory(profile) / "pca" / name
    best = training_directory(profile, model, seed) / "best.pt"
    if best.is_file():
        settings = load_profile(profile)
        options = training_settings(settings, settings["models"][model])
        network = build_model(
            settings["models"][model]["method"], weights=best, width=options["width"]
        )
        found = extract_features(network, store, rows, settings["accumulation"])
        table = pd.DataFrame({column: spectrum(found)})
        origin = runs_origin(profile, "runs", [(model, seed)])
        save_table(table, own, origin, index=False, float_format="%.6g")
    for path in (ROOT / "data" / "recorded" / profile / name, own):
        if path.is_file() and column in (table := pd.read_csv(path)):
            return table[column].to_numpy(dtype=np.float64)
    return None


def tuned_spectra(
    profile: str, model: str, seed: int, store: CropStore, rows: np.ndarray, person: str
) -> dict[str, np.ndarray]:
    """The spectra after fine-tuning, of all people and without one of them.

    Args:
        profile, model, seed, store, rows, person: as in `spectrum_without`.

    Returns:
        "after" (`read_spectrum`) and "after, without <person>" (`spectrum_without`) →
        variances, float64 (4096,), largest first; those that there are.
    """
    found = {
        "after": read_spectrum(profile, model, seed),
        f"after, without {person}": spectrum_without(
            profile, model, seed, store, rows, person
        ),
    }
    return {name: each for name, each in found.items() if each is not None}


def tuned_origin(profile: str, model: str, seed: int, origin: dict) -> dict:
    """The origin of what is computed from data and from `tuned_spectra`.

    Args:
        profile, model, seed: which run.
        origin: of the data; it stays as it is if there is no such run.
    """
    source = spectrum_source(profile, model, seed)
    if source is None:
        return origin
    return join_origins([origin, runs_origin(profile, source, [(model, seed)])])


def frame_table(squares: np.ndarray, extracted: np.ndarray) -> pd.DataFrame:
    """How bright pictures are, and how large their features.

    Args:
        squares: uint8 array (N, S, S, 3), what the network gets.
        extracted: float array (N, 4096), their features.

    Returns:
        One row for each picture: "brightness", its mean, 0..255; "length of h", the
        features' Euclidean norm; "zeros, %" of the features.
    """
    columns = {
        "brightness": squares.mean(axis=(1, 2, 3)),
        "length of h": np.linalg.norm(extracted, axis=1),
        "zeros, %": 100 * (extracted == 0).mean(axis=1),
    }
    return pd.DataFrame(columns)


def describe_person(table: pd.DataFrame, person: str, darkened: str, other: str) -> str:
    """How a person's crops and features differ from another's, in words.

    Args:
        table: the means of `frame_table` for each person, and a row of the same crops
            30 % darker.
        person: who is described.
        darkened: the row of this person's darker crops.
        other: the person to compare with.
    """
    people = table.drop(index=darkened)
    brighter = (people["brightness"] > people.at[person, "brightness"]).sum()
    longer = table["length of h"] / table.at[other, "length of h"]
    zeros = table["zeros, %"].round()
    who = f"{brighter} of {len(people)} people have" if brighter else "Nobody has"
    told = (
        f"{who} brighter crops than {person}. On average this person's features are "
        f"{longer[person]:.1f} times as long (in Euclidean norm) as {other}'s; of the "
        f"same crops, 30 % darker, they are {longer[darkened]:.1f} times as long. Of "
        f"{person}'s features {zeros[person]:.0f} % are 0, of {other}'s "
        f"{zeros[other]:.0f} %"
    )
    if longer[person] > 2 and zeros[person] >= MOSTLY_ZERO:
        told += (
            f": {100 - zeros[person]:.0f} % of the features are huge, and the rest are "
            "switched off"
        )
    return f"{told}."


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
