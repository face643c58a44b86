"""What stands in for ImageNet on the stand-in data: a generic task on other people.

The paper's proposed model starts from weights that know pictures but nothing of
Action Units. ImageNet's weights are of full width and made of photographs; for the
narrow network of the stand-in profile we make their counterpart: VGG16 learns, on
rendered people none of whom is among the 41 subjects, eleven motions none of which
is among the five AUs (AU1, 2, 4, 25, 26, blink, gaze, head pose). The five AUs vary
too, unlabelled. Only the convolutions are kept, as float32; the fully connected
layers start anew in the fine-tuning. The file is about 1 MB.

    python -m aulib.standin.pretrain PROFILE TARGET
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import mse_loss
from tqdm import tqdm

from aulib import AUS
from aulib.batches import ahead, shares
from aulib.faces import crop_face, detect_faces, normalise
from aulib.files import whole
from aulib.machine import open_accelerator, prepare
from aulib.model import build_model
from aulib.notebook import load_profile
from aulib.standin.face import make_identity, render_face
from aulib.training import Part, train_epoch

MOTIONS = (
    *("brow_raise_inner", "brow_raise_outer", "brow_lower", "lips_part", "jaw_drop"),
    *("blink", "gaze_x", "gaze_y", "yaw", "pitch", "roll"),
)
"""AU1, AU2, AU4, AU25, AU26, AU45, where the eyes look, how the head is turned."""

PEOPLE, PICTURES_EACH = 240, 10
EPOCHS, LEARNING_RATE, BATCH = 14, 2e-4, 32  # of Adam: SGD at 0.01 takes twice as long
OTHER_PEOPLE = 7_001  # joins the seed, so that nobody here is one of the 41
HEAD_TURN = 8.0  # degrees, standard deviation


def person(
    number: int, seed: int, height: int, width: int, size: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """Crops (list of uint8 (h, w, 3)) and motions (float32 (n, 11)) of one person.

    A picture in which the detector finds no single face is left out.
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
        image = render_face(
            identity,
            aus,
            dict(zip(MOTIONS, motion, strict=True)),
            height,
            width,
            generator,
        )
        boxes = detect_faces(image)
        if len(boxes) == 1:
            crops.append(crop_face(image, boxes[0, :4], size))
            motions.append(motion)
    return crops, np.array(motions, dtype=np.float32).reshape(-1, len(MOTIONS))


def write_weights(
    target: Path, seed: int, height: int, width: int, size: int, network_width: float
) -> list[float]:
    """Render, train, write the convolutions' state dictionary to `target`.

    Returns:
        The mean squared error of each epoch, in units of the motions' variances.
    """
    task = partial(person, seed=seed, height=height, width=width, size=size)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        people = list(
            tqdm(pool.map(task, range(PEOPLE), chunksize=4), "rendering", PEOPLE)
        )
    crops = [crop for crops, _ in people for crop in crops]
    motions = np.concatenate([motion for _, motion in people])
    targets = (motions - motions.mean(axis=0)) / motions.std(axis=0)

    accelerator = open_accelerator()
    torch.manual_seed(seed)
    network = build_model("baseline", num_aus=len(MOTIONS), width=network_width)
    network = network.to(accelerator.device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    prepared = prepare(accelerator, network, size)
    errors = []
    bar = tqdm(range(1, EPOCHS + 1), "pre-training")
    for epoch in bar:
        if epoch == EPOCHS - 2:
            optimizer.param_groups[0]["lr"] /= 10
        parts = _parts(
            crops,
            targets,
            size,
            np.random.default_rng([seed, epoch]),
            accelerator.device,
        )
        error = train_epoch(accelerator, prepared, optimizer, parts, mean_error)
        errors.append(error)
        bar.set_postfix(error=f"{error:.3f}")
    target.parent.mkdir(parents=True, exist_ok=True)
    state = network.state_dict()
    convolutions = {
        k: v.cpu().contiguous() for k, v in state.items() if "features" in k
    }
    with whole(target) as file:
        torch.save(convolutions, file)
    return errors


def mean_error(outputs, motions, batch) -> torch.Tensor:
    """The mean squared error, whatever the number of the batch."""
    return mse_loss(outputs, motions)


def _parts(crops, targets, size: int, generator: np.random.Generator, device):
    order = generator.permutation(len(crops))
    wanted = torch.from_numpy(targets[order]).to(device)
    parts = list(shares(len(order), BATCH))
    cut = (
        torch.from_numpy(
            np.stack(
                [
                    _random_square(crops[row], size, generator)
                    for row in order[part.positions]
                ]
            )
        )
        for part in parts
    )
    if device.type == "cuda":  # fetched while the GPU works
        cut = ahead(squares.pin_memory() for squares in cut)
    for part, squares in zip(parts, cut, strict=True):
        images = normalise(squares.to(device, non_blocking=True))
        yield Part(images, wanted[part.positions], part)


def _random_square(crop, size: int, generator: np.random.Generator) -> np.ndarray:
    top, left = (generator.integers(0, side - size + 1) for side in crop.shape[:2])
    return crop[top : top + size, left : left + size]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("profile", help="a name in notebooks/profiles")
    parser.add_argument("target", type=Path, help="the file of weights to write")
    arguments = parser.parse_args()
    profile = load_profile(arguments.profile)
    made = profile["standin"]
    errors = write_weights(
        arguments.target,
        made["seed"],
        made["height"],
        made["width"],
        profile["crop_size"],
        profile["network_width"],
    )
    print(f"{arguments.target}: error {errors[0]:.2f} in the first epoch, ", end="")
    print(f"{errors[-1]:.2f} in the last; guessing the mean gives 1")


if __name__ == "__main__":
    main()
