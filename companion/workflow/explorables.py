"""Write the data of the site's explorable pages: one network, its faces, all cells.

    python -m companion.workflow.explorables PROFILE MODEL SEED

writes, from the recorded run of MODEL and SEED, whose weights are in `runs/<profile>`,
`site/_static/explorables/data_face.js` (the network of its best epoch in small, and
faces for it to read), and, from the best of MODEL's recorded runs, `data_confusion.js`.
What the pages show without JavaScript and in print goes to `site/explorables`, and with
it `compression.csv`, what the small network loses. It reads the crops of notebook 01.

The data are scripts, because a page that is opened as a file may load scripts and
nothing else. Numbers in them are rounded, bytes are in base64. It takes one to two
minutes; with OMP_NUM_THREADS=1 the same run gives the same files on the same machine.
"""

import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.pyplot import close, subplots
from torch.nn.functional import smooth_l1_loss
from torchvision.models.vgg import VGG

from aulib.inference import to_intensity
from companion.analysis import compression, plots
from companion.analysis.faces_shown import (
    SHEET_COLUMNS,
    as_webp,
    count_cells,
    cover_levels,
    draw_sprites,
    fill_cells,
    squares_of,
)
from companion.analysis.margins import draw_losses
from companion.analysis.pictures import draw_sheet, save_jpeg
from companion.analysis.readings import load_best
from companion.analysis.runs import read_provenance, read_runs, runs_origin
from companion.analysis.scores import (
    best_epoch,
    best_run,
    epoch_scores,
    estimated_levels,
)
from companion.base.figures import TEXT_WIDTH, figure_style, save_figure
from companion.base.files import atomic_write, sha256
from companion.base.paths import ROOT, run_directory, training_directory
from companion.base.profiles import load_profile
from companion.base.provenance import file_origin
from companion.base.tables import save_table
from companion.bp4d import AU_NAMES
from companion.crops.batches import central_batches
from companion.crops.store import CropStore
from companion.training.checkpoint import BEST, METRICS, finished
from companion.training.outputs import OUTPUT_NAMES
from companion.workflow.record import write_checksums

SCRIPTS = ROOT / "site" / "_static" / "explorables"
PAGES = ROOT / "site" / "explorables"

FACES = 30  # that the network reads in the page
PRINTED = 10  # of them, in the picture that stands in for the page
CELL_FACES = 12  # of one cell of a confusion matrix
FACE_SIDE, FACE_QUALITY = 80, 60  # pixels and JPEG quality of a cell's faces
LARGEST_FILE = 1_500_000  # bytes; a phone loads it in seconds
BATCH = 64


def face_data(
    profile: dict, model: str, network: VGG, store: CropStore, about: dict
) -> dict:
    """What `face.js` needs: a network in small, faces, and what was lost.

    Args:
        profile: from `companion.base.profiles.load_profile`.
        model: its name in the profile.
        network: of the run's best epoch, in evaluation mode, on the processor.
        store: the crops.
        about: where the network comes from; plain values, which the page shows.

    Raises:
        ValueError: the last maps are not of 7 x 7 cells, or no rank is good enough.
    """
    scale = profile["models"][model]["scale"]
    training, evaluation = store.rows("train"), store.rows("evaluation")
    layers = compression.small_maps(network)
    known, full, maps, small = _through(network, layers, store, training)
    classifier = compression.shrink_classifier(network, maps, small, known, scale)
    answers = compression.run(classifier, small)
    labels, others, _, small = _through(network, layers, store, evaluation)
    theirs = compression.run(classifier, small)
    index = store.index.iloc[evaluation].reset_index(drop=True)
    same = to_intensity(others, scale) == to_intensity(theirs, scale)
    chosen = cover_levels(labels, index["subject"].to_numpy(str), FACES)
    squares = squares_of(store, evaluation[chosen])
    return {
        "about": about
        | {
            "rank": len(classifier[0]["values"]),
            "bound": compression.BOUND,
            "trainingFrames": len(training),
            "evaluationFrames": len(evaluation),
            "people": int(index["subject"].nunique()),
            "trainingIcc": _iccs(known, scale, full, answers),
            "evaluationIcc": _iccs(labels, scale, others, theirs),
            "sameLevels": round(float(same.double().mean()), 4),
        },
        "scale": scale,
        "size": store.crop_size,
        "mean": [round(value, 4) for value in store.mean],
        "std": [round(value, 4) for value in store.std],
        "layers": [_packed(layer) for layer in [*layers, *classifier]],
        "faces": [
            {
                **_name(index.iloc[row]),
                "labels": labels[row].tolist(),
                "outputs": _rounded(theirs[row]),
                "full": _rounded(others[row]),
                "webp": _base64(as_webp(square)),
            }
            for row, square in zip(chosen, squares, strict=True)
        ],
    }


def confusion_data(
    frames: pd.DataFrame, scale: float, store: CropStore, about: dict
) -> dict:
    """What `confusion.js` needs: the matrices, the faces of their cells, a sheet.

    Args:
        frames: one epoch of a run's outputs.
        scale: of Eq. 3.
        store: the crops of the same frames.
        about: where the estimates come from; plain values, which the page shows.

    Raises:
        ValueError: a frame has no crop.
    """
    labels = frames[list(AU_NAMES)].to_numpy().astype(np.int64)
    estimates, outputs = estimated_levels(frames, scale), frames[list(OUTPUT_NAMES)]
    subjects = frames["subject"].to_numpy(str)
    cells = fill_cells(labels, estimates, subjects, CELL_FACES)
    shown = sorted(set().union(*cells.values()))
    place = {row: number for number, row in enumerate(shown)}
    squares = squares_of(store, _crops_of(store, frames.iloc[shown]))
    return {
        "about": about
        | {"evaluationFrames": len(frames), "people": len(np.unique(subjects))},
        "scale": scale,
        "counts": count_cells(labels, estimates).tolist(),
        "cells": [
            [*map(int, cell), [place[row] for row in rows]]
            for cell, rows in sorted(cells.items())
        ],
        "faces": [
            {**_name(frames.iloc[row]), "outputs": _rounded(outputs.iloc[row])}
            for row in shown
        ],
        "columns": SHEET_COLUMNS,
        "rows": -(-len(shown) // SHEET_COLUMNS),
        "sheet": _base64(draw_sprites(squares, FACE_SIDE, FACE_QUALITY)),
    }


def write_script(path: Path, name: str, data: dict) -> None:
    """Write data as a script that defines `EXPLORABLES.<name>`, an item on each line.

    Raises:
        ValueError: it would be too large for a page.
    """

    def text(value: object) -> str:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)

    lines = ["// Written by `python -m companion.workflow.explorables`."]
    lines += ["var EXPLORABLES = EXPLORABLES || {};", f"EXPLORABLES.{name} = {{"]
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            items = ",\n".join(map(text, value))
            lines.append(f'"{key}":[\n{items}],')
        else:
            lines.append(f'"{key}":{text(value)},')
    content = "\n".join([*lines, "};", ""]).encode()
    if len(content) > LARGEST_FILE:
        raise ValueError(
            f"{path}: would have {len(content):,} bytes, more than {LARGEST_FILE:,}: "
            "lower FACES or FACE_SIDE in companion/workflow/explorables.py"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as file:
        file.write(content)


def draw_matrices(counts: list, title: str) -> tuple[Figure, pd.DataFrame]:
    """The five confusion matrices on one figure, and their numbers.

    Args:
        counts: int (Q, 6, 6), labels in rows.
        title: names the model and the data.
    """
    figure, axes = subplots(2, 3, figsize=(TEXT_WIDTH, 4.4))
    tables = []
    for ax, name, matrix in zip(axes.flat, AU_NAMES, counts):
        plots.confusion_map(ax, pd.DataFrame(matrix))
        ax.set_title(name)
        long = pd.DataFrame(matrix).rename_axis(index="label", columns="estimate")
        cells = long.stack().rename("frames").reset_index()
        tables.append(cells.assign(au=name)[["au", "label", "estimate", "frames"]])
    for ax in axes.flat[len(counts) :]:
        ax.axis("off")
    figure.suptitle(f"Frames per cell, {title}", fontsize=8)
    close(figure)
    return figure, pd.concat(tables)


def draw_margin() -> tuple[Figure, pd.DataFrame]:
    """Eq. 4 over the error for both factors, and its numbers."""

    def loss(errors: torch.Tensor) -> torch.Tensor:
        return smooth_l1_loss(errors, torch.zeros_like(errors), reduction="none")

    errors = torch.arange(-200, 201) / 100
    numbers = pd.DataFrame({"error, levels": errors.numpy()})
    for scale in (1, 2):
        numbers[f"loss, targets × {scale}"] = loss(scale * errors).numpy()
    return draw_losses(loss), numbers


def draw_faces(
    faces: list[dict], scale: float, squares: np.ndarray, title: str
) -> Figure:
    """Some of a page's faces with the coder's levels and the network's.

    Args:
        faces: some of those of `face_data`.
        scale: of Eq. 3.
        squares: uint8 (N, S, S, 3), the faces.
        title: names the model and the data.
    """
    names = []
    for face in faces:
        answers = to_intensity(torch.tensor([face["outputs"]]), scale)[0]
        lines = [f"{face['subject']} {face['task']} {face['frame']}"]
        lines += [
            f"coder: {_levels(face['labels'])}",
            f"Eq. 3: {_levels(answers.tolist())}",
        ]
        names.append("\n".join(lines))
    heading = f"{', '.join(AU_NAMES)}: {title}"
    return draw_sheet(list(squares), names, 5, heading)


def write_explorables(name: str, model: str, seed: int) -> None:
    """Write everything that the three pages load.

    Args:
        name: the profile's.
        model, seed: the run whose network reads faces in the page; the confusion
            matrices are of the model's best recorded run.

    Raises:
        ValueError: the data are not a stand-in's, the model is not a regression, the
            run is not the recorded one, or the files would be too large.
        FileNotFoundError: the crops or the run are missing.
    """
    profile = load_profile(name)
    if not profile["standin"]:
        raise ValueError(
            f"profile {name}: its faces and labels are licensed; only stand-in faces "
            "go to the site"
        )
    if profile["models"].get(model, {}).get("method") not in ("baseline", "proposed"):
        raise ValueError(
            f"model {model!r}: choose baseline or proposed, which Eq. 3 reads"
        )
    directory = training_directory(name, model, seed)
    if not finished(directory):
        trains = f".venv/bin/python -m companion.training {name} {model} {seed}"
        raise FileNotFoundError(f"{directory}: no finished run; `{trains}` trains it")
    weights = sha256(directory / BEST)
    if read_provenance(name, "recorded", model, seed)["sha256"][BEST] != weights:
        raise ValueError(
            f"{directory / BEST}: another training than the recorded one; "
            f"`make record PROFILE={name}` records this one"
        )
    store = CropStore(run_directory(name) / "crops")
    network = load_best(model, profile["network_width"], directory)
    metrics = pd.read_csv(directory / METRICS).set_index("epoch")
    about = {"data": profile["title"], "profile": name, "model": model}
    about |= {"crops": store.fingerprint[:16]}
    of_face = about | {"seed": seed, "epoch": best_epoch(metrics)}
    of_face |= {"weights": weights[:16]}
    faces = face_data(profile, model, network, store, of_face)
    scale = profile["models"][model]["scale"]
    frames, of_cells = _best_frames(name, model, scale)
    cells = confusion_data(frames, scale, store, about | of_cells)
    write_script(SCRIPTS / "data_face.js", "face", faces)
    write_script(SCRIPTS / "data_confusion.js", "confusion", cells)
    origin = runs_origin(name, "recorded", [(model, seed)])
    size = (SCRIPTS / "data_face.js").stat().st_size
    losses = measure_compression(network, faces, size)
    save_table(losses, PAGES / "compression.csv", origin, False, None)
    of_matrices = runs_origin(name, "recorded", [(model, of_cells["seed"])])
    _write_figures(name, faces, cells, store, origin, of_matrices)


def measure_compression(network: VGG, faces: dict, script_bytes: int) -> pd.DataFrame:
    """One row: how small the network became, and what that costs.

    Args:
        network: the whole one.
        faces: of `face_data`.
        script_bytes: of the file that the page loads, faces included.
    """
    about = faces["about"]
    whole = sum(each.numel() for each in network.parameters())
    arrays = {"values": 1, "scales": 4, "bias": 4}  # and the bytes of a number
    lengths = [
        (len(b64decode(layer[name])), size)
        for layer in faces["layers"]
        for name, size in arrays.items()
        if name in layer
    ]
    row = {name: about[name] for name in ("model", "seed", "epoch", "rank", "bound")}
    row |= {"numbers": whole, "small_numbers": sum(n // size for n, size in lengths)}
    row |= {"bytes": 4 * whole, "small_bytes": sum(n for n, _ in lengths)}
    row |= {"script_bytes": script_bytes, "faces": len(faces["faces"])}
    for name in ("training", "evaluation"):
        icc, small = about[f"{name}Icc"]
        row |= {f"{name}_frames": about[f"{name}Frames"]}
        row |= {f"{name}_icc": icc, f"small_{name}_icc": small}
    row |= {"people": about["people"], "same_levels": about["sameLevels"]}
    return pd.DataFrame([row])


def _write_figures(
    name: str, faces: dict, cells: dict, store: CropStore, origin: dict, others: dict
) -> None:
    """What the pages show without JavaScript and in print, with two runs' origins."""
    figure_style()
    PAGES.mkdir(parents=True, exist_ok=True)
    alone = file_origin(name, "data", ["none: Equations 3 and 4 alone"], [])
    figure, numbers = draw_margin()
    save_figure(figure, PAGES, "margin", numbers, alone)
    title = "{model}, seed {seed}, {data}"
    figure, numbers = draw_matrices(cells["counts"], title.format(**cells["about"]))
    save_figure(figure, PAGES, "confusion", numbers, others)
    some = faces["faces"][:: FACES // PRINTED][:PRINTED]
    squares = squares_of(store, _crops_of(store, pd.DataFrame(some)))
    sheet = draw_faces(some, faces["scale"], squares, title.format(**faces["about"]))
    save_jpeg(sheet, PAGES / "face.jpg", origin, 85)


def _best_frames(name: str, model: str, scale: float) -> tuple[pd.DataFrame, dict]:
    """The best epoch of the best recorded run, as in notebook 05, and which it is."""
    runs = {
        seed: table for (_, seed), table in read_runs(name, "recorded", [model]).items()
    }
    scores = {seed: epoch_scores(table, scale) for seed, table in runs.items()}
    seed = best_run(scores)
    epoch = best_epoch(scores[seed])
    frames = runs[seed].query("epoch == @epoch").reset_index(drop=True)
    return frames, {"seed": seed, "epoch": epoch}


def _through(
    network: VGG, layers: list[compression.Layer], store: CropStore, rows: np.ndarray
) -> tuple[np.ndarray, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Labels (N, Q) and outputs (N, Q); last maps (N, C * 7 * 7), whole and small."""
    outputs, whole, small = [], [], []
    with torch.inference_mode():
        for images in central_batches(store, rows, BATCH, torch.device("cpu")):
            maps = network.features(images)
            if maps.shape[2:] != (7, 7):
                raise ValueError(
                    f"crops of {images.shape[-1]} pixels give last maps of "
                    f"{maps.shape[2]} x {maps.shape[3]} cells, the page needs 7 x 7: "
                    "choose a profile with the crop size of VGG16 in small, 112"
                )
            outputs.append(network(images))
            whole.append(maps.flatten(1))
            small.append(compression.run(layers, images).flatten(1))
    return store.levels[rows], torch.cat(outputs), torch.cat(whole), torch.cat(small)


def _crops_of(store: CropStore, frames: pd.DataFrame) -> np.ndarray:
    """The rows of a store that hold these frames: int64 array (N,)."""
    keys = ["subject", "task", "frame"]
    rows = pd.Series(
        range(len(store)), index=pd.MultiIndex.from_frame(store.index[keys])
    )
    wanted = pd.MultiIndex.from_frame(
        frames[keys].astype({"subject": str, "task": str})
    )
    found = rows.reindex(wanted)
    if found.isna().any():
        missing = " ".join(map(str, found.index[found.isna()][0]))
        raise ValueError(
            f"{store.directory}: has no crop of {missing}, which the recorded run has; "
            "run notebook 01 again"
        )
    return found.to_numpy().astype(np.int64)


def _packed(layer: compression.Layer) -> dict:
    """A layer as JSON takes it: its arrays as base64 of little-endian bytes."""
    packed = dict(layer)
    if layer["kind"] != "pool":
        packed["rows"] = len(layer["values"])
        for name in ("values", "scales", "bias"):
            array = layer[name]
            packed[name] = _base64(
                array.astype(array.dtype.newbyteorder("<")).tobytes()
            )
    return packed


def _base64(content: bytes) -> str:
    return b64encode(content).decode("ascii")


def _name(row: pd.Series) -> dict:
    """A frame's person, task and number."""
    names = {"subject": str(row["subject"]), "task": str(row["task"])}
    return names | {"frame": int(row["frame"])}


def _rounded(values: torch.Tensor | pd.Series) -> list[float]:
    return [round(float(value), 4) for value in values]


def _iccs(labels: np.ndarray, scale: float, *outputs: torch.Tensor) -> list[float]:
    """The mean ICC of each of several outputs."""
    return [round(compression.mean_icc(labels, each, scale), 4) for each in outputs]


def _levels(levels: list[int]) -> str:
    return " ".join(map(str, levels))


def main() -> None:
    if len(sys.argv) != 4 or not sys.argv[3].isdecimal():
        sys.exit("usage: python -m companion.workflow.explorables PROFILE MODEL SEED")
    try:
        write_explorables(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        write_checksums()
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    print("written; `git status` shows what changed")


if __name__ == "__main__":
    main()
