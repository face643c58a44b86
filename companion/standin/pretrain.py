"""What stands in for ImageNet on the stand-in data: a broad task on other people.

The paper's proposed model starts from a network that has seen many kinds of things, but
no Action Units. ImageNet's weights are of full width and made of photographs; this
module makes their counterpart for the stand-in. VGG16 learns who a rendered person is
(shape, skin, age, hair, light: `FACTS`) and what moves in the face besides the five AUs
(`companion.standin.muscles.DISTRACTORS`). No AU is a target, and nobody is one of the
41 subjects. The AUs vary too, without a label. The file holds all layers but the last,
in float16; beside it lies a table of what was learned, target by target.

    python -m companion.standin.pretrain PROFILE TARGET
"""

import argparse
import sys
import zipfile
from collections.abc import Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from joblib import cpu_count
from sklearn.metrics import r2_score
from torch import nn
from torch.nn.functional import mse_loss
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torchvision.models.vgg import VGG
from tqdm import tqdm

from aulib import AUS
from aulib.model import build_model, features
from companion.base.files import atomic_write, map_in_processes
from companion.base.profiles import load_profile
from companion.crops.batches import prefetch
from companion.crops.squares import normalise
from companion.crops.store import mean_and_std, pixel_sums
from companion.faces.crop import crop_face
from companion.faces.detect import detect_faces
from companion.methods.start import pair_units
from companion.standin.face import render_face
from companion.standin.muscles import DISTRACTORS
from companion.standin.person import make_identity
from companion.training.device import open_accelerator, prepare
from companion.training.loop import train_epoch
from companion.training.microbatches import Microbatch, microbatches

FACTS = (
    *("male", "age", "skin", "redness", "freckles", "wrinkles", "eye_shade", "oil"),
    *("width", "jaw", "chin", "cleft", "cheekbone", "fullness", "brow_ridge"),
    *("brow_height", "brow_thickness", "brow_arch", "eye_size", "eye_spacing"),
    *("eye_tilt", "lid", "lashes", "iris", "nose_length", "nose_width", "nose_height"),
    *("nose_hump", "nose_tip", "mouth_width", "lips", "lip_balance", "corner_lift"),
    *("fold", "hair", "hairline", "receding", "stubble", "lamp"),
)
"""The parameters of `companion.standin.person.Identity` that are targets; a colour is
three. How strongly a face shows its AUs is none of them."""

PEOPLE, PICTURES_EACH = 3000, 3  # fewer people are learned by heart
VALIDATION = 1 / 12  # of the people
EPOCHS, BATCH = 8, 32
LEARNING_RATE = 1e-3  # of Adam, falling to 0 along half a cosine
DROPOUT = 0.2  # both; the batches' noise is in the place of the rest
OTHER_PEOPLE = 7_001  # joins the seed, so that nobody here is one of the 41
HEAD_TURN = 8.0  # standard deviation, degrees


def target_names() -> list[str]:
    """The names of the targets, in their order: `DISTRACTORS`, then `FACTS`."""
    identity = make_identity(np.random.default_rng(0), female=True)
    names = [*DISTRACTORS]
    for fact in FACTS:
        colour = isinstance(getattr(identity, fact), tuple)
        names += [f"{fact}_{c}" for c in ("red", "green", "blue")] if colour else [fact]
    return names


def person(
    number: int, seed: int, height: int, width: int, size: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Crops and targets of one person.

    Args:
        number: of the person; even ones are men.
        seed: of all people.
        height: of a rendered picture, in pixels.
        width: of a rendered picture, in pixels.
        size: pixels of the smaller side of a crop.

    Returns:
        n crops, uint8 (h, w, 3); and their targets, float32 (n, T), T the number of
        `target_names`. A picture in which the detector does not find exactly one face
        is left out.
    """
    generator = np.random.default_rng([seed, OTHER_PEOPLE, number])
    identity = make_identity(generator, female=bool(number % 2))
    facts = np.hstack([getattr(identity, fact) for fact in FACTS])
    crops, motions = [], []
    for _ in range(PICTURES_EACH):
        on = generator.random(len(AUS)) < 0.5
        aus = np.where(on, generator.uniform(0, 5, len(AUS)), 0)
        amount = generator.random(6) * (generator.random(6) < 0.5)
        gaze = generator.uniform(-1, 1, 2)
        pose = generator.normal(0, HEAD_TURN, 3) * [1, 0.6, 0.4]
        motion = np.concatenate([amount, gaze, pose])
        moves = dict(zip(DISTRACTORS, motion, strict=True))
        image = render_face(identity, aus, moves, height, width, generator)
        boxes = detect_faces(image)
        if len(boxes) == 1:
            crops.append(crop_face(image, boxes[0, :4], size))
            motions.append(motion)
    targets = [np.concatenate([motion, facts]) for motion in motions]
    shape = -1, len(DISTRACTORS) + len(facts)
    return crops, np.array(targets, dtype=np.float32).reshape(shape)


class Pictures(NamedTuple):
    """Crops of many people, and what the network learns from them."""

    crops: list[np.ndarray]
    """N crops, uint8 (h, w, 3)."""
    targets: np.ndarray
    """float32 (N, T)."""
    people: np.ndarray
    """int64 (N,), the number of each crop's person."""
    size: int
    """Pixels of the smaller side of a crop."""
    mean: tuple[float, ...]
    """Of each channel of all crops, 0..255."""
    std: tuple[float, ...]
    """Of each channel of all crops, 0..255."""


def render_people(seed: int, height: int, width: int, size: int) -> Pictures:
    """`person` of all `PEOPLE`, on all processors."""
    task = partial(person, seed=seed, height=height, width=width, size=size)
    numbers = list(range(PEOPLE))
    found = list(map_in_processes(task, numbers, cpu_count(), "rendering"))
    crops = [crop for crops, _ in found for crop in crops]
    targets = np.concatenate([targets for _, targets in found])
    people = np.repeat(numbers, [len(crops) for crops, _ in found])
    mean, std = mean_and_std(sum(map(pixel_sums, crops)))
    return Pictures(crops, targets, people, size, tuple(mean), tuple(std))


def write_weights(
    target: Path, seed: int, height: int, width: int, size: int, network_width: float
) -> pd.DataFrame:
    """Render and train; write the weights to `target`, and what was learned beside it.

    Args:
        target: the file; the table's name ends in .csv instead.
        seed: of people, pictures, weights and batches.
        height: of a rendered picture, in pixels.
        width: of a rendered picture, in pixels.
        size: pixels of the smaller side of a crop, and of the network's input.
        network_width: as of `aulib.model.build_model`.

    Returns:
        The table: `target` and `r2`, R² on people who were not trained on.
    """
    pictures = render_people(seed, height, width, size)
    training = pictures.people >= PEOPLE * VALIDATION
    spread = pictures.targets[training].std(axis=0)
    wanted = (pictures.targets - pictures.targets[training].mean(axis=0)) / spread
    rows = np.flatnonzero(training)

    accelerator = open_accelerator()
    torch.manual_seed(seed)
    network = build_model("baseline", num_aus=wanted.shape[1], width=network_width)
    for layer in [*network.features, *network.classifier[:-1]]:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            # Adam's steps are as large for small weights as for large ones
            nn.init.kaiming_normal_(layer.weight)
    pair_units(network)
    normalised = with_batch_normalisation(network)
    normalised.to(accelerator.device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(normalised.parameters(), lr=LEARNING_RATE, fused=True)
    prepared = prepare(accelerator, normalised, size)
    bar = tqdm(range(EPOCHS), "pre-training")
    for epoch in bar:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 + np.cos(np.pi * epoch / EPOCHS)) / 2
        generator = np.random.default_rng([seed, epoch])
        order = generator.permutation(rows)
        order = order[: len(order) // BATCH * BATCH]  # of one frame is no deviation
        batches = _batches(pictures, wanted, order, generator, accelerator.device)
        error = train_epoch(accelerator, prepared, optimizer, batches, _mean_error)
        bar.set_postfix(error=f"{error:.3f}")
    network = without_batch_normalisation(normalised.eval())
    left_out = np.flatnonzero(~training)
    scale_features(network, pictures, left_out, accelerator.device)
    table = _judge(network, pictures, wanted, left_out, accelerator.device)
    _write(target, network, table)
    return table


def with_batch_normalisation(network: VGG) -> VGG:
    """The same network with a batch normalisation before every ReLU.

    A VGG16 that starts from random weights learns one thing after another, the most
    visible first; with it the network learns many at a time.
    """
    network = deepcopy(network)
    convolutions, classifier = [], []
    for layer in network.features:
        convolutions.append(layer)
        if isinstance(layer, nn.Conv2d):
            convolutions.append(nn.BatchNorm2d(layer.out_channels))
    *hidden, last = network.classifier
    for layer in hidden:
        if isinstance(layer, nn.Dropout):
            layer.p = DROPOUT
        classifier.append(layer)
        if isinstance(layer, nn.Linear):
            classifier.append(nn.BatchNorm1d(layer.out_features))
    network.features = nn.Sequential(*convolutions)
    network.classifier = nn.Sequential(*classifier, last)
    return network


def without_batch_normalisation(network: VGG) -> VGG:
    """VGG16 with the same outputs: each normalisation becomes a part of its layer.

    Args:
        network: from `with_batch_normalisation`, trained, in evaluation mode.
    """
    network = deepcopy(network)
    fuse = {nn.BatchNorm2d: fuse_conv_bn_eval, nn.BatchNorm1d: fuse_linear_bn_eval}
    for name in ("features", "classifier"):
        layers = []
        for layer in getattr(network, name):
            if type(layer) in fuse:
                layers[-1] = fuse[type(layer)](layers[-1], layer)
            else:
                layers.append(layer)
        setattr(network, name, nn.Sequential(*layers))
    return network


@torch.inference_mode()
def scale_features(network: VGG, pictures: Pictures, rows, device) -> None:
    """Bring the 4,096 features to a mean square of 1/2, with the same outputs.

    That is the size of a ReLU's output if its input has the deviation 1. The last layer
    learns the faster, the larger the features are. A ReLU of c·x is c times that of x,
    so the layer below can take the factor, and the last layer its inverse.
    """
    squares = [
        features(network, images).square().mean()
        for images in _central(pictures, rows, device)
    ]
    factor = (0.5 / torch.stack(squares).mean()).sqrt()
    network.classifier[3].weight *= factor
    network.classifier[3].bias *= factor
    network.classifier[6].weight /= factor


def _mean_error(outputs, wanted, batch: int) -> torch.Tensor:
    return mse_loss(outputs, wanted)


def _batches(
    pictures: Pictures,
    wanted: np.ndarray,
    order: np.ndarray,
    generator: np.random.Generator,
    device: torch.device,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, Microbatch]]:
    """Random squares of the rows `order`, their targets and their microbatch."""
    targets = torch.from_numpy(wanted[order]).to(device)
    parts = list(microbatches(len(order), BATCH))
    cut = (_squares(pictures, order[part.positions], generator) for part in parts)
    if device.type == "cuda":
        cut = prefetch(squares.pin_memory() for squares in cut)
    for part, squares in zip(parts, cut, strict=True):
        squares = squares.to(device, non_blocking=True)
        images = normalise(squares, pictures.mean, pictures.std)
        yield images, targets[part.positions], part


def _squares(
    pictures: Pictures, rows, generator: np.random.Generator | None
) -> torch.Tensor:
    """A random or the central square of each of the rows: uint8 (B, size, size, 3)."""
    squares, size = [], pictures.size
    for crop in (pictures.crops[row] for row in rows):
        spare = [side - size for side in crop.shape[:2]]
        y, x = (generator.integers(0, n + 1) if generator else n // 2 for n in spare)
        squares.append(crop[y : y + size, x : x + size])
    return torch.from_numpy(np.stack(squares))


def _central(pictures: Pictures, rows, device) -> Iterator[torch.Tensor]:
    """The central squares of the rows as the network's input, batch by batch."""
    for part in np.array_split(rows, max(1, len(rows) // BATCH)):
        squares = _squares(pictures, part, None).to(device)
        yield normalise(squares, pictures.mean, pictures.std)


@torch.inference_mode()
def _judge(network: VGG, pictures: Pictures, wanted, rows, device) -> pd.DataFrame:
    """R² of each target on the central squares of `rows`, as a table."""
    images = _central(pictures, rows, device)
    outputs = torch.cat([network(batch).float().cpu() for batch in images]).numpy()
    r2 = r2_score(wanted[rows], outputs, multioutput="raw_values")
    return pd.DataFrame({"target": target_names(), "r2": r2})


def _write(target: Path, network: nn.Module, table: pd.DataFrame) -> None:
    """All layers but the last, in float16; and the table."""
    last = "classifier.6."
    state = {
        key: value.half().cpu().contiguous()
        for key, value in network.state_dict().items()
        if not key.startswith(last)
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        torch.save(state, file)
    with atomic_write(target.with_suffix(".csv")) as file:
        file.write(table.round(3).to_csv(index=False).encode())


def write_profiles_weights(name: str, target: Path) -> pd.DataFrame:
    """`write_weights` with the settings of a profile.

    Raises:
        ValueError: there is no such profile, its data are real, or the target is no
            file of weights, which end in .pt.
    """
    profile = load_profile(name)
    if profile["standin"] is None:
        raise ValueError(f"profile {name}: its data are real, not a stand-in")
    if target.suffix != ".pt" or target.exists() and not zipfile.is_zipfile(target):
        raise ValueError(f"{target}: is no .pt file of weights; name another target")
    made = profile["standin"]
    return write_weights(
        target,
        made["seed"],
        made["height"],
        made["width"],
        profile["crop_size"],
        profile["network_width"],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("profile", help="a name in notebooks/profiles")
    parser.add_argument("target", type=Path, help="the file of weights to write")
    arguments = parser.parse_args()
    try:
        table = write_profiles_weights(arguments.profile, arguments.target)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(table.sort_values("r2", ascending=False).to_string(index=False))
    print(f"{arguments.target}: mean R² {table['r2'].mean():.2f} on other people")


if __name__ == "__main__":
    main()
