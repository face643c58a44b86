"""`make bench`: how long the parts take, each beside a plain way to the same result.

Times depend on the machine; the ratio of two times of one run hardly does. Nothing is
asserted.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from aulib import AUS
from aulib.icc import icc_3_1, icc_per_au
from aulib.sampler import MultinomialSampler, sampling_weights
from companion.analysis.bootstrap import resampled_icc, resamples, subject_sums
from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES, read_frames
from companion.bp4d.codes import join_codes
from companion.bp4d.layout import Layout, find_sequences
from companion.crops.store import _crop
from companion.standin.face import render_face
from companion.standin.labels import make_labels
from companion.standin.person import make_identity
from companion.standin.tree import CODES

FRAMES = 75_331  # of BP4D's training half, by public lists


def seconds(function: Callable[[], object], least: float = 0.5) -> float:
    """The shortest of at least two calls, repeated for at least `least` seconds."""
    times = []
    while len(times) < 2 or sum(times) < least:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def weights_by_definition(intensities: np.ndarray) -> np.ndarray:
    """Eq. 1 and 2 by the letter: each frame is compared with all, M² comparisons."""
    weights = [
        np.prod(1 - (intensities == frame).mean(axis=0)) for frame in intensities
    ]
    return np.array(weights)


def icc_closed_form(ratings: np.ndarray) -> float:
    """ICC(3,1) of two judges: 2 cov / (var + var)."""
    covariance = np.cov(ratings.T)
    return 2 * covariance[0, 1] / np.trace(covariance)


def write_tree(root: Path, sequences: int, length: int) -> None:
    """Write a tree of `sequences` sequences of `length` tiny pictures."""
    Image.new("RGB", (8, 8)).save(root / "face.jpg")
    picture = (root / "face.jpg").read_bytes()
    (root / "face.jpg").unlink()
    for number in range(1, sequences + 1):
        folder = root / "BP4D-training" / f"F{number:03d}" / "T1"
        folder.mkdir(parents=True)
        for frame in range(1, length + 1):
            (folder / f"{frame}.jpg").write_bytes(picture)
        for name in AU_NAMES:
            codes = root / "AU Intensity Codes3.0" / name
            codes.mkdir(parents=True, exist_ok=True)
            rows = "".join(f"{frame},{frame % 6}\n" for frame in range(1, length + 1))
            (codes / f"F{number:03d}_T1_{name}.csv").write_text(rows)


def write_codes(root: Path) -> None:
    """Write intensities at BP4D's full size: all of the stand-in's labels."""
    (root / "BP4D-training").mkdir()
    labels = make_labels(2018)
    for name in AU_NAMES:
        folder = root / CODES / name
        folder.mkdir(parents=True)
        for (subject, task), rows in labels.groupby(["subject", "task"]):
            path = folder / f"{subject}_{task}_{name}.csv"
            rows[["frame", name]].to_csv(path, header=False, index=False)


def read_plainly(root: Path) -> None:
    """Read the same files with pandas and pillow, without a check."""
    for path in sorted(root.rglob("*.csv")):
        pd.read_csv(path, header=None)
    for path in sorted(root.rglob("*.jpg")):
        Image.open(path).close()


def main() -> None:
    generator = np.random.default_rng(0)
    rows = []

    def compare(what: str, ours: Callable, plain_way: str, plain: Callable) -> None:
        rows.append((what, seconds(ours), plain_way, seconds(plain)))

    few = generator.integers(0, 6, (1_000, 5))
    compare(
        f"sampling weights, {len(few):,} frames",
        lambda: sampling_weights(few),
        "Eq. 1, 2 by the letter",
        lambda: weights_by_definition(few),
    )
    weights = sampling_weights(generator.integers(0, 6, (FRAMES, 5)))
    sampler, tensor = MultinomialSampler(weights), torch.from_numpy(weights)
    compare(
        f"draws of an epoch, {FRAMES:,} frames",
        sampler.draws,
        "torch.multinomial",
        lambda: torch.multinomial(tensor, FRAMES, replacement=True),
    )
    ratings = generator.integers(0, 6, (FRAMES, 2)).astype(float)
    compare(
        f"ICC(3,1), {FRAMES:,} frames",
        lambda: icc_3_1(ratings),
        "2 cov / (var + var)",
        lambda: icc_closed_form(ratings),
    )
    truth = generator.integers(0, 6, (71_245, len(AUS)))
    estimate = generator.integers(0, 6, truth.shape)
    people = np.sort(generator.integers(0, 20, len(truth)))
    drawn = resamples(20, 20, 0)
    compare(
        f"20 resamples of people, {len(truth):,} frames",
        lambda: resampled_icc(subject_sums(truth, estimate, people), drawn),
        "ICC of their frames",
        lambda: [
            icc_per_au(truth[rows], estimate[rows])
            for rows in (np.repeat(np.arange(len(truth)), d[people]) for d in drawn)
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_tree(root, sequences=8, length=446)
        compare(
            "reading, 8 sequences of 446",
            lambda: read_frames(root),
            "pandas and pillow, unchecked",
            lambda: read_plainly(root),
        )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_codes(root)
        layout = Layout(root, root / "BP4D-training", root / CODES)
        files = sorted(root.rglob("*.csv"))
        compare(
            f"annotations, {len(files):,} CSVs joined",
            lambda: [join_codes(paths) for paths in find_sequences(layout)[0].values()],
            "pandas.read_csv of each, unjoined",
            lambda: [pd.read_csv(path, header=None) for path in files],
        )
        small = np.random.default_rng(0).integers(0, 256, (44, 33, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((1040, 1392), Image.BICUBIC)
        picture.save(root / "face.jpg", quality=92)
        box = np.array([300.0, 400, 700, 920])
        compare(
            "a crop of 224 from a JPEG of 1392 x 1040",
            lambda: _crop(folder, 224, ("face.jpg", box)),
            "decoding it",
            lambda: np.asarray(Image.open(root / "face.jpg").convert("RGB")),
        )
    identity = make_identity(np.random.default_rng(1), female=True)
    chance = np.random.default_rng(2)

    def faces(count: int, height: int, width: int) -> Callable[[], None]:
        def render() -> None:
            for _ in range(count):
                render_face(identity, [2.0] * len(AUS), {}, height, width, chance)

        return render

    # the time is linear in pixels and frames: the ratio is the share of the work
    compare(
        "a face of 348 x 260 pixels",
        faces(1, 348, 260),
        "of a quarter of the pixels",
        faces(1, 174, 130),
    )
    compare(
        "a face of 1392 x 1040 pixels",
        faces(1, 1392, 1040),
        "of a sixteenth of the pixels",
        faces(1, 348, 260),
    )
    compare("24 faces", faces(24, 348, 260), "12 faces", faces(12, 348, 260))
    table = pd.DataFrame(rows, columns=["what", "ms", "beside", "its ms"])
    table[["ms", "its ms"]] *= 1e3
    table["ratio"] = table["its ms"] / table["ms"]
    print(table.round({"ms": 2, "its ms": 2, "ratio": 2}).to_string(index=False))
    folder = ROOT / "runs" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "parts.csv", index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
