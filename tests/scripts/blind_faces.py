"""Can a judge who knows FACS read the AUs of the stand-in's faces? Sheets and score.

    python tests/scripts/blind_faces.py sheets DIRECTORY   50 pictures, shuffled
    python tests/scripts/blind_faces.py score DIRECTORY    reads answers.json there

Each picture shows one AU at one level, 1 to 5, on one of the 41 people; the rest of the
face is neutral. The judge knows this and what FACS says of the five AUs, but neither
how often each occurs nor the key. The judge writes answers.json: [[number, "AU06",
intensity], …]. Run this by hand after a change of the renderer. At least 80 % of the
AUs should be right, and Kendall's tau between the levels should be at least .8.
"""

import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.stats import kendalltau

from companion.base.profiles import load_profile
from companion.bp4d import AU_NAMES
from companion.standin.face import render_face
from companion.standin.labels import SUBJECTS
from companion.standin.tree import subject_identity

EACH, SHEET = 2, 5  # pictures of each AU and level; pictures on a sheet
SIZE = (330, 420)  # of a picture on a sheet, pixels


def draw(seed: int) -> tuple[list[Image.Image], list[tuple[int, str, int, str]]]:
    """Numbered pictures, and the key: number, AU, level and subject of each."""
    made = load_profile("standin")["standin"]
    generator = np.random.default_rng(seed)
    shown = list(product(range(len(AU_NAMES)), range(1, 6))) * EACH
    generator.shuffle(shown)
    subjects = generator.permutation([*SUBJECTS, *SUBJECTS])
    pictures, key = [], []
    for number, ((au, level), subject) in enumerate(zip(shown, subjects), 1):
        intensities = [level if place == au else 0 for place in range(len(AU_NAMES))]
        pose = dict(zip(("yaw", "pitch", "roll"), generator.normal(0, [3, 2, 2])))
        identity = subject_identity(made["seed"], str(subject))
        size = (made["height"], made["width"])
        face = render_face(identity, intensities, pose, *size, generator)
        picture = Image.fromarray(face[50:330, 20:240]).resize(SIZE, Image.LANCZOS)
        ImageDraw.Draw(picture).text((6, 4), f"#{number}", fill="white")
        pictures.append(picture)
        key.append((number, AU_NAMES[au], int(level), str(subject)))
    return pictures, key


def write_sheets(directory: Path, seed: int) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    pictures, _ = draw(seed)
    for start in range(0, len(pictures), SHEET):
        sheet = Image.new("RGB", (SHEET * SIZE[0], SIZE[1]))
        for place, picture in enumerate(pictures[start : start + SHEET]):
            sheet.paste(picture, (place * SIZE[0], 0))
        sheet.save(directory / f"sheet_{start // SHEET + 1:02d}.png")


def score(directory: Path, seed: int) -> None:
    answers = json.loads((directory / "answers.json").read_text())
    answers = {number: (au, intensity) for number, au, intensity in answers}
    _, key = draw(seed)
    for number, au, level, subject in key:
        if answers[number][0] != au:
            answer = " ".join(map(str, answers[number]))
            print(f"#{number}: {au} at {level} of {subject}, read as {answer}")
    right = [answers[number][0] == au for number, au, _, _ in key]
    levels = [level for _, _, level, _ in key]
    read = [answers[number][1] for number, _, _, _ in key]
    print(f"the right AU in {sum(right)} of {len(right)}, Kendall's tau", end=" ")
    print(f"{kendalltau(levels, read).statistic:.3f}")


if __name__ == "__main__":
    commands = {"sheets": write_sheets, "score": score}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](Path(sys.argv[2]), seed=20261125)
