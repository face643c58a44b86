"""What stands in for ImageNet on the stand-in data: a generic task on other people.

The paper's proposed model starts from weights that have learned from pictures, but not
about Action Units. ImageNet's weights are of full width and made of photographs; this
module makes their counterpart for the narrow network of the stand-in profile. VGG16
learns eleven motions, `companion.standin.muscles.DISTRACTORS`, from rendered people.
None of the motions is among the five AUs, none of the people among the 41 subjects. The
AUs vary too, without a label. The file holds only the convolutions, as float32, in
about 1 MB; the fine-tuning starts with new fully connected layers.

    python -m companion.standin.pretrain PROFILE TARGET
"""

import argparse
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from joblib import cpu_count
from torch.nn.functional import mse_loss
from tqdm import tqdm

from aulib import AUS
from aulib.model import build_model
from companion.base.files import atomic_write, map_in_processes
from companion.base.profiles import load_profile
from companion.crops.batches import prefetch
from companion.crops.squares import normalise
from companion.faces.crop import crop_face
from companion.faces.detect import detect_faces
from companion.standin.face import render_face
from companion.standin.muscles import DISTRACTORS
from companion.standin.person import make_identity
from companion.training.device import open_accelerator, prepare
from companion.training.loop import train_epoch
from companion.training.microbatches import Microbatch, microbatches

PEOPLE, PICTURES_EACH = 240, 10
EPOCHS, BATCH = 14, 32
LEARNING_RATE = 2e-4  # of Adam; SGD at 0.01 takes twice as long
OTHER_PEOPLE = 7_001  # joins the seed, so that nobody here is one of the 41
HEAD_TURN = 8.0  # standard deviation, degrees


def person(
    number: int, seed: int, height: int, width: int, size: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Crops and motions of one person.

    Args:
        number: of the person; even ones are men.
        seed: of all people.
        height: of a rendered picture, in pixels.
        width: of a rendered picture, in pixels.
        size: pixels of the smaller side of a crop.

    Returns:
        n crops, uint8 (h, w, 3); and their motions, float32 (n, 11). A picture in which
        the detector does not find exactly one face is left out.
    """
    generator = np.random.default_rng([seed, OTHER_PEOPLE, number])
    identity = make_identity(generator, female=bool(number % 2))
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
    return crops, np.array(motions, dtype=np.float32).reshape(-1, len(DISTRACTORS))


def write_weights(
    target: Path, seed: int, height: int, width: int, size: int, network_width: float
) -> list[float]:
    """Render and train, and write the convolutions' state dictionary to `target`.

    Args:
        target: the file.
        seed: of people, pictures, weights and batches.
        height: of a rendered picture, in pixels.
        width: of a rendered picture, in pixels.
        size: pixels of the smaller side of a crop, and of the network's input.
        network_width: as of `aulib.model.build_model`.

    Returns:
        The mean squared error of each epoch, in units of the motions' variances.
    """
    task = partial(person, seed=seed, height=height, width=width, size=size)
    numbers, workers = list(range(PEOPLE)), cpu_count()
    people = list(map_in_processes(task, numbers, workers, "rendering"))
    crops = [crop for crops, _ in people for crop in crops]
    motions = np.concatenate([motion for _, motion in people])
    targets = (motions - motions.mean(axis=0)) / motions.std(axis=0)

    accelerator = open_accelerator()
    torch.manual_seed(seed)
    network = build_model("baseline", num_aus=len(DISTRACTORS), width=network_width)
    network = network.to(accelerator.device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    prepared = prepare(accelerator, network, size)
    errors = []
    bar = tqdm(range(1, EPOCHS + 1), "pre-training")
    for epoch in bar:
        if epoch == EPOCHS - 2:
            optimizer.param_groups[0]["lr"] /= 10
        generator = np.random.default_rng([seed, epoch])
        batches = _batches(crops, targets, size, generator, accelerator.device)
        error = train_epoch(accelerator, prepared, optimizer, batches, _mean_error)
        errors.append(error)
        bar.set_postfix(error=f"{error:.3f}")
    state = network.features.state_dict(prefix="features.")
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        torch.save(
            {key: value.cpu().contiguous() for key, value in state.items()}, file
        )
    return errors


def _mean_error(outputs, motions, batch: int) -> torch.Tensor:
    return mse_loss(outputs, motions)


def _batches(
    crops, targets, size: int, generator: np.random.Generator, device: torch.device
) -> Iterator[tuple[torch.Tensor, torch.Tensor, Microbatch]]:
    """One epoch in random order: images, motions and their microbatch."""
    order = generator.permutation(len(crops))
    wanted = torch.from_numpy(targets[order]).to(device)
    parts = list(microbatches(len(order), BATCH))
    cut = (
        _random_squares(crops, order[part.positions], size, generator) for part in parts
    )
    if device.type == "cuda":
        cut = prefetch(squares.pin_memory() for squares in cut)
    for part, squares in zip(parts, cut, strict=True):
        images = normalise(squares.to(device, non_blocking=True))
        yield images, wanted[part.positions], part


def _random_squares(
    crops: list[np.ndarray], rows, size: int, generator: np.random.Generator
) -> torch.Tensor:
    """A random square of each of the `rows`: uint8 (B, size, size, 3)."""
    squares = []
    for crop in (crops[row] for row in rows):
        y, x = (generator.integers(0, side - size + 1) for side in crop.shape[:2])
        squares.append(crop[y : y + size, x : x + size])
    return torch.from_numpy(np.stack(squares))


def write_profiles_weights(name: str, target: Path) -> list[float]:
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
        errors = write_profiles_weights(arguments.profile, arguments.target)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    print(f"{arguments.target}: error {errors[0]:.2f} in the first epoch, ", end="")
    print(f"{errors[-1]:.2f} in the last; guessing the mean gives 1")


if __name__ == "__main__":
    main()
