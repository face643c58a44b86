"""Can a judge who knows FACS read the AUs of the stand-in's faces? Sheets and score.

    python tests/scripts/blind_faces.py sheets DIRECTORY   50 pictures, shuffled
    python tests/scripts/blind_faces.py score DIRECTORY    reads answers.json there, and
                                                           writes data/judged_faces.csv

Each picture shows one AU at one level, 1 to 5, on one of the 41 people; the rest of the
face is neutral. The judge knows this and what FACS says of the five AUs, but neither
how often each occurs nor the key. The judge writes answers.json: [[number, "AU06",
intensity], …]. Run this by hand after a change of the renderer. At least 80 % of the
AUs should be right, and Kendall's tau between the levels should be at least .8.
"""

import json
import sys
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from scipy.stats import kendalltau

from companion.base.paths import ROOT
from companion.base.profiles import load_profile
from companion.bp4d import AU_NAMES
from companion.standin.face import render_face
from companion.standin.labels import SUBJECTS
from companion.standin.tree import subject_identity

RESULT = ROOT / "data" / "judged_faces.csv"
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
    judged = pd.DataFrame(answers, columns=["number", "judged_au", "judged_level"])
    _, key = draw(seed)
    table = pd.DataFrame(key, columns=["number", "au", "level", "subject"])
    table = table.merge(judged, on="number", validate="one_to_one")
    if len(table) != len(key):
        sys.exit(f"{directory}: {len(table)} of {len(key)} pictures are judged")
    wrong = table[table["au"] != table["judged_au"]]
    print(wrong.to_string(index=False))
    tau = kendalltau(table["level"], table["judged_level"]).statistic
    print(f"the right AU in {len(table) - len(wrong)} of {len(table)}", end=", ")
    print(f"Kendall's tau {tau:.3f}")
    table.assign(date=date.today().isoformat()).to_csv(RESULT, index=False)


if __name__ == "__main__":
    commands = {"sheets": write_sheets, "score": score}
    if len(sys.argv) != 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](Path(sys.argv[2]), seed=20261125)
