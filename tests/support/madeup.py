"""A made-up stand-in run and what the explorable pages make of it."""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage import data
from torchvision.models.vgg import VGG

from aulib.model import build_model
from companion.analysis import runs
from companion.base.files import sha256
from companion.base.paths import ROOT
from companion.bp4d import AU_NAMES
from companion.crops.batches import central_batches
from companion.crops.store import CropStore, write_crops
from companion.training.outputs import OUTPUT_NAMES
from companion.workflow import explorables

TRAINING, EVALUATION, SIZE = 40, 30, 112


@dataclass
class MadeUp:
    """A network, its crops, its recorded outputs, and where the pages' files are."""

    network: VGG
    store: CropStore
    outputs: pd.DataFrame
    scripts: Path
    pages: Path


def write_faces(folder: Path) -> CropStore:
    """Crops of one portrait, each turned, mirrored, shifted and lit in its own way."""
    portrait = Image.fromarray(data.astronaut()[0:220, 120:330])
    generator = np.random.default_rng(0)
    (folder / "tree").mkdir()
    rows = []
    for number in range(TRAINING + EVALUATION):
        split = "train" if number < TRAINING else "evaluation"
        turned = portrait.rotate(generator.uniform(-25, 25), Image.Resampling.BICUBIC)
        light = generator.uniform(0.5, 1.4, 3) * np.asarray(turned, dtype=float)
        if number % 2:
            light = light[:, ::-1]
        y, x = generator.integers(0, 60, 2)
        face = light[y : y + 160, x : x + 150].clip(0, 255).astype(np.uint8)
        path = f"{number}.png"
        Image.fromarray(face).save(folder / "tree" / path)
        person = f"{'FM'[number % 2]}{number % 5 + 1:03d}"
        rows.append((person, f"T{number % 8 + 1}", number, split, path))
    frames = pd.DataFrame(rows, columns=["subject", "task", "frame", "split", "path"])
    levels = generator.integers(0, 6, (len(frames), 5))
    levels[TRAINING + 3, 1] = 9
    frames[list(AU_NAMES)] = levels.astype(np.int8)
    frames[["x0", "y0", "x1", "y1"]] = [0.0, 0.0, 150.0, 160.0]
    frames["kept"] = True
    frames = frames.sort_values(["subject", "task", "frame"], ignore_index=True)
    write_crops(folder / "crops", folder / "tree", frames, size=SIZE, workers=1)
    return CropStore(folder / "crops")


def spread_network(store: CropStore) -> VGG:
    """The pre-trained network, its last layer such that outputs spread over 0..10."""
    torch.manual_seed(0)
    weights = ROOT / "data" / "pretrained" / "standin_vgg16.pt"
    network = build_model("proposed", weights=weights, width=0.125).eval()
    outputs = run_network(network, store, store.rows("train"))
    last = network.classifier[6]
    with torch.no_grad():
        factor = 3 / outputs.std(dim=0)
        last.weight *= factor[:, None]
        last.bias += 5 - factor * outputs.mean(dim=0)
    return network


def run_network(network: VGG, store: CropStore, rows: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        batches = central_batches(store, rows, 10, torch.device("cpu"))
        return torch.cat([network(images) for images in batches])


def quick_webp(square: np.ndarray) -> bytes:
    """As `as_webp`, but without the second that a photograph takes."""
    file = io.BytesIO()
    Image.fromarray(square).save(file, "webp", lossless=True, quality=0, method=0)
    return file.getvalue()


def make_explorables(folder: Path) -> MadeUp:
    """Run the command on a made-up run of the profile `standin`, all in a folder."""
    store = write_faces(folder)
    network = spread_network(store)
    rows = store.rows("evaluation")
    frames = store.index.iloc[rows][["subject", "task", "frame", *AU_NAMES]]
    frames = frames.reset_index(drop=True)
    values = run_network(network, store, rows).numpy()
    worse = frames.assign(epoch=1).assign(**dict.fromkeys(OUTPUT_NAMES, 0.0))
    better = frames.assign(epoch=2).assign(**dict(zip(OUTPUT_NAMES, values.T)))
    labels = store.levels[rows]
    near = np.where(labels == 9, values, 2 * labels + np.sin(np.arange(5)))
    better[list(OUTPUT_NAMES)] = (near + values) / 2
    outputs = pd.concat([worse, better], ignore_index=True)
    run = folder / "training" / "proposed_42"
    run.mkdir(parents=True)
    torch.save(network.state_dict(), run / "best.pt")
    metrics = pd.DataFrame({"epoch": [1, 2], "mean": [0.0, 0.5]})
    metrics.to_csv(run / "metrics.csv", index=False)
    facts = {"parameters": {"data": store.fingerprint, "seed": 42}}
    facts |= {"sha256": {"best.pt": sha256(run / "best.pt")}}
    facts |= {"volatile": {"commit": "abc1234"}}
    recorded = folder / "data" / "recorded" / "standin" / "training" / run.name
    recorded.mkdir(parents=True)
    for place in (run, recorded):
        (place / "provenance.json").write_text(json.dumps(facts))
    scripts, pages = folder / "_static" / "explorables", folder / "site" / "explorables"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explorables, "SCRIPTS", scripts)
        patch.setattr(explorables, "PAGES", pages)
        patch.setattr(explorables, "as_webp", quick_webp)
        patch.setattr(explorables, "LARGEST_FILE", 4_000_000)  # photographs are larger
        patch.setattr(explorables, "run_directory", lambda name: folder)
        patch.setattr(explorables, "training_directory", lambda *run_of: run)
        patch.setattr(runs, "ROOT", folder)  # of the recorded provenance
        patch.setattr(
            explorables, "read_runs", lambda *what: {("proposed", 42): outputs}
        )
        explorables.write_explorables("standin", "proposed", 42)
    return MadeUp(network, store, outputs, scripts, pages)
